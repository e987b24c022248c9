//! As `crash`, for the work on instances: the process ends after each step, the guests run on, and the next process ends
//! in what was asked for.

use super::super::tasks;
use super::crash::{ACT, DATA, dies_in, held_at, holds, interrupt, places, settle, word};
use super::guest::{Orphans, can_run, eventually};
use super::house::House;
use crate::catalog::jobs::Ending;
use crate::domain::id::InstanceId;
use crate::domain::instance::InstanceState;
use crate::domain::job::JobKind;
use crate::domain::volume::VolumeState;
use crate::hypervisor::Hypervisor;
use std::collections::BTreeSet;
use std::path::Path;

/// What is there before the act; false where it takes a hypervisor, and there is none.
fn prepare(data: &Path, kind: JobKind) -> bool {
    let mut house = House::open(data);
    if !matches!(kind, JobKind::CreateInstance | JobKind::DeleteInstance) && !can_run(&house) {
        return false;
    }
    let template = house.guest_template("linux", false);
    if kind == JobKind::CreateInstance {
        return true;
    }
    let id = house.new_instance("node", template);
    match kind {
        JobKind::StopInstance | JobKind::RebootInstance => {
            house.start(id);
            house.goes_on(id);
            house.leaves_guests = true;
        }
        JobKind::DeleteInstance => {
            let data = house.new_volume("data");
            let (control, owner) = (&house.control, &house.owner);
            control.attach_volume(owner, id, data).expect("attached");
            let point = control.create_point(owner, id, "point", "", false);
            house.succeeded(point.expect("begun").job);
        }
        _ => {}
    }
    true
}

/// The act, asked for by a member; the process dies on the way.
#[test]
#[ignore = "run by the tests of this file, in a process of its own"]
fn child() {
    let (Some(data), Ok(wanted)) = (std::env::var_os(DATA), std::env::var(ACT)) else {
        return;
    };
    let mut house = House::open(Path::new(&data));
    house.leaves_guests = true;
    let (control, owner) = (&house.control, &house.owner);
    let kind = JobKind::ALL.into_iter().find(|kind| word(*kind) == wanted);
    let node = || house.instance("node").row.id;
    let begun = match kind {
        Some(JobKind::CreateInstance) => {
            let template = control.list_templates(owner, 1).expect("a list").rows[0].id;
            let start = control.core.hypervisor().is_ok();
            control.create_instance(owner, "node", template, house.zones[0], 0, start)
        }
        Some(JobKind::StartInstance) => control.start_instance(owner, node()),
        Some(JobKind::StopInstance) => control.stop_instance(owner, node(), false),
        Some(JobKind::RebootInstance) => control.reboot_instance(owner, node()),
        Some(JobKind::DeleteInstance) => control.delete_instance(owner, node(), true),
        // Only what is under way already.
        _ => return settle(&house),
    };
    house.ended(begun.expect("begun").job);
}

/// Nothing stuck, nothing unknown; whether its process runs is what its state says.
fn assert_whole(house: &House, data: &Path) {
    let (control, owner) = (&house.control, &house.owner);
    let rows = control.list_instances(owner, 1).expect("a list").rows;
    for row in &rows {
        assert!(!row.state.is_passing() && row.job.is_none(), "{row:?}");
        let found = Hypervisor::find(&control.core.folders.instance(row.id)).expect("an answer");
        assert_eq!(
            found.is_some(),
            row.state == InstanceState::Running,
            "{row:?}"
        );
    }
    let mut checkpoints = BTreeSet::new();
    for row in &rows {
        let held = control.catalog().checkpoints_of_instance(row.id);
        checkpoints.extend(held.expect("an answer"));
    }
    for zone in &control.core.zones.0 {
        let pool = zone.pool("").expect("a pool");
        let known = control
            .catalog()
            .volumes_of_zone(zone.id)
            .expect("an answer");
        let known: BTreeSet<_> = known
            .into_iter()
            .filter(|volume| volume.state == VolumeState::Ready)
            .map(|volume| volume.id)
            .collect();
        assert_eq!(pool.volumes().into_iter().collect::<BTreeSet<_>>(), known);
        // Beside those of points there are only those of volume snapshots, and of what roots were made from.
        let snapshots = control
            .catalog()
            .snapshots_of_zone(zone.id)
            .expect("an answer");
        let origins = control
            .catalog()
            .origins_of_zone(zone.id)
            .expect("an answer");
        for found in pool.checkpoints() {
            assert!(
                checkpoints.contains(&found.id)
                    || origins
                        .iter()
                        .any(|origin| origin.base == found.id && known.contains(&origin.volume))
                    || snapshots
                        .iter()
                        .any(|snapshot| snapshot.checkpoint == found.id),
                "a checkpoint that nobody knows"
            );
        }
    }
    assert!(control.quarantine().expect("an answer").is_empty());
    let zones = control.core.zones.0.iter();
    let pools: Vec<_> = zones.map(|zone| zone.pool("").expect("a pool")).collect();
    for pool in &pools {
        pool.reclaim().expect("reclaimed");
    }
    control.core.release_holds().expect("asked");
    let sources = pools.iter().map(|pool| pool.sources().len());
    assert_eq!(
        (holds(data), sources.sum::<usize>()),
        (0, 0),
        "all has come"
    );
}

