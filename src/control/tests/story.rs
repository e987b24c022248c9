//! The whole way: an image comes in, a snapshot is taken, a volume is made of it in the other zone, all is deleted.

use super::super::ImportRequest;
use super::super::{demo, image};
use super::house::{House, caller, noise};
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::{VolumeKind, VolumeState};
use std::process::Command;

const MIB: u64 = 1 << 20;

#[test]
fn i08_an_image_becomes_a_volume_a_snapshot_and_the_same_bytes_in_the_other_zone() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !image::importer_is_there() {
        eprintln!("SKIPPED: qemu-img is not installed, importing is not tested");
        return;
    }
    // A disk of 1 GiB and one sector, in a format with a structure of its own.
    let (raw, qcow) = (
        folder.path().join("disk.raw"),
        folder.path().join("disk.qcow2"),
    );
    let content = noise(1, 3 * MIB as usize);
    let file = std::fs::File::create(&raw).expect("a file");
    std::os::unix::fs::FileExt::write_all_at(&file, &content, 5 * MIB + 4096).expect("written");
    std::os::unix::fs::FileExt::write_all_at(&file, b"the end", (1 << 30) + 505).expect("written");
    let convert = Command::new("qemu-img")
        .args(["convert", "-f", "raw", "-O", "qcow2"])
        .arg(&raw)
        .arg(&qcow)
        .status();
    assert!(convert.expect("qemu-img runs").success());

    let (control, owner) = (&house.control, &house.owner);
    let length = qcow.metadata().expect("a file").len();
    let slot = control
        .upload_check(
            owner,
            "ROOT",
            house.zones[0],
            VolumeKind::Root,
            Some(length),
        )
        .expect("a place");
    std::fs::copy(&qcow, &slot.path).expect("uploaded");
    let request = ImportRequest {
        name: "ROOT".to_owned(),
        zone: house.zones[0],
        kind: VolumeKind::Root,
        file: slot.path.clone(),
        file_name: "disk.qcow2".to_owned(),
    };
    let started = control.import_volume(owner, request).expect("begun");
    house.succeeded(started.job);
    assert_eq!(
        std::fs::read_dir(folder.path().join("uploads"))
            .expect("a folder")
            .count(),
        0
    );
    let root = house.volume("ROOT");
    assert_eq!(
        (root.state, root.kind, root.size.0),
        (VolumeState::Ready, VolumeKind::Root, (1 << 30) + 4096)
    );
    assert!(root.written.expect("known").0 < 4 * MIB);

    let plan = control.snapshot_plan(owner, root.id).expect("a plan");
    assert_eq!(
        (plan.to_save, plan.since, plan.zones),
        (plan.written, None, 2)
    );
    assert!(plan.proposed.starts_with("ROOT 20"), "{}", plan.proposed);
    let snapshot = house.new_snapshot(root.id, "avant");
    let row = control.snapshot(owner, snapshot).expect("a row");
    assert_eq!(row.state, SnapshotState::Saved);
    assert!(row.data.expect("known").0 >= 3 * MIB && row.reclaimable.expect("known").0 >= 3 * MIB);

    // The original goes on changing; the snapshot does not.
    house.write(root.id, 5 * MIB + 4096, &[7; 8192]);
    let plan = control.snapshot_plan(owner, root.id).expect("a plan");
    assert_eq!((plan.to_save.0, plan.since), (65_536, Some(row.taken)));
    let second = house.new_snapshot(root.id, "après");
    let uploaded = control
        .catalog()
        .snapshot(second)
        .expect("an answer")
        .expect("the snapshot");
    assert_eq!(uploaded.base, Some(snapshot));

    let started = control
        .create_volume_from_snapshot(owner, snapshot, house.zones[1], "DATA")
        .expect("begun");
    house.succeeded(started.job);
    let data = house.volume("DATA");
    assert_eq!(
        (data.state, data.kind, data.size),
        (VolumeState::Ready, VolumeKind::Data, root.size)
    );
    assert_ne!(data.zone, root.zone);
    assert_eq!(house.read(data.id, 5 * MIB + 4096, content.len()), content);
    assert_eq!(house.read(data.id, (1 << 30) + 505, 7), b"the end");
    assert_eq!(house.read(data.id, 0, 4096), vec![0; 4096]);

    let plan = control.volume_deletion(owner, root.id).expect("a plan");
    assert_eq!(plan.snapshots_kept, 2);
    assert!(plan.frees.0 > 0);
    house.succeeded(control.delete_volume(owner, root.id).expect("begun").job);
    let started = control
        .create_volume_from_snapshot(owner, second, house.zones[0], "ROOT")
        .expect("its name is free again");
    house.succeeded(started.job);
    assert_eq!(
        house.read(house.volume("ROOT").id, 5 * MIB + 4096, 8192),
        vec![7; 8192]
    );

    let plan = control.snapshot_deletion(owner, snapshot).expect("a plan");
    house.succeeded(control.delete_snapshot(owner, snapshot).expect("begun").job);
    house.succeeded(control.delete_snapshot(owner, second).expect("begun").job);
    assert!(house.snapshots().is_empty());
    assert!(plan.frees.0 > 0);
    assert!(control.quarantine().expect("an answer").is_empty());
}

#[test]
fn the_sample_data_is_there_and_real() {
    let folder = tempfile::tempdir().expect("a folder");
    let control =
        super::super::Control::open(super::house::settings(folder.path())).expect("a region");
    demo::seed(&control, None).expect("seeded");
    let owner = caller(&control, "mt@boreale.example");
    let volumes = control.list_volumes(&owner, 1).expect("a list").rows;
    let names: Vec<_> = volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["ROOT-465", "DATA-466", "essai-fr"]);
    assert!(
        volumes
            .iter()
            .all(|volume| volume.state == VolumeState::Ready
                && volume.written.is_some_and(|w| w.0 >= 4 * MIB))
    );
    let snapshots = control.list_snapshots(&owner, 1).expect("a list").rows;
    assert_eq!(snapshots.len(), 1);
    assert_eq!(snapshots[0].state, SnapshotState::Saved);
    assert_eq!(control.list_activity(&owner, 1).expect("the log").total, 4);
    control.stop();
}
