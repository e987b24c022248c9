//! Recovery points with memory: a real QEMU whose guest counts in its memory and writes the count to its disk.

use super::super::tasks;
use super::crash::{ACT, DATA, dies_in, places, settle, word};
use super::disks::{assert_tidy, plan, point, points};
use super::guest::{Orphans, can_run, eventually};
use super::house::House;
use crate::catalog::points::disks_of_point;
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, PointId};
use crate::domain::instance::InstanceState;
use crate::domain::job::{JobKind, JobState};
use crate::domain::recovery::{Consistency, MemoryWay, PointKind, PointState};
use crate::engine::block::BlockDevice;
use std::path::{Path, PathBuf};

fn node(house: &House) -> InstanceId {
    house.instance("node").row.id
}

/// A guest that has counted a while.
pub(super) fn counting(house: &House) -> InstanceId {
    let template = house.guest_template("counter", false);
    let id = house.new_instance("node", template);
    house.start(id);
    eventually("it has counted", || ticks(house, id) > 30);
    id
}

/// How often it has said that it counted, since it was made.
pub(super) fn ticks(house: &House, id: InstanceId) -> usize {
    let text = house.serial(id);
    assert!(!text.contains('E'), "a write failed");
    text.matches('t').count()
}

pub(super) fn boots(house: &House, id: InstanceId) -> usize {
    house.serial(id).matches("up\n").count()
}

/// The count on the disk, as the point holds it.
pub(super) fn count_in(house: &House, point: PointId) -> u16 {
    let catalog = house.control.catalog();
    let disks = catalog
        .read(|tx| disks_of_point(tx, point))
        .expect("an answer");
    let device = house
        .pool_of(disks[0].volume)
        .open_checkpoint(disks[0].checkpoint)
        .expect("there");
    let mut bytes = [0; 2];
    device.read_at(512, &mut bytes).expect("read");
    u16::from_le_bytes(bytes)
}

pub(super) fn with_memory(house: &House, id: InstanceId, name: &str) -> PointId {
    let begun = house.control.create_point(&house.owner, id, name, "", true);
    house.succeeded(begun.expect("begun").job);
    point(house, id, name).id
}

/// The count of this moment.
pub(super) fn count_now(house: &House, id: InstanceId) -> u16 {
    let begun = house
        .control
        .create_point(&house.owner, id, "now", "", false);
    house.succeeded(begun.expect("begun").job);
    let now = point(house, id, "now").id;
    let count = count_in(house, now);
    let begun = house.control.delete_point(&house.owner, now);
    house.succeeded(begun.expect("begun").job);
    count
}

fn roll_back(house: &House, to: PointId, safety_memory: bool) {
    let told = plan(house, to);
    assert_eq!(told.refused, None);
    let begun = house
        .control
        .roll_back(&house.owner, to, &told.seal, true, safety_memory);
    house.succeeded(begun.expect("begun").job);
}

/// What the memories of a region take: the files by their kind.
pub(super) fn files(house: &House) -> Vec<PathBuf> {
    let zones = &house.control.core.zones.0;
    let folders = zones
        .iter()
        .filter_map(|zone| std::fs::read_dir(house.control.core.folders.memory(zone.id)).ok());
    folders
        .flat_map(|folder| folder.flatten().map(|entry| entry.path()))
        .collect()
}

