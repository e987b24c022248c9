//! What operations cost, counted: bytes and requests, not time.

use super::device::Memory;
use super::stores::{Counts, Wrapped};
use super::*;
use std::sync::atomic::Ordering;

const BLOCK: u64 = 4096;
const CHUNK: u64 = CHUNK_SIZE as u64;
/// Nonce and tag of what is sealed.
const SEALED: u64 = 24 + 16;
/// A chunk that cannot be compressed, in its pack: codec and content, sealed; index entry.
const RAW_CHUNK: u64 = SEALED + 1 + CHUNK + 40;
/// Header, sealed index without its entries, and footer of a pack.
const PACK: u64 = 64 + SEALED + 64;

/// Length of a segment object with so many packs and chunks.
const fn segment(packs: u64, chunks: u64) -> u64 {
    64 + 16 + 16 * packs + 128 + 42 * chunks + SEALED
}

fn counted() -> (Arc<Wrapped>, Archive) {
    let store = Wrapped::new(in_memory());
    let archive =
        Archive::with_store_alone(Arc::clone(&store) as Arc<dyn ObjectStore>, options()).unwrap();
    (store, archive)
}

/// Four segments; in each the first 32 chunks hold noise.
fn device() -> Memory {
    let device = Memory::new(4 * SEGMENT_SIZE);
    for n in 0..4 {
        device.fill(n * SEGMENT_SIZE..n * SEGMENT_SIZE + 32 * CHUNK, n);
    }
    device
}

#[test]
fn a_first_save_writes_each_chunk_once_and_reads_only_what_holds_data() {
    let (store, archive) = counted();
    let device = device();
    let saved = save(&archive, snapshot(1), &device, None).unwrap();
    assert_eq!(saved.read_bytes, 4 * 32 * CHUNK);
    assert_eq!(device.read.load(Ordering::Relaxed), saved.read_bytes);
    assert_eq!(saved.data_bytes, saved.read_bytes);
    assert_eq!(
        saved.uploaded_bytes,
        PACK + 128 * RAW_CHUNK + 4 * segment(1, 32)
    );
    // A key, a pack, four segments, a manifest.
    assert_eq!(store.counts().puts, 7);
}

#[test]
fn k_scattered_blocks_cost_k_chunks_and_their_segments() {
    let (store, archive) = counted();
    let device = device();
    save(&archive, snapshot(1), &device, None).unwrap();
    store.counts();
    let before = device.read.load(Ordering::Relaxed);
    // One block in each of three chunks, two of them in one segment; and one block that becomes zero alone.
    let blocks: [u64; 3] = [5, 16 * 20, SEGMENT_SIZE / BLOCK + 3];
    let mut changed = BlockSet::new();
    for block in blocks {
        device.fill(block * BLOCK..(block + 1) * BLOCK, 9);
        changed.insert_range(block as u32..block as u32 + 1);
    }
    let saved = save(
        &archive,
        snapshot(2),
        &device,
        Some((snapshot(1), &changed)),
    )
    .unwrap();
    assert!(saved.incremental);
    assert_eq!(saved.read_bytes, 3 * CHUNK);
    assert_eq!(device.read.load(Ordering::Relaxed) - before, 3 * CHUNK);
    assert_eq!(
        saved.uploaded_bytes,
        PACK + 3 * RAW_CHUNK + 2 * segment(2, 32)
    );
    let counts = store.counts();
    // Written: a pack, two segments, a manifest. Read: the base's manifest, two of its segments, the new pack's length
    // and the new manifest. No listing.
    assert_eq!(
        counts,
        Counts {
            puts: 4,
            gets: 5,
            lists: 0,
            deletes: 0,
            put_bytes: counts.put_bytes
        }
    );
    assert!(
        counts.put_bytes - saved.uploaded_bytes < 700,
        "the manifest: {}",
        counts.put_bytes - saved.uploaded_bytes
    );
}

#[test]
fn nothing_changed_costs_one_manifest() {
    let (store, archive) = counted();
    let device = Memory::new(1 << 40);
    device.fill(0..4 * CHUNK, 1);
    device.fill((1 << 40) - CHUNK..1 << 40, 2);
    let first = save(&archive, snapshot(1), &device, None).unwrap();
    assert_eq!(first.read_bytes, 5 * CHUNK);
    store.counts();
    let read = device.read.load(Ordering::Relaxed);
    let second = save(
        &archive,
        snapshot(2),
        &device,
        Some((snapshot(1), &BlockSet::new())),
    )
    .unwrap();
    assert_eq!(
        (second.uploaded_bytes, second.read_bytes, second.data_bytes),
        (0, 0, first.data_bytes)
    );
    assert_eq!(device.read.load(Ordering::Relaxed), read);
    let counts = store.counts();
    assert_eq!((counts.puts, counts.gets, counts.lists), (1, 2, 0));
    // Saving what is saved costs nothing at all.
    save(&archive, snapshot(2), &device, None).unwrap();
    assert_eq!(store.counts(), Counts::default());
}

#[test]
fn a_block_that_is_written_with_the_same_bytes_costs_nothing() {
    let (_, archive) = counted();
    let device = device();
    save(&archive, snapshot(1), &device, None).unwrap();
    let mut changed = BlockSet::new();
    changed.insert_range(0..64);
    let saved = save(
        &archive,
        snapshot(2),
        &device,
        Some((snapshot(1), &changed)),
    )
    .unwrap();
    assert_eq!((saved.read_bytes, saved.uploaded_bytes), (4 * CHUNK, 0));
}

