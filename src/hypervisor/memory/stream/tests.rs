//! Streams that are taken apart, beside what was put into them; and bytes that are no stream.

use super::{Left, PAGE, Page, Parting, Unknown};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};

const SECTION: u32 = 2;
const PAGES: u64 = 6;
/// Name and pages. The first is the guest's memory.
const BLOCKS: [(&str, u64); 3] = [("pc.ram", PAGES), ("pc.bios", 2), ("pc.rom", 3)];

/// A page that a stream brings.
#[derive(Debug, Clone)]
struct Brought {
    block: usize,
    page: u64,
    /// None: zeros.
    filled: Option<u8>,
    /// Another section begins here.
    cut: bool,
}

/// A stream, and what is left of it.
#[derive(Default)]
struct Made {
    whole: Vec<u8>,
    rest: Vec<u8>,
}

impl Made {
    fn both(&mut self, bytes: &[u8]) {
        self.whole.extend_from_slice(bytes);
        self.rest.extend_from_slice(bytes);
    }

    fn part(&mut self, kind: u8) {
        self.both(&[kind]);
        self.both(&SECTION.to_be_bytes());
    }

    fn over(&mut self) {
        self.both(&0x10_u64.to_be_bytes());
        self.part(0x7e);
    }
}

fn name(name: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(name.len()).unwrap()];
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

fn bytes_of(filled: u8) -> Vec<u8> {
    (0..PAGE).map(|at| filled ^ at.to_le_bytes()[0]).collect()
}

fn made(brought: &[Brought], configured: bool, ends: bool) -> Made {
    let mut made = Made::default();
    made.both(b"QEVM\0\0\0\x03");
    if configured {
        made.both(b"\x07\0\0\0\x0dpc-i440fx-7.2");
    }
    made.part(1);
    made.both(b"\x03ram\0\0\0\0\0\0\0\x04");
    let sum: u64 = BLOCKS.iter().map(|(_, pages)| pages * PAGE as u64).sum();
    made.both(&(sum | 4).to_be_bytes());
    for (block, pages) in BLOCKS {
        made.both(&name(block));
        made.both(&(pages * PAGE as u64).to_be_bytes());
    }
    made.over();
    made.part(2);
    let mut last = None;
    for one in brought {
        if one.cut {
            made.over();
            made.part(2);
        }
        let mut flags = if one.filled.is_some() { 8 } else { 2 };
        if last == Some(one.block) {
            flags |= 0x20;
        }
        let mut record = ((one.page * PAGE as u64) | flags).to_be_bytes().to_vec();
        if last != Some(one.block) {
            record.extend(name(BLOCKS[one.block].0));
        }
        match one.filled {
            Some(filled) => record.extend(bytes_of(filled)),
            None => record.push(0),
        }
        made.whole.extend(&record);
        if one.block != 0 {
            made.rest.extend(&record);
        }
        last = Some(one.block);
    }
    made.over();
    if ends {
        made.part(3);
        made.over();
    }
    made.both(b"\x04\0\0\0\x05\x05timer\0\0\0\0\0\0\0\x02 and whatever devices say\0");
    made
}

/// The memory, and what is left.
type Parted = (BTreeMap<u64, Vec<u8>>, Vec<u8>);

/// What a stream that comes in such pieces is taken apart to.
fn parted(stream: &[u8], pieces: &[usize]) -> Result<Parted, Unknown> {
    let mut parting = Parting::new(BLOCKS[0].0, PAGES * PAGE as u64);
    let mut memory = BTreeMap::new();
    let mut told = HashSet::new();
    let (mut at, mut number) = (0, 0);
    while at < stream.len() {
        let end = stream.len().min(at + pieces[number % pieces.len()]);
        let (piece, mut pages) = (&stream[at..end], Vec::new());
        parting.go_on(piece, &mut pages)?;
        for Page { at, offset } in pages {
            assert!(told.insert(offset), "a page is told of once");
            assert!(offset < PAGES * PAGE as u64 && offset % PAGE as u64 == 0);
            memory.insert(offset, piece[at..at + PAGE].to_vec());
        }
        (at, number) = (end, number + 1);
    }
    let Left { rest, late } = parting.finish()?;
    for (offset, bytes) in late {
        assert_eq!(bytes.len(), PAGE);
        memory.insert(offset, bytes);
    }
    Ok((memory, rest))
}

