//! What its owners replace: delete a method here when yours is there; the file goes with the last one.
#![allow(
    missing_docs,
    unused_variables,
    clippy::missing_errors_doc,
    clippy::too_many_arguments
)]
use super::{Caller, Control};
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, PointId, TemplateId, VolumeId, ZoneId};
use crate::view::*;

// (I)
impl Control {
    pub fn list_instances(&self, c: &Caller, page: u32) -> Result<Page<InstanceRow>, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn instance(&self, c: &Caller, id: InstanceId) -> Result<InstanceView, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn create_instance(
        &self,
        c: &Caller,
        name: &str,
        template: TemplateId,
        zone: ZoneId,
        offering: u32,
        start: bool,
    ) -> Result<Started, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn start_instance(&self, c: &Caller, id: InstanceId) -> Result<Started, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn stop_instance(&self, c: &Caller, id: InstanceId, force: bool) -> Result<Started, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn reboot_instance(&self, c: &Caller, id: InstanceId) -> Result<Started, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn instance_deletion(&self, c: &Caller, id: InstanceId) -> Result<InstanceDeletion, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn delete_instance(
        &self,
        c: &Caller,
        id: InstanceId,
        volumes: bool,
    ) -> Result<Started, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn attach_volume(&self, c: &Caller, id: InstanceId, volume: VolumeId) -> Result<(), Fault> {
        Err(Fault::BadRequest)
    }
    pub fn detach_volume(&self, c: &Caller, volume: VolumeId) -> Result<(), Fault> {
        Err(Fault::BadRequest)
    }
    pub fn serial_log(
        &self,
        c: &Caller,
        id: InstanceId,
        from: Option<u64>,
    ) -> Result<SerialView, Fault> {
        Err(Fault::BadRequest)
    }
}

// (P)
impl Control {
    pub fn list_points(&self, c: &Caller, id: InstanceId) -> Result<PointsView, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn point_plan(&self, c: &Caller, id: InstanceId) -> Result<PointPlan, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn create_point(
        &self,
        c: &Caller,
        id: InstanceId,
        name: &str,
        description: &str,
    ) -> Result<Started, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn rename_point(
        &self,
        c: &Caller,
        id: PointId,
        name: &str,
        description: &str,
    ) -> Result<(), Fault> {
        Err(Fault::BadRequest)
    }
    pub fn point_deletion(&self, c: &Caller, id: PointId) -> Result<PointDeletion, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn delete_point(&self, c: &Caller, id: PointId) -> Result<Started, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn rollback_plan(&self, c: &Caller, id: PointId) -> Result<RollbackPlan, Fault> {
        Err(Fault::BadRequest)
    }
    pub fn roll_back(
        &self,
        c: &Caller,
        id: PointId,
        seal: &str,
        safety: bool,
    ) -> Result<Started, Fault> {
        Err(Fault::BadRequest)
    }
}

