//! What is wrong is said, and nothing is lost.

use super::super::{ImportRequest, image};
use super::house::{House, noise, settings, tuning};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{JobId, SnapshotId, VolumeId, ZoneId};
use crate::domain::job::JobState;
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::view::Started;
use std::path::Path;
use std::process::Command;

const MIB: usize = 1 << 20;

fn import(house: &House, name: &str, bytes: &[u8], file_name: &str) -> Result<Started, Fault> {
    let length = Some(bytes.len() as u64);
    let slot = house.control.upload_check(&house.owner, name, house.zones[0], VolumeKind::Data, length)?;
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

fn uploads(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("uploads")).expect("a folder").count()
}

fn qemu_img(arguments: &[&str], folder: &Path) -> bool {
    let status = Command::new("qemu-img").args(arguments).current_dir(folder).stdout(std::process::Stdio::null()).status();
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
    assert_eq!(create(&"é".repeat(101)), Err(Fault::NameTooLong { max: 100 }));
    assert_eq!(create("a\u{202e}b"), Err(Fault::NameUnreadable));
    assert_eq!(create("données"), Err(Fault::NameTaken { name: "données".to_owned() }));
    for gib in [0, 8193, u64::MAX] {
        let refused = control.create_volume(owner, "x", zone, gib);
        assert_eq!(refused, Err(Fault::SizeOutOfRange { min_gib: 1, max_gib: 8192 }), "{gib}");
    }
    let no_zone = Err(Fault::NotFound { what: Noun::Zone });
    assert_eq!(control.create_volume(owner, "x", ZoneId::new(), 1), no_zone);
    let snapshot = house.new_snapshot(volume, "copie");
    let taken = Fault::NameTaken { name: "Copie".to_owned() };
    assert_eq!(control.take_snapshot(owner, volume, "Copie"), Err(taken));
    let made = control.create_volume_from_snapshot(owner, snapshot, zone, "DONNÉES");
    assert_eq!(made, Err(Fault::NameTaken { name: "DONNÉES".to_owned() }));
    assert_eq!(control.create_volume_from_snapshot(owner, snapshot, ZoneId::new(), "x"), no_zone);

    assert_eq!(control.volume_deletion(owner, VolumeId::new()), Err(Fault::NotFound { what: Noun::Volume }));
    assert_eq!(control.delete_volume(owner, VolumeId::new()), Err(Fault::NotFound { what: Noun::Volume }));
    assert_eq!(control.delete_snapshot(owner, SnapshotId::new()), Err(Fault::NotFound { what: Noun::Snapshot }));
    assert_eq!(control.retry_job(owner, JobId::new()), Err(Fault::NotFound { what: Noun::Job }));
    // A page beyond the last one is the last one.
    assert_eq!(control.list_volumes(owner, u32::MAX).expect("a page").page, 1);
    assert_eq!(house.volumes().len(), 1);
}

