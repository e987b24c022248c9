//! I-10 against an oracle: three processes on one bucket save, copy, delete, hold, restore and prune at once, in every
//! order that a schedule makes of their single operations, while requests are refused, lose their answers or land
//! late, processes die, and time passes in leaps.
//!
//! Held after every removal: each manifest, and each hold that was given out, has all that it needs. Held at the end:
//! what was saved and not deleted is there bit for bit, and what nothing needs goes in two prunes.

use super::bucket::{Bucket, Door, Op, Verdict};
use super::device::Memory;
use super::i10_deletion::{device, difference};
use super::i10_sequences::{GRACE, process, prune_twice};
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const PROCESSES: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Act {
    Save { seed: u64, base: Option<u8> },
    Copy(u8),
    Delete(u8),
    Hold(u8),
    Release(u8),
    Restore(u8),
    Prune,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// One of the waiting operations takes place, or fails in this way.
    Turn(u8, Verdict),
    /// So many operations of the process that is chosen take place, one after the other, while the others stand.
    Burst(u8, u8),
    Pass(u64),
    Late(u8),
    /// A process dies; what it had asked for may land all the same.
    Crash(u8, bool),
}

/// What the last process does most of the time.
fn pruning() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => Just(Act::Prune),
        1 => any::<u8>().prop_map(Act::Delete),
        1 => any::<u8>().prop_map(Act::Release),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0u64..6, prop::option::of(0u8..6)).prop_map(|(seed, base)| Act::Save { seed, base }),
        2 => any::<u8>().prop_map(Act::Copy),
        4 => any::<u8>().prop_map(Act::Delete),
        2 => any::<u8>().prop_map(Act::Hold),
        1 => any::<u8>().prop_map(Act::Release),
        1 => any::<u8>().prop_map(Act::Restore),
        1 => Just(Act::Prune),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let failure = prop_oneof![
        2 => Just(Verdict::Refused),
        1 => Just(Verdict::AnswerLost),
        1 => Just(Verdict::Later),
    ];
    prop_oneof![
        10 => any::<u8>().prop_map(|n| Step::Turn(n, Verdict::Done)),
        50 => (any::<u8>(), 1u8..30).prop_map(|(n, count)| Step::Burst(n, count)),
        4 => (any::<u8>(), failure).prop_map(|(n, verdict)| Step::Turn(n, verdict)),
        15 => prop::sample::select(vec![1u64, 12, 16, 61, 61, 130]).prop_map(Step::Pass),
        1 => any::<u8>().prop_map(Step::Late),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(n, late)| Step::Crash(n, late)),
    ]
}

/// What is known without looking into the bucket.
#[derive(Default)]
struct Truth {
    next: u8,
    /// What each snapshot's content is, if it is anywhere.
    seeds: BTreeMap<u8, u64>,
    /// Saved, and its deletion not begun.
    live: BTreeSet<u8>,
    /// Given out, and their release not begun; what each needs.
    holds: BTreeMap<HoldId, Vec<(String, u64)>>,
}

impl Truth {
    fn choose(&self, n: u8) -> Option<u8> {
        let len = self.live.len().max(1);
        self.live.iter().nth(usize::from(n) % len).copied()
    }

    fn add(&mut self, seed: u64) -> u8 {
        self.next += 1;
        self.seeds.insert(self.next, seed);
        self.next
    }
}

fn perform(archive: &Archive, truth: &Mutex<Truth>, act: Act) {
    let locked = || truth.lock().unwrap();
    match act {
        Act::Save { seed, base } => {
            let (number, base) = {
                let mut truth = locked();
                let base = base.and_then(|n| truth.choose(n));
                let base = base.map(|n| (n, truth.seeds[&n]));
                (truth.add(seed), base)
            };
            let source = device(seed);
            let changed = base.map(|(n, base)| (snapshot(n), difference(&device(base), &source)));
            let base = changed.as_ref().map(|(id, changed)| (*id, changed));
            match save(archive, snapshot(number), &source, base) {
                Ok(_) => drop(locked().live.insert(number)),
                Err(error) => assert!(may_fail(&error), "{error:?}"),
            }
        }
        Act::Copy(of) => {
            let Some((of, to)) = ({
                let mut truth = locked();
                let of = truth.choose(of);
                of.map(|of| {
                    let seed = truth.seeds[&of];
                    (of, truth.add(seed))
                })
            }) else {
                return;
            };
            match archive.copy(ORGANIZATION, snapshot(of), snapshot(to), "m") {
                Ok(_) => drop(locked().live.insert(to)),
                Err(error) => excuse(truth, of, &error),
            }
        }
        Act::Delete(which) => {
            let mut truth = locked();
            let Some(which) = truth.choose(which) else {
                return;
            };
            truth.live.remove(&which);
            drop(truth);
            if let Err(error) = archive.delete(ORGANIZATION, snapshot(which)) {
                assert!(may_fail(&error), "{error:?}");
            }
        }
        Act::Hold(of) => {
            let Some((of, id)) = ({
                let mut truth = locked();
                truth.next += 1;
                let id = HoldId::from_bytes([truth.next; 16]);
                truth.choose(of).map(|of| (of, id))
            }) else {
                return;
            };
            match archive.hold_for(ORGANIZATION, snapshot(of), id) {
                Ok(held) => {
                    let needs = names(held.manifest.needs());
                    locked().holds.insert(id, needs);
                }
                Err(error) => excuse(truth, of, &error),
            }
        }
        Act::Release(n) => {
            let id = {
                let mut truth = locked();
                let len = truth.holds.len().max(1);
                let id = truth.holds.keys().nth(usize::from(n) % len).copied();
                id.inspect(|id| drop(truth.holds.remove(id)))
            };
            if let Some(Err(error)) = id.map(|id| archive.release_hold(ORGANIZATION, id)) {
                assert!(may_fail(&error), "{error:?}");
            }
        }
        Act::Restore(which) => {
            let Some((which, seed)) = ({
                let truth = locked();
                truth.choose(which).map(|n| (n, truth.seeds[&n]))
            }) else {
                return;
            };
            let source = device(seed);
            match restored(archive, snapshot(which), source.size()) {
                Ok(target) => assert!(target.content() == source.content()),
                Err(error) => excuse(truth, which, &error),
            }
        }
        Act::Prune => {
            if let Err(error) = archive.prune(&GRACE, &mut ()) {
                assert!(may_fail(&error), "{error:?}");
            }
        }
    }
}

