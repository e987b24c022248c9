//! The machine protocol against a scripted peer, over a real socket. A `sleep` stands for the process.

use super::{
    super::{
        Error, ProtocolError, RunState,
        folder::{Folder, QMP},
        machine::Machine,
        process::Process,
        qmp::{Link, MAX_LINE},
    },
    LONG, wait_until,
};
use rustix::process::Pid;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

const GREETING: &str = r#"{"QMP":{"version":{"qemu":{"major":7}},"capabilities":["oob"]}}"#;
/// For what must be refused or never comes.
const SHORT: Duration = Duration::from_millis(200);

/// The peer's side of one connection.
pub(super) struct Peer {
    lines: BufReader<UnixStream>,
}

impl Peer {
    fn new(stream: UnixStream) -> Self {
        Self {
            lines: BufReader::new(stream),
        }
    }

    fn say(&mut self, text: &str) {
        // We may have been hung up on; then the test's own checks tell.
        let _ = self.lines.get_mut().write_all(text.as_bytes());
    }

    pub(super) fn line(&mut self, text: &str) {
        self.say(text);
        self.say("\n");
    }

    /// The next message, or nothing when we were hung up on.
    pub(super) fn message(&mut self) -> Option<Value> {
        let mut line = String::new();
        if self.lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        Some(serde_json::from_str(&line).unwrap())
    }

    /// The next command.
    fn hear(&mut self) -> Option<(String, Value)> {
        let message = self.message()?;
        let command = message["execute"].as_str().unwrap().to_owned();
        Some((command, message["id"].clone()))
    }