#[test]
fn what_is_in_use_is_not_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let volume = house.new_volume("busy");
    let in_use = Fault::InUse { name: "busy".to_owned() };

    let doors = control.zone_doors();
    let door = doors.iter().find(|door| door.id == house.zones[0]).expect("the zone's door");
    assert_eq!(door.exports.list(), [volume.to_string()]);
    let first = door.exports.open(&volume.to_string()).expect("opened");
    let second = door.exports.open(&volume.to_string()).expect("connections share it");
    assert!(first.multi_conn && first.device.size() == second.device.size());
    assert_eq!(control.delete_volume(owner, volume), Err(in_use.clone()));
    drop((first, second));
    for name in ["", "x", "checkpoint/x", "../..", &VolumeId::new().to_string()] {
        assert!(door.exports.open(name).is_err(), "{name:?}");
    }
    let elsewhere = doors.iter().find(|door| door.id == house.zones[1]).expect("the other zone's door");
    assert!(elsewhere.exports.open(&volume.to_string()).is_err(), "a zone offers its own volumes only");

    let snapshot = house.new_snapshot(volume, "copie");
    house.succeeded(control.delete_volume(owner, volume).expect("begun").job);
    assert!(matches!(control.volume_deletion(owner, volume), Err(Fault::NotFound { .. })));
    house.succeeded(control.delete_snapshot(owner, snapshot).expect("begun").job);
    assert!(matches!(control.delete_snapshot(owner, snapshot), Err(Fault::NotFound { .. })));
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
    assert!(qemu_img(&["create", "-q", "-f", "qcow2", "base.qcow2", "64M"], path));
    assert!(qemu_img(&["create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "on.qcow2"], path));
    assert!(qemu_img(&["create", "-q", "-f", "qcow2", "-o", "data_file=data.raw", "data.qcow2", "64M"], path));
    assert!(qemu_img(&["create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", "flat.vmdk", "64M"], path));
    std::fs::write(path.join("raw"), noise(3, 8 * MIB)).expect("a file");
    assert!(qemu_img(&["convert", "-f", "raw", "-O", "qcow2", "raw", "whole.qcow2"], path));
    let read = |name: &str| std::fs::read(path.join(name)).expect("an image");
    let whole = read("whole.qcow2");

    let text = "pas une image\n".repeat(512).into_bytes();
    let pdf = [b"%PDF-1.7".as_slice(), &[0; 504]].concat();
    for (bytes, name) in [(&text, "notes.txt"), (&text, "disk.img"), (&pdf, "disk.raw"), (&noise(4, 511), "disk.raw"), (&noise(5, 4096), "photo.jpg")] {
        assert_eq!(import(&house, "v", bytes, name), Err(Fault::NotADiskImage), "{name}");
    }
    assert_eq!(import(&house, "v", &whole[..40], "disk.qcow2"), Err(Fault::NotADiskImage), "a header that is cut off");
    for name in ["on.qcow2", "data.qcow2", "flat.vmdk"] {
        assert_eq!(import(&house, "v", &read(name), name), Err(Fault::ImageNotSelfContained), "{name}");
    }
    assert!(house.volumes().is_empty(), "what is refused at once leaves no trace");

    // Cut off in the middle: found by the work, which undoes what it began.
    let started = import(&house, "v", &whole[..whole.len() / 2], "disk.qcow2").expect("its header is whole");
    assert_eq!(house.failed(started.job), Fault::NotADiskImage);
    let volume = house.volume("v");
    assert_eq!((volume.state, volume.fault), (VolumeState::Failed, Some(Fault::NotADiskImage)));
    assert_eq!(uploads(folder.path()), 0);
    house.succeeded(house.control.delete_volume(&house.owner, volume.id).expect("begun").job);
    let started = import(&house, "v", &whole, "disk.qcow2").expect("begun");
    house.succeeded(started.job);
    assert_eq!(house.read(house.volume("v").id, 0, 8 * MIB), noise(3, 8 * MIB));
    // A file from anywhere else is never taken.
    let request = ImportRequest {
        name: "w".to_owned(),
        zone: house.zones[0],
        kind: VolumeKind::Data,
        file: path.join("whole.qcow2"),
        file_name: String::new(),
    };
    assert_eq!(house.control.import_volume(&house.owner, request), Err(Fault::BadRequest));
}

#[test]
fn i06_a_full_pool_says_so_and_can_be_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = settings(folder.path());
    for zone in &mut settings.zones {
        zone.limit = Some(16 * MIB as u64);
    }
    let house = House::open_with(settings, tuning());
    if !image::importer_is_there() {
        eprintln!("SKIPPED: qemu-img is not installed, a full pool is not tested");
        return;
    }
    let large = import(&house, "v", &noise(1, 64 * MIB), "disk.raw");
    assert!(matches!(large, Err(Fault::ImageTooLarge { .. })), "more than the whole pool: {large:?}");
    let first = import(&house, "first", &noise(1, 10 * MIB), "disk.raw").expect("begun");
    house.succeeded(first.job);
    let second = import(&house, "second", &noise(2, 10 * MIB), "disk.raw").expect("begun: zeros would have fitted");
    let fault = house.failed(second.job);
    assert!(matches!(&fault, Fault::PoolFull { zone, .. } if *zone == house.volume("first").zone), "{fault:?}");
    assert_eq!(uploads(folder.path()), 0);
    assert_eq!(house.read(house.volume("first").id, 0, 10 * MIB), noise(1, 10 * MIB), "nothing else is touched");

    // A snapshot that does not fit into the zone either.
    let snapshot = house.new_snapshot(house.volume("first").id, "copie");
    let made = house.control.create_volume_from_snapshot(&house.owner, snapshot, house.zones[0], "third");
    assert!(matches!(made, Err(Fault::PoolFull { .. })), "{made:?}");

    for name in ["first", "second"] {
        house.succeeded(house.control.delete_volume(&house.owner, house.volume(name).id).expect("begun").job);
    }
    let zone = house.control.core.zones.get(house.zones[0]).expect("the zone");
    zone.pool("").expect("a pool").reclaim().expect("reclaimed");
    let again = import(&house, "again", &noise(2, 10 * MIB), "disk.raw").expect("begun");
    house.succeeded(again.job);
}

#[test]
fn i08_an_object_store_that_cannot_be_written_fails_the_snapshot_which_can_be_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    // A file in the place of the folder: nobody can write into that, root neither.
    std::fs::write(folder.path().join("archive"), b"").expect("a file");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let volume = house.new_volume("v");
    house.write(volume, 0, &noise(1, MIB));
    let started = control.take_snapshot(owner, volume, "copie").expect("begun");
    assert_eq!(house.failed(started.job), Fault::ObjectStoreUnavailable);
    let row = house.snapshots().remove(0);
    assert_eq!((row.state, row.fault), (SnapshotState::Failed, Some(Fault::ObjectStoreUnavailable)));
    assert!(row.job.is_some_and(|job| job.may_retry));
    let made = control.create_volume_from_snapshot(owner, row.id, house.zones[0], "x");
    assert_eq!(made, Err(Fault::SnapshotNotUsable { name: "copie".to_owned() }));

    // The volume goes on; the moment stays what it was.
    house.write(volume, 0, &noise(2, MIB));
    std::fs::remove_file(folder.path().join("archive")).expect("mended");
    control.retry_job(owner, started.job).expect("tried again");
    house.succeeded(started.job);
    let started = control.create_volume_from_snapshot(owner, row.id, house.zones[1], "x").expect("begun");
    house.succeeded(started.job);
    assert_eq!(house.read(house.volume("x").id, 0, MIB), noise(1, MIB));
    assert_eq!(control.retry_job(owner, started.job), Err(Fault::NotRetryable), "it succeeded");
}

