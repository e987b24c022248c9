//! On a real folder: SQLite, sparse files, the lock, a killed process, repair.

use super::basic::bytes;
use super::sim::{Random, checkpoint, volume};
use crate::engine::block::{Allocation, BlockDevice};
use crate::engine::{Error, Pool, PoolOptions, Reference, Result};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

fn options() -> PoolOptions {
    PoolOptions {
        reserve: Some(1 << 20),
        background: false,
        ..PoolOptions::default()
    }
}

/// Opens it. A child that another test is just starting has its lock too, until it has become its program.
fn open(dir: &Path) -> Result<Pool> {
    for _ in 0..200 {
        match Pool::open(dir, options()) {
            Err(Error::Locked { .. }) => std::thread::sleep(std::time::Duration::from_millis(10)),
            done => return done,
        }
    }
    Pool::open(dir, options())
}

#[test]
fn a_real_folder_does_what_the_simulated_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let pool = open(dir.path()).unwrap();
    let second = Pool::open(dir.path(), options());
    assert!(matches!(second, Err(Error::Locked { .. })));
    pool.create_volume(volume(1), 64 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(4096, &[1; 8192], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    lease.write_at(6000, &[2; 10], true).unwrap();
    lease.trim(8192, 4096, false).unwrap();
    pool.clone_volume(volume(2), checkpoint(1)).unwrap();
    drop((lease, pool));
    let pool = open(dir.path()).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    assert_eq!(
        bytes(&*lease, 5999, 12),
        [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]
    );
    assert_eq!(bytes(&*lease, 8192, 4096), [0; 4096]);
    let kinds: Vec<_> = lease
        .extents(0, 64 << 20)
        .unwrap()
        .into_iter()
        .map(|run| run.allocation)
        .collect();
    assert_eq!(
        kinds,
        [
            Allocation::Hole,
            Allocation::Data,
            Allocation::Zero,
            Allocation::Hole
        ]
    );
    let clone = pool.lease(volume(2)).unwrap();
    assert_eq!(bytes(&*clone, 8191, 2), [1, 1]);
    assert_eq!(
        pool.reclaimable(&[Reference::Volume(volume(2))]).unwrap(),
        0
    );
    assert_eq!(
        pool.check().unwrap().into_iter().find(|found| found.damage),
        None
    );
    drop((lease, clone));
    for id in [1, 2] {
        pool.delete_volume(volume(id)).unwrap();
    }
    pool.delete_checkpoint(checkpoint(1)).unwrap();
    pool.reclaim().unwrap();
    assert_eq!(pool.check().unwrap(), []);
    assert_eq!(
        std::fs::read_dir(dir.path().join("layers"))
            .unwrap()
            .count(),
        0
    );
    assert!(matches!(
        pool.create_volume(volume(3), 9 << 40),
        Err(Error::BadSize(_))
    ));
    pool.create_volume(volume(3), 8 << 40).unwrap();
    let lease = pool.lease(volume(3)).unwrap();
    lease.write_at((8 << 40) - 5, b"last!", true).unwrap();
    lease.trim(0, 8 << 40, false).unwrap();
    assert_eq!(bytes(&*lease, (8 << 40) - 5, 5), [0; 5]);
}

/// The child of the test below: writes until it is killed, and says what was acknowledged.
#[test]
fn writer_that_is_killed() {
    let Ok(dir) = std::env::var("ENGINE_TEST_WRITER") else {
        return;
    };
    let pool = open(Path::new(&dir)).unwrap();
    let seed: u64 = std::env::var("ENGINE_TEST_SEED").unwrap().parse().unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    // One writes a line at a time, so that no line is torn by another.
    let out = Mutex::new(std::io::stderr());
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (lease, out) = (&lease, &out);
            scope.spawn(move || {
                let mut random = Random::new(seed * 10 + thread);
                for number in 1_u64.. {
                    // Each thread owns a third of every 12 KiB; a slot is 512 bytes.
                    let slot = random.below(400) * 24 + thread * 8 + random.below(8);
                    let value = (seed * 10 + thread) << 32 | number;
                    lease
                        .write_at(
                            slot * 512,
                            &value.to_le_bytes().repeat(64),
                            random.chance(5),
                        )
                        .unwrap();
                    let line = format!("{slot} {value}\n");
                    out.lock().unwrap().write_all(line.as_bytes()).unwrap();
                    if random.chance(2) {
                        lease.flush().unwrap();
                    }
                }
            });
        }
        for round in 0_u8..200 {
            pool.checkpoint(&[(volume(1), checkpoint(round))]).unwrap();
            if round > 3 {
                pool.delete_checkpoint(checkpoint(round - 3)).unwrap();
            }
            for old in pool.checkpoints() {
                if old.id != checkpoint(round) && round % 7 == 0 {
                    pool.delete_checkpoint(old.id).unwrap();
                }
            }
        }
        std::thread::sleep(std::time::Duration::from_secs(60));
    });
}

