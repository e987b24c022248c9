#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use super::*;
use crate::archive::{Archive, ArchiveOptions, MasterKey, StoreConfig};
use crate::control::{Caller, First, Tuning, ZoneSettings};
use crate::domain::id::{JobId, OrganizationId, VolumeId};
use crate::domain::job::JobState;
use crate::domain::role::Door;
use crate::domain::snapshot::SnapshotState;
use crate::engine::block::BlockDevice;
use crate::server::store::StoreSettings;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);

fn flags(data: &Path) -> Place {
    Place {
        data: Some(data.to_owned()),
        ..Place::default()
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
    let joined = import(flags(&two), &kit, words.clone()).unwrap();
    assert_eq!(open(&two).list(ORGANIZATION).unwrap(), vec![]);
    let [joined] = joined.as_slice() else {
        panic!("one organization: {joined:?}")
    };
    // No catalog told its name when the kit was written.
    let unnamed = ORGANIZATION.to_string();
    assert_eq!(
        (joined.name.as_str(), joined.email.as_str()),
        (unnamed.as_str(), "owner@localhost")
    );
    assert_eq!(
        std::fs::metadata(&two).unwrap().permissions().mode() & 0o777,
        0o700,
        "its password lies in there"
    );
    // What is there already stays as it is.
    assert_eq!(import(flags(&two), &kit, words.clone()).unwrap(), vec![]);
    let catalog = Catalog::open(&two.join("catalog.db")).unwrap();
    assert_eq!(
        catalog.organizations().unwrap(),
        [(ORGANIZATION, unnamed.clone())]
    );

    // One that is not in the object store is not added: nothing would be there to sign in to.
    let three = dir.path().join("three");
    std::fs::create_dir_all(three.join("archive")).unwrap();
    assert!(import(flags(&three), &kit, words).is_err());
    assert!(!three.join("catalog.db").exists());
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

/// Who signs in with this password, and chooses another one.
fn signed_in(control: &Control, email: &str, password: &str) -> Caller {
    let token = control.sign_in(email, password).unwrap().token;
    let member = control.authenticate(&token).unwrap().unwrap();
    if member.must_choose {
        let chosen = "a password of one's own";
        control.choose_password(&token, chosen, chosen).unwrap();
    }
    Caller {
        actor: Some(member.actor),
        door: Door::Console,
    }
}

fn region(data: &Path, bucket: &Path) -> Control {
    let settings = crate::control::Settings {
        data: data.to_owned(),
        archive: Some(StoreConfig::Folder(bucket.to_owned())),
        archive_rate: None,
        region: None,
        zones: vec![ZoneSettings {
            name: "zone-1".to_owned(),
            limit: None,
        }],
        first: First {
            region: "region-1".to_owned(),
            zones: Vec::new(),
        },
        workers: 1,
        verify_days: None,
        fetch_wait: std::time::Duration::from_secs(1),
    };
    let tuning = Tuning {
        hypervisor: false,
        ..Tuning::default()
    };
    Control::open_with(settings, tuning).unwrap()
}

/// The volume, as a guest has it.
fn disk(control: &Control, volume: VolumeId) -> Arc<dyn BlockDevice> {
    let doors = control.zone_doors();
    let export = doors[0].exports.open(&volume.to_string());
    export.unwrap().device
}

fn ended(control: &Control, caller: &Caller, id: JobId) {
    loop {
        let rows = control.list_activity(caller, 1).unwrap().rows;
        let mut jobs = rows.into_iter().filter_map(|row| row.job);
        let job = jobs.find(|job| job.id == id).unwrap();
        match job.state {
            JobState::Succeeded => return,
            state if state.is_live() => std::thread::sleep(std::time::Duration::from_millis(5)),
            _ => panic!("{job:?}"),
        }
    }
}

#[test]
fn i08_when_the_data_folder_is_lost_the_bucket_and_the_kit_bring_the_snapshots_back() {
    let dir = tempfile::tempdir().unwrap();
    let (data, bucket, kit) = (
        dir.path().join("data"),
        dir.path().join("bucket"),
        dir.path().join("kit.txt"),
    );
    let flags = |data: &Path| Place {
        archive: StoreSettings {
            store: Some(bucket.to_string_lossy().into_owned()),
            ..StoreSettings::default()
        },
        ..flags(data)
    };
    let words = Some("a passphrase of the test".to_owned());
    let content: Vec<u8> = (0..3 << 20).map(|n: u32| (n / 7) as u8).collect();

    // A server saves, and its kit is kept.
    {
        let control = region(&data, &bucket);
        let member = crate::control::people::NewMember {
            email: "ada@boreale.example",
            name: "Ada",
            role: crate::domain::role::Role::Owner,
            password: "a password of one's own",
            one_time: false,
        };
        control
            .create_organization("Boréale", "America/Montreal", member)
            .unwrap();
        let ada = signed_in(&control, "ada@boreale.example", "a password of one's own");
        let zone = control.session(&ada).unwrap().zones[0].id;
        let begun = control.create_volume(&ada, "data-01", zone, 1).unwrap();
        ended(&control, &ada, begun.job);
        let volume = control.list_volumes(&ada, 1).unwrap().rows[0].id;
        let disk = disk(&control, volume);
        disk.write_at(0, &content, false).unwrap();
        disk.flush().unwrap();
        drop(disk);
        let begun = control
            .take_snapshot(&ada, volume, "avant la panne")
            .unwrap();
        ended(&control, &ada, begun.job);
        control.stop();
    }
    export(flags(&data), Some(&kit), words.clone()).unwrap();

    // Everything of it is lost but the bucket.
    std::fs::remove_dir_all(&data).unwrap();
    let data = dir.path().join("elsewhere/data");
    let joined = import(flags(&data), &kit, words).unwrap();
    let control = region(&data, &bucket);
    assert!(!control.is_empty().unwrap());
    let owner = signed_in(&control, &joined[0].email, &joined[0].password);
    assert_eq!(owner.actor.as_ref().unwrap().organization_name, "Boréale");
    let rows = control.list_snapshots(&owner, 1).unwrap().rows;
    let [row] = rows.as_slice() else {
        panic!("one snapshot: {rows:?}")
    };
    assert_eq!(
        (row.name.as_str(), row.volume.as_str(), row.state),
        ("avant la panne", "data-01", SnapshotState::Saved)
    );
    assert_eq!((row.zone.as_deref(), row.elsewhere), (Some("zone-1"), true));
    let zone = control.session(&owner).unwrap().zones[0].id;
    let begun = control.create_volume_from_snapshot(&owner, row.id, zone, "retrouvé");
    ended(&control, &owner, begun.unwrap().job);
    let volume = control.list_volumes(&owner, 1).unwrap().rows[0].id;
    let mut read = vec![0; content.len()];
    disk(&control, volume).read_at(0, &mut read).unwrap();
    assert!(read == content);
    control.stop();
}
