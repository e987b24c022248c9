//! Where a volume stands in the tree: made, cloned, rolled back, deleted. Each is a new head, a commit, and the files
//! that nothing names any more; no data moves.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::block::BLOCK_SIZE;
use crate::engine::catalog::{Change, CheckpointRow, LayerRow, Rows, VolumeRow};
use crate::engine::checkpoint::{discard, layer_added, prepare_head, sync_layers};
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::format::LayerId;
use crate::engine::inner::{Inner, Slot};
use crate::engine::maps::Claim;
use crate::engine::open::count_room;
use crate::engine::record::LogHeader;
use crate::engine::remote::RemoteId;

/// The largest volume, in bytes: two of them still fit what ext4 and 32-bit block numbers can address.
const LARGEST: u64 = 8 << 40;

impl Inner {
    /// See [`crate::engine::Pool::create_volume`].
    pub(crate) fn create_volume(&self, id: VolumeId, size: u64) -> Result<()> {
        if size == 0 || !size.is_multiple_of(BLOCK_SIZE) || size > LARGEST {
            return Err(Error::BadSize(size));
        }
        let slot = self.slot(id);
        let _admin = lock(&slot.admin);
        if self.is_there(id, size)? {
            Ok(())
        } else {
            self.new_head(id, size, None)
        }
    }

    /// See [`crate::engine::Pool::clone_volume`].
    pub(crate) fn clone_volume(&self, id: VolumeId, from: CheckpointId) -> Result<()> {
        let slot = self.slot(id);
        let _admin = lock(&slot.admin);
        let (_, size) = self.checkpoint_layer(from)?;
        if self.is_there(id, size)? {
            Ok(())
        } else {
            self.new_head(id, size, Some(from))
        }
    }

    /// See [`crate::engine::Pool::create_remote_volume`].
    pub(crate) fn create_remote_volume(
        &self,
        id: VolumeId,
        size: u64,
        source: RemoteId,
        base: Option<CheckpointId>,
    ) -> Result<()> {
        if size == 0 || !size.is_multiple_of(BLOCK_SIZE) || size > LARGEST {
            return Err(Error::BadSize(size));
        }
        let slot = self.slot(id);
        let _admin = lock(&slot.admin);
        if self.is_there(id, size)? {
            return Ok(());
        }
        let core = &self.core;
        let identity = core
            .storage
            .identity()
            .map_err(|source| Error::io("identify", ".", source))?;
        let bottom = core.new_layer();
        let head = core.new_layer();
        let header = LogHeader {
            layer: bottom,
            parent: None,
            volume: id,
            size,
            initial: 0,
            identity,
            remote: Some(source),
        };
        prepare_head(core, header)?;
        let above = LogHeader {
            layer: head,
            parent: Some(bottom),
            remote: None,
            ..header
        };
        let made = prepare_head(core, above)
            .and_then(|_| sync_layers(core))
            .and_then(|()| {
                core.commit(|rows| {
                    if let Some(base) = base
                        && rows.checkpoints.contains_key(&base)
                    {
                        return Err(Error::CheckpointExists(base));
                    }
                    let row = LayerRow {
                        parent: None,
                        volume: id,
                        size,
                        sealed: None,
                        claim: base.map_or(Claim::None, Claim::Boundary),
                    };
                    let on_top = LayerRow {
                        parent: Some(bottom),
                        claim: Claim::None,
                        ..row
                    };
                    let volume = VolumeRow {
                        size,
                        head,
                        poisoned: false,
                    };
                    let mut changes = vec![
                        Change::Layer(bottom, Some(row)),
                        Change::Remote(bottom, Some(source)),
                    ];
                    changes.extend(layer_added(rows, head, on_top));
                    changes.push(Change::Volume(id, Some(volume)));
                    changes.extend(base.map(|base| {
                        let row = CheckpointRow {
                            volume: id,
                            layer: bottom,
                            retired: true,
                        };
                        Change::Checkpoint(base, Some(row))
                    }));
                    Ok((changes, ()))
                })
            });
        match made {
            // Whether it took effect is unknown: a row without files must not be.
            Ok(()) | Err(Error::Database { .. } | Error::CommitInDoubt) => {}
            Err(_) => [head, bottom]
                .into_iter()
                .for_each(|layer| discard(core, layer)),
        }
        made
    }

    /// See [`crate::engine::Pool::rollback`].
    pub(crate) fn rollback(&self, id: VolumeId, to: CheckpointId) -> Result<()> {
        let slot = self.slot(id);
        let _admin = lock(&slot.admin);
        let volume = self.row(id)?.size;
        let (_, checkpoint) = self.checkpoint_layer(to)?;
        if volume != checkpoint {
            return Err(Error::SizeMismatch { volume, checkpoint });
        }
        // Held until the head has moved: nobody gets a lease on what is going.
        let lease = lock(&slot.lease);
        if let Some(lease) = Slot::leased(&lease) {
            lease.revoke();
        }
        let _sealing = lock(&self.sealing);
        let mut open = lock(&slot.open);
        self.new_head(id, volume, Some(to))?;
        *open = None;
        self.forget_swaps(id);
        drop(open);
        self.core.room.restore(&*self.core.storage);
        self.deleted();
        Ok(())
    }

