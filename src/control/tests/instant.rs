//! Memory and disks of one instant, with real guests on volumes of a real pool behind a real NBD server: points one after
//! the other while the guest writes, each gone back to, and what its memory says then compared with what its disks hold.
//! A checkpoint made a little later is compared in the same way, and must be found out. What is compared with what is said
//! in `counting`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::counting::{Guest, linux};
use crate::domain::id::{CheckpointId, InstanceId, VolumeId};
use crate::engine::block::BlockDevice;
use crate::engine::{Lease, Pool, PoolOptions};
use crate::hypervisor::memory::{self, About};
use crate::hypervisor::{
    DiskSpec, FenceSpec, Hypervisor, Incoming, Machine, SavedMemory, Serial, Sink, Spec, Way,
};
use crate::nbd::{Export, Exports, Fence, OpenError, Server};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// Long enough for any machine; nothing is asserted about how long anything takes.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How much later the checkpoint is made that must be found out.
const LATER: Duration = Duration::from_millis(300);

/// The disks and the fence, as a zone offers them.
struct Shelf {
    pool: Pool,
    fence: Fence,
    leases: Mutex<HashMap<VolumeId, Weak<Lease>>>,
}

impl Exports for Shelf {
    fn list(&self) -> Vec<String> {
        Vec::new()
    }

    fn open(&self, name: &str) -> Result<Export, OpenError> {
        if name == "fence" {
            return Ok(Export::new(self.fence.device()));
        }
        let id: VolumeId = name.parse().map_err(|_| OpenError::NotFound)?;
        let mut leases = self.leases.lock().unwrap();
        let kept = leases.get(&id).and_then(Weak::upgrade);
        let lease = match kept {
            Some(lease) => lease,
            None => self.pool.lease(id).map_err(|_| OpenError::InUse)?,
        };
        leases.insert(id, Arc::downgrade(&lease));
        Ok(Export::new(lease))
    }
}

/// One point.
pub struct Point {
    pub disks: [CheckpointId; 2],
    pub memory: PathBuf,
    /// What the guest had in mind.
    pub counts: Vec<u64>,
    pub saved: SavedMemory,
}

/// A pool, a server, a machine that may run; all of it goes with the test.
pub struct Stage {
    pub hypervisor: Hypervisor,
    pub guest: Guest,
    pub pool: Pool,
    pub fence: Fence,
    pub disks: [VolumeId; 2],
    pub server: Server,
    pub place: tempfile::TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Ok(Some(machine)) = Hypervisor::find(&self.folder()) {
            machine.kill();
        }
        self.server.shutdown();
    }
}

impl Stage {
    /// None, said loudly, where no guest can be saved while it runs.
    pub fn new(guest: Guest) -> Option<Self> {
        let hypervisor = match Hypervisor::probe() {
            Ok(hypervisor) if hypervisor.capabilities().background_snapshot => hypervisor,
            other => {
                let why = other.map_or_else(
                    |error| error.to_string(),
                    |_| "no background snapshot".to_owned(),
                );
                eprintln!("SKIPPED: {why}: no memory was saved and gone back to");
                return None;
            }
        };
        let place = tempfile::tempdir().unwrap();
        let options = PoolOptions {
            reserve: Some(1 << 20),
            ..PoolOptions::default()
        };
        let pool = Pool::open(&place.path().join("pool"), options).unwrap();
        let image = guest.image(place.path());
        let disks = [VolumeId::new(), VolumeId::new()];
        pool.create_volume(disks[0], image.len() as u64).unwrap();
        pool.create_volume(disks[1], 64 << 20).unwrap();
        let lease = pool.lease(disks[0]).unwrap();
        for (number, piece) in image.chunks(1 << 16).enumerate() {
            if piece.iter().any(|byte| *byte != 0) {
                lease.write_at((number as u64) << 16, piece, false).unwrap();
            }
        }
        drop(lease);
        let fence = Fence::new();
        let shelf = Shelf {
            pool: pool.clone(),
            fence: fence.clone(),
            leases: Mutex::default(),
        };
        let server = Server::listen(&place.path().join("nbd.sock"), Arc::new(shelf)).unwrap();
        Some(Self {
            hypervisor,
            guest,
            pool,
            fence,
            disks,
            server,
            place,
        })
    }

