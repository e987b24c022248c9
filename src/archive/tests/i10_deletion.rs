//! I-10, for one process: a deletion never removes what another manifest or a running operation needs.

use super::device::Memory;
use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

const BLOCK: u64 = 4096;

/// A device of a few chunks from a small stock, so that everything is shared with everything.
pub(super) fn device(seed: u64) -> Memory {
    let device = Memory::new(SEGMENT_SIZE + 64 * BLOCK);
    for n in 0..5 {
        let place = (seed * 7 + n * 3) % 11;
        device.fill(
            place * 16 * BLOCK..(place * 16 + 16) * BLOCK,
            (seed + n) % 6,
        );
    }
    device.paint(SEGMENT_SIZE..SEGMENT_SIZE + BLOCK, (seed % 3) as u8 + 1);
    device
}

pub(super) fn difference(a: &Memory, b: &Memory) -> BlockSet {
    let (a, b) = (a.content(), b.content());
    a.keys()
        .chain(b.keys())
        .filter(|n| a.get(n) != b.get(n))
        .map(|n| *n as u32)
        .collect()
}

#[test]
fn i10_a_base_that_is_deleted_while_it_is_built_upon() {
    let store = in_memory();
    let archive = open(&store);
    let (first, second) = (device(1), device(2));
    save(&archive, snapshot(1), &first, None).unwrap();
    let before: u64 = objects(&store).values().sum();
    let (thread, freed) = (archive.clone(), Arc::new(Mutex::new(None)));
    let result = Arc::clone(&freed);
    *second.hook.lock().unwrap() = Some(Box::new(move || {
        *result.lock().unwrap() = Some(thread.delete(ORGANIZATION, snapshot(1)).unwrap())
    }));
    let changed = difference(&first, &second);
    assert!(
        save(
            &archive,
            snapshot(2),
            &second,
            Some((snapshot(1), &changed))
        )
        .unwrap()
        .incremental
    );
    let freed = freed.lock().unwrap().take().unwrap();
    assert!(
        freed.deferred_bytes > 0 && freed.bytes + freed.deferred_bytes <= before,
        "{freed:?}"
    );
    assert_eq!(archive.list(ORGANIZATION).unwrap().len(), 1);
    assert!(
        restored(&archive, snapshot(2), second.size())
            .unwrap()
            .content()
            == second.content()
    );
    assert_eq!(archive.check(true).unwrap(), vec![]);
    // What only the deleted one needed went when the save ended: nothing is left to collect.
    assert_eq!(archive.collect(ORGANIZATION).unwrap(), 0);
    archive.delete(ORGANIZATION, snapshot(2)).unwrap();
    assert!(objects(&store).keys().all(|name| is_kept(name)));
}

/// Deletes the snapshot when its restore has begun and nothing was read yet.
struct Deleting<'a>(&'a Archive, SnapshotId);

