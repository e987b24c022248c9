//! The first page: what it counts, what it asks for, and what that costs.

use super::house::{House, caller, noise, settings, tuning};
use super::lists::failed;
use crate::catalog::snapshots::insert_snapshot;
use crate::catalog::volumes::insert_volume;
use crate::control::{FixedClock, Settings, Tuning};
use crate::domain::fault::Fault;
use crate::domain::job::JobKind;
use crate::domain::size::{Bytes, GIB};
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::VolumeState;
use crate::view::{About, Act, HomeView, NeedKind};
use std::path::Path;
use std::sync::Arc;

const MIB: usize = 1 << 20;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Zones of a size of their own, so that what the disk below them has left is of no account.
fn zones_of(data: &Path, limit: u64) -> Settings {
    let mut settings = settings(data);
    for zone in &mut settings.zones {
        zone.limit = Some(limit);
    }
    settings
}

impl House {
    fn home(&self) -> HomeView {
        self.control.home(&self.owner).expect("the first page")
    }

    fn needs(&self) -> Vec<(NeedKind, String)> {
        let needs = self.home().needs.into_iter();
        needs.map(|need| (need.what, need.name)).collect()
    }
}

#[test]
fn what_is_in_no_snapshot_is_asked_for_until_it_is_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::at(1_800_000_000_000));
    let tuning = Tuning {
        clock: Arc::clone(&clock) as _,
        ..tuning()
    };
    let house = House::open_with(zones_of(folder.path(), GIB), tuning);
    assert_eq!(house.home().volumes, []);
    let volume = house.new_volume("v");
    assert_eq!(house.needs(), [], "it holds nothing");
    house.write(volume, 0, &noise(1, MIB));

    let home = house.home();
    assert_eq!(home.volumes, [(VolumeState::Ready, 1)]);
    let [need] = home.needs.as_slice() else {
        panic!("one: {:?}", home.needs)
    };
    assert_eq!(
        (need.what, need.bytes),
        (NeedKind::NoSnapshot, Bytes(MIB as u64))
    );
    assert_eq!(need.about, Some(About::Volume(volume)));
    let acts: Vec<_> = home.activity.iter().map(|row| row.act).collect();
    assert_eq!(acts, [Act::Job(JobKind::CreateVolume)]);

    let snapshot = house.new_snapshot(volume, "copie");
    assert_eq!(
        house.needs(),
        [(NeedKind::KitDue, String::new())],
        "there is something to open"
    );
    let kit =
        house
            .control
            .export_kit(&house.owner, "a passphrase of mine", "a passphrase of mine");
    kit.expect("a kit");
    assert_eq!(house.home().snapshots, [(SnapshotState::Saved, 1)]);
    assert_eq!(house.needs(), []);

    // Half of what there is, once that is worth a word.
    house.write(volume, 4 << 20, &noise(2, 63 * MIB));
    assert_eq!(house.needs(), []);
    house.write(volume, 80 << 20, &noise(3, MIB));
    let home = house.home();
    let [need] = home.needs.as_slice() else {
        panic!("one: {:?}", home.needs)
    };
    assert_eq!(
        (need.what, need.bytes),
        (NeedKind::MuchUnsaved, Bytes(64 << 20))
    );
    assert!(need.since.is_some());

    // The next day its first snapshot was still never read again.
    clock.advance(DAY_MS + 1);
    let last = house.home().needs.pop().expect("more");
    assert_eq!((last.what, last.count), (NeedKind::NeverVerified, 1));
    let begun = house.control.verify_snapshot(&house.owner, snapshot);
    house.succeeded(begun.expect("begun").job);
    assert_eq!(house.needs(), [(NeedKind::MuchUnsaved, "v".to_owned())]);
}

#[test]
fn i15_what_failed_is_named_with_its_reason_to_its_own_organization() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open_with(zones_of(folder.path(), GIB), tuning());
    fill(&house, 0, 5);
    let home = house.home();
    assert_eq!(home.volumes, [(VolumeState::Failed, 5)]);
    assert_eq!(home.snapshots, [(SnapshotState::Failed, 5)]);
    let told: Vec<_> = home
        .needs
        .iter()
        .map(|need| (need.what, need.name.as_str(), need.fault.as_ref()))
        .collect();
    let (volume, snapshot) = (NeedKind::VolumeFailed, NeedKind::SnapshotFailed);
    let why = Some(&Fault::ImporterMissing);
    // The newest three, and that there are more.
    assert_eq!(
        told,
        [
            (volume, "volume 4", why),
            (volume, "volume 3", why),
            (volume, "volume 2", why),
            (volume, "", None),
            (snapshot, "copie 4", None),
            (snapshot, "copie 3", None),
            (snapshot, "copie 2", None),
            (snapshot, "", None),
            (NeedKind::KitDue, "", None),
        ]
    );
    let theirs = house.control.home(&caller(&house.control, "owner@them"));
    let theirs = theirs.expect("their own");
    assert_eq!((theirs.volumes, theirs.needs), (vec![], vec![]));
    assert_eq!((theirs.jobs, theirs.activity), (vec![], vec![]));
}

#[test]
fn a_zone_that_is_almost_full_is_named_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open_with(zones_of(folder.path(), 32 << 20), tuning());
    let volume = house.new_volume("v");
    house.write(volume, 0, &noise(1, 30 * MIB));
    let needs = house.home().needs;
    let first = needs.first().expect("something");
    assert_eq!(first.about, Some(About::Zone(house.zones[0])));
    assert_eq!(first.what, NeedKind::ZoneFull);
    assert!(first.bytes <= Bytes(2 << 20), "{first:?}");
    assert_eq!(needs.len(), 2, "the other zone has room: {needs:?}");
}

#[test]
fn the_first_page_asks_the_catalog_the_same_whatever_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open_with(zones_of(folder.path(), GIB), tuning());
    let cost = || super::lists::asked(|| house.home());
    fill(&house, 0, 1);
    cost();
    let few = cost();
    fill(&house, 1, 200);
    assert_eq!(cost(), few);
    assert!(few <= 24, "{few}");
}

/// Volumes and snapshots that failed.
fn fill(house: &House, from: u32, to: u32) {
    for number in from..to {
        let (volume, snapshot) = failed(house, number, i64::from(number));
        let written = house.control.catalog().write(|tx| {
            insert_volume(tx, &volume)?;
            let (from, to) = (VolumeState::Failed, VolumeState::Failed);
            let why = Fault::ImporterMissing;
            crate::catalog::volumes::move_volume(tx, volume.id, from, to, Some(&why))?;
            insert_snapshot(tx, &snapshot)
        });
        written
            .map_err(|error: crate::catalog::Error| error)
            .expect("written");
    }
}
