//! The handshake: greeting, options, and the choice of an export.
//!
//! Every option is answered before the next is read. An option that is unknown, malformed or too long is refused and its
//! data drained, so that a client may try another. One deadline covers the whole handshake, writes included: a client
//! that says nothing, or reads nothing, holds a connection no longer than that.

use super::{
    Export, Exports, MAXIMUM_PAYLOAD, MINIMUM_BLOCK, MetaContext, OpenError, PREFERRED_BLOCK,
    error::HandshakeError,
    wire::{
        self, InfoRequest, MetaRequest, OptionHeader, handshake_flag, info, option, reply,
        transmission_flag,
    },
};
use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Longest option data that are looked at, in bytes: a name and some queries of the longest kind.
const MAX_OPTION: u32 = 64 << 10;
/// Longest option data that are drained, in bytes; beyond that the connection is cut.
const MAX_DRAIN: u32 = 1 << 20;
/// Most metadata contexts on one connection: each costs a lookup in every block status.
const MAX_CONTEXTS: usize = 16;

/// What the handshake settled.
pub(super) struct Session {
    /// The export's name, for the log.
    pub name: String,
    /// The disk.
    pub export: Export,
    /// Whether reads are answered in chunks.
    pub structured: bool,
    /// Contexts by id: the first has id 0.
    pub contexts: Vec<Context>,
}

/// A metadata context that the client chose.
#[derive(Clone)]
pub(super) enum Context {
    /// `base:allocation`.
    Allocation,
    /// One of the export's own.
    Other(Arc<dyn MetaContext>),
}

/// Talks with a client until it chose an export; `None` when it left without.
pub(super) fn negotiate(
    socket: &UnixStream,
    exports: &dyn Exports,
    patience: Duration,
    stopping: &AtomicBool,
) -> Result<Option<Session>, HandshakeError> {
    let mut line = Line {
        socket,
        deadline: Instant::now() + patience,
    };
    let session = Handshake::new(exports, stopping).run(&mut line)?;
    if session.is_some() {
        // An idle disk is no fault: from here on nobody is hurried.
        socket
            .set_read_timeout(None)
            .and_then(|()| socket.set_write_timeout(None))
            .map_err(HandshakeError::Io)?;
    }
    Ok(session)
}

struct Handshake<'a> {
    exports: &'a dyn Exports,
    stopping: &'a AtomicBool,
    no_zeroes: bool,
    structured: bool,
    /// The export last spoken of: the usual sequence asks for one three times.
    opened: Option<(String, Export)>,
    /// Contexts chosen, and for which export.
    chosen: Option<(String, Vec<Context>)>,
    /// Replies to the present option.
    out: Vec<u8>,
}

/// What follows from an option.
enum Next {
    Another,
    Leave,
    Begin(Session),
}

impl<'a> Handshake<'a> {
    fn new(exports: &'a dyn Exports, stopping: &'a AtomicBool) -> Self {
        Self {
            exports,
            stopping,
            no_zeroes: false,
            structured: false,
            opened: None,
            chosen: None,
            out: Vec::new(),
        }
    }

    fn run(mut self, line: &mut Line<'_>) -> Result<Option<Session>, HandshakeError> {
        line.send(&wire::greeting())?;
        let flags = u32::from_be_bytes(line.array()?);
        let known = handshake_flag::FIXED_NEWSTYLE | handshake_flag::NO_ZEROES;
        if flags & !u32::from(known) != 0 {
            return Err(HandshakeError::Flags { flags });
        }
        self.no_zeroes = flags & u32::from(handshake_flag::NO_ZEROES) != 0;
        loop {
            let header = OptionHeader::parse(&line.array()?)?;
            let next = self.option(header, line)?;
            line.send(&self.out)?;
            self.out.clear();
            match next {
                Next::Another => {}
                Next::Leave => return Ok(None),
                Next::Begin(session) => return Ok(Some(session)),
            }
        }
    }

