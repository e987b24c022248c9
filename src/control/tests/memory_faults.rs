//! Recovery points with memory when something gives way: the hypervisor, the fence, the server, the room for it.

use super::crash::{DATA, settle};
use super::disks::{assert_tidy, plan, point, points};
use super::guest::{Orphans, can_run, eventually};
use super::house::{House, settings, tuning};
use super::memory::{boots, count_in, count_now, counting, files, ticks, with_memory};
use crate::catalog::points::disks_of_point;
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, PointId};
use crate::domain::instance::InstanceState;
use crate::domain::job::JobState;
use crate::domain::recovery::{PointKind, PointState};
use crate::hypervisor::RunState;
use crate::view::{Act, Outcome, Started};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn kill(house: &House, id: InstanceId) {
    let pid = rustix::process::Pid::from_raw(house.pid(id)).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
}

fn died() -> (InstanceState, Option<Fault>) {
    let name = "node".to_owned();
    (InstanceState::Failed, Some(Fault::InstanceDied { name }))
}

fn force_stop(house: &House, id: InstanceId) {
    let begun = house.control.stop_instance(&house.owner, id, true);
    house.succeeded(begun.expect("begun").job);
}

fn begin(house: &House, id: InstanceId, name: &str) -> Result<Started, Fault> {
    house.control.create_point(&house.owner, id, name, "", true)
}

/// A save has begun: its stream has a file.
fn saves(house: &House) -> bool {
    let is_part = |file: &std::path::PathBuf| file.extension().is_some_and(|kind| kind == "part");
    files(house).iter().any(is_part)
}

fn back(house: &House, to: PointId, safety_memory: bool) {
    let told = plan(house, to);
    assert_eq!(told.refused, None);
    let begun = house
        .control
        .roll_back(&house.owner, to, &told.seal, true, safety_memory);
    house.succeeded(begun.expect("begun").job);
}

/// Starts it for the so many-th time. The firmware says something, too, long before the guest does.
fn start_and_count(house: &House, id: InstanceId, times: usize) {
    house.start(id);
    eventually("it has booted", || boots(house, id) == times);
    house.goes_on(id);
}

/// No point, no file, no checkpoint.
fn assert_never_was(house: &House, id: InstanceId) {
    assert!(points(house, id).points.is_empty());
    assert!(files(house).is_empty(), "{:?}", files(house));
    assert_tidy(house);
}

#[test]
fn i12_i13_a_fence_that_tells_nothing_is_given_up_and_the_guest_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    // Whoever looks after the guests would mend within seconds what the work leaves undone.
    house.control.core.guests.look_away();
    house.control.core.guests.lose_fence(id);
    let begun = begin(&house, id, "never").expect("begun");
    let name = "node".to_owned();
    assert_eq!(house.failed(begun.job), Fault::MemoryNotSaved { name });
    let machine = house.control.core.machine(id).expect("a machine");
    assert_eq!(machine.run_state().expect("an answer"), RunState::Running);
    assert_never_was(&house, id);
    assert_eq!(house.state(id), (InstanceState::Running, None));
    house.goes_on(id);
    assert_eq!(boots(&house, id), 1);

    // The next server has another fence, which the hypervisor finds by itself.
    house.leaves_guests = true;
    drop(house);
    let house = House::open(folder.path());
    let then = with_memory(&house, id, "then");
    assert!(count_in(&house, then) > 30);
    house.goes_on(id);
    force_stop(&house, id);
    assert_tidy(&house);
}

