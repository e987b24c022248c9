//! Two servers on one bucket: each a region of its own, with its own data folder, zones and master key.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::house::{House, noise, settings, tuning};
use crate::archive::tests::bucket::{Bucket, Door, Op};
use crate::archive::{Archive, ArchiveOptions, Kit, MasterKey, Retry};
use crate::catalog::Catalog;
use crate::control::{Control, FixedClock};
use crate::domain::id::SnapshotId;
use crate::view::{Act, SnapshotRow};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const MIB: usize = 1 << 20;
pub const PASSPHRASE: &str = "a passphrase of the test";

/// A region with its way to the bucket.
pub struct Server {
    pub house: House,
    pub door: Arc<Door>,
    pub clock: Arc<FixedClock>,
}

pub fn archive(data: &Path, door: &Arc<Door>) -> Archive {
    let options = ArchiveOptions {
        retry: Retry {
            attempts: 1,
            first_pause: Duration::ZERO,
            ..Retry::default()
        },
        ..ArchiveOptions::new(MasterKey::open(&data.join("keys")).unwrap())
    };
    Archive::with_store(Arc::clone(door) as _, options).unwrap()
}

impl Server {
    pub fn open(data: &Path, bucket: &Arc<Bucket>, number: usize) -> Self {
        let mut tuning = tuning();
        let clock = Arc::new(FixedClock::at(1_800_000_000_000));
        tuning.clock = Arc::clone(&clock) as _;
        let house = House::open_with(settings(data), tuning);
        let door = bucket.door(number);
        let core = &house.control.core;
        core.archive.replace(archive(data, &door));
        core.take_stock();
        Self { house, door, clock }
    }

    /// Another server of the first one's organizations, by their kit.
    pub fn join(data: &Path, bucket: &Arc<Bucket>, number: usize, first: &Self) -> Self {
        let core = &first.house.control.core;
        let organizations = core.catalog.organizations().unwrap();
        let kit = core.archive.get().unwrap();
        let kit = kit.export_kit(&organizations, PASSPHRASE).unwrap();
        let kit = Kit::open(&kit, PASSPHRASE).unwrap();
        std::fs::create_dir_all(data).unwrap();
        let mine = archive(data, &bucket.door(number));
        mine.import_kit(&kit).unwrap();
        let catalog = Catalog::open(&data.join("catalog.db")).unwrap();
        let joined = Control::join(&catalog, &organizations, "America/Montreal", "owner@us");
        let joined = joined.unwrap();
        let addresses: Vec<_> = joined.iter().map(|one| one.email.as_str()).collect();
        assert_eq!(addresses, ["owner@us", "owner+2@us"]);
        drop(catalog);
        Self::open(data, bucket, number)
    }

    pub fn look(&self) {
        self.house.control.core.take_stock();
    }

    pub fn snapshots(&self) -> Vec<SnapshotRow> {
        self.house.snapshots()
    }

    pub fn snapshot(&self, id: SnapshotId) -> SnapshotRow {
        let mut rows = self.snapshots().into_iter();
        rows.find(|row| row.id == id).unwrap()
    }

    pub fn sees(&self, id: SnapshotId) -> bool {
        self.snapshots().iter().any(|row| row.id == id)
    }

    /// A snapshot of so much of this noise, of a volume of that name.
    pub fn save(&self, name: &str, seed: u64) -> SnapshotId {
        let volume = self.house.new_volume(name);
        self.house.write(volume, 0, &noise(seed, MIB));
        self.house.new_snapshot(volume, name)
    }

    pub fn restored(&self, id: SnapshotId, name: &str) -> Vec<u8> {
        let (control, owner) = (&self.house.control, &self.house.owner);
        let zone = self.house.zones[1];
        let started = control.create_volume_from_snapshot(owner, id, zone, name);
        self.house.succeeded(started.unwrap().job);
        self.house.read(self.house.volume(name).id, 0, MIB)
    }

    pub fn delete(&self, id: SnapshotId) {
        let begun = self.house.control.delete_snapshot(&self.house.owner, id);
        self.house.succeeded(begun.unwrap().job);
    }

    /// What was asked of the bucket since the last call.
    pub fn asked(&self) -> (usize, usize, usize) {
        let asked = std::mem::take(&mut *self.door.log.lock().unwrap());
        let count = |op| asked.iter().filter(|(did, _)| *did == op).count();
        let writes = count(Op::Put) + count(Op::Delete);
        (count(Op::List), count(Op::Get), writes)
    }

    /// The acts of the log that another server's deletions have left, with what they were about.
    pub fn gone(&self) -> Vec<(Act, String)> {
        let log = self.house.control.list_activity(&self.house.owner, 1);
        let rows = log.unwrap().rows.into_iter();
        rows.filter(|row| matches!(row.act, Act::SnapshotGone | Act::TemplateGone))
            .map(|row| (row.act, row.subject))
            .collect()
    }
}

/// Two servers and their bucket.
pub struct Two {
    pub bucket: Arc<Bucket>,
    pub one: Server,
    pub two: Server,
    pub folders: [tempfile::TempDir; 2],
}

impl Two {
    pub fn open() -> Self {
        let bucket = Bucket::new();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let one = Server::open(folders[0].path(), &bucket, 0);
        let two = Server::join(folders[1].path(), &bucket, 1, &one);
        Self {
            bucket,
            one,
            two,
            folders,
        }
    }
}
