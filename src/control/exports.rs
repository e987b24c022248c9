//! The disks of a zone, as `nbd` offers them: volumes by their id, checkpoints of snapshots as `checkpoint/<id>`, and the fences of
//! instances as `fence/<id>`, which are no disks and in no list.

use super::Control;
use super::core::Core;
use super::error::{chain, internal};
use super::guests::FENCE;
use super::zones::Zone;
use crate::catalog::snapshots::Held;
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, InstanceId, VolumeId, ZoneId};
use crate::domain::volume::VolumeState;
use crate::engine::{self, Lease};
use crate::nbd::{Export, Exports, OpenError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// What a zone's NBD socket offers.
pub struct ZoneDoor {
    /// The zone.
    pub id: ZoneId,
    /// Its name.
    pub name: String,
    /// Its disks.
    pub exports: Arc<dyn Exports>,
}

impl Control {
    /// The zones whose pools are open, each with its disks. Asked for once, by who opens the sockets: connections
    /// through two answers would not share a volume.
    #[must_use]
    pub fn zone_doors(&self) -> Vec<ZoneDoor> {
        let open = self
            .core
            .zones
            .0
            .iter()
            .filter(|zone| zone.pool("").is_ok());
        open.map(|zone| ZoneDoor {
            id: zone.id,
            name: zone.name.clone(),
            exports: Arc::new(ZoneExports {
                core: Arc::clone(&self.core),
                zone: Arc::clone(zone),
                leases: Mutex::new(HashMap::new()),
            }),
        })
        .collect()
    }
}

struct ZoneExports {
    core: Arc<Core>,
    zone: Arc<Zone>,
    /// One lease a volume, shared by its connections: it ends when the last of them has.
    leases: Mutex<HashMap<VolumeId, Weak<Lease>>>,
}

const CHECKPOINT: &str = "checkpoint/";
/// A lease whose last connection is ending drains for a moment; a client that reconnects waits that long.
const DRAINS: (u32, Duration) = (100, Duration::from_millis(10));

impl Exports for ZoneExports {
    fn list(&self) -> Vec<String> {
        let volumes = self.core.catalog.volumes_of_zone(self.zone.id);
        let snapshots = self.core.catalog.snapshots_of_zone(self.zone.id);
        let (volumes, snapshots) = match (volumes, snapshots) {
            (Ok(volumes), Ok(snapshots)) => (volumes, snapshots),
            (Err(error), _) | (_, Err(error)) => {
                internal("list a zone's exports", &error);
                return Vec::new();
            }
        };
        let ready = volumes
            .iter()
            .filter(|volume| volume.state == VolumeState::Ready);
        let whole = snapshots
            .iter()
            .filter(|snapshot| snapshot.held == Held::Whole);
        ready
            .map(|volume| volume.id.to_string())
            .chain(whole.map(|snapshot| format!("{CHECKPOINT}{}", snapshot.checkpoint)))
            .collect()
    }

    fn open(&self, name: &str) -> Result<Export, OpenError> {
        if let Some(id) = name.strip_prefix(FENCE) {
            return self.open_fence(id.parse().map_err(|_| OpenError::NotFound)?);
        }
        match name.strip_prefix(CHECKPOINT) {
            Some(id) => self.open_checkpoint(id.parse().map_err(|_| OpenError::NotFound)?),
            None => self.open_volume(name.parse().map_err(|_| OpenError::NotFound)?),
        }
    }

    /// What waits for the object store would wait for it until the end of its patience.
    fn unheard(&self) {
        if let Ok(pool) = self.zone.pool("") {
            pool.stop_waiting();
        }
    }
}

impl ZoneExports {
    fn open_fence(&self, id: InstanceId) -> Result<Export, OpenError> {
        match self.core.catalog.instance(id) {
            Ok(Some(instance)) if instance.zone == self.zone.id => {
                Ok(Export::new(self.core.guests.fence(id).device()))
            }
            Ok(_) => Err(OpenError::NotFound),
            Err(error) => Err(unavailable(&internal("open a fence", &error))),
        }
    }

    fn open_checkpoint(&self, id: CheckpointId) -> Result<Export, OpenError> {
        let pool = self.zone.pool("").map_err(|fault| unavailable(&fault))?;
        match pool.open_checkpoint(id) {
            Ok(device) => Ok(Export {
                multi_conn: true,
                ..Export::new(device)
            }),
            Err(engine::Error::NoCheckpoint(_)) => Err(OpenError::NotFound),
            Err(error) => Err(unavailable(&internal("open a checkpoint", &error))),
        }
    }

    fn open_volume(&self, id: VolumeId) -> Result<Export, OpenError> {
        let volume = self
            .core
            .catalog
            .volume(id)
            .map_err(|error| unavailable(&internal("open an export", &error)))?;
        let volume = volume
            .filter(|volume| volume.zone == self.zone.id)
            .ok_or(OpenError::NotFound)?;
        if volume.state != VolumeState::Ready {
            return Err(OpenError::InUse);
        }
        let pool = self
            .zone
            .pool(&volume.name)
            .map_err(|fault| unavailable(&fault))?;
        let lease = self.share(id, || pool.lease(id))?;
        let description = Some(format!("{} ({})", volume.name, self.zone.name));
        Ok(Export {
            multi_conn: true,
            description,
            ..Export::new(lease)
        })
    }

    /// The lease that others hold already, or a new one.
    fn share(
        &self,
        id: VolumeId,
        lease: impl Fn() -> engine::Result<Arc<Lease>>,
    ) -> Result<Arc<Lease>, OpenError> {
        for _ in 0..DRAINS.0 {
            {
                let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
                let shared = leases.get(&id).and_then(Weak::upgrade);
                // One that a rollback revoked stays with the connections that had it, until they end.
                if let Some(shared) = shared.filter(|lease| !lease.is_revoked()) {
                    return Ok(shared);
                }
                match lease() {
                    Ok(fresh) => {
                        leases.retain(|_, lease| lease.strong_count() > 0);
                        leases.insert(id, Arc::downgrade(&fresh));
                        return Ok(fresh);
                    }
                    Err(engine::Error::InUse(_)) if leases.contains_key(&id) => {}
                    Err(engine::Error::InUse(_)) => return Err(OpenError::InUse),
                    Err(engine::Error::NoVolume(_)) => return Err(OpenError::NotFound),
                    Err(error) => {
                        tracing::error!(volume = %id, error = chain(&error), "a volume cannot be opened");
                        return Err(OpenError::Unavailable(
                            "the volume cannot be opened; the log says why".to_owned(),
                        ));
                    }
                }
            }
            std::thread::sleep(DRAINS.1);
        }
        Err(OpenError::InUse)
    }
}

fn unavailable(fault: &Fault) -> OpenError {
    OpenError::Unavailable(fault.to_string())
}
