//! A server that is told to end while a guest of it runs. It is this test program again, told by a variable to serve.

use super::super::config::{Flags, Place};
use super::super::serve;
use crate::control::tests::guest::{Orphans, boot_sector};
use crate::hypervisor::Hypervisor;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// In the environment of the process that serves: its data folder.
const DATA: &str = "REPRISE_TEST_SERVE_DATA";
/// Long enough for any machine; nothing is asserted about how long anything takes.
const PATIENCE: Duration = Duration::from_secs(180);

/// The process that serves; it ends with the test, however that ends.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves the sample data until it is told to end, with its guests.
#[test]
#[ignore = "run by the test of this file, in a process of its own"]
fn served() {
    let Some(data) = std::env::var_os(DATA) else {
        return;
    };
    let flags = Flags {
        place: Place {
            data: Some(data.into()),
            ..Place::default()
        },
        listen: Some(([127, 0, 0, 1], 0).into()),
        demo: true,
        stop_guests: true,
        ..Flags::default()
    };
    serve(flags).expect("served");
}

fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folders of the region's instances.
fn instances(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("instances"))
        .into_iter()
        .flatten()
        .flatten();
    entries.map(|entry| entry.path()).collect()
}

/// How many processes run in this folder.
fn processes_in(folder: &Path) -> usize {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let homes = entries.filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok());
    homes.filter(|home| home == folder).count()
}

#[test]
fn ctrl_c_ends_the_guests_of_a_server_that_takes_them_along() {
    let importer = Command::new("qemu-img").arg("--version").output();
    if Hypervisor::probe().is_err() || importer.is_err() {
        eprintln!("SKIPPED: no usable QEMU here, no guest was taken along");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let place = fs::canonicalize(folder.path()).expect("a folder");
    let (data, image) = (place.join("data"), place.join("guest.img"));
    let mut disk = boot_sector(false);
    disk.resize(16 << 20, 0);
    fs::write(&image, disk).expect("written");
    let _orphans = Orphans::of(&data);
    let (_, module) = module_path!().split_once("::").expect("a path");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("{module}::served"), "--ignored"])
        .env(DATA, &data)
        .env("REPRISE_DEMO_TEMPLATE", &image)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let mut server = Served(child);
    // Not asked over QEMU's socket, which serves one at a time: the server is there.
    let home = until("a guest runs", || {
        assert_eq!(server.0.try_wait().expect("an answer"), None, "it serves");
        instances(&data).into_iter().find(|folder| {
            fs::read(folder.join("serial.log")).is_ok_and(|text| text.ends_with(b"ttt"))
                && processes_in(folder) == 1
        })
    });
    let pid = i32::try_from(server.0.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process"), Signal::INT).expect("told");
    let status: ExitStatus = until("it ends", || server.0.try_wait().expect("an answer"));
    assert!(status.success(), "{status}");
    assert_eq!(processes_in(&home), 0, "a guest was left behind");
    for folder in instances(&data) {
        let found = Hypervisor::find(&folder).expect("an answer");
        assert!(found.is_none(), "{}", folder.display());
    }
}
