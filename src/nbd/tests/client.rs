//! An NBD client that says exactly what a test tells it to.

use crate::nbd::wire::{self, Request, chunk, command, option, reply};
use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// Both client flags.
pub const FLAGS: u32 = 3;

pub struct Client {
    pub socket: UnixStream,
    next: u64,
}

/// One message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Simple {
        cookie: u64,
        error: u32,
    },
    Chunk {
        cookie: u64,
        kind: u16,
        done: bool,
        payload: Vec<u8>,
    },
}

impl Answer {
    pub fn cookie(&self) -> u64 {
        match self {
            Self::Simple { cookie, .. } | Self::Chunk { cookie, .. } => *cookie,
        }
    }

    /// The error number, 0 for none.
    pub fn error(&self) -> u32 {
        match self {
            Self::Simple { error, .. } => *error,
            Self::Chunk { kind, payload, .. } if kind & (1 << 15) != 0 => {
                u32::from_be_bytes(payload[..4].try_into().unwrap())
            }
            Self::Chunk { .. } => 0,
        }
    }
}

impl Client {
    /// Connects and exchanges greetings.
    pub fn connect(path: &Path, flags: u32) -> Self {
        let socket = UnixStream::connect(path).unwrap();
        // Not an assertion on time: a test that would hang fails instead.
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut client = Self { socket, next: 1 };
        assert_eq!(client.take::<18>(), wire::greeting());
        client.socket.write_all(&flags.to_be_bytes()).unwrap();
        client
    }

    /// Into the transmission of "disk", with structured replies and `base:allocation`.
    pub fn structured(path: &Path) -> Self {
        let mut client = Self::connect(path, FLAGS);
        assert_eq!(
            client.option(option::STRUCTURED_REPLY, &[]),
            [(reply::ACK, vec![])]
        );
        let replies = client.option(
            option::SET_META_CONTEXT,
            &meta("disk", &[wire::BASE_ALLOCATION]),
        );
        assert_eq!(replies.last().unwrap().0, reply::ACK);
        client.go("disk");
        client
    }

