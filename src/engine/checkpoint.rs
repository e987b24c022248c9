//! Checkpoints: prepare new heads, swap them in behind a shut gate, seal the old ones while the guests run on.
//!
//! ```text
//! prepare   files of the new heads, synced; the folder synced; their rows committed     a crash drops them
//! swap      all gates shut, heads exchanged, gates open: microseconds                   the one moment (I-3), which
//!                                                                                       others may choose: `moment`
//! seal      writers of the old heads have left; data and log synced; map written;       the checkpoint exists
//!           one commit: layers sealed, volumes moved on, checkpoints there              from this commit on
//! ```
//! *Swapped, not sealed* is a state that may last: everything works on it, and sealing is tried again by the same
//! call, by the next checkpoint and by each pass of reclaim. A process that dies in it leaves no checkpoint.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::catalog::{Change, CheckpointRow, LayerRow, Rows, VolumeRow};
use crate::engine::core::Core;
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::format::{LAYERS, LayerId, TEMPORARY};
use crate::engine::head::Head;
use crate::engine::inner::Inner;
use crate::engine::layer::Layer;
use crate::engine::log::Log;
use crate::engine::maps::{self, Claim, MapHeader, Maps};
use crate::engine::moment::Prepared;
use crate::engine::record::LogHeader;
use crate::engine::storage::File;
use crate::engine::volume::{Stack, Volume};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Heads that were swapped out at one moment.
pub(crate) struct Swap(Mutex<Vec<Member>>);

/// One of them.
#[derive(Clone)]
struct Member {
    volume: Arc<Volume>,
    old: Arc<Head>,
    new: LayerId,
    /// None once it is cancelled, or when opening found the swap.
    checkpoint: Option<CheckpointId>,
}

impl Swap {
    /// A swap that opening found: heads above others that no commit has sealed.
    pub(crate) fn found(volume: &Arc<Volume>, old: &Arc<Head>, new: LayerId) -> Self {
        let (volume, old) = (Arc::clone(volume), Arc::clone(old));
        Self(Mutex::new(vec![Member {
            volume,
            old,
            new,
            checkpoint: None,
        }]))
    }

    fn members(&self) -> Vec<Member> {
        lock(&self.0).clone()
    }

    fn wants(&self, volume: VolumeId, checkpoint: CheckpointId) -> bool {
        self.members()
            .iter()
            .any(|member| member.volume.id == volume && member.checkpoint == Some(checkpoint))
    }
}

/// Writes the files of a new head; the caller syncs the folder and commits the row.
pub(crate) fn prepare_head(core: &Core, header: LogHeader) -> Result<(Arc<dyn File>, Log)> {
    let name = header.layer.data();
    let made = (|| {
        let file = core.storage.create(&name)?;
        file.set_len(header.size)?;
        file.sync_data()?;
        Ok(file)
    })();
    let result = made
        .map_err(|source: std::io::Error| match source.kind() {
            std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::InvalidInput => {
                Error::TooLarge(header.size)
            }
            _ => Error::io("make", &name, source),
        })
        .and_then(|file| {
            let log = Log::write_new(&*core.storage, header, &Maps::default())?;
            log.publish(&*core.storage)?;
            Ok((file, log))
        });
    if result.is_err() {
        discard(core, header.layer);
    }
    result
}

/// Removes the files of an open layer that has no row (any more). Best effort: what stays is removed at opening.
pub(crate) fn discard(core: &Core, layer: LayerId) {
    for name in [layer.log(), layer.data()] {
        if let Err(error) = core.storage.unlink(&name) {
            tracing::warn!(file = name, %error, "a file that nothing needs stays until the next start");
        }
    }
}

/// The changes that give a prepared layer its row.
pub(crate) fn layer_added(rows: &Rows, layer: LayerId, row: LayerRow) -> [Change; 2] {
    [
        Change::Layer(layer, Some(row)),
        Change::LastLayer(rows.last_layer.max(layer.0)),
    ]
}