    pub(super) fn answer(&mut self, id: &Value, value: &str) {
        self.line(&format!(r#"{{"return":{value},"id":{id}}}"#));
    }

    /// Greets and agrees on capabilities.
    fn greet(&mut self) {
        self.line(GREETING);
        assert_eq!(self.hear().unwrap().0, "qmp_capabilities");
        self.line(r#"{"event":"RESUME","timestamp":{"seconds":1,"microseconds":2}}"#);
        self.line(r#"{"return":{}}"#);
    }
}

/// A link to a scripted peer, with its reader running; what the reader ended with comes by the channel.
fn link(
    script: impl FnOnce(Peer) + Send + 'static,
) -> (
    Arc<Link>,
    mpsc::Receiver<ProtocolError>,
    mpsc::Receiver<String>,
) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let mut peer = Peer::new(theirs);
        peer.greet();
        // The question with which every connection begins.
        let (command, id) = peer.hear().unwrap();
        assert_eq!(command, "query-status");
        peer.answer(&id, r#"{"status":"running"}"#);
        script(peer);
    });
    let (link, lines) = Link::shake_hands(ours, Instant::now() + LONG).unwrap();
    let link = Arc::new(link);
    let reading = Arc::clone(&link);
    let (end, ended) = mpsc::channel();
    let (event, events) = mpsc::channel();
    thread::spawn(move || {
        let error = reading.read(lines, |heard| event.send(heard.name).unwrap_or_default());
        let _ = end.send(error);
    });
    (link, ended, events)
}

fn ask(link: &Link, within: Duration) -> Result<Value, Error> {
    link.execute("query-name", None, Instant::now() + within)
}

#[test]
fn an_answer_comes_to_the_one_who_asked() {
    let (link, _ended, events) = link(|mut peer| {
        let asked: Vec<Value> = (0..3).map(|_| peer.hear().unwrap().1).collect();
        // In the other order, an event and half a line in between.
        for id in asked.iter().rev() {
            peer.line(r#"{"event":"STOP"}"#);
            peer.say(r#"{"return":{"mine":"#);
            thread::sleep(Duration::from_millis(5));
            peer.line(&format!(r#"{id}}},"id":{id}}}"#));
        }
        peer.hear();
    });
    thread::scope(|scope| {
        let asking: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| ask(&link, LONG).unwrap()["mine"].as_u64().unwrap()))
            .collect();
        let mut got: Vec<_> = asking.into_iter().map(|one| one.join().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3]);
    });
    assert_eq!(
        events.iter().take(4).collect::<Vec<_>>(),
        ["(status)", "STOP", "STOP", "STOP"]
    );
    link.close();
}

#[test]
fn an_error_answer_is_a_value() {
    let (link, ..) = link(|mut peer| {
        let (_, id) = peer.hear().unwrap();
        peer.line(&format!(
            r#"{{"error":{{"class":"GenericError","desc":"not now"}},"id":{id}}}"#
        ));
        let (_, id) = peer.hear().unwrap();
        peer.line(&format!(r#"{{"error":17,"id":{id}}}"#));
        peer.hear();
    });
    match ask(&link, LONG) {
        Err(Error::Refused {
            command,
            class,
            reason,
        }) => assert_eq!(
            (command, class.as_str(), reason.as_str()),
            ("query-name", "GenericError", "not now")
        ),
        other => panic!("{other:?}"),
    }
    assert!(matches!(ask(&link, LONG), Err(Error::Refused { .. })));
}

#[test]
fn after_no_answer_the_next_one_is_still_heard() {
    let (go, gone) = mpsc::channel();
    let (link, ..) = link(move |mut peer| {
        let (_, first) = peer.hear().unwrap();
        gone.recv().unwrap();
        // Too late, then never asked for, then of no number.
        peer.answer(&first, "1");
        peer.answer(&Value::from(999), "2");
        peer.line(r#"{"return":3,"id":"four"}"#);
        peer.line(r#"{"error":{"class":"GenericError","desc":"what?"}}"#);
        let (_, second) = peer.hear().unwrap();
        peer.answer(&second, "5");
        peer.hear();
    });
    assert!(matches!(ask(&link, SHORT), Err(Error::TimedOut { .. })));
    go.send(()).unwrap();
    assert_eq!(ask(&link, LONG).unwrap(), 5);
}

#[test]
fn what_is_no_message_ends_the_connection_and_tells_who_waits() {
    let long = format!("\"{}\"", "x".repeat(MAX_LINE + 10));
    let deep = "[".repeat(100_000);
    for garbage in [
        "garbage",
        "17",
        "{}",
        r#"{"answer":1}"#,
        "\u{0}\u{1}",
        &deep,
        GREETING,
        &long,
    ] {
        let sent = garbage.to_owned();
        let (link, ended, _events) = link(move |mut peer| {
            peer.hear();
            peer.line(&sent);
            // Hung up on.
            assert_eq!(peer.hear(), None);
        });
        let what = &garbage[..garbage.len().min(20)];
        assert!(
            matches!(ask(&link, LONG), Err(Error::Broken { .. })),
            "{what}"
        );
        let end = ended.recv().unwrap();
        assert_ne!(end, ProtocolError::Closed, "{what}");
        // And who comes later does not wait at all.
        assert!(
            matches!(ask(&link, LONG), Err(Error::Broken { source, .. }) if source == end),
            "{what}"
        );
    }
}

#[test]
fn a_peer_that_never_ends_its_line_is_given_up() {
    let (link, ended, _events) = link(|mut peer| {
        peer.hear();
        let piece = "x".repeat(1 << 16);
        for _ in 0..=MAX_LINE / piece.len() {
            peer.say(&piece);
        }
        assert_eq!(peer.hear(), None);
    });
    assert!(matches!(ask(&link, LONG), Err(Error::Broken { .. })));
    assert_eq!(
        ended.recv().unwrap(),
        ProtocolError::TooLong { limit: MAX_LINE }
    );
}

#[test]
fn closing_in_mid_command_is_told() {
    let (link, ended, _events) = link(|mut peer| {
        peer.hear();
        peer.say(r#"{"return":{},"#);
    });
    assert!(matches!(
        ask(&link, LONG),
        Err(Error::Broken {
            source: ProtocolError::Closed,
            ..
        })
    ));
    assert_eq!(ended.recv().unwrap(), ProtocolError::Closed);
}

#[test]
fn a_handshake_that_is_none_is_refused() {
    for (what, said) in [
        ("silence", ""),
        ("half a line", r#"{"QMP""#),
        ("no greeting", "{\"return\":{}}\n"),
        ("garbage", "\u{7f}ELF\n"),
    ] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (&theirs).write_all(said.as_bytes()).unwrap();
        assert!(
            Link::shake_hands(ours, Instant::now() + SHORT).is_err(),
            "{what}"
        );
    }
}

/// A process that stands for QEMU, ended with the test.
pub(super) struct Stand(Child);

impl Stand {
    fn new() -> Self {
        let mut sleep = Command::new("sleep");
        Self(sleep.arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A machine whose protocol is spoken by `script`, called with each connection's number and the peer that has greeted.
pub(super) fn machine(
    script: impl Fn(usize, Peer) + Send + 'static,
) -> (Machine, Stand, Arc<AtomicUsize>, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let folder = Arc::new(Folder::create(place.path()).unwrap());
    let listener = UnixListener::bind(place.path().join(QMP)).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            let mut peer = Peer::new(stream.unwrap());
            peer.greet();
            script(number, peer);
        }
    });
    let stand = Stand::new();
    let pid = Pid::from_raw(i32::try_from(stand.0.id()).unwrap()).unwrap();
    let stream = folder.connect(QMP).unwrap();
    let process = Process::hold(pid).unwrap();
    let machine = Machine::attach(folder, process, None, stream).unwrap();
    (machine, stand, connections, place)
}

/// Answers every `query-status` so, until hung up on.
fn always(peer: &mut Peer, status: &str) {
    while let Some((_, id)) = peer.hear() {
        peer.answer(&id, &format!(r#"{{"status":"{status}"}}"#));
    }
}

#[test]
fn a_machine_whose_connection_broke_is_asked_over_a_new_one() {
    let (machine, _stand, connections, _place) = machine(|number, mut peer| {
        if number == 0 {
            peer.hear();
            peer.line("nonsense");
        } else {
            always(&mut peer, "paused");
        }
    });
    wait_until("a second connection", || {
        machine
            .run_state()
            .is_ok_and(|state| state == RunState::Paused)
    });
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    assert_eq!(machine.exit(), None);
}

#[test]
fn a_disk_error_is_told_also_to_who_asks_later_and_who_was_not_connected() {
    let (machine, _stand, _connections, _place) = machine(|number, mut peer| match number {
        0 => {
            let (_, id) = peer.hear().unwrap();
            peer.answer(&id, r#"{"status":"running"}"#);
            // Reported to the guest, not stopped: nothing of ours.
            peer.line(r#"{"event":"BLOCK_IO_ERROR","data":{"action":"report"}}"#);
            peer.line(r#"{"event":"BLOCK_IO_ERROR","data":{"action":"stop"}}"#);
            peer.hear();
        }
        // It happened while nobody listened.
        1 => always(&mut peer, "io-error"),
        _ => {}
    });
    // Its answer comes after the events.
    let _ = machine.run_state();
    let told = Arc::new(AtomicUsize::new(0));
    let telling = Arc::clone(&told);
    let asking = machine.clone();
    machine.on_block_error(Box::new(move || {
        // The callback may ask the machine itself.
        let _ = asking.run_state();
        telling.fetch_add(1, Ordering::SeqCst);
    }));
    wait_until("told of both", || told.load(Ordering::SeqCst) >= 2);
    assert_eq!(machine.run_state().unwrap(), RunState::IoError);
    machine.kill();
}

#[test]
fn the_end_is_told_once_with_what_qemu_said_last() {
    let (machine, stand, _connections, _place) = machine(|_, mut peer| {
        let (_, id) = peer.hear().unwrap();
        peer.answer(&id, r#"{"status":"running"}"#);
        peer.line(r#"{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"}}"#);
        let (_, id) = peer.hear().unwrap();
        peer.answer(&id, "{}");
    });
    machine.power_down().unwrap();
    let (tell, told) = mpsc::channel();
    let again = tell.clone();
    machine.on_exit(Box::new(|_| {
        panic!("a callback that panics harms nobody else")
    }));
    machine.on_exit(Box::new(move |exit| tell.send(exit).unwrap()));
    assert_eq!(machine.wait_exit(Duration::ZERO), None);
    drop(stand);
    let exit = machine.wait_exit(LONG).unwrap();
    assert!(exit.guest_asked, "{exit:?}");
    assert!(exit.reason.contains("guest-shutdown"), "{exit:?}");
    machine.on_exit(Box::new(move |exit| again.send(exit).unwrap()));
    assert_eq!(told.iter().collect::<Vec<_>>(), [exit.clone(), exit]);
    assert!(matches!(machine.run_state(), Err(Error::Gone)));
    assert!(matches!(machine.resume(), Err(Error::Gone)));
}

#[test]
fn what_qemu_said_last_counts_also_when_its_end_is_seen_first() {
    let (ended, end) = mpsc::channel();
    let (machine, mut stand, _connections, _place) = machine(move |_, mut peer| {
        for _ in 0..2 {
            let (_, id) = peer.hear().unwrap();
            peer.answer(&id, r#"{"status":"running"}"#);
        }
        end.recv().unwrap();
        peer.line(r#"{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"}}"#);
    });
    assert_eq!(machine.run_state().unwrap(), RunState::Running);
    stand.0.kill().unwrap();
    stand.0.wait().unwrap();
    // Time for one who does not wait for it to say that there was no farewell.
    let _ = machine.wait_exit(SHORT);
    ended.send(()).unwrap();
    let exit = machine.wait_exit(LONG).unwrap();
    assert!(exit.guest_asked, "{exit:?}");
}

#[test]
fn a_dropped_handle_leaves_the_connection() {
    let (left, leaving) = mpsc::channel();
    let (machine, mut stand, ..) = machine(move |_, mut peer| {
        always(&mut peer, "running");
        left.send(()).unwrap();
    });
    assert_eq!(machine.run_state().unwrap(), RunState::Running);
    drop(machine);
    leaving.recv_timeout(LONG).unwrap();
    assert!(stand.0.try_wait().unwrap().is_none(), "its process runs on");
}
