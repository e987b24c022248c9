//! Volumes that are used before their content has come.

use super::house::{House, noise, settings, tuning};
use crate::archive::tests::stores::{Fault as StoreFault, Wrapped};
use crate::archive::{Archive, ArchiveOptions, MasterKey, Retry};
use crate::catalog::volumes::{insert_volume, move_volume};
use crate::control::FixedClock;
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, SnapshotId, VolumeId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::engine::block::BlockDevice;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// A region on a store that counts and can be out of reach, and to which others may write; its clock stands still, so
/// that what waits waits until it is asked for.
struct Scene {
    house: House,
    store: Arc<Wrapped>,
    bucket: Arc<InMemory>,
}

impl Scene {
    fn new(data: &Path, patience: Duration) -> Self {
        let mut tuning = tuning();
        tuning.clock = Arc::new(FixedClock::at(1_800_000_000_000));
        tuning.pool.remote_patience = patience;
        let house = House::open_with(settings(data), tuning);
        let bucket = Arc::new(InMemory::new());
        let store = Wrapped::new(Arc::clone(&bucket) as _);
        let options = ArchiveOptions {
            retry: Retry {
                attempts: 1,
                first_pause: Duration::ZERO,
                ..Retry::default()
            },
            ..ArchiveOptions::new(
                MasterKey::open(&house.control.core.folders.keys()).expect("a key"),
            )
        };
        let archive = Archive::with_store(Arc::clone(&store) as _, options).expect("an archive");
        house.control.core.archive.replace(archive);
        Self {
            house,
            store,
            bucket,
        }
    }

    /// A snapshot of so much noise, its volume deleted.
    fn snapshot(&self, name: &str, bytes: usize) -> SnapshotId {
        let house = &self.house;
        let volume = house.new_volume(name);
        house.write(volume, 0, &noise(1, bytes));
        house.new_snapshot(volume, name)
    }

    /// The steps of the first piece of work, without the second: nothing but reads has anything fetched.
    fn instant(&self, snapshot: SnapshotId, name: &str) -> VolumeId {
        let (control, core) = (&self.house.control, &self.house.control.core);
        let actor = self.house.owner.actor.as_ref().expect("a member");
        let zone = core.zones.get(self.house.zones[1]).expect("a zone");
        let size = control
            .snapshot(&self.house.owner, snapshot)
            .expect("there")
            .size;
        let (kind, state) = (VolumeKind::Data, VolumeState::Restoring);
        let volume = control.new_volume(actor, zone, name, kind, size, state);
        let written = core.catalog.write(|tx| insert_volume(tx, &volume));
        written.expect("written");
        core.hold_content(&volume, snapshot, name).expect("held");
        core.make_remote(&volume).expect("made");
        let moved = core
            .catalog
            .write(|tx| move_volume(tx, volume.id, state, VolumeState::Ready, None));
        assert!(moved.expect("written"));
        volume.id
    }

    fn holds(&self) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let listed = runtime
            .expect("a runtime")
            .block_on(self.bucket.list(None).try_collect::<Vec<_>>());
        let objects = listed.expect("a list");
        let holds = objects
            .iter()
            .filter(|object| object.location.as_ref().contains("/holds/"));
        holds.count()
    }

    /// Has the program begin the fill, and waits until it is so far.
    fn fill(&self, state: JobState) -> JobId {
        self.house.control.core.resume_fills().expect("looked");
        self.house.control.runner.wake();
        self.fill_is(state)
    }

    fn fill_is(&self, state: JobState) -> JobId {
        let rows = self.house.control.list_activity(&self.house.owner, 1);
        let _ = rows.expect("the log");
        let jobs = self.house.control.current_jobs(&self.house.owner);
        let jobs = jobs.expect("a list");
        let fill = jobs.iter().rfind(|job| job.kind == JobKind::FillVolume);
        let fill = fill.expect("a fill").id;
        let end = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            let job = self.house.control.core.catalog.job(fill);
            let job = job.expect("an answer").expect("the job");
            if job.state == state {
                return fill;
            }
            assert!(std::time::Instant::now() < end, "never {state:?}: {job:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn outage(&self) {
        self.store.fail(0, StoreFault::Dead);
    }

    fn lacks(&self, volume: VolumeId) -> bool {
        let info = self.house.pool_of(volume).volume(volume);
        info.expect("an answer").expect("there").filling.is_some()
    }
}

