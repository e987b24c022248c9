//! Rollback on real pools, with instances that stand: what is there before, after, and after one that could not go
//! through. What needs a guest is tested where there is a QEMU.

use super::super::rollback::RollbackArgs;
use super::disks::{
    MIB, SIZE, assert_tidy, attach, attached, detail, hardware, house, machine, new_point, plan,
    point, points, roll_back, scribble, volume, whole,
};
use super::house::{House, noise, settings, tuning};
use crate::catalog::instances::instance;
use crate::catalog::jobs::{NewJob, insert_job};
use crate::catalog::points::{Point, disks_of_point, insert_point, point_of, set_hardware};
use crate::control::points::disks_to_keep;
use crate::domain::fault::Fault;
use crate::domain::id::PointId;
use crate::domain::instance::InstanceState;
use crate::domain::job::{JobKind, JobState};
use crate::domain::recovery::{Consistency, PointKind, PointState};
use crate::domain::size::Bytes;
use crate::domain::volume::VolumeKind;
use crate::engine::block::BlockDevice;
use crate::view::DiskChange;
use std::time::{Duration, Instant};

#[test]
fn i14_a_rollback_returns_every_byte_and_undoing_it_returns_those_after() {
    let (_folder, house) = house();
    let (id, disks) = machine(&house, "node");
    let state = |house: &House| disks.map(|disk| whole(house, disk));
    disks.iter().for_each(|disk| scribble(&house, *disk, 1));
    let first = new_point(&house, id, "first");
    let at_first = state(&house);
    disks.iter().for_each(|disk| scribble(&house, *disk, 2));
    let second = new_point(&house, id, "second");
    let at_second = state(&house);
    scribble(&house, disks[1], 3);
    let latest = state(&house);
    assert_ne!(at_first, at_second);

    let row = point(&house, id, "second");
    assert_eq!(row.consistency, Some(Consistency::Stopped));
    assert_eq!((row.stood_still, row.running), (None, false));
    assert_eq!(row.by.as_deref(), Some("owner@us"));
    let told = plan(&house, first);
    assert!(!told.running_now && !told.running_after && !told.hardware_changes);
    assert!(told.since.expect("known") > Bytes(0));
    for (_, change) in &told.disks {
        assert!(matches!(change, DiskChange::Returns(Some(bytes)) if *bytes > Bytes(0)));
    }

    let job = roll_back(&house, first, true);
    house.succeeded(job);
    assert_eq!(state(&house), at_first);
    let view = points(&house, id);
    assert_eq!(view.current, Some(first));
    assert_eq!(view.since, Some(Bytes(0)));
    let (undo, until) = view.undo.expect("it can be undone");
    let safety = view.points.iter().find(|row| row.id == undo).expect("kept");
    assert_eq!(
        (safety.kind, safety.name.as_str()),
        (PointKind::Safety, "first")
    );
    assert_eq!(detail(&house, id, undo).expires, Some(until));

    // Something is done there, and then the whole rollback is undone.
    scribble(&house, disks[0], 4);
    let aside = state(&house);
    house.succeeded(roll_back(&house, undo, true));
    assert_eq!(state(&house), latest);
    let view = points(&house, id);
    assert_eq!(view.current, Some(second));
    let (redo, _) = view.undo.expect("that can be undone, too");
    assert_ne!(redo, undo);
    let kept = view.points.iter().find(|row| row.id == redo).expect("kept");
    assert_eq!(kept.name, "second", "that is where it went back to");
    assert!(
        !view.points.iter().any(|row| row.id == undo),
        "the safety point that was used is gone"
    );
    house.succeeded(roll_back(&house, redo, true));
    assert_eq!(state(&house), aside);
    assert_eq!(points(&house, id).current, Some(first));

    // And to a point on another branch, with nothing kept.
    house.succeeded(roll_back(&house, second, false));
    assert_eq!(state(&house), at_second);
    let view = points(&house, id);
    assert_eq!((view.current, view.undo), (Some(second), None));
    assert_tidy(&house);
}

