//! A machine in memory: files whose live content (the page cache) and durable content (the disk) are kept apart, a
//! catalog whose commits are durable points, and a power switch.
//!
//! After a power cut the disk holds, of everything not synced, a subset chosen by a seed: each sector of each write,
//! each change of length, each punched hole, each name by itself.

use super::disk::{Content, Inode, Op, PAGE};
use crate::domain::id::VolumeId;
use crate::engine::catalog::{Catalog, Change, Rows};
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::storage::{File, Identity, Room, Storage};
use crate::engine::tests::held::Gate;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

pub(crate) use super::disk::Random;

type Names = BTreeMap<String, u64>;

#[derive(Clone, Default)]
pub(crate) struct World {
    names: Names,
    durable_names: Names,
    /// Each changes several names at once, as a rename does.
    pending_names: Vec<Vec<(String, Option<u64>)>>,
    inodes: HashMap<u64, Inode>,
    last_inode: u64,
    pub(crate) rows: Rows,
    boot: u8,
    /// Syncs and commits so far: the points at which the power can be cut.
    pub(crate) syncs: u64,
    /// All changes so far: the points at which the process can be killed.
    pub(crate) ops: u64,
    pub(crate) cut_at: Option<u64>,
    pub(crate) kill_at: Option<u64>,
    pub(crate) dead: bool,
    /// Syncs of files whose name contains this fail, and drop what was to be written, as kernels do.
    pub(crate) fail_syncs_of: Option<String>,
    pub(crate) fail_commits: bool,
    /// The next writes to a file whose name contains this fail after so many bytes each.
    pub(crate) short_writes: Option<(&'static str, VecDeque<usize>)>,
    /// After so many more commits, every one finds the disk full.
    pub(crate) full_commits_after: Option<u64>,
    /// Bytes that all files together may take.
    pub(crate) capacity: Option<u64>,
    /// What was synced, in order.
    pub(crate) journal: Vec<String>,
    /// Bytes, and the number of writes, that were to pass the page cache by.
    pub(crate) passed: (u64, u64),
    random: Option<Random>,
}

fn off() -> io::Error {
    io::Error::other("the machine is off")
}

impl World {
    fn allocated(&self) -> u64 {
        // Unlinked files give their room back: an open handle is nobody's business here.
        self.names
            .values()
            .filter_map(|id| self.inodes.get(id))
            .map(|inode| inode.live.pages.len() as u64 * PAGE)
            .sum()
    }

    /// Counts a change. True where the process dies before it.
    fn op(&mut self) -> io::Result<()> {
        if self.dead {
            return Err(off());
        }
        self.ops += 1;
        if self.kill_at == Some(self.ops) {
            self.dead = true;
            return Err(off());
        }
        Ok(())
    }

    /// Counts a sync; fails where the power is cut.
    fn sync(&mut self, what: &str) -> io::Result<()> {
        self.op()?;
        self.syncs += 1;
        if self.cut_at == Some(self.syncs) {
            self.dead = true;
            return Err(off());
        }
        self.journal.push(what.to_owned());
        Ok(())
    }

