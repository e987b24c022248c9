//! The sample data with a guest: instances, and a tree with a branch.

use super::super::{demo, image};
use super::guest::{boot_sector, can_run};
use super::house::{House, caller};
use crate::domain::instance::InstanceState;
use crate::domain::recovery::{PointKind, PointState};
use crate::domain::snapshot::SnapshotState;
use crate::domain::template::TemplateState;
use crate::domain::volume::VolumeState;
use std::path::PathBuf;

/// A disk that holds the guest of one sector, and nothing else.
fn guest(house: &House) -> Option<PathBuf> {
    if !can_run(house) || !image::importer_is_there() {
        return None;
    }
    let path = house.control.core.folders.run().join("guest.img");
    let mut disk = boot_sector(false);
    disk.resize(16 << 20, 0);
    std::fs::write(&path, disk).expect("written");
    Some(path)
}

#[test]
fn with_a_guest_the_sample_data_has_instances_and_a_tree_with_a_branch() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let Some(guest) = guest(&house) else { return };
    let control = &house.control;
    demo::seed(control, Some(&guest)).expect("seeded");
    assert!(guest.is_file(), "the image stays where it is");
    demo::seed_guests(control).expect("started");

    let owner = caller(control, "mt@boreale.example");
    let volumes = control.list_volumes(&owner, 1).expect("a list").rows;
    let disks: Vec<_> = volumes
        .iter()
        .map(|row| {
            let instance = row.instance.as_ref().map(|link| link.name.as_str());
            (row.name.as_str(), instance)
        })
        .collect();
    let (stopped, running) = ("preprod-mysql-node01", "warrenton-mysql-node01");
    assert_eq!(
        disks,
        [
            ("ROOT-465", Some(stopped)),
            ("DATA-466", Some(stopped)),
            ("ROOT-471", Some(running)),
            ("DATA-472", Some(running)),
            ("essai-fr", None)
        ]
    );
    assert!(volumes.iter().all(|row| row.state == VolumeState::Ready));
    let instances = control.list_instances(&owner, 1).expect("a list").rows;
    let states: Vec<_> = instances
        .iter()
        .map(|row| (row.name.as_str(), row.state))
        .collect();
    assert_eq!(
        states,
        [
            (stopped, InstanceState::Stopped),
            (running, InstanceState::Running)
        ]
    );
    let snapshots = control.list_snapshots(&owner, 1).expect("a list").rows;
    assert_eq!(snapshots.len(), 1);
    assert_eq!(
        (snapshots[0].state, snapshots[0].volume.as_str()),
        (SnapshotState::Saved, "ROOT-465")
    );
    let templates = control.list_templates(&owner, 1).expect("a list").rows;
    assert_eq!(templates.len(), 1);
    assert_eq!(templates[0].state, TemplateState::Ready);

    let tree = control
        .list_points(&owner, instances[1].id)
        .expect("the points");
    let mut points: Vec<_> = tree
        .points
        .iter()
        .map(|point| (point.name.as_str(), point.depth, point.on_path))
        .collect();
    points.sort_unstable();
    assert_eq!(
        points,
        [
            ("après-durcissement", 1, true),
            ("avant-migration-8.4", 2, true),
            ("essai-8.4", 2, false),
            ("initial", 0, true)
        ]
    );
    assert!(
        tree.points
            .iter()
            .all(|point| point.kind == PointKind::Made && point.state == PointState::Ready)
    );
    let shown = control.point(&owner, instances[1].id, None);
    let shown = shown.expect("the current point");
    assert_eq!((Some(shown.id), shown.disks.len()), (tree.current, 2));
    let here = tree
        .points
        .iter()
        .find(|point| Some(point.id) == tree.current);
    assert_eq!(
        here.map(|point| point.name.as_str()),
        Some("avant-migration-8.4")
    );
    assert!(control.quarantine().expect("an answer").is_empty());
}

#[test]
fn an_image_that_makes_no_template_leaves_the_sample_data_as_it_is_without() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let Some(guest) = guest(&house) else { return };
    let mut disk = std::fs::read(&guest).expect("read");
    disk[..440].fill(0);
    std::fs::write(&guest, disk).expect("written");
    let control = &house.control;
    demo::seed(control, Some(&guest)).expect("seeded");
    demo::seed_guests(control).expect("nothing to do");
    let owner = caller(control, "mt@boreale.example");
    let volumes = control.list_volumes(&owner, 1).expect("a list").rows;
    let names: Vec<_> = volumes.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["ROOT-465", "DATA-466", "essai-fr"]);
    assert_eq!(control.list_templates(&owner, 1).expect("none").total, 0);
    assert_eq!(control.list_instances(&owner, 1).expect("none").total, 0);
    assert!(control.quarantine().expect("an answer").is_empty());
}
