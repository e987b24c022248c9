//! One request: may it run, what does the device say, how is that answered.
//!
//! Answers are laid into an [`Outbox`]; a read puts the device's bytes straight behind their header.

use super::{
    MAXIMUM_PAYLOAD, Status,
    handshake::{Context, Session},
    outbox::Outbox,
    wire::{self, Errno, Request, chunk, command, command_flag as flag, state},
};
use crate::engine::block::{Allocation, BlockDevice, DeviceError, ZeroOptions};
use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

/// Most bytes of the device in one chunk of an answer, and in one piece of a read-ahead.
pub(super) const READ_PIECE: u64 = 256 << 10;
/// From this length on, a read asks what is there and does not send holes.
const LONG_READ: u32 = 64 << 10;
/// A hole shorter than this is sent as zeroes: a chunk of its own costs the client more than the bytes.
const WORTHY_HOLE: u64 = 32 << 10;
/// Most extents in one answer; a client asks again from where they end.
const MAX_EXTENTS: usize = 4096;

/// Why a request fails, in numbers and in words.
pub(super) type Refusal = (Errno, String);

/// What requests of one connection run against.
pub(super) struct Commands<'a> {
    session: &'a Session,
    device: &'a dyn BlockDevice,
    size: u64,
    read_only: bool,
    /// Held by the one read that is answered in a single piece longer than [`READ_PIECE`]: there is one such buffer.
    long: Mutex<()>,
}

impl<'a> Commands<'a> {
    pub fn new(session: &'a Session) -> Self {
        let device = &*session.export.device;
        Self {
            session,
            device,
            size: device.size(),
            read_only: device.read_only(),
            long: Mutex::new(()),
        }
    }

