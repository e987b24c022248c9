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
