//! I-8: a snapshot shown as saved can be restored bit for bit. Random generations of random devices beside an oracle.

use super::device::Memory;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const BLOCK: u64 = 4096;

#[derive(Debug, Clone)]
enum Step {
    Noise {
        block: u32,
        count: u32,
        seed: u64,
    },
    Paint {
        block: u32,
        count: u32,
        byte: u8,
    },
    Zeros {
        block: u32,
        count: u32,
    },
    Trim {
        block: u32,
        count: u32,
    },
    Grow {
        blocks: u32,
    },
    Save {
        base: Option<prop::sample::Index>,
        extra: u32,
    },
    Delete {
        which: prop::sample::Index,
    },
    Reopen,
    Collect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Around the edges of chunks (16 blocks) and segments (16,384 blocks).
    let place = prop_oneof![0u32..64, 16_370u32..16_400, 32_760u32..32_800, 0u32..33_000];
    let count = prop_oneof![1u32..4, 1u32..40];
    prop::collection::vec(
        prop_oneof![
            3 => (place.clone(), count.clone(), 0u64..4).prop_map(|(block, count, seed)| Step::Noise { block, count, seed }),
            2 => (place.clone(), count.clone(), 0u8..3).prop_map(|(block, count, byte)| Step::Paint { block, count, byte }),
            1 => (place.clone(), count.clone()).prop_map(|(block, count)| Step::Zeros { block, count }),
            1 => (place.clone(), count).prop_map(|(block, count)| Step::Trim { block, count }),
            1 => (1u32..40).prop_map(|blocks| Step::Grow { blocks }),
            4 => (prop::option::weighted(0.8, any::<prop::sample::Index>()), place).prop_map(|(base, extra)| Step::Save { base, extra }),
            1 => any::<prop::sample::Index>().prop_map(|which| Step::Delete { which }),
            1 => Just(Step::Reopen),
            1 => Just(Step::Collect),
        ],
        1..40,
    )
}

struct Generation {
    id: SnapshotId,
    size: u64,
    content: BTreeMap<u64, Box<[u8]>>,
    /// Blocks changed since.
    changed: BlockSet,
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let store = in_memory();
    let mut archive = open(&store);
    let mut device = Memory::new(32_790 * BLOCK);
    let mut saved: Vec<Generation> = Vec::new();
    let mut next = 0u8;
    for step in steps {
        let blocks = (device.size() / BLOCK) as u32;
        let clip = |block: u32, count: u32| {
            block.min(blocks - 1)..(block.min(blocks - 1) + count).min(blocks)
        };
        let bytes = |range: &std::ops::Range<u32>| {
            u64::from(range.start) * BLOCK..u64::from(range.end) * BLOCK
        };
        let mut touch = |range: std::ops::Range<u32>| {
            saved
                .iter_mut()
                .for_each(|generation| generation.changed.insert_range(range.clone()))
        };
        match step {
            Step::Noise { block, count, seed } => {
                touch(clip(block, count));
                device.fill(bytes(&clip(block, count)), seed);
            }
            Step::Paint { block, count, byte } => {
                touch(clip(block, count));
                device.paint(bytes(&clip(block, count)), byte);
            }
            Step::Zeros { block, count } => {
                touch(clip(block, count));
                let range = bytes(&clip(block, count));
                device
                    .write_zeroes(range.start, range.end - range.start, Default::default())
                    .unwrap();
            }
            Step::Trim { block, count } => {
                touch(clip(block, count));
                let range = bytes(&clip(block, count));
                device
                    .trim(range.start, range.end - range.start, false)
                    .unwrap();
            }
            Step::Grow { blocks: more } => device = device.copy((u64::from(blocks + more)) * BLOCK),
            Step::Save { base, extra } => {
                next += 1;
                let base = base
                    .filter(|_| !saved.is_empty())
                    .map(|index| index.get(&saved));
                // More than what changed may be named; that must not matter.
                let changed = base.map(|base| {
                    let mut changed = base.changed.clone();
                    changed.insert_range(clip(extra, 3));
                    (base.id, changed)
                });
                let done = save(
                    &archive,
                    snapshot(next),
                    &device,
                    changed.as_ref().map(|(id, changed)| (*id, changed)),
                )
                .unwrap();
                prop_assert_eq!(done.incremental, changed.is_some());
                let generation = Generation {
                    id: snapshot(next),
                    size: device.size(),
                    content: device.content(),
                    changed: BlockSet::new(),
                };
                saved.push(generation);
            }
            Step::Delete { which } if !saved.is_empty() => {
                let gone = saved.remove(which.index(saved.len()));
                let before: u64 = objects(&store).values().sum();
                let promised = archive.reclaimable(ORGANIZATION, gone.id).unwrap();
                let freed = archive.delete(ORGANIZATION, gone.id).unwrap();
                let after: u64 = objects(&store).values().sum();
                prop_assert_eq!(
                    (freed.bytes, freed.garbage_bytes, freed.deferred_bytes),
                    (promised, 0, 0)
                );
                prop_assert_eq!(before - after, promised);
            }
            Step::Delete { .. } => {}
            Step::Reopen => archive = open(&store),
            Step::Collect => prop_assert_eq!(archive.collect(ORGANIZATION).unwrap(), 0),
        }
    }
    prop_assert_eq!(archive.list(ORGANIZATION).unwrap().len(), saved.len());
    for generation in &saved {
        let target = restored(&archive, generation.id, generation.size).unwrap();
        prop_assert!(
            target.content() == generation.content,
            "{} differs",
            generation.id
        );
    }
    prop_assert_eq!(archive.check(true).unwrap(), vec![]);
    for generation in &saved {
        archive.delete(ORGANIZATION, generation.id).unwrap();
    }
    let left: Vec<_> = objects(&store)
        .into_keys()
        .filter(|name| !is_kept(name))
        .collect();
    prop_assert_eq!(left, Vec::<String>::new());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn i08_every_generation_is_restored_bit_for_bit(steps in steps()) {
        run(steps)?;
    }
}