#[test]
fn i12_i13_a_hypervisor_killed_before_during_and_after_the_save() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    let none = Fault::NoMemoryToKeep {
        name: "node".to_owned(),
    };

    kill(&house, id);
    eventually("it is missed", || house.state(id) == died());
    assert_eq!(begin(&house, id, "before"), Err(none.clone()));
    assert_never_was(&house, id);

    start_and_count(&house, id, 2);
    // So that the save waits for its moment.
    house.control.core.guests.lose_fence(id);
    let begun = begin(&house, id, "during").expect("begun");
    eventually("it saves", || saves(&house));
    kill(&house, id);
    assert_eq!(house.failed(begun.job), none);
    eventually("it is missed", || house.state(id) == died());
    assert_never_was(&house, id);

    start_and_count(&house, id, 3);
    let then = with_memory(&house, id, "then");
    let told = count_in(&house, then);
    let (boots_before, ticks_before) = (boots(&house, id), ticks(&house, id));
    kill(&house, id);
    eventually("it is missed", || house.state(id) == died());
    back(&house, then, true);
    assert_eq!(house.state(id), (InstanceState::Running, None));
    house.goes_on(id);
    assert_eq!(boots(&house, id), boots_before, "it goes on from there");
    assert!(count_now(&house, id) >= told && ticks(&house, id) > ticks_before);
    force_stop(&house, id);
    assert_tidy(&house);
}

/// Begins a point with memory whose moment does not come, and is killed.
#[test]
#[ignore = "run by a test of this file, in a process of its own"]
fn child() {
    let Some(data) = std::env::var_os(DATA) else {
        return;
    };
    let mut house = House::open(Path::new(&data));
    house.leaves_guests = true;
    let id = house.instance("node").row.id;
    house.control.core.guests.lose_fence(id);
    house.ended(begin(&house, id, "made").expect("begun").job);
}

#[test]
fn i12_i13_i16_a_server_killed_while_it_saves_leaves_a_guest_that_goes_on_and_a_point_that_is_made()
{
    let folder = tempfile::tempdir().expect("a folder");
    let _orphans = Orphans::of(folder.path());
    let mut house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let id = counting(&house);
    let memories = house.control.core.folders.memory(house.zones[0]);
    house.leaves_guests = true;
    drop(house);
    let (_, module) = module_path!().split_once("::").expect("a path");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("{module}::child"), "--ignored"])
        .env(DATA, folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("a process");
    let part = || {
        let entries = std::fs::read_dir(&memories).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|kind| kind == "part"))
    };
    // The moment has passed, and the memory is on its way.
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    eventually("it saves", || part().is_some_and(|path| bytes(&path) > 0));
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(part().is_some(), "it had no time to clear up");
    // As another process may leave it: what no work needs.
    std::fs::write(memories.join(format!("{}.raw", PointId::new())), b"old").expect("written");

    let house = House::open(folder.path());
    settle(&house);
    let row = point(&house, id, "made");
    assert_eq!(row.state, PointState::Ready);
    assert!(row.memory.is_some());
    let kinds: Vec<_> = files(&house)
        .iter()
        .filter_map(|file| file.extension().map(|kind| kind.to_owned()))
        .collect();
    assert_eq!(kinds, ["mem"]);
    assert_eq!(house.state(id), (InstanceState::Running, None));
    house.goes_on(id);
    assert_eq!(boots(&house, id), 1);
    let told = count_in(&house, row.id);
    back(&house, row.id, false);
    house.goes_on(id);
    assert!(count_now(&house, id) >= told);
    assert_eq!(boots(&house, id), 1);
    force_stop(&house, id);
    assert_tidy(&house);
}

#[test]
fn i06_where_there_is_no_room_for_a_memory_that_is_said_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut small = settings(folder.path());
    for zone in &mut small.zones {
        zone.limit = Some(64 << 20);
    }
    let house = House::open_with(small, tuning());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    let told = house.control.point_plan(&house.owner, id).expect("a plan");
    assert_eq!(told.memory, None);
    assert!(matches!(told.no_memory, Some(Fault::PoolFull { .. })));
    let begun = begin(&house, id, "never");
    assert!(matches!(begun, Err(Fault::PoolFull { .. })), "{begun:?}");
    assert_never_was(&house, id);
    house.goes_on(id);
}

