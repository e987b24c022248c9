//! As `crash`, for recovery points and rollback: the process ends at every step that was written down, with an instance
//! that stands and with one whose guest goes on writing. The next process ends what was begun, or undoes it.

use super::super::tasks;
use super::crash::{ACT, DATA, dies_in, places, settle, word};
use super::disks::{
    assert_tidy, attached, machine, new_point, plan, point, points, scribble, whole,
};
use super::guest::{Orphans, boot_sector, can_run, eventually};
use super::house::House;
use crate::catalog::jobs::Ending;
use crate::catalog::points::disks_of_point;
use crate::domain::id::{InstanceId, VolumeId};
use crate::domain::instance::InstanceState;
use crate::domain::job::{JobKind, JobState};
use crate::domain::recovery::{PointKind, PointState};
use std::path::Path;

/// Where the guest writes nothing.
const MARK: u64 = 1 << 20;
const KINDS: [JobKind; 6] = [
    JobKind::CreatePoint,
    JobKind::DeletePoint,
    JobKind::Rollback,
    JobKind::TakeSnapshot,
    JobKind::DeleteSnapshot,
    JobKind::CreateTemplate,
];

fn node(house: &House) -> InstanceId {
    house.instance("node").row.id
}

/// The act, asked for by a member.
fn act(house: &House, kind: JobKind) {
    let (control, owner, id) = (&house.control, &house.owner, node(house));
    let begun = match kind {
        JobKind::CreatePoint => control.create_point(owner, id, "made", "", false),
        JobKind::DeletePoint => control.delete_point(owner, point(house, id, "first").id),
        JobKind::Rollback => {
            let to = point(house, id, "first").id;
            control.roll_back(owner, to, &plan(house, to).seal, true, false)
        }
        JobKind::TakeSnapshot => {
            let root = house.instance("node").volumes[0].id;
            let number = house.snapshots().len();
            control.take_snapshot(owner, root, &format!("copy {number}"))
        }
        JobKind::DeleteSnapshot => control.delete_snapshot(owner, house.snapshots()[0].id),
        JobKind::CreateTemplate => {
            let number = house.templates().len();
            let name = format!("made {number}");
            control.create_template(owner, house.snapshots()[0].id, &name, "")
        }
        other => unreachable!("{other:?} is not one of KINDS"),
    };
    house.ended(begun.expect("begun").job);
}

/// What is not told by the kind of its work: all points go, and a volume stands on what one of them kept.
const BRANCH: &str = "branch";
const EXTRACT: &str = "extract";
const TEMPLATE: &str = "template of a point";

/// Deletes the first point and all that descends from it.
fn delete_branch(house: &House) {
    let (control, owner) = (&house.control, &house.owner);
    let first = point(house, node(house), "first").id;
    let plan = control.branch_deletion(owner, first).expect("a plan");
    let begun = control.delete_branch(owner, first, &plan.seal);
    house.ended(begun.expect("begun").job);
}

/// Makes a volume with what the data disk held at the first point.
fn extract(house: &House) {
    let first = point(house, node(house), "first");
    let disk = first.disks[1].volume;
    let begun = house
        .control
        .create_volume_from_point(&house.owner, first.id, disk, "extracted");
    house.ended(begun.expect("begun").job);
}

/// Makes a template of the root disk as it was at the last point.
fn template(house: &House) {
    let (last, name) = (point(house, node(house), "bootable").id, "of a point");
    let begun = house
        .control
        .create_template_from_point(&house.owner, last, name, "");
    house.ended(begun.expect("begun").job);
}

/// Opens the region of a variable and does the act of another, if nothing is under way; dies on the way.
#[test]
#[ignore = "run by the tests of this file, in a process of its own"]
fn child() {
    let (Some(data), Ok(wanted)) = (std::env::var_os(DATA), std::env::var(ACT)) else {
        return;
    };
    let mut house = House::open(Path::new(&data));
    house.leaves_guests = true;
    match KINDS.into_iter().find(|kind| word(*kind) == wanted) {
        Some(kind) => act(&house, kind),
        None if wanted == BRANCH => delete_branch(&house),
        None if wanted == EXTRACT => extract(&house),
        None if wanted == TEMPLATE => template(&house),
        // Only what is under way already.
        None => settle(&house),
    }
}