#[test]
fn i14_disks_come_back_whatever_became_of_them_and_others_are_kept() {
    let (_folder, house) = house();
    let control = &house.control;
    let (id, [root, data]) = machine(&house, "node");
    let extra = volume(&house, "extra", VolumeKind::Data);
    attach(&house, extra, Some((id, 2)));
    for disk in [root, data, extra] {
        scribble(&house, disk, 1);
    }
    let then = [root, data, extra].map(|disk| whole(&house, disk));
    let with_three = new_point(&house, id, "three disks");

    // One is detached and goes on elsewhere, one is deleted, one comes new.
    attach(&house, data, None);
    scribble(&house, data, 2);
    let detached = whole(&house, data);
    attach(&house, extra, None);
    house.succeeded(
        control
            .delete_volume(&house.owner, extra)
            .expect("begun")
            .job,
    );
    let fresh = volume(&house, "fresh", VolumeKind::Data);
    attach(&house, fresh, Some((id, 1)));
    scribble(&house, fresh, 3);
    scribble(&house, root, 4);
    let (root_now, fresh_now) = (whole(&house, root), whole(&house, fresh));
    // Its name is taken meanwhile.
    volume(&house, "Extra", VolumeKind::Data);

    let told = plan(&house, with_three);
    assert_eq!(told.disks.len(), 4);
    let change = |name: &str| {
        let found = told.disks.iter().find(|(disk, _)| disk == name);
        found.map(|(_, change)| change.clone()).expect("told")
    };
    assert!(matches!(change("node-root"), DiskChange::Returns(Some(bytes)) if bytes > Bytes(0)));
    assert!(matches!(change("node-data"), DiskChange::Attached(Some(bytes)) if bytes > Bytes(0)));
    assert_eq!(
        change("extra"),
        DiskChange::ComesBack("extra (2)".to_owned())
    );
    assert_eq!(change("fresh"), DiskChange::Detached);

    house.succeeded(roll_back(&house, with_three, true));
    let back = house.volume("extra (2)").id;
    assert_eq!(
        attached(&house, id),
        [(root, Some(0)), (data, Some(1)), (back, Some(2))]
    );
    assert_eq!([root, data, back].map(|disk| whole(&house, disk)), then);
    assert_eq!(whole(&house, fresh), fresh_now, "it is kept");

    // Undone: what was detached is detached, with what was written into it since.
    let (undo, _) = points(&house, id).undo.expect("it can be undone");
    house.succeeded(roll_back(&house, undo, true));
    assert_eq!(attached(&house, id), [(root, Some(0)), (fresh, Some(1))]);
    assert_eq!(whole(&house, root), root_now);
    assert_eq!(whole(&house, fresh), fresh_now);
    assert_eq!(whole(&house, data), detached);
    // The one that came back is kept, and is the point's disk from now on.
    assert_eq!(whole(&house, back), then[2]);
    let told = plan(&house, with_three);
    assert!(
        told.disks
            .contains(&("extra (2)".to_owned(), DiskChange::Attached(Some(Bytes(0)))))
    );
    assert_tidy(&house);
}

#[test]
fn i12_a_point_that_cannot_be_restored_says_so_before_one_asks() {
    let (_folder, house) = house();
    let control = &house.control;
    let (id, [root, data]) = machine(&house, "node");
    let (other, _) = machine(&house, "other");
    let first = new_point(&house, id, "first");
    attach(&house, data, Some((other, 2)));
    let told = plan(&house, first);
    let elsewhere = Fault::DiskElsewhere {
        volume: "node-data".to_owned(),
        instance: "other".to_owned(),
    };
    assert_eq!(told.refused, Some(elsewhere.clone()));
    assert_eq!(
        control.roll_back(&house.owner, first, &told.seal, true, false),
        Err(elsewhere)
    );
    attach(&house, data, None);
    // What was confirmed is not what is so now.
    assert_eq!(
        control.roll_back(&house.owner, first, &told.seal, true, false),
        Err(Fault::PlanOutdated)
    );
    assert_eq!(
        control.roll_back(&house.owner, first, "", true, false),
        Err(Fault::PlanOutdated)
    );
    // What is written goes on without making the plan an old one.
    let told = plan(&house, first);
    scribble(&house, root, 5);
    let begun = control.roll_back(&house.owner, first, &told.seal, true, false);
    house.succeeded(begun.expect("begun").job);
    assert_eq!(attached(&house, id), [(root, Some(0)), (data, Some(1))]);
}

