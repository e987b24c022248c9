//! Damaged maps and logs: named with file and offset, never served as data; and what a crash leaves is not damage.

use super::basic::bytes;
use super::open;
use super::sim::{Sim, checkpoint, volume};
use crate::engine::block::BlockDevice;
use crate::engine::{Error, Result};

fn damaged<T>(result: Result<T>) -> Option<(String, u64)> {
    match result {
        Err(Error::Damaged { file, offset, .. }) => Some((file, offset)),
        _ => None,
    }
}

/// A volume with a sealed layer (1) and a head (2) whose log has records and marks.
fn made() -> Sim {
    let sim = Sim::new(1);
    let pool = open(&sim).unwrap();
    pool.create_volume(volume(1), 1 << 20).unwrap();
    let lease = pool.lease(volume(1)).unwrap();
    lease.write_at(0, &[1; 4 * 4096], false).unwrap();
    pool.checkpoint(&[(volume(1), checkpoint(1))]).unwrap();
    for block in 0..4 {
        lease.write_at(block * 8192, &[2; 4096], true).unwrap();
    }
    drop((lease, pool));
    assert!(
        sim.files().contains(&"layers/1.1.map".to_owned()),
        "{:?}",
        sim.files()
    );
    sim
}

#[test]
fn i07_every_damaged_byte_of_a_map_is_noticed() {
    let length = {
        let sim = made();
        use crate::engine::storage::Storage as _;
        sim.open("layers/1.1.map").unwrap().len().unwrap()
    };
    for offset in 0..length {
        let sim = made();
        sim.damage("layers/1.1.map", offset, 0x40);
        let pool = open(&sim).unwrap();
        let (file, at) = damaged(pool.lease(volume(1)))
            .unwrap_or_else(|| panic!("byte {offset} is not noticed"));
        assert_eq!(file, "layers/1.1.map");
        assert!(at < length);
        assert!(damaged(pool.open_checkpoint(checkpoint(1))).is_some());
        assert!(
            pool.check()
                .unwrap()
                .iter()
                .any(|finding| finding.damage && finding.file == file)
        );
    }
}

#[test]
fn i07_every_damaged_byte_of_a_log_is_noticed() {
    // Four records and four marks of 32 bytes each, from byte 4096 on.
    let slots = 4096..4096 + 8 * 32;
    for offset in (0..128).chain(slots.clone()) {
        let sim = made();
        // Not to zero: a record whose last byte is zero may have been cut short there.
        let flip = if sim.byte("layers/2.log", offset) == 1 {
            3
        } else {
            1
        };
        sim.damage("layers/2.log", offset, flip);
        let pool = open(&sim).unwrap();
        let (file, at) = damaged(pool.lease(volume(1)))
            .unwrap_or_else(|| panic!("byte {offset} is not noticed"));
        assert_eq!(file, "layers/2.log");
        if slots.contains(&offset) {
            assert_eq!(at, offset / 32 * 32, "the damaged record is named");
        }
        assert!(
            pool.check()
                .unwrap()
                .iter()
                .any(|finding| finding.damage && finding.file == file)
        );
        // The checkpoint below does not depend on it.
        assert_eq!(
            bytes(&*pool.open_checkpoint(checkpoint(1)).unwrap(), 0, 1),
            [1]
        );
    }
}

#[test]
fn i07_a_record_that_was_synced_and_is_gone_is_damage() {
    // The first six slots were known to be on disk when the last mark was written.
    for slot in 0..6 {
        let sim = made();
        sim.overwrite("layers/2.log", 4096 + slot * 32, &[0; 32]);
        let pool = open(&sim).unwrap();
        assert_eq!(
            damaged(pool.lease(volume(1))),
            Some(("layers/2.log".to_owned(), 4096 + slot * 32)),
            "slot {slot}"
        );
    }
}

#[test]
fn i01_what_a_crash_leaves_of_the_last_record_is_no_damage() {
    for length in 0..32 {
        let sim = made();
        let pool = open(&sim).unwrap();
        let lease = pool.lease(volume(1)).unwrap();
        lease.write_at(1 << 16, &[5; 4096], false).unwrap();
        // Cut the record that the write appended (the log was made anew at opening: four records, a mark).
        let slot = 4096 + 5 * 32;
        sim.overwrite(
            "layers/2.log",
            slot + length,
            &vec![0; 32 - length as usize],
        );
        let sim = sim.killed();
        let pool = open(&sim).unwrap();
        let lease = pool.lease(volume(1)).unwrap();
        assert_eq!(bytes(&*lease, 8192, 1), [2]);
        assert_eq!(bytes(&*lease, 1 << 16, 1), [0], "length {length}");
    }
}

#[test]
fn i07_a_data_file_that_is_short_or_missing_is_damage() {
    for missing in [false, true] {
        let sim = made();
        use crate::engine::storage::Storage as _;
        if missing {
            sim.unlink("layers/1.data").unwrap();
        } else {
            sim.open("layers/1.data").unwrap().set_len(4096).unwrap();
        }
        let pool = open(&sim).unwrap();
        let device = pool.open_checkpoint(checkpoint(1)).unwrap();
        assert!(device.read_at(4096, &mut [0; 4096]).is_err());
        assert!(
            pool.check()
                .unwrap()
                .iter()
                .any(|found| found.damage && found.file == "layers/1.data")
        );
    }
}

#[test]
fn i07_data_that_became_a_hole_is_found_by_check() {
    let sim = made();
    use crate::engine::storage::Storage as _;
    sim.open("layers/1.data")
        .unwrap()
        .punch(4096, 4096)
        .unwrap();
    let found = open(&sim).unwrap().check().unwrap();
    assert!(
        found
            .iter()
            .any(|f| f.damage && f.file == "layers/1.data" && f.offset == 4096),
        "{found:?}"
    );
}
