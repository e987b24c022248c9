//! What is done to instances: making, starting, stopping, deleting; attaching volumes.

use super::super::activity::{Logged, log};
use super::super::error::{Error, Refusal};
use super::super::volumes::{not_attached, write_new};
use super::super::work::Asked;
use super::super::{Caller, Control};
use super::NO_INSTANCE;
use crate::catalog::instances::{
    Instance, insert_instance, instance_name_taken, instance_of, live_work_on, move_instance,
};
use crate::catalog::jobs::{close_jobs, is_being_read};
use crate::catalog::points::point_being_read;
use crate::catalog::templates::{Template, template_of};
use crate::catalog::volumes::{
    Volume, disks_of, move_volume, set_attachment, volume_name_taken, volume_of,
};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{InstanceId, OrganizationId, SnapshotId, TemplateId, VolumeId, ZoneId};
use crate::domain::instance::{Hardware, InstanceEvent, InstanceState, MAX_DISKS, OFFERINGS};
use crate::domain::job::JobKind;
use crate::domain::name::{MAX_NAME, checked_name};
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::template::TemplateState;
use crate::domain::volume::{VolumeEvent, VolumeKind, VolumeState};
use crate::view::{Act, Started};
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The disks of a guest that has just ended are released within moments.
const RELEASED: (u32, Duration) = (40, Duration::from_millis(50));

/// What making an instance needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::control) struct CreateArgs {
    /// What it is made from.
    pub template: TemplateId,
    /// Where the object store has that.
    pub content: SnapshotId,
    /// The root volume that it gets.
    pub root: VolumeId,
    /// Whether it is started then.
    pub start: bool,
}

/// An instance to be.
#[derive(Debug, Clone, Copy)]
pub(in crate::control) struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is made from.
    pub template: TemplateId,
    /// Where.
    pub zone: ZoneId,
    /// Counts [`OFFERINGS`] from 0.
    pub offering: u32,
    /// Whether it is started then.
    pub start: bool,
    /// Name and size of its root volume; none: its own name, and the template's size.
    pub root: Option<(&'a str, Bytes)>,
}

/// How an instance is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::control) struct StopArgs {
    /// At once, and not by the power button.
    pub force: bool,
}

impl Control {
    /// Makes an instance from a template, with a root volume of its own, and starts it if that is wanted. `offering`
    /// counts [`OFFERINGS`] from 0.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::InUse`] where the template is not ready; [`Fault::NoOffering`],
    /// [`Fault::PoolFull`], [`Fault::HypervisorMissing`] where it is to be started, those of names.
    pub fn create_instance(
        &self,
        caller: &Caller,
        name: &str,
        template: TemplateId,
        zone: ZoneId,
        offering: u32,
        start: bool,
    ) -> Result<Started, Fault> {
        let wanted = Wanted {
            name,
            template,
            zone,
            offering,
            start,
            root: None,
        };
        self.make_instance(caller, &wanted)
    }

    /// As [`Control::create_instance`], where the root volume may have another name and size than the proposed ones.
    pub(in crate::control) fn make_instance(
        &self,
        caller: &Caller,
        wanted: &Wanted<'_>,
    ) -> Result<Started, Fault> {
        let &Wanted {
            name,
            template,
            zone,
            offering,
            start,
            root: given,
        } = wanted;
        let actor = caller.must(Permission::Change)?;
        // First whether there is such a template: a stranger's mistakes beyond that are not told.
        let template = self
            .core
            .look(|tx| usable_template(tx, actor.organization, template))?;
        let name = checked_name(name)?;
        let zone = self.core.zones.choice(zone)?;
        let offering = usize::try_from(offering).ok();
        let offering = offering.and_then(|at| OFFERINGS.get(at));
        let offering = *offering.ok_or(Fault::NoOffering)?;
        if start {
            self.core.hypervisor()?;
        }
        zone.pool(&name)?;
        let free = zone.free();
        if template.data.is_some_and(|data| data > free) {
            return Err(Fault::PoolFull {
                zone: zone.name.clone(),
                free,
            });
        }
        let instance = Instance {
            id: InstanceId::new(),
            organization: actor.organization,
            zone: zone.id,
            name: name.clone(),
            state: InstanceState::Creating,
            fault: None,
            hardware: Hardware {
                vcpus: offering.vcpus,
                memory: offering.memory,
                machine: String::new(),
                cpu: String::new(),
                qemu: String::new(),
            },
            accelerator: None,
            template_name: template.name.clone(),
            current: None,
            frozen: false,
            undo: None,
            started: None,
            created: self.now_ms(),
        };
        let root = Volume {
            instance: Some(instance.id),
            slot: Some(0),
            ..self.new_volume(
                actor,
                zone,
                given.map_or(&name, |(name, _)| name),
                VolumeKind::Root,
                given.map_or(template.size, |(_, size)| size.max(template.size)),
                VolumeState::Restoring,
            )
        };
        let args = CreateArgs {
            template: template.id,
            content: template.content,
            root: root.id,
            start,
        };
        let mut asked = Asked::new(JobKind::CreateInstance, &instance.id, &name);
        asked.source = Some(template.id.to_string());
        asked.total = template.data;
        asked.args = self.words(&args)?;
        self.begin(caller, actor, &asked, |tx| {
            usable_template(tx, actor.organization, template.id)?;
            if instance_name_taken(tx, actor.organization, &name)? {
                return Err(Fault::NameTaken { name: name.clone() }.into());
            }
            insert_instance(tx, &instance)?;
            let name = if given.is_some() {
                root.name.clone()
            } else {
                free_volume_name(tx, actor.organization, &name)?
            };
            write_new(tx, &Volume { name, ..root })
        })
    }

