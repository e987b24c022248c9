//! QEMU's machine protocol: JSON, a message a line.
//!
//! A [`Link`] is one connection. It has one reader, which hands answers to those who wait for them and events to a
//! function; a command waits for its answer up to a deadline and is then forgotten, its late answer with it. A peer that
//! does not keep to the protocol loses the connection, nothing else.

use super::{Error, ProtocolError};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{self, Read, Write},
    mem::MaybeUninit,
    net::Shutdown,
    os::{fd::BorrowedFd, unix::net::UnixStream},
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError, SyncSender},
    },
    time::{Duration, Instant},
};

/// Longest line that is read, in bytes.
pub(super) const MAX_LINE: usize = 1 << 20;
/// For how long a command may be written: its peer is not reading when it takes longer.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// The name under which the state at the beginning of a connection is told as if it were an event.
pub(super) const STATUS: &str = "(status)";
/// Answers to commands of callers have ids from 1 on.
const STATUS_ID: u64 = 0;

/// Lines from a socket, with a bound and a deadline.
pub(super) struct Lines {
    stream: UnixStream,
    /// Read and not yet given out.
    buffer: Vec<u8>,
    /// How much of it is known to hold no end of a line.
    searched: usize,
}

impl Lines {
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            searched: 0,
        }
    }

    /// The next line, without its end; for ever when there is no deadline.
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Vec<u8>, ProtocolError> {
        loop {
            if let Some(at) = self.buffer[self.searched..]
                .iter()
                .position(|byte| *byte == b'\n')
            {
                let end = self.searched + at;
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                line.truncate(end);
                return Ok(line);
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > MAX_LINE {
                return Err(ProtocolError::TooLong { limit: MAX_LINE });
            }
            self.fill(deadline)?;
        }
    }

    /// Drops everything up to and with the next such byte.
    pub fn skip_past(&mut self, mark: u8, deadline: Instant) -> Result<(), ProtocolError> {
        self.searched = 0;
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == mark) {
                self.buffer.drain(..=at);
                return Ok(());
            }
            self.buffer.clear();
            self.fill(Some(deadline))?;
        }
    }

    fn fill(&mut self, deadline: Option<Instant>) -> Result<(), ProtocolError> {
        let left = match deadline {
            None => None,
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                // A zero would mean "for ever" to the socket.
                Some(left) if !left.is_zero() => Some(left),
                _ => return Err(ProtocolError::TimedOut),
            },
        };
        self.stream.set_read_timeout(left).map_err(broken)?;
        let mut piece = [0; 8192];
        match self.stream.read(&mut piece) {
            Ok(0) => Err(ProtocolError::Closed),
            Ok(length) => {
                self.buffer.extend_from_slice(&piece[..length]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(broken(error)),
        }
    }
}

fn broken(error: io::Error) -> ProtocolError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ProtocolError::TimedOut,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ProtocolError::Closed,
        _ => ProtocolError::Io(error.to_string()),
    }
}

/// Writes it all within the time left, or breaks the connection: half a command must not be followed by another.
pub(super) fn write(
    mut stream: &UnixStream,
    bytes: &[u8],
    deadline: Instant,
) -> Result<(), ProtocolError> {
    let left = deadline
        .saturating_duration_since(Instant::now())
        .clamp(Duration::from_millis(1), WRITE_DEADLINE);
    stream
        .set_write_timeout(Some(left))
        .and_then(|()| stream.write_all(bytes))
        .map_err(|error| {
            let _ = stream.shutdown(Shutdown::Both);
            broken(error)
        })
}

