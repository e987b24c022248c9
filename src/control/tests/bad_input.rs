//! What is wrong is said, and nothing is lost.

use super::super::{ImportRequest, image};
use super::house::{House, noise};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{JobId, SnapshotId, VolumeId, ZoneId};
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::view::Started;
use std::path::Path;
use std::process::Command;

const MIB: usize = 1 << 20;

pub(super) fn import(
    house: &House,
    name: &str,
    bytes: &[u8],
    file_name: &str,
) -> Result<Started, Fault> {
    let length = Some(bytes.len() as u64);
    let slot =
        house
            .control
            .upload_check(&house.owner, name, house.zones[0], VolumeKind::Data, length)?;
    std::fs::write(&slot.path, bytes).expect("uploaded");
    let request = ImportRequest {
        name: name.to_owned(),
        zone: house.zones[0],
        kind: VolumeKind::Data,
        file: slot.path.clone(),
        file_name: file_name.to_owned(),
    };
    let result = house.control.import_volume(&house.owner, request);
    if result.is_err() {
        std::fs::remove_file(&slot.path).expect("a refused file is the caller's to remove");
    }
    result
}

pub(super) fn uploads(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("uploads"))
        .expect("a folder")
        .count()
}

fn qemu_img(arguments: &[&str], folder: &Path) -> bool {
    let status = Command::new("qemu-img")
        .args(arguments)
        .current_dir(folder)
        .stdout(std::process::Stdio::null())
        .status();
    status.expect("qemu-img runs").success()
}

#[test]
fn names_sizes_and_places_that_cannot_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner, zone) = (&house.control, &house.owner, house.zones[0]);
    let volume = house.new_volume("Données");
    let create = |name: &str| control.create_volume(owner, name, zone, 1);
    assert_eq!(create(" \t"), Err(Fault::NameEmpty));
    assert_eq!(
        create(&"é".repeat(101)),
        Err(Fault::NameTooLong { max: 100 })
    );
    assert_eq!(create("a\u{202e}b"), Err(Fault::NameUnreadable));
    assert_eq!(
        create("données"),
        Err(Fault::NameTaken {
            name: "données".to_owned()
        })
    );
    for gib in [0, 8193, u64::MAX] {
        let refused = control.create_volume(owner, "x", zone, gib);
        assert_eq!(
            refused,
            Err(Fault::SizeOutOfRange {
                min_gib: 1,
                max_gib: 8192
            }),
            "{gib}"
        );
    }
    let no_zone = Err(Fault::NotFound { what: Noun::Zone });
    assert_eq!(control.create_volume(owner, "x", ZoneId::new(), 1), no_zone);
    let snapshot = house.new_snapshot(volume, "copie");
    let taken = Fault::NameTaken {
        name: "Copie".to_owned(),
    };
    assert_eq!(control.take_snapshot(owner, volume, "Copie"), Err(taken));
    let made = control.create_volume_from_snapshot(owner, snapshot, zone, "DONNÉES");
    assert_eq!(
        made,
        Err(Fault::NameTaken {
            name: "DONNÉES".to_owned()
        })
    );
    assert_eq!(
        control.create_volume_from_snapshot(owner, snapshot, ZoneId::new(), "x"),
        no_zone
    );

    assert_eq!(
        control.volume_deletion(owner, VolumeId::new()),
        Err(Fault::NotFound { what: Noun::Volume })
    );
    assert_eq!(
        control.delete_volume(owner, VolumeId::new()),
        Err(Fault::NotFound { what: Noun::Volume })
    );
    assert_eq!(
        control.delete_snapshot(owner, SnapshotId::new()),
        Err(Fault::NotFound {
            what: Noun::Snapshot
        })
    );
    assert_eq!(
        control.retry_job(owner, JobId::new()),
        Err(Fault::NotFound { what: Noun::Job })
    );
    // A page beyond the last one is the last one.
    assert_eq!(
        control.list_volumes(owner, u32::MAX).expect("a page").page,
        1
    );
    assert_eq!(house.volumes().len(), 1);
}

#[test]
fn what_is_in_use_is_not_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let volume = house.new_volume("busy");
    let in_use = Fault::InUse {
        name: "busy".to_owned(),
    };

    let doors = control.zone_doors();
    let door = doors
        .iter()
        .find(|door| door.id == house.zones[0])
        .expect("the zone's door");
    assert_eq!(door.exports.list(), [volume.to_string()]);
    let first = door.exports.open(&volume.to_string()).expect("opened");
    let second = door
        .exports
        .open(&volume.to_string())
        .expect("connections share it");
    assert!(first.multi_conn && first.device.size() == second.device.size());
    assert_eq!(control.delete_volume(owner, volume), Err(in_use.clone()));
    assert_eq!(control.volume_deletion(owner, volume), Err(in_use));
    drop((first, second));
    for name in [
        "",
        "x",
        "checkpoint/x",
        "../..",
        &VolumeId::new().to_string(),
    ] {
        assert!(door.exports.open(name).is_err(), "{name:?}");
    }
    let elsewhere = doors
        .iter()
        .find(|door| door.id == house.zones[1])
        .expect("the other zone's door");
    assert!(
        elsewhere.exports.open(&volume.to_string()).is_err(),
        "a zone offers its own volumes only"
    );

    let snapshot = house.new_snapshot(volume, "copie");
    house.succeeded(control.delete_volume(owner, volume).expect("begun").job);
    assert!(matches!(
        control.volume_deletion(owner, volume),
        Err(Fault::NotFound { .. })
    ));
    house.succeeded(control.delete_snapshot(owner, snapshot).expect("begun").job);
    assert!(matches!(
        control.delete_snapshot(owner, snapshot),
        Err(Fault::NotFound { .. })
    ));
}