    /// A job's arguments as they are kept.
    fn words(&self, args: &impl Serialize) -> Result<String, Fault> {
        serde_json::to_string(args).map_err(|source| {
            self.fault(Error::Json {
                what: "a job's arguments",
                source,
            })
        })
    }

    /// Starts the instance.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::MustBeStopped`] where it runs; [`Fault::InUse`] while something works on it, or it
    /// has no root volume that it could start from; [`Fault::HypervisorMissing`].
    pub fn start_instance(&self, caller: &Caller, id: InstanceId) -> Result<Started, Fault> {
        let (kind, event) = (JobKind::StartInstance, InstanceEvent::StartAsked);
        self.moves_on(caller, id, kind, event, "{}".to_owned(), |tx, instance| {
            self.may_start(tx, instance)
        })
    }

    /// Refuses where the instance has nothing to run with, or to start from.
    pub(in crate::control) fn may_start(
        &self,
        tx: &Transaction<'_>,
        instance: &Instance,
    ) -> Result<(), Refusal> {
        self.core.hypervisor()?;
        let disks = disks_of(tx, instance.id)?;
        if disks.is_empty() || disks.iter().any(|disk| disk.state != VolumeState::Ready) {
            return Err(in_use(&instance.name));
        }
        Ok(())
    }

    /// Stops the instance by the power button, with a deadline; with `force`, at once.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::MustBeRunning`]; [`Fault::InUse`] while something works on it.
    pub fn stop_instance(
        &self,
        caller: &Caller,
        id: InstanceId,
        force: bool,
    ) -> Result<Started, Fault> {
        let args = self.words(&StopArgs { force })?;
        let (kind, event) = (JobKind::StopInstance, InstanceEvent::StopAsked);
        self.moves_on(caller, id, kind, event, args, |_, _| Ok(()))
    }

    /// Stops the instance by the power button, with a deadline, and starts it again.
    ///
    /// # Errors
    /// As for [`Control::stop_instance`], and [`Fault::HypervisorMissing`].
    pub fn reboot_instance(&self, caller: &Caller, id: InstanceId) -> Result<Started, Fault> {
        let (kind, event) = (JobKind::RebootInstance, InstanceEvent::StopAsked);
        self.moves_on(caller, id, kind, event, "{}".to_owned(), |_, _| {
            self.core.hypervisor()?;
            Ok(())
        })
    }