#[test]
fn a_failed_snapshot_that_is_deleted_cannot_be_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("archive"), b"").expect("a file");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let volume = house.new_volume("v");
    let started = control.take_snapshot(owner, volume, "copie").expect("begun");
    house.failed(started.job);
    let deletion = control.delete_snapshot(owner, house.snapshots()[0].id).expect("begun");
    // Deleting is tried until the object store answers.
    house.until(deletion.job, |job| job.state == JobState::Waiting);
    assert_eq!(control.retry_job(owner, started.job), Err(Fault::NotRetryable));
    assert_eq!(control.interrupt_job(owner, deletion.job), Err(Fault::NotInterruptible));
    std::fs::remove_file(folder.path().join("archive")).expect("mended");
    let hurried = control.retry_job(owner, deletion.job);
    assert!(matches!(hurried, Ok(()) | Err(Fault::NotRetryable)), "unless it has just begun by itself: {hurried:?}");
    house.succeeded(deletion.job);
    assert!(house.snapshots().is_empty());
    assert!(house.pool_of(volume).checkpoints().is_empty());
}

#[test]
fn one_zone_that_cannot_be_opened_keeps_no_other_from_working() {
    let folder = tempfile::tempdir().expect("a folder");
    let (zones, volume) = {
        let house = House::open(folder.path());
        (house.zones.clone(), house.new_volume("v"))
    };
    let pool = folder.path().join("zones").join(zones[0].to_string()).join("pool");
    std::fs::rename(&pool, folder.path().join("aside")).expect("moved");
    std::fs::write(&pool, b"").expect("a file in its place");
    {
        let house = House::open(folder.path());
        let row = house.volume("v");
        assert!(matches!((row.state, row.written, row.fault), (VolumeState::Ready, None, Some(Fault::Internal { .. }))));
        let create = |zone, name| house.control.create_volume(&house.owner, name, zone, 1);
        assert!(matches!(create(zones[0], "a"), Err(Fault::Internal { .. })));
        house.succeeded(create(zones[1], "b").expect("begun").job);
        assert_eq!(house.control.zone_doors().len(), 1);
    }
    std::fs::remove_file(&pool).expect("removed");
    std::fs::rename(folder.path().join("aside"), &pool).expect("moved back");
    let house = House::open(folder.path());
    assert_eq!(house.volume("v").fault, None);
    assert_eq!(house.volume("v").id, volume);
}

#[test]
fn i16_what_the_catalog_does_not_know_is_set_apart_and_never_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (unknown, zone) = (VolumeId::new(), {
        let house = House::open(folder.path());
        house.new_volume("known");
        house.zones[0]
    });
    let pool = folder.path().join("zones").join(zone.to_string()).join("pool");
    // Without a thread of its own, which would hold the pool a moment longer than the test does.
    let options = crate::engine::PoolOptions { background: false, ..tuning().pool };
    let open = || crate::engine::Pool::open(&pool, options.clone()).expect("a pool");
    open().create_volume(unknown, 1 << 30).expect("made behind the catalog's back");
    for _ in 0..2 {
        let house = House::open(folder.path());
        let apart = house.control.quarantine().expect("an answer");
        assert_eq!(apart.iter().map(|found| found.id.clone()).collect::<Vec<_>>(), [unknown.to_string()]);
        assert_eq!(house.volumes().len(), 1);
    }
    assert!(open().volume(unknown).expect("an answer").is_some());
    open().delete_volume(unknown).expect("by the operator");
    assert!(House::open(folder.path()).control.quarantine().expect("an answer").is_empty());
}
