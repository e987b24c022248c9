//! Deleting a branch: a recovery point and all that descends from it, in one task. The disks of the instance stay as they
//! are, also where its state descends from the branch; it then descends from the point before.

use super::error::Refusal;
use super::points::{NO_POINT, PointArgs, as_args};
use super::work::Asked;
use super::{Caller, Control};
use crate::catalog;
use crate::catalog::instances::{Instance, instance_of, live_work_on};
use crate::catalog::jobs::is_being_read;
use crate::catalog::points::{Disk, Point, move_point, point_of, points_of_instance};
use crate::domain::fault::Fault;
use crate::domain::id::{OrganizationId, PointId};
use crate::domain::job::JobKind;
use crate::domain::recovery::PointState;
use crate::domain::role::Permission;
use crate::view::{BranchDeletion, Started};
use rusqlite::Transaction;

/// A branch, as it stood at one moment in the catalog.
struct Branch {
    instance: Instance,
    /// The point that it begins with, then those that descend from it.
    points: Vec<(Point, Vec<Disk>)>,
    /// The point before.
    onto: Option<Point>,
}

impl Branch {
    fn load(
        tx: &Transaction<'_>,
        organization: OrganizationId,
        id: PointId,
    ) -> Result<Self, Refusal> {
        let root = point_of(tx, organization, id)?.ok_or(NO_POINT)?;
        let instance = instance_of(tx, organization, root.instance)?.ok_or(NO_POINT)?;
        let mut rest = points_of_instance(tx, root.instance)?;
        let (mut points, mut ids) = (Vec::new(), vec![id]);
        // A child may stand before its parent where clocks went back, so until nothing is added.
        loop {
            let (found, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(point, _)| {
                point.id == id || point.parent.is_some_and(|parent| ids.contains(&parent))
            });
            rest = others;
            if found.is_empty() {
                break;
            }
            ids.extend(found.iter().map(|(point, _)| point.id));
            points.extend(found);
        }
        let onto = rest.into_iter().map(|(point, _)| point);
        let onto = onto.into_iter().find(|point| Some(point.id) == root.parent);
        points.sort_by_key(|(point, _)| point.id != id);
        Ok(Self {
            instance,
            points,
            onto,
        })
    }

    fn holds(&self, id: Option<PointId>) -> bool {
        self.points.iter().any(|(point, _)| Some(point.id) == id)
    }

    /// Why it cannot be deleted now, if so.
    fn refused(&self, tx: &Transaction<'_>) -> Result<Option<Fault>, catalog::Error> {
        let in_use = |name: &str| Fault::InUse {
            name: name.to_owned(),
        };
        if live_work_on(tx, &self.instance.id.to_string())?.is_some() {
            return Ok(Some(in_use(&self.instance.name)));
        }
        for (point, _) in &self.points {
            let read = is_being_read(tx, &point.id.to_string())?;
            if read || point.state != PointState::Ready {
                return Ok(Some(in_use(&point.name)));
            }
        }
        Ok(None)
    }

    /// Stands for what the dialog shows: which points go, and where the instance is.
    fn seal(&self) -> String {
        let mut ids: Vec<String> = self
            .points
            .iter()
            .map(|(point, _)| point.id.to_string())
            .collect();
        ids.sort_unstable();
        ids.extend(self.onto.iter().map(|point| point.id.to_string()));
        let here = [self.instance.current, self.instance.undo];
        ids.push(format!("{here:?}"));
        blake3::hash(ids.join(" ").as_bytes()).to_hex().to_string()
    }
}

impl Control {
    /// What deleting the point and all that descends from it would mean.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn branch_deletion(&self, caller: &Caller, id: PointId) -> Result<BranchDeletion, Fault> {
        let actor = caller.must(Permission::Read)?;
        let (branch, refused) = self.core.look(|tx| {
            let branch = Branch::load(tx, actor.organization, id)?;
            let refused = branch.refused(tx)?;
            Ok((branch, refused))
        })?;
        let all: Vec<(&Point, &[Disk])> = branch
            .points
            .iter()
            .map(|(point, disks)| (point, disks.as_slice()))
            .collect();
        let (root, _) = branch.points.first().ok_or(NO_POINT)?;
        Ok(BranchDeletion {
            name: root.name.clone(),
            kind: root.kind,
            points: u32::try_from(all.len()).unwrap_or(u32::MAX),
            frees: self.frees(&branch.instance, &all)?,
            here: branch.holds(branch.instance.current),
            onto: branch
                .onto
                .as_ref()
                .map(|point| (point.kind, point.name.clone())),
            loses_undo: branch.holds(branch.instance.undo),
            refused,
            seal: branch.seal(),
        })
    }

    /// Deletes the point and all that descends from it. `seal` is the plan's.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::PlanOutdated`] when other points would go than the plan said; [`Fault::InUse`] when
    /// other work is under way on the instance or one of the points.
    pub fn delete_branch(
        &self,
        caller: &Caller,
        id: PointId,
        seal: &str,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let branch = self
            .core
            .look(|tx| Branch::load(tx, actor.organization, id))?;
        let also: Vec<PointId> = branch
            .points
            .iter()
            .skip(1)
            .map(|(point, _)| point.id)
            .collect();
        let (root, _) = branch.points.first().ok_or(NO_POINT)?;
        let mut asked = Asked::new(JobKind::DeletePoint, &branch.instance.id, &root.name);
        asked.also = branch
            .points
            .iter()
            .skip(1)
            .map(|(point, _)| point.name.clone())
            .collect();
        asked.args = as_args(&PointArgs {
            point: id,
            also,
            memory: false,
        })
        .map_err(|error| self.fault(error))?;
        self.begin(caller, actor, &asked, |tx| {
            // Again, in the transaction that begins it: what goes is what was shown, and nothing else.
            let branch = Branch::load(tx, actor.organization, id)?;
            if let Some(fault) = branch.refused(tx)? {
                return Err(fault.into());
            }
            if branch.seal() != seal {
                return Err(Fault::PlanOutdated.into());
            }
            for (point, _) in &branch.points {
                if !move_point(tx, point.id, PointState::Ready, PointState::Deleting)? {
                    return Err(Fault::PlanOutdated.into());
                }
            }
            Ok(())
        })
    }
}