    /// See [`crate::engine::Pool::delete_volume`].
    pub(crate) fn delete_volume(&self, id: VolumeId) -> Result<()> {
        let slot = self.slot(id);
        let _admin = lock(&slot.admin);
        let lease = lock(&slot.lease);
        if Slot::leased(&lease).is_some() {
            return Err(Error::InUse(id));
        }
        let _sealing = lock(&self.sealing);
        let mut open = lock(&slot.open);
        let core = &self.core;
        let gone = core.commit(|rows| {
            if !rows.volumes.contains_key(&id) {
                return Ok((Vec::new(), Vec::new()));
            }
            let gone = open_layers(rows, id);
            let mut changes: Vec<_> = gone
                .iter()
                .map(|layer| Change::Layer(*layer, None))
                .collect();
            changes.push(Change::Volume(id, None));
            Ok((changes, gone))
        })?;
        *open = None;
        self.forget_swaps(id);
        drop(open);
        gone.into_iter().for_each(|layer| discard(core, layer));
        core.room.counted(count_room(core)?);
        core.room.restore(&*core.storage);
        self.deleted();
        Ok(())
    }

    /// Gives the volume a new head on a checkpoint or on nothing; the open layers it had go. The caller holds what
    /// keeps others off the volume.
    fn new_head(&self, id: VolumeId, size: u64, on: Option<CheckpointId>) -> Result<()> {
        let core = &self.core;
        let parent = on
            .map(|on| self.checkpoint_layer(on))
            .transpose()?
            .map(|(layer, _)| layer);
        let identity = core
            .storage
            .identity()
            .map_err(|source| Error::io("identify", ".", source))?;
        let layer = core.new_layer();
        prepare_head(
            core,
            LogHeader {
                layer,
                parent,
                volume: id,
                size,
                initial: 0,
                identity,
                remote: None,
            },
        )?;
        let made = sync_layers(core).and_then(|()| {
            core.commit(|rows| {
                // Deleted since we looked: its data may be going.
                if let Some(on) = on
                    && rows.checkpoints.get(&on).is_none_or(|row| row.retired)
                {
                    return Err(Error::NoCheckpoint(on));
                }
                let gone = open_layers(rows, id);
                let mut changes: Vec<_> = gone
                    .iter()
                    .map(|layer| Change::Layer(*layer, None))
                    .collect();
                let row = LayerRow {
                    parent,
                    volume: id,
                    size,
                    sealed: None,
                    claim: Claim::None,
                };
                changes.extend(layer_added(rows, layer, row));
                changes.push(Change::Volume(
                    id,
                    Some(VolumeRow {
                        size,
                        head: layer,
                        poisoned: false,
                    }),
                ));
                Ok((changes, gone))
            })
        });
        match made {
            Ok(gone) => {
                gone.into_iter().for_each(|layer| discard(core, layer));
                Ok(())
            }
            // Whether it took effect is unknown: a row without files must not be.
            Err(error @ (Error::Database { .. } | Error::CommitInDoubt)) => Err(error),
            Err(error) => {
                discard(core, layer);
                Err(error)
            }
        }
    }

    fn row(&self, id: VolumeId) -> Result<VolumeRow> {
        self.core
            .meta()
            .rows
            .volumes
            .get(&id)
            .copied()
            .ok_or(Error::NoVolume(id))
    }

    fn is_there(&self, id: VolumeId, size: u64) -> Result<bool> {
        match self.core.meta().rows.volumes.get(&id) {
            None => Ok(false),
            Some(row) if row.size == size => Ok(true),
            Some(_) => Err(Error::VolumeExists(id)),
        }
    }

    /// Layer and size of a checkpoint that can be read.
    fn checkpoint_layer(&self, id: CheckpointId) -> Result<(LayerId, u64)> {
        let meta = self.core.meta();
        let row = meta
            .rows
            .checkpoints
            .get(&id)
            .filter(|row| !row.retired)
            .ok_or(Error::NoCheckpoint(id))?;
        let layer = meta
            .rows
            .layers
            .get(&row.layer)
            .ok_or(Error::NoCheckpoint(id))?;
        Ok((row.layer, layer.size))
    }
}

/// The open layers of a volume: its head, and those prepared above it. What still fills below them is not among them:
/// others may stand on it, and reclaim knows.
fn open_layers(rows: &Rows, id: VolumeId) -> Vec<LayerId> {
    rows.layers
        .iter()
        .filter(|(layer, row)| row.volume == id && rows.is_head(**layer))
        .map(|(layer, _)| *layer)
        .collect()
}
