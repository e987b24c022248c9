//! The handshake, option by option.

use super::{
    Stage,
    client::{Client, FLAGS, info, meta},
    device::MemoryDevice,
};
use crate::{
    engine::block::DeviceError,
    nbd::{
        Export, MetaContext, MetaContexts, Status,
        wire::{self, command, info, option, reply, transmission_flag as flag},
    },
};
use std::{io::Write, sync::Arc};

const SIZE: u64 = 1 << 20;

fn disk() -> Stage {
    Stage::of(Arc::new(MemoryDevice::new(SIZE)))
}

/// A context of which the flags are the number in its name, alternating each 64 KiB with 0.
struct Numbers;

impl MetaContexts for Numbers {
    fn list(&self) -> Vec<String> {
        vec!["reprise:number/1".to_owned()]
    }

    fn open(&self, name: &str) -> Option<Arc<dyn MetaContext>> {
        let number = name.strip_prefix("reprise:number/")?.parse().ok()?;
        Some(Arc::new(Number(number)))
    }
}

struct Number(u32);

impl MetaContext for Number {
    fn status(&self, offset: u64, length: u64) -> Result<Vec<Status>, DeviceError> {
        let run = (65536 - offset % 65536).min(length);
        Ok(vec![Status {
            length: run,
            flags: if (offset / 65536).is_multiple_of(2) {
                self.0
            } else {
                0
            },
        }])
    }
}

#[test]
fn unknown_options_are_refused_and_the_next_one_works() {
    let stage = disk();
    let mut client = Client::connect(&stage.socket, FLAGS);
    // STARTTLS, EXTENDED_HEADERS, and one that nobody has defined.
    for option in [5, 11, 0xdead_beef] {
        assert_eq!(client.option(option, &[7; 5000])[0].0, reply::ERR_UNSUP);
    }
    assert_eq!(client.go("disk").0, SIZE);
    client.assert_in_step();
}

#[test]
fn option_data_are_bounded() {
    let stage = disk();
    let mut client = Client::connect(&stage.socket, FLAGS);
    assert_eq!(
        client.option(option::GO, &vec![0; 100_000])[0].0,
        reply::ERR_TOO_BIG
    );
    assert_eq!(client.option(option::GO, &info("disk", &[])).len(), 2);
    let mut client = Client::connect(&stage.socket, FLAGS);
    let head = [
        &wire::OPTION_MAGIC.to_be_bytes()[..],
        &[0, 0, 0, 7],
        &[0xff; 4],
    ]
    .concat();
    client.socket.write_all(&head).unwrap();
    assert!(client.closed());
}

#[test]
fn malformed_data_are_refused() {
    let stage = disk();
    let mut client = Client::connect(&stage.socket, FLAGS);
    for (option, data) in [
        (option::GO, &b"\0\0\0\xffdisk"[..]),
        (option::GO, b""),
        (option::INFO, b"\0\0\0\x01\xff\0\0"),
        (option::LIST, b"x"),
        (option::STRUCTURED_REPLY, b"x"),
        (option::SET_META_CONTEXT, b"\0\0"),
        // Before structured replies.
        (option::SET_META_CONTEXT, &meta("disk", &[])),
    ] {
        assert_eq!(
            client.option(option, data)[0].0,
            reply::ERR_INVALID,
            "{option} {data:?}"
        );
    }
    assert_eq!(
        client.option(option::STRUCTURED_REPLY, &[])[0].0,
        reply::ACK
    );
    assert_eq!(
        client.option(option::STRUCTURED_REPLY, &[])[0].0,
        reply::ERR_INVALID
    );
    assert_eq!(
        client.option(option::INFO, &info("no such disk", &[]))[0].0,
        reply::ERR_UNKNOWN
    );
    client.go("disk");
}

#[test]
fn another_magic_or_unknown_client_flags_end_the_session() {
    let stage = disk();
    assert!(Client::connect(&stage.socket, 4).closed());
    let mut client = Client::connect(&stage.socket, FLAGS);
    client.socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(client.closed());
    Client::simple(&stage.socket).assert_in_step();
}

#[test]
fn list_and_abort() {
    let stage = Stage::with(&["disk", "checkpoint/é"], |_| None);
    let mut client = Client::connect(&stage.socket, FLAGS);
    let replies = client.option(option::LIST, &[]);
    let names: Vec<&[u8]> = replies
        .iter()
        .filter(|r| r.0 == reply::SERVER)
        .map(|r| &r.1[4..])
        .collect();
    assert_eq!(names, [&b"disk"[..], "checkpoint/é".as_bytes()]);
    assert_eq!(replies.last().unwrap().0, reply::ACK);
    assert_eq!(client.option(option::ABORT, &[]), [(reply::ACK, vec![])]);
    assert!(client.closed());
}

