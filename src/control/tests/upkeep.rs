//! What the program does by itself with the object store.

use super::filling::Scene;
use super::guest::eventually;
use super::house::{House, noise, settings, tuning};
use crate::archive::HoldId;
use crate::domain::id::VolumeId;
use crate::domain::volume::VolumeKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MIB: usize = 1 << 20;

/// The objects of a kind that lie in the archive's folder.
fn objects(data: &Path, kind: &str) -> Vec<PathBuf> {
    let organizations = std::fs::read_dir(data.join("archive/objects")).expect("an archive");
    organizations
        .flatten()
        .filter_map(|organization| std::fs::read_dir(organization.path().join(kind)).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .collect()
}

#[test]
fn i10_what_nobody_needs_goes_without_anyone_asking() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut often = tuning();
    often.look = Duration::from_millis(20);
    let snapshot = {
        let house = House::open(folder.path());
        let volume = house.new_volume("v");
        house.write(volume, 0, &noise(1, MIB));
        let snapshot = house.new_snapshot(volume, "copie");
        // A hold of a volume that there is nothing else of, as a crash in the middle of making it leaves it.
        let core = &house.control.core;
        let gone = VolumeId::new();
        let origin = crate::catalog::origins::Origin {
            volume: gone,
            organization: house.organization(),
            zone: house.zones[0],
            content: snapshot,
            base: crate::domain::id::CheckpointId::new(),
            held: true,
        };
        core.catalog.write_origin(&origin).expect("written");
        let archive = core.archive.get().expect("the archive");
        archive
            .hold_for(house.organization(), snapshot, HoldId::from(gone))
            .expect("held");
        snapshot
    };
    // And what a save has left that was killed: a pack that no manifest names.
    let packs = objects(folder.path(), "packs");
    let orphan = packs[0].with_file_name("00000000-0000-7000-8000-000000000001");
    std::fs::copy(&packs[0], &orphan).expect("copied");
    assert_eq!(objects(folder.path(), "holds").len(), 1);
    let house = House::open_with(settings(folder.path()), often);
    eventually("it goes", || {
        !orphan.exists() && objects(folder.path(), "holds").is_empty()
    });
    assert_eq!(objects(folder.path(), "packs"), packs, "and nothing else");
    let made =
        house
            .control
            .create_volume_from_snapshot(&house.owner, snapshot, house.zones[1], "encore");
    house.succeeded(made.expect("begun").job);
    assert!(house.read(house.volume("encore").id, 0, MIB) == noise(1, MIB));
}

/// Where others write to the bucket as well, a deletion frees nothing by itself.
#[test]
fn i10_a_shared_bucket_is_pruned_after_a_deletion_and_again_when_that_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::ZERO);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    assert!(control.core.archive.get().expect("it").is_shared());
    let mut head = noise(7, MIB);
    head[510..512].copy_from_slice(&[0x55, 0xaa]);
    let volume = scene.house.root_volume("source", VolumeKind::Root, &head);
    let snapshot = scene.house.new_snapshot(volume, "source");
    let made = control.create_template(owner, snapshot, "modèle", "");
    scene.house.succeeded(made.expect("begun").job);
    let minute = || scene.clock.advance(60_000);
    let look = || {
        minute();
        let before = control.core.pruned();
        control.core.look_after();
        control.core.pruned() != before
    };
    assert!(look(), "the first time");
    assert!(!look(), "nothing has changed");
    let template = scene.house.template().id;
    let deleted = control.delete_template(owner, template).expect("begun");
    scene.house.succeeded(deleted.job);
    assert!(look(), "after a template");
    assert!(!look());
    let deleted = control.delete_snapshot(owner, snapshot).expect("begun");
    scene.house.succeeded(deleted.job);
    assert!(look(), "after a snapshot");
    assert!(!look());
    scene.clock.advance(24 * 3_600_000);
    scene.outage();
    assert!(look(), "after a day");
    scene.store.heal();
    assert!(!look(), "in a moment");
    scene.clock.advance(15 * 60_000);
    assert!(look(), "in a quarter of an hour, and not tomorrow");
    assert!(!look());
}
