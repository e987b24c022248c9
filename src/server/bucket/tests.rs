#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use super::*;
use crate::archive::{ArchiveOptions, HoldId, Holder, MasterKey, SaveRequest};
use crate::domain::id::VolumeId;
use crate::engine::block::{BLOCK_SIZE, BlockDevice};

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);
const SIZE: u64 = 96 << 20;

fn snapshot(n: u8) -> SnapshotId {
    SnapshotId::from_bytes([n; 16])
}

/// A disk with something at both ends, as an image whose every block is said to hold data.
struct Disk(Image);

impl BlockDevice for Disk {
    fn size(&self) -> u64 {
        SIZE
    }

    fn read_only(&self) -> bool {
        true
    }

    fn read_at(
        &self,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), crate::engine::block::DeviceError> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&self, _: u64, _: &[u8], _: bool) -> Result<(), crate::engine::block::DeviceError> {
        Err(crate::engine::block::DeviceError::ReadOnly)
    }

    fn flush(&self) -> Result<(), crate::engine::block::DeviceError> {
        Ok(())
    }

    fn trim(&self, _: u64, _: u64, _: bool) -> Result<(), crate::engine::block::DeviceError> {
        Err(crate::engine::block::DeviceError::ReadOnly)
    }

    fn write_zeroes(
        &self,
        _: u64,
        _: u64,
        _: crate::engine::block::ZeroOptions,
    ) -> Result<(), crate::engine::block::DeviceError> {
        Err(crate::engine::block::DeviceError::ReadOnly)
    }

    fn extents(
        &self,
        offset: u64,
        length: u64,
    ) -> Result<Vec<crate::engine::block::Extent>, crate::engine::block::DeviceError> {
        Ok(vec![crate::engine::block::Extent {
            range: offset..offset + length,
            allocation: crate::engine::block::Allocation::Data,
        }])
    }
}

/// A data folder with one snapshot in its object store, and the disk that it was taken of.
fn data(dir: &Path) -> (Place, Disk) {
    let disk = Disk(Image::create(&dir.join("disk"), SIZE).unwrap());
    for (at, byte) in [(0, 1), (70 << 20, 2), (SIZE - BLOCK_SIZE, 3)] {
        disk.0
            .write_at(at, &[byte; BLOCK_SIZE as usize], false)
            .unwrap();
    }
    let flags = Place {
        data: Some(dir.to_owned()),
        ..Place::default()
    };
    let master = MasterKey::open(&dir.join("keys")).unwrap();
    let archive = Archive::open_folder(&dir.join("archive"), ArchiveOptions::new(master)).unwrap();
    let request = SaveRequest {
        organization: ORGANIZATION,
        snapshot: snapshot(1),
        name: "avant la mise à jour",
        volume: VolumeId::from_bytes([3; 16]),
        volume_name: "srv-01",
        kind: "root",
        taken_ms: 1_794_651_300_000,
        labels: &[],
        source: &disk,
        base: None,
    };
    archive.save(&request, &mut ()).unwrap();
    (flags, disk)
}

#[test]
fn i08_a_snapshot_is_restored_to_a_file_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let (flags, disk) = data(dir.path());
    let to = dir.path().join("restored.raw");
    let act = |snapshot| Act::Restore {
        snapshot,
        to: to.clone(),
        flags: flags.clone(),
    };
    assert!(act(snapshot(9)).run().is_err());
    assert!(!to.exists(), "nothing is left of a restore that failed");
    assert!(act(snapshot(1)).run().unwrap());
    let restored = std::fs::read(&to).unwrap();
    let mut original = vec![0; SIZE as usize];
    disk.read_at(0, &mut original).unwrap();
    assert!(restored == original);
    // A file that is there is never written over.
    assert!(act(snapshot(1)).run().is_err());
    assert!(std::fs::read(&to).unwrap() == original);
}

