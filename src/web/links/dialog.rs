//! Which dialog is open above a page, and what it is about, in the page's address: an act is a link, and a form that was
//! sent without scripts finds its way back. What may never be true: two dialogs with one key.

use super::{INSTANCES, SNAPSHOTS, VOLUMES, instance, points, snapshot, volume};
use crate::domain::id::{InstanceId, PointId, SnapshotId, TemplateId, VolumeId};
use crate::view::SeveralAct;
use crate::web::erased::{Memo, memo};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use leptos_router::params::ParamsMap;
use std::str::FromStr;

/// A dialog, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialog {
    /// *Prendre une copie instantanée*
    TakeSnapshot(VolumeId),
    /// *Créer un volume*
    CreateVolume,
    /// *Importer une image disque*
    Import,
    /// *Supprimer un volume*
    DeleteVolume(VolumeId),
    /// *Créer un volume de données*
    Restore(SnapshotId),
    /// *Supprimer une copie instantanée*
    DeleteSnapshot(SnapshotId),
    /// *Créer un modèle*
    CreateTemplate(SnapshotId),
    /// *Vérifier*
    VerifySnapshot(SnapshotId),
    /// *Importer un modèle*
    ImportTemplate,
    /// *Supprimer un modèle*
    DeleteTemplate(TemplateId),
    /// *Créer une instance*
    CreateInstance,
    /// *Démarrer*
    Start(InstanceId),
    /// *Arrêter*
    Stop(InstanceId),
    /// *Forcer l’arrêt*
    ForceStop(InstanceId),
    /// *Redémarrer*
    Reboot(InstanceId),
    /// *Supprimer une instance*
    DeleteInstance(InstanceId),
    /// *Rattacher un volume*
    Attach(InstanceId),
    /// *Détacher un volume*
    Detach(InstanceId, VolumeId),
    /// *Créer un point de reprise*
    CreatePoint(InstanceId),
    /// *Renommer le point de reprise*
    RenamePoint(InstanceId, PointId),
    /// *Supprimer un point de reprise*
    DeletePoint(InstanceId, PointId),
    /// *Supprimer la branche*: a point and all that descends from it
    DeleteBranch(InstanceId, PointId),
    /// *Créer un volume de données* from a point's disk
    VolumeFromPoint(InstanceId, PointId),
    /// *Créer un modèle* of a point's root volume
    TemplateFromPoint(InstanceId, PointId),
    /// *Restaurer l’instance à ce point*
    Rollback(InstanceId, PointId),
    /// *Annuler la restauration*: the same, with a safety point
    Undo(InstanceId, PointId),
    /// One act on all the objects that the address names
    Several(SeveralAct),
}

