//! One act on several objects of a list: what it would mean, and setting it going.
//!
//! Each object goes through the very use case that it would go through alone, so that nothing is allowed here that is not
//! allowed there. What may never be true: one that is refused keeps the others from going; an answer tells whether
//! something of another organization exists.

use super::error::{About, Refusal, explain};
use super::instances::{self, act::may_move};
use super::points::{self, kept_by, memory_of};
use super::snapshots::{self, may_take};
use super::verification::may_verify;
use super::volumes::{self, gone_with};
use super::{Caller, Control, templates};
use crate::catalog;
use crate::catalog::instances::{Instance, instance_of};
use crate::catalog::points::{Point, disks_of_point, point_of};
use crate::catalog::snapshots::{Snapshot, snapshot_of};
use crate::catalog::templates::{Template, template_of};
use crate::catalog::volumes::{Volume, volume_of};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{OrganizationId, SnapshotId, ZoneId};
use crate::domain::instance::InstanceEvent;
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::template::TemplateState;
use crate::domain::volume::VolumeState;
use crate::engine::Reference;
use crate::view::{SeveralAct, SeveralObject, SeveralPlan, Started};
use rusqlite::Transaction;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The most objects of one act.
const MOST: usize = 200;

/// What goes from the pools.
type Gone = BTreeMap<ZoneId, Vec<Reference>>;

/// Objects that were found, each with the reason why the act is not possible on it.
type Found<T> = Vec<(T, Option<Fault>)>;