fn brought() -> impl Strategy<Value = Vec<Brought>> {
    let one = (0..BLOCKS.len()).prop_flat_map(|block| {
        (0..BLOCKS[block].1, any::<Option<u8>>(), any::<bool>()).prop_map(
            move |(page, filled, cut)| Brought {
                block,
                page,
                filled,
                cut,
            },
        )
    });
    prop::collection::vec(one, 0..24)
}

proptest! {
    #[test]
    fn pages_and_the_rest_are_what_was_put_in(
        brought in brought(),
        configured in any::<bool>(),
        ends in any::<bool>(),
        pieces in prop::collection::vec(prop_oneof![1..30_usize, 4000..9000_usize, Just(1 << 20)], 1..8),
    ) {
        let made = made(&brought, configured, ends);
        let mut memory = BTreeMap::new();
        for one in brought.iter().filter(|one| one.block == 0) {
            let bytes = one.filled.map_or_else(|| vec![0; PAGE], bytes_of);
            memory.insert(one.page * PAGE as u64, bytes);
        }
        let (mut found, rest) = parted(&made.whole, &pieces).unwrap();
        // A page of zeros that is never anything else is as the memory of a new process is: nothing is told of it.
        memory.retain(|_, bytes| bytes.iter().any(|byte| *byte != 0));
        found.retain(|_, bytes| bytes.iter().any(|byte| *byte != 0));
        prop_assert!(found == memory);
        prop_assert!(rest == made.rest);
    }

    #[test]
    fn any_bytes_are_taken_apart_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        begun in 0..120_usize,
        pieces in prop::collection::vec(1..200_usize, 1..4),
    ) {
        let made = made(&[], true, false);
        let mut stream = made.whole[..begun.min(made.whole.len())].to_vec();
        stream.extend(bytes);
        let _ = parted(&stream, &pieces);
    }

    #[test]
    fn a_stream_with_a_wrong_bit_is_taken_apart_or_refused(
        brought in brought(),
        at in 0.0..1.0_f64,
        bit in 0..8_u8,
        cut in any::<bool>(),
        pieces in prop::collection::vec(1..9000_usize, 1..4),
    ) {
        let mut stream = made(&brought, true, true).whole;
        let at = ((stream.len() as f64 * at) as usize).min(stream.len() - 1);
        if cut {
            stream.truncate(at);
        } else {
            stream[at] ^= 1 << bit;
        }
        let devices = stream.len().saturating_sub(60);
        let parted = parted(&stream, &pieces);
        if cut && at < devices {
            prop_assert!(parted.is_err(), "it ends early");
        }
    }
}

/// A stream with other bytes in a place where they mean something.
fn with(found: &[u8], other: &[u8]) -> Vec<u8> {
    let page = |block, page, filled| Brought {
        block,
        page,
        filled,
        cut: false,
    };
    let stream = made(&[page(0, 1, Some(7)), page(1, 0, None)], true, true).whole;
    let at = stream
        .windows(found.len())
        .position(|window| window == found)
        .unwrap();
    let mut bytes = stream[..at].to_vec();
    bytes.extend_from_slice(other);
    bytes.extend_from_slice(&stream[at + found.len()..]);
    bytes
}