    pub fn folder(&self) -> PathBuf {
        self.place.path().join("instance")
    }

    pub fn spec(&self) -> Spec {
        let socket = self.place.path().join("nbd.sock");
        let found = self.hypervisor.capabilities();
        Spec {
            instance: InstanceId::from_bytes([7; 16]),
            name: "instant".to_owned(),
            vcpus: 2,
            memory: self.guest.memory(),
            machine: found.machine.clone(),
            cpu: found.cpu.clone(),
            generation: uuid::Uuid::from_bytes([9; 16]),
            mac: [0x52, 0x54, 0, 1, 2, 3],
            disks: (self.disks.iter().enumerate())
                .map(|(number, disk)| DiskSpec {
                    socket: socket.clone(),
                    export: disk.to_string(),
                    serial: format!("disk{number}"),
                })
                .collect(),
            fence: Some(FenceSpec {
                socket,
                export: "fence".to_owned(),
            }),
            rest: Incoming::None,
            folder: self.folder(),
        }
    }

    fn about(&self) -> About {
        let found = self.hypervisor.capabilities();
        About {
            ram: self.guest.memory(),
            qemu: found.version.clone(),
            machine: found.machine.clone(),
            cpu: found.cpu.clone(),
            accelerator: found.accelerator,
        }
    }

    /// Where the serial line ends now.
    pub fn serial_end(&self) -> u64 {
        Serial::open(&self.folder()).read(None, 0).unwrap().end
    }