/// The store failed, or the operation was overtaken by a prune: it may be tried again.
fn may_fail(error: &Error) -> bool {
    matches!(
        error,
        Error::Store { .. } | Error::Denied { .. } | Error::Overtaken
    )
}

/// What is missing may be missing if the snapshot was deleted meanwhile.
fn excuse(truth: &Mutex<Truth>, of: u8, error: &Error) {
    let deleted = !truth.lock().unwrap().live.contains(&of);
    let missing = matches!(
        error,
        Error::NoSuchSnapshot { .. }
            | Error::Damaged {
                damage: Damage::Missing,
                ..
            }
    );
    assert!(may_fail(error) || deleted && missing, "{error:?}");
}

fn names(needs: impl Iterator<Item = (format::Kind, format::ObjectId, u64)>) -> Vec<(String, u64)> {
    needs
        .map(|(kind, id, size)| (store::name(ORGANIZATION, kind, id).to_string(), size))
        .collect()
}

/// Looks into the bucket past all processes.
struct Observer {
    bucket: Arc<Bucket>,
    archive: Archive,
    needs: BTreeMap<String, Vec<(String, u64)>>,
}

impl Observer {
    fn new(bucket: &Arc<Bucket>) -> Self {
        let inner = Arc::clone(&bucket.inner) as Arc<dyn ObjectStore>;
        Self {
            bucket: Arc::clone(bucket),
            archive: Archive::with_store(inner, options()).unwrap(),
            needs: BTreeMap::new(),
        }
    }

    /// Everything that a manifest in the bucket or a hold given out needs is there.
    fn look(&mut self, truth: &Mutex<Truth>) -> BTreeSet<String> {
        let there = self.bucket.sizes();
        let organization = self.archive.organization(ORGANIZATION).unwrap();
        let store = &self.archive.shared.store;
        let mut needed = BTreeSet::new();
        for name in there.keys().filter(|name| name.contains("/manifests/")) {
            if !self.needs.contains_key(name) {
                let last = name.rsplit('/').next().unwrap();
                let (of, id) = store::parse_manifest_name(last).unwrap();
                // A key may be new.
                store
                    .runtime()
                    .block_on(organization.refresh(store))
                    .unwrap();
                let keys = Arc::clone(&organization.state().keys);
                let read = organization::read_manifest(store, ORGANIZATION, of, id, &keys);
                let (manifest, _) = store.runtime().block_on(read).unwrap();
                self.needs.insert(name.clone(), names(manifest.needs()));
            }
        }
        let truth = truth.lock().unwrap();
        let manifests = self
            .needs
            .iter()
            .filter(|(name, _)| there.contains_key(*name));
        let holds = truth
            .holds
            .iter()
            .map(|(id, needs)| (id.to_string(), needs));
        for (who, needs) in manifests
            .map(|(name, needs)| (name.clone(), needs))
            .chain(holds)
        {
            for (name, size) in needs {
                assert_eq!(there.get(name), Some(size), "{who} needs {name}");
                needed.insert(name.clone());
            }
        }
        needed
    }
}

fn live(bucket: &Arc<Bucket>, number: usize, acts: &[Act], truth: &Mutex<Truth>) {
    struct End<'a>(&'a Bucket, usize);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.end(self.1);
        }
    }
    let _end = End(bucket, number);
    let (mut door, mut archive): (Arc<Door>, Archive) = process(bucket, number);
    for act in acts {
        if door.is_dead() {
            (door, archive) = process(bucket, number);
        }
        perform(&archive, truth, *act);
    }
}