    /// Into the transmission of "disk", with simple replies.
    pub fn simple(path: &Path) -> Self {
        let mut client = Self::connect(path, FLAGS);
        client.go("disk");
        client
    }

    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.socket.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.socket.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Whether the server has closed, with nothing left to read.
    pub fn closed(&mut self) -> bool {
        match self.socket.read(&mut [0]) {
            Ok(count) => count == 0,
            // It left without having read all that was sent.
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    pub fn send_option(&mut self, option: u32, data: &[u8]) {
        let mut message = wire::OPTION_MAGIC.to_be_bytes().to_vec();
        message.extend(option.to_be_bytes());
        message.extend((data.len() as u32).to_be_bytes());
        message.extend(data);
        self.socket.write_all(&message).unwrap();
    }

    /// Sends an option; gives the replies up to the final one.
    pub fn option(&mut self, option: u32, data: &[u8]) -> Vec<(u32, Vec<u8>)> {
        self.send_option(option, data);
        let mut replies = Vec::new();
        loop {
            assert_eq!(u64::from_be_bytes(self.take()), wire::OPTION_REPLY_MAGIC);
            assert_eq!(u32::from_be_bytes(self.take()), option);
            let kind = u32::from_be_bytes(self.take());
            let length = u32::from_be_bytes(self.take());
            let data = self.bytes(length as usize);
            replies.push((kind, data));
            if kind == reply::ACK || kind & (1 << 31) != 0 {
                return replies;
            }
        }
    }

    /// `OPT_GO`: size and transmission flags.
    pub fn go(&mut self, name: &str) -> (u64, u16) {
        let replies = self.option(option::GO, &info(name, &[]));
        assert_eq!(replies.last().unwrap().0, reply::ACK, "{replies:?}");
        let (kind, data) = &replies[0];
        assert_eq!((*kind, &data[..2]), (reply::INFO, &[0, 0][..]));
        (
            u64::from_be_bytes(data[2..10].try_into().unwrap()),
            u16::from_be_bytes(data[10..].try_into().unwrap()),
        )
    }

    /// Sends a request with whatever follows it; gives its cookie.
    pub fn request(
        &mut self,
        kind: u16,
        flags: u16,
        offset: u64,
        length: u32,
        payload: &[u8],
    ) -> u64 {
        let cookie = self.next;
        self.next += 1;
        let mut message = encode(&Request {
            flags,
            kind,
            cookie,
            offset,
            length,
        });
        message.extend(payload);
        self.socket.write_all(&message).unwrap();
        cookie
    }

    pub fn send_write(&mut self, offset: u64, data: &[u8]) -> u64 {
        self.request(command::WRITE, 0, offset, data.len() as u32, data)
    }

    pub fn send_read(&mut self, offset: u64, length: u32) -> u64 {
        self.request(command::READ, 0, offset, length, &[])
    }

    /// The next message, without knowing what it answers: simple replies are taken to have no data.
    pub fn answer(&mut self) -> Answer {
        let magic = u32::from_be_bytes(self.take());
        if magic == wire::SIMPLE_REPLY_MAGIC {
            let error = u32::from_be_bytes(self.take());
            return Answer::Simple {
                error,
                cookie: u64::from_be_bytes(self.take()),
            };
        }
        assert_eq!(magic, wire::CHUNK_MAGIC);
        let flags = u16::from_be_bytes(self.take());
        let kind = u16::from_be_bytes(self.take());
        let cookie = u64::from_be_bytes(self.take());
        let length = u32::from_be_bytes(self.take());
        let payload = self.bytes(length as usize);
        assert_eq!(flags & !chunk::FLAG_DONE, 0, "unknown flags");
        Answer::Chunk {
            cookie,
            kind,
            done: flags & chunk::FLAG_DONE != 0,
            payload,
        }
    }

    /// Sends a request without data in its answer; gives the error number.
    pub fn act(&mut self, kind: u16, flags: u16, offset: u64, length: u32, payload: &[u8]) -> u32 {
        let cookie = self.request(kind, flags, offset, length, payload);
        let answer = self.answer();
        assert_eq!(answer.cookie(), cookie);
        answer.error()
    }

    /// All chunks of the answer to one request, on a connection that has no other.
    pub fn chunks(&mut self, cookie: u64) -> Vec<(u16, Vec<u8>)> {
        let mut chunks = Vec::new();
        loop {
            let Answer::Chunk {
                cookie: theirs,
                kind,
                done,
                payload,
            } = self.answer()
            else {
                panic!("a simple reply")
            };
            assert_eq!(theirs, cookie);
            chunks.push((kind, payload));
            if done {
                return chunks;
            }
        }
    }

    /// Reads a range and puts its chunks together: the bytes, and how many came as holes.
    pub fn read(&mut self, offset: u64, length: u32, flags: u16) -> (Vec<u8>, u64) {
        let cookie = self.request(command::READ, flags, offset, length, &[]);
        let (mut bytes, mut holes, mut covered) = (vec![0xEE; length as usize], 0, 0);
        for (kind, payload) in self.chunks(cookie) {
            let start = |payload: &[u8]| {
                (u64::from_be_bytes(payload[..8].try_into().unwrap()) - offset) as usize
            };
            match kind {
                chunk::NONE => {}
                chunk::OFFSET_DATA => {
                    let start = start(&payload);
                    bytes[start..start + payload.len() - 8].copy_from_slice(&payload[8..]);
                    covered += payload.len() as u64 - 8;
                }
                chunk::OFFSET_HOLE => {
                    let start = start(&payload);
                    let hole = u32::from_be_bytes(payload[8..].try_into().unwrap());
                    bytes[start..start + hole as usize].fill(0);
                    holes += u64::from(hole);
                }
                other => panic!("chunk {other}"),
            }
        }
        assert_eq!(covered + holes, u64::from(length), "all of it, once");
        (bytes, holes)
    }

    /// `BLOCK_STATUS` with one context: lengths and flags.
    pub fn status(&mut self, flags: u16, offset: u64, length: u32) -> Vec<(u32, u32)> {
        let cookie = self.request(command::BLOCK_STATUS, flags, offset, length, &[]);
        let chunks = self.chunks(cookie);
        assert_eq!(chunks.len(), 1);
        let (kind, payload) = &chunks[0];
        assert_eq!(*kind, chunk::BLOCK_STATUS);
        pairs(&payload[4..])
    }

    /// Nothing else on this connection is out of step: a read of the first byte is answered.
    pub fn assert_in_step(&mut self) {
        let cookie = self.send_read(0, 1);
        assert_eq!(self.answer().cookie(), cookie);
    }
}

/// `u32, u32` pairs.
pub fn pairs(bytes: &[u8]) -> Vec<(u32, u32)> {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    bytes
        .chunks(8)
        .map(|pair| (number(&pair[..4]), number(&pair[4..])))
        .collect()
}

pub fn encode(request: &Request) -> Vec<u8> {
    let mut bytes = wire::REQUEST_MAGIC.to_be_bytes().to_vec();
    bytes.extend(request.flags.to_be_bytes());
    bytes.extend(request.kind.to_be_bytes());
    bytes.extend(request.cookie.to_be_bytes());
    bytes.extend(request.offset.to_be_bytes());
    bytes.extend(request.length.to_be_bytes());
    bytes
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

/// Data of `OPT_INFO` and `OPT_GO`.
pub fn info(name: &str, wanted: &[u16]) -> Vec<u8> {
    let mut data = string(name);
    data.extend((wanted.len() as u16).to_be_bytes());
    data.extend(wanted.iter().flat_map(|kind| kind.to_be_bytes()));
    data
}

/// Data of `OPT_LIST_META_CONTEXT` and `OPT_SET_META_CONTEXT`.
pub fn meta(name: &str, queries: &[&str]) -> Vec<u8> {
    let mut data = string(name);
    data.extend((queries.len() as u32).to_be_bytes());
    data.extend(queries.iter().flat_map(|query| string(query)));
    data
}
