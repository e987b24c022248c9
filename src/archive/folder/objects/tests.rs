#![allow(clippy::unwrap_used)]
use super::*;
use bytes::Bytes;
use object_store::{ObjectStoreExt, PutPayloadMut};

fn objects(dir: &std::path::Path) -> Objects {
    let files = LocalFileSystem::new_with_prefix(dir).unwrap();
    Objects::new(files.with_fsync(true))
}

fn run<T>(act: impl std::future::Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.build().unwrap().block_on(act)
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

/// Small and large, into a folder that is there and one that is not, in one part and in several.
#[test]
fn an_object_is_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let objects = objects(dir.path());
    for (name, length) in [
        ("o/packs/a", LARGE),
        ("o/packs/b", LARGE + 5),
        ("o/packs/c", LARGE - 1),
        ("o/packs/a", 2 * LARGE),
        ("p", LARGE),
    ] {
        let expected = content(length);
        let mut payload = PutPayloadMut::new();
        payload.push(Bytes::copy_from_slice(&expected[..length / 3]));
        payload.push(Bytes::copy_from_slice(&expected[length / 3..]));
        let path = Path::from(name);
        run(objects.put(&path, payload.freeze())).unwrap();
        let found = run(async { objects.get(&path).await?.bytes().await });
        assert!(found.unwrap() == expected, "{name}");
    }
    assert_eq!(names(&dir.path().join("o/packs")), ["a", "b", "c"]);
}

/// What a crash left of another writing is not written into; a failure leaves nothing.
#[test]
fn what_is_half_written_has_no_name_and_does_not_stay() {
    let dir = tempfile::tempdir().unwrap();
    let objects = objects(dir.path());
    fs::write(dir.path().join("a#1"), b"left").unwrap();
    let put = |name: &str| run(objects.put(&Path::from(name), content(LARGE).into()));
    put("a").unwrap();
    assert_eq!(fs::read(dir.path().join("a#1")).unwrap(), b"left");
    assert!(fs::read(dir.path().join("a")).unwrap() == content(LARGE));
    // A folder stands where the object should: the rename fails.
    fs::create_dir(dir.path().join("b")).unwrap();
    fs::write(dir.path().join("b/x"), b"x").unwrap();
    put("b").unwrap_err();
    assert_eq!(names(dir.path()), ["a", "a#1", "b"]);
}
