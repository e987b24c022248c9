//! What the pool should hold: every sector of every volume as the set of values that a power loss may leave there, and
//! every checkpoint exactly.

use super::sim::{Random, checkpoint, volume};
use super::source::{Place, name};
use crate::engine::block::{BlockDevice, ZeroOptions};
use crate::engine::{Error, Lease, Pool, Reference, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

pub(crate) const SECTOR: u64 = 512;
/// Sectors of every volume here: sixteen blocks.
pub(crate) const SECTORS: u64 = 128;
pub(crate) const SIZE: u64 = SECTORS * SECTOR;

/// One call.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Create(u8),
    /// A volume whose content comes from a place, and the base that stands for it.
    Remote {
        volume: u8,
        base: u8,
    },
    Fill(u8),
    Read {
        volume: u8,
        sector: u64,
        count: u64,
    },
    Write {
        volume: u8,
        sector: u64,
        count: u64,
        fua: bool,
    },
    Trim {
        volume: u8,
        sector: u64,
        count: u64,
    },
    Zeroes {
        volume: u8,
        sector: u64,
        count: u64,
        fua: bool,
    },
    Flush(u8),
    Checkpoint(Vec<(u8, u8)>),
    /// At a moment that another finds, after which the first flushes are answered at once.
    CheckpointAt(Vec<(u8, u8)>, Moment),
    Clone {
        volume: u8,
        from: u8,
    },
    Rollback {
        volume: u8,
        to: u8,
    },
    DeleteVolume(u8),
    DeleteCheckpoint(u8),
    Retire(u8),
    Reclaim,
}

/// How a moment that was waited for goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It comes.
    Comes,
    /// It does not.
    Passes,
    /// It was the wrong one.
    Void,
}

#[derive(Debug, Clone)]
struct Disk {
    now: Vec<u64>,
    /// What each sector may hold after a power loss; `now` is always in it.
    maybe: Vec<BTreeSet<u64>>,
    /// What a write that was cut off may have put there.
    cut: BTreeMap<usize, u64>,
}

impl Disk {
    fn settled(now: Vec<u64>) -> Self {
        let maybe = now.iter().map(|value| BTreeSet::from([*value])).collect();
        Self {
            now,
            maybe,
            cut: BTreeMap::new(),
        }
    }