    fn option(
        &mut self,
        header: OptionHeader,
        line: &mut Line<'_>,
    ) -> Result<Next, HandshakeError> {
        let OptionHeader { option, length } = header;
        if length > MAX_OPTION {
            if length > MAX_DRAIN || option == option::EXPORT_NAME {
                return Err(HandshakeError::TooLong { length });
            }
            line.drain(length)?;
            self.refuse(option, reply::ERR_TOO_BIG, "the option's data are too long");
            return Ok(Next::Another);
        }
        let data = line.bytes(length)?;
        if self.stopping.load(Ordering::Acquire)
            && !matches!(option, option::ABORT | option::EXPORT_NAME)
        {
            self.refuse(option, reply::ERR_SHUTDOWN, "the server is stopping");
            return Ok(Next::Another);
        }
        match option {
            option::EXPORT_NAME => return self.export_name(&data).map(Next::Begin),
            option::ABORT => {
                self.ack(option);
                return Ok(Next::Leave);
            }
            option::LIST if data.is_empty() => {
                for name in self.exports.list() {
                    let name = wire::clip(&name).as_bytes();
                    let length = u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes();
                    wire::put_option_reply(&mut self.out, option, reply::SERVER, &[&length, name]);
                }
                self.ack(option);
            }
            option::STRUCTURED_REPLY if data.is_empty() && !self.structured => {
                self.structured = true;
                self.ack(option);
            }
            option::LIST | option::STRUCTURED_REPLY => {
                self.refuse(
                    option,
                    reply::ERR_INVALID,
                    "this option has no data and is sent once",
                );
            }
            option::INFO | option::GO => match InfoRequest::parse(&data) {
                Ok(request) => {
                    if let Some(export) = self.inform(option, &request) {
                        return Ok(Next::Begin(self.begin(request.name, export)));
                    }
                }
                Err(error) => self.refuse(option, reply::ERR_INVALID, &error.to_string()),
            },
            option::LIST_META_CONTEXT | option::SET_META_CONTEXT => match MetaRequest::parse(&data)
            {
                Ok(request) if self.structured => self.meta(option, request),
                Ok(_) => self.refuse(
                    option,
                    reply::ERR_INVALID,
                    "structured replies were not asked for first",
                ),
                Err(error) => self.refuse(option, reply::ERR_INVALID, &error.to_string()),
            },
            _ => self.refuse(option, reply::ERR_UNSUP, "this option is not known here"),
        }
        Ok(Next::Another)
    }

    /// `OPT_EXPORT_NAME`: `u64 size, u16 transmission flags`, and 124 zero bytes unless they were waived.
    fn export_name(&mut self, data: &[u8]) -> Result<Session, HandshakeError> {
        let name = wire::parse_name(data)?.to_owned();
        if self.stopping.load(Ordering::Acquire) {
            return Err(HandshakeError::NoExport(OpenError::Unavailable(
                "the server is stopping".to_owned(),
            )));
        }
        let export = self.open(&name).map_err(HandshakeError::NoExport)?;
        self.out
            .extend_from_slice(&export.device.size().to_be_bytes());
        self.out
            .extend_from_slice(&self.flags(&export).to_be_bytes());
        if !self.no_zeroes {
            self.out.extend_from_slice(&[0; 124]);
        }
        Ok(self.begin(name, export))
    }

    /// `OPT_INFO` and `OPT_GO`. Gives the export when the client is to begin with it.
    fn inform(&mut self, option: u32, request: &InfoRequest) -> Option<Export> {
        let export = match self.open(&request.name) {
            Ok(export) => export,
            Err(error) => {
                self.refuse_export(option, &error);
                return None;
            }
        };
        let size = export.device.size().to_be_bytes();
        let flags = self.flags(&export).to_be_bytes();
        self.info(option, info::EXPORT, &[&size, &flags]);
        if request.wants(info::NAME) {
            self.info(option, info::NAME, &[request.name.as_bytes()]);
        }
        if request.wants(info::DESCRIPTION)
            && let Some(text) = &export.description
        {
            self.info(option, info::DESCRIPTION, &[wire::clip(text).as_bytes()]);
        }
        if request.wants(info::BLOCK_SIZE) {
            let sizes = [MINIMUM_BLOCK, PREFERRED_BLOCK, MAXIMUM_PAYLOAD].map(u32::to_be_bytes);
            self.info(option, info::BLOCK_SIZE, &[sizes.as_flattened()]);
        }
        self.ack(option);
        (option == option::GO).then_some(export)
    }

    /// `OPT_LIST_META_CONTEXT` and `OPT_SET_META_CONTEXT`.
    fn meta(&mut self, option: u32, request: MetaRequest) {
        let export = match self.open(&request.name) {
            Ok(export) => export,
            Err(error) => return self.refuse_export(option, &error),
        };
        let own = export.contexts.as_ref();
        if option == option::LIST_META_CONTEXT {
            let mut names = vec![wire::BASE_ALLOCATION.to_owned()];
            names.extend(own.map(|own| own.list()).unwrap_or_default());
            // Contexts that exist and are too many to be listed can still be asked for by name.
            let unlisted = request
                .queries
                .iter()
                .filter(|query| !names.contains(query));
            let named = unlisted.filter(|query| own.is_some_and(|own| own.open(query).is_some()));
            let found: Vec<String> = named.cloned().collect();
            let wanted = |name: &String| {
                let is = |query: &String| {
                    name == query || query.ends_with(':') && name.starts_with(query.as_str())
                };
                request.queries.is_empty() || request.queries.iter().any(is)
            };
            for name in names.iter().filter(|name| wanted(name)).chain(&found) {
                // The id means nothing in a list.
                let parts: [&[u8]; 2] = [&[0; 4], wire::clip(name).as_bytes()];
                wire::put_option_reply(&mut self.out, option, reply::META_CONTEXT, &parts);
            }
            return self.ack(option);
        }
        let mut chosen = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for query in &request.queries {
            if chosen.len() == MAX_CONTEXTS || seen.contains(&query.as_str()) {
                continue;
            }
            let context = if query == wire::BASE_ALLOCATION {
                Some(Context::Allocation)
            } else {
                own.and_then(|own| own.open(query)).map(Context::Other)
            };
            // A query that names nothing is no error: the client sees that it got no reply for it.
            if let Some(context) = context {
                let id = u32::try_from(chosen.len())
                    .unwrap_or(u32::MAX)
                    .to_be_bytes();
                wire::put_option_reply(
                    &mut self.out,
                    option,
                    reply::META_CONTEXT,
                    &[&id, query.as_bytes()],
                );
                chosen.push(context);
                seen.push(query);
            }
        }
        self.chosen = Some((request.name, chosen));
        self.ack(option);
    }