#[test]
fn content_is_stored_once_within_an_organization() {
    let (store, archive) = counted();
    let device = device();
    let first = save(&archive, snapshot(1), &device, None).unwrap();
    // Another volume, without a base: only its segments are new.
    let again = save(&archive, snapshot(2), &device.copy(device.size()), None).unwrap();
    assert_eq!(again.uploaded_bytes, 4 * segment(1, 32));
    // Another process finds the same, by the packs' own indexes.
    store.counts();
    let archive =
        Archive::with_store_alone(Arc::clone(&store) as Arc<dyn ObjectStore>, options()).unwrap();
    let again = save(&archive, snapshot(3), &device, None).unwrap();
    assert_eq!(again.uploaded_bytes, 4 * segment(1, 32));
    assert!(first.uploaded_bytes > again.uploaded_bytes * 100);
}

#[test]
fn a_restore_asks_for_neighbours_together() {
    let (store, archive) = counted();
    let device = device();
    save(&archive, snapshot(1), &device, None).unwrap();
    store.counts();
    let target = Memory::new(device.size());
    let restored = archive
        .restore(ORGANIZATION, snapshot(1), &target, &mut ())
        .unwrap();
    // A manifest; for each segment itself and one range of the pack, or two where the workers met in the middle.
    assert!(
        (9..=17).contains(&restored.objects_read),
        "{}",
        restored.objects_read
    );
    assert_eq!(store.counts().gets, restored.objects_read);
    assert_eq!(restored.written_bytes, 128 * CHUNK);
    assert!(target.content() == device.content());
}

#[test]
fn a_list_page_asks_nothing_of_the_store() {
    let (store, archive) = counted();
    let device = device();
    for n in 1..=20 {
        device.fill(
            u64::from(n) * BLOCK..u64::from(n + 1) * BLOCK,
            100 + u64::from(n),
        );
        save(&archive, snapshot(n), &device, None).unwrap();
    }
    let archive =
        Archive::with_store_alone(Arc::clone(&store) as Arc<dyn ObjectStore>, options()).unwrap();
    store.counts();
    assert_eq!(archive.list(ORGANIZATION).unwrap().len(), 20);
    // The first look: the key, and each manifest once.
    assert_eq!(store.counts().gets, 21);
    for info in archive.list(ORGANIZATION).unwrap() {
        assert_eq!(
            archive
                .reclaimable(ORGANIZATION, info.description.snapshot)
                .unwrap(),
            info.reclaimable_bytes
        );
    }
    assert_eq!(store.counts(), Counts::default());
}

#[test]
fn packs_in_memory_are_bounded_for_all_saves_together() {
    let store = Wrapped::new(in_memory());
    let options = ArchiveOptions {
        pack_buffers: 2,
        ..options()
    };
    let archive =
        Archive::with_store_alone(Arc::clone(&store) as Arc<dyn ObjectStore>, options).unwrap();
    std::thread::scope(|scope| {
        for n in 1..=4 {
            let archive = &archive;
            scope.spawn(move || {
                let device = Memory::new(SEGMENT_SIZE);
                device.fill(0..36 << 20, u64::from(n));
                save(archive, snapshot(n), &device, None).unwrap();
            });
        }
    });
    assert!(store.packs_most.load(Ordering::SeqCst) <= 2);
    // Packs at their longest, and four saves' segments.
    let most = 2 * crate::archive::pack::LARGEST as u64 + 4 * 8 * segment(4, SEGMENT_CHUNKS as u64);
    assert!(store.bytes_most.load(Ordering::SeqCst) <= most);
    assert_eq!(archive.check(false).unwrap(), vec![]);
}

/// What a save keeps of a disk, whatever its size: packs, and what lies between the workers and the packer.
#[test]
fn a_save_with_the_defaults_keeps_less_than_half_of_what_the_process_may() {
    let options = ArchiveOptions::new(MasterKey::of_test(5));
    let unit = crate::archive::pipeline::UNIT_CHUNKS * CHUNK as usize;
    for workers in 1..=8 {
        let packs = options.pack_buffers * crate::archive::pack::LARGEST;
        let units = (2 * workers + crate::archive::packer::QUEUE) * unit;
        assert!(packs + units <= 128 << 20, "{workers} workers");
    }
    assert!(options.workers <= 8);
}

/// Room is saved where it is a 64th of a chunk or more; what is stored as it is comes back faster.
#[test]
fn a_chunk_is_kept_compressed_where_that_saves_a_64th() {
    let key = crate::archive::keys::Key::generate();
    let mut frames = crate::archive::pack::FrameWriter::new(ZSTD_LEVEL).unwrap();
    let noise = Memory::new(CHUNK);
    noise.fill(0..CHUNK, 1);
    let mut length = |zeros: usize| {
        let mut content = vec![0; CHUNK as usize];
        noise.read_at(0, &mut content).unwrap();
        content[..zeros].fill(0);
        frames.frame(&key, &[0; 32], &content).len() as u64 - SEALED - 1
    };
    assert_eq!(length(0), CHUNK);
    assert_eq!(length(512), CHUNK);
    assert!(length(2048) < CHUNK - 1800);
}
