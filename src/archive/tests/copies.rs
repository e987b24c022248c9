//! Copies of snapshots, and their first bytes.

use super::device::Memory;
use super::*;

const BLOCK: u64 = 4096;

/// Two segments, the first of them partly zero.
fn disk() -> Memory {
    let device = Memory::new(SEGMENT_SIZE + 32 * BLOCK);
    device.fill(0..40 * BLOCK, 1);
    device.fill(200 * BLOCK..260 * BLOCK, 2);
    device.fill(SEGMENT_SIZE..SEGMENT_SIZE + 8 * BLOCK, 3);
    device
}

fn whole(archive: &Archive, id: SnapshotId, source: &Memory) -> bool {
    restored(archive, id, source.size()).unwrap().content() == source.content()
}

#[test]
fn i08_a_copy_writes_one_manifest_and_restores_bit_for_bit() {
    let store = in_memory();
    let archive = open(&store);
    let source = disk();
    let saved = save(&archive, snapshot(1), &source, None).unwrap();
    let before = objects(&store);
    let copied = archive
        .copy(ORGANIZATION, snapshot(1), snapshot(2), "Modèle")
        .unwrap();
    assert_eq!(
        (copied.size, copied.data_bytes, copied.uploaded_bytes),
        (saved.size, saved.data_bytes, 0)
    );
    let after = objects(&store);
    let new: Vec<_> = after
        .keys()
        .filter(|name| !before.contains_key(*name))
        .collect();
    assert!(
        new.len() == 1 && new[0].contains("/manifests/"),
        "nothing but a manifest: {new:?}"
    );
    assert!(whole(&archive, snapshot(2), &source));
    let info = archive
        .manifest(ORGANIZATION, snapshot(2))
        .unwrap()
        .unwrap();
    assert_eq!(info.description.name, "Modèle");
    assert_eq!(info.description.volume_name, "srv-01");
    // What both need is freed by neither alone: only the manifest.
    let manifest = after[new[0]];
    assert_eq!(info.reclaimable_bytes, manifest);
    assert_eq!(archive.check(true).unwrap(), vec![]);

    // Another process finds it the same.
    drop(archive);
    let archive = open(&store);
    assert!(whole(&archive, snapshot(2), &source));
    assert_eq!(archive.check(true).unwrap(), vec![]);
}

#[test]
fn i08_copying_again_is_harmless_and_needs_no_original() {
    let store = in_memory();
    let archive = open(&store);
    let source = disk();
    save(&archive, snapshot(1), &source, None).unwrap();
    let copy = || archive.copy(ORGANIZATION, snapshot(1), snapshot(2), "c");
    let first = copy().unwrap();
    let there = objects(&store);
    assert_eq!(copy().unwrap(), first);
    assert_eq!(objects(&store), there);
    archive.delete(ORGANIZATION, snapshot(1)).unwrap();
    assert_eq!(copy().unwrap(), first);
    assert!(whole(&archive, snapshot(2), &source));
    assert!(matches!(
        archive.copy(ORGANIZATION, snapshot(1), snapshot(3), "c"),
        Err(Error::NoSuchSnapshot { snapshot: of }) if of == snapshot(1)
    ));
    assert!(matches!(
        archive.copy(
            OrganizationId::from_bytes([8; 16]),
            snapshot(2),
            snapshot(3),
            "c"
        ),
        Err(Error::NoSuchSnapshot { .. })
    ));
}

#[test]
fn i10_whichever_is_deleted_first_the_other_stays_whole() {
    for (first, second) in [(1, 2), (2, 1)] {
        let store = in_memory();
        let archive = open(&store);
        let source = disk();
        save(&archive, snapshot(1), &source, None).unwrap();
        archive
            .copy(ORGANIZATION, snapshot(1), snapshot(2), "c")
            .unwrap();
        let total: u64 = objects(&store)
            .iter()
            .filter(|(name, _)| !is_kept(name))
            .map(|(_, size)| size)
            .sum();
        let one = archive.delete(ORGANIZATION, snapshot(first)).unwrap();
        assert_eq!((one.deferred_bytes, one.garbage_bytes), (0, 0));
        assert!(whole(&archive, snapshot(second), &source));
        assert_eq!(archive.check(true).unwrap(), vec![]);
        let other = archive.delete(ORGANIZATION, snapshot(second)).unwrap();
        assert_eq!(one.bytes + other.bytes, total, "each byte is freed once");
        assert!(objects(&store).keys().all(|name| is_kept(name)));
    }
}

