//! Volumes that are used before their content has come.

use super::super::instances::act::Wanted;
use super::house::{House, caller, noise, settings, tuning};
use crate::archive::tests::stores::{Fault as StoreFault, Wrapped};
use crate::archive::{Archive, ArchiveOptions, MasterKey, Retry};
use crate::catalog::volumes::{insert_volume, move_volume};
use crate::control::{FixedClock, Settings};
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, SnapshotId, VolumeId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::size::{Bytes, GIB};
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::engine::block::BlockDevice;
use crate::view::{Act, Outcome};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// A region on a store that counts and can be out of reach, and to which others may write; its clock stands still, so
/// that what waits waits until it is asked for.
pub(super) struct Scene {
    pub house: House,
    pub store: Arc<Wrapped>,
    bucket: Arc<InMemory>,
    pub clock: Arc<FixedClock>,
}

impl Scene {
    pub fn new(data: &Path, patience: Duration) -> Self {
        let bucket = Arc::new(InMemory::new());
        let store = Wrapped::new(Arc::clone(&bucket) as _);
        let clock = Arc::new(FixedClock::at(1_800_000_000_000));
        Self::open(data, patience, store, bucket, clock)
    }

    /// The server has ended, and another one is there.
    pub fn again(self, data: &Path, patience: Duration) -> Self {
        let Self {
            house,
            store,
            bucket,
            clock,
        } = self;
        drop(house);
        Self::open(data, patience, store, bucket, clock)
    }

    fn open(
        data: &Path,
        patience: Duration,
        store: Arc<Wrapped>,
        bucket: Arc<InMemory>,
        clock: Arc<FixedClock>,
    ) -> Self {
        let mut tuning = tuning();
        tuning.clock = Arc::clone(&clock) as _;
        let settings = Settings {
            fetch_wait: patience,
            ..settings(data)
        };
        let house = House::open_via(settings, tuning, |control| {
            let options = ArchiveOptions {
                retry: Retry {
                    attempts: 1,
                    first_pause: Duration::ZERO,
                    ..Retry::default()
                },
                ..ArchiveOptions::new(MasterKey::open(&control.core.folders.keys()).expect("a key"))
            };
            let archive = Archive::with_store(Arc::clone(&store) as _, options);
            control.core.archive.replace(archive.expect("an archive"));
        });
        Self {
            house,
            store,
            bucket,
            clock,
        }
    }

    /// A snapshot of so much noise, its volume deleted.
    pub fn snapshot(&self, name: &str, bytes: usize) -> SnapshotId {
        let house = &self.house;
        let volume = house.new_volume(name);
        house.write(volume, 0, &noise(1, bytes));
        house.new_snapshot(volume, name)
    }