/// The page cache outlives a killed server, so every write that it acknowledged must, too, flushed or not.
#[test]
fn i01_a_killed_server_loses_no_acknowledged_write() {
    let dir = tempfile::tempdir().unwrap();
    let pool = open(dir.path()).unwrap();
    pool.create_volume(volume(1), 8 << 20).unwrap();
    drop(pool);
    let mut acknowledged: BTreeMap<u64, u64> = BTreeMap::new();
    for seed in 1..=8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "engine::tests::real::writer_that_is_killed",
                "--nocapture",
            ])
            .env("ENGINE_TEST_WRITER", dir.path())
            .env("ENGINE_TEST_SEED", seed.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        // What was written and not acknowledged may be there or not; per slot at most one, the next of its thread.
        let mut count = 0;
        let stop = 100 + seed * 97;
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            let mut words = line.split_whitespace().map(|word| word.parse::<u64>());
            // Anything else is the test harness speaking, or a line cut off by the kill.
            if let (Some(Ok(slot)), Some(Ok(value)), None, true) = (
                words.next(),
                words.next(),
                words.next(),
                line.ends_with('\n'),
            ) {
                acknowledged.insert(slot, value);
                count += 1;
            }
            if count == stop {
                child.kill().unwrap();
            }
            line.clear();
        }
        child.wait().unwrap();
        assert!(
            count >= stop,
            "the writer stopped by itself after {count} writes"
        );
        let pool = open(dir.path()).unwrap();
        let lease = pool.lease(volume(1)).unwrap();
        let mut newer = 0;
        for (slot, value) in &mut acknowledged {
            let found = bytes(&*lease, slot * 512, 512);
            let word = u64::from_le_bytes(found[..8].try_into().unwrap());
            assert_eq!(
                found,
                word.to_le_bytes().repeat(64),
                "slot {slot} is a mixture"
            );
            if word != *value {
                // In flight when the process died: the very next number of the same thread.
                assert!(
                    word > *value && word >> 32 >= *value >> 32,
                    "slot {slot}: {word:x} instead of {value:x}"
                );
                newer += 1;
                *value = word;
            }
        }
        assert!(newer <= 3, "{newer} writes were in flight of three threads");
        pool.reclaim().unwrap();
        assert_eq!(pool.check().unwrap(), []);
    }
}

/// A pool of some history: two volumes, three checkpoints of which one is retired and one deleted, reclaimed.
fn history(dir: &Path) {
    let pool = open(dir).unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    for round in 1..=4_u8 {
        lease
            .write_at(0, &vec![round; usize::from(5 - round) * 4096], false)
            .unwrap();
        pool.checkpoint(&[(volume(1), checkpoint(round))]).unwrap();
    }
    lease.write_at(8192, &[9; 4096], true).unwrap();
    pool.clone_volume(volume(2), checkpoint(2)).unwrap();
    pool.lease(volume(2))
        .unwrap()
        .write_at(0, &[8; 100], true)
        .unwrap();
    pool.delete_checkpoint(checkpoint(3)).unwrap();
    pool.retire_checkpoint(checkpoint(1)).unwrap();
    pool.reclaim().unwrap();
}

