//! Recovery points of an instance that runs, with a real QEMU. The guest agent is a scripted peer in the place of its
//! socket: no agent fails on demand.

use super::disks::{assert_tidy, attach, new_point, plan, point, points, roll_back, volume};
use super::guest::{Orphans, can_run, eventually};
use super::house::House;
use crate::catalog::Catalog;
use crate::catalog::points::disks_of_point;
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, VolumeId};
use crate::domain::instance::InstanceState;
use crate::domain::job::JobState;
use crate::domain::recovery::{Consistency, PointKind, PointState};
use crate::domain::volume::VolumeKind;
use crate::hypervisor::RunState;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// In the environment of the process that is killed: the region it opens.
const DATA: &str = "REPRISE_TEST_FREEZE_DATA";

/// Where the guest writes nothing.
const MARK: u64 = 1 << 20;

/// A running guest whose disk bears a mark.
fn running(house: &House, name: &str, mark: &[u8; 4]) -> (InstanceId, VolumeId) {
    let template = house.guest_template(&format!("template of {name}"), false);
    let id = house.new_instance(name, template);
    let root = house.instance(name).volumes[0].id;
    house.write(root, MARK, mark);
    house.start(id);
    house.goes_on(id);
    (id, root)
}

/// The mark, read where the point holds it: the guest has the disk.
fn mark_now(house: &House, id: InstanceId, root: VolumeId, name: &str) -> Vec<u8> {
    let point = new_point(house, id, name);
    let catalog = house.control.catalog();
    let disks = catalog
        .read(|tx| disks_of_point(tx, point))
        .expect("an answer");
    let disk = disks.iter().find(|disk| disk.volume == root).expect("held");
    let device = house
        .pool_of(root)
        .open_checkpoint(disk.checkpoint)
        .expect("there");
    let mut bytes = vec![0; 4];
    crate::engine::block::BlockDevice::read_at(&*device, MARK, &mut bytes).expect("read");
    bytes
}

fn force_stop(house: &House, id: InstanceId) {
    let begun = house
        .control
        .stop_instance(&house.owner, id, true)
        .expect("begun");
    house.succeeded(begun.job);
}

#[test]
fn i12_i14_a_running_instance_is_brought_back_and_runs_and_so_is_the_way_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let (id, root) = running(&house, "node", b"then");
    let told = house.control.point_plan(&house.owner, id).expect("a plan");
    assert_eq!(told.consistency, Consistency::PowerCut, "it has no agent");
    let then = new_point(&house, id, "then");
    let row = point(&house, id, "then");
    assert_eq!(row.consistency, Some(Consistency::PowerCut));
    assert!(row.running && row.stood_still.is_some());
    assert!(!row.hardware.machine.is_empty());
    house.goes_on(id);

    force_stop(&house, id);
    house.write(root, MARK, b"late");
    house.start(id);
    house.goes_on(id);
    let told = plan(&house, then);
    assert!(told.running_now && told.running_after && !told.hardware_changes);
    let boots = |house: &House| house.serial(id).matches("up\n").count();
    let before = boots(&house);
    house.succeeded(roll_back(&house, then, true));
    assert_eq!(house.state(id), (InstanceState::Running, None));
    eventually("it boots", || boots(&house) == before + 1);
    house.goes_on(id);
    assert_eq!(mark_now(&house, id, root, "after"), b"then");

    let (undo, _) = points(&house, id).undo.expect("it can be undone");
    house.succeeded(roll_back(&house, undo, true));
    assert_eq!(house.state(id), (InstanceState::Running, None));
    house.goes_on(id);
    assert_eq!(mark_now(&house, id, root, "undone"), b"late");
    assert!(!house.serial(id).contains('E'), "its disk takes its writes");
    force_stop(&house, id);
    assert_tidy(&house);
}

#[test]
fn i13_i14_a_rollback_that_fails_leaves_the_guest_running_on_its_disks() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let (id, root) = running(&house, "node", b"then");
    let then = new_point(&house, id, "then");
    force_stop(&house, id);
    house.write(root, MARK, b"late");
    house.start(id);
    house.goes_on(id);
    let told = plan(&house, then);
    // The pool has lost what it is to go back to.
    let catalog = house.control.catalog();
    let disks = catalog
        .read(|tx| disks_of_point(tx, then))
        .expect("an answer");
    house
        .pool_of(root)
        .delete_checkpoint(disks[0].checkpoint)
        .expect("gone");
    let begun = house
        .control
        .roll_back(&house.owner, then, &told.seal, true, false)
        .expect("begun");
    assert!(matches!(house.failed(begun.job), Fault::Internal { .. }));
    assert_eq!(house.state(id), (InstanceState::Running, None));
    house.goes_on(id);
    assert_eq!(mark_now(&house, id, root, "after"), b"late");
    let view = points(&house, id);
    assert!(view.points.iter().all(|row| row.kind == PointKind::Made));
    force_stop(&house, id);
}

