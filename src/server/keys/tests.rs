#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use super::*;
use crate::archive::{Archive, ArchiveOptions, MasterKey};
use crate::domain::id::OrganizationId;
use std::os::unix::fs::PermissionsExt;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);

fn flags(data: &Path) -> Flags {
    Flags {
        data: Some(data.to_owned()),
        ..Flags::default()
    }
}

fn open(data: &Path) -> Archive {
    let master = MasterKey::open(&data.join("keys")).unwrap();
    Archive::open_folder(&data.join("archive"), ArchiveOptions::new(master)).unwrap()
}

#[test]
fn i11_another_data_folder_joins_by_the_kit_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let named = [(ORGANIZATION, "Boréale".to_owned())];
    // Something must be there: a key is.
    open(&one)
        .export_kit(&named, "a passphrase of the test")
        .unwrap();
    std::fs::create_dir_all(&two).unwrap();
    std::os::unix::fs::symlink(one.join("archive"), two.join("archive")).unwrap();
    assert!(open(&two).list(ORGANIZATION).is_err());

    let kit = dir.path().join("kit.txt");
    let words = Some("a passphrase of the test".to_owned());
    export(flags(&one), Some(&kit), words.clone()).unwrap();
    assert_eq!(
        std::fs::metadata(&kit).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(
        export(flags(&one), Some(&kit), words.clone()).is_err(),
        "it is there already"
    );
    assert!(import(flags(&two), &kit, Some("another passphrase".to_owned())).is_err());
    assert!(open(&two).list(ORGANIZATION).is_err());
    import(flags(&two), &kit, words).unwrap();
    assert_eq!(open(&two).list(ORGANIZATION).unwrap(), vec![]);
}

#[test]
fn a_passphrase_is_the_first_line_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("passphrase");
    std::fs::write(&file, "un cheval, une agrafe\r\n# not this\n").unwrap();
    assert_eq!(
        given(Some(&file)).unwrap().as_deref(),
        Some("un cheval, une agrafe")
    );
    assert!(given(Some(&dir.path().join("none"))).is_err());
}
