//! A region in a temporary folder, with two organizations and everybody in them.

use super::super::core::Core;
use super::super::people::{NewMember, actor};
use super::super::{Caller, Control, First, Settings, Tuning, ZoneSettings};
use crate::catalog::jobs::NewJob;
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, OrganizationId, SnapshotId, VolumeId, ZoneId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::role::{Door, Role};
use crate::engine::block::BlockDevice;
use crate::engine::{self, Lease, PoolOptions};
use crate::jobs::RunnerOptions;
use crate::nbd;
use crate::view::{JobView, SnapshotRow, VolumeRow};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Long enough for any machine; nothing is asserted about how long anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// What stands before a zone's disks.
pub(super) type Behind<'a> =
    dyn Fn(&Core, ZoneId, Arc<dyn nbd::Exports>) -> Arc<dyn nbd::Exports> + 'a;

pub struct House {
    pub control: Control,
    pub owner: Caller,
    pub zones: Vec<ZoneId>,
    /// Whether its instances go on when it is closed; else they are killed, also by a test that fails.
    pub leaves_guests: bool,
    /// The zones' disks, for the guests. They close after everything else has stopped.
    _doors: Vec<nbd::Server>,
}

pub fn settings(data: &Path) -> Settings {
    let zone = |name: &str| ZoneSettings {
        name: name.to_owned(),
        limit: None,
    };
    Settings {
        data: data.to_owned(),
        archive: None,
        archive_rate: None,
        region: Some("Québec".to_owned()),
        zones: vec![zone("Montréal"), zone("Lévis")],
        first: First {
            region: String::new(),
            zones: Vec::new(),
        },
        workers: 2,
        verify_days: None,
        fetch_wait: Duration::from_secs(300),
    }
}

pub fn tuning() -> Tuning {
    Tuning {
        runner: RunnerOptions {
            first_wait: Duration::from_millis(20),
            longest_wait: Duration::from_millis(100),
            attempts: 3,
            report_every: Duration::from_millis(1),
            ..RunnerOptions::default()
        },
        // A small reserve: what it is for is tested in the engine. No thread of its own: it would hold the pool for a
        // moment after a region was closed, and these tests open it again at once.
        pool: PoolOptions {
            reserve: Some(1 << 20),
            background: false,
            ..PoolOptions::default()
        },
        stop_seconds: 60,
        ..Tuning::default()
    }
}

impl House {
    pub fn open(data: &Path) -> Self {
        Self::open_with(settings(data), tuning())
    }

    pub fn open_with(settings: Settings, tuning: Tuning) -> Self {
        Self::open_all(settings, tuning, |_| (), &|_, _, exports| exports)
    }

    /// With disks that stand behind something.
    pub(super) fn open_behind(settings: Settings, tuning: Tuning, behind: &Behind<'_>) -> Self {
        Self::open_all(settings, tuning, |_| (), behind)
    }

    /// As [`House::open_with`]; `prepare` has it before any door is open.
    pub fn open_via(settings: Settings, tuning: Tuning, prepare: impl FnOnce(&Control)) -> Self {
        Self::open_all(settings, tuning, prepare, &|_, _, exports| exports)
    }

    fn open_all(
        settings: Settings,
        tuning: Tuning,
        prepare: impl FnOnce(&Control),
        behind: &Behind<'_>,
    ) -> Self {
        let control = Control::open_with(settings, tuning).expect("a region");
        prepare(&control);
        let owner = if control.is_empty().expect("an answer") {
            let member = |email, role| NewMember {
                email,
                name: email,
                role,
                password: "correct horse",
                one_time: false,
            };
            let us = control
                .create_organization("Us", "America/Montreal", member("owner@us", Role::Owner))
                .expect("us");
            control
                .create_member(us, member("editor@us", Role::Editor))
                .expect("an editor");
            control
                .create_member(us, member("viewer@us", Role::Viewer))
                .expect("a viewer");
            control
                .create_organization("Them", "Europe/Paris", member("owner@them", Role::Owner))
                .expect("them");
            caller(&control, "owner@us")
        } else {
            caller(&control, "owner@us")
        };
        let zones = control.core.zones.0.iter().map(|zone| zone.id).collect();
        let mut doors = Vec::new();
        let mut open = Vec::new();
        for zone in control.zone_doors() {
            let socket = control.core.folders.pool(zone.id).with_extension("sock");
            let exports = behind(&control.core, zone.id, zone.exports);
            doors.push(nbd::Server::listen(&socket, exports).expect("a socket"));
            open.push((zone.id, socket));
        }
        control.doors_open(open);
        Self {
            control,
            owner,
            zones,
            leaves_guests: false,
            _doors: doors,
        }
    }