impl Control {
    /// What the act would mean for these objects; `ids` with commas between them, at most 200. One that does not exist is
    /// left out.
    ///
    /// # Errors
    /// [`Fault::BadRequest`] where these are no ids, none or too many; [`Fault::ObjectStoreUnavailable`].
    pub fn plan_several(
        &self,
        caller: &Caller,
        act: SeveralAct,
        ids: &str,
    ) -> Result<SeveralPlan, Fault> {
        let organization = caller.must(Permission::Read)?.organization;
        let mut plan = SeveralPlan {
            act,
            objects: Vec::new(),
            frees: None,
            frees_all: None,
            saves: None,
        };
        match act {
            SeveralAct::TakeSnapshots => {
                let found = self.found(organization, ids, volume_of, |_, volume: &Volume| {
                    may_take(volume)?;
                    self.core.zones.get(volume.zone)?.pool(&volume.name)?;
                    Ok(())
                })?;
                let possible = found.iter().filter(|(_, refused)| refused.is_none());
                // None where one cannot be told.
                plan.saves = possible
                    .map(|(volume, _)| Some(self.snapshot_plan(caller, volume.id).ok()?.to_save.0))
                    .sum::<Option<u64>>()
                    .map(Bytes);
                for (volume, refused) in found {
                    plan.add(volume.id, volume.name, refused, false);
                }
            }
            SeveralAct::DeleteVolumes => {
                let found = self.found(organization, ids, volume_of, |tx, volume: &Volume| {
                    self.not_open(volume)?;
                    volumes::may_delete(tx, volume).map(drop)
                })?;
                let mut gone = Gone::new();
                for (volume, refused) in found {
                    let snapshots = self.ask(self.catalog().snapshots_of_volume(volume.id))?;
                    if refused.is_none() && volume.state == VolumeState::Ready {
                        let with_it = gone_with(&volume, &snapshots);
                        gone.entry(volume.zone).or_default().extend(with_it);
                    }
                    let lost = !snapshots.iter().any(|snapshot| snapshot.state.is_usable());
                    plan.add(volume.id, volume.name, refused, lost);
                }
                plan.will_free(self.freed(&gone)?);
            }
            SeveralAct::VerifySnapshots => {
                for (snapshot, refused) in self.found(organization, ids, snapshot_of, may_verify)? {
                    plan.add(snapshot.id, snapshot.name, refused, false);
                }
            }
            SeveralAct::DeleteSnapshots => {
                let may_delete = |tx: &Transaction<'_>, snapshot: &Snapshot| {
                    snapshots::may_delete(tx, snapshot).map(drop)
                };
                let mut gone = Vec::new();
                for (snapshot, refused) in self.found(organization, ids, snapshot_of, may_delete)? {
                    if refused.is_none() && snapshot.state.is_usable() {
                        gone.push(snapshot.id);
                    }
                    plan.add(snapshot.id, snapshot.name, refused, false);
                }
                plan.will_free(self.freed_in_store(organization, &gone)?);
            }
            SeveralAct::DeleteTemplates => {
                let may_delete = |tx: &Transaction<'_>, template: &Template| {
                    templates::may_delete(tx, template).map(drop)
                };
                let mut gone = Vec::new();
                for (template, refused) in self.found(organization, ids, template_of, may_delete)? {
                    if refused.is_none() && template.state == TemplateState::Ready {
                        gone.push(template.content);
                    }
                    plan.add(template.id, template.name, refused, false);
                }
                plan.will_free(self.freed_in_store(organization, &gone)?);
            }
            SeveralAct::StartInstances => {
                let may_start = |tx: &Transaction<'_>, instance: &Instance| {
                    may_move(tx, instance, InstanceEvent::StartAsked)?;
                    self.may_start(tx, instance)
                };
                for (instance, refused) in self.found(organization, ids, instance_of, may_start)? {
                    plan.add(instance.id, instance.name, refused, false);
                }
            }
            SeveralAct::StopInstances => {
                let may_stop = |tx: &Transaction<'_>, instance: &Instance| {
                    may_move(tx, instance, InstanceEvent::StopAsked).map(drop)
                };
                for (instance, refused) in self.found(organization, ids, instance_of, may_stop)? {
                    plan.add(instance.id, instance.name, refused, false);
                }
            }
            SeveralAct::DeleteInstances => {
                let found =
                    self.found(organization, ids, instance_of, instances::act::may_delete)?;
                let (mut keeping, mut all, mut memory) = (Gone::new(), Gone::new(), 0);
                for (instance, refused) in found {
                    let gone = self.gone_with_instance(&instance)?;
                    if refused.is_none() {
                        let zone = instance.zone;
                        keeping.entry(zone).or_default().extend(gone.keeping);
                        all.entry(zone).or_default().extend(gone.all);
                        memory += gone.memory;
                    }
                    plan.add(instance.id, instance.name, refused, gone.lost);
                }
                plan.frees = Some(Bytes(self.freed(&keeping)? + memory));
                plan.frees_all = Some(Bytes(self.freed(&all)? + memory));
            }
            SeveralAct::DeletePoints => {
                let found = self.found(organization, ids, point_of, points::may_delete)?;
                let (mut gone, mut memory) = (Gone::new(), 0);
                for (point, refused) in found {
                    if refused.is_none() {
                        let (zone, disks) = self.core.look(|tx| {
                            let instance = instance_of(tx, organization, point.instance)?;
                            let zone = instance.map(|instance| instance.zone);
                            Ok((zone, disks_of_point(tx, point.id)?))
                        })?;
                        // It may have gone meanwhile.
                        if let Some(zone) = zone {
                            let with_it = disks.iter().map(kept_by);
                            gone.entry(zone).or_default().extend(with_it);
                        }
                        memory += memory_of(&point);
                    }
                    plan.add(point.id, point.name, refused, false);
                }
                plan.will_free(self.freed(&gone)? + memory);
            }
        }
        Ok(plan)
    }

    /// Sets the act going on all these objects on which it is possible; `ids` with commas between them, at most 200. With
    /// `all`, the volumes of deleted instances go with them. The answer is that of the first, with the number of others.
    ///
    /// # Errors
    /// [`Fault::SeveralRefused`] where it was refused on some, and went on for the others; that of the only one;
    /// [`Fault::NotFound`] where none exists; [`Fault::BadRequest`] where these are no ids, none or too many.
    pub fn several(
        &self,
        caller: &Caller,
        act: SeveralAct,
        ids: &str,
        all: bool,
    ) -> Result<Started, Fault> {
        let organization = caller.must(Permission::Change)?.organization;
        match act {
            SeveralAct::TakeSnapshots | SeveralAct::DeleteVolumes => {
                let found = self.found(organization, ids, volume_of, |_, _| Ok(()))?;
                let named = found
                    .into_iter()
                    .map(|(volume, _)| (volume.id, volume.name));
                if act == SeveralAct::TakeSnapshots {
                    each(named, Noun::Volume, |id| self.take_snapshot(caller, id, ""))
                } else {
                    each(named, Noun::Volume, |id| self.delete_volume(caller, id))
                }
            }
            SeveralAct::VerifySnapshots | SeveralAct::DeleteSnapshots => {
                let found = self.found(organization, ids, snapshot_of, |_, _| Ok(()))?;
                let named = found
                    .into_iter()
                    .map(|(snapshot, _)| (snapshot.id, snapshot.name));
                if act == SeveralAct::VerifySnapshots {
                    each(named, Noun::Snapshot, |id| self.verify_snapshot(caller, id))
                } else {
                    each(named, Noun::Snapshot, |id| self.delete_snapshot(caller, id))
                }
            }
            SeveralAct::DeleteTemplates => {
                let found = self.found(organization, ids, template_of, |_, _| Ok(()))?;
                let named = found
                    .into_iter()
                    .map(|(template, _)| (template.id, template.name));
                each(named, Noun::Template, |id| self.delete_template(caller, id))
            }
            SeveralAct::StartInstances
            | SeveralAct::StopInstances
            | SeveralAct::DeleteInstances => {
                let found = self.found(organization, ids, instance_of, |_, _| Ok(()))?;
                let named = found
                    .into_iter()
                    .map(|(instance, _)| (instance.id, instance.name));
                each(named, Noun::Instance, |id| match act {
                    SeveralAct::StartInstances => self.start_instance(caller, id),
                    SeveralAct::StopInstances => self.stop_instance(caller, id, false),
                    _ => self.delete_instance(caller, id, all),
                })
            }
            SeveralAct::DeletePoints => self.delete_chosen_points(caller, organization, ids),
        }
    }

    /// One piece of work an instance.
    fn delete_chosen_points(
        &self,
        caller: &Caller,
        organization: OrganizationId,
        ids: &str,
    ) -> Result<Started, Fault> {
        let mut tally = Tally::default();
        let mut rest: Vec<Point> = Vec::new();
        for (point, refused) in self.found(organization, ids, point_of, points::may_delete)? {
            match refused {
                None => rest.push(point),
                Some(fault) => tally.add(1, &point.name, Err(fault)),
            }
        }
        while let Some(instance) = rest.first().map(|point| point.instance) {
            let (these, others): (Vec<_>, Vec<_>) = rest
                .into_iter()
                .partition(|point| point.instance == instance);
            rest = others;
            if let [first, more @ ..] = these.as_slice() {
                let count = u32::try_from(these.len()).unwrap_or(u32::MAX);
                tally.add(count, &first.name, self.delete_points(caller, first, more));
            }
        }
        tally.told(Noun::Point)
    }

    /// The organization's objects with these ids, in this order, each with the reason why `check` refuses it.
    fn found<I, T>(
        &self,
        organization: OrganizationId,
        ids: &str,
        find: fn(&Transaction<'_>, OrganizationId, I) -> Result<Option<T>, catalog::Error>,
        check: impl Fn(&Transaction<'_>, &T) -> Result<(), Refusal>,
    ) -> Result<Found<T>, Fault>
    where
        I: FromStr + PartialEq,
    {
        let ids = chosen(ids)?;
        self.core.look(|tx| {
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                let Some(object) = find(tx, organization, id)? else {
                    continue;
                };
                let refused = match check(tx, &object) {
                    Ok(()) => None,
                    Err(Refusal::Fault(fault)) => Some(fault),
                    Err(error) => return Err(error),
                };
                found.push((object, refused));
            }
            Ok(found)
        })
    }

    /// Bytes that are freed in the pools once all of this is gone; what a pool that is not there has, is not counted.
    fn freed(&self, gone: &Gone) -> Result<u64, Fault> {
        let mut bytes = 0;
        for (zone, gone) in gone {
            let zone = self.core.zones.get(*zone)?;
            if let Ok(pool) = zone.pool("") {
                bytes += pool.reclaimable(gone).map_err(|error| {
                    explain("plan a deletion", error.into(), zone.about("")).into_fault()
                })?;
            }
        }
        Ok(bytes)
    }

    /// Bytes that are freed in the object store once all of this is gone.
    fn freed_in_store(
        &self,
        organization: OrganizationId,
        gone: &[SnapshotId],
    ) -> Result<u64, Fault> {
        if gone.is_empty() {
            return Ok(0);
        }
        let archive = self.core.archive.get();
        let freed = archive.and_then(|archive| archive.reclaimable_together(organization, gone));
        freed.map_err(|error| {
            explain("plan a deletion", error.into(), About::default()).into_fault()
        })
    }
}

