//! The file that keeps a memory, packed, read, proved, and taken apart.

use super::super::{
    Accelerator, Error,
    memory::{self, About, Page, Place},
};
use crate::domain::size::Bytes;
use proptest::prelude::*;
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Mutex,
};

const MIB: usize = 1 << 20;

fn about() -> About {
    About {
        ram: Bytes(64 << 20),
        qemu: "7.2.22".to_owned(),
        machine: "pc-i440fx-7.2".to_owned(),
        cpu: "qemu64-v1,enforce".to_owned(),
        accelerator: Accelerator::Tcg,
    }
}

/// Packs the bytes into a file of the folder.
fn packed(folder: &Path, bytes: &[u8]) -> PathBuf {
    let (raw, to) = (folder.join("raw"), folder.join("memory"));
    fs::write(&raw, bytes).unwrap();
    let packed = memory::pack(&raw, &to, &about(), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(packed.bytes, fs::metadata(&to).unwrap().len());
    to
}

/// What can be read of it, and how that ended.
fn read(path: &Path) -> (Vec<u8>, Result<(), Error>) {
    let image = match memory::open(path) {
        Ok(image) => image,
        Err(error) => return (Vec::new(), Err(error)),
    };
    assert_eq!(*image.about(), about());
    let mut bytes = Vec::new();
    let end = image.read(&mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    let mut told = 0;
    let proof = image.prove(&mut |done| {
        told = done;
        ControlFlow::Continue(())
    });
    // What is proved can be read, and the other way round, as far and for the same reason.
    assert_eq!(format!("{proof:?}"), format!("{end:?}"));
    assert_eq!(told, bytes.len() as u64);
    // It is no stream: nothing is put anywhere, and damage is found in the same place.
    let filled = image.fill("pc.ram", 64 << 20, &Nowhere);
    match (&end, &filled) {
        (_, Err(Error::NotRestored { .. })) => {}
        (Err(end), Err(filled)) => assert_eq!(format!("{filled:?}"), format!("{end:?}")),
        (Err(_), Ok(_)) => panic!("{end:?}, and it was filled"),
        (Ok(()), _) => panic!("{filled:?}"),
    }
    (bytes, end)
}

/// Takes no page.
pub(super) struct Nowhere;

impl Place for Nowhere {
    fn put(&self, _: &[u8], pages: &[Page]) -> Result<(), Error> {
        if pages.is_empty() {
            return Ok(());
        }
        Err(Error::Gone)
    }
}

/// A memory of our own.
pub(super) struct Own(pub Mutex<Vec<u8>>);

impl Own {
    pub fn new(length: usize) -> Self {
        Self(Mutex::new(vec![0; length]))
    }
}

impl Place for Own {
    fn put(&self, piece: &[u8], pages: &[Page]) -> Result<(), Error> {
        let mut memory = self.0.lock().unwrap();
        for Page { at, offset } in pages {
            let offset = usize::try_from(*offset).unwrap();
            memory[offset..offset + 4096].copy_from_slice(&piece[*at..*at + 4096]);
        }
        Ok(())
    }
}

/// Bytes that do not compress well and repeat nowhere.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}

#[test]
fn what_was_packed_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for length in [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 37 * MIB] {
        let mut bytes = noise(length as u64, length);
        // Much of a memory is like this.
        bytes
            .iter_mut()
            .skip(MIB)
            .take(2 * MIB)
            .for_each(|byte| *byte = 0);
        let (again, end) = read(&packed(folder.path(), &bytes));
        end.unwrap();
        assert!(again == bytes, "{length} bytes");
    }
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "nothing else stays: {names:?}");
}

#[test]
fn cut_off_at_every_edge_it_is_damaged_there() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = noise(5, 9 * MIB);
    let path = packed(folder.path(), &bytes);
    let file = fs::read(&path).unwrap();
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let mut edges = vec![32 + number(12) + 32];
    while edges[edges.len() - 1] < file.len() {
        let at = edges[edges.len() - 1];
        edges.push(at + 12 + number(at + 8) + 32);
    }
    assert_eq!((edges.len(), edges[3]), (4, file.len()));
    for (frames, edge) in edges.iter().take(3).enumerate() {
        // The edge itself, and within the head, the data and the hash beyond it.
        for beyond in [
            0,
            1,
            11,
            12,
            13,
            number(edge + 8) + 12,
            number(edge + 8) + 43,
        ] {
            fs::write(&path, &file[..edge + beyond]).unwrap();
            let (read, end) = read(&path);
            let Err(Error::Damaged { offset, .. }) = end else {
                panic!("{end:?}");
            };
            assert_eq!(offset, *edge as u64, "{beyond} bytes beyond");
            assert!(
                read == bytes[..frames * 4 * MIB],
                "what came before is good"
            );
        }
    }
}