#[test]
fn i12_i14_a_guest_goes_on_from_the_instant_of_a_point_and_so_it_does_when_that_is_undone() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    let offered = house.control.point_plan(&house.owner, id).expect("a plan");
    assert!(offered.memory.is_some() && offered.no_memory.is_none());
    let then = with_memory(&house, id, "then");
    let row = point(&house, id, "then");
    assert_eq!(row.consistency, Some(Consistency::Memory));
    assert!(row.stood_still.is_some(), "it was measured");
    let stored = row.memory.expect("it is counted");
    assert_eq!(files(&house).len(), 1, "{:?}", files(&house));
    assert_eq!(
        std::fs::metadata(&files(&house)[0]).expect("it").len(),
        stored.0
    );
    assert!(row.frees.is_some_and(|frees| frees >= stored));
    let told = count_in(&house, then);
    house.goes_on(id);

    // Long after.
    let much = ticks(&house, id) + 60;
    eventually("it counts on", || ticks(&house, id) > much);
    assert!(plan(&house, then).memory);
    let (boots_before, ticks_before) = (boots(&house, id), ticks(&house, id));
    roll_back(&house, then, true);
    assert_eq!(house.state(id), (InstanceState::Running, None));
    house.goes_on(id);
    let (back, since) = (count_now(&house, id), ticks(&house, id) - ticks_before);
    assert_eq!(boots(&house, id), boots_before, "it did not boot");
    // Each tick is one count: what it told since is what it went on by, but for what was under way at either end.
    let by = usize::from(back) - usize::from(told);
    assert!(by.abs_diff(since) <= 3, "{told} + {since} is {back}");

    // The present was kept with its memory: the way back is one, too.
    let (undo, _) = points(&house, id).undo.expect("it can be undone");
    let safety = points(&house, id);
    let safety = safety.points.iter().find(|row| row.id == undo).expect("it");
    assert_eq!(safety.kind, PointKind::Safety);
    assert!(safety.memory);
    let late = count_in(&house, undo);
    assert!(late > told + 40, "{late} is long after {told}");
    let ticks_before = ticks(&house, id);
    roll_back(&house, undo, false);
    house.goes_on(id);
    let (again, since) = (count_now(&house, id), ticks(&house, id) - ticks_before);
    assert_eq!(boots(&house, id), boots_before, "nor now");
    let by = usize::from(again) - usize::from(late);
    assert!(by.abs_diff(since) <= 3, "{late} + {since} is {again}");

    // A stopped instance goes on from it, too, and then it runs.
    let begun = house.control.stop_instance(&house.owner, id, true);
    house.succeeded(begun.expect("begun").job);
    let told_plan = plan(&house, then);
    assert!(!told_plan.running_now && told_plan.running_after);
    assert_eq!(told_plan.safety_memory, None);
    roll_back(&house, then, true);
    assert_eq!(house.state(id), (InstanceState::Running, None));
    house.goes_on(id);
    assert_eq!(boots(&house, id), boots_before, "nor then");

    // Deleted, it takes nothing any more.
    let begun = house.control.delete_point(&house.owner, then);
    house.succeeded(begun.expect("begun").job);
    assert!(files(&house).is_empty(), "{:?}", files(&house));
    let begun = house.control.stop_instance(&house.owner, id, true);
    house.succeeded(begun.expect("begun").job);
    let refused = house.control.create_point(&house.owner, id, "", "", true);
    assert!(
        matches!(refused, Err(Fault::NoMemoryToKeep { .. })),
        "{refused:?}"
    );
    let offered = house.control.point_plan(&house.owner, id).expect("a plan");
    assert!(matches!(
        offered.no_memory,
        Some(Fault::NoMemoryToKeep { .. })
    ));
    assert_tidy(&house);
}

#[test]
fn i12_where_it_cannot_run_on_the_guest_stands_meanwhile_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    house.control.core.guests.keep_standing();
    let offered = house.control.point_plan(&house.owner, id).expect("a plan");
    assert_eq!(
        offered.memory.map(|plan| plan.way),
        Some(MemoryWay::Standing)
    );
    let then = with_memory(&house, id, "then");
    let told = count_in(&house, then);
    house.goes_on(id);
    let (before, ticks_before) = (boots(&house, id), ticks(&house, id));
    roll_back(&house, then, false);
    house.goes_on(id);
    let (back, since) = (count_now(&house, id), ticks(&house, id) - ticks_before);
    assert_eq!(boots(&house, id), before);
    let by = usize::from(back) - usize::from(told);
    assert!(by.abs_diff(since) <= 3, "{told} + {since} is {back}");
}

