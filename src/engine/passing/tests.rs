#![allow(clippy::unwrap_used)]
use super::*;
use std::cell::RefCell;

/// What a file would be told: the bytes, where, and whether they pass the cache by.
type Told = Vec<(Vec<u8>, u64, bool)>;

/// Writes with a kernel that answers as `answers` say, the last of them for ever.
fn written(
    writes: &Passing,
    data: &[u8],
    answers: &[rustix::io::Result<usize>],
) -> (io::Result<()>, Told) {
    let told = RefCell::new(Told::new());
    let mut answers = answers.iter().copied();
    let passing = |data: &[u8], offset| {
        let answer = answers.next().unwrap();
        if let Ok(count) = answer {
            let count = count.min(data.len());
            told.borrow_mut()
                .push((data[..count].to_vec(), offset, true));
            return Ok(count);
        }
        answer
    };
    let plain = |data: &[u8], offset| {
        told.borrow_mut().push((data.to_vec(), offset, false));
        Ok(())
    };
    let result = writes.write(data, 100, passing, plain);
    (result, told.into_inner())
}

#[test]
fn what_passes_is_written_whole_in_as_many_pieces_as_it_takes() {
    let writes = Passing::default();
    let answers = [Ok(2), Err(Errno::INTR), Ok(3), Ok(9)];
    let (result, told) = written(&writes, b"abcdefg", &answers);
    result.unwrap();
    let expected = [
        (b"ab".to_vec(), 100, true),
        (b"cde".to_vec(), 102, true),
        (b"fg".to_vec(), 105, true),
    ];
    assert_eq!(told, expected);
}

/// An older kernel, or a file system that always caches: the write goes on as any other, and nobody asks again.
#[test]
fn where_it_is_refused_it_is_written_as_ever() {
    for refusal in [Errno::OPNOTSUPP, Errno::INVAL, Errno::NOSYS] {
        let writes = Passing::default();
        let (result, told) = written(&writes, b"abcd", &[Ok(1), Err(refusal)]);
        result.unwrap();
        let expected = [(b"a".to_vec(), 100, true), (b"bcd".to_vec(), 101, false)];
        assert_eq!(told, expected);
        let (result, told) = written(&writes, b"xy", &[]);
        result.unwrap();
        assert_eq!(told, [(b"xy".to_vec(), 100, false)]);
    }
}

/// Nothing else is a reason to write it again: no space, a failing disk.
#[test]
fn an_error_is_told() {
    let writes = Passing::default();
    let (result, told) = written(&writes, b"abcd", &[Ok(1), Err(Errno::NOSPC)]);
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(told, [(b"a".to_vec(), 100, true)]);
    let (result, _) = written(&writes, b"abcd", &[Ok(0)]);
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WriteZero);
    let (result, told) = written(&writes, b"xy", &[Ok(2)]);
    result.unwrap();
    assert_eq!(told.len(), 1, "it is asked again: nothing was refused");
}

/// On whatever file systems there are here; shared memory refuses, where there is any.
#[test]
fn a_file_holds_what_was_written() {
    let here = tempfile::tempdir().unwrap();
    let memory = tempfile::tempdir_in("/dev/shm");
    for dir in [Some(here), memory.ok()].into_iter().flatten() {
        let path = dir.path().join("file");
        let file = File::create(&path).unwrap();
        let writes = Passing::default();
        writes.write_all_at(&file, &[7; 10_000], 4096).unwrap();
        writes.write_all_at(&file, &[8; 10], 5000).unwrap();
        let mut expected = vec![0; 4096];
        expected.extend([7; 10_000]);
        expected[5000..5010].fill(8);
        assert!(std::fs::read(&path).unwrap() == expected);
    }
}