    /// Whether the request may run at all; asked before its payload is read.
    pub fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let refuse = |errno, text: &str| Err((errno, text.to_owned()));
        let writes = matches!(
            request.kind,
            command::WRITE | command::TRIM | command::WRITE_ZEROES
        );
        let allowed = match request.kind {
            command::READ if self.session.structured => flag::DF,
            command::WRITE_ZEROES => flag::NO_HOLE | flag::FAST_ZERO,
            command::BLOCK_STATUS => flag::REQ_ONE,
            command::READ | command::WRITE | command::FLUSH | command::TRIM | command::CACHE => 0,
            _ => return refuse(Errno::Inval, "this command is not known here"),
        };
        // FUA is allowed everywhere, also where it means nothing: clients are known to set it.
        if request.flags & !(allowed | flag::FUA) != 0 {
            return refuse(
                Errno::Inval,
                "a flag is set that this command does not have",
            );
        }
        if writes && self.read_only {
            return refuse(Errno::Perm, "the export is read-only");
        }
        match request.kind {
            command::READ | command::WRITE if request.length > MAXIMUM_PAYLOAD => {
                return refuse(Errno::Inval, "more than 32 MiB in one request");
            }
            command::FLUSH if (request.offset, request.length) != (0, 0) => {
                return refuse(Errno::Inval, "a flush has neither offset nor length");
            }
            command::BLOCK_STATUS if self.session.contexts.is_empty() => {
                return refuse(Errno::Inval, "no metadata context was chosen");
            }
            command::BLOCK_STATUS if request.length == 0 => {
                return refuse(Errno::Inval, "the status of no bytes");
            }
            _ => {}
        }
        if request.end().is_none_or(|end| end > self.size) {
            let errno = if matches!(request.kind, command::WRITE | command::WRITE_ZEROES) {
                Errno::NoSpace
            } else {
                Errno::Inval
            };
            return refuse(errno, "the range ends beyond the export");
        }
        Ok(())
    }

    /// Runs a request that was admitted, and lays its answer into `out`. `send` empties `out` when it has grown.
    pub fn run(
        &self,
        request: &Request,
        payload: &[u8],
        out: &mut Outbox,
        send: &dyn Fn(&mut Outbox),
    ) {
        let (offset, length, fua) = (
            request.offset,
            u64::from(request.length),
            request.has(flag::FUA),
        );
        let result = match request.kind {
            command::READ => return self.read(request, out, send),
            command::BLOCK_STATUS => return self.block_status(request, out),
            command::WRITE => self.device.write_at(offset, payload, fua),
            command::FLUSH => self.device.flush(),
            command::TRIM => self.device.trim(offset, length, fua),
            command::WRITE_ZEROES => {
                let (no_hole, fast_only) =
                    (request.has(flag::NO_HOLE), request.has(flag::FAST_ZERO));
                self.device.write_zeroes(
                    offset,
                    length,
                    ZeroOptions {
                        fua,
                        no_hole,
                        fast_only,
                    },
                )
            }
            command::CACHE => self.cache(offset, length, out),
            _ => {
                return self.refuse(
                    request,
                    &(Errno::Inval, "this command is not known here".to_owned()),
                    out,
                );
            }
        };
        self.finish(request, result, out);
    }

    /// Writes one piece of a payload that is taken in pieces; durable only after [`Commands::settle`].
    pub fn write_piece(&self, offset: u64, piece: &[u8]) -> Result<(), DeviceError> {
        self.device.write_at(offset, piece, false)
    }

    /// What a FUA on a write in pieces still needs.
    pub fn settle(&self, request: &Request) -> Result<(), DeviceError> {
        if request.has(flag::FUA) {
            self.device.flush()
        } else {
            Ok(())
        }
    }

    /// The answer to a request that has no data to send back.
    pub fn finish(&self, request: &Request, result: Result<(), DeviceError>, out: &mut Outbox) {
        match result {
            // Also when structured replies were asked for: the protocol allows it, and it is the shortest.
            Ok(()) => out.put(&wire::simple_reply(request.cookie, 0)),
            Err(error) => self.refuse(request, &self.explain(request, &error), out),
        }
    }

    /// The answer to a request that was refused or failed.
    pub fn refuse(&self, request: &Request, (errno, text): &Refusal, out: &mut Outbox) {
        if self.session.structured {
            put_error(request, chunk::ERROR, *errno, text, None, out);
        } else {
            out.put(&wire::simple_reply(request.cookie, *errno as u32));
        }
    }

    fn explain(&self, request: &Request, error: &DeviceError) -> Refusal {
        let errno = match error {
            DeviceError::OutOfRange { .. } if request.kind == command::WRITE => Errno::NoSpace,
            DeviceError::OutOfRange { .. } => Errno::Inval,
            DeviceError::ReadOnly => Errno::Perm,
            DeviceError::NoSpace => Errno::NoSpace,
            DeviceError::Revoked => Errno::Shutdown,
            DeviceError::NotFast => Errno::NotSupported,
            DeviceError::Io { .. } => {
                // Rare, and the operator's only trace of a failing disk.
                tracing::warn!(
                    export = self.session.name,
                    command = request.kind,
                    offset = request.offset,
                    length = request.length,
                    error = error as &dyn std::error::Error,
                    "a disk request failed"
                );
                Errno::Io
            }
        };
        (errno, error.to_string())
    }

    fn read(&self, request: &Request, out: &mut Outbox, send: &dyn Fn(&mut Outbox)) {
        let (offset, length) = (request.offset, u64::from(request.length));
        let whole = offset..offset + length;
        if !self.session.structured {
            return self.read_simple(request, out, send);
        }
        if length == 0 {
            return out.put(&wire::chunk_header(chunk::NONE, true, request.cookie, 0));
        }
        if request.has(flag::DF) {
            let _one = (length > READ_PIECE)
                .then(|| self.long.lock().unwrap_or_else(PoisonError::into_inner));
            let mut long = Outbox::default();
            let sink = if length > READ_PIECE {
                &mut long
            } else {
                &mut *out
            };
            if let Err(error) = self.data_chunk(request, whole, true, sink) {
                put_read_error(request, &self.explain(request, &error), offset, sink);
            }
            return send_long(&mut long, out, send);
        }
        let segments = if request.length < LONG_READ {
            vec![]
        } else {
            self.segments(whole.clone())
        };
        // Most reads are short: one chunk, and no list of segments.
        let mut segments = segments.into_iter();
        let mut next = Some(segments.next().unwrap_or((whole.clone(), false)));
        while let Some((range, zero)) = next {
            next = segments.next();
            if zero {
                let done = range.end == whole.end;
                // A hole is part of one request: shorter than 2^32.
                let hole = u32::try_from(range.end - range.start).unwrap_or(u32::MAX);
                out.put(&wire::chunk_header(
                    chunk::OFFSET_HOLE,
                    done,
                    request.cookie,
                    12,
                ));
                out.put(&range.start.to_be_bytes());
                out.put(&hole.to_be_bytes());
                continue;
            }
            let mut start = range.start;
            while start < range.end {
                let end = range.end.min(start + READ_PIECE);
                if let Err(error) = self.data_chunk(request, start..end, end == whole.end, out) {
                    return put_read_error(request, &self.explain(request, &error), start, out);
                }
                start = end;
                if out.len() as u64 >= READ_PIECE {
                    send(out);
                }
            }
        }
    }

    fn read_simple(&self, request: &Request, out: &mut Outbox, send: &dyn Fn(&mut Outbox)) {
        let length = u64::from(request.length);
        let _one =
            (length > READ_PIECE).then(|| self.long.lock().unwrap_or_else(PoisonError::into_inner));
        let mut long = Outbox::default();
        let sink = if length > READ_PIECE {
            &mut long
        } else {
            &mut *out
        };
        let mark = sink.len();
        sink.put(&wire::simple_reply(request.cookie, 0));
        // At most 32 MiB: admitted.
        if let Err(error) = self
            .device
            .read_at(request.offset, sink.room(request.length as usize))
        {
            sink.rewind(mark);
            self.refuse(request, &self.explain(request, &error), sink);
        }
        send_long(&mut long, out, send);
    }

    /// One chunk of data, header and all, or nothing.
    fn data_chunk(
        &self,
        request: &Request,
        range: Range<u64>,
        done: bool,
        out: &mut Outbox,
    ) -> Result<(), DeviceError> {
        // At most 32 MiB: admitted.
        let length = (range.end - range.start) as u32;
        let mark = out.len();
        out.put(&wire::chunk_header(
            chunk::OFFSET_DATA,
            done,
            request.cookie,
            length + 8,
        ));
        out.put(&range.start.to_be_bytes());
        let result = self.device.read_at(range.start, out.room(length as usize));
        if result.is_err() {
            out.rewind(mark);
        }
        result
    }

    /// The range in runs of "must be sent" and "zero, and long enough to be worth saying so".
    fn segments(&self, range: Range<u64>) -> Vec<(Range<u64>, bool)> {
        let mut segments: Vec<(Range<u64>, bool)> = Vec::with_capacity(1);
        let mut position = range.start;
        while position < range.end {
            // Where the device cannot say, or says nothing that helps, the read itself will tell.
            let extents = self
                .device
                .extents(position, range.end - position)
                .unwrap_or_default();
            let before = position;
            for extent in extents {
                let end = extent.range.end.min(range.end);
                if extent.range.start != position || end <= position {
                    break;
                }
                let zero = extent.allocation != Allocation::Data && end - position >= WORTHY_HOLE;
                push_segment(&mut segments, position..end, zero);
                position = end;
            }
            if position == before {
                push_segment(&mut segments, position..range.end, false);
                break;
            }
        }
        segments
    }

    /// Reads and forgets: what the device read is then in the page cache.
    fn cache(&self, offset: u64, length: u64, out: &mut Outbox) -> Result<(), DeviceError> {
        let mark = out.len();
        let mut position = offset;
        let mut result = Ok(());
        while position < offset + length && result.is_ok() {
            let step = READ_PIECE.min(offset + length - position);
            result = self.device.read_at(position, out.room(step as usize));
            out.rewind(mark);
            position += step;
        }
        result
    }

    fn block_status(&self, request: &Request, out: &mut Outbox) {
        let mark = out.len();
        let last = self.session.contexts.len().saturating_sub(1);
        for (id, context) in self.session.contexts.iter().enumerate() {
            match self.statuses(request, context) {
                Ok(statuses) => {
                    let length = u32::try_from(4 + 8 * statuses.len()).unwrap_or(u32::MAX);
                    out.put(&wire::chunk_header(
                        chunk::BLOCK_STATUS,
                        id == last,
                        request.cookie,
                        length,
                    ));
                    out.put(&u32::try_from(id).unwrap_or(u32::MAX).to_be_bytes());
                    for (length, flags) in statuses {
                        out.put(&length.to_be_bytes());
                        out.put(&flags.to_be_bytes());
                    }
                }
                Err(error) => {
                    out.rewind(mark);
                    return self.refuse(request, &self.explain(request, &error), out);
                }
            }
        }
    }

    /// Descriptors of one context: at least one, together no longer than the request, neighbours different.
    fn statuses(
        &self,
        request: &Request,
        context: &Context,
    ) -> Result<Vec<(u32, u32)>, DeviceError> {
        let most = if request.has(flag::REQ_ONE) {
            1
        } else {
            MAX_EXTENTS
        };
        let end = request.offset + u64::from(request.length);
        let mut found: Vec<(u32, u32)> = Vec::new();
        let mut position = request.offset;
        'ask: while position < end {
            let before = position;
            for Status { length, flags } in self.ask(context, position, end - position)? {
                // The sum of all is at most the request's length, so each fits in 32 bits.
                let length = length.min(end - position) as u32;
                let full = found.len() == most;
                match found.last_mut() {
                    Some((run, same)) if *same == flags => *run += length,
                    _ if full => break 'ask,
                    _ if length == 0 => {}
                    _ => found.push((length, flags)),
                }
                position += u64::from(length);
            }
            if position == before {
                break;
            }
        }
        if found.is_empty() {
            // "Allocated, content unknown" is always true.
            found.push((request.length, 0));
        }
        Ok(found)
    }

    fn ask(&self, context: &Context, offset: u64, length: u64) -> Result<Vec<Status>, DeviceError> {
        let Context::Other(own) = context else {
            let extents = self.device.extents(offset, length)?;
            let status = |extent: crate::engine::block::Extent| Status {
                length: extent.range.end.saturating_sub(extent.range.start),
                flags: match extent.allocation {
                    Allocation::Data => 0,
                    Allocation::Zero => state::ZERO,
                    Allocation::Hole => state::HOLE | state::ZERO,
                },
            };
            return Ok(extents.into_iter().map(status).collect());
        };
        own.status(offset, length)
    }
}