#[test]
fn i12_a_memory_that_cannot_be_gone_on_from_is_refused_before_anything_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    let then = with_memory(&house, id, "then");
    let pid = house.pid(id);
    let write = |sql: &str| {
        let written = house.control.catalog().write(|tx| {
            tx.execute(sql, []).expect("written");
            Ok::<_, crate::catalog::Error>(())
        });
        written.expect("written");
    };

    // Another QEMU than the one that is here.
    let version = house
        .control
        .core
        .hypervisor()
        .expect("one")
        .capabilities()
        .version
        .clone();
    write(&format!(
        "UPDATE points SET hardware = replace(hardware, '\"{version}\"', '\"6.0.0\"')"
    ));
    let told = plan(&house, then);
    assert!(
        matches!(told.refused, Some(Fault::MemoryElsewhere { .. })),
        "{told:?}"
    );
    let row = point(&house, id, "then");
    assert!(
        matches!(row.refused, Some(Fault::MemoryElsewhere { .. })),
        "{row:?}"
    );
    let begun = house
        .control
        .roll_back(&house.owner, then, &told.seal, true, false);
    assert!(
        matches!(begun, Err(Fault::MemoryElsewhere { .. })),
        "{begun:?}"
    );
    disks_make_volumes(&house, then, "of another memory");
    write(&format!(
        "UPDATE points SET hardware = replace(hardware, '\"6.0.0\"', '\"{version}\"')"
    ));
    assert_eq!(plan(&house, then).refused, None);
    // Another way to compute.
    write("UPDATE points SET accelerator = CASE accelerator WHEN 'tcg' THEN 'kvm' ELSE 'tcg' END");
    assert!(matches!(
        plan(&house, then).refused,
        Some(Fault::MemoryElsewhere { .. })
    ));
    write("UPDATE points SET accelerator = CASE accelerator WHEN 'tcg' THEN 'kvm' ELSE 'tcg' END");

    // Damaged near its end: found before the guest is so much as paused.
    let file = files(&house).remove(0);
    let whole = std::fs::read(&file).expect("it");
    let mut damaged = whole.clone();
    let at = damaged.len() - 50;
    damaged[at] ^= 1;
    std::fs::write(&file, &damaged).expect("damaged");
    let told = plan(&house, then);
    assert_eq!(told.refused, None, "only reading all of it shows that");
    let begun = house
        .control
        .roll_back(&house.owner, then, &told.seal, true, false);
    let fault = house.failed(begun.expect("begun").job);
    assert!(matches!(fault, Fault::MemoryDamaged { .. }), "{fault:?}");
    assert_eq!(house.pid(id), pid, "the guest was left alone");
    house.goes_on(id);
    // Gone altogether.
    std::fs::remove_file(&file).expect("removed");
    assert!(matches!(
        plan(&house, then).refused,
        Some(Fault::MemoryDamaged { .. })
    ));
    assert_eq!(house.state(id), (InstanceState::Running, None));
    disks_make_volumes(&house, then, "without its memory");
    assert_tidy(&house);
}

/// As the refusals say: the point's disks are of use still.
fn disks_make_volumes(house: &House, point: PointId, name: &str) {
    let disks = house
        .control
        .core
        .look(|tx| Ok(disks_of_point(tx, point)?))
        .expect("disks");
    let (control, owner) = (&house.control, &house.owner);
    let begun = control.create_volume_from_point(owner, point, disks[0].volume, name);
    house.succeeded(begun.expect("begun").job);
    assert_eq!(house.volume(name).size, disks[0].size);
}

