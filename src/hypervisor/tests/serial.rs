//! The serial console's log.

use super::super::{Serial, folder::SERIAL};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::MetadataExt,
};

#[test]
fn an_absent_log_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let chunk = Serial::open(folder.path()).read(None, 100).unwrap();
    assert_eq!((chunk.from, chunk.end, chunk.kept_from), (0, 0, 0));
    assert!(chunk.bytes.is_empty());
    Serial::trim(folder.path()).unwrap();
}

#[test]
fn reading_goes_on_where_it_left_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SERIAL);
    fs::write(&path, b"one two three").unwrap();
    let serial = Serial::open(folder.path());
    let last = serial.read(None, 5).unwrap();
    assert_eq!((last.from, last.end), (8, 13));
    assert_eq!(last.bytes, b"three");
    let all = serial.read(None, 1000).unwrap();
    assert_eq!((all.from, all.bytes.as_slice()), (0, &b"one two three"[..]));
    let middle = serial.read(Some(4), 3).unwrap();
    assert_eq!((middle.from, middle.bytes.as_slice()), (4, &b"two"[..]));
    // A page that was open before the log was begun anew.
    let behind = serial.read(Some(500), 10).unwrap();
    assert_eq!((behind.from, behind.end), (13, 13));
    assert!(behind.bytes.is_empty());
    let mut log = OpenOptions::new().append(true).open(&path).unwrap();
    log.write_all(b"!").unwrap();
    assert_eq!(serial.read(Some(13), 10).unwrap().bytes, b"!");
}

#[test]
fn the_head_is_given_back_and_offsets_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SERIAL);
    let mut log = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .unwrap();
    let line = |number: usize| format!("{number:015}\n").into_bytes();
    let lines = (6 << 20) / 16;
    let text: Vec<u8> = (0..lines).flat_map(line).collect();
    log.write_all(&text).unwrap();
    let before = fs::metadata(&path).unwrap().blocks();
    Serial::trim(folder.path()).unwrap();
    let found = fs::metadata(&path).unwrap();
    assert_eq!(found.len(), 6 << 20);
    if found.blocks() == before {
        eprintln!("SKIPPED: the file system of the temporary folder makes no holes");
        return;
    }
    let serial = Serial::open(folder.path());
    let oldest = serial.read(Some(0), 16).unwrap();
    assert_eq!(oldest.kept_from, 2 << 20);
    assert_eq!(oldest.from, 2 << 20);
    assert_eq!(oldest.bytes, line((2 << 20) / 16));
    // What QEMU appends comes behind, and there is nothing more to trim for a while.
    log.write_all(&line(lines)).unwrap();
    Serial::trim(folder.path()).unwrap();
    let newest = serial.read(Some(6 << 20), 100).unwrap();
    assert_eq!((newest.from, newest.kept_from), (6 << 20, 2 << 20));
    assert_eq!(newest.bytes, line(lines));
    assert_eq!(serial.read(None, usize::MAX).unwrap().bytes.len(), 1 << 20);
}
