//! Ends at every point: the power is cut at each sync, the process is killed at each change, and what is found
//! afterwards is compared with the oracle.

use super::open;
use super::oracle::{Act, Driver, End, Oracle};
use super::sim::{Random, Sim};
use crate::engine::drain::lock;

/// Runs random acts until the machine is off or `acts` are done; what was cut off.
fn run(sim: &Sim, oracle: &mut Oracle, random: &mut Random, acts: usize) -> Option<(Act, u64)> {
    let pool = match open(sim) {
        Ok(pool) => pool,
        Err(error) => {
            assert!(lock(&sim.world).dead, "opening failed: {error}");
            return None;
        }
    };
    let mut driver = Driver::new(pool);
    for _ in 0..acts {
        let act = oracle.random_act(random);
        let value = oracle.next_value();
        match driver.act(&act, value) {
            Ok(()) => {
                oracle.done(&act, value);
                oracle.saw(&act, &driver);
            }
            Err(error) => {
                assert!(lock(&sim.world).dead, "{act:?} failed: {error}");
                return Some((act, value));
            }
        }
        if lock(&sim.world).dead {
            // It ended inside something that the act did not need to succeed, such as removing a file.
            return Some((Act::Reclaim, value));
        }
    }
    None
}

/// Opens the machine after an end and compares; the oracle that fits.
fn settle(sim: &Sim, oracle: &Oracle, cut: Option<(Act, u64)>, end: End, what: &str) -> Oracle {
    let candidates = match &cut {
        Some((act, value)) => oracle.cut_off(act, *value),
        None => vec![oracle.clone()],
    };
    let pool = open(sim).unwrap_or_else(|error| panic!("{what}: cannot open: {error}"));
    let mut errors = Vec::new();
    for mut candidate in candidates {
        match candidate.compare(&pool, end) {
            Ok(()) => {
                let room = candidate.compare_room(&pool, || sim.data_bytes());
                room.unwrap_or_else(|error| panic!("{what}, cut off {cut:?}: i05: {error}"));
                candidate
                    .compare_diffs(&pool)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                return candidate;
            }
            Err(error) => errors.push(error),
        }
    }
    panic!("{what}, cut off {cut:?}: {errors:#?}");
}

/// In scripts from 200 on, volumes are made from what lives elsewhere.
fn beginning(sim: &Sim, script: u64) -> Oracle {
    let mut oracle = Oracle::default();
    oracle.place = (script >= 200).then(|| sim.place.clone());
    oracle
}

/// Two lives and their ends, the first at sync (or change) number `point`.
fn two_lives(script: u64, acts: usize, point: u64, seed: u64, end: End) {
    let what = format!("script {script}, {end:?} at {point}, seed {seed}");
    let sim = Sim::new(script);
    let mut random = Random::new(script);
    let mut oracle = beginning(&sim, script);
    match end {
        End::PowerLost => lock(&sim.world).cut_at = Some(point),
        _ => lock(&sim.world).kill_at = Some(point),
    }
    let cut = run(&sim, &mut oracle, &mut random, acts);
    let mut chance = Random::new(seed ^ point << 20);
    let sim = match end {
        End::PowerLost => sim.power_lost(chance.next()),
        _ => sim.killed(),
    };
    let sim = if chance.chance(30) {
        // The next opening is cut off as well.
        let next = lock(&sim.world).syncs + 1 + chance.below(6);
        lock(&sim.world).cut_at = Some(next);
        // A volume is recovered when it is used.
        if let Ok(pool) = open(&sim) {
            for id in pool.volumes() {
                drop(pool.lease(id));
            }
        }
        // A killed process leaves the page cache: it ends the same way again, or unflushed writes may rightly be gone.
        if end == End::PowerLost {
            sim.power_lost(chance.next())
        } else {
            sim.killed()
        }
    } else {
        sim
    };
    let mut oracle = settle(&sim, &oracle, cut, end, &what);
    // A second life on what the first one left, ended by a power loss.
    let next = lock(&sim.world).syncs + 1 + chance.below(40);
    lock(&sim.world).cut_at = Some(next);
    let cut = run(&sim, &mut oracle, &mut random, acts);
    let sim = sim.power_lost(chance.next());
    settle(
        &sim,
        &oracle,
        cut,
        End::PowerLost,
        &format!("{what}, second life"),
    );
}

fn points(script: u64, acts: usize) -> (u64, u64) {
    let sim = Sim::new(script);
    let mut oracle = beginning(&sim, script);
    let cut = run(&sim, &mut oracle, &mut Random::new(script), acts);
    assert!(cut.is_none(), "a life without an end is cut off: {cut:?}");
    let world = lock(&sim.world);
    (world.syncs, world.ops)
}

#[test]
fn i01_i02_i04_i05_power_cut_at_every_sync() {
    for script in 0..SCRIPTS {
        let (syncs, _) = points(script, ACTS);
        assert!(syncs > 50, "the script hardly syncs: {syncs}");
        for point in 1..=syncs {
            for seed in 0..3 {
                two_lives(script, ACTS, point, seed, End::PowerLost);
            }
        }
    }
}

#[test]
fn i01_i02_i04_i05_i09_power_cut_at_every_sync_while_volumes_fill() {
    for script in 200..200 + SCRIPTS {
        let (syncs, _) = points(script, ACTS);
        assert!(syncs > 50, "the script hardly syncs: {syncs}");
        for point in 1..=syncs {
            for seed in 0..3 {
                two_lives(script, ACTS, point, seed, End::PowerLost);
            }
        }
    }
}

#[test]
fn i01_i09_process_killed_at_every_change_while_volumes_fill() {
    for script in 300..300 + SCRIPTS {
        let (_, ops) = points(script, ACTS);
        for point in 1..=ops {
            two_lives(script, ACTS, point, 1, End::Killed);
        }
    }
}

#[test]
fn i01_process_killed_at_every_change() {
    for script in 100..100 + SCRIPTS {
        let (_, ops) = points(script, ACTS);
        for point in 1..=ops {
            two_lives(script, ACTS, point, 1, End::Killed);
        }
    }
}

const SCRIPTS: u64 = 4;
const ACTS: usize = 60;