    fn bind(&mut self, changes: Vec<(String, Option<u64>)>) {
        for (name, inode) in &changes {
            match inode {
                Some(inode) => drop(self.names.insert(name.clone(), *inode)),
                None => drop(self.names.remove(name)),
            }
        }
        self.pending_names.push(changes);
    }
}

/// What is to happen once, between the disk's work and its answer.
type Meanwhile = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// The machine; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Sim {
    /// Runs during the next sync of a data file.
    pub(crate) meanwhile: Meanwhile,
    /// Holds one write back.
    pub(crate) gate: Gate,
    /// Where blocks live that are not here; it is not this machine.
    pub(crate) place: super::source::Place,
    pub(crate) world: Arc<Mutex<World>>,
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        let sim = Self::default();
        lock(&sim.world).boot = 1;
        lock(&sim.world).random = Some(Random::new(seed));
        sim
    }

    pub(crate) fn catalog(&self) -> Box<dyn Catalog> {
        Box::new(SimCatalog(self.clone()))
    }

    /// The same machine with a new process: nothing is lost, handles of the old process are void.
    pub(crate) fn killed(&self) -> Self {
        let mut world = lock(&self.world).clone();
        world.revive();
        Self {
            world: Arc::new(Mutex::new(world)),
            place: self.place.clone(),
            ..Self::default()
        }
    }

    /// The machine after a power loss, which kept a part of what was not synced.
    pub(crate) fn power_lost(&self, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut world = lock(&self.world).clone();
        // The extremes matter as much as the middle.
        let keep = [0, 100, 50, 20, 80][random.below(5) as usize];
        let mut ids: Vec<u64> = world.inodes.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let inode = world.inodes.get_mut(&id).unwrap();
            let disk = inode.lose(keep, &mut random);
            *inode = Inode {
                live: disk.clone(),
                durable: disk,
                pending: Vec::new(),
            };
        }
        let mut names = world.durable_names.clone();
        for change in std::mem::take(&mut world.pending_names) {
            if random.chance(keep) {
                for (name, inode) in change {
                    match inode {
                        Some(inode) => drop(names.insert(name, inode)),
                        None => drop(names.remove(&name)),
                    }
                }
            }
        }
        world.names = names.clone();
        world.durable_names = names;
        world.boot += 1;
        world.revive();
        Self {
            world: Arc::new(Mutex::new(world)),
            place: self.place.clone(),
            ..Self::default()
        }
    }

    /// Flips bits of a file, in the page cache and on the disk.
    pub(crate) fn damage(&self, name: &str, offset: u64, flip: u8) {
        let mut world = lock(&self.world);
        let id = world.names[name];
        let inode = world.inodes.get_mut(&id).unwrap();
        for content in [&mut inode.live, &mut inode.durable] {
            let mut byte = [0];
            content.read(&mut byte, offset);
            content.write(&[byte[0] ^ flip], offset);
        }
    }

    pub(crate) fn byte(&self, name: &str, offset: u64) -> u8 {
        let world = lock(&self.world);
        let mut byte = [0];
        world.inodes[&world.names[name]]
            .live
            .read(&mut byte, offset);
        byte[0]
    }

    /// Overwrites a part of a file, as if it had always been so.
    pub(crate) fn overwrite(&self, name: &str, offset: u64, bytes: &[u8]) {
        let mut world = lock(&self.world);
        let id = world.names[name];
        let inode = world.inodes.get_mut(&id).unwrap();
        inode.live.write(bytes, offset);
        inode.durable.write(bytes, offset);
    }

    pub(crate) fn files(&self) -> Vec<String> {
        lock(&self.world).names.keys().cloned().collect()
    }

    /// Bytes of room that the data files take.
    pub(crate) fn data_bytes(&self) -> u64 {
        let world = lock(&self.world);
        let data = world
            .names
            .iter()
            .filter(|(name, _)| name.ends_with(".data"));
        data.map(|(_, id)| world.inodes[id].live.pages.len() as u64 * PAGE)
            .sum()
    }
}

impl World {
    fn revive(&mut self) {
        self.dead = false;
        self.cut_at = None;
        self.kill_at = None;
        self.fail_syncs_of = None;
        self.fail_commits = false;
        self.short_writes = None;
        self.full_commits_after = None;
        self.journal.clear();
    }
}

struct SimFile {
    sim: Sim,
    name: String,
    inode: u64,
}