#[test]
fn i14_a_rollback_that_fails_half_way_leaves_everything_as_it_was() {
    let (_folder, house) = house();
    let (id, [root, data]) = machine(&house, "node");
    for disk in [root, data] {
        scribble(&house, disk, 1);
    }
    let first = new_point(&house, id, "first");
    let second = new_point(&house, id, "second");
    attach(&house, data, None);
    let fresh = volume(&house, "fresh", VolumeKind::Data);
    attach(&house, fresh, Some((id, 1)));
    for disk in [root, data, fresh] {
        scribble(&house, disk, 2);
    }
    let all = || [root, data, fresh].map(|disk| whole(&house, disk));
    let (before, had) = (all(), attached(&house, id));
    // The pool has lost one of the two: the other is brought back before that shows.
    let catalog = house.control.catalog();
    let held = catalog
        .read(|tx| disks_of_point(tx, first))
        .expect("an answer");
    let lost = held.iter().find(|disk| disk.volume == data).expect("held");
    house
        .pool_of(data)
        .delete_checkpoint(lost.checkpoint)
        .expect("gone");
    let plan = plan(&house, first);
    let begun = house
        .control
        .roll_back(&house.owner, first, &plan.seal, true, false)
        .expect("begun");
    assert!(matches!(house.failed(begun.job), Fault::Internal { .. }));
    assert_eq!(all(), before);
    assert_eq!(attached(&house, id), had);
    let view = points(&house, id);
    assert_eq!((view.current, view.undo), (Some(second), None));
    assert!(
        view.points.iter().all(|row| row.kind == PointKind::Made),
        "the safety point is gone"
    );
    let instance = catalog.instance(id).expect("an answer").expect("there");
    assert_eq!(instance.state, InstanceState::Stopped);
    // Nothing is stuck: the next one goes through.
    house.succeeded(roll_back(&house, second, true));
    assert_eq!(attached(&house, id), [(root, Some(0)), (data, Some(1))]);
}

