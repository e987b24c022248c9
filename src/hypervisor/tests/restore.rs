//! Guests that go on from a memory that was kept, in either way.

use super::{
    super::{
        Error, Hypervisor, Machine, Sink, Spec, Way, folder,
        memory::{self, About},
        restore::By,
    },
    boot,
    guest::{Stage, hypervisor, processes_in},
    memory::{Nowhere, Own},
    wait_until,
};
use crate::domain::size::Bytes;
use std::{
    fs,
    ops::ControlFlow,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const MIB: usize = 1 << 20;

/// A guest that counts, saved; the file, and the last number it told before that.
fn saved(hypervisor: &Hypervisor, stage: &Stage, way: Way) -> (PathBuf, u16) {
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    stage.wait_for_more_ticks();
    keep(hypervisor, stage, &machine, way)
}

/// The memory of a guest that counts; the guest's process is ended.
fn keep(hypervisor: &Hypervisor, stage: &Stage, machine: &Machine, way: Way) -> (PathBuf, u16) {
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
        // What is kept is not used up. Each way is asked for by itself: none may stand in for the other.
        for by in [By::Window, By::Stream, By::Window] {
            let before = stage.serial().len();
            let machine = hypervisor
                .start_by(&stage.spec(hypervisor), &image, by)
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
                "{way:?}, {by:?}: it told {told}, and {first} when it went on"
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
            // One that has ended since it was seen is as good as killed.
            Command::new("kill")
                .args([name, &pid.to_string()])
                .output()
                .unwrap();
        }
    };
    // The socket is there for as long as the load takes: it is tried until it was seen in time.
    let ended = (0..50).find_map(|_| {
        let over = AtomicBool::new(false);
        let ended = thread::scope(|scope| {
            scope.spawn(|| {
                // Also one that is begun in the other way.
                while !over.load(Ordering::Relaxed) {
                    if !stage.folder().join(folder::MEMORY).exists() {
                        thread::yield_now();
                        continue;
                    }
                    // It takes no more: what is sent stands in the socket when it is killed.
                    signal("-STOP");
                    thread::sleep(Duration::from_millis(300));
                    signal("-KILL");
                }
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
        matches!(
            ended,
            Some(Error::NotRestored { .. } | Error::NotStarted { .. })
        ),
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

#[test]
fn i12_a_real_stream_is_taken_apart_to_the_memory_and_a_small_rest() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    for way in [Way::Still, Way::Background] {
        if way == Way::Background && !hypervisor.capabilities().background_snapshot {
            continue;
        }
        let stage = Stage::serving(&boot::counter());
        let (memory, _) = saved(hypervisor, &stage, way);
        let image = memory::open(&memory).unwrap();
        let own = Own::new(64 << 20);
        let rest = image.fill("pc.ram", 64 << 20, &own).unwrap();
        assert!(rest.starts_with(b"QEVM"));
        assert!(rest.len() < 4 * MIB, "{} bytes", rest.len());
        // The boot sector is where the firmware has put it, and it is nowhere else than in the memory.
        let sector = &boot::counter()[..64];
        let own = own.0.into_inner().unwrap();
        assert!(own[0x7c00..].starts_with(sector), "{way:?}");
        assert!(!rest.windows(sector.len()).any(|bytes| bytes == sector));
        // Not told of another block, nor of one of another size.
        for (block, mib) in [("pc.raw", 64), ("pc.ram", 128), ("pc.ram", 32)] {
            let refused = image.fill(block, mib << 20, &Nowhere);
            assert!(matches!(refused, Err(Error::NotRestored { .. })));
        }
        // What the place says is told.
        let refused = image.fill("pc.ram", 64 << 20, &Nowhere);
        assert!(matches!(refused, Err(Error::Gone)), "{refused:?}");
    }
}

#[test]
fn i12_a_guest_that_went_on_can_be_kept_and_go_on_again() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let way = if hypervisor.capabilities().background_snapshot {
        Way::Background
    } else {
        Way::Still
    };
    let stage = Stage::serving(&boot::counter());
    let (memory, mut told) = saved(hypervisor, &stage, way);
    // From one memory to the next: what a restored guest is kept as is as good as what it came from.
    for _ in 0..3 {
        let image = memory::open(&memory).unwrap();
        let machine = hypervisor
            .start_by(&stage.spec(hypervisor), &image, By::Window)
            .unwrap();
        machine.resume().unwrap();
        let before = stage.serial().len();
        stage.wait_for_more_ticks();
        let numbers = boot::ticks(&stage.serial()[before..]).0;
        assert!(
            (told..told + 40).contains(&numbers[0]),
            "{told}, {numbers:?}"
        );
        told = keep(hypervisor, &stage, &machine, way).1;
    }
}

#[test]
fn i14_damage_in_any_frame_is_found_and_leaves_nothing_behind() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::serving(&boot::counter());
    let (memory, _) = saved(hypervisor, &stage, Way::Still);
    let whole = fs::read(&memory).unwrap();
    let number = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut frames) = (32 + number(12) + 32, 0);
    while at < whole.len() {
        let next = at + 12 + number(at + 8) + 32;
        let mut bytes = whole.clone();
        bytes[next - 33] ^= 0x10;
        fs::write(&memory, &bytes).unwrap();
        let image = memory::open(&memory).unwrap();
        for by in [By::Window, By::Stream] {
            let damaged = hypervisor.start_by(&stage.spec(hypervisor), &image, by);
            let Err(Error::Damaged { offset, .. }) = damaged else {
                panic!("{by:?}: {damaged:?}");
            };
            assert_eq!(offset, at as u64, "{by:?}");
        }
        assert!(matches!(
            image.prove(&mut |_| ControlFlow::Continue(())),
            Err(Error::Damaged { .. })
        ));
        assert!(processes_in(&stage.folder()).is_empty());
        (at, frames) = (next, frames + 1);
    }
    assert!(frames > 0);
}
