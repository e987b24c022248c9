//! Saves of a real guest's memory that come to nothing: the guest counts on, there is no file, and the next one succeeds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::counting::Guest;
use super::instant::{PATIENCE, Stage, on};
use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine;
use crate::hypervisor::{Error, Machine, RunState, Save, Sink, Way};
use crate::nbd::{Armed, HOLD};
use std::path::PathBuf;
use std::time::Duration;

type Of = [(VolumeId, CheckpointId); 2];

impl Stage {
    fn raw(&self) -> PathBuf {
        self.place.path().join("memory.raw")
    }

    fn sink(&self, limit: u64) -> Sink {
        Sink {
            path: self.raw(),
            limit,
        }
    }

    fn new_checkpoints(&self) -> Of {
        self.disks.map(|disk| (disk, CheckpointId::new()))
    }

    /// Begins a save and waits for the moment of the fence.
    fn begin(
        &self,
        machine: &Machine,
        limit: u64,
        of: &Of,
        armed: &Armed,
    ) -> (Result<Save, Error>, engine::Result<Option<Duration>>) {
        let mut save = None;
        let made = self.pool.checkpoint_at(of, &mut |swap| {
            let begun = machine.save(&self.sink(limit), Way::Background);
            let came = begun.is_ok() && armed.at_the_stop(swap);
            save = Some(begun);
            came
        });
        (save.unwrap(), made)
    }

    /// The guest runs and counts, nothing is left, and a point can be made at once that is one.
    fn assert_as_before(&self, machine: &Machine, number: usize, what: &str) {
        assert_eq!(machine.run_state().unwrap(), RunState::Running, "{what}");
        assert!(!self.raw().exists(), "{what}");
        self.ticks_from(self.serial_end(), 3);
        let point = self.point(machine, number, None);
        let disks = self.counts(&point.disks, &mut [None, None]);
        assert!(
            self.guest.is_one_instant(&point.counts, &disks),
            "{what}: {:?} and {disks:?}",
            point.counts
        );
    }
}

#[test]
fn i13_a_save_that_comes_to_nothing_leaves_the_guest_counting() {
    let Some(stage) = Stage::new(Guest::Sector) else {
        return;
    };
    let machine = stage.hypervisor.start(&stage.spec()).unwrap();
    stage.ticks_from(0, 5);

    let armed = stage.fence.arm(PATIENCE).unwrap();
    let (save, made) = stage.begin(&machine, 64 << 10, &stage.new_checkpoints(), &armed);
    assert!(matches!(made, Err(engine::Error::NoMoment)), "{made:?}");
    assert!(matches!(save, Err(Error::NotSaved { .. })), "{save:?}");
    drop(armed);
    stage.assert_as_before(&machine, 1, "too long for its file");

    let of = stage.new_checkpoints();
    let armed = stage.fence.arm(PATIENCE).unwrap();
    let (save, made) = stage.begin(&machine, 1 << 30, &of, &armed);
    made.unwrap();
    let second = machine.save(&stage.sink(1 << 30), Way::Background);
    assert!(matches!(second, Err(Error::NotSaved { .. })), "{second:?}");
    drop(save.unwrap());
    stage.assert_as_before(&machine, 2, "given up");

    // Before it has so much as stopped the guest.
    drop(machine.save(&stage.sink(1 << 30), Way::Background).unwrap());
    stage.assert_as_before(&machine, 3, "given up at once");
    machine.kill();
}

