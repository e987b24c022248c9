//! A server that is killed within the moment for which a guest stands so that its memory and its disks are of one instant:
//! before and after each of the flushes that the hypervisor makes then, with and without their answers. The guest goes on,
//! with the next server, and the point is made.
//!
//! The process that dies is this test program again, told by variables to run [`child`] alone.

use super::crash::{ACT, DATA, settle};
use super::disks::{assert_tidy, plan, point};
use super::guest::{Orphans, can_run};
use super::house::{House, settings, tuning};
use super::memory::{boots, count_in, count_now, counting, files};
use crate::domain::id::InstanceId;
use crate::domain::instance::InstanceState;
use crate::domain::recovery::PointState;
use crate::engine::block::{BlockDevice, DeviceError, Extent, ZeroOptions};
use crate::nbd::{Export, Exports, OpenError};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// What is flushed, whether the flush has been done, and how many microseconds later the process dies: none, and it dies
/// before the answer. Or *begun*: a file for the memory has been made, which QEMU is then given, and told what for.
const PLACES: [(&str, bool, u64); 10] = [
    ("begun", true, 0),
    ("begun", true, 1_000),
    ("fence", false, 0),
    ("fence", true, 0),
    ("fence", true, 300),
    ("disk", false, 0),
    ("disk", true, 0),
    ("disk", true, 200),
    ("disk", true, 2_000),
    ("disk", true, 10_000),
];

fn die() {
    let me = rustix::process::getpid();
    let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
}

/// When this process dies.
#[derive(Clone)]
struct End {
    of: String,
    done: bool,
    later: Duration,
    /// A save has begun when a file is here.
    memories: PathBuf,
}

impl End {
    fn has_begun(&self) -> bool {
        let mut files = std::fs::read_dir(&self.memories).into_iter().flatten();
        files.any(|file| file.is_ok_and(|file| file.path().extension() == Some("part".as_ref())))
    }

    /// Waits for the beginning of a save.
    fn wait(&self) {
        while !self.has_begun() {
            std::thread::yield_now();
        }
        self.come("begun", true);
    }

    fn come(&self, of: &str, done: bool) {
        if self.of != of || self.done != done || !self.has_begun() {
            return;
        }
        if self.later.is_zero() {
            die();
        }
        let later = self.later;
        std::thread::spawn(move || {
            std::thread::sleep(later);
            die();
        });
    }
}

/// The disks of a zone; a flush of one ends the process.
struct Deadly(Arc<dyn Exports>, End);

impl Exports for Deadly {
    fn list(&self) -> Vec<String> {
        self.0.list()
    }

    fn open(&self, name: &str) -> Result<Export, OpenError> {
        let export = self.0.open(name)?;
        let of = name.split_once('/').map_or("disk", |(kind, _)| kind);
        Ok(Export {
            device: Arc::new(Disk(
                Arc::clone(&export.device),
                of.to_owned(),
                self.1.clone(),
            )),
            ..export
        })
    }
}

struct Disk(Arc<dyn BlockDevice>, String, End);

impl BlockDevice for Disk {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_only(&self) -> bool {
        self.0.read_only()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8], fua: bool) -> Result<(), DeviceError> {
        self.0.write_at(offset, data, fua)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.2.come(&self.1, false);
        let flushed = self.0.flush();
        self.2.come(&self.1, true);
        flushed
    }

    fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DeviceError> {
        self.0.trim(offset, length, fua)
    }

    fn write_zeroes(
        &self,
        offset: u64,
        length: u64,
        options: ZeroOptions,
    ) -> Result<(), DeviceError> {
        self.0.write_zeroes(offset, length, options)
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        self.0.extents(offset, length)
    }
}

/// Makes a point with memory on disks that end the process.
#[test]
#[ignore = "run by the tests of this file, in a process of its own"]
fn child() {
    let (Some(data), Ok(place)) = (std::env::var_os(DATA), std::env::var(ACT)) else {
        return;
    };
    let words: Vec<_> = place.split(' ').collect();
    let end = |memories: PathBuf| End {
        of: words[0].to_owned(),
        done: words[1] == "true",
        later: Duration::from_micros(words[2].parse().expect("a number")),
        memories,
    };
    let mut house = House::open_behind(
        settings(Path::new(&data)),
        tuning(),
        &|core, zone, exports| Arc::new(Deadly(exports, end(core.folders.memory(zone)))),
    );
    house.leaves_guests = true;
    let id = house.instance("node").row.id;
    if words[0] == "begun" {
        let end = end(house.control.core.folders.memory(house.zones[0]));
        std::thread::spawn(move || end.wait());
    }
    let begun = house
        .control
        .create_point(&house.owner, id, "made", "", true);
    house.ended(begun.expect("begun").job);
}

/// The point is asked for by a server that dies there; by the next one it is made.
fn killed_at(data: &Path, id: InstanceId, (of, done, later): (&str, bool, u64)) {
    let place = format!("{of} {done} {later}");
    let (_, module) = module_path!().split_once("::").expect("a path");
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("{module}::child"), "--ignored"])
        .env(DATA, data)
        .env(ACT, &place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("a process");
    assert_eq!(status.signal(), Some(9), "it did not die at {place}");
    let mut house = House::open(data);
    settle(&house);
    let row = point(&house, id, "made");
    assert_eq!(row.state, PointState::Ready, "{place}");
    assert!(row.memory.is_some(), "{place}");
    assert_eq!(house.state(id), (InstanceState::Running, None), "{place}");
    house.goes_on(id);
    assert_eq!(boots(&house, id), 1, "{place}: it boots");
    assert_eq!(files(&house).len(), 1, "{place}: {:?}", files(&house));
    house.leaves_guests = true;
}

fn kills(rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let _orphans = Orphans::of(data);
    let mut house = House::open(data);
    if !can_run(&house) {
        return;
    }
    let id = counting(&house);
    let pid = house.pid(id);
    house.leaves_guests = true;
    drop(house);
    for round in 0..rounds {
        for place in PLACES {
            let begun = std::time::Instant::now();
            killed_at(data, id, place);
            eprintln!("{round} {place:?}: {:?}", begun.elapsed());
            let mut house = House::open(data);
            assert_eq!(house.pid(id), pid, "{place:?}: it is the same process");
            house.leaves_guests = true;
            let last = (round, place) == (rounds - 1, PLACES[PLACES.len() - 1]);
            if !last {
                let made = point(&house, id, "made").id;
                let begun = house.control.delete_point(&house.owner, made);
                house.succeeded(begun.expect("begun").job);
            }
        }
    }
    // What the last one kept is good to go on from.
    let house = House::open(data);
    let made = point(&house, id, "made").id;
    let told = plan(&house, made);
    let begun = house
        .control
        .roll_back(&house.owner, made, &told.seal, true, false);
    house.succeeded(begun.expect("begun").job);
    house.goes_on(id);
    assert!(count_now(&house, id) >= count_in(&house, made));
    assert_eq!(boots(&house, id), 1);
    assert_tidy(&house);
}

#[test]
fn i12_i13_i16_a_server_killed_at_any_flush_of_a_save_leaves_a_guest_that_goes_on() {
    kills(1);
}

#[test]
#[ignore = "takes minutes"]
fn i12_i13_i16_a_server_killed_at_any_flush_of_a_save_many_times() {
    kills(8);
}