    fn put(&mut self, sectors: std::ops::Range<u64>, value: u64, durable: bool) {
        for sector in sectors {
            let sector = sector as usize;
            self.now[sector] = value;
            if durable {
                self.maybe[sector].clear();
            }
            self.maybe[sector].insert(value);
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Oracle {
    disks: BTreeMap<u8, Disk>,
    checkpoints: BTreeMap<u8, (u8, Vec<u64>)>,
    retired: BTreeMap<u8, Vec<u64>>,
    value: u64,
    last: u8,
    /// Where the content of new volumes comes from; none: they are empty.
    pub(crate) place: Option<Place>,
}

/// How the life before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Killed,
    PowerLost,
}

/// The pool with the leases that the acts use.
pub(crate) struct Driver {
    pub(crate) pool: Pool,
    leases: BTreeMap<u8, Arc<Lease>>,
    /// What was read last.
    read: Vec<u8>,
}

impl Driver {
    pub(crate) fn new(pool: Pool) -> Self {
        Self {
            pool,
            leases: BTreeMap::new(),
            read: Vec::new(),
        }
    }

    fn lease(&mut self, id: u8) -> Result<Arc<Lease>> {
        if let Some(lease) = self.leases.get(&id) {
            return Ok(Arc::clone(lease));
        }
        let lease = self.pool.lease(volume(id))?;
        self.leases.insert(id, Arc::clone(&lease));
        Ok(lease)
    }

    /// Does it; `value` is what a write writes.
    pub(crate) fn act(&mut self, act: &Act, value: u64) -> std::result::Result<(), String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let bytes = |sector: &u64, count: &u64| (sector * SECTOR, count * SECTOR);
        match act {
            Act::Write {
                volume,
                sector,
                count,
                fua,
            } => {
                let (offset, length) = bytes(sector, count);
                let data: Vec<u8> = value.to_le_bytes().repeat(length as usize / 8);
                let lease = self.lease(*volume).map_err(|error| text(&error))?;
                lease
                    .write_at(offset, &data, *fua)
                    .map_err(|error| text(&error))
            }
            Act::Trim {
                volume,
                sector,
                count,
            } => {
                let (offset, length) = bytes(sector, count);
                let lease = self.lease(*volume).map_err(|error| text(&error))?;
                lease
                    .trim(offset, length, false)
                    .map_err(|error| text(&error))
            }
            Act::Zeroes {
                volume,
                sector,
                count,
                fua,
            } => {
                let (offset, length) = bytes(sector, count);
                let lease = self.lease(*volume).map_err(|error| text(&error))?;
                let options = ZeroOptions {
                    fua: *fua,
                    ..ZeroOptions::default()
                };
                lease
                    .write_zeroes(offset, length, options)
                    .map_err(|error| text(&error))
            }
            Act::Read {
                volume,
                sector,
                count,
            } => {
                let (offset, length) = bytes(sector, count);
                let lease = self.lease(*volume).map_err(|error| text(&error))?;
                self.read = vec![0xee; length as usize];
                lease
                    .read_at(offset, &mut self.read)
                    .map_err(|error| text(&error))
            }
            Act::Remote { volume: id, base } => self
                .pool
                .create_remote_volume(volume(*id), SIZE, name(*id), Some(checkpoint(*base)))
                .map_err(|error| text(&error)),
            Act::Fill(id) => self
                .pool
                .fill(volume(*id), &mut |_| ControlFlow::Continue(()))
                .map_err(|error| text(&error)),
            Act::Flush(volume) => self
                .lease(*volume)
                .map_err(|error| text(&error))?
                .flush()
                .map_err(|error| text(&error)),
            Act::Create(id) => self
                .pool
                .create_volume(volume(*id), SIZE)
                .map_err(|error| text(&error)),
            Act::Checkpoint(of) => {
                let of: Vec<_> = of
                    .iter()
                    .map(|(v, c)| (volume(*v), checkpoint(*c)))
                    .collect();
                self.pool
                    .checkpoint(&of)
                    .map(|_| ())
                    .map_err(|error| text(&error))
            }
            Act::CheckpointAt(of, how) => {
                let pairs: Vec<_> = of
                    .iter()
                    .map(|(v, c)| (volume(*v), checkpoint(*c)))
                    .collect();
                let leases = of
                    .iter()
                    .map(|(id, _)| self.lease(*id))
                    .collect::<Result<Vec<_>>>()
                    .map_err(|error| text(&error))?;
                let mut refused = Ok(());
                let made = self.pool.checkpoint_at(&pairs, &mut |swap| {
                    if *how != Moment::Passes {
                        swap();
                    }
                    // As the hypervisor's own: an answer that nothing is to be concluded from, but one.
                    refused = leases.iter().try_for_each(|lease| lease.flush());
                    *how == Moment::Comes
                });
                refused.map_err(|error| text(&error))?;
                match made {
                    Err(Error::NoMoment) if *how != Moment::Comes => Ok(()),
                    Ok(_) if *how != Moment::Comes => Err("a moment that was none".to_owned()),
                    other => other.map(drop).map_err(|error| text(&error)),
                }
            }
            Act::Clone { volume: id, from } => self
                .pool
                .clone_volume(volume(*id), checkpoint(*from))
                .map_err(|error| text(&error)),
            Act::Rollback { volume: id, to } => {
                self.leases.remove(id);
                self.pool
                    .rollback(volume(*id), checkpoint(*to))
                    .map_err(|error| text(&error))
            }
            Act::DeleteVolume(id) => {
                self.leases.remove(id);
                self.pool
                    .delete_volume(volume(*id))
                    .map_err(|error| text(&error))
            }
            Act::DeleteCheckpoint(id) => self
                .pool
                .delete_checkpoint(checkpoint(*id))
                .map_err(|error| text(&error)),
            Act::Retire(id) => self
                .pool
                .retire_checkpoint(checkpoint(*id))
                .map_err(|error| text(&error)),
            Act::Reclaim => self.pool.reclaim().map(drop).map_err(|error| text(&error)),
        }
    }
}

fn contents(device: &dyn BlockDevice) -> std::result::Result<Vec<u64>, String> {
    let mut bytes = vec![0xee; SIZE as usize];
    device
        .read_at(0, &mut bytes)
        .map_err(|error| error.to_string())?;
    let mut values = Vec::new();
    for (number, sector) in bytes.chunks(SECTOR as usize).enumerate() {
        let words: BTreeSet<u64> = sector
            .chunks(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect();
        if words.len() != 1 {
            return Err(format!("sector {number} is a mixture: {words:x?}"));
        }
        values.extend(words);
    }
    Ok(values)
}

impl Oracle {
    /// The value that the next write writes.
    pub(crate) fn next_value(&mut self) -> u64 {
        self.value += 1;
        self.value
    }

    /// What holds after an act that was acknowledged.
    pub(crate) fn done(&mut self, act: &Act, value: u64) {
        match act {
            Act::Create(id) => {
                self.disks
                    .entry(*id)
                    .or_insert_with(|| Disk::settled(vec![0; SECTORS as usize]));
            }
            Act::Write {
                volume,
                sector,
                count,
                fua,
            } => {
                self.disk(*volume).put(*sector..sector + count, value, *fua);
            }
            Act::Trim {
                volume,
                sector,
                count,
            } => {
                let whole = sector.div_ceil(8) * 8..(sector + count) / 8 * 8;
                self.disk(*volume).put(whole, 0, false);
            }
            Act::Zeroes {
                volume,
                sector,
                count,
                fua,
            } => {
                self.disk(*volume).put(*sector..sector + count, 0, *fua);
            }
            Act::Flush(id) => {
                let disk = self.disk(*id);
                *disk = Disk::settled(std::mem::take(&mut disk.now));
            }
            Act::Remote { volume, base } => {
                self.retired.insert(*base, remote_content(*volume));
                self.disks
                    .insert(*volume, Disk::settled(remote_content(*volume)));
            }
            Act::Checkpoint(of) => {
                for (id, checkpoint) in of {
                    let disk = self.disk(*id);
                    *disk = Disk::settled(std::mem::take(&mut disk.now));
                    let now = disk.now.clone();
                    self.checkpoints.insert(*checkpoint, (*id, now));
                }
            }
            Act::CheckpointAt(of, Moment::Comes) => {
                self.done(&Act::Checkpoint(of.clone()), value);
            }
            // Without a checkpoint: the flushes are real where nothing was swapped. Where something was, nothing is
            // promised; that the seal syncs it too is not asked for here.
            Act::CheckpointAt(of, Moment::Passes) => {
                of.iter()
                    .for_each(|(id, _)| self.done(&Act::Flush(*id), value));
            }
            Act::CheckpointAt(_, Moment::Void) => {}
            Act::Clone { volume, from } => {
                let content = self.checkpoints[from].1.clone();
                self.disks.insert(*volume, Disk::settled(content));
            }
            Act::Rollback { volume, to } => {
                let content = self.checkpoints[to].1.clone();
                self.disks.insert(*volume, Disk::settled(content));
            }
            Act::DeleteVolume(id) => drop(self.disks.remove(id)),
            Act::DeleteCheckpoint(id) => {
                self.checkpoints.remove(id);
                self.retired.remove(id);
            }
            Act::Retire(id) => {
                if let Some((_, content)) = self.checkpoints.remove(id) {
                    self.retired.insert(*id, content);
                }
            }
            Act::Reclaim | Act::Fill(_) | Act::Read { .. } => {}
        }
    }

    /// Compares what an act that was acknowledged has read.
    pub(crate) fn saw(&mut self, act: &Act, driver: &Driver) {
        if let Act::Read { volume, sector, .. } = act {
            let now = &self.disk(*volume).now;
            for (found, sector) in driver.read.chunks(SECTOR as usize).zip(*sector as usize..) {
                let expected = now[sector].to_le_bytes().repeat(SECTOR as usize / 8);
                assert_eq!(found, expected, "volume {volume}, sector {sector}");
            }
        }
    }

    /// What may hold after an act that was cut off: of a write, each sector old or new; of everything else, all or
    /// nothing.
    pub(crate) fn cut_off(&self, act: &Act, value: u64) -> Vec<Self> {
        let mut before = self.clone();
        match act {
            Act::Write { volume, .. } | Act::Trim { volume, .. } | Act::Zeroes { volume, .. } => {
                let mut after = self.clone();
                after.done(&without_fua(act), value);
                let (old, new) = (before.disk(*volume), after.disk(*volume));
                for (sector, (maybe, other)) in old.maybe.iter_mut().zip(&new.maybe).enumerate() {
                    maybe.extend(other);
                    old.cut.insert(sector, new.now[sector]);
                }
                vec![before]
            }
            Act::Flush(_) | Act::Reclaim | Act::Fill(_) | Act::Read { .. } => vec![before],
            Act::CheckpointAt(_, Moment::Passes | Moment::Void) => vec![before],
            _ => {
                let mut after = self.clone();
                after.done(act, value);
                vec![before, after]
            }
        }
    }

    fn disk(&mut self, id: u8) -> &mut Disk {
        self.disks.get_mut(&id).unwrap()
    }

    /// Compares the pool with this; what is found of unflushed data is the truth from then on.
    pub(crate) fn compare(&mut self, pool: &Pool, end: End) -> std::result::Result<(), String> {
        let volumes: BTreeSet<_> = self.disks.keys().map(|id| volume(*id)).collect();
        let found: BTreeSet<_> = pool.volumes().into_iter().collect();
        if volumes != found {
            return Err(format!("volumes {found:?} instead of {volumes:?}"));
        }
        let checkpoints: BTreeSet<_> = self.checkpoints.keys().map(|id| checkpoint(*id)).collect();
        let found: BTreeSet<_> = pool
            .checkpoints()
            .into_iter()
            .filter(|info| !info.retired)
            .map(|info| info.id)
            .collect();
        if checkpoints != found {
            return Err(format!("checkpoints {found:?} instead of {checkpoints:?}"));
        }
        for (id, (_, expected)) in &self.checkpoints {
            let device = pool
                .open_checkpoint(checkpoint(*id))
                .map_err(|error| error.to_string())?;
            if contents(&*device)? != *expected {
                return Err(format!("checkpoint {id} has changed"));
            }
        }
        for (id, disk) in &mut self.disks {
            let lease = pool.lease(volume(*id)).map_err(|error| error.to_string())?;
            let found = contents(&*lease).map_err(|error| format!("volume {id}: {error}"))?;
            for (sector, value) in found.iter().enumerate() {
                let right = match end {
                    End::PowerLost => disk.maybe[sector].contains(value),
                    End::Closed | End::Killed => {
                        *value == disk.now[sector] || disk.cut.get(&sector) == Some(value)
                    }
                };
                if !right {
                    let (now, maybe) = (disk.now[sector], &disk.maybe[sector]);
                    return Err(format!(
                        "volume {id} sector {sector}: {value} instead of {now} or {maybe:?}, {end:?}"
                    ));
                }
            }
            *disk = Disk::settled(found);
        }
        Ok(())
    }

    /// After any end: nothing is damaged, one pass of reclaim leaves no waste, and deleting everything would free
    /// everything.
    pub(crate) fn compare_room(
        &self,
        pool: &Pool,
        data_bytes: impl Fn() -> u64,
    ) -> std::result::Result<(), String> {
        let text = |error: crate::engine::Error| error.to_string();
        if let Some(damage) = pool
            .check()
            .map_err(text)?
            .into_iter()
            .find(|finding| finding.damage)
        {
            return Err(format!("{damage:?}"));
        }
        for id in self.disks.keys() {
            // Only what is under a mark covers what lies below.
            let lease = pool.lease(volume(*id)).map_err(text)?;
            lease.flush().map_err(|error| error.to_string())?;
        }
        pool.reclaim().map_err(text)?;
        if let Some(found) = pool.check().map_err(text)?.into_iter().next() {
            return Err(format!("{found:?}"));
        }
        let all: Vec<_> = (self.disks.keys().map(|id| Reference::Volume(volume(*id))))
            .chain(
                self.checkpoints
                    .keys()
                    .map(|id| Reference::Checkpoint(checkpoint(*id))),
            )
            .collect();
        let (freed, held) = (pool.reclaimable(&all).map_err(text)?, data_bytes());
        if freed != held {
            Err(format!("{held} bytes are held, {freed} would be freed"))
        } else {
            Ok(())
        }
    }

    /// The differences that the pool tells are no smaller than the true ones.
    pub(crate) fn compare_diffs(&self, pool: &Pool) -> std::result::Result<(), String> {
        let bases = self
            .checkpoints
            .iter()
            .map(|(id, (_, content))| (id, content))
            .chain(&self.retired);
        for (from, old) in bases {
            for (to, (_, new)) in &self.checkpoints {
                let diff = pool
                    .diff(checkpoint(*from), checkpoint(*to))
                    .map_err(|error| error.to_string())?;
                let Some(diff) = diff else { continue };
                for (sector, (old, new)) in old.iter().zip(new).enumerate() {
                    if old != new && !diff.contains(sector as u32 / 8) {
                        return Err(format!(
                            "{from} to {to}: sector {sector} differs and is not in {diff:?}"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn new_volume(&mut self) -> Act {
        self.last += 1;
        let volume = self.last;
        let Some(place) = &self.place else {
            return Act::Create(volume);
        };
        self.last += 1;
        let content = remote_content(volume);
        let bytes = content
            .iter()
            .flat_map(|value| value.to_le_bytes().repeat(SECTOR as usize / 8));
        place.put(volume, bytes.collect());
        Act::Remote {
            volume,
            base: self.last,
        }
    }

    /// An act that is possible now.
    pub(crate) fn random_act(&mut self, random: &mut Random) -> Act {
        fn pick<T: Copy>(from: &[T], random: &mut Random) -> Option<T> {
            from.get(random.below(from.len() as u64) as usize).copied()
        }
        let disks: Vec<u8> = self.disks.keys().copied().collect();
        let checkpoints: Vec<u8> = self.checkpoints.keys().copied().collect();
        let Some(volume) = pick(&disks, random) else {
            return self.new_volume();
        };
        let sector = random.below(SECTORS);
        let most = if random.chance(70) { 20 } else { SECTORS };
        let count = 1 + random.below((SECTORS - sector).min(most));
        // Whole blocks often, as file systems write them.
        let (sector, count) = if random.chance(50) {
            (sector / 8 * 8, count.div_ceil(8) * 8)
        } else {
            (sector, count)
        };
        let count = count.min(SECTORS - sector);
        let chosen = pick(&checkpoints, random);
        if self.place.is_some() {
            match random.below(100) {
                0..12 => {
                    return Act::Read {
                        volume,
                        sector,
                        count,
                    };
                }
                12..17 => return Act::Fill(volume),
                17..20 if disks.len() < 4 => return self.new_volume(),
                _ => {}
            }
        }
        match random.below(100) {
            0..40 => Act::Write {
                volume,
                sector,
                count,
                fua: random.chance(15),
            },
            40..48 => Act::Trim {
                volume,
                sector,
                count,
            },
            48..54 => Act::Zeroes {
                volume,
                sector,
                count,
                fua: random.chance(15),
            },
            54..66 => Act::Flush(volume),
            66..78 => {
                let mut of = Vec::new();
                for disk in &disks {
                    if *disk == volume || random.chance(40) {
                        self.last += 1;
                        of.push((*disk, self.last));
                    }
                }
                match random.below(6) {
                    0 | 1 => Act::CheckpointAt(of, Moment::Comes),
                    2 => Act::CheckpointAt(of, Moment::Passes),
                    3 => Act::CheckpointAt(of, Moment::Void),
                    _ => Act::Checkpoint(of),
                }
            }
            78..82 if disks.len() < 4 && chosen.is_some() => {
                self.last += 1;
                Act::Clone {
                    volume: self.last,
                    from: chosen.unwrap(),
                }
            }
            82..85 if chosen.is_some() => Act::Rollback {
                volume,
                to: chosen.unwrap(),
            },
            85..87 if disks.len() > 1 => Act::DeleteVolume(volume),
            87..92 if chosen.is_some() => Act::DeleteCheckpoint(chosen.unwrap()),
            92..94 if chosen.is_some() => Act::Retire(chosen.unwrap()),
            94..100 => Act::Reclaim,
            _ => Act::Write {
                volume,
                sector,
                count,
                fua: false,
            },
        }
    }
}

/// What the source of a volume holds: of its four chunks one is all zeros, and in the others one block is.
fn remote_content(volume: u8) -> Vec<u64> {
    (0..SECTORS)
        .map(|sector| {
            let (block, chunk) = (sector / 8, sector / 32);
            let none = (chunk + u64::from(volume)) % 4 == 0 || block % 4 == u64::from(volume) % 4;
            if none {
                0
            } else {
                0x5000_0000 + u64::from(volume) * 1000 + sector
            }
        })
        .collect()
}

fn without_fua(act: &Act) -> Act {
    let mut act = act.clone();
    if let Act::Write { fua, .. } | Act::Zeroes { fua, .. } = &mut act {
        *fua = false;
    }
    act
}