    /// What was counted on the serial line from there on, when it is at least so much.
    pub fn ticks_from(&self, from: u64, least: usize) -> Vec<u64> {
        let end = Instant::now() + PATIENCE;
        loop {
            let read = Serial::open(&self.folder()).read(Some(from), 1 << 20);
            let bytes = read.unwrap().bytes;
            let ticks = self.guest.ticks(&bytes);
            if ticks.len() >= least {
                return ticks;
            }
            let text = String::from_utf8_lossy(&bytes);
            assert!(Instant::now() < end, "the guest does not count: {text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The disks' checkpoints and the memory, of one instant. Meanwhile, if asked for, the disks' a little later.
    pub fn point(
        &self,
        machine: &Machine,
        number: usize,
        later: Option<[CheckpointId; 2]>,
    ) -> Point {
        let disks = [CheckpointId::new(), CheckpointId::new()];
        let of = [(self.disks[0], disks[0]), (self.disks[1], disks[1])];
        let raw = self.place.path().join(format!("{number}.raw"));
        let sink = Sink {
            path: raw.clone(),
            limit: 1 << 30,
        };
        self.pool.settle(&self.disks).unwrap();
        let armed = self.fence.arm(PATIENCE).unwrap();
        let mut save = None;
        let mut act = |swap: &mut dyn FnMut() -> Duration| {
            save = Some(machine.save(&sink, Way::Background).unwrap());
            armed.at_the_stop(swap)
        };
        self.pool.checkpoint_at(&of, &mut act).unwrap();
        if let Some(later) = later {
            let from = self.serial_end();
            std::thread::sleep(LATER);
            self.ticks_from(from, 2);
            let of = [(self.disks[0], later[0]), (self.disks[1], later[1])];
            self.pool.checkpoint(&of).unwrap();
        }
        let saved = save.unwrap().finish(PATIENCE, &mut on).unwrap();
        self.keep(disks, raw, saved)
    }

    /// A memory that was saved beside these checkpoints, packed.
    pub fn keep(&self, disks: [CheckpointId; 2], raw: PathBuf, saved: SavedMemory) -> Point {
        let memory = raw.with_extension("mem");
        memory::pack(&raw, &memory, &self.about(), &mut on).unwrap();
        let counts = self.guest.remembered(&std::fs::read(&raw).unwrap());
        std::fs::remove_file(raw).unwrap();
        Point {
            disks,
            memory,
            counts,
            saved,
        }
    }

    /// Goes back to a point, and sees that the guest goes on from there.
    pub fn back(&self, point: &Point) -> Machine {
        for (volume, checkpoint) in self.disks.iter().zip(point.disks) {
            self.pool.rollback(*volume, checkpoint).unwrap();
        }
        let from = self.serial_end();
        let image = memory::open(&point.memory).unwrap();
        let machine = self.hypervisor.start_from(&self.spec(), &image).unwrap();
        machine.resume().unwrap();
        let ticks = self.ticks_from(from, 3);
        let ahead = self.guest.ahead(ticks[0], point.counts[0]);
        // Its last line may not have been out, or the next count begun.
        assert!(
            (-1..=1).contains(&ahead),
            "{ticks:?} after {:?}",
            point.counts
        );
        for pair in ticks.windows(2) {
            let step = self.guest.ahead(pair[1], pair[0]);
            assert_eq!(step, 1, "it went on: {ticks:?}");
        }
        machine
    }

    /// The counts on the disks.
    pub fn counts(&self, disks: &[CheckpointId; 2], places: &mut [Option<u64>; 2]) -> Vec<u64> {
        let counted = disks.iter().zip(places).take(self.guest.counted());
        counted
            .map(|(checkpoint, place)| {
                let disk = self.pool.open_checkpoint(*checkpoint).unwrap();
                self.guest.count(&*disk, place)
            })
            .collect()
    }
}

/// For who does not break off.
pub fn on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// `points` in a row, each gone back to; and one that is wrong by [`LATER`].
fn proof(guest: Guest, points: usize) {
    let Some(stage) = Stage::new(guest) else {
        return;
    };
    let machine = stage.hypervisor.start(&stage.spec()).unwrap();
    stage.ticks_from(0, 5);
    let mut made = Vec::new();
    for number in 0..points {
        // At any part of a tick.
        std::thread::sleep(Duration::from_millis(20 + 37 * number as u64 % 160));
        made.push(stage.point(&machine, number, None));
        assert_eq!(
            machine.run_state().unwrap(),
            crate::hypervisor::RunState::Running
        );
    }
    // The check has teeth: the memory of one instant with the disks of another.
    let later = [CheckpointId::new(), CheckpointId::new()];
    let late = stage.point(&machine, points, Some(later));
    machine.kill();

    let mut places = [None, None];
    let mut stood = Vec::new();
    for (number, point) in made.iter().chain([&late]).enumerate() {
        let (memory, disks) = (&point.counts, stage.counts(&point.disks, &mut places));
        assert!(
            stage.guest.is_one_instant(memory, &disks),
            "point {number}: {memory:?} in memory, {disks:?} on the disks"
        );
        stage.back(point).kill();
        stood.push(point.saved.stood_still.unwrap());
    }
    let (memory, disks) = (&late.counts, stage.counts(&later, &mut places));
    assert!(
        !stage.guest.is_one_instant(memory, &disks),
        "a checkpoint of {LATER:?} later was not found out: {memory:?} and {disks:?}"
    );
    stood.sort_unstable();
    eprintln!(
        "{} points: stood still {:?} to {:?}, in the middle {:?}; a checkpoint of {LATER:?} later has {disks:?} for {memory:?}",
        stood.len(),
        stood[0],
        stood[points],
        stood[points / 2]
    );
    assert_eq!(
        stage
            .pool
            .check()
            .unwrap()
            .into_iter()
            .find(|found| found.damage),
        None
    );
}

#[test]
fn i12_memory_and_disks_are_of_one_instant() {
    proof(Guest::Sector, 5);
}

#[test]
fn i12_a_linux_guest_that_writes_all_the_time_goes_on_from_each_point() {
    if let Some(guest) = linux() {
        proof(guest, 3);
    }
}

#[test]
#[ignore = "takes minutes"]
fn i12_fifty_points_in_a_row_of_a_guest_that_only_counts() {
    proof(Guest::Sector, 50);
}

#[test]
#[ignore = "takes minutes"]
fn i12_fifty_points_in_a_row_of_a_linux_guest_that_writes_all_the_time() {
    if let Some(guest) = linux() {
        proof(guest, 50);
    }
}
