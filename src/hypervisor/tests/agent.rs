//! The guest agent against a scripted one.

use super::{
    super::{
        Agent, Error, FreezeStatus,
        folder::{AGENT, Folder},
    },
    LONG, boot,
    guest::{Stage, hypervisor},
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    sync::Arc,
    thread,
    time::Duration,
};

const SHORT: Duration = Duration::from_millis(200);

/// What a scripted agent does with a command.
enum Act {
    Say(&'static str),
    /// Say nothing until hung up on.
    Hang,
    HangUp,
}

/// An agent that does `act` with each command, called with the connection's number and the command.
fn agent(act: impl Fn(usize, &str) -> Act + Send + 'static) -> (Agent, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::create(place.path()).unwrap();
    let listener = UnixListener::bind(place.path().join(AGENT)).unwrap();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            serve(stream.unwrap(), |command| act(number, command));
        }
    });
    (Agent::new(Arc::new(folder)), place)
}

fn serve(mut stream: UnixStream, act: impl Fn(&str) -> Act) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return;
        }
        let marked = line.first() == Some(&0xff);
        let message: Value = serde_json::from_slice(&line[usize::from(marked)..]).unwrap();
        let command = message["execute"].as_str().unwrap();
        if command == "guest-sync-delimited" {
            assert!(marked, "the agent's parser must be reset first");
            let id = &message["arguments"]["id"];
            // First what an earlier caller did not wait for, and an answer to an earlier sync.
            let mut bytes = b"{\"return\": 99}\n{\"error\":{}}\n\xff{\"return\": 1}\n".to_vec();
            bytes.push(0xff);
            bytes.extend_from_slice(format!("{{\"return\": {id}}}\n").as_bytes());
            stream.write_all(&bytes).unwrap();
            continue;
        }
        match act(command) {
            Act::Say(text) => {
                let _ = stream.write_all(text.as_bytes());
                let _ = stream.write_all(b"\n");
            }
            Act::Hang => {}
            Act::HangUp => return,
        }
    }
}

#[test]
fn answers_come_behind_the_sync() {
    let (agent, _place) = agent(|_, command| {
        Act::Say(match command {
            "guest-ping" => r#"{"return": {}}"#,
            "guest-fsfreeze-freeze" => r#"{"return": 3}"#,
            "guest-fsfreeze-thaw" => r#"{"return": 0}"#,
            "guest-fsfreeze-status" => r#"{"return": "frozen"}"#,
            _ => r#"{"error": {"class": "CommandNotFound", "desc": "no"}}"#,
        })
    });
    assert!(agent.ping(LONG));
    assert_eq!(agent.freeze(LONG).unwrap(), 3);
    assert_eq!(agent.status().unwrap(), FreezeStatus::Frozen);
    agent.thaw(LONG).unwrap();
}

#[test]
fn a_freeze_that_hangs_ends_and_the_thaw_after_it_is_heard() {
    let (agent, _place) = agent(|number, command| match (number, command) {
        (0, "guest-fsfreeze-freeze") => Act::Hang,
        // Cut off once more, then well.
        (1, _) => Act::HangUp,
        _ => Act::Say(r#"{"return": 1}"#),
    });
    match agent.freeze(SHORT) {
        Err(Error::TimedOut { command, within }) => {
            assert_eq!((command, within), ("guest-fsfreeze-freeze", SHORT));
        }
        other => panic!("{other:?}"),
    }
    agent.thaw(LONG).unwrap();
    assert!(agent.ping(LONG));
}

#[test]
fn nonsense_is_an_error_and_the_agent_stays_usable() {
    let (agent, _place) = agent(|number, _| {
        Act::Say(match number {
            0 => "nonsense",
            1 => "{}",
            2 => r#"{"return": -1}"#,
            3 => r#"{"return": "melting"}"#,
            4 => r#"{"error": {"class": "GenericError", "desc": "busy"}}"#,
            _ => r#"{"return": {}}"#,
        })
    });
    assert!(matches!(agent.freeze(LONG), Err(Error::Broken { .. })));
    assert!(matches!(agent.freeze(LONG), Err(Error::Broken { .. })));
    assert!(matches!(agent.freeze(LONG), Err(Error::Broken { .. })));
    assert!(matches!(agent.status(), Err(Error::Broken { .. })));
    // A refusal is final: asking again does not help.
    assert!(matches!(agent.thaw(LONG), Err(Error::Refused { reason, .. }) if reason == "busy"));
    assert!(agent.ping(LONG));
}

#[test]
fn nobody_there_is_false_not_a_wait() {
    let place = tempfile::tempdir().unwrap();
    let nobody = Agent::new(Arc::new(Folder::create(place.path()).unwrap()));
    assert!(!nobody.ping(LONG));
    assert!(matches!(nobody.freeze(LONG), Err(Error::Io { .. })));
    assert!(matches!(nobody.thaw(SHORT), Err(Error::Io { .. })));
    // QEMU listens, and no agent is in the guest.
    let _deaf = UnixListener::bind(place.path().join(AGENT)).unwrap();
    assert!(!nobody.ping(SHORT));
}

#[test]
fn waiting_for_another_operation_counts() {
    let (agent, _place) = agent(|_, command| match command {
        "guest-fsfreeze-freeze" => Act::Hang,
        _ => Act::Say(r#"{"return": {}}"#),
    });
    thread::scope(|scope| {
        let freezing = scope.spawn(|| agent.freeze(SHORT));
        let pinging = scope.spawn(|| agent.ping(LONG));
        assert!(matches!(
            freezing.join().unwrap(),
            Err(Error::TimedOut { .. })
        ));
        assert!(pinging.join().unwrap());
    });
    assert!(!agent.ping(Duration::ZERO));
}

#[test]
fn a_path_too_long_for_a_socket_is_reached_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let deep = place.path().join("d".repeat(100)).join("e".repeat(100));
    let folder = Folder::create(&deep).unwrap();
    let listener = UnixListener::bind(place.path().join("short")).unwrap();
    std::fs::rename(place.path().join("short"), deep.join(AGENT)).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap(), |_| Act::Say(r#"{"return": {}}"#));
        }
    });
    assert!(Agent::new(Arc::new(folder)).ping(LONG));
}

#[test]
fn nobody_waits_for_an_agent_that_is_not_there() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::serving(&boot::counter());
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    stage.wait_for_more_ticks();
    // The guest is one sector: it has no port open. Were it asked, this would end when the time has passed.
    let asked = machine.agent().set_time(LONG);
    assert!(matches!(asked, Err(Error::NoAgent)), "{asked:?}");
    assert!(!machine.agent().ping(LONG * 100));
    // What must be done in any case is tried all the same.
    let thawed = machine.agent().thaw(SHORT);
    assert!(matches!(thawed, Err(Error::TimedOut { .. })), "{thawed:?}");
    machine.kill();
}