impl Dialog {
    /// The value of `dialog=` in the query, one of its own for each dialog.
    pub const fn key(self) -> &'static str {
        match self {
            Self::TakeSnapshot(_) => "take-snapshot",
            Self::CreateVolume => "create-volume",
            Self::Import => "import-volume",
            Self::DeleteVolume(_) => "delete-volume",
            Self::Restore(_) => "restore",
            Self::DeleteSnapshot(_) => "delete-snapshot",
            Self::CreateTemplate(_) => "create-template",
            Self::VerifySnapshot(_) => "verify",
            Self::ImportTemplate => "import-template",
            Self::DeleteTemplate(_) => "delete-template",
            Self::CreateInstance => "create-instance",
            Self::Start(_) => "start",
            Self::Stop(_) => "stop",
            Self::ForceStop(_) => "force-stop",
            Self::Reboot(_) => "reboot",
            Self::DeleteInstance(_) => "delete-instance",
            Self::Attach(_) => "attach",
            Self::Detach(..) => "detach",
            Self::CreatePoint(_) => "create-point",
            Self::RenamePoint(..) => "rename-point",
            Self::DeletePoint(..) => "delete-point",
            Self::DeleteBranch(..) => "delete-branch",
            Self::VolumeFromPoint(..) => "volume-from-point",
            Self::TemplateFromPoint(..) => "template-from-point",
            Self::Rollback(..) => "rollback",
            Self::Undo(..) => "undo",
            Self::Several(act) => several_key(act),
        }
    }

    /// The dialog that a query names; `get` finds all values of a field. An act that can be done to several objects and is
    /// asked for of several is one dialog about all of them.
    fn named(get: &dyn Fn(&str) -> Vec<String>) -> Option<Self> {
        fn id<T: FromStr>(get: &dyn Fn(&str) -> Vec<String>, noun: &str) -> Option<T> {
            get(noun).first()?.parse().ok()
        }
        let key = get("dialog").into_iter().next()?;
        if let Some((act, _)) = SEVERAL
            .into_iter()
            .find(|(act, noun)| several_key(*act) == key && get(noun).len() > 1)
        {
            return Some(Self::Several(act));
        }
        let instance = || id(get, "instance");
        let both = |dialog: fn(InstanceId, PointId) -> Self| {
            Some(dialog(id(get, "instance")?, id(get, "point")?))
        };
        match key.as_str() {
            "take-snapshot" => id(get, "volume").map(Self::TakeSnapshot),
            "create-volume" => Some(Self::CreateVolume),
            "import-volume" => Some(Self::Import),
            "delete-volume" => id(get, "volume").map(Self::DeleteVolume),
            "restore" => id(get, "snapshot").map(Self::Restore),
            "delete-snapshot" => id(get, "snapshot").map(Self::DeleteSnapshot),
            "create-template" => id(get, "snapshot").map(Self::CreateTemplate),
            "verify" => id(get, "snapshot").map(Self::VerifySnapshot),
            "import-template" => Some(Self::ImportTemplate),
            "delete-template" => id(get, "template").map(Self::DeleteTemplate),
            "create-instance" => Some(Self::CreateInstance),
            "start" => instance().map(Self::Start),
            "stop" => instance().map(Self::Stop),
            "force-stop" => instance().map(Self::ForceStop),
            "reboot" => instance().map(Self::Reboot),
            "delete-instance" => instance().map(Self::DeleteInstance),
            "attach" => instance().map(Self::Attach),
            "detach" => Some(Self::Detach(id(get, "instance")?, id(get, "volume")?)),
            "create-point" => instance().map(Self::CreatePoint),
            "rename-point" => both(Self::RenamePoint),
            "delete-point" => both(Self::DeletePoint),
            "delete-branch" => both(Self::DeleteBranch),
            "volume-from-point" => both(Self::VolumeFromPoint),
            "template-from-point" => both(Self::TemplateFromPoint),
            "rollback" => both(Self::Rollback),
            "undo" => both(Self::Undo),
            _ => None,
        }
    }

    /// The dialog that the query of a page names.
    pub fn of(query: &ParamsMap) -> Option<Self> {
        Self::named(&|name| query.get_all(name).unwrap_or_default())
    }

    /// The address that opens it above the page `here` ([`use_here`]).
    pub fn on(self, here: &str) -> String {
        let mut href = opened(here, self.key());
        let mut about = |noun: &str, id: String| {
            href.push_str(&format!("&{noun}={id}"));
        };
        match self {
            Self::TakeSnapshot(id) | Self::DeleteVolume(id) => about("volume", id.to_string()),
            Self::Restore(id)
            | Self::DeleteSnapshot(id)
            | Self::CreateTemplate(id)
            | Self::VerifySnapshot(id) => about("snapshot", id.to_string()),
            Self::DeleteTemplate(id) => about("template", id.to_string()),
            Self::Start(id)
            | Self::Stop(id)
            | Self::ForceStop(id)
            | Self::Reboot(id)
            | Self::DeleteInstance(id)
            | Self::Attach(id)
            | Self::CreatePoint(id) => about("instance", id.to_string()),
            Self::Detach(instance, volume) => {
                about("instance", instance.to_string());
                about("volume", volume.to_string());
            }
            Self::RenamePoint(instance, point)
            | Self::DeletePoint(instance, point)
            | Self::DeleteBranch(instance, point)
            | Self::VolumeFromPoint(instance, point)
            | Self::TemplateFromPoint(instance, point)
            | Self::Rollback(instance, point)
            | Self::Undo(instance, point) => {
                about("instance", instance.to_string());
                about("point", point.to_string());
            }
            Self::CreateVolume
            | Self::Import
            | Self::ImportTemplate
            | Self::CreateInstance
            | Self::Several(_) => {}
        }
        href
    }

    /// The address that opens *Créer une instance* with this template chosen.
    pub fn create_from(template: TemplateId, here: &str) -> String {
        format!("{}&template={template}", Self::CreateInstance.on(here))
    }

    /// The page to be on once its act was done above `here`: the same, unless that is a page of what is then gone.
    pub fn after(self, here: &str) -> String {
        let path = here.split('?').next().unwrap_or(here);
        let (page, then) = match self {
            Self::DeleteVolume(id) => (volume(id), VOLUMES.to_owned()),
            Self::DeleteSnapshot(id) => (snapshot(id), SNAPSHOTS.to_owned()),
            Self::DeleteInstance(id) => (instance(id), INSTANCES.to_owned()),
            // A safety point that was used to undo a rollback does not stay for long.
            Self::DeletePoint(instance, point)
            | Self::DeleteBranch(instance, point)
            | Self::Undo(instance, point) => {
                (points(instance, Some(point)), points(instance, None))
            }
            _ => return here.to_owned(),
        };
        match path.strip_prefix(&page) {
            Some("") => then,
            Some(below) if below.starts_with('/') => then,
            _ => here.to_owned(),
        }
    }
}

