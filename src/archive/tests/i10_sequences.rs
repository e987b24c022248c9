//! I-10, for several processes on one bucket: each sequence that breaks a prune made without care, by itself.

use super::bucket::{Bucket, Door, Op};
use super::device::Memory;
use super::i10_deletion::{device, difference};
use super::*;
use std::sync::mpsc;

const MINUTE: Duration = Duration::from_secs(60);
/// Longer than the grace, and than any clock of these tests needs.
pub(super) const LONG: Duration = Duration::from_secs(2 * 3600);
pub(super) const GRACE: PruneOptions = PruneOptions {
    grace: MINIMUM_GRACE,
};

/// A process: its way to the bucket, and its archive. Its clock started when it pleased.
pub(super) fn process(bucket: &Arc<Bucket>, number: usize) -> (Arc<Door>, Archive) {
    let door = bucket.door(number);
    let archive = Archive::with_clock(
        Arc::clone(&door) as Arc<dyn ObjectStore>,
        ArchiveOptions {
            workers: 1,
            ..options()
        },
        clock(bucket, number),
    );
    (door, archive.unwrap())
}

fn clock(bucket: &Arc<Bucket>, number: usize) -> Clock {
    let (bucket, start) = (
        Arc::clone(bucket),
        Duration::from_secs(number as u64 * 777_777),
    );
    Clock::turned_by(move || start + bucket.now())
}

fn prune(archive: &Archive) -> Pruned {
    archive.prune(&GRACE, &mut ()).unwrap()
}

/// Everything that nothing needs goes.
pub(super) fn prune_twice(bucket: &Bucket, archive: &Archive) {
    for _ in 0..2 {
        bucket.pass(LONG);
        prune(archive);
    }
}

fn names(bucket: &Bucket, kind: &str) -> Vec<String> {
    let kind = format!("/{kind}/");
    let mut names = bucket.names();
    names.retain(|name| name.contains(&kind));
    names
}

fn assert_whole(archive: &Archive, id: SnapshotId, source: &Memory) {
    let found = restored(archive, id, source.size()).unwrap();
    assert!(found.content() == source.content());
}

/// What an interrupted save has left: packs and segments that no manifest names.
fn leave_orphans(archive: &Archive, source: &Memory) {
    struct AtTheEnd;
    impl Progress for AtTheEnd {
        fn total(&mut self, _: u64) {}

        fn done(&mut self, bytes: u64) -> ControlFlow<()> {
            if bytes > 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    }
    // Saved, and its manifest deleted: the same objects as if the process had died before the manifest.
    assert!(matches!(
        archive.save(&request(snapshot(99), source, None), &mut AtTheEnd),
        Err(Error::Cancelled)
    ));
    save(archive, snapshot(99), source, None).unwrap();
    archive.delete(ORGANIZATION, snapshot(99)).unwrap();
}

#[test]
fn i10_each_sees_what_the_other_makes_and_deletes() {
    let bucket = Bucket::new();
    let ((_, one), (_, two)) = (process(&bucket, 1), process(&bucket, 2));
    let source = device(1);
    assert_eq!(two.list(ORGANIZATION).unwrap(), vec![]);
    save(&one, snapshot(1), &source, None).unwrap();
    assert_eq!(two.list(ORGANIZATION).unwrap().len(), 1);
    assert_whole(&two, snapshot(1), &source);
    // A template is a copy under another id.
    two.copy(ORGANIZATION, snapshot(1), snapshot(2), "Modèle")
        .unwrap();
    assert_whole(&one, snapshot(2), &source);
    let manifest_only = one.manifest(ORGANIZATION, snapshot(2)).unwrap().unwrap();
    assert!(manifest_only.reclaimable_bytes < 1000, "the rest is shared");
    two.delete(ORGANIZATION, snapshot(1)).unwrap();
    let left: Vec<_> = one.list(ORGANIZATION).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].description.snapshot, snapshot(2));
    assert!(left[0].reclaimable_bytes > manifest_only.reclaimable_bytes);
    assert!(matches!(
        restored(&one, snapshot(1), source.size()),
        Err(Error::NoSuchSnapshot { .. })
    ));
    // One builds upon the other's.
    let next = device(2);
    let changed = difference(&source, &next);
    let saved = save(&one, snapshot(3), &next, Some((snapshot(2), &changed))).unwrap();
    assert!(saved.incremental);
    prune_twice(&bucket, &one);
    assert_whole(&two, snapshot(2), &source);
    assert_whole(&two, snapshot(3), &next);
    assert_eq!(two.check(true).unwrap(), vec![]);
}