fn dies(data: &Path, what: &str, place: &str) {
    dies_in(module_path!(), data, what, place);
}

/// How the last job of this kind ended.
fn ended(house: &House, kind: JobKind) -> JobState {
    let rows = house
        .control
        .list_activity(&house.owner, 1)
        .expect("the log")
        .rows;
    let mut jobs = rows.into_iter().filter_map(|row| row.job);
    jobs.find(|job| job.kind == kind)
        .map(|job| job.state)
        .expect("it is in the log")
}

/// An instance that stands, with two points and more written since.
struct Region {
    folder: tempfile::TempDir,
    disks: [VolumeId; 2],
    first: Vec<Vec<u8>>,
    latest: Vec<Vec<u8>>,
}

fn all(house: &House, disks: [VolumeId; 2]) -> Vec<Vec<u8>> {
    disks.iter().map(|disk| whole(house, *disk)).collect()
}

fn region() -> Region {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (id, disks) = machine(&house, "node");
    disks.iter().for_each(|disk| scribble(&house, *disk, 1));
    let first = all(&house, disks);
    new_point(&house, id, "first");
    disks.iter().for_each(|disk| scribble(&house, *disk, 2));
    new_point(&house, id, "second");
    disks.iter().for_each(|disk| scribble(&house, *disk, 3));
    let latest = all(&house, disks);
    drop(house);
    Region {
        folder,
        disks,
        first,
        latest,
    }
}

fn assert_whole(house: &House, region: &Region) {
    assert_tidy(house);
    assert!(house.control.quarantine().expect("an answer").is_empty());
    let id = node(house);
    assert_eq!(house.state(id), (InstanceState::Stopped, None));
    let had = region.disks.into_iter().zip([Some(0), Some(1)]);
    assert_eq!(attached(house, id), had.collect::<Vec<_>>());
    let view = points(house, id);
    let ready = |state| state == PointState::Ready;
    assert!(view.points.iter().all(|row| ready(row.state)));
}

/// The act was done, bit for bit.
fn assert_done(house: &House, kind: JobKind, region: &Region) {
    let id = node(house);
    let view = points(house, id);
    let bytes = all(house, region.disks);
    assert_eq!(ended(house, kind), JobState::Succeeded);
    match kind {
        JobKind::Rollback => {
            assert_eq!(bytes, region.first);
            assert_eq!(view.current, Some(point(house, id, "first").id));
            assert!(view.undo.is_some());
            assert_eq!(view.points.len(), 3);
        }
        JobKind::DeletePoint => {
            assert_eq!(bytes, region.latest);
            assert_eq!(view.points.len(), 1);
            assert_eq!(view.points[0].depth, 0);
        }
        _ => {
            assert_eq!(bytes, region.latest);
            assert_eq!(view.current, Some(point(house, id, "made").id));
            assert_eq!(view.since.map(|bytes| bytes.0), Some(0));
            assert_eq!(view.points.len(), 3);
        }
    }
}

fn stops_everywhere(kind: JobKind) {
    for place in places(kind, tasks::steps(kind)) {
        let region = region();
        let data = region.folder.path();
        dies(data, &word(kind), &place);
        let house = House::open(data);
        settle(&house);
        assert_whole(&house, &region);
        assert_done(&house, kind, &region);
        // And once more: a start that finds nothing to do changes nothing.
        drop(house);
        assert_whole(&House::open(data), &region);
    }
}

#[test]
fn i16_create_point_is_stopped_after_every_step() {
    stops_everywhere(JobKind::CreatePoint);
}

#[test]
fn i16_delete_point_is_stopped_after_every_step() {
    stops_everywhere(JobKind::DeletePoint);
}

#[test]
fn i16_a_branch_is_deleted_whole_wherever_that_is_stopped() {
    let kind = JobKind::DeletePoint;
    for place in places(kind, tasks::steps(kind)) {
        let region = region();
        let data = region.folder.path();
        dies(data, BRANCH, &place);
        let house = House::open(data);
        settle(&house);
        assert_whole(&house, &region);
        assert_eq!(ended(&house, kind), JobState::Succeeded);
        assert_eq!(all(&house, region.disks), region.latest);
        let view = points(&house, node(&house));
        assert_eq!((view.points.len(), view.current), (0, None), "{place}");
    }
}