impl Progress for Deleting<'_> {
    fn total(&mut self, _: u64) {
        let freed = self.0.delete(ORGANIZATION, self.1).unwrap();
        assert!(freed.deferred_bytes > 0);
        assert_eq!(self.0.collect(ORGANIZATION).unwrap(), 0);
    }

    fn done(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[test]
fn i10_a_snapshot_that_is_deleted_while_it_is_restored() {
    let store = in_memory();
    let archive = Archive::with_store_alone(
        Arc::clone(&store),
        ArchiveOptions {
            workers: 1,
            ..options()
        },
    )
    .unwrap();
    let source = device(1);
    source.fill(SEGMENT_SIZE..SEGMENT_SIZE + 32 * BLOCK, 50);
    save(&archive, snapshot(1), &source, None).unwrap();
    let target = Memory::new(source.size());
    archive
        .restore(
            ORGANIZATION,
            snapshot(1),
            &target,
            &mut Deleting(&archive, snapshot(1)),
        )
        .unwrap();
    assert!(target.content() == source.content());
    assert!(
        objects(&store).keys().all(|name| is_kept(name)),
        "the rest went when the restore ended"
    );
}

#[derive(Debug, Clone)]
enum Act {
    Save {
        seed: u64,
        base: Option<u8>,
        during: Option<Box<Act>>,
    },
    Delete(u8),
    Collect,
}

fn act() -> impl Strategy<Value = Act> {
    let simple = prop_oneof![(0u8..8).prop_map(Act::Delete), Just(Act::Collect)];
    let inner = prop_oneof![
        simple.clone(),
        (0u64..9, prop::option::of(0u8..8)).prop_map(|(seed, base)| Act::Save {
            seed,
            base,
            during: None
        })
    ];
    prop_oneof![
        1 => simple,
        3 => (0u64..9, prop::option::of(0u8..8), prop::option::of(inner))
            .prop_map(|(seed, base, during)| Act::Save { seed, base, during: during.map(Box::new) }),
    ]
}

#[derive(Default)]
struct World {
    /// Snapshot number to seed, of those saved and not deleted.
    live: std::collections::BTreeMap<u8, u64>,
    next: u8,
}

fn perform(archive: &Archive, world: &Arc<Mutex<World>>, act: Act) {
    match act {
        Act::Save { seed, base, during } => {
            let (number, base) = {
                let mut world = world.lock().unwrap();
                world.next += 1;
                let base = base.and_then(|n| {
                    world
                        .live
                        .iter()
                        .nth(usize::from(n) % world.live.len().max(1))
                        .map(|(n, seed)| (*n, *seed))
                });
                (world.next, base)
            };
            let source = device(seed);
            if let Some(during) = during {
                let (archive, world) = (archive.clone(), Arc::clone(world));
                *source.hook.lock().unwrap() =
                    Some(Box::new(move || perform(&archive, &world, *during)));
            }
            let changed = base.map(|(n, base)| (snapshot(n), difference(&device(base), &source)));
            save(
                archive,
                snapshot(number),
                &source,
                changed.as_ref().map(|(id, changed)| (*id, changed)),
            )
            .unwrap();
            world.lock().unwrap().live.insert(number, seed);
        }
        Act::Delete(which) => {
            let number = {
                let mut world = world.lock().unwrap();
                let len = world.live.len().max(1);
                let Some(number) = world.live.keys().nth(usize::from(which) % len).copied() else {
                    return;
                };
                world.live.remove(&number);
                number
            };
            archive.delete(ORGANIZATION, snapshot(number)).unwrap();
        }
        Act::Collect => drop(archive.collect(ORGANIZATION).unwrap()),
    }
}

fn verify(store: &Arc<dyn ObjectStore>, archive: &Archive, world: &World) {
    for archive in [archive.clone(), open(store)] {
        let listed: Vec<_> = archive
            .list(ORGANIZATION)
            .unwrap()
            .iter()
            .map(|info| info.description.snapshot)
            .collect();
        assert_eq!(
            listed,
            world.live.keys().map(|n| snapshot(*n)).collect::<Vec<_>>()
        );
        for (number, seed) in &world.live {
            let source = device(*seed);
            assert!(
                restored(&archive, snapshot(*number), source.size())
                    .unwrap()
                    .content()
                    == source.content()
            );
        }
        assert_eq!(archive.check(true).unwrap(), vec![]);
    }
    for number in world.live.keys() {
        archive.delete(ORGANIZATION, snapshot(*number)).unwrap();
    }
    archive.collect(ORGANIZATION).unwrap();
    assert!(objects(store).keys().all(|name| is_kept(name)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn i10_deletions_within_saves(acts in prop::collection::vec(act(), 1..16)) {
        let store = in_memory();
        let archive = open(&store);
        let world = Arc::new(Mutex::new(World::default()));
        for act in acts {
            perform(&archive, &world, act);
        }
        verify(&store, &archive, &world.lock().unwrap());
    }
}

#[test]
fn i10_saves_restores_and_deletions_from_many_threads() {
    let store = in_memory();
    let archive = open(&store);
    let world = Arc::new(Mutex::new(World::default()));
    let restores = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (archive, world, restores) = (&archive, &world, &restores);
            scope.spawn(move || {
                for n in 0..40u64 {
                    let roll = (thread * 31 + n * 17) % 10;
                    match roll {
                        0..5 => perform(
                            archive,
                            world,
                            Act::Save {
                                seed: (thread + n) % 9,
                                base: (roll % 2 == 0).then_some(n as u8),
                                during: None,
                            },
                        ),
                        5..7 => perform(archive, world, Act::Delete((thread * 3 + n) as u8)),
                        7 => perform(archive, world, Act::Collect),
                        _ => {
                            let Some((number, seed)) = world
                                .lock()
                                .unwrap()
                                .live
                                .iter()
                                .next_back()
                                .map(|(n, s)| (*n, *s))
                            else {
                                continue;
                            };
                            let source = device(seed);
                            match restored(archive, snapshot(number), source.size()) {
                                Ok(target) => assert!(target.content() == source.content()),
                                // Deleted by another thread before the restore began.
                                Err(
                                    Error::NoSuchSnapshot { .. }
                                    | Error::Damaged {
                                        damage: Damage::Missing,
                                        ..
                                    },
                                ) => continue,
                                Err(error) => panic!("{error:?}"),
                            }
                            restores.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    assert!(restores.into_inner() > 0);
    verify(&store, &archive, &world.lock().unwrap());
}
