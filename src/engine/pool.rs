//! Signatures of the pool (first hour: the bodies follow).
#![allow(missing_docs, unused_variables)]
use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::block::{Allocation, BlockDevice, DeviceError, Extent, ZeroOptions};
use crate::engine::{BlockSet, CheckpointInfo, Error, Finding, PoolOptions, Reclaimed, Reference, Result, Space, VolumeInfo};
use std::path::Path;
use std::sync::Arc;

#[derive(Clone)]
pub struct Pool(());
pub struct Lease(());
pub struct CheckpointDevice(());

const LATER: Error = Error::Unsupported { missing: "it is being written" };

impl Pool {
    pub fn open(dir: &Path, options: PoolOptions) -> Result<Self> { Err(LATER) }
    pub fn create_volume(&self, id: VolumeId, size: u64) -> Result<()> { Err(LATER) }
    pub fn clone_volume(&self, id: VolumeId, from: CheckpointId) -> Result<()> { Err(LATER) }
    pub fn delete_volume(&self, id: VolumeId) -> Result<()> { Err(LATER) }
    pub fn lease(&self, id: VolumeId) -> Result<Arc<Lease>> { Err(LATER) }
    pub fn checkpoint(&self, of: &[(VolumeId, CheckpointId)]) -> Result<()> { Err(LATER) }
    pub fn open_checkpoint(&self, id: CheckpointId) -> Result<Arc<CheckpointDevice>> { Err(LATER) }
    pub fn delete_checkpoint(&self, id: CheckpointId) -> Result<()> { Err(LATER) }
    pub fn retire_checkpoint(&self, id: CheckpointId) -> Result<()> { Err(LATER) }
    pub fn rollback(&self, id: VolumeId, to: CheckpointId) -> Result<()> { Err(LATER) }
    pub fn diff(&self, from: CheckpointId, to: CheckpointId) -> Result<Option<BlockSet>> { Err(LATER) }
    pub fn volume(&self, id: VolumeId) -> Result<Option<VolumeInfo>> { Err(LATER) }
    pub fn volumes(&self) -> Vec<VolumeId> { Vec::new() }
    pub fn checkpoints(&self) -> Vec<CheckpointInfo> { Vec::new() }
    pub fn reclaimable(&self, of: &[Reference]) -> Result<u64> { Err(LATER) }
    pub fn reclaim(&self) -> Result<Reclaimed> { Err(LATER) }
    pub fn space(&self) -> Result<Space> { Err(LATER) }
    pub fn check(&self) -> Result<Vec<Finding>> { Err(LATER) }
    pub fn repair(dir: &Path) -> Result<Vec<Finding>> { Err(LATER) }
}

impl Lease {
    pub fn revoke(&self) {}
}

macro_rules! device {
    ($name:ident) => {
        impl BlockDevice for $name {
            fn size(&self) -> u64 { 0 }
            fn read_only(&self) -> bool { false }
            fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> { Err(LATER.into()) }
            fn write_at(&self, offset: u64, data: &[u8], fua: bool) -> Result<(), DeviceError> { Err(LATER.into()) }
            fn flush(&self) -> Result<(), DeviceError> { Err(LATER.into()) }
            fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DeviceError> { Err(LATER.into()) }
            fn write_zeroes(&self, offset: u64, length: u64, options: ZeroOptions) -> Result<(), DeviceError> { Err(LATER.into()) }
            fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> { Err(LATER.into()) }
        }
    };
}
device!(Lease);
device!(CheckpointDevice);
const _: Allocation = Allocation::Data;