fn told(pool: &Pool) -> (Vec<u8>, Vec<u8>, Vec<u8>, String) {
    let disk = |id| bytes(&*pool.lease(volume(id)).unwrap(), 0, 1 << 20);
    let state = format!("{:?} {:?}", pool.volumes(), pool.checkpoints());
    let diff = pool.diff(checkpoint(1), checkpoint(4)).unwrap();
    let old = bytes(&*pool.open_checkpoint(checkpoint(4)).unwrap(), 0, 1 << 20);
    (disk(1), disk(2), old, format!("{state} {diff:?}"))
}

#[test]
fn i07_repair_makes_pool_db_anew_from_the_headers() {
    for how in ["removed", "garbage", "emptied", "older"] {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()).unwrap());
        let early = std::fs::read(dir.path().join("pool.db")).unwrap();
        history(dir.path());
        let before = told(&open(dir.path()).unwrap());
        let database = dir.path().join("pool.db");
        for name in ["pool.db-wal", "pool.db-shm"] {
            let _ = std::fs::remove_file(dir.path().join(name));
        }
        if how == "removed" {
            std::fs::remove_file(&database).unwrap();
            assert!(matches!(open(dir.path()), Err(Error::Damaged { .. })));
        } else {
            let bytes = match how {
                "garbage" => vec![0xa5; 8192],
                "emptied" => Vec::new(),
                _ => early,
            };
            std::fs::write(&database, bytes).unwrap();
            assert!(open(dir.path()).is_err(), "{how}");
        }
        let found = Pool::repair(dir.path()).unwrap();
        assert!(
            found.iter().any(|found| found.file == "pool.db"),
            "{found:?}"
        );
        let pool = open(dir.path()).unwrap();
        assert_eq!(told(&pool), before);
        pool.reclaim().unwrap();
        assert_eq!(pool.check().unwrap(), []);
        assert!(Pool::repair(dir.path()).is_err(), "the pool is open");
    }
}

#[test]
fn i07_repair_keeps_what_a_damaged_log_still_says() {
    let dir = tempfile::tempdir().unwrap();
    let pool = open(dir.path()).unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[1; 4096], true).unwrap();
    lease.write_at(8192, &[2; 4096], true).unwrap();
    drop((lease, pool));
    // The second record: after the first one and its mark.
    let log = dir.path().join("layers/1.log");
    let mut bytes_of_log = std::fs::read(&log).unwrap();
    bytes_of_log[4096 + 2 * 32 + 17] ^= 1;
    std::fs::write(&log, bytes_of_log).unwrap();
    let pool = open(dir.path()).unwrap();
    assert!(matches!(
        pool.lease(volume(1)),
        Err(Error::Damaged { offset: 4160, .. })
    ));
    drop(pool);
    assert!(
        Pool::repair(dir.path())
            .unwrap()
            .iter()
            .any(|found| found.offset == 4160)
    );
    let pool = open(dir.path()).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    assert_eq!(
        (bytes(&*lease, 0, 1), bytes(&*lease, 8192, 1)),
        (vec![1], vec![0])
    );
    assert_eq!(
        Pool::repair(dir.path()).unwrap_err().to_string(),
        Error::Locked {
            dir: dir.path().display().to_string()
        }
        .to_string()
    );
}

/// The thread that reclaims after deletions ends with its pool.
#[test]
fn deletions_are_followed_by_reclaim_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::open(
        dir.path(),
        PoolOptions {
            background: true,
            ..options()
        },
    )
    .unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    pool.lease(volume(1))
        .unwrap()
        .write_at(0, &[1; 4096], false)
        .unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    pool.delete_volume(volume(1)).unwrap();
    pool.delete_checkpoint(checkpoint(1)).unwrap();
    while std::fs::read_dir(dir.path().join("layers"))
        .unwrap()
        .count()
        > 0
    {
        std::thread::yield_now();
    }
    drop(pool);
    // Dropped while a pass may be running: the folder is free as soon as that has ended.
    while open(dir.path()).is_err() {
        std::thread::yield_now();
    }
}
