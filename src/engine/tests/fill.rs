//! Filling a volume to the end, with all that goes on meanwhile; and what becomes of a layer that nobody needs.

use super::basic::bytes;
use super::open;
use super::remote::{BLOCK, SIZE, all, clean, ever, made};
use super::sim::{Random, Sim, checkpoint, volume};
use super::source::{CHUNK, Place, name};
use crate::engine::block::{BLOCK_SIZE, BlockDevice};
use crate::engine::drain::lock;
use crate::engine::format::LayerId;
use crate::engine::{Error, Filled, Lease, Reference};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

#[test]
fn a_volume_that_is_filled_is_an_ordinary_one_and_its_source_is_released() {
    let (sim, place, content, pool) = made(1);
    let mut told = Vec::new();
    pool.fill(volume(1), &mut |filled| {
        told.push(filled);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(told.iter().is_sorted_by_key(|filled| filled.done));
    assert_eq!(
        told[0],
        Filled {
            done: 0,
            total: SIZE
        }
    );
    assert_eq!(told.last().unwrap().done, SIZE);
    assert_eq!(place.chunks(), 6);
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(pool.sources(), []);
    assert_eq!(pool.volume(volume(1)).unwrap().unwrap().filling, None);
    assert!(!sim.files().contains(&"layers/1.log".to_owned()));
    clean(&pool);
    pool.fill(volume(1), &mut ever).unwrap();
    assert_eq!(all(&pool), content);
    assert_eq!(place.reads(), []);
    for sim in [sim.killed(), sim.power_lost(1)] {
        let pool = open(&sim).unwrap();
        assert_eq!(all(&pool), content);
        assert_eq!(pool.reclaim().unwrap().bytes, 0);
        clean(&pool);
        let held = sim.data_bytes();
        assert_eq!(
            pool.reclaimable(&[Reference::Volume(volume(1))]).unwrap(),
            held
        );
        pool.delete_volume(volume(1)).unwrap();
        pool.reclaim().unwrap();
        assert_eq!(sim.data_bytes(), 0);
    }
}

/// Whatever came before: what still lacks something is not sealed.
#[test]
fn i09_nothing_is_sealed_that_lacks_what_somebody_needs() {
    let (_sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    bytes(&*lease, 0, 6 * CHUNK as usize);
    assert!(!pool.inner.seal_remote(LayerId(1)).unwrap());
    assert_eq!(pool.sources(), [name(1)]);
    // It goes on as before: what comes is kept.
    place.reads();
    for _ in 0..2 {
        assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
    }
    assert_eq!(place.chunks(), 2);
    assert!(pool.inner.seal_remote(LayerId(1)).unwrap());
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
}

/// What has not come may differ from anything.
#[test]
fn i08_a_volume_that_fills_differs_everywhere_from_what_it_does_not_descend_from() {
    let (_sim, _place, _, pool) = made(1);
    pool.create_volume(volume(2), SIZE).unwrap();
    let both = [(volume(1), checkpoint(1)), (volume(2), checkpoint(2))];
    pool.checkpoint(&both).unwrap();
    for (from, of) in [(2, 1), (1, 2)] {
        let changed = pool.changed_since(checkpoint(from), volume(of)).unwrap();
        assert_eq!(changed.unwrap().len(), SIZE / BLOCK_SIZE);
    }
    assert_eq!(pool.diff(checkpoint(2), checkpoint(1)).unwrap(), None);
}

#[test]
fn a_fill_is_interrupted_and_gone_on_with() {
    let (_sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    bytes(&*lease, 0, 1);
    let stopped = pool.fill(volume(1), &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(Error::Interrupted)));
    assert_eq!(pool.sources(), [name(1)]);
    place.reads();
    // An outage that lasts: the fill waits, and is interrupted while it does.
    lock(&place.0).out = u64::MAX;
    let mut looks = 0;
    let stopped = pool.fill(volume(1), &mut |_| {
        looks += 1;
        if looks < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    assert!(
        matches!(stopped, Err(Error::Interrupted | Error::Remote { .. })),
        "{stopped:?}"
    );
    lock(&place.0).out = 0;
    pool.fill(volume(1), &mut ever).unwrap();
    assert_eq!(place.chunks(), 5, "the first chunk had come");
    assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
}

/// Only what survives a power loss makes a fetch needless.
#[test]
fn i04_a_fill_leaves_out_only_what_is_overwritten_for_good() {
    for seed in 0..30 {
        let (sim, place, content, pool) = made(seed);
        let lease = pool.lease(volume(1)).unwrap();
        lease.write_at(0, &vec![9; CHUNK as usize], true).unwrap();
        lease
            .write_at(CHUNK, &vec![8; CHUNK as usize], false)
            .unwrap();
        pool.fill(volume(1), &mut ever).unwrap();
        let fetched = place.reads();
        assert!(
            fetched.iter().all(|(first, _)| *first != 0),
            "overwritten and flushed"
        );
        assert!(lock(&place.0).released.contains(&name(1)));
        let lost = sim.power_lost(seed);
        let found = all(&open(&lost).unwrap());
        assert_eq!(found[..CHUNK as usize], vec![9; CHUNK as usize]);
        for (sector, old) in found[CHUNK as usize..2 * CHUNK as usize]
            .chunks(512)
            .zip(content[CHUNK as usize..].chunks(512))
        {
            assert!(
                sector == old || sector == [8; 512],
                "{seed}: neither old nor new"
            );
        }
        assert_eq!(found[2 * CHUNK as usize..], content[2 * CHUNK as usize..]);
    }
}

#[test]
fn a_checkpoint_made_while_it_fills_has_the_whole_content() {
    let (sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[1; BLOCK], true).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    lease.write_at(0, &[2; BLOCK], true).unwrap();
    // A base tells what was written since, and asks nothing of the source.
    let diff = pool.diff(checkpoint(100), checkpoint(1)).unwrap().unwrap();
    assert_eq!(diff.ranges().collect::<Vec<_>>(), [0..1]);
    let since = pool
        .changed_since(checkpoint(100), volume(1))
        .unwrap()
        .unwrap();
    assert_eq!(since.len(), 1);
    assert_eq!(place.reads(), []);
    pool.clone_volume(volume(2), checkpoint(1)).unwrap();
    let clone = pool.lease(volume(2)).unwrap();
    clone.write_at(CHUNK, &[3; BLOCK], true).unwrap();
    drop(lease);
    // The first volume goes: the clone still fills from the same source.
    pool.delete_volume(volume(1)).unwrap();
    pool.reclaim().unwrap();
    assert!(lock(&place.0).released.is_empty());
    let device = pool.open_checkpoint(checkpoint(1)).unwrap();
    let mut expected = content.clone();
    expected[..BLOCK].fill(1);
    assert_eq!(bytes(&*device, 0, SIZE as usize), expected);
    drop(device);
    let mut cloned = expected.clone();
    cloned[CHUNK as usize..CHUNK as usize + BLOCK].fill(3);
    assert_eq!(bytes(&*clone, 0, SIZE as usize), cloned);
    pool.fill(volume(2), &mut ever).unwrap();
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(bytes(&*clone, 0, SIZE as usize), cloned);
    drop(clone);
    pool.rollback(volume(2), checkpoint(1)).unwrap();
    let pool = open(&sim.killed()).unwrap();
    assert_eq!(
        bytes(&*pool.lease(volume(2)).unwrap(), 0, SIZE as usize),
        expected
    );
    assert_eq!(
        pool.diff(checkpoint(100), checkpoint(1))
            .unwrap()
            .unwrap()
            .len(),
        1,
        "the base is still known"
    );
}

#[test]
fn i05_a_layer_that_nobody_needs_goes_before_it_has_come() {
    let (sim, place, _, pool) = made(1);
    bytes(&*pool.lease(volume(1)).unwrap(), 0, 1);
    assert!(sim.data_bytes() > 0);
    assert_eq!(
        pool.reclaimable(&[Reference::Volume(volume(1))]).unwrap(),
        sim.data_bytes()
    );
    pool.delete_volume(volume(1)).unwrap();
    let done = pool.reclaim().unwrap();
    assert_eq!((done.bytes, done.layers), (3 * BLOCK_SIZE, 1));
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!((pool.sources(), sim.data_bytes()), (vec![], 0));
    assert!(sim.files().iter().all(|file| !file.starts_with("layers/")));
    assert!(pool.checkpoints().is_empty(), "the base goes with it");
    assert!(matches!(
        pool.fill(volume(1), &mut ever),
        Err(Error::NoVolume(_))
    ));
    // Rolled back to what does not stand on it: the same.
    let (_sim, place, _, pool) = made(2);
    pool.create_volume(volume(2), SIZE).unwrap();
    pool.checkpoint(&[(volume(2), checkpoint(1))]).unwrap();
    pool.rollback(volume(1), checkpoint(1)).unwrap();
    pool.reclaim().unwrap();
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(all(&pool), vec![0; SIZE as usize]);
    // Written over wholly, and flushed: it goes, but where a base needs it to be there for as long as the volume is.
    let (_sim, place, _, pool) = made(4);
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &vec![5; SIZE as usize], true).unwrap();
    pool.reclaim().unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    let diff = pool.diff(checkpoint(100), checkpoint(1)).unwrap();
    assert_eq!(diff.map(|diff| diff.len()), Some(SIZE / BLOCK_SIZE));
    pool.delete_checkpoint(checkpoint(100)).unwrap();
    pool.reclaim().unwrap();
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(bytes(&*lease, 0, SIZE as usize), vec![5; SIZE as usize]);
    clean(&pool);
    // Without a fetch it can be sealed as well.
    let (_sim, place, _, pool) = made(3);
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &vec![5; SIZE as usize], true).unwrap();
    pool.fill(volume(1), &mut ever).unwrap();
    assert_eq!(place.reads(), []);
    assert!(lock(&place.0).released.contains(&name(1)));
    clean(&pool);
}

/// Readers, writers, checkpoints, reclaim and a fill, all at once: each block is what was last written into it, or what
/// the source has.
#[test]
fn i01_i04_i09_a_fill_among_threads() {
    const BLOCKS: u64 = 64 * 4;
    for round in 0..6_u8 {
        let place = Place::default();
        let mut sim = Sim::new(1);
        sim.place = place.clone();
        let (id, content) = place.noise(round, BLOCKS * BLOCK_SIZE);
        let pool = open(&sim).unwrap();
        pool.create_remote_volume(volume(1), BLOCKS * BLOCK_SIZE, id, None)
            .unwrap();
        let lease: Arc<Lease> = pool.lease(volume(1)).unwrap();
        // The number last written to each block; 0: the source's.
        let written: Vec<AtomicU64> = (0..BLOCKS).map(|_| AtomicU64::new(0)).collect();
        let stop = AtomicBool::new(false);
        let filled = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for half in 0..2 {
                let (lease, written, stop) = (&lease, &written, &stop);
                scope.spawn(move || {
                    let mut random = Random::new(u64::from(round) * 2 + half);
                    for number in 1..=300 {
                        // Each writer has blocks of its own.
                        let block = random.below(BLOCKS / 2) * 2 + half;
                        let at = block * BLOCK_SIZE;
                        if random.chance(30) {
                            lease.trim(at, BLOCK_SIZE, false).unwrap();
                            written[block as usize].store(u64::MAX, SeqCst);
                        } else {
                            lease
                                .write_at(at, &[number as u8; BLOCK], random.chance(20))
                                .unwrap();
                            written[block as usize].store(number, SeqCst);
                        }
                        // What this thread wrote it reads.
                        let expected = match written[block as usize].load(SeqCst) {
                            u64::MAX => 0,
                            number => number as u8,
                        };
                        assert_eq!(bytes(&**lease, at, BLOCK), [expected; BLOCK]);
                        let other = random.below(BLOCKS / 2) * 2 + half;
                        let range =
                            (other * BLOCK_SIZE) as usize..((other + 1) * BLOCK_SIZE) as usize;
                        let found = bytes(&**lease, range.start as u64, BLOCK);
                        match written[other as usize].load(SeqCst) {
                            0 => assert_eq!(found, content_of(round, BLOCKS, range)),
                            u64::MAX => assert_eq!(found, [0; BLOCK]),
                            number => assert_eq!(found, [number as u8; BLOCK]),
                        }
                    }
                    stop.store(true, SeqCst);
                });
            }
            scope.spawn(|| {
                for number in 1..=u8::MAX {
                    if stop.load(SeqCst) {
                        break;
                    }
                    pool.checkpoint(&[(volume(1), checkpoint(number))]).unwrap();
                    if number > 2 {
                        pool.delete_checkpoint(checkpoint(number - 2)).unwrap();
                        pool.reclaim().unwrap();
                    }
                }
            });
            scope.spawn(|| {
                pool.fill(volume(1), &mut ever).unwrap();
                filled.store(true, SeqCst);
            });
        });
        assert!(filled.load(SeqCst));
        assert!(lock(&place.0).released.contains(&id));
        let mut expected = content;
        for (block, written) in written.iter().enumerate() {
            let place = &mut expected[block * BLOCK..(block + 1) * BLOCK];
            match written.load(SeqCst) {
                0 => {}
                u64::MAX => place.fill(0),
                number => place.fill(number as u8),
            }
        }
        assert_eq!(bytes(&*lease, 0, expected.len()), expected);
        pool.reclaim().unwrap();
        clean(&pool);
    }
}

/// A block that is read while the layer is being sealed comes from the source or from the file, and never from nowhere.
#[test]
fn i04_i09_a_source_is_released_after_its_last_reader() {
    let (sim, place, content, pool) = made(1);
    let lease = pool.lease(volume(1)).unwrap();
    // A reader holds the epoch while the fill seals: the fill waits for it before it lets the source go.
    let reading = pool.inner.core.epoch.enter();
    let filling = {
        let pool = pool.clone();
        std::thread::spawn(move || pool.fill(volume(1), &mut ever))
    };
    while !pool.sources().is_empty() {
        std::thread::yield_now();
    }
    assert!(lock(&place.0).released.is_empty());
    assert!(
        pool.volume(volume(1)).unwrap().unwrap().filling.is_some(),
        "it still asks"
    );
    drop(reading);
    filling.join().unwrap().unwrap();
    assert!(lock(&place.0).released.contains(&name(1)));
    assert_eq!(bytes(&*lease, 0, SIZE as usize), content);
    drop(sim);
}

fn content_of(round: u8, blocks: u64, range: std::ops::Range<usize>) -> Vec<u8> {
    thread_local! {
        static LAST: std::cell::RefCell<Option<(u8, Vec<u8>)>> = const { std::cell::RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| {
        if last.as_ref().is_none_or(|(number, _)| *number != round) {
            *last = Some((round, Place::default().noise(round, blocks * BLOCK_SIZE).1));
        }
        last.as_ref().unwrap().1[range].to_vec()
    })
}