#[test]
fn i08_a_volume_is_ready_at_the_same_cost_whatever_its_size_and_fetches_what_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::ZERO);
    let mut costs = Vec::new();
    for (name, size) in [("petit", MIB), ("grand", 40 * MIB)] {
        let snapshot = scene.snapshot(name, size);
        scene.store.counts();
        let volume = scene.instant(snapshot, &format!("{name} 2"));
        let made = scene.store.counts();
        assert_eq!(made.puts, 1, "its hold");
        assert!(scene.house.read(volume, 65_536, 4096) == noise(1, MIB)[65_536..69_632]);
        let read = scene.store.counts();
        assert_eq!(read.gets, 3, "the hold, the segment, the chunk");
        scene.house.read(volume, 65_536 + 4096, 4096);
        assert_eq!(scene.store.counts().gets, 0, "it is here");
        assert!(scene.lacks(volume));
        costs.push((made.gets, made.lists, made.puts));
    }
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn a_volume_of_a_snapshot_is_filled_by_itself_and_then_let_go_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::ZERO);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    let snapshot = scene.snapshot("source", 3 * MIB);
    let zone = scene.house.zones[1];
    let started = control.create_volume_from_snapshot(owner, snapshot, zone, "made");
    scene.house.succeeded(started.expect("begun").job);
    scene.fill_is(JobState::Succeeded);
    let volume = scene.house.volume("made").id;
    assert!(!scene.lacks(volume) && scene.holds() == 0);
    scene.outage();
    assert!(scene.house.read(volume, 0, 3 * MIB) == noise(1, 3 * MIB));
}

#[test]
fn i10_a_snapshot_is_deleted_while_a_volume_fills_from_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::ZERO);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    let snapshot = scene.snapshot("source", 5 * MIB);
    let volume = scene.instant(snapshot, "made");
    assert!(scene.house.read(volume, 0, 4096) == noise(1, 4096));
    let deleted = control.delete_snapshot(owner, snapshot).expect("begun");
    scene.house.succeeded(deleted.job);
    control.core.prune_when_due();
    assert!(control.core.pruned() > 0);
    assert!(scene.house.read(volume, MIB as u64, MIB) == noise(1, 2 * MIB)[MIB..]);
    assert_eq!(scene.holds(), 1);
    scene.fill(JobState::Succeeded);
    assert!(scene.house.read(volume, 0, 5 * MIB) == noise(1, 5 * MIB));
    assert_eq!(scene.holds(), 0);
}

#[test]
fn a_store_out_of_reach_is_waited_for_and_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::ZERO);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    let snapshot = scene.snapshot("source", 2 * MIB);
    let volume = scene.instant(snapshot, "made");
    scene.outage();
    let fill = scene.fill(JobState::Waiting);
    let job = scene.house.volume("made").job.expect("it says so");
    assert_eq!(job.fault, Some(Fault::ObjectStoreUnavailable));
    {
        let lease = scene.house.pool_of(volume).lease(volume).expect("leased");
        let mut bytes = vec![0; 4096];
        lease
            .read_at(0, &mut bytes)
            .expect_err("after the patience");
    }
    scene.store.heal();
    assert!(scene.house.read(volume, 0, 4096) == noise(1, 4096));
    control.retry_job(owner, fill).expect("begun");
    scene.fill_is(JobState::Succeeded);
    assert!(!scene.lacks(volume) && scene.holds() == 0);
}

