//! What saves leave behind, with a real QEMU: files that were given and never used, and memory that stays protected when
//! a save fails after the guest went on. A guest that walks through its memory would soon wait there for ever.

use super::{
    super::{Error, Machine, RunState, Sink, Way, command, launch, protection},
    LONG, boot,
    guest::{Stage, hypervisor},
    wait_until,
};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use std::{
    env, fs,
    fs::File,
    io::Read,
    ops::ControlFlow,
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Bytes that QEMU may write into a file: fewer than the memory takes, and more than its devices.
const LITTLE: u64 = 60 << 10;
/// After so many ticks the guest has written to all the pages that it walks over.
const ALL_PAGES: usize = 140;

fn on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A guest that walks, in a QEMU that is told of a limit by an error and not by a signal.
struct Walk {
    stage: Stage,
    machine: Machine,
}

impl Walk {
    /// None, said loudly, where no guest can be saved while it runs.
    fn new() -> Option<Self> {
        let hypervisor = hypervisor()?;
        if !hypervisor.capabilities().background_snapshot {
            eprintln!("SKIPPED: no background snapshot: no save failed in its middle");
            return None;
        }
        let stage = Stage::serving(&boot::walker());
        let script = stage.folder().with_file_name("undisturbed");
        fs::write(&script, "#!/bin/sh\ntrap '' 25\nexec \"$@\"\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let programs = launch::Programs {
            qemu: in_path("qemu-system-x86_64"),
            setsid: Some(script),
            leash: None,
        };
        let accelerator = hypervisor.capabilities().accelerator;
        let arguments = command::arguments(&stage.spec(hypervisor), accelerator, true).unwrap();
        let machine = launch::launch(
            &programs,
            &arguments,
            &stage.folder(),
            launch::START_DEADLINE,
        )
        .unwrap();
        machine.resume().unwrap();
        stage.wait_for_more_ticks();
        fs::create_dir(stage.folder().join("memory")).unwrap();
        Some(Self { stage, machine })
    }

    fn folder(&self) -> PathBuf {
        self.stage.folder().join("memory")
    }

    fn sink(&self) -> Sink {
        Sink {
            path: self.folder().join("saved"),
            limit: 1 << 30,
        }
    }

    fn limit(&self, bytes: Option<u64>) {
        let pid = Pid::from_raw(i32::try_from(self.machine.pid()).unwrap());
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit).unwrap();
    }

    /// Begins a save as another process would, which is not there any more.
    fn begin_unseen(&self, into: &impl AsFd) {
        let capabilities = json!({ "capabilities": [
            { "capability": "events", "state": true },
            { "capability": "background-snapshot", "state": true },
        ] });
        let machine = &self.machine;
        let tell = |command, arguments| machine.execute(command, Some(arguments)).unwrap();
        tell("migrate-set-capabilities", capabilities);
        machine.hand_over("memory", into.as_fd()).unwrap();
        tell("migrate", json!({ "uri": "fd:memory" }));
    }

    fn fails_unseen(&self) {
        self.limit(Some(LITTLE));
        self.begin_unseen(&File::create(self.folder().join("earlier")).unwrap());
        wait_until("it waits for ever", || {
            !protection::waiting(self.machine.pid()).is_empty()
        });
        self.limit(None);
    }

    /// The guest walks over all of its pages, and its memory can be saved.
    fn assert_walks(&self) {
        assert_eq!(self.machine.run_state().unwrap(), RunState::Running);
        let before = self.stage.ticks();
        wait_until("the guest walks on", || {
            self.stage.ticks() > before + ALL_PAGES
        });
        let save = self.machine.save(&self.sink(), Way::Background).unwrap();
        let saved = save.finish(LONG, &mut on).unwrap();
        assert!(saved.bytes > LITTLE && saved.stood_still.is_some());
        self.stage.wait_for_more_ticks();
    }
}

fn in_path(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap();
    let mut found = env::split_paths(&path).map(|folder| folder.join(name));
    found.find(|file| file.is_file()).unwrap()
}