impl SeveralPlan {
    fn add(&mut self, id: impl ToString, name: String, refused: Option<Fault>, lost: bool) {
        let id = id.to_string();
        self.objects.push(SeveralObject {
            id,
            name,
            refused,
            lost,
        });
    }

    const fn will_free(&mut self, bytes: u64) {
        (self.frees, self.frees_all) = (Some(Bytes(bytes)), Some(Bytes(bytes)));
    }
}

/// The ids that stand in the text, each once.
fn chosen<I: FromStr + PartialEq>(text: &str) -> Result<Vec<I>, Fault> {
    let mut ids = Vec::new();
    for word in text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        let id = word.parse().map_err(|_| Fault::BadRequest)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > MOST {
            return Err(Fault::BadRequest);
        }
    }
    if ids.is_empty() {
        return Err(Fault::BadRequest);
    }
    Ok(ids)
}

/// What became of an act on several objects.
#[derive(Default)]
struct Tally {
    first: Option<Started>,
    started: u32,
    refused: u32,
    reason: Option<(String, Fault)>,
}

impl Tally {
    fn add(&mut self, count: u32, name: &str, answer: Result<Started, Fault>) {
        match answer {
            Ok(started) => {
                self.started += count;
                self.first.get_or_insert(started);
            }
            // It has gone meanwhile, as one that had gone before.
            Err(Fault::NotFound { .. }) => {}
            Err(fault) => {
                self.refused += count;
                self.reason.get_or_insert_with(|| (name.to_owned(), fault));
            }
        }
    }

    fn told(self, what: Noun) -> Result<Started, Fault> {
        match (self.first, self.reason) {
            (Some(first), None) => Ok(Started {
                others: self.started.saturating_sub(1),
                object: if self.started > 1 {
                    String::new()
                } else {
                    first.object
                },
                ..first
            }),
            (None, None) => Err(Fault::NotFound { what }),
            (None, Some((_, fault))) if self.refused == 1 => Err(fault),
            (_, Some((name, reason))) => Err(Fault::SeveralRefused {
                started: self.started,
                refused: self.refused,
                name,
                reason: Box::new(reason),
            }),
        }
    }
}

fn each<I>(
    objects: impl Iterator<Item = (I, String)>,
    what: Noun,
    act: impl Fn(I) -> Result<Started, Fault>,
) -> Result<Started, Fault> {
    let mut tally = Tally::default();
    for (id, name) in objects {
        tally.add(1, &name, act(id));
    }
    tally.told(what)
}
