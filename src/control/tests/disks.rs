//! Instances that stand, with small disks that are compared whole, and what is asked of their recovery points.

use super::house::{House, noise};
use crate::catalog::instances::{Instance, insert_instance};
use crate::catalog::snapshots::Held;
use crate::catalog::volumes::{Volume, disks_of, insert_volume, set_attachment};
use crate::domain::id::{InstanceId, JobId, PointId, VolumeId};
use crate::domain::instance::{Hardware, InstanceState};
use crate::domain::recovery::PointKind;
use crate::domain::size::{Bytes, GIB};
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::engine::block::BlockDevice;
use crate::view::{PointView, PointsView, RollbackPlan};

pub const MIB: u64 = 1 << 20;
/// Small enough to be compared whole.
pub const SIZE: u64 = 8 * MIB;

pub fn hardware(vcpus: u32) -> Hardware {
    Hardware {
        vcpus,
        memory: Bytes(GIB),
        machine: "pc-i440fx-7.2".to_owned(),
        cpu: "qemu64".to_owned(),
        qemu: "7.2".to_owned(),
    }
}

/// A volume that is ready, attached to nothing.
pub fn volume(house: &House, name: &str, kind: VolumeKind) -> VolumeId {
    let volume = Volume {
        id: VolumeId::new(),
        organization: house.organization(),
        zone: house.zones[0],
        name: name.to_owned(),
        kind,
        size: Bytes(SIZE),
        state: VolumeState::Ready,
        fault: None,
        created: 1,
        instance: None,
        slot: None,
    };
    let catalog = house.control.catalog();
    catalog
        .write(|tx| insert_volume(tx, &volume))
        .expect("written");
    house
        .pool_of(volume.id)
        .create_volume(volume.id, SIZE)
        .expect("made");
    volume.id
}

pub fn attach(house: &House, volume: VolumeId, to: Option<(InstanceId, u32)>) {
    let catalog = house.control.catalog();
    catalog
        .write(|tx| set_attachment(tx, volume, to))
        .expect("written");
}

/// An instance that stands, with a root volume and a data volume.
pub fn machine(house: &House, name: &str) -> (InstanceId, [VolumeId; 2]) {
    let this = Instance {
        id: InstanceId::new(),
        organization: house.organization(),
        zone: house.zones[0],
        name: name.to_owned(),
        state: InstanceState::Stopped,
        fault: None,
        hardware: hardware(1),
        accelerator: None,
        template_name: "none".to_owned(),
        current: None,
        frozen: false,
        undo: None,
        started: None,
        created: 1,
    };
    let catalog = house.control.catalog();
    catalog
        .write(|tx| insert_instance(tx, &this))
        .expect("written");
    let root = volume(house, &format!("{name}-root"), VolumeKind::Root);
    let data = volume(house, &format!("{name}-data"), VolumeKind::Data);
    attach(house, root, Some((this.id, 0)));
    attach(house, data, Some((this.id, 1)));
    (this.id, [root, data])
}

/// Everything that a volume holds.
pub fn whole(house: &House, volume: VolumeId) -> Vec<u8> {
    house.read(volume, 0, SIZE as usize)
}

/// Writes all over a volume, by a seed: some of what was there stays.
pub fn scribble(house: &House, volume: VolumeId, seed: u64) {
    let bytes = noise(seed, 100_000);
    for part in 0..4 {
        let at = (seed * 37 + part * 1_999_993) % (SIZE - 100_000);
        house.write(volume, at, &bytes);
    }
    let lease = house.pool_of(volume).lease(volume).expect("a lease");
    let at = (seed * 777_777) % (SIZE - 65536) / 4096 * 4096;
    lease.trim(at, 65536, false).expect("trimmed");
    lease.flush().expect("synced");
}

pub fn points(house: &House, id: InstanceId) -> PointsView {
    house
        .control
        .list_points(&house.owner, id)
        .expect("the points")
}

/// The first point that a member made under this name.
pub fn point(house: &House, id: InstanceId, name: &str) -> PointView {
    let mut found = points(house, id).points.into_iter();
    let found = found.find(|row| row.name == name && row.kind == PointKind::Made);
    detail(house, id, found.expect("the point").id)
}

/// All that is known of a point.
pub fn detail(house: &House, id: InstanceId, point: PointId) -> PointView {
    let found = house.control.point(&house.owner, id, Some(point));
    found.expect("the point")
}

pub fn new_point(house: &House, id: InstanceId, name: &str) -> PointId {
    let started = house
        .control
        .create_point(&house.owner, id, name, "", false)
        .expect("begun");
    house.succeeded(started.job);
    point(house, id, name).id
}

pub fn plan(house: &House, to: PointId) -> RollbackPlan {
    house
        .control
        .rollback_plan(&house.owner, to)
        .expect("a plan")
}

/// Rolls back as the dialog does, and waits.
pub fn roll_back(house: &House, to: PointId, safety: bool) -> JobId {
    let plan = plan(house, to);
    assert_eq!(plan.refused, None);
    let started = house
        .control
        .roll_back(&house.owner, to, &plan.seal, safety, false)
        .expect("begun");
    house.ended(started.job);
    started.job
}

pub fn attached(house: &House, id: InstanceId) -> Vec<(VolumeId, Option<u32>)> {
    let disks = house.control.catalog().read(|tx| disks_of(tx, id));
    let disks: Vec<Volume> = disks.expect("an answer");
    disks.iter().map(|disk| (disk.id, disk.slot)).collect()
}

/// Nothing is left in the pools that no row names, nothing is named that is not there, and nothing is damaged.
pub fn assert_tidy(house: &House) {
    let catalog = house.control.catalog();
    for zone in &house.control.core.zones.0 {
        let pool = zone.pool("").expect("a pool");
        let mut known = catalog
            .point_checkpoints_of_zone(zone.id)
            .expect("an answer");
        let snapshots = catalog.snapshots_of_zone(zone.id).expect("an answer");
        let held = snapshots
            .iter()
            .filter(|snapshot| snapshot.held != Held::Gone);
        known.extend(held.map(|snapshot| snapshot.checkpoint));
        let mut volumes: Vec<_> = catalog
            .volumes_of_zone(zone.id)
            .expect("an answer")
            .iter()
            .map(|volume| volume.id)
            .collect();
        // What a volume was made from has a boundary of its own for as long as the volume is there.
        let origins = catalog.origins_of_zone(zone.id).expect("an answer");
        let bases = origins
            .iter()
            .filter(|origin| volumes.contains(&origin.volume));
        known.extend(bases.map(|origin| origin.base));
        known.sort();
        let mut there: Vec<_> = pool.checkpoints().iter().map(|found| found.id).collect();
        there.sort();
        assert_eq!(there, known);
        volumes.sort();
        let mut there = pool.volumes();
        there.sort();
        assert_eq!(there, volumes);
        let findings = pool.check().expect("checked");
        assert!(
            !findings.iter().any(|finding| finding.damage),
            "{findings:?}"
        );
    }
}

/// A region of its own.
pub fn house() -> (tempfile::TempDir, House) {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    (folder, house)
}