#[test]
fn i13_a_point_that_is_interrupted_or_cannot_be_kept_leaves_the_guest_running_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    let pid = house.pid(id);
    let (control, owner) = (&house.control, &house.owner);

    // A folder that no file can be written into, as on a full disk: a file stands in its place.
    let zone = house.instance("node").row.zone.clone();
    let zone = control.core.zones.0.iter().find(|found| found.name == zone);
    let place = control.core.folders.memory(zone.expect("the zone").id);
    std::fs::write(&place, b"").expect("a file");
    let begun = control
        .create_point(owner, id, "never", "", true)
        .expect("begun");
    house.failed(begun.job);
    assert!(points(&house, id).points.is_empty());
    house.goes_on(id);
    std::fs::remove_file(&place).expect("removed");

    // A second one at the same time is refused with a sentence; the first one is interrupted, at whatever it is.
    let begun = control
        .create_point(owner, id, "first", "", true)
        .expect("begun");
    let second = control.create_point(owner, id, "second", "", true);
    assert!(matches!(second, Err(Fault::InUse { .. })), "{second:?}");
    let asked = control.interrupt_job(owner, begun.job);
    let job = house.ended(begun.job);
    match job.state {
        JobState::Interrupted => {
            assert!(asked.is_ok());
            assert!(points(&house, id).points.is_empty());
            assert!(files(&house).is_empty(), "{:?}", files(&house));
        }
        // It was quicker.
        JobState::Succeeded => assert_eq!(files(&house).len(), 1),
        other => panic!("{other:?}: {job:?}"),
    }
    house.goes_on(id);
    assert_eq!(house.pid(id), pid);
    assert_eq!(house.state(id), (InstanceState::Running, None));
    assert_tidy(&house);
}

/// Opens the region of a variable and makes a point with memory, if nothing is under way; dies on the way.
#[test]
#[ignore = "run by the tests of this file, in a process of its own"]
fn child() {
    let (Some(data), Ok(wanted)) = (std::env::var_os(DATA), std::env::var(ACT)) else {
        return;
    };
    let mut house = House::open(Path::new(&data));
    house.leaves_guests = true;
    let id = node(&house);
    if wanted == word(JobKind::CreatePoint) {
        let begun = house
            .control
            .create_point(&house.owner, id, "made", "", true);
        house.ended(begun.expect("begun").job);
    } else if wanted == word(JobKind::Rollback) {
        let to = point(&house, id, "made").id;
        let seal = plan(&house, to).seal;
        let begun = house.control.roll_back(&house.owner, to, &seal, true, true);
        house.ended(begun.expect("begun").job);
    } else {
        settle(&house);
    }
}

#[test]
fn i12_i13_i16_whatever_step_a_process_dies_at_the_point_is_whole_or_was_never_and_the_guest_runs()
{
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let _orphans = Orphans::of(data);
    let mut house = House::open(data);
    if !can_run(&house) {
        return;
    }
    let id = counting(&house);
    for kind in [JobKind::CreatePoint, JobKind::Rollback] {
        for place in places(kind, tasks::steps(kind)) {
            if kind == JobKind::CreatePoint
                && let Some(made) = points(&house, id)
                    .points
                    .iter()
                    .find(|row| row.name == "made")
            {
                let begun = house.control.delete_point(&house.owner, made.id);
                house.succeeded(begun.expect("begun").job);
            }
            let before = boots(&house, id);
            house.leaves_guests = true;
            drop(house);
            dies_in(module_path!(), data, &word(kind), &place);
            house = House::open(data);
            settle(&house);
            let row = point(&house, id, "made");
            assert_eq!(row.state, PointState::Ready, "{place}");
            assert!(row.memory.is_some(), "{place}");
            assert_eq!(house.state(id), (InstanceState::Running, None), "{place}");
            house.goes_on(id);
            assert_eq!(boots(&house, id), before, "{kind:?} {place}: it boots");
            let raw = files(&house)
                .into_iter()
                .filter(|file| file.extension().is_none_or(|kind| kind != "mem"));
            assert_eq!(raw.count(), 0, "{place}: {:?}", files(&house));
            assert!(house.control.quarantine().expect("an answer").is_empty());
        }
    }
    // What the last one kept is good to go on from.
    let made = point(&house, id, "made").id;
    let (told, before) = (count_in(&house, made), boots(&house, id));
    roll_back(&house, made, false);
    house.goes_on(id);
    assert!(count_now(&house, id) >= told);
    assert_eq!(boots(&house, id), before);
    assert_tidy(&house);
}