    /// Begins work that moves the instance on, where its state allows that and nothing works on it.
    fn moves_on(
        &self,
        caller: &Caller,
        id: InstanceId,
        kind: JobKind,
        event: InstanceEvent,
        args: String,
        intent: impl FnOnce(&Transaction<'_>, &Instance) -> Result<(), Refusal>,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let name = self.instance_of(actor.organization, id)?.name;
        let asked = Asked {
            args,
            ..Asked::new(kind, &id, &name)
        };
        self.begin(caller, actor, &asked, |tx| {
            let instance = instance_of(tx, actor.organization, id)?.ok_or(NO_INSTANCE)?;
            let after = may_move(tx, &instance, event)?;
            intent(tx, &instance)?;
            if !move_instance(tx, id, instance.state, after, None)? {
                return Err(in_use(&instance.name));
            }
            Ok(())
        })
    }

    /// Deletes the stopped instance and its recovery points. Its volumes go only with `volumes`, else they are detached
    /// and stay; one that could never be made goes in any case.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::MustBeStopped`]; [`Fault::InUse`] while something works on it, or on a volume that
    /// is to go with it.
    pub fn delete_instance(
        &self,
        caller: &Caller,
        id: InstanceId,
        volumes: bool,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        self.instance_of(actor.organization, id)?;
        let disks = self.ask(self.catalog().disks_of(id))?;
        let mut ended = Vec::new();
        if volumes {
            // Before anything is ended for it.
            self.core
                .look(|tx| stopped_instance(tx, actor.organization, id))?;
            for disk in &disks {
                self.released(disk)?;
            }
            let going: Vec<_> = disks.iter().map(|disk| disk.id).collect();
            ended = self.end_fills(&going)?;
        }
        let (kind, event) = (JobKind::DeleteInstance, InstanceEvent::DeleteAsked);
        let begun = self.moves_on(caller, id, kind, event, "{}".to_owned(), |tx, _| {
            points_are_free(tx, id)?;
            for disk in disks_of(tx, id)? {
                if !volumes && disk.state == VolumeState::Ready {
                    continue;
                }
                let after = disk
                    .state
                    .next(VolumeEvent::DeleteAsked)
                    .map_err(|_| in_use(&disk.name))?;
                if is_being_read(tx, &disk.id.to_string())?
                    || live_work_on(tx, &disk.id.to_string())?.is_some()
                    || !move_volume(tx, disk.id, disk.state, after, None)?
                {
                    return Err(in_use(&disk.name));
                }
                close_jobs(tx, &disk.id.to_string())?;
            }
            Ok(())
        });
        self.unless_begun(begun, &ended)
    }

    /// Nobody has the volume open; who has just ended is waited for.
    fn released(&self, volume: &Volume) -> Result<(), Fault> {
        let zone = self.core.zones.get(volume.zone)?;
        let Ok(pool) = zone.pool(&volume.name) else {
            return Ok(());
        };
        for _ in 0..RELEASED.0 {
            match pool.volume(volume.id) {
                Ok(Some(info)) if info.leased => std::thread::sleep(RELEASED.1),
                _ => return Ok(()),
            }
        }
        Err(Fault::InUse {
            name: volume.name.clone(),
        })
    }

    /// Attaches a data volume to the stopped instance.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::MustBeStopped`]; [`Fault::InUse`] while something works on the instance or has the
    /// volume open; [`Fault::Attached`], [`Fault::NotAttachable`].
    pub fn attach_volume(
        &self,
        caller: &Caller,
        id: InstanceId,
        volume: VolumeId,
    ) -> Result<(), Fault> {
        let actor = caller.must(Permission::Change)?;
        self.instance_of(actor.organization, id)?;
        let wanted = self.volume_of(actor.organization, volume)?;
        if wanted.instance.is_none() {
            self.released(&wanted)?;
        }
        let now = self.now_ms();
        self.core.transact(|tx| {
            let instance = stopped_instance(tx, actor.organization, id)?;
            let volume = volume_of(tx, actor.organization, volume)?
                .ok_or(Fault::NotFound { what: Noun::Volume })?;
            not_attached(tx, &volume)?;
            let taken = disks_of(tx, id)?;
            let slots = 1..u32::try_from(MAX_DISKS).unwrap_or(u32::MAX);
            let free = slots
                .into_iter()
                .find(|slot| taken.iter().all(|disk| disk.slot != Some(*slot)));
            match free {
                Some(slot)
                    if volume.kind == VolumeKind::Data
                        && volume.state == VolumeState::Ready
                        && volume.zone == instance.zone =>
                {
                    set_attachment(tx, volume.id, Some((id, slot)))?;
                    let about = Logged::Object(volume.id.to_string());
                    log(tx, caller, Act::Attach, &volume.name, about, now)
                }
                _ => Err(Fault::NotAttachable { name: volume.name }.into()),
            }
        })?;
        self.core.work_changed(actor.organization);
        Ok(())
    }

    /// Detaches a data volume from the instance it is attached to, which is stopped. One that is attached to none stays
    /// so.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::MustBeStopped`]; [`Fault::InUse`] while something works on the instance;
    /// [`Fault::NotAttachable`] for a root volume, which stays where it is.
    pub fn detach_volume(&self, caller: &Caller, volume: VolumeId) -> Result<(), Fault> {
        let actor = caller.must(Permission::Change)?;
        let now = self.now_ms();
        self.core.transact(|tx| {
            let volume = volume_of(tx, actor.organization, volume)?
                .ok_or(Fault::NotFound { what: Noun::Volume })?;
            let Some(id) = volume.instance else {
                return Ok(());
            };
            stopped_instance(tx, actor.organization, id)?;
            if volume.slot == Some(0) {
                return Err(Fault::NotAttachable { name: volume.name }.into());
            }
            set_attachment(tx, volume.id, None)?;
            let about = Logged::Object(volume.id.to_string());
            log(tx, caller, Act::Detach, &volume.name, about, now)
        })?;
        self.core.work_changed(actor.organization);
        Ok(())
    }
}

fn in_use(name: &str) -> Refusal {
    Fault::InUse {
        name: name.to_owned(),
    }
    .into()
}

/// The instance, on which nothing works.
fn idle_instance(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: InstanceId,
) -> Result<Instance, Refusal> {
    let instance = instance_of(tx, organization, id)?.ok_or(NO_INSTANCE)?;
    is_idle(tx, &instance)?;
    Ok(instance)
}

fn is_idle(tx: &Transaction<'_>, instance: &Instance) -> Result<(), Refusal> {
    if live_work_on(tx, &instance.id.to_string())?.is_some() {
        return Err(in_use(&instance.name));
    }
    Ok(())
}

/// The state of the instance after the event; refuses where that is not possible now.
pub(in crate::control) fn may_move(
    tx: &Transaction<'_>,
    instance: &Instance,
    event: InstanceEvent,
) -> Result<InstanceState, Refusal> {
    is_idle(tx, instance)?;
    let after = instance.state.next(event);
    after.map_err(|_| wrong_state(instance, event).into())
}

/// The instance can be deleted as far as it and its points go; what has its volumes open is not looked at.
pub(in crate::control) fn may_delete(
    tx: &Transaction<'_>,
    instance: &Instance,
) -> Result<(), Refusal> {
    may_move(tx, instance, InstanceEvent::DeleteAsked)?;
    points_are_free(tx, instance.id)
}

/// Points go with their instance: what is made from one of them is made first.
fn points_are_free(tx: &Transaction<'_>, instance: InstanceId) -> Result<(), Refusal> {
    match point_being_read(tx, instance)? {
        Some(point) => Err(in_use(&point)),
        None => Ok(()),
    }
}

/// The instance, which has no process and on which nothing works.
fn stopped_instance(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: InstanceId,
) -> Result<Instance, Refusal> {
    let instance = idle_instance(tx, organization, id)?;
    match instance.state {
        InstanceState::Stopped | InstanceState::Failed => Ok(instance),
        _ => Err(wrong_state(&instance, InstanceEvent::StartAsked).into()),
    }
}

/// Why the state does not allow it, in words one can act on.
fn wrong_state(instance: &Instance, event: InstanceEvent) -> Fault {
    let name = instance.name.clone();
    match (instance.state, event) {
        (InstanceState::Running, _) => Fault::MustBeStopped { name },
        (InstanceState::Stopped | InstanceState::Failed, InstanceEvent::StopAsked) => {
            Fault::MustBeRunning { name }
        }
        _ => Fault::InUse { name },
    }
}

/// The template, which can be used.
fn usable_template(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: TemplateId,
) -> Result<Template, Refusal> {
    let found = template_of(tx, organization, id)?;
    let template = found.ok_or(Fault::NotFound {
        what: Noun::Template,
    })?;
    if template.state == TemplateState::Ready {
        Ok(template)
    } else {
        Err(in_use(&template.name))
    }
}

/// A name for the root volume: the instance's, with a number when that is taken.
fn free_volume_name(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    instance: &str,
) -> Result<String, Refusal> {
    for number in 1..=u32::MAX {
        let tail = if number == 1 {
            "-root".to_owned()
        } else {
            format!("-root-{number}")
        };
        let room = MAX_NAME.saturating_sub(tail.chars().count());
        let name: String = instance.chars().take(room).chain(tail.chars()).collect();
        let name = checked_name(&name)?;
        if !volume_name_taken(tx, organization, &name)? {
            return Ok(name);
        }
    }
    Err(Fault::NameTaken {
        name: instance.to_owned(),
    }
    .into())
}
