//! Failures of the store at every operation, interruptions, and stores that cannot be written.

use super::device::Memory;
use super::stores::{Fault, Wrapped};
use super::*;
use std::collections::BTreeSet;

const BLOCK: u64 = 4096;

fn first() -> Memory {
    let device = Memory::new(SEGMENT_SIZE + 16 * BLOCK);
    device.fill(0..20 * BLOCK, 1);
    device.paint(SEGMENT_SIZE..SEGMENT_SIZE + 3 * BLOCK, 2);
    device
}

fn second() -> (Memory, BlockSet) {
    let device = first();
    device.fill(7 * BLOCK..9 * BLOCK, 3);
    let mut changed = BlockSet::new();
    changed.insert_range(7..9);
    (device, changed)
}

fn attempt(archive: &Archive, step: usize) -> Result<(), Error> {
    let (device, changed) = second();
    match step {
        0 => save(archive, snapshot(1), &first(), None).map(drop),
        1 => save(archive, snapshot(2), &device, Some((snapshot(1), &changed))).map(drop),
        2 => restored(archive, snapshot(2), device.size())
            .map(|target| assert!(target.content() == device.content())),
        3 => archive.check(true).and_then(|findings| {
            let found = findings.into_iter().next();
            found.map_or(Ok(()), |finding| {
                Err(Error::Damaged {
                    object: finding.object,
                    damage: finding.damage,
                })
            })
        }),
        4 => archive.delete(ORGANIZATION, snapshot(1)).map(drop),
        _ => archive.collect(ORGANIZATION).map(drop),
    }
}

/// Whether the error says which object, or which folder of objects, was being worked at.
fn is_named(error: &Error) -> bool {
    matches!(
        error,
        Error::NoSpace { .. }
            | Error::Denied { .. }
            | Error::Store { .. }
            | Error::Damaged { .. }
            | Error::Clock { .. }
    )
}

/// Fails the `nth` operation of a whole life; gives whether there were that many.
fn life(nth: u64, fault: Fault, reopen: bool) -> bool {
    let inner = in_memory();
    let store = Wrapped::new(Arc::clone(&inner));
    let mut options = options();
    if fault == Fault::Silent {
        options.retry.patience = Duration::from_millis(400);
    }
    let new = || {
        let store = Arc::clone(&store) as Arc<dyn ObjectStore>;
        Archive::with_store_alone(store, options.clone()).unwrap()
    };
    let mut archive = new();
    store.fail(nth, fault);
    let mut hit = false;
    for step in 0..6 {
        let context = format!("operation {nth}, {fault:?}, step {step}, reopened: {reopen}");
        if let Err(error) = attempt(&archive, step) {
            assert!(is_named(&error), "{context}: {error:?}");
            assert!(
                !fault.passes(),
                "{context}: a passing error must not come through: {error:?}"
            );
            match fault {
                Fault::Full => assert!(
                    matches!(error, Error::NoSpace { .. }) && error.is_permanent(),
                    "{context}: {error:?}"
                ),
                Fault::Denied => assert!(
                    matches!(error, Error::Denied { .. }) && error.is_permanent(),
                    "{context}: {error:?}"
                ),
                Fault::Dead => assert!(!error.is_permanent(), "{context}: {error:?}"),
                Fault::Clock => {
                    assert!(matches!(error, Error::Clock { .. }), "{context}: {error:?}")
                }
                Fault::Short | Fault::Flipped | Fault::Missing => assert!(
                    matches!(error, Error::Damaged { .. }),
                    "{context}: {error:?}"
                ),
                Fault::AnswerLost => {}
                passing => panic!("{context}: {passing:?}"),
            }
            hit |= store.heal();
            if reopen {
                archive = new();
            }
            // What was there is still there, whole.
            if step == 2 || step == 3 || step == 1 {
                assert!(
                    restored(&archive, snapshot(1), first().size())
                        .unwrap()
                        .content()
                        == first().content(),
                    "{context}"
                );
            }
            attempt(&archive, step)
                .unwrap_or_else(|error| panic!("{context}: the second try failed, too: {error:?}"));
        }
    }
    hit |= store.heal();
    let clean = open(&inner);
    assert_eq!(clean.list(ORGANIZATION).unwrap().len(), 1);
    assert_eq!(clean.check(true).unwrap(), vec![]);
    let (device, _) = second();
    assert!(
        restored(&clean, snapshot(2), device.size())
            .unwrap()
            .content()
            == device.content()
    );
    clean.delete(ORGANIZATION, snapshot(2)).unwrap();
    assert!(
        objects(&inner).keys().all(|name| is_kept(name)),
        "operation {nth}, {fault:?}: something stays for ever"
    );
    let written = store.written.lock().unwrap();
    let names: BTreeSet<_> = written.iter().collect();
    assert_eq!(
        names.len(),
        written.len(),
        "operation {nth}, {fault:?}: a name was written twice"
    );
    hit
}