    fn open(&mut self, name: &str) -> Result<Export, OpenError> {
        match &self.opened {
            Some((opened, export)) if opened == name => Ok(export.clone()),
            _ => {
                // The former one first: it may be what keeps this one from being opened.
                self.opened = None;
                let export = self.exports.open(name)?;
                self.opened = Some((name.to_owned(), export.clone()));
                Ok(export)
            }
        }
    }

    fn begin(&mut self, name: String, export: Export) -> Session {
        self.opened = None;
        // Contexts chosen for another export count for nothing.
        let contexts = match self.chosen.take() {
            Some((chosen_for, contexts)) if chosen_for == name => contexts,
            _ => Vec::new(),
        };
        Session {
            name,
            export,
            structured: self.structured,
            contexts,
        }
    }

    fn flags(&self, export: &Export) -> u16 {
        use transmission_flag as flag;
        let mut flags = flag::HAS_FLAGS | flag::SEND_FLUSH | flag::SEND_FUA | flag::SEND_CACHE;
        if export.device.read_only() {
            flags |= flag::READ_ONLY;
        } else {
            flags |= flag::SEND_TRIM | flag::SEND_WRITE_ZEROES | flag::SEND_FAST_ZERO;
        }
        if export.multi_conn {
            flags |= flag::CAN_MULTI_CONN;
        }
        if self.structured {
            flags |= flag::SEND_DF;
        }
        flags
    }

    fn ack(&mut self, option: u32) {
        wire::put_option_reply(&mut self.out, option, reply::ACK, &[]);
    }

    fn info(&mut self, option: u32, kind: u16, parts: &[&[u8]]) {
        let kind = kind.to_be_bytes();
        let parts: Vec<&[u8]> = std::iter::once(kind.as_slice())
            .chain(parts.iter().copied())
            .collect();
        wire::put_option_reply(&mut self.out, option, reply::INFO, &parts);
    }

    fn refuse(&mut self, option: u32, kind: u32, text: &str) {
        self.out.clear();
        wire::put_option_reply(&mut self.out, option, kind, &[wire::clip(text).as_bytes()]);
    }

    fn refuse_export(&mut self, option: u32, error: &OpenError) {
        let kind = match error {
            OpenError::NotFound => reply::ERR_UNKNOWN,
            OpenError::InUse | OpenError::Unavailable(_) => reply::ERR_POLICY,
        };
        self.refuse(option, kind, &error.to_string());
    }
}

/// The socket, against the clock.
struct Line<'a> {
    socket: &'a UnixStream,
    deadline: Instant,
}

impl Line<'_> {
    /// Exactly as many bytes as are asked for: what follows an option belongs to whoever reads next.
    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(), HandshakeError> {
        while !buffer.is_empty() {
            self.socket
                .set_read_timeout(Some(self.left()?))
                .map_err(HandshakeError::Io)?;
            match self.socket.read(buffer) {
                Ok(0) => return Err(HandshakeError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => buffer = buffer.get_mut(count..).unwrap_or_default(),
                Err(error) => Self::excuse(error)?,
            }
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], HandshakeError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, length: u32) -> Result<Vec<u8>, HandshakeError> {
        let mut bytes =
            vec![0; usize::try_from(length).map_err(|_| HandshakeError::TooLong { length })?];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn drain(&mut self, length: u32) -> Result<(), HandshakeError> {
        self.bytes(length).map(drop)
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<(), HandshakeError> {
        while !bytes.is_empty() {
            self.socket
                .set_write_timeout(Some(self.left()?))
                .map_err(HandshakeError::Io)?;
            match self.socket.write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) => Self::excuse(error)?,
            }
        }
        Ok(())
    }

    fn left(&self) -> Result<Duration, HandshakeError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            Err(HandshakeError::TimedOut)
        } else {
            Ok(left)
        }
    }

    /// Interruptions are no errors; a time-out is found by [`Line::left`] on the next round.
    fn excuse(error: io::Error) -> Result<(), HandshakeError> {
        match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Ok(())
            }
            _ => Err(HandshakeError::Io(error)),
        }
    }
}