#[test]
fn an_upload_that_is_not_a_whole_disk_image_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !image::importer_is_there() {
        eprintln!("SKIPPED: qemu-img is not installed, bad images are not tested");
        return;
    }
    let images = tempfile::tempdir().expect("a folder");
    let path = images.path();
    assert!(qemu_img(
        &["create", "-q", "-f", "qcow2", "base.qcow2", "64M"],
        path
    ));
    assert!(qemu_img(
        &[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-b",
            "base.qcow2",
            "-F",
            "qcow2",
            "on.qcow2"
        ],
        path
    ));
    assert!(qemu_img(
        &[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            "data_file=data.raw",
            "data.qcow2",
            "64M"
        ],
        path
    ));
    assert!(qemu_img(
        &[
            "create",
            "-q",
            "-f",
            "vmdk",
            "-o",
            "subformat=monolithicFlat",
            "flat.vmdk",
            "64M"
        ],
        path
    ));
    std::fs::write(path.join("raw"), noise(3, 8 * MIB)).expect("a file");
    assert!(qemu_img(
        &["convert", "-f", "raw", "-O", "qcow2", "raw", "whole.qcow2"],
        path
    ));
    let read = |name: &str| std::fs::read(path.join(name)).expect("an image");
    let whole = read("whole.qcow2");

    let text = "pas une image\n".repeat(512).into_bytes();
    let pdf = [b"%PDF-1.7".as_slice(), &[0; 504]].concat();
    for (bytes, name) in [
        (&text, "notes.txt"),
        (&text, "disk.img"),
        (&pdf, "disk.raw"),
        (&noise(4, 511), "disk.raw"),
        (&noise(5, 4096), "photo.jpg"),
    ] {
        assert_eq!(
            import(&house, "v", bytes, name),
            Err(Fault::NotADiskImage),
            "{name}"
        );
    }
    assert_eq!(
        import(&house, "v", &whole[..40], "disk.qcow2"),
        Err(Fault::NotADiskImage),
        "a header that is cut off"
    );
    for name in ["on.qcow2", "data.qcow2", "flat.vmdk"] {
        assert_eq!(
            import(&house, "v", &read(name), name),
            Err(Fault::ImageNotSelfContained),
            "{name}"
        );
    }
    assert!(
        house.volumes().is_empty(),
        "what is refused at once leaves no trace"
    );

    // Cut off in the middle: found by the work, which undoes what it began.
    let started =
        import(&house, "v", &whole[..whole.len() / 2], "disk.qcow2").expect("its header is whole");
    assert_eq!(house.failed(started.job), Fault::NotADiskImage);
    let volume = house.volume("v");
    assert_eq!(
        (volume.state, volume.fault),
        (VolumeState::Failed, Some(Fault::NotADiskImage))
    );
    assert_eq!(uploads(folder.path()), 0);
    house.succeeded(
        house
            .control
            .delete_volume(&house.owner, volume.id)
            .expect("begun")
            .job,
    );
    let started = import(&house, "v", &whole, "disk.qcow2").expect("begun");
    house.succeeded(started.job);
    assert_eq!(
        house.read(house.volume("v").id, 0, 8 * MIB),
        noise(3, 8 * MIB)
    );
    // A file from anywhere else is never taken.
    let request = ImportRequest {
        name: "w".to_owned(),
        zone: house.zones[0],
        kind: VolumeKind::Data,
        file: path.join("whole.qcow2"),
        file_name: String::new(),
    };
    assert_eq!(
        house.control.import_volume(&house.owner, request),
        Err(Fault::BadRequest)
    );
}

#[test]
fn what_live_work_needs_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let volume = house.new_volume("v");
    let snapshot = house.new_snapshot(volume, "copie");
    // With the workers gone, what is asked for stays under way.
    control.stop();
    control
        .create_volume_from_snapshot(owner, snapshot, house.zones[0], "filling")
        .expect("asked");
    let in_use = |name: &str| Fault::InUse {
        name: name.to_owned(),
    };
    assert_eq!(
        control.delete_snapshot(owner, snapshot),
        Err(in_use("copie")),
        "a volume is being filled from it"
    );
    assert_eq!(
        control.snapshot_deletion(owner, snapshot),
        Err(in_use("copie")),
        "nor is it offered"
    );
    let filling = house.volume("filling");
    assert_eq!(filling.state, VolumeState::Restoring);
    assert_eq!(
        control.delete_volume(owner, filling.id),
        Err(in_use("filling"))
    );
    assert_eq!(
        control.volume_deletion(owner, filling.id),
        Err(in_use("filling"))
    );
    assert_eq!(
        control.take_snapshot(owner, filling.id, ""),
        Err(in_use("filling"))
    );
    control
        .take_snapshot(owner, volume, "second")
        .expect("asked");
    assert!(house.volume("v").in_snapshot);
    assert_eq!(
        control.delete_volume(owner, volume),
        Err(in_use("v")),
        "a snapshot of it is being taken"
    );
    let second = house
        .snapshots()
        .into_iter()
        .find(|row| row.name == "second")
        .expect("the snapshot")
        .id;
    assert_eq!(
        control.delete_snapshot(owner, second),
        Err(in_use("second"))
    );
}