/// As [`write`], with a handle that goes along with the first bytes (`SCM_RIGHTS`).
fn send_with(
    stream: &UnixStream,
    bytes: &[u8],
    handle: BorrowedFd<'_>,
    deadline: Instant,
) -> Result<(), ProtocolError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    let handles = [handle];
    along.push(SendAncillaryMessage::ScmRights(&handles));
    stream
        .set_write_timeout(Some(WRITE_DEADLINE))
        .map_err(broken)?;
    let pieces = [io::IoSlice::new(bytes)];
    let sent = sendmsg(stream, &pieces, &mut along, SendFlags::NOSIGNAL);
    let sent = sent.map_err(|error| broken(error.into()))?;
    write(stream, bytes.get(sent..).unwrap_or_default(), deadline)
}

/// What QEMU tells unasked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub name: String,
    pub data: Value,
    /// When, since the epoch by the host's clock.
    pub at: Option<Duration>,
}

/// What a line says.
#[derive(Debug)]
enum Message {
    Greeting,
    Event(Event),
    Return { id: Option<u64>, value: Value },
    Error { id: Option<u64>, refusal: Refusal },
}

/// An error answer: its class and words.
pub(super) type Refusal = (String, String);

fn parse(line: &[u8]) -> Result<Message, ProtocolError> {
    let value: Value =
        serde_json::from_slice(line).map_err(|error| ProtocolError::NotJson(error.to_string()))?;
    let Value::Object(mut message) = value else {
        return Err(ProtocolError::Unexpected("it is not an object"));
    };
    let id = message.get("id").and_then(Value::as_u64);
    if let Some(value) = message.remove("return") {
        return Ok(Message::Return { id, value });
    }
    if let Some(error) = message.get("error") {
        let refusal = refusal(error);
        return Ok(Message::Error { id, refusal });
    }
    if let Some(Value::String(name)) = message.remove("event") {
        let data = message.remove("data").unwrap_or(Value::Null);
        let part = |name| message.get("timestamp")?.get(name)?.as_u64();
        // Where the clock cannot be read they are -1.
        let at = part("seconds")
            .zip(part("microseconds"))
            .map(|(s, us)| Duration::from_secs(s).saturating_add(Duration::from_micros(us)));
        return Ok(Message::Event(Event { name, data, at }));
    }
    if message.contains_key("QMP") {
        return Ok(Message::Greeting);
    }
    Err(ProtocolError::Unexpected(
        "no answer, no event, no greeting",
    ))
}

/// The class and words of an error answer.
pub(super) fn refusal(error: &Value) -> Refusal {
    let part = |name| {
        let text = error.get(name).and_then(Value::as_str).unwrap_or("unknown");
        text.chars().take(400).collect()
    };
    (part("class"), part("desc"))
}

enum Answer {
    Value(Value),
    Refused(Refusal),
    Broken(ProtocolError),
}

/// One connection that has shaken hands.
pub(super) struct Link {
    stream: UnixStream,
    writing: Mutex<()>,
    waiting: Mutex<Waiting>,
}

struct Waiting {
    next: u64,
    answers: HashMap<u64, SyncSender<Answer>>,
    /// Why nobody reads any more.
    broken: Option<ProtocolError>,
}

impl Link {
    /// Waits for the greeting, leaves negotiation and asks how things stand, as events that came earlier are lost. The
    /// answer comes to the reader under the name [`STATUS`].
    pub fn shake_hands(
        stream: UnixStream,
        deadline: Instant,
    ) -> Result<(Self, Lines), ProtocolError> {
        let mut lines = Lines::new(stream.try_clone().map_err(broken)?);
        if !matches!(parse(&lines.next(Some(deadline))?)?, Message::Greeting) {
            return Err(ProtocolError::Unexpected("no greeting"));
        }
        write(&stream, b"{\"execute\":\"qmp_capabilities\"}\n", deadline)?;
        loop {
            match parse(&lines.next(Some(deadline))?)? {
                Message::Event(_) => {}
                Message::Return { .. } => break,
                Message::Error { .. } | Message::Greeting => {
                    return Err(ProtocolError::Unexpected("capabilities refused"));
                }
            }
        }
        let question = format!("{{\"execute\":\"query-status\",\"id\":{STATUS_ID}}}\n");
        write(&stream, question.as_bytes(), deadline)?;
        let link = Self {
            stream,
            writing: Mutex::new(()),
            waiting: Mutex::new(Waiting {
                next: 1,
                answers: HashMap::new(),
                broken: None,
            }),
        };
        Ok((link, lines))
    }