#[test]
fn export_name_with_and_without_the_zeroes() {
    let stage = disk();
    for (flags, zeroes) in [(3, 0), (1, 124), (0, 124)] {
        let mut client = Client::connect(&stage.socket, flags);
        client.send_option(option::EXPORT_NAME, b"disk");
        assert_eq!(u64::from_be_bytes(client.take()), SIZE);
        assert_eq!(u16::from_be_bytes(client.take()) & flag::HAS_FLAGS, 1);
        assert_eq!(client.bytes(zeroes), vec![0; zeroes]);
        assert_eq!(client.act(command::WRITE, 0, 0, 3, b"abc"), 0);
    }
    let mut client = Client::connect(&stage.socket, FLAGS);
    client.send_option(option::EXPORT_NAME, b"other");
    assert!(client.closed());
}

#[test]
fn information_and_transmission_flags() {
    let stage = Stage::with(&[], |name| {
        let mut device = MemoryDevice::new(SIZE);
        device.read_only = name == "ro";
        let description = Some("un disque".to_owned());
        Some(Export {
            multi_conn: name == "multi",
            description,
            ..Export::new(Arc::new(device))
        })
    });
    let mut client = Client::connect(&stage.socket, FLAGS);
    let wanted = [info::NAME, info::DESCRIPTION, info::BLOCK_SIZE, 77];
    let replies = client.option(option::INFO, &info("x", &wanted));
    let sizes = [
        &3_u16.to_be_bytes()[..],
        &[0, 0, 0, 1],
        &[0, 0, 16, 0],
        &[2, 0, 0, 0],
    ]
    .concat();
    let rest = [
        (reply::INFO, b"\0\x01x".to_vec()),
        (reply::INFO, b"\0\x02un disque".to_vec()),
        (reply::INFO, sizes),
    ];
    assert_eq!(replies[1..4], rest);
    assert_eq!(replies[4], (reply::ACK, vec![]));

    let common = flag::HAS_FLAGS | flag::SEND_FLUSH | flag::SEND_FUA | flag::SEND_CACHE;
    let writes = flag::SEND_TRIM | flag::SEND_WRITE_ZEROES | flag::SEND_FAST_ZERO;
    assert_eq!(
        Client::connect(&stage.socket, FLAGS).go("x").1,
        common | writes
    );
    assert_eq!(
        Client::connect(&stage.socket, FLAGS).go("multi").1,
        common | writes | flag::CAN_MULTI_CONN
    );
    assert_eq!(
        client.option(option::STRUCTURED_REPLY, &[])[0].0,
        reply::ACK
    );
    assert_eq!(client.go("ro").1, common | flag::READ_ONLY | flag::SEND_DF);
}

#[test]
fn contexts_are_listed_chosen_and_told_apart() {
    let stage = Stage::with(&[], |_| {
        let contexts: Option<Arc<dyn MetaContexts>> = Some(Arc::new(Numbers));
        Some(Export {
            contexts,
            ..Export::new(Arc::new(MemoryDevice::new(SIZE)))
        })
    });
    let mut client = Client::connect(&stage.socket, FLAGS);
    client.option(option::STRUCTURED_REPLY, &[]);
    let mut list = |queries: &[&str]| -> Vec<String> {
        let replies = client.option(option::LIST_META_CONTEXT, &meta("disk", queries));
        let named = replies.iter().filter(|r| r.0 == reply::META_CONTEXT);
        named
            .map(|r| String::from_utf8(r.1[4..].to_vec()).unwrap())
            .collect()
    };
    assert_eq!(list(&[]), ["base:allocation", "reprise:number/1"]);
    assert_eq!(list(&["base:"]), ["base:allocation"]);
    assert_eq!(list(&["reprise:"]), ["reprise:number/1"]);
    assert_eq!(list(&["reprise:number/8"]), ["reprise:number/8"]);
    assert_eq!(list(&["qemu:", "reprise:nothing"]), Vec::<String>::new());

    let queries = [
        "reprise:number/8",
        "qemu:x",
        "base:allocation",
        "reprise:number/8",
    ];
    let replies = client.option(option::SET_META_CONTEXT, &meta("disk", &queries));
    let chosen = [
        (reply::META_CONTEXT, b"\0\0\0\0reprise:number/8".to_vec()),
        (reply::META_CONTEXT, b"\0\0\0\x01base:allocation".to_vec()),
        (reply::ACK, vec![]),
    ];
    assert_eq!(replies, chosen);
    client.go("disk");
    let cookie = client.request(command::BLOCK_STATUS, 0, 60_000, 20_000, &[]);
    let chunks = client.chunks(cookie);
    assert_eq!(
        super::client::pairs(&chunks[0].1[4..]),
        [(5536, 8), (14_464, 0)]
    );
    assert_eq!(super::client::pairs(&chunks[1].1[4..]), [(20_000, 3)]);
    assert_eq!(chunks[1].1[..4], [0, 0, 0, 1]);
}

#[test]
fn contexts_chosen_for_another_export_count_for_nothing() {
    let stage = Stage::with(&[], |_| {
        Some(Export::new(Arc::new(MemoryDevice::new(SIZE))))
    });
    let mut client = Client::connect(&stage.socket, FLAGS);
    client.option(option::STRUCTURED_REPLY, &[]);
    client.option(option::SET_META_CONTEXT, &meta("one", &["base:allocation"]));
    client.go("two");
    assert_eq!(client.act(command::BLOCK_STATUS, 0, 0, 4096, &[]), 22);
    client.assert_in_step();
}