fn run(scripts: &[Vec<Act>], steps: &[Step]) {
    let bucket = Bucket::new();
    let truth = Mutex::new(Truth::default());
    let mut observer = Observer::new(&bucket);
    // Something to begin with.
    for seed in 0..3 {
        perform(
            &process(&bucket, 50).1,
            &truth,
            Act::Save { seed, base: None },
        );
    }
    bucket.schedule(true);
    (0..scripts.len()).for_each(|number| bucket.begin(number));
    std::thread::scope(|scope| {
        for (number, acts) in scripts.iter().enumerate() {
            let (bucket, truth) = (&bucket, &truth);
            scope.spawn(move || live(bucket, number, acts, truth));
        }
        let mut steps = steps.iter().copied();
        let mut turns = 0;
        let mut burst = None;
        loop {
            let waiting = bucket.settle();
            if waiting.is_empty() {
                break;
            }
            if let Some((process, left)) = burst.take()
                && let Some(next) = waiting.iter().find(|one| one.process == process)
            {
                bucket.decide(next, Verdict::Done);
                if bucket.removed() {
                    observer.look(&truth);
                }
                if left > 1 {
                    burst = Some((process, left - 1));
                }
                continue;
            }
            turns += 1;
            // After the schedule's end all goes well, in turn.
            let step = steps.next().unwrap_or(Step::Turn(turns, Verdict::Done));
            let one = |n: u8| &waiting[usize::from(n) % waiting.len()];
            match step {
                Step::Turn(n, verdict) => bucket.decide(one(n), verdict),
                Step::Burst(n, count) => burst = Some((usize::from(n) % PROCESSES, count)),
                Step::Pass(minutes) => bucket.pass(Duration::from_secs(60 * minutes)),
                Step::Late(n) => bucket.apply_late(n.into()),
                Step::Crash(n, late) => {
                    let process = one(n).process;
                    for one in waiting.iter().filter(|one| one.process == process) {
                        let late = late && one.op != Op::Get && one.op != Op::List;
                        let verdict = if late {
                            Verdict::DeadLater
                        } else {
                            Verdict::Dead
                        };
                        bucket.decide(one, verdict);
                    }
                }
            }
            if bucket.removed() {
                observer.look(&truth);
            }
            turns %= 250;
        }
    });
    bucket.schedule(false);
    bucket.flush_late();
    observer.look(&truth);
    conclude(&bucket, &truth, &mut observer);
}

fn conclude(bucket: &Arc<Bucket>, truth: &Mutex<Truth>, observer: &mut Observer) {
    let (_, archive) = process(bucket, 60);
    for round in 0..2 {
        let listed = archive.list(ORGANIZATION).unwrap();
        let listed: BTreeSet<_> = listed
            .iter()
            .map(|info| info.description.snapshot)
            .collect();
        let truth = truth.lock().unwrap();
        let lost: Vec<_> = truth
            .live
            .iter()
            .filter(|n| !listed.contains(&snapshot(**n)))
            .collect();
        assert!(lost.is_empty(), "not there: {lost:?}");
        for (number, seed) in &truth.seeds {
            if listed.contains(&snapshot(*number)) {
                let source: Memory = device(*seed);
                let target = restored(&archive, snapshot(*number), source.size()).unwrap();
                assert!(target.content() == source.content());
            }
        }
        assert_eq!(archive.check(true).unwrap(), vec![]);
        if round == 0 {
            prune_twice(bucket, &archive);
        }
    }
    // Nothing is left but what is needed. Holds whose `hold_for` failed may stand: their owner would release them.
    let numbers = truth.lock().unwrap().next;
    for number in 0..=numbers {
        let id = HoldId::from_bytes([number; 16]);
        if !truth.lock().unwrap().holds.contains_key(&id) {
            archive.release_hold(ORGANIZATION, id).unwrap();
        }
    }
    prune_twice(bucket, &archive);
    let needed = observer.look(truth);
    let is_content = |name: &&String| name.contains("/packs/") || name.contains("/segments/");
    let left: BTreeSet<String> = bucket.sizes().keys().filter(is_content).cloned().collect();
    assert_eq!(left, needed);
    assert_eq!(bucket.count("holds"), truth.lock().unwrap().holds.len());
    for number in 0..=numbers {
        archive.delete(ORGANIZATION, snapshot(number)).unwrap();
        archive
            .release_hold(ORGANIZATION, HoldId::from_bytes([number; 16]))
            .unwrap();
    }
    prune_twice(bucket, &archive);
    let left = bucket.names();
    assert!(left.iter().all(|name| is_kept(name)), "{left:?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("REPRISE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48),
        max_shrink_iters: 64,
        ..ProptestConfig::default()
    })]
    #[test]
    fn i10_several_processes_lose_nothing(
        saving in prop::collection::vec(prop::collection::vec(act(), 2..6), PROCESSES - 1),
        pruning in prop::collection::vec(pruning(), 4..9),
        steps in prop::collection::vec(step(), 20..120),
    ) {
        let mut scripts = saving;
        scripts.push(pruning);
        run(&scripts, &steps);
    }
}