#[test]
fn i14_a_rollback_that_fails_has_the_guest_go_on_from_the_memory_it_had() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    let then = with_memory(&house, id, "then");
    house.goes_on(id);
    let told = plan(&house, then);
    // The pool has lost what it is to go back to, which shows only when the guest has been stopped.
    let disks = house
        .control
        .catalog()
        .read(|tx| disks_of_point(tx, then))
        .expect("an answer");
    house
        .pool_of(disks[0].volume)
        .delete_checkpoint(disks[0].checkpoint)
        .expect("gone");
    let (pid, before) = (house.pid(id), count_now(&house, id));
    let begun = house
        .control
        .roll_back(&house.owner, then, &told.seal, true, true);
    let fault = house.failed(begun.expect("begun").job);
    assert!(matches!(fault, Fault::Internal { .. }), "{fault:?}");
    assert_ne!(house.pid(id), pid, "it was stopped");
    assert_eq!(house.state(id), (InstanceState::Running, None));
    house.goes_on(id);
    assert_eq!(boots(&house, id), 1, "and goes on as if it had not been");
    assert!(count_now(&house, id) >= before);
    let view = points(&house, id);
    assert!(view.points.iter().all(|row| row.kind == PointKind::Made));
    assert_eq!(files(&house).len(), 1, "the safety point's has gone");
    force_stop(&house, id);
}

#[test]
fn i12_what_keeps_a_guest_from_going_on_is_said_and_a_clock_that_was_not_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    let then = with_memory(&house, id, "then");
    let write = |sql: &str| {
        let written = house.control.catalog().write(|tx| {
            tx.execute(sql, []).expect("written");
            Ok::<_, crate::catalog::Error>(())
        });
        written.expect("written");
    };
    for what in ["cpu", "machine"] {
        let was = house.control.catalog().points_of(id).expect("an answer");
        let was = match what {
            "cpu" => was[0].hardware.cpu.clone(),
            _ => was[0].hardware.machine.clone(),
        };
        let set = |name: &str| {
            write(&format!(
                "UPDATE points SET hardware = json_set(hardware, '$.{what}', '{name}')"
            ));
        };
        set("another");
        let Some(Fault::MemoryElsewhere { then: told, now }) = plan(&house, then).refused else {
            panic!("it goes on with another {what}");
        };
        assert_eq!((told.as_str(), now.as_str()), ("another", was.as_str()));
        assert!(point(&house, id, "then").refused.is_some());
        // Unless it is what the instance was started with.
        write(&format!("UPDATE instances SET {what} = 'another'"));
        assert_eq!(plan(&house, then).refused, None);
        write(&format!("UPDATE instances SET {what} = '{was}'"));
        set(&was);
    }
    back(&house, then, true);
    // The guest has no agent.
    let log = house.control.list_activity(&house.owner, 1).expect("a log");
    let clock = log.rows.iter().find(|row| row.act == Act::SetClock);
    let clock = clock.expect("it is in the log");
    assert_eq!(clock.outcome, Outcome::Failed(Fault::ClockNotSet));
    assert_eq!(
        (clock.who.as_deref(), clock.subject.as_str()),
        (None, "node")
    );
}

#[test]
fn i04_an_instance_that_is_deleted_takes_the_memory_in_its_points_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    with_memory(&house, id, "then");
    let kept = point(&house, id, "then").memory.expect("it is kept");
    force_stop(&house, id);
    let told = house.control.instance_deletion(&house.owner, id);
    let told = told.expect("a plan");
    assert!(told.frees_keeping >= kept && told.frees_all >= told.frees_keeping);
    let begun = house.control.delete_instance(&house.owner, id, true);
    assert_eq!(
        house.ended(begun.expect("begun").job).state,
        JobState::Succeeded
    );
    assert!(files(&house).is_empty(), "{:?}", files(&house));
    assert_tidy(&house);
}