#[test]
fn i10_an_original_that_is_deleted_while_copies_are_made() {
    let store = in_memory();
    let archive = open(&store);
    let source = disk();
    for round in 0..20 {
        save(&archive, snapshot(1), &source, None).unwrap();
        let copied = std::thread::scope(|scope| {
            let delete = scope.spawn(|| archive.delete(ORGANIZATION, snapshot(1)).unwrap());
            let copied = archive.copy(ORGANIZATION, snapshot(1), snapshot(2), "c");
            delete.join().unwrap();
            copied
        });
        match copied {
            Ok(_) => assert!(whole(&archive, snapshot(2), &source), "round {round}"),
            // The deletion was first: then there is no copy, rather than half of one.
            Err(Error::NoSuchSnapshot { .. } | Error::Damaged { .. }) => {
                assert!(
                    archive
                        .manifest(ORGANIZATION, snapshot(2))
                        .unwrap()
                        .is_none()
                );
            }
            Err(other) => panic!("round {round}: {other}"),
        }
        assert_eq!(archive.check(true).unwrap(), vec![], "round {round}");
        archive.delete(ORGANIZATION, snapshot(2)).unwrap();
        archive.collect(ORGANIZATION).unwrap();
        assert!(
            objects(&store).keys().all(|name| is_kept(name)),
            "round {round}"
        );
    }
}

#[test]
fn i08_a_snapshot_that_is_known_to_be_damaged_is_not_copied() {
    let store = in_memory();
    let archive = open(&store);
    let source = disk();
    save(&archive, snapshot(1), &source, None).unwrap();
    let pack = objects(&store)
        .into_keys()
        .find(|name| name.contains("/packs/"))
        .unwrap();
    let path = object_store::path::Path::from(pack.as_str());
    futures::executor::block_on(async {
        use object_store::ObjectStoreExt;
        let mut bytes = store
            .get(&path)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .to_vec();
        bytes[4000] ^= 1;
        store.put(&path, bytes.into()).await.unwrap();
    });
    assert!(!archive.check(true).unwrap().is_empty());
    let copied = archive.copy(ORGANIZATION, snapshot(1), snapshot(2), "c");
    assert!(matches!(copied, Err(Error::Damaged { object, .. }) if object == pack));
    assert!(
        archive
            .manifest(ORGANIZATION, snapshot(2))
            .unwrap()
            .is_none()
    );
}

#[test]
fn i08_a_copy_can_be_built_upon() {
    let store = in_memory();
    let archive = open(&store);
    let source = disk();
    save(&archive, snapshot(1), &source, None).unwrap();
    archive
        .copy(ORGANIZATION, snapshot(1), snapshot(2), "c")
        .unwrap();
    archive.delete(ORGANIZATION, snapshot(1)).unwrap();
    let later = source.copy(source.size());
    later.fill(8 * BLOCK..9 * BLOCK, 9);
    let changed: BlockSet = std::iter::once(8).collect();
    let saved = save(&archive, snapshot(3), &later, Some((snapshot(2), &changed))).unwrap();
    assert!(saved.incremental);
    assert!(whole(&archive, snapshot(3), &later) && whole(&archive, snapshot(2), &source));
}

#[test]
fn i08_the_first_bytes_are_read_alone() {
    let store = in_memory();
    let archive = open(&store);
    let source = disk();
    save(&archive, snapshot(1), &source, None).unwrap();
    let mut expected = vec![0; 300 * BLOCK as usize];
    source.read_at(0, &mut expected).unwrap();
    for length in [1, 512, 4096, CHUNK_SIZE + 1, expected.len()] {
        let mut head = vec![0xee; length];
        archive
            .read_head(ORGANIZATION, snapshot(1), &mut head)
            .unwrap();
        assert!(head == expected[..length], "{length}");
    }
    let empty = Memory::new(4 * BLOCK);
    save(&archive, snapshot(2), &empty, None).unwrap();
    let mut head = vec![0xee; 8 * BLOCK as usize];
    archive
        .read_head(ORGANIZATION, snapshot(2), &mut head)
        .unwrap();
    assert!(head.iter().all(|byte| *byte == 0));
    assert!(matches!(
        archive.read_head(ORGANIZATION, snapshot(9), &mut head),
        Err(Error::NoSuchSnapshot { .. })
    ));
}
