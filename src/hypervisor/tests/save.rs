//! Saving a memory, with a scripted peer for what QEMU does not do on demand: every wrong order of what it tells, streams
//! that are too long, disks that are full. What a real QEMU does is in `guest`.

use super::{
    super::{Error, Machine, RunState, SavedMemory, Sink, Way},
    LONG,
    monitor::{Peer, Stand, machine},
};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::Write,
    ops::ControlFlow,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    thread,
    time::Duration,
};

/// Until a save without an end is cut off.
const SOON: Duration = Duration::from_millis(300);

/// What the scripted QEMU does when it is told to migrate.
#[derive(Clone, Copy)]
enum Step {
    /// Tells that the migration has this status, and has it.
    Migration(&'static str),
    /// Tells that the guest stops, at so many microseconds, and stops it.
    Stop(u64),
    /// The same of its going on.
    Resume(u64),
    /// Has this status without a word.
    Unsaid(&'static str),
    /// Is in this run state without a word.
    Is(&'static str),
    /// Writes so many bytes.
    Send(usize),
    /// Takes so many milliseconds.
    Waits(u64),
    /// Breaks the connection of the machine protocol.
    HangUp,
}
use Step::{HangUp, Is, Migration, Resume, Send, Stop, Unsaid, Waits};

#[derive(Default)]
struct State {
    status: &'static str,
    migration: &'static str,
    /// Commands, in order, without the questions.
    told: Vec<String>,
    /// What came with them.
    arguments: Vec<Value>,
    /// So many `cont`s are refused.
    refuses: usize,
    /// Bytes of the guest's memory.
    memory: u64,
}

struct Fake {
    machine: Machine,
    state: Arc<Mutex<State>>,
    place: tempfile::TempDir,
    _stand: Stand,
}

impl Fake {
    fn new(status: &'static str, steps: &'static [Step]) -> Self {
        let state = Arc::new(Mutex::new(State {
            status,
            migration: "none",
            memory: 1 << 20,
            ..State::default()
        }));
        let folder: Arc<OnceLock<PathBuf>> = Arc::default();
        let (shared, known) = (Arc::clone(&state), Arc::clone(&folder));
        let (machine, stand, _, place) = machine(move |_, mut peer| {
            serve(&mut peer, &shared, &known, steps);
        });
        folder.set(place.path().to_owned()).unwrap();
        Self {
            machine,
            state,
            place,
            _stand: stand,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn sink(&self, limit: u64) -> Sink {
        Sink {
            path: self.place.path().join("memory"),
            limit,
        }
    }

    fn save(&self, way: Way, within: Duration) -> Result<SavedMemory, Error> {
        // Where it has no end, it is cut off soon.
        let save = self.machine.save_until(&self.sink(1 << 20), way, SOON)?;
        save.finish(within, &mut |_| ControlFlow::Continue(()))
    }

    /// That nothing is left of it, and the guest as it was.
    fn assert_undone(&self, what: &str, status: RunState) {
        assert!(!self.sink(0).path.exists(), "{what}: the file is there");
        assert_eq!(self.machine.run_state().unwrap(), status, "{what}");
    }
}

fn event(name: &str, at: u64, data: &str) -> String {
    format!(r#"{{"event":"{name}","timestamp":{{"seconds":5,"microseconds":{at}}},"data":{data}}}"#)
}

fn serve(peer: &mut Peer, state: &Mutex<State>, folder: &OnceLock<PathBuf>, steps: &[Step]) {
    let mut handle: Option<File> = None;
    while let Some(message) = peer.message() {
        let id = message["id"].clone();
        let command = message["execute"].as_str().unwrap().to_owned();
        let mut now = state.lock().unwrap();
        match command.as_str() {
            "query-status" => {
                let status = now.status;
                drop(now);
                peer.answer(&id, &format!(r#"{{"status":"{status}"}}"#));
                continue;
            }
            "query-memory-size-summary" => {
                let bytes = now.memory;
                drop(now);
                peer.answer(&id, &format!(r#"{{"base-memory":{bytes}}}"#));
                continue;
            }
            "query-migrate" => {
                let status = now.migration;
                drop(now);
                peer.answer(&id, &format!(r#"{{"status":"{status}"}}"#));
                continue;
            }
            _ => {}
        }
        now.told.push(command.clone());
        now.arguments.push(message["arguments"].clone());
        match command.as_str() {
            "cont" if now.refuses > 0 => {
                now.refuses -= 1;
                drop(now);
                peer.line(&format!(
                    r#"{{"error":{{"class":"GenericError","desc":"not yet"}},"id":{id}}}"#
                ));
                continue;
            }
            "cont" => now.status = "running",
            "stop" => now.status = "paused",
            "migrate_cancel" => now.migration = "cancelled",
            _ => {}
        }
        if now.migration == "cancelled" {
            handle = None;
        }
        drop(now);
        peer.answer(&id, "{}");
        if command != "migrate" {
            continue;
        }
        // A peer that reads as this one does is not given the handle: it takes one of its own.
        let path = folder.get().unwrap().join("memory");
        for step in steps {
            match *step {
                Migration(status) => {
                    state.lock().unwrap().migration = status;
                    let data = format!(r#"{{"status":"{status}"}}"#);
                    peer.line(&event("MIGRATION", 0, &data));
                }
                Stop(at) => {
                    state.lock().unwrap().status = "paused";
                    peer.line(&event("STOP", at, "{}"));
                }
                Resume(at) => {
                    state.lock().unwrap().status = "running";
                    peer.line(&event("RESUME", at, "{}"));
                }
                Is(status) => state.lock().unwrap().status = status,
                Send(length) => {
                    // Who gave it up at once has removed it.
                    handle = handle.or_else(|| {
                        let file = File::options().append(true).open(&path).ok()?;
                        flock(&file, FlockOperation::LockExclusive).unwrap();
                        Some(file)
                    });
                    if let Some(file) = &mut handle {
                        file.write_all(&vec![7; length]).unwrap();
                    }
                }
                Unsaid(status) => state.lock().unwrap().migration = status,
                Waits(long) => thread::sleep(Duration::from_millis(long)),
                HangUp => return,
            }
        }
        // What has an end is put away, a little later.
        if !matches!(state.lock().unwrap().migration, "active") {
            thread::sleep(SOON / 10);
            handle = None;
        }
    }
}

const GOOD: &[Step] = &[
    Migration("setup"),
    Migration("active"),
    Stop(1_000),
    Resume(3_500),
    Send(300_000),
    Migration("completed"),
];

#[test]
fn a_good_save_is_told_with_how_long_the_guest_stood() {
    let fake = Fake::new("running", GOOD);
    let saved = fake.save(Way::Background, LONG).unwrap();
    assert_eq!(
        saved,
        SavedMemory {
            bytes: 300_000,
            stood_still: Some(Duration::from_micros(2_500)),
        }
    );
    assert_eq!(fs::read(fake.sink(0).path).unwrap(), vec![7; 300_000]);
    let state = fake.state();
    assert_eq!(
        state.told,
        [
            "closefd",
            "migrate-set-capabilities",
            "migrate-set-parameters",
            "getfd",
            "migrate"
        ]
    );
    assert_eq!(
        state.arguments[1].to_string(),
        r#"{"capabilities":[{"capability":"events","state":true},{"capability":"background-snapshot","state":true}]}"#
    );
    assert_eq!(state.arguments[2]["max-bandwidth"], 1_u64 << 40);
    assert_eq!(state.arguments[3]["fdname"], "memory");
    assert_eq!(state.arguments[4]["uri"], "fd:memory");
}

#[test]
fn a_guest_that_stands_is_saved_as_it_stands() {
    const STILL: &[Step] = &[
        Migration("setup"),
        Migration("active"),
        Send(10),
        Is("postmigrate"),
        Migration("completed"),
    ];
    let fake = Fake::new("paused", STILL);
    let saved = fake.save(Way::Still, LONG).unwrap();
    assert_eq!((saved.bytes, saved.stood_still), (10, None));
    let state = fake.state();
    assert_eq!(
        state.arguments[1]["capabilities"][1]["state"], false,
        "the way of before"
    );
    assert!(!state.told.contains(&"cont".to_owned()));
}

/// Whatever QEMU tells but the one good order: no memory, no file, and the guest runs.
#[test]
fn i12_i13_any_other_order_is_no_save_and_the_guest_runs_on() {
    let wrong: [(&str, &[Step]); 11] = [
        (
            "two stops",
            &[
                Migration("active"),
                Stop(1),
                Resume(2),
                Stop(3),
                Resume(4),
                Send(5),
                Migration("completed"),
            ],
        ),
        (
            "a stop before it was active",
            &[
                Stop(1),
                Migration("active"),
                Resume(2),
                Send(5),
                Migration("completed"),
            ],
        ),
        (
            "a stop of another, and then its own",
            &[
                Stop(1),
                Resume(2),
                Migration("active"),
                Stop(3),
                Resume(4),
                Send(5),
                Migration("completed"),
            ],
        ),
        (
            "no stop",
            &[Migration("active"), Send(5), Migration("completed")],
        ),
        (
            "no going on",
            &[
                Migration("active"),
                Stop(1),
                Send(5),
                Migration("completed"),
            ],
        ),
        (
            "it goes on before it stops",
            &[
                Migration("active"),
                Resume(1),
                Stop(2),
                Send(5),
                Migration("completed"),
            ],
        ),
        (
            "failed in the window",
            &[Migration("active"), Stop(1), Send(5), Migration("failed")],
        ),
        (
            "failed after it",
            &[
                Migration("active"),
                Stop(1),
                Resume(2),
                Send(5),
                Migration("failed"),
            ],
        ),
        (
            "failed, and left as after a migration",
            &[
                Migration("active"),
                Stop(1),
                Is("postmigrate"),
                Migration("failed"),
            ],
        ),
        (
            "cancelled by somebody",
            &[
                Migration("active"),
                Stop(1),
                Migration("cancelling"),
                Migration("cancelled"),
            ],
        ),
        (
            "events that were missed",
            &[
                Migration("active"),
                Stop(1),
                Is("running"),
                Send(5),
                Unsaid("completed"),
                HangUp,
            ],
        ),
    ];
    for (what, steps) in wrong {
        let fake = Fake::new("running", steps);
        let saved = fake.save(Way::Background, LONG);
        assert!(
            matches!(saved, Err(Error::NotSaved { .. })),
            "{what}: {saved:?}"
        );
        fake.assert_undone(what, RunState::Running);
        // And another one can be begun.
        assert!(
            fake.machine
                .save(&fake.sink(1 << 20), Way::Background)
                .is_ok(),
            "{what}"
        );
    }
}

#[test]
fn i13_a_guest_that_does_not_go_on_at_once_is_told_to_again() {
    let fake = Fake::new(
        "running",
        &[Migration("active"), Stop(1), Migration("failed")],
    );
    fake.state().refuses = 3;
    assert!(fake.save(Way::Background, LONG).is_err());
    fake.assert_undone("refused", RunState::Running);
    let told = fake
        .state()
        .told
        .iter()
        .filter(|one| *one == "cont")
        .count();
    assert_eq!(told, 4);
}

#[test]
fn i13_a_standing_guest_is_not_started_by_a_save_that_fails() {
    let fake = Fake::new(
        "paused",
        &[Migration("active"), Resume(1), Migration("failed")],
    );
    assert!(fake.save(Way::Still, LONG).is_err());
    fake.assert_undone("still", RunState::Paused);
    let fake = Fake::new(
        "paused",
        &[
            Migration("active"),
            Resume(1),
            Send(5),
            Migration("completed"),
        ],
    );
    assert!(fake.save(Way::Still, LONG).is_err());
    fake.assert_undone("still, and it ran", RunState::Paused);
}

#[test]
fn what_a_guest_stopped_by_others_needs_is_left_to_them() {
    let fake = Fake::new(
        "running",
        &[
            Migration("active"),
            Stop(1),
            Is("io-error"),
            Migration("failed"),
        ],
    );
    assert!(fake.save(Way::Background, LONG).is_err());
    fake.assert_undone("a disk's error", RunState::IoError);
    assert!(!fake.state().told.contains(&"cont".to_owned()));
}

#[test]
fn i13_where_there_is_no_room_for_all_of_it_it_is_not_begun() {
    let begun = |fake: &Fake| fake.state().told.contains(&"migrate".to_owned());
    // More than it may have.
    let fake = Fake::new("running", GOOD);
    let saved = fake
        .machine
        .save(&fake.sink((1 << 20) - 1), Way::Background);
    assert!(matches!(saved, Err(Error::NotSaved { .. })), "{saved:?}");
    fake.assert_undone("its limit", RunState::Running);
    assert!(!begun(&fake));
    // More than any disk has.
    let fake = Fake::new("running", GOOD);
    fake.state().memory = 1 << 60;
    let saved = fake.machine.save(&fake.sink(1 << 61), Way::Background);
    assert!(matches!(saved, Err(Error::Io { .. })), "{saved:?}");
    fake.assert_undone("a full disk", RunState::Running);
    assert!(!begun(&fake));
}

/// What an earlier process of ours began goes on in QEMU.
#[test]
fn i13_while_an_earlier_save_has_not_ended_none_is_begun() {
    let fake = Fake::new("running", GOOD);
    fake.state().migration = "active";
    let saved = fake.machine.save(&fake.sink(1 << 20), Way::Background);
    assert!(matches!(saved, Err(Error::NotSaved { .. })), "{saved:?}");
    fake.state().migration = "completed";
    fake.save(Way::Background, LONG).unwrap();
}

/// A save that nobody wants any more is let come to its end, where what a cancelled one leaves could not be lifted.
#[test]
fn i13_a_save_that_is_given_up_is_not_cancelled_where_that_would_harm() {
    const SLOW: &[Step] = &[
        Migration("active"),
        Stop(1),
        Resume(2),
        Send(5_000),
        Waits(500),
        Migration("completed"),
    ];
    let fake = Fake::new("running", SLOW);
    let save = fake
        .machine
        .save_until(&fake.sink(1 << 20), Way::Background, LONG)
        .unwrap();
    let saved = save.finish(LONG, &mut |_| ControlFlow::Break(()));
    assert!(matches!(saved, Err(Error::Cancelled)), "{saved:?}");
    fake.assert_undone("given up", RunState::Running);
    let state = fake.state();
    assert_eq!(state.migration, "completed");
    assert!(!state.told.contains(&"migrate_cancel".to_owned()));
}

#[test]
fn i13_a_save_that_takes_too_long_is_given_up() {
    const FOR_EVER: &[Step] = &[Migration("active"), Stop(1), Send(5)];
    let fake = Fake::new("running", FOR_EVER);
    let saved = fake.save(Way::Background, Duration::from_millis(50));
    assert!(
        matches!(&saved, Err(Error::NotSaved { why }) if why.contains("too long")),
        "{saved:?}"
    );
    fake.assert_undone("too long", RunState::Running);
    assert!(fake.state().told.contains(&"migrate_cancel".to_owned()));
    // Nor is one waited for that does not so much as connect.
    let fake = Fake::new("running", &[]);
    assert!(
        fake.save(Way::Background, Duration::from_millis(50))
            .is_err()
    );
    fake.assert_undone("nothing", RunState::Running);
}

#[test]
fn i13_broken_off_or_dropped_it_is_undone() {
    const LONG_ONE: &[Step] = &[Migration("active"), Stop(1), Send(5_000)];
    let fake = Fake::new("running", LONG_ONE);
    let save = fake
        .machine
        .save_until(&fake.sink(1 << 20), Way::Background, SOON)
        .unwrap();
    // One at a time.
    let second = fake.machine.save(&fake.sink(1 << 20), Way::Background);
    assert!(matches!(second, Err(Error::NotSaved { .. })), "{second:?}");
    let mut told = Vec::new();
    let saved = save.finish(LONG, &mut |bytes| {
        told.push(bytes);
        if bytes == 5_000 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(matches!(saved, Err(Error::Cancelled)), "{saved:?}");
    assert!(told.is_sorted(), "{told:?}");
    fake.assert_undone("broken off", RunState::Running);

    let fake = Fake::new("running", LONG_ONE);
    drop(
        fake.machine
            .save_until(&fake.sink(1 << 20), Way::Background, SOON)
            .unwrap(),
    );
    fake.assert_undone("dropped", RunState::Running);
}

#[test]
fn a_guest_in_another_state_is_left_alone() {
    for (status, way) in [
        ("paused", Way::Background),
        ("io-error", Way::Background),
        ("prelaunch", Way::Background),
        ("running", Way::Still),
        ("shutdown", Way::Still),
    ] {
        let fake = Fake::new(status, GOOD);
        let refused = fake.machine.save(&fake.sink(1 << 20), way);
        assert!(matches!(refused, Err(Error::State { .. })), "{refused:?}");
        assert!(fake.state().told.is_empty());
        assert!(!fake.sink(0).path.exists());
    }
}

#[test]
fn a_machine_that_ends_meanwhile_is_gone() {
    let fake = Fake::new("running", &[Migration("active"), Stop(1), Send(5)]);
    let save = fake
        .machine
        .save(&fake.sink(1 << 20), Way::Background)
        .unwrap();
    let killing = fake.machine.clone();
    let killer = thread::spawn(move || killing.kill());
    let saved = save.finish(LONG, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(saved, Err(Error::Gone)), "{saved:?}");
    killer.join().unwrap();
    assert!(!fake.sink(0).path.exists());
}