fn push_segment(segments: &mut Vec<(Range<u64>, bool)>, range: Range<u64>, zero: bool) {
    match segments.last_mut() {
        Some((last, same)) if *same == zero => last.end = range.end,
        _ => segments.push((range, zero)),
    }
}

/// Sends an answer that was too long for `out`, and lets go of its memory.
fn send_long(long: &mut Outbox, out: &mut Outbox, send: &dyn Fn(&mut Outbox)) {
    if !long.is_empty() {
        send(out);
        send(long);
    }
}

fn put_read_error(request: &Request, refusal: &Refusal, offset: u64, out: &mut Outbox) {
    put_error(
        request,
        chunk::ERROR_OFFSET,
        refusal.0,
        &refusal.1,
        Some(offset),
        out,
    );
}

/// `u32 error, u16 length, text`, and the offset where there is one.
fn put_error(
    request: &Request,
    kind: u16,
    errno: Errno,
    text: &str,
    offset: Option<u64>,
    out: &mut Outbox,
) {
    let text = wire::clip(text).as_bytes();
    let offset = offset.map(u64::to_be_bytes);
    let offset = offset.as_ref().map_or(&[][..], |bytes| bytes);
    // A clipped text is at most 4096 bytes.
    let length = (6 + text.len() + offset.len()) as u32;
    out.put(&wire::chunk_header(kind, true, request.cookie, length));
    out.put(&(errno as u32).to_be_bytes());
    out.put(&(text.len() as u16).to_be_bytes());
    out.put(text);
    out.put(offset);
}