#[test]
fn every_operation_fails_once() {
    for fault in [
        Fault::Passing,
        Fault::Busy(503),
        Fault::Busy(429),
        Fault::Silent,
        Fault::BrokenOff,
        Fault::Denied,
        Fault::Full,
        Fault::Clock,
        Fault::Short,
        Fault::Flipped,
        Fault::Missing,
        Fault::AnswerLost,
        Fault::Dead,
    ] {
        for reopen in [false, true] {
            // What was read wrongly is taken for damaged for as long as the process lives.
            if fault.damages() && !reopen {
                continue;
            }
            // Each silence is waited for.
            let step = if fault == Fault::Silent { 9 } else { 1 };
            let lives = (0..).step_by(step);
            let tried = lives.take_while(|nth| life(*nth, fault, reopen)).count() * step;
            assert!(tried > 30, "{fault:?}: only {tried} operations were seen");
        }
    }
}

#[test]
fn a_passing_failure_is_tried_again() {
    let store = Wrapped::new(in_memory());
    let archive =
        Archive::with_store_alone(Arc::clone(&store) as Arc<dyn ObjectStore>, options()).unwrap();
    store.fail(0, Fault::Passing);
    save(&archive, snapshot(1), &first(), None).unwrap();
    assert!(store.heal());
    store.fail(0, Fault::Dead);
    let error = restored(&archive, snapshot(1), first().size())
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(&error, Error::Store { .. }) && !error.is_permanent(),
        "{error:?}"
    );
}

struct Until(u64);

impl Progress for Until {
    fn total(&mut self, _: u64) {}