#[test]
fn an_interrupted_fill_is_begun_again_by_a_member_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::from_secs(600));
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    let snapshot = scene.snapshot("source", 2 * MIB);
    let volume = scene.instant(snapshot, "made");
    scene.outage();
    let fill = scene.fill(JobState::Running);
    control.interrupt_job(owner, fill).expect("asked");
    scene.fill_is(JobState::Interrupted);
    scene.store.heal();
    control.core.resume_fills().expect("looked");
    assert!(scene.house.volume("made").job.is_none(), "not by itself");
    assert!(scene.house.read(volume, 0, MIB) == noise(1, MIB));
    assert!(scene.lacks(volume));
    control.retry_job(owner, fill).expect("begun");
    scene.fill_is(JobState::Succeeded);
    assert!(!scene.lacks(volume));
}

#[test]
fn a_volume_is_deleted_while_it_fills() {
    for (patience, state) in [
        (Duration::ZERO, JobState::Waiting),
        (Duration::from_secs(600), JobState::Running),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = Scene::new(folder.path(), patience);
        let (control, owner) = (&scene.house.control, &scene.house.owner);
        let snapshot = scene.snapshot("source", 2 * MIB);
        let volume = scene.instant(snapshot, "made");
        let pool = scene.house.pool_of(volume);
        scene.outage();
        let fill = scene.fill(state);
        let deleted = control.delete_volume(owner, volume).expect("begun");
        scene.house.succeeded(deleted.job);
        assert_eq!(scene.house.volumes().len(), 1);
        let job = control.core.catalog.job(fill).expect("an answer");
        assert_eq!(job.expect("the job").state, JobState::Interrupted);
        assert_eq!(control.retry_job(owner, fill), Err(Fault::NotRetryable));
        assert_eq!(scene.holds(), 1, "the store is out of reach");
        scene.store.heal();
        pool.reclaim().expect("reclaimed");
        control.core.release_holds().expect("asked");
        assert_eq!((pool.sources().len(), scene.holds()), (0, 0));
        let left = control.core.catalog.origins_of_zone(scene.house.zones[1]);
        assert_eq!(left.expect("an answer"), []);
    }
}

#[test]
fn i08_a_half_filled_volume_is_saved_without_fetching_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::ZERO);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    let snapshot = scene.snapshot("source", 8 * MIB);
    let volume = scene.instant(snapshot, "made");
    scene.house.write(volume, 4 * MIB as u64, &[7; 8192]);
    scene.store.counts();
    let saved = scene.house.new_snapshot(volume, "à moitié");
    let cost = scene.store.counts();
    assert!(cost.put_bytes < 200_000, "{cost:?}");
    let info = scene.house.pool_of(volume).volume(volume);
    let filling = info.expect("an answer").expect("there").filling;
    assert_eq!(
        filling.expect("it fills").present,
        65_536,
        "the chunk that was written into; the rest was copied by its ids"
    );
    // Both go; what was copied by id stays.
    let deleted = control.delete_snapshot(owner, snapshot).expect("begun");
    scene.house.succeeded(deleted.job);
    let deleted = control.delete_volume(owner, volume).expect("begun");
    scene.house.succeeded(deleted.job);
    let again = scene.instant(saved, "encore");
    let mut expected = noise(1, 8 * MIB);
    expected[4 * MIB..4 * MIB + 8192].fill(7);
    assert!(scene.house.read(again, 0, 8 * MIB) == expected);
    scene.fill(JobState::Succeeded);
    // The content that its base was is gone: the next save carries all that is needed.
    let deleted = control.delete_snapshot(owner, saved).expect("begun");
    scene.house.succeeded(deleted.job);
    let last = scene.house.new_snapshot(again, "entière");
    let last = scene.instant(last, "dernier");
    assert!(scene.house.read(last, 0, 8 * MIB) == expected);
}