/// The acts that several objects can be chosen for, and the field that their ids stand in.
const SEVERAL: [(SeveralAct, &str); 9] = [
    (SeveralAct::TakeSnapshots, "volume"),
    (SeveralAct::DeleteVolumes, "volume"),
    (SeveralAct::VerifySnapshots, "snapshot"),
    (SeveralAct::DeleteSnapshots, "snapshot"),
    (SeveralAct::DeleteTemplates, "template"),
    (SeveralAct::StartInstances, "instance"),
    (SeveralAct::StopInstances, "instance"),
    (SeveralAct::DeleteInstances, "instance"),
    (SeveralAct::DeletePoints, "point"),
];

/// The same as that of the dialog about one of them.
const fn several_key(act: SeveralAct) -> &'static str {
    match act {
        SeveralAct::TakeSnapshots => "take-snapshot",
        SeveralAct::DeleteVolumes => "delete-volume",
        SeveralAct::VerifySnapshots => "verify",
        SeveralAct::DeleteSnapshots => "delete-snapshot",
        SeveralAct::DeleteTemplates => "delete-template",
        SeveralAct::StartInstances => "start",
        SeveralAct::StopInstances => "stop",
        SeveralAct::DeleteInstances => "delete-instance",
        SeveralAct::DeletePoints => "delete-point",
    }
}

/// The field that the ids of the objects stand in.
pub fn several_noun(act: SeveralAct) -> &'static str {
    SEVERAL
        .into_iter()
        .find_map(|(known, noun)| (known == act).then_some(noun))
        .unwrap_or_default()
}

/// The address that opens the dialog of an act on all of these above `here`.
pub fn on_several(act: SeveralAct, ids: &[String], here: &str) -> String {
    let noun = several_noun(act);
    let mut href = opened(here, several_key(act));
    for id in ids {
        href.push_str(&format!("&{noun}={id}"));
    }
    href
}

fn opened(here: &str, key: &str) -> String {
    let join = if here.contains('?') { '&' } else { '?' };
    format!("{here}{join}dialog={key}")
}

/// What in a query belongs to the dialog and not to the page below it, or was said once.
fn of_dialog(pair: &str) -> bool {
    matches!(
        pair.split('=').next().unwrap_or_default(),
        "dialog"
            | "volume"
            | "snapshot"
            | "template"
            | "instance"
            | "point"
            | "done"
            | "fault"
            | "kept"
            | "__err"
            | "__path"
    )
}

/// The address of a page without the dialog above it.
pub fn below(path: &str, query: &str) -> String {
    let mut address = path.to_owned();
    let pairs = query.trim_start_matches('?').split('&');
    let mut join = '?';
    for pair in pairs.filter(|pair| !pair.is_empty() && !of_dialog(pair)) {
        address.push(join);
        address.push_str(pair);
        join = '&';
    }
    address
}

/// The address of this page without the dialog above it; it follows the page.
pub fn use_here() -> Memo<String> {
    let location = use_location();
    memo(move |_| {
        location
            .pathname
            .with(|path| location.search.with(|query| below(path, query)))
    })
}

/// Whether a form that was sent without scripts comes back with its refusal.
pub fn was_refused(location: &str) -> bool {
    let query = location.split_once('?').map(|(_, query)| query);
    query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("__err=")))
}

/// Where a plain form (one sent without scripts) leads after its act was done.
///
/// A form's answer is a redirect to the page it stood on, whose address still names the dialog. This is that address with
/// the dialog taken out and what was done put in, for the page to say so. None where the address names no dialog or
/// carries the form's refusal.
#[must_use]
pub fn after_form(location: &str) -> Option<String> {
    let (path, query) = location.split_once('?')?;
    let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
    if was_refused(location) {
        return None;
    }
    let all = |name: &str| {
        let of = pairs().filter(|(known, _)| *known == name);
        of.map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    let dialog = Dialog::named(&all)?;
    // The address may be a whole one; pages are compared by their paths.
    let origin = match path.split_once("://") {
        Some((_, rest)) => path.len() - rest.len() + rest.find('/').unwrap_or(rest.len()),
        None => 0,
    };
    let (origin, path) = path.split_at(origin);
    let then = dialog.after(&below(path, query));
    let done = match dialog {
        Dialog::Several(_) => "several",
        one => one.key(),
    };
    let join = if then.contains('?') { '&' } else { '?' };
    Some(format!("{origin}{then}{join}done={done}"))
}

#[cfg(test)]
mod tests;