    /// The steps of the first piece of work, without the second: nothing but reads has anything fetched.
    pub fn instant(&self, snapshot: SnapshotId, name: &str) -> VolumeId {
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

    pub fn holds(&self) -> usize {
        self.objects("holds")
    }

    /// Objects of this kind in the bucket.
    pub fn objects(&self, kind: &str) -> usize {
        let kind = format!("/{kind}/");
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let listed = runtime
            .expect("a runtime")
            .block_on(self.bucket.list(None).try_collect::<Vec<_>>());
        let objects = listed.expect("a list");
        let found = objects
            .iter()
            .filter(|object| object.location.as_ref().contains(&kind));
        found.count()
    }

    /// Has the program begin the fill, and waits until it is so far.
    pub fn fill(&self, state: JobState) -> JobId {
        self.house.control.core.resume_fills().expect("looked");
        self.house.control.runner.wake();
        self.fill_is(state)
    }

    pub fn fill_is(&self, state: JobState) -> JobId {
        let rows = self.house.control.list_activity(&self.house.owner, 1);
        let _ = rows.expect("the log");
        let jobs = self.house.control.current_jobs(&self.house.owner, "");
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

    pub fn outage(&self) {
        self.store.fail(0, StoreFault::Dead);
    }

    pub fn lacks(&self, volume: VolumeId) -> bool {
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
    let job = scene.house.volume("made").job.expect("it is said");
    assert_eq!(job.state, JobState::Interrupted, "not by itself");
    assert!(scene.house.read(volume, 0, MIB) == noise(1, MIB));
    assert!(scene.lacks(volume));
    control.retry_job(owner, fill).expect("begun");
    scene.fill_is(JobState::Succeeded);
    assert!(!scene.lacks(volume));
}

/// What the list says of the volume, and the newest entry of the log.
fn told(scene: &Scene, name: &str) -> (bool, Option<(JobState, bool)>, Outcome) {
    let row = scene.house.volume(name);
    let job = row.job.map(|job| (job.state, job.may_retry));
    let log = scene.house.control.list_activity(&scene.house.owner, 1);
    let log = log.expect("the log").rows;
    let last = log
        .iter()
        .find(|row| row.act == Act::Job(JobKind::FillVolume));
    let outcome = last.map_or(Outcome::Running, |row| {
        assert_eq!((&row.who, row.subject.as_str()), (&None, name));
        row.outcome.clone()
    });
    (row.filling, job, outcome)
}

#[test]
fn a_fill_that_ended_too_early_is_said_until_the_volume_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let patience = Duration::from_secs(600);
    let scene = Scene::new(folder.path(), patience);
    let snapshot = scene.snapshot("source", 2 * MIB);
    let volume = scene.instant(snapshot, "made");
    scene.outage();
    let fill = scene.fill(JobState::Running);
    assert_eq!(
        told(&scene, "made"),
        (true, Some((JobState::Running, false)), Outcome::Running)
    );
    let interrupted = scene.house.control.interrupt_job(&scene.house.owner, fill);
    interrupted.expect("asked");
    scene.fill_is(JobState::Interrupted);
    let early = (
        true,
        Some((JobState::Interrupted, true)),
        Outcome::Interrupted,
    );
    assert_eq!(told(&scene, "made"), early);
    // A day later, in another process, after other work, for everybody; by itself it does not begin again.
    scene.clock.advance(86_400_000);
    scene.store.heal();
    let scene = scene.again(folder.path(), patience);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    scene.house.new_snapshot(volume, "copie");
    scene.house.write(volume, 0, &noise(9, 4096));
    control.core.look_after();
    assert_eq!(told(&scene, "made"), early);
    let viewer = caller(control, "viewer@us");
    let rows = control.list_volumes(&viewer, 1).expect("a list").rows;
    let row = rows.iter().find(|row| row.id == volume).expect("the row");
    assert!(row.filling && row.job.as_ref().is_some_and(|job| !job.may_retry));
    // What is damaged fails it, and is named as long.
    let entries = |outcome: &Outcome| {
        let log = control.list_activity(owner, 1).expect("the log").rows;
        log.iter()
            .filter(|row| row.act == Act::Job(JobKind::FillVolume) && row.outcome == *outcome)
            .count()
    };
    scene.store.fail_of("/packs/", 0, StoreFault::Flipped);
    control.retry_job(owner, fill).expect("begun");
    scene.fill_is(JobState::Failed);
    let (filling, job, outcome) = told(&scene, "made");
    assert_eq!((filling, job), (true, Some((JobState::Failed, true))));
    let Outcome::Failed(fault) = &outcome else {
        panic!("{outcome:?}");
    };
    assert!(matches!(fault, Fault::VolumeDamaged { .. }), "{fault:?}");
    assert_eq!(
        scene.house.volume("made").job.expect("it").fault.as_ref(),
        Some(fault)
    );
    scene.store.heal();
    control.retry_job(owner, fill).expect("begun");
    scene.fill_is(JobState::Succeeded);
    assert_eq!(told(&scene, "made"), (false, None, Outcome::Done));
    // The log is what happened, not what became of it.
    assert_eq!((entries(&Outcome::Interrupted), entries(&outcome)), (1, 1));
}

#[test]
fn a_deletion_that_is_refused_leaves_the_fill_going() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::ZERO);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    let snapshot = scene.snapshot("source", 2 * MIB);
    let volume = scene.instant(snapshot, "made");
    // With the workers gone, what is asked for stays under way.
    control.stop();
    control.core.resume_fills().expect("looked");
    control
        .take_snapshot(owner, volume, "copie")
        .expect("asked");
    let before = scene.house.volume("made").job.expect("a fill");
    let refused = control.delete_volume(owner, volume);
    assert!(matches!(refused, Err(Fault::InUse { .. })), "{refused:?}");
    assert_eq!(scene.house.volume("made").job.expect("a fill"), before);
    // One that a member has interrupted stays so.
    control.interrupt_job(owner, before.id).expect("asked");
    let scene = scene.again(folder.path(), Duration::ZERO);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    scene.fill_is(JobState::Interrupted);
    control.stop();
    control
        .take_snapshot(owner, volume, "autre")
        .expect("asked");
    control.delete_volume(owner, volume).expect_err("refused");
    let job = scene.house.volume("made").job.expect("it is still said");
    assert_eq!((job.state, job.may_retry), (JobState::Interrupted, true));
}

