//! A store that is not there, and another one in its place.

use super::device::Memory;
use super::s3::{Server, connect};
use super::*;
use std::path::{Path, PathBuf};

const BLOCK: u64 = 4096;

fn disk() -> Memory {
    let device = Memory::new(64 * BLOCK);
    device.fill(0..9 * BLOCK, 1);
    device
}

fn changed() -> Memory {
    let device = disk();
    device.fill(3 * BLOCK..5 * BLOCK, 2);
    device
}

fn with_identity(file: &Path) -> ArchiveOptions {
    ArchiveOptions {
        identity: Some(file.to_owned()),
        ..options()
    }
}

/// Files anywhere under a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

/// Everything that one may ask of an archive whose store is not there is answered so, and nothing comes to be in its place.
fn is_away(archive: &Archive) {
    let told: Vec<(&str, Error)> = vec![
        (
            "save",
            save(archive, snapshot(2), &changed(), None).unwrap_err(),
        ),
        (
            "save again",
            save(archive, snapshot(3), &disk(), None).unwrap_err(),
        ),
        (
            "restore",
            restored(archive, snapshot(1), disk().size()).err().unwrap(),
        ),
        (
            "verify",
            archive
                .verify(ORGANIZATION, snapshot(1), &mut ())
                .unwrap_err(),
        ),
        ("check", archive.check(true).unwrap_err()),
        (
            "prune",
            archive
                .prune(&PruneOptions::default(), &mut ())
                .unwrap_err(),
        ),
        (
            "copy",
            archive
                .copy(ORGANIZATION, snapshot(1), snapshot(4), "copy")
                .err()
                .unwrap(),
        ),
        (
            "hold",
            archive
                .hold_for(ORGANIZATION, snapshot(1), HoldId::from_bytes([8; 16]))
                .err()
                .unwrap(),
        ),
        (
            "delete",
            archive.delete(ORGANIZATION, snapshot(1)).unwrap_err(),
        ),
        ("organizations", archive.organizations().unwrap_err()),
    ];
    for (what, error) in told {
        assert!(matches!(error, Error::Away { .. }), "{what}: {error:?}");
        assert!(!error.is_permanent(), "{what}");
    }
}

/// The snapshot that was there is there, whole.
fn is_well(archive: &Archive) {
    let list = archive.list(ORGANIZATION).unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(archive.check(true).unwrap(), vec![]);
    let read = restored(archive, snapshot(1), disk().size()).unwrap();
    assert!(read.content() == disk().content());
}

#[test]
fn i09_a_folder_that_is_not_mounted_is_neither_damaged_nor_filled() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, away) = (dir.path().join("archive"), dir.path().join("away"));
    let file = dir.path().join("store-id");
    let open = || Archive::open_folder(&folder, with_identity(&file));
    let archive = open().unwrap();
    save(&archive, snapshot(1), &disk(), None).unwrap();
    is_well(&archive);
    // Under a running process: the mount point shows what is below it.
    std::fs::rename(&folder, &away).unwrap();
    std::fs::create_dir(&folder).unwrap();
    is_away(&archive);
    assert_eq!(files(&folder), Vec::<PathBuf>::new());
    std::fs::remove_dir_all(&folder).unwrap();
    is_away(&archive);
    assert!(!folder.exists());
    // Mounted again, under the same process.
    std::fs::rename(&away, &folder).unwrap();
    is_well(&archive);
    drop(archive);

    // At a start.
    std::fs::rename(&folder, &away).unwrap();
    for there in [false, true] {
        if there {
            std::fs::create_dir(&folder).unwrap();
        }
        let error = open().unwrap_err();
        assert!(
            matches!(error, Error::Away { .. }) && !error.is_permanent(),
            "{error:?}"
        );
        assert!(error.to_string().contains("store-id"), "{error}");
        assert_eq!(folder.exists(), there);
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::remove_dir(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    is_well(&open().unwrap());
}

#[test]
fn i09_another_folder_is_refused_and_taken_on_purpose_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let file = dir.path().join("store-id");
    let archive = Archive::open_folder(&one, with_identity(&file)).unwrap();
    save(&archive, snapshot(1), &disk(), None).unwrap();
    drop(archive);
    let strange = dir.path().join("strange-id");
    let archive = Archive::open_folder(&other, with_identity(&strange)).unwrap();
    save(&archive, snapshot(2), &disk(), None).unwrap();
    drop(archive);
    let error = Archive::open_folder(&other, with_identity(&file)).unwrap_err();
    assert!(
        matches!(error, Error::AnotherStore { .. }) && error.is_permanent(),
        "{error:?}"
    );
    // A copy of the same store is the same store.
    std::fs::rename(&one, dir.path().join("moved")).unwrap();
    is_well(&Archive::open_folder(&dir.path().join("moved"), with_identity(&file)).unwrap());
    // On purpose.
    std::fs::remove_file(&file).unwrap();
    let archive = Archive::open_folder(&other, with_identity(&file)).unwrap();
    assert_eq!(archive.list(ORGANIZATION).unwrap().len(), 1);
    // What cannot be read is not taken for nothing.
    std::fs::write(&file, "x").unwrap();
    drop(archive);
    assert!(matches!(
        Archive::open_folder(&other, with_identity(&file)),
        Err(Error::Folder { .. })
    ));
}

#[test]
fn i09_a_bucket_that_is_empty_or_another_is_neither_damaged_nor_filled() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store-id");
    let open = |prefix: &str| {
        let config = S3Config {
            prefix: prefix.to_owned(),
            ..server.config()
        };
        connect(config, with_identity(&file))
    };
    // Looking into a new bucket writes nothing there.
    assert!(open("a/b").organizations().unwrap().is_empty());
    assert!(!server.objects().exists() && !file.exists());
    let archive = open("a/b");
    save(&archive, snapshot(1), &disk(), None).unwrap();
    is_well(&archive);
    let marks = files(&server.objects().join("store"));
    assert_eq!(marks.len(), 1);
    is_well(&open("a/b"));
    assert_eq!(files(&server.objects().join("store")), marks);

    let away = dir.path().join("away");
    std::fs::rename(server.objects(), &away).unwrap();
    is_away(&archive);
    is_away(&open("a/b"));
    assert!(!server.objects().exists());
    std::fs::rename(&away, server.objects()).unwrap();
    is_well(&archive);

    // Another server's prefix.
    let strange = connect(
        S3Config {
            prefix: "c".to_owned(),
            ..server.config()
        },
        with_identity(&dir.path().join("strange-id")),
    );
    save(&strange, snapshot(2), &disk(), None).unwrap();
    let error = save(&open("c"), snapshot(3), &disk(), None).unwrap_err();
    assert!(
        matches!(error, Error::AnotherStore { .. }) && error.is_permanent(),
        "{error:?}"
    );
    assert_eq!(strange.list(ORGANIZATION).unwrap().len(), 1);
}