#[test]
fn i16_a_volume_of_a_point_is_made_whole_wherever_that_is_stopped() {
    let kind = JobKind::CreateVolume;
    for place in places(kind, tasks::steps(kind)) {
        let region = region();
        let data = region.folder.path();
        dies(data, EXTRACT, &place);
        let house = House::open(data);
        settle(&house);
        assert_whole(&house, &region);
        assert_eq!(ended(&house, kind), JobState::Succeeded);
        let made = house.volume("extracted").id;
        assert_eq!(whole(&house, made), region.first[1], "{place}");
        assert_eq!(all(&house, region.disks), region.latest);
    }
}

#[test]
fn i16_a_template_of_a_point_is_made_whole_wherever_that_is_stopped() {
    let kind = JobKind::CreateTemplate;
    for place in places(kind, tasks::steps(kind)) {
        let mut region = region();
        let data = region.folder.path();
        let then = {
            let house = House::open(data);
            house.write(region.disks[0], 0, &boot_sector(false));
            new_point(&house, node(&house), "bootable");
            let then = whole(&house, region.disks[0]);
            scribble(&house, region.disks[0], 4);
            region.latest = all(&house, region.disks);
            then
        };
        dies(data, TEMPLATE, &place);
        let house = House::open(data);
        settle(&house);
        assert_whole(&house, &region);
        assert_eq!(ended(&house, kind), JobState::Succeeded);
        assert_eq!(all(&house, region.disks), region.latest);
        assert!(house.disk_of("of a point") == then, "{place}");
    }
}

#[test]
fn i14_i16_rollback_is_stopped_after_every_step() {
    stops_everywhere(JobKind::Rollback);
}

#[test]
fn i14_i16_undoing_a_rollback_that_failed_is_stopped_after_every_step() {
    let kind = JobKind::Rollback;
    for place in places(kind, tasks::undo_steps(kind, Ending::Failed)) {
        let region = region();
        let data = region.folder.path();
        {
            // The pool has lost one of the two disks of the point.
            let house = House::open(data);
            let first = point(&house, node(&house), "first").id;
            let held = house
                .control
                .catalog()
                .read(|tx| disks_of_point(tx, first))
                .expect("an answer");
            let lost = held[1].checkpoint;
            house
                .pool_of(region.disks[1])
                .delete_checkpoint(lost)
                .expect("gone");
        }
        dies(data, &word(kind), &place);
        let house = House::open(data);
        settle(&house);
        assert_eq!(ended(&house, kind), JobState::Failed);
        assert_eq!(all(&house, region.disks), region.latest, "{place}");
        let id = node(&house);
        let view = points(&house, id);
        assert_eq!(view.current, Some(point(&house, id, "second").id));
        assert!(view.points.iter().all(|row| row.kind == PointKind::Made));
        assert!(view.undo.is_none());
        // With the point that is damaged gone, all is well.
        act(&house, JobKind::DeletePoint);
        assert_whole(&house, &region);
    }
}

#[test]
fn i16_undoing_a_point_that_could_not_be_made_is_stopped_after_every_step() {
    let kind = JobKind::CreatePoint;
    for place in places(kind, tasks::undo_steps(kind, Ending::Failed)) {
        let region = region();
        let data = region.folder.path();
        {
            // The pool does not have one of the disks.
            let house = House::open(data);
            let pool = house.pool_of(region.disks[1]);
            pool.delete_volume(region.disks[1]).expect("gone");
        }
        dies(data, &word(kind), &place);
        let house = House::open(data);
        settle(&house);
        assert_eq!(ended(&house, kind), JobState::Failed);
        let id = node(&house);
        let view = points(&house, id);
        assert_eq!(view.points.len(), 2, "what was not made never was");
        assert_eq!(view.current, Some(point(&house, id, "second").id));
        assert_eq!(whole(&house, region.disks[0]), region.latest[0]);
        let pool = house.pool_of(region.disks[0]);
        assert_eq!(pool.checkpoints().len(), 4);
    }
}