fn waited_for(machine: &Machine, folder: &Path) -> bool {
    machine.await_save(folder, LONG, &mut || ControlFlow::Continue(()))
}

#[test]
fn i13_a_save_that_fails_in_its_middle_leaves_a_guest_that_goes_on() {
    let Some(walk) = Walk::new() else { return };
    walk.limit(Some(LITTLE));
    let save = walk.machine.save(&walk.sink(), Way::Background).unwrap();
    let failed = save.finish(LONG, &mut on);
    assert!(
        matches!(&failed, Err(Error::NotSaved { why }) if why.contains("File too large")),
        "{failed:?}"
    );
    assert!(!walk.sink().path.exists());
    walk.limit(None);
    walk.assert_walks();
}

#[test]
fn i13_a_save_that_failed_when_nobody_was_there_is_seen_by_who_comes_next() {
    let Some(walk) = Walk::new() else { return };
    walk.fails_unseen();
    assert!(waited_for(&walk.machine, &walk.folder()));
    walk.assert_walks();
    // The same where nobody wants another.
    walk.fails_unseen();
    walk.machine.free_memory();
    walk.assert_walks();
}

/// The memory would not be of one instant.
#[test]
fn i12_a_save_that_goes_on_is_not_disturbed() {
    let Some(walk) = Walk::new() else { return };
    // One of ours, and then one of an earlier process.
    let save = walk.machine.save(&walk.sink(), Way::Background).unwrap();
    let looking = walk.machine.clone();
    let saved = save.finish(LONG, &mut |_| {
        looking.free_memory();
        ControlFlow::Continue(())
    });
    assert!(saved.unwrap().stood_still.is_some());
    // It goes on for as long as this reads slowly.
    let (mut read, write) = std::io::pipe().unwrap();
    walk.begin_unseen(&write);
    drop(write);
    let quickly = Arc::new(AtomicBool::new(false));
    let quick = Arc::clone(&quickly);
    let reader = thread::spawn(move || {
        let mut piece = [0; 4096];
        while read.read(&mut piece).unwrap() > 0 {
            if !quick.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let pid = walk.machine.pid();
    wait_until("it is protected", || protection::is_there(pid));
    walk.machine.free_memory();
    assert!(protection::is_there(pid), "and stays so");
    quickly.store(true, Ordering::SeqCst);
    reader.join().unwrap();
    assert!(waited_for(&walk.machine, &walk.folder()));
    walk.assert_walks();
}

/// At once, and at whatever the save is.
#[test]
fn i13_a_save_that_is_broken_off_leaves_a_guest_that_goes_on() {
    let Some(walk) = Walk::new() else { return };
    for microseconds in [0, 500, 1_000, 3_000, 10_000, 30_000] {
        let save = walk.machine.save(&walk.sink(), Way::Background).unwrap();
        thread::sleep(Duration::from_micros(microseconds));
        drop(save);
        assert!(!walk.sink().path.exists());
        assert_eq!(walk.machine.run_state().unwrap(), RunState::Running);
        assert!(protection::waiting(walk.machine.pid()).is_empty());
        let before = walk.stage.ticks();
        wait_until("the guest walks on", || {
            walk.stage.ticks() > before + ALL_PAGES
        });
    }
    walk.assert_walks();
}

/// Between giving QEMU a file and saying what for the process ended.
#[test]
fn i13_a_file_that_an_ended_process_gave_is_taken_back() {
    let Some(walk) = Walk::new() else { return };
    for name in ["one", "two"] {
        let file = File::create(walk.folder().join(name)).unwrap();
        walk.machine.hand_over("memory", file.as_fd()).unwrap();
        drop(file);
        assert!(waited_for(&walk.machine, &walk.folder()));
        let mut files = fs::read_dir(format!("/proc/{}/fd", walk.machine.pid())).unwrap();
        let has_it = files.any(|file| {
            fs::read_link(file.unwrap().path()).is_ok_and(|to| to.starts_with(walk.folder()))
        });
        assert!(!has_it);
    }
    walk.assert_walks();
}