#[test]
fn the_object_store_is_listed_checked_and_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let (flags, _disk) = data(dir.path());
    let (list, check) = (
        Act::List {
            flags: flags.clone(),
        },
        Act::Check {
            deep: true,
            flags: flags.clone(),
        },
    );
    assert!(list.run().unwrap() && check.run().unwrap());
    let archive = open(flags.clone()).unwrap();
    let info = archive
        .manifest(ORGANIZATION, snapshot(1))
        .unwrap()
        .unwrap();
    let line = line(&info);
    assert!(
        line.contains("2026-11-14 10:15 UTC") && line.contains("96.0 MiB"),
        "{line}"
    );
    assert!(line.ends_with("srv-01: avant la mise à jour"), "{line}");
    drop(archive);
    let prune = |flags: Place| Act::Prune { grace: 24, flags }.run().unwrap();
    assert!(prune(flags.clone()));
    assert!(
        open(flags.clone())
            .unwrap()
            .manifest(ORGANIZATION, snapshot(1))
            .unwrap()
            .is_some()
    );
    // Damage is told, and what cannot be read holds up a prune.
    let manifests = dir
        .path()
        .join("archive/objects")
        .join(ORGANIZATION.to_string())
        .join("manifests");
    let manifest = std::fs::read_dir(manifests)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(&manifest, b"not a manifest").unwrap();
    assert!(
        !Act::Check {
            deep: false,
            flags: flags.clone()
        }
        .run()
        .unwrap()
    );
    assert!(!prune(flags));
}

#[test]
fn bytes_are_told_in_the_unit_that_suits() {
    assert_eq!(binary(0), "0 B");
    assert_eq!(binary(1023), "1023 B");
    assert_eq!(binary(1536), "1.5 KiB");
    assert_eq!(binary(3 << 40), "3.0 TiB");
    assert_eq!(binary(5000 << 40), "5000.0 TiB");
}

#[test]
fn holds_are_listed_and_released_by_their_ids_or_by_data_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (flags, _disk) = data(dir.path());
    let held = |ids: &[u8]| {
        let archive = open(flags.clone()).unwrap();
        for id in ids {
            let id = HoldId::from_bytes([*id; 16]);
            archive.hold_for(ORGANIZATION, snapshot(1), id).unwrap();
        }
        archive.holds(ORGANIZATION).unwrap()
    };
    let list = || Act::Holds {
        flags: flags.clone(),
    };
    assert!(list().run().unwrap());
    let holds = held(&[1, 2]);
    assert!(list().run().unwrap());
    assert_eq!(holds.len(), 2);
    let release = |ids: &[String], of: Option<&str>, yes| Act::Release {
        holds: ids.to_vec(),
        of: of.map(str::to_owned),
        yes,
        flags: flags.clone(),
    };
    let first = [holds[0].id.to_string()];
    // Nobody can be asked here, and none is released where one of the ids is wrong.
    assert!(release(&first, None, false).run().is_err());
    let wrong = [first[0].clone(), snapshot(9).to_string()];
    assert!(release(&wrong, None, true).run().is_err());
    assert!(release(&[], Some("another"), true).run().is_err());
    let Holder::Volume {
        data_folder: Some(folder),
        ..
    } = &holds[0].holder
    else {
        panic!("a volume's hold");
    };
    // The data folder in use here is not taken for one that is gone.
    assert!(release(&[], Some(folder), true).run().is_err());
    assert_eq!(held(&[]).len(), 2);
    assert!(release(&first, None, true).run().unwrap());
    assert_eq!(held(&[]).len(), 1);
}

#[test]
fn holds_of_a_data_folder_that_is_gone_are_released_by_another() {
    let dir = tempfile::tempdir().unwrap();
    let (flags, _disk) = data(dir.path());
    let archive = open(flags.clone()).unwrap();
    let id = HoldId::from_bytes([1; 16]);
    archive.hold_for(ORGANIZATION, snapshot(1), id).unwrap();
    let kit = archive
        .export_kit(&[(ORGANIZATION, String::new())], "a passphrase of the test")
        .unwrap();
    drop(archive);
    // The server is lost, the object store and the kit are not.
    let other = Place {
        data: Some(dir.path().join("other")),
        archive: crate::server::store::StoreSettings {
            store: Some(dir.path().join("archive").display().to_string()),
            ..Default::default()
        },
        ..Place::default()
    };
    let archive = open(other.clone()).unwrap();
    let kit = crate::archive::Kit::open(&kit, "a passphrase of the test").unwrap();
    archive.import_kit(&kit).unwrap();
    let holds = archive.holds(ORGANIZATION).unwrap();
    let [hold] = &holds[..] else {
        panic!("{holds:?}");
    };
    let Holder::Volume {
        data_folder: Some(folder),
        own: false,
        ..
    } = &hold.holder
    else {
        panic!("another's hold: {hold:?}");
    };
    drop(archive);
    let release = Act::Release {
        holds: Vec::new(),
        of: Some(folder.clone()),
        yes: true,
        flags: other.clone(),
    };
    assert!(release.run().unwrap());
    assert!(open(other).unwrap().holds(ORGANIZATION).unwrap().is_empty());
}
