//! Recovery points that go by themselves: safety points after seven days, and those whose work was lost.

use super::core::Core;
use super::error::Error;
use super::points::{PointArgs, as_args};
use crate::catalog::instances::live_work_on;
use crate::catalog::jobs::{NewJob, insert_job};
use crate::catalog::points::{Point, move_point, point_being_read};
use crate::domain::id::JobId;
use crate::domain::job::JobKind;
use crate::domain::recovery::PointState;

impl Core {
    /// Has the points deleted that are to go: one piece of work for each instance that nothing works on. Those of the
    /// others come with a later call. Tells how many points go.
    pub fn remove_old_points(&self) -> Result<usize, Error> {
        let mut rest = self.catalog.points_to_remove(self.now())?;
        let mut count = 0;
        while let Some(instance) = rest.first().map(|point| point.instance) {
            let (these, others) = rest
                .into_iter()
                .partition(|point| point.instance == instance);
            rest = others;
            count += self.remove_points(&these)?;
        }
        Ok(count)
    }

    /// Points of one instance.
    fn remove_points(&self, points: &[Point]) -> Result<usize, Error> {
        let [first, others @ ..] = points else {
            return Ok(0);
        };
        let args = as_args(&PointArgs {
            point: first.id,
            also: others.iter().map(|point| point.id).collect(),
            memory: false,
        })?;
        let job = NewJob {
            id: JobId::new(),
            organization: first.organization,
            kind: JobKind::DeletePoint,
            subject: first.instance.to_string(),
            subject_name: &first.name,
            source: None,
            args,
            total: None,
            asked_by: None,
        };
        let begun = self.catalog.write(|tx| {
            // Somebody may have begun something since we looked; what is made from a point is made first.
            if live_work_on(tx, &job.subject)?.is_some()
                || point_being_read(tx, first.instance)?.is_some()
            {
                return Ok(false);
            }
            for point in points {
                if point.state != PointState::Deleting {
                    move_point(tx, point.id, point.state, PointState::Deleting)?;
                }
            }
            insert_job(tx, &job, self.now()).map(|()| true)
        });
        if !begun.map_err(|error: crate::catalog::Error| Error::from(error))? {
            return Ok(0);
        }
        for point in points {
            tracing::info!(point = %point.id, state = ?point.state, "a recovery point goes by itself");
        }
        self.work_changed(first.organization);
        Ok(points.len())
    }
}
