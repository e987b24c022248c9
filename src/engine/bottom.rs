//! The layers that still fill, as an open pool keeps them: opened once for all stacks, synced and closed, made smaller,
//! dropped when nobody needs them, and the sources let go of.

use crate::engine::checkpoint::sync_layers;
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::fetch::Remote;
use crate::engine::format::LayerId;
use crate::engine::head::{Head, Poison};
use crate::engine::inner::Inner;
use crate::engine::layer::Layer;
use crate::engine::log::Log;
use crate::engine::open::{allocated_ranges, blocks_of, punch_outside};
use crate::engine::reclaim::{Look, Tree};
use crate::engine::record::LogHeader;
use crate::engine::remote::RemoteId;
use crate::engine::tree::{Needed, needed};
use roaring::RoaringBitmap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

impl Inner {
    /// The layer with this id, which still fills, as all stacks share it; opened if it was not.
    pub(crate) fn remote_layer(&self, id: LayerId) -> Result<Arc<Remote>> {
        let mut remotes = lock(&self.remotes);
        if let Some(remote) = remotes.get(&id) {
            return Ok(Arc::clone(remote));
        }
        let core = &self.core;
        let gone = || Error::damaged("pool.db", 0, format!("layer {id} is not one that fills"));
        let (row, source) = {
            let meta = core.meta();
            let source = *meta.rows.remotes.get(&id).ok_or_else(gone)?;
            (*meta.rows.layers.get(&id).ok_or_else(gone)?, source)
        };
        let identity = core
            .storage
            .identity()
            .map_err(|source| Error::io("identify", ".", source))?;
        let found = self.find(id, row.volume, row.size, &identity)?;
        if found.parsed.header.remote != Some(source) {
            return Err(Error::damaged(
                id.log(),
                96,
                "the log and pool.db differ about where the blocks come from",
            ));
        }
        let name = id.data();
        let mut keeping = true;
        // What a failed sync left is in doubt for ever; what a mark covers was synced before.
        let mut maps = if found.parsed.poisoned {
            found.parsed.count(false)
        } else {
            found.maps
        };
        if let Err(error) = found.data.sync_data() {
            tracing::error!(file = name, %error, "a sync failed: what was fetched since the last one is fetched again");
            maps = found.parsed.count(false);
            keeping = false;
        }
        // Nothing is ever punched here: a block that should be there and is not was lost, and is absent.
        let there = blocks_of(&allocated_ranges(&name, &*found.data, row.size)?);
        maps.data &= there;
        let log = if keeping {
            let header = LogHeader {
                identity,
                initial: 0,
                ..found.parsed.header
            };
            let log = core.with_reserve(|| {
                let log = Log::write_new(&*core.storage, header, &maps)?;
                log.publish(&*core.storage)?;
                Ok(log)
            })?;
            sync_layers(core)?;
            punch_outside(&name, &*found.data, row.size, &maps.data)?;
            log
        } else {
            Log::frozen(&found.parsed, Arc::clone(&found.log))
        };
        let poison = Arc::new(Poison {
            volume: row.volume,
            set: AtomicBool::new(!keeping),
            of_source: true,
        });
        let remote = Arc::new_cyclic(|remote| {
            let layer = Layer::open(id, maps, Arc::clone(&found.data)).remote_of(remote);
            let head = Head::new(Arc::new(layer), found.data, log, poison);
            Remote::new(source, head, keeping)
        });
        remotes.insert(id, Arc::clone(&remote));
        Ok(remote)
    }

    /// Closes the filling layers that no stack holds, making durable what has come.
    pub(crate) fn close_remotes(&self) {
        lock(&self.remotes).retain(|_, remote| {
            let used = Arc::strong_count(&remote.head.layer) > 1 || Arc::strong_count(remote) > 1;
            used || remote.sync(&self.core).is_err()
        });
    }

    /// Syncs what came in while the pool was open.
    pub(crate) fn sync_remotes(&self) {
        for (id, remote) in lock(&self.remotes).iter() {
            if let Err(error) = remote.sync(&self.core) {
                tracing::warn!(layer = %id, %error, "what was fetched may have to be fetched again");
            }
        }
    }

    /// Lets go of a source. The commit that says so is durable.
    pub(crate) fn release(&self, remote: &Remote) {
        remote.close_source();
        self.release_source(&remote.source);
    }

    pub(crate) fn release_source(&self, source: &RemoteId) {
        let released = self.core.sources().map(|sources| sources.release(source));
        if let Some(Err(error)) = released {
            tracing::warn!(?source, %error, "a source that is not needed any more could not be released");
        }
    }

    /// What came into layers that still fill and is needed by nobody any more. Like what is taken from a sealed layer it
    /// never is again, so no commit has to say it: they are zeros there from now on, which nobody sees.
    pub(crate) fn idle_blocks(
        &self,
        look: &Look,
        tree: &Tree,
        going: impl Fn(LayerId) -> bool,
    ) -> Result<Vec<(Arc<Remote>, RoaringBitmap)>> {
        let mut idle = Vec::new();
        for id in tree.nodes.keys() {
            if !look.rows.remotes.contains_key(id) || going(*id) {
                continue;
            }
            let Some(Needed::Only(only)) = needed(&tree.nodes).remove(id) else {
                continue;
            };
            let remote = self.remote_layer(*id)?;
            let blocks = remote.head.layer.with_maps(|maps| &maps.data - &only);
            if !blocks.is_empty() {
                idle.push((remote, blocks));
            }
        }
        Ok(idle)
    }

    /// Removes a layer that nobody will read any more before it had come wholly, and lets go of its source.
    pub(crate) fn drop_remote(&self, id: LayerId, look: &Look) -> Result<u64> {
        let core = &self.core;
        if let Some(remote) = lock(&self.remotes).remove(&id) {
            remote.close_source();
        }
        let name = id.data();
        let bytes = core.storage.open(&name).and_then(|file| file.allocated());
        for name in [id.log(), name] {
            core.storage
                .unlink(&name)
                .map_err(|source| Error::io("remove", &name, source))?;
        }
        if let Some(source) = look.rows.remotes.get(&id) {
            self.release_source(source);
        }
        Ok(bytes.unwrap_or(0))
    }
}