#[test]
fn i13_i14_i16_with_a_guest_that_goes_on_writing() {
    for kind in [JobKind::CreatePoint, JobKind::Rollback] {
        for place in places(kind, tasks::steps(kind)) {
            let folder = tempfile::tempdir().expect("a folder");
            let data = folder.path();
            let _orphans = Orphans::of(data);
            let mut house = House::open(data);
            if !can_run(&house) {
                return;
            }
            let id = house.new_instance("node", house.guest_template("linux", false));
            let root = house.instance("node").volumes[0].id;
            house.write(root, MARK, b"then");
            new_point(&house, id, "first");
            house.write(root, MARK, b"late");
            house.start(id);
            house.goes_on(id);
            house.leaves_guests = true;
            drop(house);
            dies(data, &word(kind), &place);
            let house = House::open(data);
            settle(&house);
            assert_eq!(ended(&house, kind), JobState::Succeeded, "{place}");
            assert_eq!(house.state(id), (InstanceState::Running, None), "{place}");
            house.goes_on(id);
            assert!(!house.serial(id).contains('E'), "a write failed: {place}");
            let view = points(&house, id);
            let begun = house.control.stop_instance(&house.owner, id, true);
            house.succeeded(begun.expect("begun").job);
            let mark = house.read(root, MARK, 4);
            if kind == JobKind::Rollback {
                assert_eq!(mark, b"then", "{place}");
                assert!(view.undo.is_some());
            } else {
                assert_eq!(mark, b"late", "{place}");
                assert_eq!(view.points.len(), 2);
                assert!(point(&house, id, "made").running);
            }
            assert_tidy(&house);
        }
    }
}

/// How often the guest has said that a write was acknowledged.
fn told(house: &House, id: InstanceId) -> usize {
    let text = house.serial(id);
    assert!(!text.contains('E'), "a write failed");
    let (_, since) = text.split_once("up\n").expect("it has booted");
    since.matches('t').count()
}

#[test]
fn i01_i13_i16_one_guest_goes_on_writing_whatever_is_stopped_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let _orphans = Orphans::of(data);
    let mut house = House::open(data);
    if !can_run(&house) {
        return;
    }
    let id = house.new_instance("node", house.guest_template("linux", false));
    let root = house.instance("node").volumes[0].id;
    house.start(id);
    eventually("it has booted", || house.serial(id).contains("up\n"));
    let pid = house.pid(id);
    for kind in [
        JobKind::TakeSnapshot,
        JobKind::CreateTemplate,
        JobKind::DeletePoint,
        JobKind::DeleteSnapshot,
    ] {
        for place in places(kind, tasks::steps(kind)) {
            if kind == JobKind::DeletePoint {
                new_point(&house, id, "first");
            }
            let before = told(&house, id);
            house.leaves_guests = true;
            drop(house);
            dies(data, &word(kind), &place);
            house = House::open(data);
            settle(&house);
            assert_eq!(ended(&house, kind), JobState::Succeeded, "{place}");
            assert_eq!(house.state(id), (InstanceState::Running, None), "{place}");
            assert_eq!(house.pid(id), pid, "{place}");
            house.goes_on(id);
            if kind == JobKind::TakeSnapshot {
                // What the guest had been told is in the copy.
                let copy = house.snapshots()[0].id;
                let archive = house.control.core.archive.get().expect("the archive");
                let mut head = vec![0; 1024];
                archive
                    .read_head(house.organization(), copy, &mut head)
                    .expect("read");
                let count = usize::from(u16::from_le_bytes([head[512], head[513]]));
                assert!(count >= before, "{place}: {count} of {before}");
            }
        }
    }
    let begun = house.control.stop_instance(&house.owner, id, true);
    house.succeeded(begun.expect("begun").job);
    let (count, said) = (house.read(root, 512, 2), told(&house, id));
    let count = usize::from(u16::from_le_bytes([count[0], count[1]]));
    assert!((said..=said + 1).contains(&count), "{count} of {said}");
    assert!(points(&house, id).points.is_empty());
    assert_tidy(&house);
}
