//! The codec: any bytes, and there and back.

use super::client;
use crate::nbd::{
    error::Malformed,
    wire::{self, InfoRequest, MetaRequest, OptionHeader, Request, chunk, command, reply},
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = InfoRequest::parse(&bytes);
        let _ = MetaRequest::parse(&bytes);
        let _ = wire::parse_name(&bytes);
        if let Some(head) = bytes.first_chunk() {
            let _ = Request::parse(head);
        }
        if let Some(head) = bytes.first_chunk() {
            let _ = OptionHeader::parse(head);
        }
    }

    /// Lengths that lie, in data that are otherwise right.
    #[test]
    fn a_wrong_length_is_an_error(name in "[a-z/]{0,20}", at in 0_usize..40, value in any::<u8>()) {
        let mut data = client::meta(&name, &["base:allocation", "x:"]);
        let at = at % data.len();
        data[at] ^= value;
        if let Ok(request) = MetaRequest::parse(&data) {
            let queries: Vec<&str> = request.queries.iter().map(String::as_str).collect();
            prop_assert_eq!(client::meta(&request.name, &queries), data);
        }
    }

    #[test]
    fn a_request_comes_back(flags: u16, kind: u16, cookie: u64, offset: u64, length: u32) {
        let request = Request { flags, kind, cookie, offset, length };
        let bytes: [u8; Request::SIZE] = client::encode(&request).try_into().unwrap();
        prop_assert_eq!(Request::parse(&bytes), Ok(request));
    }

    #[test]
    fn another_magic_is_no_request(mut bytes in proptest::array::uniform28(any::<u8>()), magic: u32) {
        prop_assume!(magic != wire::REQUEST_MAGIC);
        bytes[..4].copy_from_slice(&magic.to_be_bytes());
        prop_assert_eq!(Request::parse(&bytes), Err(Malformed::Magic { found: magic.into() }));
    }

    #[test]
    fn the_data_of_go_come_back(name in "\\PC{0,40}", wanted in proptest::collection::vec(0_u16..16, 0..8)) {
        let request = InfoRequest::parse(&client::info(&name, &wanted)).unwrap();
        prop_assert_eq!(&request.name, &name);
        for kind in 0..16 {
            prop_assert_eq!(request.wants(kind), wanted.contains(&kind));
        }
    }

    #[test]
    fn the_data_of_meta_come_back(name in "\\PC{0,40}", queries in proptest::collection::vec("\\PC{0,30}", 0..6)) {
        let borrowed: Vec<&str> = queries.iter().map(String::as_str).collect();
        let request = MetaRequest::parse(&client::meta(&name, &borrowed)).unwrap();
        prop_assert_eq!(request, MetaRequest { name, queries });
    }

    #[test]
    fn clipping_gives_a_string_of_the_protocol(text in "(\\PC|\\x00){0,3000}") {
        let clipped = wire::clip(&text);
        prop_assert!(text.starts_with(clipped));
        prop_assert_eq!(wire::parse_name(clipped.as_bytes()), Ok(clipped));
    }
}

#[test]
fn lengths_are_checked_on_both_sides() {
    let good = client::info("disk", &[3]);
    assert!(InfoRequest::parse(&good).is_ok());
    assert_eq!(
        InfoRequest::parse(&good[..good.len() - 1]),
        Err(Malformed::Short)
    );
    assert_eq!(
        InfoRequest::parse(&[&good[..], &[0]].concat()),
        Err(Malformed::Long)
    );
    // 4 billion queries are announced, none follows.
    let lie = [&client::meta("disk", &[])[..8], &[0xff; 4]].concat();
    assert_eq!(MetaRequest::parse(&lie), Err(Malformed::Short));
    assert_eq!(
        InfoRequest::parse(&client::info("a\0b", &[])),
        Err(Malformed::NotAString)
    );
    assert_eq!(wire::parse_name(&[0xff]), Err(Malformed::NotAString));
    assert_eq!(wire::parse_name(&[b'a'; 4097]), Err(Malformed::NotAString));
}

/// The bytes as the specification prints them: what both of our ends might get wrong together.
#[test]
fn golden_bytes() {
    assert_eq!(wire::greeting(), *b"NBDMAGICIHAVEOPT\0\x03");
    let request = *b"\x25\x60\x95\x13\0\x01\0\x01\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\x10\0\0\0\x02\0";
    let parsed = Request {
        flags: 1,
        kind: command::WRITE,
        cookie: 7,
        offset: 4096,
        length: 512,
    };
    assert_eq!(Request::parse(&request), Ok(parsed));
    assert_eq!(
        wire::simple_reply(7, 22),
        *b"\x67\x44\x66\x98\0\0\0\x16\0\0\0\0\0\0\0\x07"
    );
    let header = wire::chunk_header(chunk::OFFSET_DATA, true, 7, 9);
    assert_eq!(
        header,
        *b"\x66\x8e\x33\xef\0\x01\0\x01\0\0\0\0\0\0\0\x07\0\0\0\x09"
    );
    let mut out = Vec::new();
    wire::put_option_reply(&mut out, 3, reply::ERR_UNSUP, &[b"n", b"o"]);
    assert_eq!(
        out,
        *b"\0\x03\xe8\x89\x04\x55\x65\xa9\0\0\0\x03\x80\0\0\x01\0\0\0\x02no"
    );
}