    /// Reads until the connection ends, and tells everybody who waits. Called once, with the lines of the handshake.
    pub fn read(&self, mut lines: Lines, mut on_event: impl FnMut(Event)) -> ProtocolError {
        let end = loop {
            match lines.next(None).and_then(|line| parse(&line)) {
                Ok(Message::Return {
                    id: Some(STATUS_ID),
                    value: data,
                }) => on_event(Event {
                    name: STATUS.to_owned(),
                    data,
                    at: None,
                }),
                Ok(Message::Event(event)) => on_event(event),
                Ok(Message::Return { id, value }) => self.answer(id, Answer::Value(value)),
                Ok(Message::Error { id, refusal }) => self.answer(id, Answer::Refused(refusal)),
                Ok(Message::Greeting) => break ProtocolError::Unexpected("a second greeting"),
                Err(error) => break error,
            }
        };
        self.close();
        let mut waiting = self.waiting();
        waiting.broken = Some(end.clone());
        for (_, waiter) in waiting.answers.drain() {
            let _ = waiter.try_send(Answer::Broken(end.clone()));
        }
        end
    }

    fn answer(&self, id: Option<u64>, answer: Answer) {
        let waiter = id.and_then(|id| self.waiting().answers.remove(&id));
        match waiter {
            // There is room for one, and one is sent.
            Some(waiter) => drop(waiter.try_send(answer)),
            None => tracing::debug!(id, "an answer from QEMU that nobody waits for"),
        }
    }

    /// One command and its answer.
    #[cfg(test)]
    pub fn execute(
        &self,
        command: &'static str,
        arguments: Option<Value>,
        deadline: Instant,
    ) -> Result<Value, Error> {
        self.execute_with(command, arguments, None, deadline)
    }

    /// One command, with a handle that goes along if there is one, and its answer.
    pub fn execute_with(
        &self,
        command: &'static str,
        arguments: Option<Value>,
        handle: Option<BorrowedFd<'_>>,
        deadline: Instant,
    ) -> Result<Value, Error> {
        let began = Instant::now();
        let broke = |source| Error::Broken { command, source };
        let (give, take) = mpsc::sync_channel(1);
        let id = {
            let mut waiting = self.waiting();
            if let Some(end) = &waiting.broken {
                return Err(broke(end.clone()));
            }
            let id = waiting.next;
            waiting.next += 1;
            waiting.answers.insert(id, give);
            id
        };
        let mut message = json!({ "execute": command, "id": id });
        if let Some(arguments) = arguments {
            message["arguments"] = arguments;
        }
        let mut line = message.to_string();
        line.push('\n');
        let written = {
            let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            match handle {
                None => write(&self.stream, line.as_bytes(), deadline),
                Some(handle) => send_with(&self.stream, line.as_bytes(), handle, deadline),
            }
        };
        let answer = match written {
            Err(error) => Answer::Broken(error),
            Ok(()) => match take.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Disconnected) => Answer::Broken(ProtocolError::Closed),
                Err(RecvTimeoutError::Timeout) => {
                    self.waiting().answers.remove(&id);
                    return Err(Error::TimedOut {
                        command,
                        within: deadline.saturating_duration_since(began),
                    });
                }
            },
        };
        match answer {
            Answer::Value(value) => Ok(value),
            Answer::Refused((class, reason)) => Err(Error::Refused {
                command,
                class,
                reason,
            }),
            Answer::Broken(source) => {
                self.waiting().answers.remove(&id);
                Err(broke(source))
            }
        }
    }

    /// Ends the connection; the reader ends with it.
    pub fn close(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