/// What a scripted agent does when it is asked to freeze.
#[derive(Clone, Copy, PartialEq)]
enum Freezes {
    Well,
    Never,
    Refuses,
    /// And its first thaw fails.
    ThawsLate,
}

/// What an agent was told, in order.
type Told = Arc<Mutex<Vec<String>>>;
/// A process that an agent kills when it is to thaw, and does not thaw then.
type Victim = Arc<Mutex<Option<Child>>>;

/// A guest agent in the place of the one that the guest does not have.
fn agent(house: &House, id: InstanceId, how: Freezes, victim: &Victim) -> Told {
    let path = house.control.core.folders.instance(id).join("agent.sock");
    std::fs::remove_file(&path).expect("QEMU's socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    let told = Arc::new(Mutex::new(Vec::new()));
    let (kept, victim) = (Arc::clone(&told), Arc::clone(victim));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let (told, victim) = (Arc::clone(&kept), Arc::clone(&victim));
            std::thread::spawn(move || answer(&stream, how, &told, &victim));
        }
    });
    told
}

fn answer(
    stream: &UnixStream,
    how: Freezes,
    told: &Mutex<Vec<String>>,
    victim: &Mutex<Option<Child>>,
) {
    let mut lines = BufReader::new(stream);
    let mut output = stream;
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.by_ref().read_until(b'\n', &mut line) {
            Ok(1..) => {}
            _ => return,
        }
        let text: Vec<u8> = line.iter().copied().filter(|byte| *byte != 0xff).collect();
        let Ok(command) = serde_json::from_slice::<serde_json::Value>(&text) else {
            continue;
        };
        let name = command["execute"].as_str().unwrap_or_default().to_owned();
        if name == "guest-sync-delimited" {
            let id = &command["arguments"]["id"];
            let _ = output.write_all(&[0xff]);
            let _ = writeln!(output, "{{\"return\": {id}}}");
            continue;
        }
        let count = {
            let mut told = told.lock().expect("told");
            told.push(name.clone());
            told.iter().filter(|other| **other == name).count()
        };
        if name == "guest-fsfreeze-thaw" {
            let mut victim = victim.lock().expect("a victim");
            if let Some(child) = victim.as_mut() {
                child.kill().expect("killed");
                child.wait().expect("ended");
                *victim = None;
                return;
            }
        }
        let refused = r#"{"error": {"class": "GenericError", "desc": "no"}}"#;
        let reply = match name.as_str() {
            "guest-fsfreeze-freeze" if how == Freezes::Never => continue,
            "guest-fsfreeze-freeze" if how == Freezes::Refuses => refused,
            "guest-fsfreeze-freeze" => r#"{"return": 2}"#,
            "guest-fsfreeze-thaw" if how == Freezes::ThawsLate && count == 1 => refused,
            "guest-fsfreeze-thaw" => r#"{"return": 2}"#,
            "guest-fsfreeze-status" => r#"{"return": "frozen"}"#,
            _ => r#"{"return": {}}"#,
        };
        let _ = writeln!(output, "{reply}");
    }
}

#[test]
fn i13_a_guest_is_thawed_whatever_its_agent_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let (id, _) = running(&house, "node", b"mark");
    let catalog = house.control.catalog();
    for (how, expected) in [
        (Freezes::Well, Consistency::Frozen),
        (Freezes::Never, Consistency::PowerCut),
        (Freezes::Refuses, Consistency::PowerCut),
        (Freezes::ThawsLate, Consistency::Frozen),
    ] {
        let told = agent(&house, id, how, &Victim::default());
        let plan = house.control.point_plan(&house.owner, id).expect("a plan");
        assert_eq!(plan.consistency, Consistency::Frozen);
        let begun = house
            .control
            .create_point(&house.owner, id, "frozen", "", false)
            .expect("begun");
        assert_eq!(house.ended(begun.job).state, JobState::Succeeded);
        let row = house.control.point(&house.owner, id, None);
        let row = row.expect("the new one");
        assert_eq!(row.consistency, Some(expected));
        assert!(row.stood_still.is_some());
        let told = told.lock().expect("told").clone();
        let at = |name: &str| told.iter().rposition(|other| other == name);
        let (froze, thawed) = (at("guest-fsfreeze-freeze"), at("guest-fsfreeze-thaw"));
        assert!(froze.is_some() && froze < thawed, "{told:?}");
        let instance = catalog.instance(id).expect("an answer").expect("there");
        assert!(!instance.frozen);
        house.goes_on(id);
    }
    force_stop(&house, id);
}

