//! Pools and object stores that are full, absent or hold what nobody knows.

use super::super::image;
use super::bad_input::{import, uploads};
use super::house::{House, noise, settings, tuning};
use crate::catalog;
use crate::catalog::snapshots::Held;
use crate::catalog::volumes::move_volume;
use crate::domain::fault::Fault;
use crate::domain::id::VolumeId;
use crate::domain::job::JobState;
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::VolumeState;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

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
    assert!(
        matches!(large, Err(Fault::ImageTooLarge { .. })),
        "more than the whole pool: {large:?}"
    );
    let first = import(&house, "first", &noise(1, 10 * MIB), "disk.raw").expect("begun");
    house.succeeded(first.job);
    let second = import(&house, "second", &noise(2, 10 * MIB), "disk.raw")
        .expect("begun: zeros would have fitted");
    let fault = house.failed(second.job);
    assert!(
        matches!(&fault, Fault::PoolFull { zone, .. } if *zone == house.volume("first").zone),
        "{fault:?}"
    );
    assert_eq!(uploads(folder.path()), 0);
    assert_eq!(
        house.read(house.volume("first").id, 0, 10 * MIB),
        noise(1, 10 * MIB),
        "nothing else is touched"
    );

    // A snapshot that does not fit into the zone either.
    let snapshot = house.new_snapshot(house.volume("first").id, "copie");
    let made =
        house
            .control
            .create_volume_from_snapshot(&house.owner, snapshot, house.zones[0], "third");
    assert!(matches!(made, Err(Fault::PoolFull { .. })), "{made:?}");

    for name in ["first", "second"] {
        house.succeeded(
            house
                .control
                .delete_volume(&house.owner, house.volume(name).id)
                .expect("begun")
                .job,
        );
    }
    let zone = house
        .control
        .core
        .zones
        .get(house.zones[0])
        .expect("the zone");
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
    let started = control
        .take_snapshot(owner, volume, "copie")
        .expect("begun");
    assert_eq!(house.failed(started.job), Fault::ObjectStoreUnavailable);
    let row = house.snapshots().remove(0);
    assert_eq!(
        (row.state, row.fault),
        (SnapshotState::Failed, Some(Fault::ObjectStoreUnavailable))
    );
    assert!(row.job.is_some_and(|job| job.may_retry));
    let made = control.create_volume_from_snapshot(owner, row.id, house.zones[0], "x");
    assert_eq!(
        made,
        Err(Fault::SnapshotNotUsable {
            name: "copie".to_owned()
        })
    );

    // The volume goes on; the moment stays what it was.
    house.write(volume, 0, &noise(2, MIB));
    std::fs::remove_file(folder.path().join("archive")).expect("mended");
    control.retry_job(owner, started.job).expect("tried again");
    house.succeeded(started.job);
    let started = control
        .create_volume_from_snapshot(owner, row.id, house.zones[1], "x")
        .expect("begun");
    house.succeeded(started.job);
    assert_eq!(house.read(house.volume("x").id, 0, MIB), noise(1, MIB));
    assert_eq!(
        control.retry_job(owner, started.job),
        Err(Fault::NotRetryable),
        "it succeeded"
    );
}