/// A plan is what the save then reads, and sends where the store does not have it: whole chunks.
#[test]
fn the_plan_of_a_snapshot_counts_what_is_copied_by_its_name_as_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::ZERO);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    let snapshot = scene.snapshot("source", 8 * MIB);
    let volume = scene.instant(snapshot, "made");
    let plan = || {
        let plan = control.snapshot_plan(owner, volume).expect("a plan");
        (plan.to_save.0, plan.on_origin, plan.since.is_some())
    };
    let sent = |id: SnapshotId| {
        let archive = control.core.archive.get().expect("the archive");
        let found = archive.manifest(scene.house.organization(), id);
        let found = found.expect("an answer").expect("its manifest");
        found.description.uploaded_bytes
    };
    assert_eq!(plan(), (0, true, false), "nothing was written");
    scene
        .house
        .write(volume, 4 * MIB as u64 - 4096, &noise(5, 8192));
    scene.house.write(volume, 7 * MIB as u64, &noise(6, 4096));
    assert_eq!(plan(), (3 * 65_536, true, false));
    let first = scene.house.new_snapshot(volume, "un");
    let took = sent(first);
    assert!((8192..=3 * 65_536 + 16_384).contains(&took), "{took}");
    assert_eq!(
        plan(),
        (0, false, true),
        "from here on it builds on that one"
    );
    // Without either it is all that is here, and all that has to come for it.
    for id in [first, snapshot] {
        let deleted = control.delete_snapshot(owner, id).expect("begun");
        scene.house.succeeded(deleted.job);
    }
    assert!(scene.lacks(volume));
    let (all, on_origin, since) = plan();
    assert!(!on_origin && !since);
    let last = scene.house.new_snapshot(volume, "deux");
    let took = sent(last);
    // (The bucket still has most of it: nothing was pruned yet.)
    assert!(took <= all, "{took} of {all}");
    assert_eq!(all, 8 * MIB as u64);
}

/// A root that is larger than its template, used and saved before its content has come.
#[test]
fn i08_an_instance_is_made_at_once_with_a_larger_root() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::new(folder.path(), Duration::ZERO);
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    let mut head = noise(7, 4 * MIB);
    head[510..512].copy_from_slice(&[0x55, 0xaa]);
    let source = scene.house.root_volume("source", VolumeKind::Root, &head);
    let snapshot = scene.house.new_snapshot(source, "source");
    let made = control.create_template(owner, snapshot, "modèle", "");
    scene.house.succeeded(made.expect("begun").job);
    let wanted = Wanted {
        name: "node",
        template: scene.house.template().id,
        zone: scene.house.zones[1],
        offering: 0,
        start: false,
        root: Some(("grand", Bytes(3 * GIB))),
    };
    // Nothing of the content is read for it.
    scene.store.fail_of("/packs/", 0, StoreFault::Dead);
    let begun = control.make_instance(owner, &wanted).expect("begun");
    scene.house.succeeded(begun.job);
    let root = scene.house.volume("grand").id;
    assert!(scene.lacks(root) && scene.holds() == 1);
    scene.fill_is(JobState::Waiting);
    scene.store.heal();
    // The template goes; what is held for the root stays.
    let template = scene.house.template().id;
    for begun in [
        control.delete_template(owner, template).expect("begun"),
        control.delete_snapshot(owner, snapshot).expect("begun"),
    ] {
        scene.house.succeeded(begun.job);
    }
    control.core.look_after();
    let beyond = GIB + 4096;
    scene.house.write(root, beyond, &noise(3, 4096));
    let expected = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        for (from, content) in [(0, &head), (beyond, &noise(3, 4096))] {
            for (place, byte) in (at..).zip(&mut bytes) {
                if let Some(found) = place.checked_sub(from)
                    && let Some(found) = content.get(found as usize)
                {
                    *byte = *found;
                }
            }
        }
        bytes
    };
    let saved = scene.house.new_snapshot(root, "copie");
    let copy = scene.instant(saved, "copie");
    let job = scene.house.volume("grand").job.expect("it waits");
    control.retry_job(owner, job.id).expect("begun");
    scene.fill_is(JobState::Succeeded);
    assert!(!scene.lacks(root));
    for volume in [root, copy] {
        for (at, length) in [(0, 5 * MIB), (GIB - 4096, 16_384), (3 * GIB - 8192, 8192)] {
            assert!(
                scene.house.read(volume, at, length) == expected(at, length),
                "{at}"
            );
        }
    }
    // And an instance whose root still fills is deleted with it.
    let id = scene.house.instance("node").row.id;
    let deleted = control.delete_instance(owner, id, true).expect("begun");
    scene.house.succeeded(deleted.job);
    scene.house.pool_of(copy).reclaim().expect("reclaimed");
    control.core.release_holds().expect("asked");
    assert_eq!(scene.holds(), 1, "that of the copy");
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