/// It ended in what was asked for.
fn assert_done(house: &House, kind: JobKind) {
    let (control, owner) = (&house.control, &house.owner);
    let booted = |times: usize| {
        let id = house.instance("node").row.id;
        assert_eq!(house.state(id), (InstanceState::Running, None));
        eventually("it has booted", || {
            house.serial(id).matches("up\n").count() == times
        });
        house.goes_on(id);
        assert!(!house.serial(id).contains('E'), "no write failed");
    };
    match kind {
        JobKind::CreateInstance if control.core.hypervisor().is_err() => {
            assert_eq!(house.instance("node").row.state, InstanceState::Stopped);
        }
        JobKind::CreateInstance | JobKind::StartInstance => booted(1),
        JobKind::RebootInstance => booted(2),
        JobKind::StopInstance => {
            let row = house.instance("node").row;
            assert_eq!((row.state, row.fault), (InstanceState::Stopped, None));
        }
        _ => {
            assert!(
                control
                    .list_instances(owner, 1)
                    .expect("a list")
                    .rows
                    .is_empty()
            );
            let names: Vec<_> = house.volumes().into_iter().map(|row| row.name).collect();
            assert_eq!(names, ["of linux"], "its volumes went with it");
            let left = std::fs::read_dir(
                control
                    .core
                    .folders
                    .instance(InstanceId::new())
                    .parent()
                    .expect("a folder"),
            );
            assert_eq!(left.expect("a folder").count(), 0, "its folder is left");
        }
    }
}

fn stops_everywhere(kind: JobKind) {
    for place in places(kind, tasks::steps(kind)) {
        let folder = tempfile::tempdir().expect("a folder");
        let _orphans = Orphans::of(folder.path());
        if !prepare(folder.path(), kind) {
            return;
        }
        dies_in(module_path!(), folder.path(), &word(kind), &place);
        if kind == JobKind::CreateInstance {
            assert_eq!(Some(holds(folder.path())), held_at(&place), "{place}");
        }
        let mut house = House::open(folder.path());
        settle(&house);
        assert_whole(&house, folder.path());
        assert_done(&house, kind);
        // And once more: a start that finds nothing to do changes nothing.
        house.leaves_guests = true;
        drop(house);
        let house = House::open(folder.path());
        assert_whole(&house, folder.path());
        assert_done(&house, kind);
    }
}

#[test]
fn i16_create_instance_is_stopped_after_every_step() {
    stops_everywhere(JobKind::CreateInstance);
}

#[test]
fn i16_start_instance_is_stopped_after_every_step() {
    stops_everywhere(JobKind::StartInstance);
}

#[test]
fn i16_stop_instance_is_stopped_after_every_step() {
    stops_everywhere(JobKind::StopInstance);
}

#[test]
fn i16_reboot_instance_is_stopped_after_every_step() {
    stops_everywhere(JobKind::RebootInstance);
}

#[test]
fn i16_delete_instance_is_stopped_after_every_step() {
    stops_everywhere(JobKind::DeleteInstance);
}

/// What could not be made is a row that says so, and can be deleted.
fn assert_undone(house: &House, data: &Path) {
    assert_whole(house, data);
    let view = house.instance("node");
    assert_eq!(view.row.state, InstanceState::Failed);
    assert!(view.row.fault.is_some());
    assert_eq!(view.volumes[0].state, VolumeState::Failed);
    assert!(
        house
            .control
            .start_instance(&house.owner, view.row.id)
            .is_err()
    );
    let begun = house
        .control
        .delete_instance(&house.owner, view.row.id, false)
        .expect("begun");
    house.succeeded(begun.job);
    assert_whole(house, data);
    assert_done(house, JobKind::DeleteInstance);
}

#[test]
fn i16_making_an_instance_is_interrupted_at_every_step_and_while_that_is_undone() {
    let kind = JobKind::CreateInstance;
    for place in places(kind, tasks::steps(kind)) {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(prepare(folder.path(), kind));
        dies_in(module_path!(), folder.path(), &word(kind), &place);
        interrupt(folder.path());
        let house = House::open(folder.path());
        settle(&house);
        assert_undone(&house, folder.path());
    }
    for place in places(kind, tasks::undo_steps(kind, Ending::Interrupted)) {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(prepare(folder.path(), kind));
        let last = format!("{}:make-root", word(kind));
        dies_in(module_path!(), folder.path(), &word(kind), &last);
        interrupt(folder.path());
        dies_in(module_path!(), folder.path(), "", &place);
        let house = House::open(folder.path());
        settle(&house);
        assert_undone(&house, folder.path());
    }
}