/// Makes a point, and is killed before its guest is thawed.
#[test]
#[ignore = "run by a test of this file, in a process of its own"]
fn child() {
    let Some(data) = std::env::var_os(DATA) else {
        return;
    };
    let mut house = House::open(Path::new(&data));
    house.leaves_guests = true;
    let id = house.instance("node").row.id;
    let begun = house
        .control
        .create_point(&house.owner, id, "frozen", "", false);
    house.ended(begun.expect("begun").job);
}

fn is_frozen(house: &House, id: InstanceId) -> bool {
    let found = house.control.catalog().instance(id).expect("an answer");
    found.expect("there").frozen
}

#[test]
fn i13_i16_a_guest_that_a_killed_server_left_frozen_is_thawed_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let _orphans = Orphans::of(folder.path());
    let mut house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let (id, _) = running(&house, "node", b"mark");
    let victim = Victim::default();
    let told = agent(&house, id, Freezes::Well, &victim);
    house.leaves_guests = true;
    drop(house);
    let (_, module) = module_path!().split_once("::").expect("a path");
    {
        let mut victim = victim.lock().expect("a victim");
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", &format!("{module}::child"), "--ignored"])
            .env(DATA, folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        *victim = Some(child.expect("a process"));
    }
    eventually("it is killed between freeze and thaw", || {
        victim.lock().expect("a victim").is_none()
    });
    let thawed = || {
        let mut told = told.lock().expect("told");
        let thawed = told.iter().any(|name| name == "guest-fsfreeze-thaw");
        told.clear();
        thawed
    };
    assert!(thawed(), "it was asked, and did not");
    {
        let catalog = Catalog::open(&folder.path().join("catalog.db")).expect("the catalog");
        let instance = catalog.instance(id).expect("an answer").expect("there");
        assert!(instance.frozen, "that was written down before");
        assert_eq!(catalog.live_jobs().expect("an answer").len(), 1);
    }

    // The work that froze it is taken up again, and thaws it; nobody else needs to.
    let mut house = House::open(folder.path());
    house.control.core.guests.look_away();
    let catalog = house.control.catalog();
    eventually("the work ends", || {
        catalog.live_jobs().expect("an answer").is_empty()
    });
    assert!(thawed());
    assert!(!is_frozen(&house, id));
    let row = point(&house, id, "frozen");
    assert_eq!(
        (row.state, row.consistency),
        (PointState::Ready, Some(Consistency::Frozen))
    );
    house.goes_on(id);

    // And one that no work remembers.
    catalog.set_frozen(id, true).expect("written");
    house.leaves_guests = true;
    drop(house);
    let house = House::open(folder.path());
    assert!(thawed());
    assert!(!is_frozen(&house, id));
    house.goes_on(id);
    force_stop(&house, id);
    assert_tidy(&house);
}

#[test]
fn i13_a_rollback_that_does_not_begin_has_the_guest_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let (id, _) = running(&house, "node", b"then");
    let then = new_point(&house, id, "then");
    // A disk that the pool does not have: there can be no safety point.
    let lost = volume(&house, "lost", VolumeKind::Data);
    attach(&house, lost, Some((id, 1)));
    house.pool_of(lost).delete_volume(lost).expect("gone");
    // Whoever looks after the guests would mend within seconds what the work leaves undone.
    house.control.core.guests.look_away();
    let told = plan(&house, then);
    let begun = house
        .control
        .roll_back(&house.owner, then, &told.seal, true, false)
        .expect("begun");
    assert_eq!(house.failed(begun.job), Fault::NoSafetyPoint);
    let machine = house.control.core.machine(id).expect("a machine");
    assert_eq!(machine.run_state().expect("an answer"), RunState::Running);
    assert_eq!(house.serial(id).matches("up\n").count(), 1);
    house.goes_on(id);
    assert_eq!(house.state(id), (InstanceState::Running, None));
    attach(&house, lost, None);
    force_stop(&house, id);
}
