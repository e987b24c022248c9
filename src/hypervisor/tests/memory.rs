//! Memories that were kept: the file, and guests that go on from it.

use super::{
    super::{
        Accelerator, Error, Hypervisor, Sink, Spec, Way, folder,
        memory::{self, About},
    },
    boot,
    guest::{Stage, hypervisor, processes_in},
    wait_until,
};
use crate::domain::size::Bytes;
use proptest::prelude::*;
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const MIB: usize = 1 << 20;

fn about() -> About {
    About {
        ram: Bytes(64 << 20),
        qemu: "7.2.22".to_owned(),
        machine: "pc-i440fx-7.2".to_owned(),
        cpu: "qemu64-v1,enforce".to_owned(),
        accelerator: Accelerator::Tcg,
    }
}

/// Packs the bytes into a file of the folder.
fn packed(folder: &Path, bytes: &[u8]) -> PathBuf {
    let (raw, to) = (folder.join("raw"), folder.join("memory"));
    fs::write(&raw, bytes).unwrap();
    let packed = memory::pack(&raw, &to, &about(), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(packed.bytes, fs::metadata(&to).unwrap().len());
    to
}

/// What can be read of it, and how that ended.
fn read(path: &Path) -> (Vec<u8>, Result<(), Error>) {
    let image = match memory::open(path) {
        Ok(image) => image,
        Err(error) => return (Vec::new(), Err(error)),
    };
    assert_eq!(*image.about(), about());
    let mut bytes = Vec::new();
    let end = image.read(&mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    let mut told = 0;
    let proof = image.prove(&mut |done| {
        told = done;
        ControlFlow::Continue(())
    });
    // What is proved can be read, and the other way round, as far and for the same reason.
    assert_eq!(format!("{proof:?}"), format!("{end:?}"));
    assert_eq!(told, bytes.len() as u64);
    (bytes, end)
}

/// Bytes that do not compress well and repeat nowhere.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}

#[test]
fn what_was_packed_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for length in [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 37 * MIB] {
        let mut bytes = noise(length as u64, length);
        // Much of a memory is like this.
        bytes
            .iter_mut()
            .skip(MIB)
            .take(2 * MIB)
            .for_each(|byte| *byte = 0);
        let (again, end) = read(&packed(folder.path(), &bytes));
        end.unwrap();
        assert!(again == bytes, "{length} bytes");
    }
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "nothing else stays: {names:?}");
}

#[test]
fn cut_off_at_every_edge_it_is_damaged_there() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = noise(5, 9 * MIB);
    let path = packed(folder.path(), &bytes);
    let file = fs::read(&path).unwrap();
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let mut edges = vec![32 + number(12) + 32];
    while edges[edges.len() - 1] < file.len() {
        let at = edges[edges.len() - 1];
        edges.push(at + 12 + number(at + 8) + 32);
    }
    assert_eq!((edges.len(), edges[3]), (4, file.len()));
    for (frames, edge) in edges.iter().take(3).enumerate() {
        // The edge itself, and within the head, the data and the hash beyond it.
        for beyond in [
            0,
            1,
            11,
            12,
            13,
            number(edge + 8) + 12,
            number(edge + 8) + 43,
        ] {
            fs::write(&path, &file[..edge + beyond]).unwrap();
            let (read, end) = read(&path);
            let Err(Error::Damaged { offset, .. }) = end else {
                panic!("{end:?}");
            };
            assert_eq!(offset, *edge as u64, "{beyond} bytes beyond");
            assert!(
                read == bytes[..frames * 4 * MIB],
                "what came before is good"
            );
        }
    }
}