#[test]
fn i12_i13_a_fence_that_missed_its_flush_makes_no_checkpoint() {
    let Some(stage) = Stage::new(Guest::Sector) else {
        return;
    };
    let machine = stage.hypervisor.start(&stage.spec()).unwrap();
    stage.ticks_from(0, 5);
    let before = stage.pool.checkpoints().len();
    let missed = |made: engine::Result<Option<Duration>>, what: &str| {
        assert!(
            matches!(made, Err(engine::Error::NoMoment)),
            "{what}: {made:?}"
        );
        assert_eq!(stage.pool.checkpoints().len(), before, "{what}");
    };

    // Too late.
    let armed = stage.fence.arm(Duration::ZERO).unwrap();
    let (save, made) = stage.begin(&machine, 1 << 30, &stage.new_checkpoints(), &armed);
    missed(made, "its deadline had passed");
    // The guest was not held up by it; the memory alone is good for nothing.
    save.unwrap().finish(PATIENCE, &mut on).unwrap();
    std::fs::remove_file(stage.raw()).unwrap();

    // Its one flush was that of another stop.
    let armed = stage.fence.arm(PATIENCE).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| machine.pause().unwrap());
        armed.wait().unwrap().release();
    });
    machine.resume().unwrap();
    let (save, made) = stage.begin(&machine, 1 << 30, &stage.new_checkpoints(), &armed);
    missed(made, "it was taken by another stop");
    drop(save.unwrap());
    drop(armed);

    // It came, and nobody acted in time.
    let armed = stage.fence.arm(PATIENCE).unwrap();
    let save = machine.save(&stage.sink(1 << 30), Way::Background).unwrap();
    let window = armed.wait().unwrap();
    let made = stage
        .pool
        .checkpoint_at(&stage.new_checkpoints(), &mut |swap| {
            std::thread::sleep(HOLD + Duration::from_millis(100));
            window.run(swap).is_some()
        });
    missed(made, "the guest was let go");
    save.finish(PATIENCE, &mut on).unwrap();
    std::fs::remove_file(stage.raw()).unwrap();
    drop((window, armed));
    stage.assert_as_before(&machine, 1, "all of these");
    machine.kill();
}

#[test]
fn i13_a_hypervisor_that_ends_in_the_middle_leaves_a_pool_that_works() {
    let Some(stage) = Stage::new(Guest::Sector) else {
        return;
    };
    for (number, held) in [true, false].into_iter().enumerate() {
        let machine = stage.hypervisor.start(&stage.spec()).unwrap();
        stage.ticks_from(stage.serial_end(), 5);
        let armed = stage.fence.arm(PATIENCE).unwrap();
        let save = machine.save(&stage.sink(1 << 30), Way::Background).unwrap();
        let window = armed.wait().unwrap();
        let window = held.then_some(window);
        machine.kill();
        drop((window, armed));
        let saved = save.finish(PATIENCE, &mut on);
        // Where it was not held it may have been done.
        assert!(
            !held || matches!(saved, Err(Error::Gone)),
            "{number}: {saved:?}"
        );
        if saved.is_err() {
            assert!(!stage.raw().exists());
        }
        stage.pool.checkpoint(&stage.new_checkpoints()).unwrap();
    }
    let machine = stage.hypervisor.start(&stage.spec()).unwrap();
    let _ = std::fs::remove_file(stage.raw());
    stage.assert_as_before(&machine, 9, "started anew");
    machine.kill();
}

#[test]
fn i12_a_guest_that_stood_while_it_was_saved_goes_on_from_there() {
    let Some(stage) = Stage::new(Guest::Sector) else {
        return;
    };
    let machine = stage.hypervisor.start(&stage.spec()).unwrap();
    stage.ticks_from(0, 5);
    machine.pause().unwrap();
    let of = stage.new_checkpoints();
    stage.pool.checkpoint(&of).unwrap();
    let save = machine.save(&stage.sink(1 << 30), Way::Still).unwrap();
    let saved = save.finish(PATIENCE, &mut on).unwrap();
    assert_eq!(saved.stood_still, None);
    assert_ne!(machine.run_state().unwrap(), RunState::Running);
    let point = stage.keep(of.map(|(_, checkpoint)| checkpoint), stage.raw(), saved);
    let disks = stage.counts(&point.disks, &mut [None, None]);
    assert!(
        stage.guest.is_one_instant(&point.counts, &disks),
        "{:?} and {disks:?}",
        point.counts
    );
    let from = stage.serial_end();
    machine.resume().unwrap();
    stage.ticks_from(from, 3);
    stage.assert_as_before(&machine, 1, "it ran on");
    machine.kill();
    stage.back(&point).kill();
}