#[test]
fn i10_garbage_goes_in_two_prunes_and_no_sooner_than_the_grace() {
    let bucket = Bucket::new();
    let ((_, one), (_, two)) = (process(&bucket, 1), process(&bucket, 2));
    let source = device(1);
    save(&one, snapshot(1), &source, None).unwrap();
    save(&one, snapshot(2), &device(7), None).unwrap();
    bucket.pass(LONG);
    one.delete(ORGANIZATION, snapshot(1)).unwrap();
    let all = names(&bucket, "packs").len();
    let first = prune(&two);
    assert!(first.condemned > 0 && first.removed == 0, "{first:?}");
    bucket.pass(GRACE.grace - MINUTE);
    assert_eq!(
        (prune(&one).removed, names(&bucket, "packs").len()),
        (0, all)
    );
    bucket.pass(2 * MINUTE);
    let last = prune(&one);
    assert_eq!(
        (last.removed, last.removed_bytes),
        (first.condemned, first.condemned_bytes)
    );
    assert_eq!(bucket.count("condemned") + bucket.count("holds"), 0);
    assert_whole(&one, snapshot(2), &device(7));
    assert_eq!(prune(&two), Pruned::default());
    assert!(matches!(
        one.prune(&PruneOptions { grace: MINUTE }, &mut ()),
        Err(Error::InvalidRequest { .. })
    ));
}