#[test]
fn a_memory_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("memory");
    match memory::open(&absent) {
        Err(Error::Io { path, source, .. }) => {
            assert_eq!(path, absent);
            assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn packing_can_be_broken_off_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw");
    fs::write(&raw, noise(1, 5 * MIB)).unwrap();
    let to = folder.path().join("memory");
    let broken = memory::pack(&raw, &to, &about(), &mut |_| ControlFlow::Break(()));
    assert!(matches!(broken, Err(Error::Cancelled)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // Proving, and reading, too.
    let image = memory::open(&packed(folder.path(), &noise(1, 5 * MIB))).unwrap();
    let broken = image.prove(&mut |_| ControlFlow::Break(()));
    assert!(matches!(broken, Err(Error::Cancelled)));
    let broken = image.read(&mut |_| Err(Error::Gone));
    assert!(matches!(broken, Err(Error::Gone)));
}

#[test]
fn packing_stands_back_for_the_guest() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw");
    fs::write(&raw, noise(1, 80 * MIB)).unwrap();
    let mut seen = 0;
    memory::pack(&raw, &folder.path().join("memory"), &about(), &mut |_| {
        for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
            // It may end meanwhile. Its name, and 16 fields behind it how nice it is (`proc_pid_stat(5)`).
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let fields = stat.split_once("(memory-pack) ").map(|(_, rest)| rest);
            if let Some(nice) = fields.and_then(|rest| rest.split(' ').nth(16)) {
                seen += i32::from(nice == "10");
            }
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(seen > 0, "no thread that packs stands back");
}

#[test]
fn a_frame_of_another_memory_is_not_taken() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Of the same lengths throughout: only what the hash covers tells them apart.
    let first = packed(one.path(), &vec![1; 5 * MIB]);
    let second = packed(two.path(), &vec![2; 9 * MIB]);
    let (mut bytes, other) = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
    let start = 32 + usize::from(u16::from_le_bytes([bytes[12], bytes[13]])) + 32;
    let length =
        |bytes: &[u8]| u32::from_le_bytes(bytes[start + 8..start + 12].try_into().unwrap());
    assert_eq!(length(&bytes), length(&other));
    let end = start + 12 + length(&bytes) as usize + 32;
    bytes[start..end].copy_from_slice(&other[start..end]);
    fs::write(&first, bytes).unwrap();
    let (read, end) = read(&first);
    assert!(matches!(end, Err(Error::Damaged { .. })), "{end:?}");
    assert!(read.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_is_named_and_never_handed_out(at in 0.0..1.0f64, bit in 0u8..8, cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let bytes = noise(3, 4 * MIB + 4096);
        let path = packed(folder.path(), &bytes);
        let mut file = fs::read(&path).unwrap();
        // Half of the tries go into the first bytes, where everything has a meaning of its own.
        let within = if bit % 2 == 0 { file.len() } else { 300 };
        let at = ((within as f64 * at) as usize).min(file.len() - 1);
        if cut {
            file.truncate(at);
        } else {
            file[at] ^= 1 << bit;
        }
        fs::write(&path, &file).unwrap();
        let (read, end) = read(&path);
        match end {
            Err(Error::Damaged { path: named, offset, .. }) => {
                prop_assert_eq!(named, path);
                prop_assert!(offset <= at as u64);
            }
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(bytes.starts_with(&read));
    }
}

/// A stream of a memory of so many pages that all have something in them, and the memory.
fn stream(pages: usize) -> (Vec<u8>, Vec<u8>) {
    let memory = noise(7, pages * 4096);
    let total = (pages * 4096) as u64;
    let foot = b"\0\0\0\0\0\0\0\x10\x7e\0\0\0\x02";
    let mut stream = b"QEVM\0\0\0\x03\x01\0\0\0\x02\x03ram\0\0\0\0\0\0\0\x04".to_vec();
    stream.extend((total | 4).to_be_bytes());
    stream.extend(b"\x06pc.ram");
    stream.extend(total.to_be_bytes());
    stream.extend(foot);
    stream.extend(b"\x02\0\0\0\x02");
    for (number, page) in memory.chunks(4096).enumerate() {
        let flags = if number == 0 { 0x08 } else { 0x28 };
        stream.extend(((number * 4096) as u64 | flags).to_be_bytes());
        if number == 0 {
            stream.extend(b"\x06pc.ram");
        }
        stream.extend(page);
    }
    stream.extend(foot);
    stream.extend(b"\x04 devices");
    (stream, memory)
}

#[test]
fn pages_are_put_in_their_places_by_all_threads() {
    let folder = tempfile::tempdir().unwrap();
    for pages in [1, 1023, 9000] {
        let (stream, memory) = stream(pages);
        let image = memory::open(&packed(folder.path(), &stream)).unwrap();
        let own = Own::new(memory.len());
        let rest = image.fill("pc.ram", memory.len() as u64, &own).unwrap();
        assert!(own.0.into_inner().unwrap() == memory, "{pages} pages");
        // Both of its sections are there, empty.
        assert_eq!(rest.len(), 61 + 18 + 9, "{pages} pages");
        assert!(rest.ends_with(b"\x04 devices"));
    }
}

#[test]
fn damage_between_pages_is_found_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (stream, memory) = stream(9000);
    let path = packed(folder.path(), &stream);
    let whole = fs::read(&path).unwrap();
    let number = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut frames) = (32 + number(12) + 32, 0);
    while at < whole.len() {
        let next = at + 12 + number(at + 8) + 32;
        let mut bytes = whole.clone();
        bytes[at + 12 + frames] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let image = memory::open(&path).unwrap();
        let own = Own::new(memory.len());
        match image.fill("pc.ram", memory.len() as u64, &own) {
            Err(Error::Damaged { offset, .. }) => assert_eq!(offset, at as u64),
            other => panic!("{other:?}"),
        }
        // What comes of a frame that cannot be taken apart is told first.
        let wrong = image.fill("pc.raw", memory.len() as u64, &own);
        let first = frames == 0;
        assert_eq!(matches!(wrong, Err(Error::Damaged { .. })), first);
        (at, frames) = (next, frames + 1);
    }
    assert!(frames > 8, "{frames} frames");
}