/// Syncs the folder of the layers.
pub(crate) fn sync_layers(core: &Core) -> Result<()> {
    core.storage
        .sync_folder(LAYERS)
        .map_err(|source| Error::io("sync", LAYERS, source))
}

/// Writes a map under its name; the caller syncs the folder.
pub(crate) fn write_map(core: &Core, header: &MapHeader, maps: &Maps) -> Result<()> {
    let name = header.layer.map(header.generation);
    let temporary = format!("{name}{TEMPORARY}");
    let bytes = maps::encode(header, maps)?;
    core.with_reserve(|| {
        let written = core.storage.create(&temporary).and_then(|file| {
            file.write_at(&bytes, 0)?;
            file.sync_data()?;
            core.storage.rename(&temporary, &name)
        });
        written.map_err(|source| {
            // Best effort: leftovers are removed at opening.
            let _ = core.storage.unlink(&temporary);
            Error::io("write", &name, source)
        })
    })
}

impl Inner {
    /// See [`crate::engine::Pool::checkpoint`].
    pub(crate) fn checkpoint(&self, of: &[(VolumeId, CheckpointId)]) -> Result<Option<Duration>> {
        let now = &mut |prepared: &mut Prepared<'_>| {
            prepared.swap(false);
            true
        };
        self.checkpoint_when(of, now)
    }

    /// `when` swaps what is prepared, or says that it is not to be.
    pub(crate) fn checkpoint_when(
        &self,
        of: &[(VolumeId, CheckpointId)],
        when: &mut dyn FnMut(&mut Prepared<'_>) -> bool,
    ) -> Result<Option<Duration>> {
        let result = self.prepare_swap_seal(of, when);
        // Where sealing needed the reserve, writers wait until it is whole again.
        self.core.room.restore(&*self.core.storage);
        result
    }

    fn prepare_swap_seal(
        &self,
        of: &[(VolumeId, CheckpointId)],
        when: &mut dyn FnMut(&mut Prepared<'_>) -> bool,
    ) -> Result<Option<Duration>> {
        let mut wanted = of.to_vec();
        // One order for all who take several volumes' locks.
        wanted.sort_unstable();
        for (index, (volume, checkpoint)) in wanted.iter().enumerate() {
            let twice =
                |other: &(VolumeId, CheckpointId)| other.0 == *volume || other.1 == *checkpoint;
            if wanted.iter().skip(index + 1).any(twice) {
                return Err(Error::CheckpointExists(*checkpoint));
            }
        }
        let slots: Vec<_> = wanted
            .iter()
            .map(|(volume, _)| self.slot(*volume))
            .collect();
        let _admins: Vec<_> = slots.iter().map(|slot| lock(&slot.admin)).collect();
        if self.all_there(&wanted)? {
            return Ok(None);
        }
        let volumes = wanted
            .iter()
            .map(|(volume, _)| self.volume(*volume))
            .collect::<Result<Vec<_>>>()?;
        let swapped = lock(&self.swaps)
            .iter()
            .any(|swap| wanted.iter().all(|(v, c)| swap.wants(*v, *c)));
        let mut shut = None;
        if !swapped {
            // A head can be swapped out only when those below it are sealed.
            if volumes
                .iter()
                .any(|volume| !volume.stack().pending.is_empty())
            {
                self.seal_all()?;
            }
            if let Some(volume) = volumes.iter().find(|volume| volume.poisoned()) {
                return Err(Error::Poisoned(volume.id));
            }
            let heads = self.prepare(&volumes)?;
            let mut prepared = Prepared::new(self, &wanted, &volumes, heads);
            let wanted_so = when(&mut prepared);
            shut = prepared.end(wanted_so);
            if shut.is_none() {
                // Where they had to be swapped in all the same.
                if let Err(error) = self.seal_all() {
                    tracing::warn!(%error, "a layer that was swapped out is sealed later");
                }
                return Err(Error::NoMoment);
            }
        }
        let sealed = self.seal_all();
        if !self.all_there(&wanted)? {
            sealed?;
        }
        Ok(shut)
    }

    /// Whether these checkpoints exist already.
    fn all_there(&self, wanted: &[(VolumeId, CheckpointId)]) -> Result<bool> {
        let meta = self.core.meta();
        let mut there = true;
        for (volume, checkpoint) in wanted {
            match meta.rows.checkpoints.get(checkpoint) {
                Some(row) if row.volume == *volume && !row.retired => {}
                Some(_) => return Err(Error::CheckpointExists(*checkpoint)),
                None => there = false,
            }
        }
        Ok(there)
    }

    /// Makes a head for each volume to go on with, durable and with rows, before anything stops.
    fn prepare(&self, volumes: &[Arc<Volume>]) -> Result<Vec<Arc<Head>>> {
        let core = &self.core;
        let identity = core
            .storage
            .identity()
            .map_err(|source| Error::io("identify", ".", source))?;
        let mut heads = Vec::new();
        let made = (|| {
            for volume in volumes {
                let parent = volume.stack().head.id();
                let layer = core.new_layer();
                let header = LogHeader {
                    layer,
                    parent: Some(parent),
                    volume: volume.id,
                    size: volume.size,
                    initial: 0,
                    identity,
                    remote: None,
                };
                let (file, log) = prepare_head(core, header)?;
                let layer = Arc::new(Layer::open(layer, Maps::default(), Arc::clone(&file)));
                heads.push((
                    parent,
                    Head::new(layer, file, log, Arc::clone(&volume.poison)),
                ));
            }
            sync_layers(core)?;
            core.commit(|rows| {
                let mut changes = Vec::new();
                for (volume, (parent, head)) in volumes.iter().zip(&heads) {
                    let row = LayerRow {
                        parent: Some(*parent),
                        volume: volume.id,
                        size: volume.size,
                        sealed: None,
                        claim: Claim::None,
                    };
                    changes.push(Change::Layer(head.id(), Some(row)));
                }
                let last = heads.iter().map(|(_, head)| head.id().0).max().unwrap_or(0);
                changes.push(Change::LastLayer(rows.last_layer.max(last)));
                Ok((changes, ()))
            })
        })();
        match made {
            Ok(()) => Ok(heads.into_iter().map(|(_, head)| head).collect()),
            // Whether the commit took effect is unknown: rows without files must not be.
            Err(error @ (Error::Database { .. } | Error::CommitInDoubt)) => Err(error),
            Err(error) => {
                for (_, head) in &heads {
                    discard(core, head.id());
                }
                Err(error)
            }
        }
    }

    /// The one moment, and how long it was. Nothing in here waits for a disk. `own_flush`: each volume's next flush is
    /// the hypervisor's own.
    pub(crate) fn swap(
        &self,
        wanted: &[(VolumeId, CheckpointId)],
        volumes: &[Arc<Volume>],
        heads: Vec<Arc<Head>>,
        own_flush: bool,
    ) -> Duration {
        let mut members = Vec::with_capacity(volumes.len());
        let shut = Instant::now();
        let mut gates: Vec<_> = volumes.iter().map(|volume| volume.gate()).collect();
        for (((gate, volume), new), (_, checkpoint)) in
            gates.iter_mut().zip(volumes).zip(heads).zip(wanted)
        {
            let old = Arc::clone(&gate.head);
            old.writers.shut();
            let mut pending = vec![Arc::clone(&old)];
            pending.extend(gate.pending.iter().cloned());
            let mut layers = vec![Arc::clone(&new.layer)];
            layers.extend(gate.layers.iter().cloned());
            members.push(Member {
                volume: Arc::clone(volume),
                old,
                new: new.id(),
                checkpoint: Some(*checkpoint),
            });
            **gate = Arc::new(Stack {
                head: new,
                pending,
                layers,
            });
            if own_flush {
                volume.own_flush.open();
            }
        }
        // Listed before the gates open, so that the order of the list is the order of the swaps.
        lock(&self.swaps).push(Arc::new(Swap(Mutex::new(members))));
        drop(gates);
        shut.elapsed()
    }

    /// Seals what is swapped, in the order of the swaps. One that fails holds up only those of its own volumes.
    pub(crate) fn seal_all(&self) -> Result<()> {
        let _sealing = lock(&self.sealing);
        let mut first = Ok(());
        let mut held_up: Vec<VolumeId> = Vec::new();
        let swaps = lock(&self.swaps).clone();
        for swap in swaps {
            let members = swap.members();
            let blocked = members
                .iter()
                .any(|member| held_up.contains(&member.volume.id));
            let result = if blocked {
                continue;
            } else {
                self.seal(&swap, &members)
            };
            match result {
                Ok(()) => lock(&self.swaps).retain(|other| !Arc::ptr_eq(other, &swap)),
                Err(error) => {
                    held_up.extend(members.iter().map(|member| member.volume.id));
                    first = first.and(Err(error));
                }
            }
        }
        first
    }

    fn seal(&self, swap: &Swap, members: &[Member]) -> Result<()> {
        let core = &self.core;
        for member in members {
            member.old.writers.wait();
            core.with_reserve(|| member.old.sync(core))?;
        }
        for member in members {
            let log = member.old.header();
            let header = MapHeader {
                layer: member.old.id(),
                generation: 1,
                parent: log.parent,
                volume: log.volume,
                size: log.size,
                claim: member.checkpoint.map_or(Claim::None, Claim::Checkpoint),
            };
            // Nobody writes into it any more: these are its blocks for ever.
            write_map(core, &header, &member.old.layer.with_maps(Clone::clone))?;
        }
        sync_layers(core)?;
        // A checkpoint cancelled meanwhile gets no row; the lock is held until the commit has decided that.
        let wanted = lock(&swap.0);
        core.commit(|rows| {
            let mut changes = Vec::new();
            for (member, now) in members.iter().zip(wanted.iter()) {
                let (id, old) = (member.volume.id, member.old.id());
                let lost = || {
                    Error::damaged(
                        "pool.db",
                        0,
                        format!("layer {old} is not the head of volume {id}"),
                    )
                };
                let volume = rows
                    .volumes
                    .get(&id)
                    .filter(|row| row.head == old)
                    .ok_or_else(lost)?;
                let layer = rows.layers.get(&old).ok_or_else(lost)?;
                let claim = member.checkpoint.map_or(Claim::None, Claim::Checkpoint);
                changes.push(Change::Layer(
                    old,
                    Some(LayerRow {
                        sealed: Some(1),
                        claim,
                        ..*layer
                    }),
                ));
                changes.push(Change::Volume(
                    id,
                    Some(VolumeRow {
                        head: member.new,
                        ..*volume
                    }),
                ));
                if let Some(checkpoint) = now.checkpoint {
                    let row = CheckpointRow {
                        volume: id,
                        layer: old,
                        retired: false,
                    };
                    changes.push(Change::Checkpoint(checkpoint, Some(row)));
                }
            }
            Ok((changes, ()))
        })?;
        drop(wanted);
        for member in members {
            member.old.now_sealed(core);
            let mut gate = member.volume.gate();
            let mut stack = Stack::clone(&gate);
            stack.pending.retain(|head| head.id() != member.old.id());
            *gate = Arc::new(stack);
        }
        Ok(())
    }

    /// Takes a volume out of the swaps: it is rolled back or deleted, and its unsealed layers go. The caller holds
    /// `sealing`.
    pub(crate) fn forget_swaps(&self, volume: VolumeId) {
        let mut swaps = lock(&self.swaps);
        for swap in swaps.iter() {
            lock(&swap.0).retain(|member| member.volume.id != volume);
        }
        swaps.retain(|swap| !lock(&swap.0).is_empty());
    }

    /// Cancels a checkpoint that is not sealed yet.
    pub(crate) fn cancel(&self, checkpoint: CheckpointId) {
        for swap in lock(&self.swaps).iter() {
            for member in lock(&swap.0).iter_mut() {
                if member.checkpoint == Some(checkpoint) {
                    member.checkpoint = None;
                }
            }
        }
    }
}