#[test]
fn i14_a_rollback_whose_start_fails_puts_disks_and_hardware_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut no_hypervisor = tuning();
    no_hypervisor.hypervisor = false;
    let house = House::open_with(settings(folder.path()), no_hypervisor);
    let (id, disks) = machine(&house, "node");
    disks.iter().for_each(|disk| scribble(&house, *disk, 1));
    let first = new_point(&house, id, "first");
    let catalog = house.control.catalog();
    catalog
        .write(|tx| set_hardware(tx, id, &hardware(4)))
        .expect("written");
    assert!(plan(&house, first).hardware_changes);
    disks.iter().for_each(|disk| scribble(&house, *disk, 2));
    let before = disks.map(|disk| whole(&house, disk));
    // As it was asked for while the instance ran, and QEMU was there.
    let args = RollbackArgs {
        point: first,
        safety: PointId::new(),
        keep_safety: true,
        was_running: true,
        back: Vec::new(),
        current: Some(first),
        memory: false,
        safety_memory: false,
    };
    let job = NewJob {
        args: serde_json::to_string(&args).expect("JSON"),
        ..house.work(JobKind::Rollback, &id, "node")
    };
    catalog
        .write(|tx| {
            let known = instance(tx, id)?.expect("there");
            let point = point_of(tx, house.organization(), first)?.expect("there");
            let disks = disks_to_keep(tx, &known).expect("disks");
            let safety = Point {
                id: args.safety,
                parent: Some(first),
                kind: PointKind::Safety,
                state: PointState::Creating,
                consistency: None,
                hardware: known.hardware,
                expires: Some(i64::MAX),
                ..point
            };
            insert_point(tx, &safety, &disks)?;
            insert_job(tx, &job, 0)
        })
        .expect("written");
    house.control.runner.wake();
    let end = Instant::now() + Duration::from_secs(120);
    let ended = loop {
        let now = catalog.job(job.id).expect("an answer").expect("there");
        if !now.state.is_live() {
            break now;
        }
        assert!(Instant::now() < end, "stuck: {now:?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(ended.state, JobState::Failed);
    assert_eq!(ended.fault, Some(Fault::HypervisorMissing));
    assert_eq!(disks.map(|disk| whole(&house, disk)), before);
    let known = catalog.instance(id).expect("an answer").expect("there");
    assert_eq!(known.hardware, hardware(4));
    assert_eq!(points(&house, id).points.len(), 1);
    assert_tidy(&house);
}

#[test]
fn i06_in_a_full_pool_a_rollback_does_not_begin_or_ends_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut small = settings(folder.path());
    for zone in &mut small.zones {
        zone.limit = Some(5 * MIB);
    }
    let house = House::open_with(small, tuning());
    let (id, [root, data]) = machine(&house, "node");
    house.write(root, 0, &noise(1, MIB as usize));
    let first = new_point(&house, id, "first");
    house.write(root, 0, &noise(2, MIB as usize));
    // Full to the brim.
    let lease = house.pool_of(data).lease(data).expect("a lease");
    let mut at = 0;
    while at < SIZE && lease.write_at(at, &noise(at + 3, 4096), false).is_ok() {
        at += 4096;
    }
    assert!(at < SIZE, "the pool is full");
    lease.flush().expect("synced");
    drop(lease);
    let all = || [root, data].map(|disk| whole(&house, disk));
    let before = all();
    let told = plan(&house, first);
    let begun = house
        .control
        .roll_back(&house.owner, first, &told.seal, true, false)
        .expect("begun");
    let job = house.ended(begun.job);
    if job.state == JobState::Failed {
        assert_eq!(all(), before);
        assert!(points(&house, id).undo.is_none());
    } else {
        assert_eq!(whole(&house, root)[..MIB as usize], noise(1, MIB as usize));
    }
    assert_tidy(&house);
}

#[test]
fn i14_a_safety_point_that_a_volume_is_made_from_is_not_used_up_meanwhile() {
    let (_folder, house) = house();
    let control = &house.control;
    let (id, [root, _]) = machine(&house, "node");
    scribble(&house, root, 1);
    let first = new_point(&house, id, "first");
    house.succeeded(roll_back(&house, first, true));
    let (undo, _) = points(&house, id).undo.expect("it can be undone");
    let in_use = Fault::InUse {
        name: "first".to_owned(),
    };
    let work = |kind, subject: String, source: Option<String>| NewJob {
        source,
        ..house.work(kind, &subject, "work")
    };
    // Nobody takes it up: it is due in a far future.
    let under_way = |job: &NewJob<'_>| {
        let written = control.catalog().write(|tx| insert_job(tx, job, i64::MAX));
        written
            .map_err(|error: crate::catalog::Error| error)
            .expect("written");
    };
    let reads = work(
        JobKind::CreateVolume,
        "a volume".to_owned(),
        Some(undo.to_string()),
    );
    under_way(&reads);
    let refused = plan(&house, undo).refused;
    assert_eq!(refused, Some(in_use.clone()), "it would be gone afterwards");
    // Any other point stays when it is gone back to.
    assert_eq!(plan(&house, first).refused, None);
    // The other way round: what may be gone in a moment, nothing is made from.
    under_way(&work(JobKind::Rollback, id.to_string(), None));
    let made = control.create_volume_from_point(&house.owner, undo, root, "made");
    assert_eq!(made.map(|_| ()), Err(in_use));
}