#[test]
fn what_is_not_understood_is_refused() {
    assert!(parted(&with(b"QEVM", b"QEVM"), &[1 << 20]).is_ok());
    let page = |offset: u64, rest: &[u8]| {
        let mut bytes = (offset | 8).to_be_bytes().to_vec();
        bytes.extend_from_slice(rest);
        bytes
    };
    let first = page(PAGE as u64, b"\x06pc.ram");
    let flags = |flags: u64| {
        let mut bytes = (PAGE as u64 | flags).to_be_bytes().to_vec();
        bytes.extend_from_slice(b"\x06pc.ram");
        bytes
    };
    let last = [&2_u64.to_be_bytes()[..], b"\x07pc.bios\0"].concat();
    let ram = [b"\x06pc.ram", &(PAGES * PAGE as u64).to_be_bytes()[..]].concat();
    let twice = [&ram[..], &ram[..]].concat();
    for (what, stream) in [
        ("another magic", with(b"QEVM", b"QEVN")),
        (
            "another version",
            with(b"QEVM\0\0\0\x03", b"QEVM\0\0\0\x04"),
        ),
        (
            "a long configuration",
            with(b"\x07\0\0\0\x0d", b"\x07\0\x01\0\x0d"),
        ),
        (
            "what a configuration has more",
            with(b"pc-i440fx-7.2", b"pc-i440fx-7.2\x05"),
        ),
        ("another section first", with(b"\x03ram", b"\x03rom")),
        (
            "another version of it",
            with(b"\x03ram\0\0\0\0\0\0\0\x04", b"\x03ram\0\0\0\0\0\0\0\x05"),
        ),
        (
            "a block of another size",
            with(
                &ram,
                &[b"\x06pc.ram", &(PAGE as u64).to_be_bytes()[..]].concat(),
            ),
        ),
        ("a block twice", with(&ram, &twice)),
        ("no such block", with(b"\x06pc.ram", b"\x06pc.raw")),
        (
            "a page that goes on with none",
            with(&first, &page(PAGE as u64 | 0x20, b"")),
        ),
        (
            "a page of no block",
            with(&first, &page(PAGE as u64, b"\x06pc.raw")),
        ),
        (
            "a page beyond",
            with(&first, &page(PAGES * PAGE as u64, b"\x06pc.ram")),
        ),
        (
            "a page far beyond",
            with(&first, &page(!0xfff, b"\x06pc.ram")),
        ),
        ("a compressed page", with(&first, &flags(0x100))),
        ("a page by difference", with(&first, &flags(0x40))),
        ("a page of both kinds", with(&first, &flags(0x0a))),
        ("a page of no kind", with(&first, &flags(0))),
        (
            "a page of ones",
            with(
                &last,
                &[&2_u64.to_be_bytes()[..], b"\x07pc.bios\x01"].concat(),
            ),
        ),
        (
            "another end of a section",
            with(b"\x7e\0\0\0\x02\x02", b"\x7f\0\0\0\x02\x02"),
        ),
        (
            "another number at its end",
            with(b"\x7e\0\0\0\x02\x02", b"\x7e\0\0\0\x03\x02"),
        ),
        (
            "a section that did not begin",
            with(b"\x02\0\0\0\x02\0\0", b"\x02\0\0\0\x09\0\0"),
        ),
        (
            "a command",
            with(b"\x7e\0\0\0\x02\x02", b"\x7e\0\0\0\x02\x08"),
        ),
        (
            "no devices",
            with(b"\x7e\0\0\0\x02\x04", b"\x7e\0\0\0\x02\0"),
        ),
    ] {
        for piece in [1, 7, 1 << 20] {
            assert!(parted(&stream, &[piece]).is_err(), "{what}");
        }
    }
}

#[test]
fn pages_that_come_again_come_last_and_not_for_ever() {
    let again = |times: usize| -> Vec<Brought> {
        (0..=times)
            .map(|time| Brought {
                block: 0,
                page: 3,
                filled: (time % 5 != 4).then_some(time.to_le_bytes()[0]),
                cut: false,
            })
            .collect()
    };
    for (times, pieces) in [(1, 1 << 20), (8, 5000), (4096, 1 << 20)] {
        let (memory, _) = parted(&made(&again(times), true, true).whole, &[pieces]).unwrap();
        let last = again(times).pop().unwrap().filled.unwrap();
        assert!(
            memory[&(3 * PAGE as u64)] == bytes_of(last),
            "{times} times"
        );
    }
    let too_often = made(&again(4097), true, true).whole;
    assert!(parted(&too_often, &[1 << 20]).is_err());
}