/// Review 3 (a): the base of a long upload is deleted, the upload's hold grows old, and the packs go.
#[test]
fn i10_an_upload_that_is_cut_off_for_longer_than_the_grace() {
    let bucket = Bucket::new();
    let ((_, upload), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
    let (first, second) = (device(1), device(2));
    save(&other, snapshot(1), &first, None).unwrap();
    let gone = Arc::new(Mutex::new(Vec::new()));
    let (meanwhile, there, elsewhere) = (Arc::clone(&gone), Arc::clone(&bucket), other.clone());
    *second.hook.lock().unwrap() = Some(Box::new(move || {
        assert_eq!(there.count("holds"), 1);
        elsewhere.delete(ORGANIZATION, snapshot(1)).unwrap();
        let before = there.names();
        prune_twice(&there, &elsewhere);
        let after = there.names();
        meanwhile
            .lock()
            .unwrap()
            .extend(before.into_iter().filter(|name| !after.contains(name)));
    }));
    let changed = difference(&first, &second);
    save(&upload, snapshot(2), &second, Some((snapshot(1), &changed))).unwrap();
    let gone = gone.lock().unwrap().clone();
    assert!(gone.iter().any(|name| name.contains("/packs/")), "{gone:?}");
    assert!(gone.iter().any(|name| name.contains("/holds/")), "{gone:?}");
    assert_whole(&other, snapshot(2), &second);
    assert_eq!(other.check(true).unwrap(), vec![]);
}

/// The same, while its hold lives: then nothing that it builds upon goes, and it ends at the first try.
#[test]
fn i10_what_a_living_upload_builds_upon_stays() {
    let bucket = Bucket::new();
    let ((_, upload), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
    let (first, second) = (device(1), device(2));
    save(&other, snapshot(1), &first, None).unwrap();
    bucket.pass(LONG);
    let (there, elsewhere) = (Arc::clone(&bucket), other.clone());
    *second.hook.lock().unwrap() = Some(Box::new(move || {
        elsewhere.delete(ORGANIZATION, snapshot(1)).unwrap();
        assert_eq!(prune(&elsewhere).condemned, 0);
        there.pass(10 * MINUTE);
    }));
    let changed = difference(&first, &second);
    let saved = save(&upload, snapshot(2), &second, Some((snapshot(1), &changed))).unwrap();
    assert!(saved.incremental);
    assert_eq!(bucket.count("holds"), 0);
    prune_twice(&bucket, &other);
    assert_whole(&other, snapshot(2), &second);
}

/// Does something at the nth time that it is told how far the operation is.
struct AtThe<F>(u32, F);

impl<F: FnMut()> Progress for AtThe<F> {
    fn total(&mut self, _: u64) {}

    fn done(&mut self, _: u64) -> ControlFlow<()> {
        self.0 = self.0.wrapping_sub(1);
        if self.0 == 0 {
            (self.1)();
        }
        ControlFlow::Continue(())
    }
}

/// Most of a base is never read, only named: it must be there all the same when the hold is not any more, whether that
/// is found when the hold is renewed or at the last look.
#[test]
fn i10_what_a_lost_hold_covered_is_looked_at_again() {
    // With something to write, the first word of progress comes before the hold is renewed; with nothing, it is the last.
    for change in [true, false] {
        let bucket = Bucket::new();
        let ((_, upload), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
        let first = Memory::new(3 * SEGMENT_SIZE);
        first.fill(2 * SEGMENT_SIZE..2 * SEGMENT_SIZE + 4096, 1);
        save(&other, snapshot(1), &first, None).unwrap();
        let second = first.copy(first.size());
        if change {
            second.fill(0..4096, 2);
        }
        let changed = difference(&first, &second);
        let mut meanwhile = AtThe(1, || {
            other.delete(ORGANIZATION, snapshot(1)).unwrap();
            prune_twice(&bucket, &other);
            let left = names(&bucket, "packs");
            assert!(left.len() <= 1, "the base is gone: {left:?}");
        });
        upload
            .save(
                &request(snapshot(2), &second, Some((snapshot(1), &changed))),
                &mut meanwhile,
            )
            .unwrap();
        assert_whole(&other, snapshot(2), &second);
        assert_eq!(other.check(true).unwrap(), vec![]);
    }
}

/// A first save has no hold at first: what it has written is too young to be taken for garbage.
#[test]
fn i10_what_is_being_written_is_not_condemned() {
    let bucket = Bucket::new();
    let ((_, upload), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
    let source = device(1);
    let mut meanwhile = AtThe(3, || {
        assert!(bucket.count("packs") > 0 && bucket.count("manifests") == 0);
        bucket.pass(GRACE.grace / 2);
        let pruned = prune(&other);
        assert_eq!((pruned.condemned, bucket.count("condemned")), (0, 0));
    });
    upload
        .save(&request(snapshot(1), &source, None), &mut meanwhile)
        .unwrap();
    assert_whole(&other, snapshot(1), &source);
}

/// Review 3 (b): what is about to be removed is wanted again, and the removal lands after the save looked.
#[test]
fn i10_a_removal_that_lands_while_the_same_content_is_saved() {
    let bucket = Bucket::new();
    let ((door, pruner), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
    let source = device(1);
    leave_orphans(&other, &source);
    bucket.pass(LONG);
    let doomed = names(&bucket, "packs");
    assert!(prune(&pruner).condemned > 0);
    bucket.pass(LONG);
    let mut begun = false;
    let elsewhere = other.clone();
    *door.before.lock().unwrap() = Some(Box::new(move |op, path| {
        if op == Op::Delete && path.contains("/packs/") && !std::mem::replace(&mut begun, true) {
            save(&elsewhere, snapshot(1), &device(1), None).unwrap();
        }
    }));
    assert!(prune(&pruner).removed > 0);
    let left = names(&bucket, "packs");
    assert!(!left.is_empty() && doomed.iter().all(|name| !left.contains(name)));
    assert_whole(&other, snapshot(1), &source);
    assert_eq!(other.check(true).unwrap(), vec![]);
}

/// Review 3 (a) without a base: what an interrupted save left is found again, and pruned before the manifest.
#[test]
fn i10_what_is_found_again_is_removed_before_the_manifest() {
    let bucket = Bucket::new();
    let ((_, upload), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
    let source = device(1);
    leave_orphans(&other, &source);
    bucket.pass(LONG);
    let orphans = names(&bucket, "packs");
    let (there, elsewhere) = (Arc::clone(&bucket), other.clone());
    *source.hook.lock().unwrap() = Some(Box::new(move || {
        assert!(prune(&elsewhere).condemned > 0);
        there.pass(LONG);
        assert!(prune(&elsewhere).removed > 0);
    }));
    save(&upload, snapshot(1), &source, None).unwrap();
    let left = names(&bucket, "packs");
    assert!(orphans.iter().all(|name| !left.contains(name)));
    assert_whole(&other, snapshot(1), &source);
}

/// A prune that is at its removals, in a thread of its own, until told to go on.
struct Stalled {
    go: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<Pruned>,
}

impl Stalled {
    /// Returns when the prune has looked and is about to remove its first pack.
    fn begin(bucket: &Arc<Bucket>, number: usize) -> Self {
        let (door, archive) = process(bucket, number);
        let (go, wait) = mpsc::channel();
        let (stands, there) = mpsc::channel();
        let mut begun = false;
        *door.before.lock().unwrap() = Some(Box::new(move |op, path| {
            if op == Op::Delete && path.contains("/packs/") && !std::mem::replace(&mut begun, true)
            {
                stands.send(()).unwrap();
                wait.recv().unwrap();
            }
        }));
        let thread = std::thread::spawn(move || prune(&archive));
        there.recv().unwrap();
        Self { go, thread }
    }

    fn end(self) -> Pruned {
        self.go.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

/// The time between the last look and the manifest: a machine that sleeps there must look again.
#[test]
fn i10_a_manifest_that_comes_long_after_the_last_look() {
    let bucket = Bucket::new();
    let ((door, upload), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
    let source = device(1);
    leave_orphans(&other, &source);
    bucket.pass(LONG);
    upload.list(ORGANIZATION).unwrap();
    let (there, elsewhere, stalled) = (
        Arc::clone(&bucket),
        other.clone(),
        Arc::new(Mutex::new(None)),
    );
    let slot = Arc::clone(&stalled);
    let (mut looks, mut begun) = (0, false);
    *door.before.lock().unwrap() = Some(Box::new(move |op, path| {
        // The second look at the condemnations is the last; then each pack is looked at.
        looks += usize::from(op == Op::List && path.contains("/condemned"));
        let last = looks >= 2 && op == Op::Get && path.contains("/packs/");
        if last && !std::mem::replace(&mut begun, true) {
            assert!(prune(&elsewhere).condemned > 0);
            there.pass(LONG);
            *slot.lock().unwrap() = Some(Stalled::begin(&there, 3));
        }
    }));
    save(&upload, snapshot(1), &source, None).unwrap();
    let stalled = stalled.lock().unwrap().take().unwrap();
    assert!(stalled.end().removed > 0);
    assert_whole(&other, snapshot(1), &source);
    assert_eq!(other.check(true).unwrap(), vec![]);
}

/// Two prunes at one condemnation, one of them held up: what the other spares must stay condemned.
#[test]
fn i10_what_is_spared_by_one_prune_is_still_removed_by_another() {
    struct Steps<'a>(usize, &'a Arc<Bucket>, &'a Archive, &'a mut Option<Stalled>);
    impl Progress for Steps<'_> {
        fn total(&mut self, _: u64) {}

        fn done(&mut self, bytes: u64) -> ControlFlow<()> {
            if bytes == 0 {
                return ControlFlow::Continue(());
            }
            self.0 += 1;
            match self.0 {
                // The save has found a pack again. It is condemned, and a prune is about to remove it; then the save
                // writes a hold that names it.
                1 => {
                    assert!(prune(self.2).condemned > 0);
                    self.1.pass(LONG);
                    *self.3 = Some(Stalled::begin(self.1, 3));
                }
                // Another prune sees the hold, and spares the pack.
                2 => {
                    prune(self.2);
                    assert_eq!((self.1.count("holds"), self.1.count("packs")), (1, 1));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let bucket = Bucket::new();
    let ((_, upload), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
    let source = Memory::new(SEGMENT_SIZE);
    source.fill(0..40 * CHUNK_SIZE as u64, 3);
    save(&other, snapshot(9), &source, None).unwrap();
    other.delete(ORGANIZATION, snapshot(9)).unwrap();
    bucket.pass(LONG);
    let mut stalled = None;
    let mut steps = Steps(0, &bucket, &other, &mut stalled);
    upload
        .save(&request(snapshot(1), &source, None), &mut steps)
        .unwrap();
    assert!(stalled.unwrap().end().removed > 0);
    assert_whole(&other, snapshot(1), &source);
    assert_eq!(other.check(true).unwrap(), vec![]);
    prune_twice(&bucket, &other);
    assert_eq!(bucket.count("condemned") + bucket.count("holds"), 0);
    assert_whole(&other, snapshot(1), &source);
}

/// Review 3 (c): no machine's clock has a part in how old something is.
#[test]
fn i10_a_machine_whose_clock_leaps_prunes_nothing_sooner() {
    let bucket = Bucket::new();
    let door = bucket.door(1);
    let leap = Arc::new(Mutex::new(Duration::ZERO));
    let turned = Arc::clone(&leap);
    let archive = Archive::with_clock(
        Arc::clone(&door) as Arc<dyn ObjectStore>,
        options(),
        Clock::turned_by(move || *turned.lock().unwrap()),
    )
    .unwrap();
    save(&archive, snapshot(1), &device(1), None).unwrap();
    bucket.pass(LONG);
    archive.delete(ORGANIZATION, snapshot(1)).unwrap();
    assert!(prune(&archive).condemned > 0);
    for days in [1, 400, 3] {
        *leap.lock().unwrap() = Duration::from_secs(days * 24 * 3600);
        assert_eq!(prune(&archive).removed, 0);
        assert_eq!(prune(&process(&bucket, 9).1).removed, 0);
    }
    bucket.pass(LONG);
    assert!(prune(&archive).removed > 0);
}

/// Review 4: a volume fills from a snapshot, which is deleted elsewhere.
#[test]
fn i10_a_volume_that_fills_keeps_what_it_needs() {
    let bucket = Bucket::new();
    let ((_, zone), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
    let source = device(1);
    save(&other, snapshot(1), &source, None).unwrap();
    bucket.pass(LONG);
    let id = HoldId::from(VolumeId::from_bytes([5; 16]));
    let held = zone.hold_for(ORGANIZATION, snapshot(1), id).unwrap();
    assert_eq!(held.description().name, "Avant la mise à jour");
    other.delete(ORGANIZATION, snapshot(1)).unwrap();
    prune_twice(&bucket, &other);
    prune_twice(&bucket, &zone);
    assert!(other.list(ORGANIZATION).unwrap().is_empty());
    // The zone is started anew.
    let (_, zone) = process(&bucket, 3);
    for held in [
        zone.held(ORGANIZATION, id).unwrap().unwrap(),
        zone.hold_for(ORGANIZATION, snapshot(1), id).unwrap(),
    ] {
        let target = Memory::new(source.size());
        zone.restore_held(&held, &target, &mut ()).unwrap();
        assert!(target.content() == source.content());
    }
    zone.release_hold(ORGANIZATION, id).unwrap();
    zone.release_hold(ORGANIZATION, id).unwrap();
    assert_eq!(
        zone.held(ORGANIZATION, id).unwrap().map(|held| held.id),
        None
    );
    prune_twice(&bucket, &other);
    assert_eq!(
        bucket.count("packs") + bucket.count("segments") + bucket.count("holds"),
        0
    );
}

/// Review 4 in a local folder, where things go at once: also over a restart.
#[test]
fn i10_a_hold_in_a_folder_outlives_the_snapshot_and_the_process() {
    let store = in_memory();
    let source = device(1);
    let id = HoldId::from_bytes([6; 16]);
    {
        let archive = open(&store);
        save(&archive, snapshot(1), &source, None).unwrap();
        archive.hold_for(ORGANIZATION, snapshot(1), id).unwrap();
        let freed = archive.delete(ORGANIZATION, snapshot(1)).unwrap();
        assert!(freed.bytes < 1000, "the manifest alone: {freed:?}");
    }
    let archive = open(&store);
    assert_eq!(
        archive
            .prune(&PruneOptions::default(), &mut ())
            .unwrap()
            .removed,
        0
    );
    let held = archive.held(ORGANIZATION, id).unwrap().unwrap();
    let target = Memory::new(source.size());
    archive.restore_held(&held, &target, &mut ()).unwrap();
    assert!(target.content() == source.content());
    archive.release_hold(ORGANIZATION, id).unwrap();
    assert!(objects(&store).keys().all(|name| is_kept(name)));
}

/// Review 4, the gap: the snapshot goes between the moment it was read and the hold.
#[test]
fn i10_a_hold_that_comes_too_late_is_refused() {
    for pruned in [false, true] {
        let bucket = Bucket::new();
        let ((door, zone), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
        let source = device(1);
        save(&other, snapshot(1), &source, None).unwrap();
        bucket.pass(LONG);
        let (there, elsewhere) = (Arc::clone(&bucket), other.clone());
        *door.before.lock().unwrap() = Some(Box::new(move |op, path| {
            if op == Op::Put && path.contains("/holds/") {
                elsewhere.delete(ORGANIZATION, snapshot(1)).unwrap();
                if pruned {
                    prune_twice(&there, &elsewhere);
                }
            }
        }));
        let id = HoldId::from_bytes([6; 16]);
        let result = zone.hold_for(ORGANIZATION, snapshot(1), id);
        if pruned {
            assert!(
                matches!(result, Err(Error::NoSuchSnapshot { .. })),
                "{result:?}"
            );
            assert_eq!(bucket.count("holds"), 0);
        } else {
            prune_twice(&bucket, &other);
            let target = Memory::new(source.size());
            zone.restore_held(&result.unwrap(), &target, &mut ())
                .unwrap();
            assert!(target.content() == source.content());
        }
    }
}

#[test]
fn i10_a_copy_is_whole_though_the_original_goes_meanwhile() {
    for pruned in [false, true] {
        let bucket = Bucket::new();
        let ((door, zone), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
        let source = device(1);
        save(&other, snapshot(1), &source, None).unwrap();
        bucket.pass(LONG);
        let (there, elsewhere) = (Arc::clone(&bucket), other.clone());
        let mut begun = false;
        *door.before.lock().unwrap() = Some(Box::new(move |op, path| {
            if op == Op::Put && path.contains("/holds/") && !std::mem::replace(&mut begun, true) {
                elsewhere.delete(ORGANIZATION, snapshot(1)).unwrap();
                if pruned {
                    prune_twice(&there, &elsewhere);
                } else {
                    assert!(prune(&elsewhere).condemned > 0);
                }
            }
        }));
        let copied = zone.copy(ORGANIZATION, snapshot(1), snapshot(2), "m");
        assert!(copied.is_err(), "condemned, or gone: {copied:?}");
        prune_twice(&bucket, &other);
        assert_eq!(other.list(ORGANIZATION).unwrap(), vec![]);
        assert_eq!(bucket.count("packs"), 0);
    }
}

#[test]
fn i10_nothing_goes_while_a_manifest_or_a_hold_cannot_be_read() {
    for kind in ["manifests", "holds"] {
        let bucket = Bucket::new();
        let (_, archive) = process(&bucket, 1);
        save(&archive, snapshot(1), &device(1), None).unwrap();
        let id = HoldId::from_bytes([6; 16]);
        archive.hold_for(ORGANIZATION, snapshot(1), id).unwrap();
        save(&archive, snapshot(2), &device(4), None).unwrap();
        archive.delete(ORGANIZATION, snapshot(2)).unwrap();
        let name = names(&bucket, kind).remove(0);
        let path = object_store::path::Path::from(name.clone());
        let sound = futures::executor::block_on(async {
            use object_store::ObjectStoreExt;
            let sound = bucket
                .inner
                .get(&path)
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap();
            let mut damaged = sound.to_vec();
            let at = damaged.len() / 2;
            damaged[at] ^= 1;
            bucket.inner.put(&path, damaged.into()).await.unwrap();
            sound
        });
        let (_, fresh) = process(&bucket, 2);
        let packs = bucket.count("packs");
        bucket.pass(LONG);
        assert_eq!(prune(&fresh).unreadable, vec![name.clone()]);
        bucket.pass(LONG);
        assert_eq!((prune(&fresh).removed, bucket.count("packs")), (0, packs));
        assert!(
            fresh
                .check(false)
                .unwrap()
                .iter()
                .any(|finding| finding.object == name)
        );
        futures::executor::block_on(async {
            use object_store::ObjectStoreExt;
            bucket.inner.put(&path, sound.into()).await.unwrap();
        });
        let (_, fresh) = process(&bucket, 3);
        prune_twice(&bucket, &fresh);
        assert!(bucket.count("packs") < packs);
        assert_whole(&fresh, snapshot(1), &device(1));
    }
}