#[test]
fn i06_the_memories_that_are_kept_count_against_what_the_zone_may_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut small = settings(folder.path());
    for zone in &mut small.zones {
        zone.limit = Some(2 << 30);
    }
    let house = House::open_with(small, tuning());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    let room = || {
        let plan = house.control.point_plan(&house.owner, id).expect("a plan");
        (plan.memory, plan.no_memory)
    };
    let needed = room().0.expect("there is room").expected.0;
    with_memory(&house, id, "then");
    // What others keep.
    let memories = files(&house).remove(0).with_file_name("others.mem");
    let others = std::fs::File::create(&memories).expect("a file");
    others.set_len((2 << 30) - needed).expect("of a length");
    let Some(Fault::PoolFull { free, .. }) = room().1 else {
        panic!("it is refused: {:?}", room());
    };
    assert!(free.0 < needed);
    let begun = begin(&house, id, "never");
    assert!(matches!(begun, Err(Fault::PoolFull { .. })), "{begun:?}");
    others.set_len(0).expect("of a length");
    assert!(room().0.is_some());
    house.goes_on(id);
}

/// A file system of its own, unmounted when the test ends, however it ends.
struct Small(PathBuf);

impl Small {
    /// Of a kind in which no room can be set aside. None where nothing can be mounted.
    fn on(folder: &Path, image: &Path, kib: usize) -> Option<Self> {
        let run = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            let status = command.args(arguments).stdout(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        let (image, place) = (image.to_str()?, folder.to_str()?);
        std::fs::create_dir_all(folder).expect("a folder");
        let made = run(
            "mke2fs",
            &["-q", "-t", "ext2", "-m", "0", image, &kib.to_string()],
        ) && run("mount", &["-o", "loop", image, place]);
        made.then(|| {
            std::fs::remove_dir(folder.join("lost+found")).expect("removed");
            Self(folder.to_owned())
        })
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn i06_i13_a_disk_that_fills_up_in_the_middle_of_a_save_is_said_and_the_guest_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    house.control.core.guests.look_away();
    let memories = house.control.core.folders.memory(house.zones[0]);
    let Some(small) = Small::on(&memories, &folder.path().join("small.img"), 300) else {
        eprintln!("SKIPPED: nothing can be mounted here: no disk filled up during a save");
        return;
    };
    for name in ["never", "nor then"] {
        let begun = begin(&house, id, name).expect("begun");
        let fault = house.failed(begun.job);
        assert!(matches!(fault, Fault::PoolFull { .. }), "{fault:?}");
        assert_never_was(&house, id);
        assert_eq!(house.state(id), (InstanceState::Running, None));
        house.goes_on(id);
    }
    drop(small);
    let then = with_memory(&house, id, "then");
    house.goes_on(id);
    assert!(count_now(&house, id) >= count_in(&house, then));
    assert_eq!(boots(&house, id), 1);
    force_stop(&house, id);
    assert_tidy(&house);
}

#[test]
fn i13_a_save_waits_for_who_is_about_to_have_the_guest_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = counting(&house);
    // Who looks after the guests would wait for this test; and a save that has the guest stand would be harmed most.
    house.control.core.guests.look_away();
    house.control.core.guests.keep_standing();
    let (tending, asked) = house.control.core.guests.tending();
    let before = asked.load(std::sync::atomic::Ordering::SeqCst);
    let begun = begin(&house, id, "then").expect("begun");
    eventually("the work asks", || {
        asked.load(std::sync::atomic::Ordering::SeqCst) > before
    });
    let machine = house.control.core.machine(id).expect("a machine");
    for _ in 0..20 {
        assert!(!saves(&house), "it has not begun");
        assert_eq!(machine.run_state().expect("an answer"), RunState::Running);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(tending);
    house.succeeded(begun.job);
    house.goes_on(id);
    force_stop(&house, id);
}
