//! Saved snapshots that are read again.

use super::house::{House, noise, settings, tuning};
use crate::control::FixedClock;
use crate::domain::fault::Fault;
use crate::domain::snapshot::SnapshotState;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// The packs of the object store.
fn packs(data: &Path) -> Vec<PathBuf> {
    let organizations = std::fs::read_dir(data.join("archive/objects")).expect("an archive");
    organizations
        .flatten()
        .filter_map(|organization| std::fs::read_dir(organization.path().join("packs")).ok())
        .flat_map(|packs| packs.flatten().map(|pack| pack.path()))
        .collect()
}

#[test]
fn i08_a_snapshot_is_verified_when_every_chunk_of_it_was_read_and_never_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let volume = house.new_volume("v");
    house.write(volume, 0, &noise(1, 4 << 20));
    let snapshot = house.new_snapshot(volume, "copie");
    let row = || control.snapshot(owner, snapshot).expect("a snapshot");
    assert_eq!((row().state, row().verified), (SnapshotState::Saved, None));

    house.succeeded(control.verify_snapshot(owner, snapshot).expect("begun").job);
    assert_eq!(row().state, SnapshotState::Verified);
    assert!(row().verified.is_some());

    // One bit in the middle of a pack.
    let packs = packs(folder.path());
    let [pack] = packs.as_slice() else {
        panic!("one pack: {packs:?}")
    };
    let mut bytes = std::fs::read(pack).expect("a pack");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(pack, bytes).expect("damaged");
    let fault = house.failed(control.verify_snapshot(owner, snapshot).expect("begun").job);
    assert!(
        matches!(fault, Fault::SnapshotDamaged { .. }),
        "it is named: {fault:?}"
    );
    assert_eq!(row().state, SnapshotState::Failed);
    let again = control.verify_snapshot(owner, snapshot);
    assert!(
        matches!(again, Err(Fault::SnapshotNotUsable { .. })),
        "{again:?}"
    );

    // The next copy does not build on what is damaged.
    let next = house.new_snapshot(volume, "copie 2");
    house.succeeded(control.verify_snapshot(owner, next).expect("begun").job);
    house.succeeded(control.delete_snapshot(owner, snapshot).expect("begun").job);
}

#[test]
fn i08_what_was_not_proven_for_too_long_is_proven_by_the_program_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::at(1_800_000_000_000));
    let mut settings = settings(folder.path());
    settings.verify_days = Some(30);
    let mut tuning = tuning();
    tuning.clock = Arc::clone(&clock) as _;
    let house = House::open_with(settings, tuning);
    let (control, owner) = (&house.control, &house.owner);
    let volume = house.new_volume("v");
    house.write(volume, 0, &noise(1, 1 << 20));
    let older = house.new_snapshot(volume, "la plus ancienne");
    clock.advance(DAY_MS);
    let newer = house.new_snapshot(volume, "la plus récente");
    let verified = |id| control.snapshot(owner, id).expect("a snapshot").verified;
    let proving = || control.core.catalog.is_verifying().expect("an answer");
    let look = || {
        control.core.verify_next().expect("looked");
        // Work that the program asks for is otherwise found within a minute.
        control.runner.wake();
    };

    look();
    assert!(!proving() && verified(older).is_none(), "nothing waits yet");
    clock.advance(29 * DAY_MS + 1);
    look();
    let wait = |id| {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while verified(id).is_none() {
            assert!(std::time::Instant::now() < end, "never proven");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    wait(older);
    assert_eq!(verified(newer), None, "it is not due");
    // It is looked at most once a minute.
    clock.advance(DAY_MS);
    look();
    look();
    wait(newer);
    clock.advance(DAY_MS);
    look();
    assert!(!proving(), "all are proven, and nothing is asked twice");
}