#[test]
fn a_failed_snapshot_that_is_deleted_cannot_be_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("archive"), b"").expect("a file");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let volume = house.new_volume("v");
    let started = control
        .take_snapshot(owner, volume, "copie")
        .expect("begun");
    house.failed(started.job);
    let deletion = control
        .delete_snapshot(owner, house.snapshots()[0].id)
        .expect("begun");
    // Deleting is tried until the object store answers.
    house.until(deletion.job, |job| job.state == JobState::Waiting);
    assert_eq!(
        control.retry_job(owner, started.job),
        Err(Fault::NotRetryable)
    );
    assert_eq!(
        control.interrupt_job(owner, deletion.job),
        Err(Fault::NotInterruptible)
    );
    std::fs::remove_file(folder.path().join("archive")).expect("mended");
    let hurried = control.retry_job(owner, deletion.job);
    assert!(
        matches!(hurried, Ok(()) | Err(Fault::NotRetryable)),
        "unless it has just begun by itself: {hurried:?}"
    );
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
    let pool = folder
        .path()
        .join("zones")
        .join(zones[0].to_string())
        .join("pool");
    std::fs::rename(&pool, folder.path().join("aside")).expect("moved");
    std::fs::write(&pool, b"").expect("a file in its place");
    {
        let house = House::open(folder.path());
        let row = house.volume("v");
        assert!(matches!(
            (row.state, row.written, row.fault),
            (VolumeState::Ready, None, Some(Fault::Internal { .. }))
        ));
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
    let pool = folder
        .path()
        .join("zones")
        .join(zone.to_string())
        .join("pool");
    let open = || crate::engine::Pool::open(&pool, tuning().pool).expect("a pool");
    open()
        .create_volume(unknown, 1 << 30)
        .expect("made behind the catalog's back");
    for _ in 0..2 {
        let house = House::open(folder.path());
        let apart = house.control.quarantine().expect("an answer");
        assert_eq!(
            apart
                .iter()
                .map(|found| found.id.clone())
                .collect::<Vec<_>>(),
            [unknown.to_string()]
        );
        assert_eq!(house.volumes().len(), 1);
    }
    assert!(open().volume(unknown).expect("an answer").is_some());
    open().delete_volume(unknown).expect("by the operator");
    assert!(
        House::open(folder.path())
            .control
            .quarantine()
            .expect("an answer")
            .is_empty()
    );
}

#[test]
fn i16_a_checkpoint_that_its_job_could_not_retire_is_retired_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (snapshot, volume) = {
        let house = House::open(folder.path());
        let volume = house.new_volume("v");
        house.write(volume, 0, &noise(1, MIB));
        let snapshot = house.new_snapshot(volume, "copie");
        // As it stands after a pool that refused to.
        let catalog = house.control.catalog();
        catalog.set_held(snapshot, Held::Whole).expect("written");
        (snapshot, volume)
    };
    let house = House::open(folder.path());
    let held = || {
        house
            .control
            .catalog()
            .snapshot(snapshot)
            .expect("an answer")
            .expect("it")
            .held
    };
    assert_eq!(held(), Held::Base);
    assert!(
        house
            .pool_of(volume)
            .checkpoints()
            .iter()
            .all(|checkpoint| checkpoint.retired)
    );
}

#[test]
fn i16_an_object_that_lost_its_work_is_mended_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    {
        let house = House::open(folder.path());
        house.new_volume("half");
        house.new_volume("going");
        house.control.stop();
        let half = house.volume("half").id;
        let going = house.volume("going").id;
        // No job of ours leaves this behind: only a catalog that lost rows.
        let lost = house.control.catalog().write(|tx| {
            move_volume(tx, half, VolumeState::Ready, VolumeState::Restoring, None)?;
            move_volume(tx, going, VolumeState::Ready, VolumeState::Deleting, None)
        });
        assert!(
            lost.map_err(|error: catalog::Error| error)
                .expect("written")
        );
    }
    let house = House::open(folder.path());
    let half = house.volume("half");
    assert!(matches!(
        (half.state, half.fault),
        (VolumeState::Failed, Some(Fault::Internal { .. }))
    ));
    // The deletion that was begun anew.
    let catalog = house.control.catalog();
    let jobs = catalog.live_jobs().expect("an answer");
    let end = Instant::now() + Duration::from_secs(120);
    while !catalog.live_jobs().expect("an answer").is_empty() {
        assert!(Instant::now() < end, "never ended: {jobs:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(house.volumes().len(), 1);
    house.succeeded(
        house
            .control
            .delete_volume(&house.owner, half.id)
            .expect("begun")
            .job,
    );
    assert!(house.volumes().is_empty());
}
