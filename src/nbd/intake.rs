//! Requests and payloads as they come from the socket.
//!
//! One `read` brings as many small requests as the client has sent: at a queue depth of 32 that is one system call for
//! many requests instead of one or two for each. Payloads that do not fit the buffer go straight to where they are
//! wanted, without a second copy.

use super::wire::Request;
use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
};

/// Bytes read ahead. Some 2,300 requests without payload, or 63 writes of 4 KiB.
const BUFFER: usize = 256 << 10;

/// The reading end of a connection. Whoever holds it is the connection's reader.
pub(super) struct Intake {
    buffer: Box<[u8]>,
    /// The bytes not yet taken are `buffer[start..end]`.
    start: usize,
    end: usize,
}

impl Intake {
    pub fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether the next request can be taken, payload and all, without waiting for the client. Bytes that are no request
    /// count as one: whoever takes it will see.
    pub fn ready(&self) -> bool {
        let Some(head) = self.buffered().first_chunk() else {
            return false;
        };
        let payload = Request::parse(head).map_or(0, |request| request.payload());
        usize::try_from(payload)
            .is_ok_and(|payload| self.buffered().len() - Request::SIZE >= payload)
    }

    /// The next request's bytes, without its payload; `None` at the end of the stream, also in the middle of a request.
    pub fn next(&mut self, socket: &UnixStream) -> io::Result<Option<[u8; Request::SIZE]>> {
        while self.buffered().len() < Request::SIZE {
            if self.more(socket)? == 0 {
                return Ok(None);
            }
        }
        let head = self.buffered().first_chunk().copied();
        self.start += Request::SIZE;
        Ok(head)
    }

    /// Fills `out` with payload.
    ///
    /// # Errors
    /// `UnexpectedEof` when the client stopped in the middle.
    pub fn payload(&mut self, socket: &UnixStream, out: &mut [u8]) -> io::Result<()> {
        let ready = out.len().min(self.buffered().len());
        let (head, mut rest) = out.split_at_mut(ready);
        head.copy_from_slice(self.buffered().get(..ready).unwrap_or_default());
        self.start += ready;
        while !rest.is_empty() {
            // A short remainder comes with what follows it.
            if rest.len() < BUFFER / 4 {
                if self.more(socket)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let ready = rest.len().min(self.buffered().len());
                let (head, tail) = rest.split_at_mut(ready);
                head.copy_from_slice(self.buffered().get(..ready).unwrap_or_default());
                self.start += ready;
                rest = tail;
                continue;
            }
            match retry(|| (&*socket).read(rest))? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => rest = rest.get_mut(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// Throws payload away.
    ///
    /// # Errors
    /// `UnexpectedEof` when the client stopped in the middle.
    pub fn drain(&mut self, socket: &UnixStream, length: u32) -> io::Result<()> {
        let mut left = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        while left > 0 {
            if self.buffered().is_empty() && self.more(socket)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = left.min(self.buffered().len());
            self.start += step;
            left -= step;
        }
        Ok(())
    }

    /// Reads once. Called only when fewer bytes are left than are wanted, so that moving them costs little.
    fn more(&mut self, socket: &UnixStream) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = retry(|| (&*socket).read(room))?;
        self.end += count;
        Ok(count)
    }
}

fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
