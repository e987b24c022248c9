//! Two points beside each other: the figures are those of what was written.

use super::disks::{attach, detail, house, machine, new_point, roll_back, volume};
use super::house::{House, caller};
use crate::catalog::points::set_hardware;
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{InstanceId, PointId, VolumeId};
use crate::domain::size::Bytes;
use crate::domain::volume::VolumeKind;
use crate::view::PointComparison;

const BLOCK: u64 = 4096;

/// Writes into these blocks, by a seed.
fn put(house: &House, volume: VolumeId, blocks: std::ops::Range<u64>, seed: u8) {
    for block in blocks {
        house.write(volume, block * BLOCK, &[seed; 4096]);
    }
}

fn compare(
    house: &House,
    id: InstanceId,
    from: Option<PointId>,
    to: Option<PointId>,
) -> PointComparison {
    let told = house.control.compare_points(&house.owner, id, from, to);
    told.expect("a comparison")
}

/// Of each disk, blocks.
fn blocks(told: &PointComparison) -> Vec<Option<u64>> {
    let differ = |bytes: Bytes| bytes.0 / BLOCK;
    told.disks
        .iter()
        .map(|disk| disk.differ.map(differ))
        .collect()
}

#[test]
fn what_differs_is_what_was_written_on_the_way_between_the_two() {
    let (_folder, house) = house();
    let (id, [root, data]) = machine(&house, "node");
    put(&house, root, 0..10, 1);
    let first = new_point(&house, id, "first");
    put(&house, root, 5..8, 2);
    put(&house, data, 0..1, 2);
    let second = new_point(&house, id, "second");
    put(&house, root, 7..12, 3);
    let third = new_point(&house, id, "third");
    let told = compare(&house, id, Some(first), Some(second));
    assert_eq!((blocks(&told), told.line), (vec![Some(3), Some(1)], true));
    // Written twice counts once, and either way round is the same.
    for (from, to) in [(first, third), (third, first)] {
        let told = compare(&house, id, Some(from), Some(to));
        assert_eq!((blocks(&told), told.line), (vec![Some(7), Some(1)], true));
    }
    let same = compare(&house, id, Some(first), Some(first));
    assert_eq!((blocks(&same), same.line), (vec![Some(0), Some(0)], true));
    // The present, before anything is written, and after.
    let now = compare(&house, id, Some(third), None);
    assert_eq!((blocks(&now), now.line), (vec![Some(0), Some(0)], true));
    put(&house, data, 4..6, 4);
    let now = compare(&house, id, None, Some(third));
    assert_eq!((blocks(&now), now.line), (vec![Some(0), Some(2)], true));
    assert_eq!((now.from.point, now.to.point), (None, Some(third)));

    // Across a branch: what was written on either side since they parted.
    house.succeeded(roll_back(&house, first, false));
    put(&house, root, 6..7, 5);
    put(&house, root, 20..24, 5);
    let branch = new_point(&house, id, "branch");
    let told = compare(&house, id, Some(second), Some(branch));
    assert_eq!((blocks(&told), told.line), (vec![Some(7), Some(1)], false));
    let told = compare(&house, id, None, Some(second));
    assert_eq!((blocks(&told), told.line), (vec![Some(7), Some(1)], false));
    assert!(compare(&house, id, Some(first), Some(branch)).line);
    assert!(compare(&house, id, None, Some(first)).line);
    // A point between two that are compared goes: they are told to differ by no less.
    let begun = house.control.delete_point(&house.owner, second);
    house.succeeded(begun.expect("begun").job);
    house.pool_of(root).reclaim().expect("reclaimed");
    let told = compare(&house, id, Some(first), Some(third));
    assert_eq!((blocks(&told), told.line), (vec![Some(7), Some(1)], true));
}

#[test]
fn disks_that_only_one_has_and_another_machine_are_told() {
    let (_folder, house) = house();
    let (id, [root, data]) = machine(&house, "node");
    let first = new_point(&house, id, "first");
    attach(&house, data, None);
    let late = volume(&house, "late", VolumeKind::Data);
    attach(&house, late, Some((id, 1)));
    let mut hardware = detail(&house, id, first).hardware;
    hardware.vcpus = 4;
    let catalog = house.control.catalog();
    catalog
        .write(|tx| set_hardware(tx, id, &hardware))
        .expect("written");
    let second = new_point(&house, id, "second");
    put(&house, root, 0..2, 1);
    for (to, wrote) in [(Some(second), 0), (None, 2)] {
        let told = compare(&house, id, Some(first), to);
        let names: Vec<_> = told
            .disks
            .iter()
            .map(|disk| {
                let name = |side: &Option<crate::view::ComparedDisk>| {
                    side.as_ref().map(|side| side.name.clone())
                };
                (name(&disk.from), name(&disk.to))
            })
            .collect();
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            names,
            [
                (some("node-root"), some("node-root")),
                (some("node-data"), None),
                (None, some("late"))
            ]
        );
        assert_eq!(blocks(&told), [Some(wrote), None, None]);
        assert_eq!((told.from.hardware.vcpus, told.to.hardware.vcpus), (1, 4));
    }
}

#[test]
fn i15_nobody_compares_what_is_not_theirs() {
    let (_folder, house) = house();
    let (id, _) = machine(&house, "node");
    let (other, _) = machine(&house, "other");
    let ours = new_point(&house, id, "ours");
    let elsewhere = new_point(&house, other, "of the other");
    let control = &house.control;
    let no_point = Err(Fault::NotFound { what: Noun::Point });
    let told = control.compare_points(&house.owner, id, Some(ours), Some(elsewhere));
    assert_eq!(told, no_point);
    let told = control.compare_points(&house.owner, id, Some(elsewhere), None);
    assert_eq!(told, no_point);
    let stranger = caller(control, "owner@them");
    let told = control.compare_points(&stranger, id, Some(ours), None);
    let no_instance = Fault::NotFound {
        what: Noun::Instance,
    };
    assert_eq!(told, Err(no_instance));
}