impl Storage for Sim {
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let world = lock(&self.world);
        if world.dead {
            return Err(off());
        }
        let inode = *world.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimFile {
            sim: self.clone(),
            name: name.to_owned(),
            inode,
        }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut world = lock(&self.world);
        world.op()?;
        let inode = match world.names.get(name) {
            Some(inode) => {
                let inode = *inode;
                let file = world.inodes.get_mut(&inode).unwrap();
                file.live.set_len(0);
                file.pending.push(Op::SetLen(0));
                inode
            }
            None => {
                world.last_inode += 1;
                let inode = world.last_inode;
                world.inodes.insert(inode, Inode::default());
                world.bind(vec![(name.to_owned(), Some(inode))]);
                inode
            }
        };
        Ok(Arc::new(SimFile {
            sim: self.clone(),
            name: name.to_owned(),
            inode,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = lock(&self.world);
        world.op()?;
        let inode = *world.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        world.bind(vec![(from.to_owned(), None), (to.to_owned(), Some(inode))]);
        Ok(())
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let mut world = lock(&self.world);
        world.op()?;
        if world.names.contains_key(name) {
            world.bind(vec![(name.to_owned(), None)]);
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut world = lock(&self.world);
        world.sync(folder)?;
        world.durable_names = world.names.clone();
        world.pending_names.clear();
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let world = lock(&self.world);
        let prefix = format!("{folder}/");
        Ok(world
            .names
            .keys()
            .filter(|name| name.starts_with(&prefix))
            .cloned()
            .collect())
    }

    fn make_folder(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    fn identity(&self) -> io::Result<Identity> {
        Ok(Identity {
            boot: [lock(&self.world).boot; 16],
            device: 1,
            filesystem: 2,
        })
    }

    fn room(&self) -> io::Result<Room> {
        let world = lock(&self.world);
        let total = world.capacity.unwrap_or(1 << 40);
        Ok(Room {
            total,
            free: total.saturating_sub(world.allocated()),
            unit: PAGE,
        })
    }
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut World, u64) -> io::Result<T>) -> io::Result<T> {
        act(&mut lock(&self.sim.world), self.inode)
    }

    fn look<T>(&self, look: impl FnOnce(&Content) -> T) -> io::Result<T> {
        self.with(|world, inode| {
            if world.dead {
                Err(off())
            } else {
                Ok(look(&world.inodes[&inode].live))
            }
        })
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.look(|content| content.read(buffer, offset))
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.sim.gate.pass(&self.name);
        self.with(|world, inode| {
            let pages = (offset + data.len() as u64).div_ceil(PAGE);
            let (mut data, mut result) = (data, Ok(()));
            let was_dead = world.dead;
            if let Err(error) = world.op() {
                if was_dead {
                    return Err(error);
                }
                // Killed in the middle: some whole pages have got there.
                let cut = world
                    .random
                    .as_mut()
                    .map_or(0, |random| random.below(pages - offset / PAGE + 1));
                let cut = ((offset / PAGE + cut) * PAGE)
                    .saturating_sub(offset)
                    .min(data.len() as u64);
                data = &data[..cut as usize];
                result = Err(error);
            } else if let Some((part, counts)) = &mut world.short_writes
                && self.name.contains(*part)
                && let Some(count) = counts.pop_front()
            {
                data = &data[..count];
                result = Err(io::Error::other("the disk failed"));
            } else if let Some(capacity) = world.capacity {
                let free = capacity.saturating_sub(world.allocated()) / PAGE;
                let held = &world.inodes[&inode].live.pages;
                let lacking = (offset / PAGE..pages).filter(|page| !held.contains_key(page));
                if let Some(first) = lacking.into_iter().nth(free as usize) {
                    let fits = (first * PAGE).saturating_sub(offset);
                    data = &data[..fits as usize];
                    result = Err(io::ErrorKind::StorageFull.into());
                }
            }
            if !data.is_empty() {
                let inode = world.inodes.get_mut(&inode).unwrap();
                inode.live.write(data, offset);
                inode.pending.push(Op::Write(data.to_vec(), offset));
            }
            result
        })
    }

    fn write_passing(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let written = self.write_at(data, offset);
        let mut world = lock(&self.sim.world);
        world.passed = (world.passed.0 + data.len() as u64, world.passed.1 + 1);
        written
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|world, inode| {
            world.op()?;
            let inode = world.inodes.get_mut(&inode).unwrap();
            inode.live.set_len(len);
            inode.pending.push(Op::SetLen(len));
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.look(|content| content.len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.with(|world, inode| {
            world.sync(&self.name)?;
            let fails = world
                .fail_syncs_of
                .as_ref()
                .is_some_and(|part| self.name.contains(part));
            let inode = world.inodes.get_mut(&inode).unwrap();
            if fails {
                // The pages are marked clean and never written: the page cache has them, the disk never will.
                inode.pending.clear();
                return Err(io::Error::other("the disk failed"));
            }
            inode.durable = inode.live.clone();
            inode.pending.clear();
            Ok(())
        });
        if self.name.ends_with(".data")
            && let Some(act) = lock(&self.sim.meanwhile).take()
        {
            act();
        }
        synced
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        self.with(|world, inode| {
            world.op()?;
            let inode = world.inodes.get_mut(&inode).unwrap();
            inode.live.punch(offset, len);
            inode.pending.push(Op::Punch(offset, len));
            Ok(())
        })
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        self.look(|content| {
            let page = content
                .pages
                .range(offset / PAGE..)
                .next()
                .map(|(page, _)| (page * PAGE).max(offset));
            page.filter(|at| *at < content.len)
        })
    }

    fn next_hole(&self, offset: u64) -> io::Result<u64> {
        self.look(|content| {
            let mut page = offset / PAGE;
            while content.pages.contains_key(&page) {
                page += 1;
            }
            (page * PAGE).max(offset).min(content.len)
        })
    }

    fn allocated(&self) -> io::Result<u64> {
        self.look(|content| content.pages.len() as u64 * PAGE)
    }
}

struct SimCatalog(Sim);

impl Catalog for SimCatalog {
    fn load(&mut self) -> Result<Rows> {
        Ok(lock(&self.0.world).rows.clone())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<()> {
        let mut world = lock(&self.0.world);
        let was_dead = world.dead;
        let failed = |source| Error::io("commit", "pool.db", source);
        let synced = world.sync("pool.db");
        // A commit that is cut off may have taken effect or not.
        let lucky = !was_dead
            && synced.is_err()
            && world
                .random
                .as_mut()
                .is_some_and(|random| random.chance(50));
        match &mut world.full_commits_after {
            Some(0) => return Err(Error::NoSpace),
            Some(left) => *left -= 1,
            None => {}
        }
        if world.fail_commits {
            return Err(failed(io::Error::other("the disk failed")));
        }
        if synced.is_ok() || lucky {
            changes.iter().for_each(|change| world.rows.apply(change));
        }
        synced.map_err(failed)
    }
}

pub(crate) fn volume(number: u8) -> VolumeId {
    VolumeId::from_bytes([number; 16])
}

pub(crate) fn checkpoint(number: u8) -> crate::domain::id::CheckpointId {
    crate::domain::id::CheckpointId::from_bytes([number; 16])
}