#[test]
fn i08_a_folder_keeps_what_was_saved() {
    let dir = tempfile::tempdir().unwrap();
    let device = Memory::new(SEGMENT_SIZE + 12 * BLOCK);
    device.fill(0..40 * BLOCK, 1);
    device.paint(SEGMENT_SIZE..SEGMENT_SIZE + 12 * BLOCK, 5);
    {
        let archive = Archive::open_folder(dir.path(), options()).unwrap();
        save(&archive, snapshot(1), &device, None).unwrap();
        assert!(matches!(
            Archive::open_folder(dir.path(), options()),
            Err(Error::Locked { .. })
        ));
        let mut changed = BlockSet::new();
        changed.insert_range(3..5);
        device.fill(3 * BLOCK..5 * BLOCK, 2);
        save(
            &archive,
            snapshot(2),
            &device,
            Some((snapshot(1), &changed)),
        )
        .unwrap();
        archive.delete(ORGANIZATION, snapshot(1)).unwrap();
    }
    // What a killed process leaves behind: half a temporary.
    let temporary = dir.path().join(format!(
        "objects/{ORGANIZATION}/packs/0190d7a3-0000-7000-8000-000000000000#1"
    ));
    std::fs::write(&temporary, b"half").unwrap();
    let archive = Archive::open_folder(dir.path(), options()).unwrap();
    assert!(!temporary.exists());
    assert_eq!(archive.list(ORGANIZATION).unwrap().len(), 1);
    assert!(
        restored(&archive, snapshot(2), device.size())
            .unwrap()
            .content()
            == device.content()
    );
    assert_eq!(archive.check(true).unwrap(), vec![]);
}

#[test]
fn i08_a_larger_target_is_zero_beyond_and_a_smaller_one_refused() {
    let archive = open(&in_memory());
    let device = Memory::new(10 * BLOCK);
    device.fill(0..10 * BLOCK, 1);
    save(&archive, snapshot(1), &device, None).unwrap();
    assert!(
        restored(&archive, snapshot(1), SEGMENT_SIZE * 2)
            .unwrap()
            .content()
            == device.content()
    );
    let small = restored(&archive, snapshot(1), 9 * BLOCK);
    assert!(
        matches!(small, Err(Error::TooSmall { needed, size }) if (needed, size) == (10 * BLOCK, 9 * BLOCK))
    );
    assert!(matches!(
        restored(&archive, snapshot(2), BLOCK),
        Err(Error::NoSuchSnapshot { .. })
    ));
}
