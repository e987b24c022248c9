//! An object store whose folder is not mounted: work waits and says so, nothing is called damaged, and nothing comes to be
//! in the empty folder. And another store in its place.

use super::house::{House, noise};
use crate::domain::fault::Fault;
use crate::domain::job::JobState;
use crate::domain::snapshot::SnapshotState;
use std::path::Path;

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .expect("a folder")
        .next()
        .is_none()
}

#[test]
fn i08_work_waits_for_a_folder_that_is_not_mounted_and_calls_nothing_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, away) = (folder.path().join("archive"), folder.path().join("away"));
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let volume = house.new_volume("v");
    house.write(volume, 0, &noise(1, 4 << 20));
    let kept = house.new_snapshot(volume, "copie");
    let state = |id| control.snapshot(owner, id).expect("a snapshot").state;

    std::fs::rename(&archive, &away).expect("unmounted");
    std::fs::create_dir(&archive).expect("the mount point");
    let verify = control.verify_snapshot(owner, kept).expect("begun").job;
    let waiting = house.until(verify, |job| {
        job.state == JobState::Waiting || !job.state.is_live()
    });
    assert_eq!(waiting.fault, Some(Fault::ObjectStoreUnavailable));
    assert!(waiting.state != JobState::Succeeded);
    assert_eq!(house.failed(verify), Fault::ObjectStoreUnavailable);
    assert_eq!(state(kept), SnapshotState::Saved, "it is not damaged");
    let taken = control
        .take_snapshot(owner, volume, "copie 2")
        .expect("begun");
    assert_eq!(house.failed(taken.job), Fault::ObjectStoreUnavailable);
    // Deletions never give up: they wait.
    let deletion = control.delete_snapshot(owner, kept).expect("begun").job;
    house.until(deletion, |job| {
        job.state == JobState::Waiting && job.fault == Some(Fault::ObjectStoreUnavailable)
    });
    assert!(is_empty(&archive));

    // A start without it is a start, and changes nothing either.
    drop(house);
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    house.until(deletion, |job| {
        job.state == JobState::Waiting && job.fault == Some(Fault::ObjectStoreUnavailable)
    });
    assert!(is_empty(&archive));
    assert_eq!(house.snapshots().len(), 2);

    // Mounted again, under the running server.
    std::fs::remove_dir(&archive).expect("the mount point");
    std::fs::rename(&away, &archive).expect("mounted");
    house.succeeded(deletion);
    control.retry_job(owner, taken.job).expect("tried again");
    house.succeeded(taken.job);
    let row = house.snapshots().remove(0);
    house.succeeded(control.verify_snapshot(owner, row.id).expect("begun").job);
}

#[test]
fn i08_another_object_store_is_refused_and_nothing_is_done_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    for data in [folder.path(), other.path()] {
        let house = House::open(data);
        let volume = house.new_volume("v");
        house.write(volume, 0, &noise(1, 1 << 20));
        house.new_snapshot(volume, "copie");
    }
    std::fs::rename(&archive, folder.path().join("away")).expect("gone");
    std::fs::rename(other.path().join("archive"), &archive).expect("another");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let row = house.snapshots().remove(0);
    let verify = control.verify_snapshot(owner, row.id).expect("begun").job;
    assert_eq!(house.failed(verify), Fault::ObjectStoreOther);
    let row = control.snapshot(owner, row.id).expect("a snapshot");
    assert_eq!(row.state, SnapshotState::Saved);
}