    pub fn organization(&self) -> OrganizationId {
        self.owner.actor.as_ref().expect("a member").organization
    }

    /// Work to be written into the catalog past the use cases: of this kind, on the object with this id.
    pub fn work<'a>(&self, kind: JobKind, subject: &impl ToString, name: &'a str) -> NewJob<'a> {
        NewJob {
            id: JobId::new(),
            organization: self.organization(),
            kind,
            subject: subject.to_string(),
            subject_name: name,
            source: None,
            args: "{}".to_owned(),
            total: None,
            asked_by: None,
        }
    }

    pub fn job(&self, id: JobId) -> JobView {
        let jobs = self
            .control
            .list_activity(&self.owner, 1)
            .expect("the log")
            .rows;
        jobs.into_iter()
            .filter_map(|row| row.job)
            .find(|job| job.id == id)
            .expect("the task is in the log")
    }

    /// Waits until the work ends.
    pub fn ended(&self, id: JobId) -> JobView {
        self.until(id, |job| !job.state.is_live())
    }

    pub fn until(&self, id: JobId, ready: impl Fn(&JobView) -> bool) -> JobView {
        let end = Instant::now() + PATIENCE;
        loop {
            let job = self.job(id);
            if ready(&job) {
                return job;
            }
            assert!(Instant::now() < end, "never became so: {job:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn succeeded(&self, id: JobId) {
        let job = self.ended(id);
        assert_eq!(job.state, JobState::Succeeded, "{job:?}");
    }

    pub fn failed(&self, id: JobId) -> Fault {
        let job = self.ended(id);
        assert_eq!(job.state, JobState::Failed, "{job:?}");
        job.fault.expect("a reason")
    }

    pub fn volumes(&self) -> Vec<VolumeRow> {
        self.control
            .list_volumes(&self.owner, 1)
            .expect("a list")
            .rows
    }

    pub fn volume(&self, name: &str) -> VolumeRow {
        self.volumes()
            .into_iter()
            .find(|row| row.name == name)
            .expect("the volume")
    }

    pub fn snapshots(&self) -> Vec<SnapshotRow> {
        self.control
            .list_snapshots(&self.owner, 1)
            .expect("a list")
            .rows
    }

    pub fn new_volume(&self, name: &str) -> VolumeId {
        let started = self
            .control
            .create_volume(&self.owner, name, self.zones[0], 1)
            .expect("begun");
        self.succeeded(started.job);
        self.volume(name).id
    }

    pub fn new_snapshot(&self, volume: VolumeId, name: &str) -> SnapshotId {
        let started = self
            .control
            .take_snapshot(&self.owner, volume, name)
            .expect("begun");
        self.succeeded(started.job);
        self.snapshots()
            .into_iter()
            .find(|row| row.name == name)
            .expect("the snapshot")
            .id
    }

    /// The volume, to read and to write; a guest that has just ended may have it for a moment still.
    fn lease(&self, volume: VolumeId) -> Arc<Lease> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.pool_of(volume).lease(volume) {
                Err(engine::Error::InUse(_)) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                lease => return lease.expect("nobody else writes"),
            }
        }
    }

    /// Writes into a volume, as an instance would, and syncs.
    pub fn write(&self, volume: VolumeId, offset: u64, bytes: &[u8]) {
        let lease = self.lease(volume);
        lease.write_at(offset, bytes, false).expect("written");
        lease.flush().expect("synced");
    }

    pub fn read(&self, volume: VolumeId, offset: u64, length: usize) -> Vec<u8> {
        let lease = self.lease(volume);
        let mut bytes = vec![0; length];
        lease.read_at(offset, &mut bytes).expect("read");
        bytes
    }

    pub fn pool_of(&self, volume: VolumeId) -> &crate::engine::Pool {
        let row = self
            .control
            .core
            .catalog
            .volume(volume)
            .expect("an answer")
            .expect("the volume");
        self.control
            .core
            .zones
            .get(row.zone)
            .expect("the zone")
            .pool("")
            .expect("the pool")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if !self.leaves_guests {
            for id in self.control.core.guests.those_running() {
                self.control.core.kill_machine(id);
            }
        }
        self.control.stop();
    }
}

/// Somebody who is signed in.
pub fn caller(control: &Control, email: &str) -> Caller {
    let user = control
        .core
        .catalog
        .user_by_email(email)
        .expect("an answer")
        .expect("a member");
    Caller {
        actor: Some(actor(&user)),
        door: Door::Console,
    }
}

/// Bytes that do not compress and are different for every seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