#[test]
fn a_memory_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("memory");
    match memory::open(&absent) {
        Err(Error::Io { path, source, .. }) => {
            assert_eq!(path, absent);
            assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn packing_can_be_broken_off_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw");
    fs::write(&raw, noise(1, 5 * MIB)).unwrap();
    let to = folder.path().join("memory");
    let broken = memory::pack(&raw, &to, &about(), &mut |_| ControlFlow::Break(()));
    assert!(matches!(broken, Err(Error::Cancelled)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // Proving, and reading, too.
    let image = memory::open(&packed(folder.path(), &noise(1, 5 * MIB))).unwrap();
    let broken = image.prove(&mut |_| ControlFlow::Break(()));
    assert!(matches!(broken, Err(Error::Cancelled)));
    let broken = image.read(&mut |_| Err(Error::Gone));
    assert!(matches!(broken, Err(Error::Gone)));
}

#[test]
fn a_frame_of_another_memory_is_not_taken() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Of the same lengths throughout: only what the hash covers tells them apart.
    let first = packed(one.path(), &vec![1; 5 * MIB]);
    let second = packed(two.path(), &vec![2; 9 * MIB]);
    let (mut bytes, other) = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
    let start = 32 + usize::from(u16::from_le_bytes([bytes[12], bytes[13]])) + 32;
    let length =
        |bytes: &[u8]| u32::from_le_bytes(bytes[start + 8..start + 12].try_into().unwrap());
    assert_eq!(length(&bytes), length(&other));
    let end = start + 12 + length(&bytes) as usize + 32;
    bytes[start..end].copy_from_slice(&other[start..end]);
    fs::write(&first, bytes).unwrap();
    let (read, end) = read(&first);
    assert!(matches!(end, Err(Error::Damaged { .. })), "{end:?}");
    assert!(read.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_is_named_and_never_handed_out(at in 0.0..1.0f64, bit in 0u8..8, cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let bytes = noise(3, 4 * MIB + 4096);
        let path = packed(folder.path(), &bytes);
        let mut file = fs::read(&path).unwrap();
        // Half of the tries go into the first bytes, where everything has a meaning of its own.
        let within = if bit % 2 == 0 { file.len() } else { 300 };
        let at = ((within as f64 * at) as usize).min(file.len() - 1);
        if cut {
            file.truncate(at);
        } else {
            file[at] ^= 1 << bit;
        }
        fs::write(&path, &file).unwrap();
        let (read, end) = read(&path);
        match end {
            Err(Error::Damaged { path: named, offset, .. }) => {
                prop_assert_eq!(named, path);
                prop_assert!(offset <= at as u64);
            }
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(bytes.starts_with(&read));
    }
}

/// A guest that counts, saved; the file, and the last number it told before that.
fn saved(hypervisor: &Hypervisor, stage: &Stage, way: Way) -> (PathBuf, u16) {
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    stage.wait_for_more_ticks();
    let place = stage.disk();
    let raw = place.with_file_name("memory.raw");
    let sink = Sink {
        path: raw.clone(),
        limit: 1 << 30,
    };
    if way == Way::Still {
        machine.pause().unwrap();
    }
    let told = last(stage);
    let save = machine.save(&sink, way).unwrap();
    save.finish(Duration::from_secs(60), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    machine.kill();
    let to = place.with_file_name("memory");
    let found = hypervisor.capabilities();
    let about = About {
        ram: Bytes(64 << 20),
        qemu: found.version.clone(),
        machine: found.machine.clone(),
        cpu: found.cpu.clone(),
        accelerator: found.accelerator,
    };
    memory::pack(&raw, &to, &about, &mut |_| ControlFlow::Continue(())).unwrap();
    (to, told)
}

fn last(stage: &Stage) -> u16 {
    *boot::ticks(&stage.serial()).0.last().unwrap()
}

fn other(stage: &Stage, hypervisor: &Hypervisor, memory: u64) -> Spec {
    Spec {
        memory: Bytes(memory),
        ..stage.spec(hypervisor)
    }
}

#[test]
fn i12_a_guest_goes_on_from_the_memory_that_was_kept() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    for way in [Way::Still, Way::Background] {
        if way == Way::Background && !hypervisor.capabilities().background_snapshot {
            continue;
        }
        let stage = Stage::serving(&boot::counter());
        let (memory, told) = saved(hypervisor, &stage, way);
        let image = memory::open(&memory).unwrap();
        // Twice: what is kept is not used up.
        for _ in 0..2 {
            let before = stage.serial().len();
            let machine = hypervisor
                .start_from(&stage.spec(hypervisor), &image)
                .unwrap();
            assert_eq!(stage.serial().len(), before, "it does not run yet");
            machine.resume().unwrap();
            let mut numbers = Vec::new();
            wait_until("the guest counts", || {
                let serial = stage.serial();
                // Its first line may be the rest of one that was begun before.
                numbers = boot::ticks(&serial[before..]).0;
                numbers.len() > 3
            });
            let first = numbers[0];
            assert!(
                (told..told + 20).contains(&first),
                "{way:?}: it told {told}, and {first} when it went on"
            );
            assert!(
                numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
                "{numbers:?}"
            );
            wait_until("it writes to its disk", || stage.written() >= first);
            machine.kill();
        }
    }
}

#[test]
fn i12_a_memory_that_cannot_be_restored_leaves_nothing_behind() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::serving(&boot::counter());
    let (memory, _) = saved(hypervisor, &stage, Way::Still);
    let image = memory::open(&memory).unwrap();

    let larger = other(&stage, hypervisor, 128 << 20);
    let refused = hypervisor.start_from(&larger, &image);
    assert!(
        matches!(refused, Err(Error::NotRestored { .. })),
        "{refused:?}"
    );
    assert!(processes_in(&stage.folder()).is_empty());

    // Damage in the last frame: QEMU has had all that comes before.
    let mut bytes = fs::read(&memory).unwrap();
    let end = bytes.len() - 40;
    bytes[end] ^= 1;
    fs::write(&memory, bytes).unwrap();
    let image = memory::open(&memory).unwrap();
    let damaged = hypervisor.start_from(&stage.spec(hypervisor), &image);
    assert!(matches!(damaged, Err(Error::Damaged { .. })), "{damaged:?}");
    assert!(processes_in(&stage.folder()).is_empty());
    assert!(Hypervisor::find(&stage.folder()).unwrap().is_none());

    // The folder is good for a start as ever.
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    stage.wait_for_more_ticks();
    machine.kill();
}

#[test]
fn i12_a_qemu_that_ends_while_it_loads_leaves_nothing_behind() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::serving(&boot::counter());
    let (memory, told) = saved(hypervisor, &stage, Way::Still);
    let image = memory::open(&memory).unwrap();
    let signal = |name: &str| {
        for pid in processes_in(&stage.folder()) {
            let sent = Command::new("kill").args([name, &pid.to_string()]).status();
            assert!(sent.unwrap().success());
        }
    };
    // The socket is there for as long as the load takes: it is tried until it was seen in time.
    let ended = (0..50).find_map(|_| {
        let over = AtomicBool::new(false);
        let ended = thread::scope(|scope| {
            scope.spawn(|| {
                while !stage.folder().join(folder::MEMORY).exists() {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    thread::yield_now();
                }
                // It takes no more: what is sent stands in the socket when it is killed.
                signal("-STOP");
                thread::sleep(Duration::from_millis(300));
                signal("-KILL");
            });
            let ended = hypervisor.start_from(&stage.spec(hypervisor), &image);
            over.store(true, Ordering::Relaxed);
            ended
        });
        match ended {
            Ok(machine) => {
                machine.kill();
                None
            }
            Err(error) => Some(error),
        }
    });
    assert!(
        matches!(ended, Some(Error::NotRestored { .. })),
        "{ended:?}"
    );
    assert!(processes_in(&stage.folder()).is_empty());
    for name in [folder::QMP, folder::AGENT, folder::MEMORY, folder::PID] {
        assert!(!stage.folder().join(name).exists(), "{name}");
    }

    // The memory is as good as before.
    let before = stage.serial().len();
    let machine = hypervisor
        .start_from(&stage.spec(hypervisor), &image)
        .unwrap();
    machine.resume().unwrap();
    wait_until("the guest counts", || {
        boot::ticks(&stage.serial()[before..]).0.len() > 2
    });
    assert!(boot::ticks(&stage.serial()[before..]).0[0] >= told);
    machine.kill();
}
