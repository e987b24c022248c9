//! Saving a memory, with a scripted peer for what QEMU does not do on demand: every wrong order of what it tells, streams
//! that are too long, disks that are full. What a real QEMU does is in `guest`.

use super::{
    super::{Error, Machine, RunState, SavedMemory, Sink, Way},
    LONG,
    monitor::{Peer, Stand, machine},
    wait_until,
};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    ops::ControlFlow,
    os::unix::{fs::symlink, net::UnixStream},
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
    /// Is in this run state without a word.
    Is(&'static str),
    /// Sends so many bytes.
    Send(usize),
    /// Ends the stream.
    End,
    /// Breaks the connection of the machine protocol.
    HangUp,
}
use Step::{End, HangUp, Is, Migration, Resume, Send, Stop};

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
        wait_until("the socket's name is gone", || {
            !self.place.path().join("memory.sock").exists()
        });
    }
}

fn event(name: &str, at: u64, data: &str) -> String {
    format!(r#"{{"event":"{name}","timestamp":{{"seconds":5,"microseconds":{at}}},"data":{data}}}"#)
}

fn serve(peer: &mut Peer, state: &Mutex<State>, folder: &OnceLock<PathBuf>, steps: &[Step]) {
    let mut stream: Option<UnixStream> = None;
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
            "migrate_cancel" => {
                now.migration = "cancelled";
                stream = None;
            }
            _ => {}
        }
        drop(now);
        peer.answer(&id, "{}");
        if command != "migrate" {
            continue;
        }
        let path = folder.get().unwrap().join("memory.sock");
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
                    let mut to = stream
                        .take()
                        .unwrap_or_else(|| UnixStream::connect(&path).unwrap());
                    // It may be cut off in the middle.
                    let _ = to.write_all(&vec![7; length]);
                    stream = Some(to);
                }
                End => stream = None,
                HangUp => return,
            }
        }
        // What has an end is put away.
        if matches!(state.lock().unwrap().migration, "failed" | "cancelled") {
            stream = None;
        }
    }
}

const GOOD: &[Step] = &[
    Migration("setup"),
    Migration("active"),
    Stop(1_000),
    Resume(3_500),
    Send(300_000),
    End,
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
            "migrate-set-capabilities",
            "migrate-set-parameters",
            "migrate"
        ]
    );
    assert_eq!(
        state.arguments[0].to_string(),
        r#"{"capabilities":[{"capability":"events","state":true},{"capability":"background-snapshot","state":true}]}"#
    );
    assert_eq!(state.arguments[1]["max-bandwidth"], 1_u64 << 40);
    assert_eq!(state.arguments[2]["uri"], "unix:memory.sock");
}

#[test]
fn a_guest_that_stands_is_saved_as_it_stands() {
    const STILL: &[Step] = &[
        Migration("setup"),
        Migration("active"),
        Send(10),
        End,
        Is("postmigrate"),
        Migration("completed"),
    ];
    let fake = Fake::new("paused", STILL);
    let saved = fake.save(Way::Still, LONG).unwrap();
    assert_eq!((saved.bytes, saved.stood_still), (10, None));
    let state = fake.state();
    assert_eq!(
        state.arguments[0]["capabilities"][1]["state"], false,
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
                End,
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
                End,
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
                End,
                Migration("completed"),
            ],
        ),
        (
            "no stop",
            &[Migration("active"), Send(5), End, Migration("completed")],
        ),
        (
            "no going on",
            &[
                Migration("active"),
                Stop(1),
                Send(5),
                End,
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
                End,
                Migration("completed"),
            ],
        ),
        (
            "failed in the window",
            &[
                Migration("active"),
                Stop(1),
                Send(5),
                End,
                Migration("failed"),
            ],
        ),
        (
            "failed after it",
            &[
                Migration("active"),
                Stop(1),
                Resume(2),
                Send(5),
                End,
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
                End,
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
            End,
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
fn i13_what_finds_no_room_is_taken_to_its_end_and_qemu_does_not_wait() {
    const TOO_LONG: &[Step] = &[
        Migration("active"),
        Stop(1),
        Resume(2),
        Send((1 << 20) + 1),
        Send(5 << 20),
        End,
        Migration("completed"),
    ];
    // A file with a limit, and a disk that is full: here one that always is.
    for (full, words) in [(false, "1048576"), (true, "No space")] {
        let fake = Fake::new("running", TOO_LONG);
        if full {
            symlink("/dev/full", fake.sink(0).path).unwrap();
        }
        let saved = fake.save(Way::Background, LONG);
        assert!(
            matches!(&saved, Err(Error::NotSaved { why }) if why.contains(words)),
            "{saved:?}"
        );
        fake.assert_undone(words, RunState::Running);
        let state = fake.state();
        assert_eq!(state.migration, "completed");
        assert!(!state.told.contains(&"migrate_cancel".to_owned()));
    }
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