    fn done(&mut self, bytes: u64) -> ControlFlow<()> {
        if bytes >= self.0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn an_interrupted_save_goes_on_with_what_is_there() {
    for reopen in [false, true] {
        let store = in_memory();
        let mut archive = open(&store);
        let device = Memory::new(2 * SEGMENT_SIZE);
        device.fill(0..100 << 20, 1);
        let interrupted = archive.save(&request(snapshot(1), &device, None), &mut Until(80 << 20));
        assert!(matches!(interrupted, Err(Error::Cancelled)));
        assert_eq!(archive.manifest(ORGANIZATION, snapshot(1)).unwrap(), None);
        let there: u64 = objects(&store)
            .iter()
            .filter(|(name, _)| name.contains("/packs/"))
            .map(|(_, size)| size)
            .sum();
        assert!(there >= 60 << 20, "two packs are there: {there}");
        if reopen {
            archive = open(&store);
        }
        let saved = save(&archive, snapshot(1), &device, None).unwrap();
        assert!(
            saved.uploaded_bytes < (101 << 20) - there,
            "{} were written again",
            saved.uploaded_bytes
        );
        assert!(
            restored(&archive, snapshot(1), device.size())
                .unwrap()
                .content()
                == device.content()
        );
        assert_eq!(archive.check(true).unwrap(), vec![]);
        archive.delete(ORGANIZATION, snapshot(1)).unwrap();
        assert!(objects(&store).keys().all(|name| is_kept(name)));
    }
}

#[test]
fn interruptions_leave_nothing_but_garbage() {
    let store = in_memory();
    let archive = open(&store);
    save(&archive, snapshot(1), &first(), None).unwrap();
    let before = objects(&store);
    let (device, changed) = second();
    device.fill(SEGMENT_SIZE..SEGMENT_SIZE + 16 * BLOCK, 8);
    for at in [0, BLOCK, 100 * BLOCK] {
        let result = archive.save(
            &request(snapshot(2), &device, Some((snapshot(1), &changed))),
            &mut Until(at.min(16 * BLOCK)),
        );
        assert!(matches!(result, Err(Error::Cancelled)));
        let target = Memory::new(first().size());
        let result = archive.restore(
            ORGANIZATION,
            snapshot(1),
            &target,
            &mut Until(at.min(16 * BLOCK)),
        );
        assert!(matches!(result, Err(Error::Cancelled)));
    }
    archive.collect(ORGANIZATION).unwrap();
    assert_eq!(objects(&store), before);
}

#[test]
fn a_snapshot_is_saved_by_one_at_a_time() {
    let archive = open(&in_memory());
    let device = first();
    let (other, seen) = (archive.clone(), Arc::new(Mutex::new(None)));
    let result = Arc::clone(&seen);
    *device.hook.lock().unwrap() = Some(Box::new(move || {
        *result.lock().unwrap() = Some(save(&other, snapshot(1), &first(), None))
    }));
    save(&archive, snapshot(1), &device, None).unwrap();
    assert!(matches!(
        seen.lock().unwrap().take(),
        Some(Err(Error::Busy { .. }))
    ));
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    for path in [
        file.clone(),
        file.join("below"),
        std::path::PathBuf::from("/proc/archive"),
    ] {
        let error = Archive::open_folder(&path, options())
            .map(drop)
            .unwrap_err();
        assert!(
            matches!(error, Error::Folder { .. }) && error.is_permanent(),
            "{error:?}"
        );
    }
}

#[test]
fn a_volume_that_cannot_be_read_is_named_by_its_place() {
    struct Broken(Memory);
    impl BlockDevice for Broken {
        fn size(&self) -> u64 {
            self.0.size()
        }
        fn read_only(&self) -> bool {
            true
        }
        fn read_at(
            &self,
            offset: u64,
            buffer: &mut [u8],
        ) -> Result<(), crate::engine::block::DeviceError> {
            if offset >= SEGMENT_SIZE {
                return Err(crate::engine::block::DeviceError::Io {
                    context: "block 16384".into(),
                    source: None,
                });
            }
            self.0.read_at(offset, buffer)
        }
        fn write_at(
            &self,
            offset: u64,
            data: &[u8],
            fua: bool,
        ) -> Result<(), crate::engine::block::DeviceError> {
            self.0.write_at(offset, data, fua)
        }
        fn flush(&self) -> Result<(), crate::engine::block::DeviceError> {
            self.0.flush()
        }
        fn trim(
            &self,
            offset: u64,
            length: u64,
            fua: bool,
        ) -> Result<(), crate::engine::block::DeviceError> {
            self.0.trim(offset, length, fua)
        }
        fn write_zeroes(
            &self,
            o: u64,
            l: u64,
            z: crate::engine::block::ZeroOptions,
        ) -> Result<(), crate::engine::block::DeviceError> {
            self.0.write_zeroes(o, l, z)
        }
        fn extents(
            &self,
            offset: u64,
            length: u64,
        ) -> Result<Vec<crate::engine::block::Extent>, crate::engine::block::DeviceError> {
            self.0.extents(offset, length)
        }
    }
    let archive = open(&in_memory());
    let error = save(&archive, snapshot(1), &Broken(first()), None).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Source {
                offset: SEGMENT_SIZE,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(archive.list(ORGANIZATION).unwrap(), vec![]);
}
