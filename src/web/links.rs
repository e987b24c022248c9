//! Addresses. Which page, which page of a list and which dialog is open all stand in the URL, so that acts are links.

use super::erased::{Memo, memo};
use crate::domain::id::{InstanceId, PointId, SnapshotId, TemplateId, VolumeId};
use crate::domain::job::JobKind;
use crate::view::{About, Listing, SeveralAct};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use leptos_router::params::ParamsMap;
use std::str::FromStr;

/// The first page.
pub const HOME: &str = "/";
/// The list of instances.
pub const INSTANCES: &str = "/instances";
/// The list of templates.
pub const TEMPLATES: &str = "/templates";
/// The list of volumes.
pub const VOLUMES: &str = "/volumes";
/// The list of volume snapshots.
pub const SNAPSHOTS: &str = "/snapshots";
/// The activity log.
pub const ACTIVITY: &str = "/activity";
/// The same as a file for spreadsheets.
pub const ACTIVITY_FILE: &str = "/activity.csv";
/// What the two kinds of copies are for.
pub const HELP: &str = "/help/snapshot-or-recovery-point";
/// The recovery kit.
pub const KIT: &str = "/kit";
/// The tasks.
pub const TASKS: &str = "/tasks";
/// Searching across everything.
pub const SEARCH: &str = "/search";
/// How the installation stands, for operators.
pub const ZONES: &str = "/zones";
/// One's own profile.
pub const PROFILE: &str = "/profile";
/// The organization and its members.
pub const ORGANIZATION: &str = "/organization";
/// Where one signs in.
pub const SIGN_IN: &str = "/sign-in";
/// Where a one-time password is replaced.
pub const PASSWORD: &str = "/password";

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

/// The page of an object, or the list with it in it.
pub fn about(about: About, name: &str) -> String {
    match about {
        About::Instance(id) => instance(id),
        About::Volume(id) => volume(id),
        About::Snapshot(id) => snapshot(id),
        About::Template(_) => format!("{TEMPLATES}?find={}", escaped(name)),
        About::Zone(id) => format!("{VOLUMES}?zone={id}"),
    }
}

/// The page on which work and its result are seen: of its object, or the list where that has none or is not there.
pub fn work(kind: JobKind, object: &str) -> String {
    let (list, page) = match kind {
        JobKind::TakeSnapshot | JobKind::DeleteSnapshot | JobKind::VerifySnapshot => {
            (SNAPSHOTS, "")
        }
        JobKind::CreateVolume
        | JobKind::ImportVolume
        | JobKind::DeleteVolume
        | JobKind::RestoreVolume
        | JobKind::FillVolume => (VOLUMES, ""),
        JobKind::CreateInstance
        | JobKind::StartInstance
        | JobKind::StopInstance
        | JobKind::RebootInstance
        | JobKind::DeleteInstance => (INSTANCES, ""),
        JobKind::CreatePoint | JobKind::DeletePoint | JobKind::Rollback => (INSTANCES, "/points"),
        JobKind::CreateTemplate | JobKind::ImportTemplate | JobKind::DeleteTemplate => {
            return TEMPLATES.to_owned();
        }
    };
    if object.is_empty() {
        list.to_owned()
    } else {
        format!("{list}/{object}{page}")
    }
}

/// What of a list belongs to the object with this id.
pub fn of(list: &str, id: &str) -> String {
    format!("{list}?of={id}")
}

/// A volume.
pub fn volume(volume: VolumeId) -> String {
    format!("{VOLUMES}/{volume}")
}

/// A snapshot.
pub fn snapshot(snapshot: SnapshotId) -> String {
    format!("{SNAPSHOTS}/{snapshot}")
}

/// A member of the organization.
#[cfg(feature = "ssr")]
pub fn member(member: crate::domain::id::UserId) -> String {
    format!("{ORGANIZATION}/members/{member}")
}

/// An instance.
pub fn instance(instance: InstanceId) -> String {
    format!("{INSTANCES}/{instance}")
}

/// The volumes of an instance.
pub fn instance_volumes(instance: InstanceId) -> String {
    format!("{INSTANCES}/{instance}/volumes")
}

/// What was done to an instance.
pub fn instance_activity(instance: InstanceId) -> String {
    format!("{INSTANCES}/{instance}/activity")
}

/// What the serial console of an instance wrote: the newest part, or from an offset on.
pub fn serial(instance: InstanceId, from: Option<u64>) -> String {
    match from {
        Some(from) => format!("{INSTANCES}/{instance}/serial?from={from}"),
        None => format!("{INSTANCES}/{instance}/serial"),
    }
}

/// The recovery points of an instance, with the details of one of them.
pub fn points(instance: InstanceId, point: Option<PointId>) -> String {
    match point {
        Some(point) => format!("{INSTANCES}/{instance}/points/{point}"),
        None => format!("{INSTANCES}/{instance}/points"),
    }
}

/// Two states of an instance beside each other; none: the present.
pub fn comparison(instance: InstanceId, from: Option<PointId>, to: Option<PointId>) -> String {
    let told = |point: Option<PointId>| point.map_or_else(|| HERE.to_owned(), |id| id.to_string());
    let all = points(instance, None);
    format!("{all}/compare?from={}&to={}", told(from), told(to))
}

/// The present, where an address names a state of an instance.
pub const HERE: &str = "here";

/// What the table of recovery points is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointsSort {
    /// `taken`, `name`, `holds` or `frees`.
    pub key: &'static str,
    /// Whether the last comes first.
    pub down: bool,
}

impl PointsSort {
    /// What an address says; the newest first where it says nothing that is known.
    pub fn of(sort: &str) -> Self {
        let (down, wanted) = match sort.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, sort),
        };
        let known = ["taken", "name", "holds", "frees"];
        match known.into_iter().find(|key| *key == wanted) {
            Some(key) => Self { key, down },
            None => Self {
                key: "taken",
                down: true,
            },
        }
    }

    /// The address of the table, or of one of its points.
    pub fn on(self, path: &str) -> String {
        let down = if self.down { "-" } else { "" };
        format!("{path}?view=time&sort={down}{}", self.key)
    }
}

/// A list as it is asked for. What is not asked for does not stand in the address.
pub fn list(path: &str, listing: &Listing) -> String {
    let page = match listing.page {
        0 | 1 => String::new(),
        page => page.to_string(),
    };
    let mut address = path.to_owned();
    for (name, value) in [("page", &page)].into_iter().chain(fields(listing)) {
        if !value.is_empty() {
            address.push(if address.contains('?') { '&' } else { '?' });
            address.push_str(&format!("{name}={}", escaped(value)));
        }
    }
    address
}

/// What stands in the address of a list, as the fields of a plain form.
pub fn fields_of(listing: &Listing) -> Vec<(&'static str, String)> {
    let page = (listing.page > 1).then(|| ("page", listing.page.to_string()));
    let rest = fields(listing)
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.clone()));
    page.into_iter().chain(rest).collect()
}

/// The fields of a listing by their names in the query, but for the page.
pub fn fields(listing: &Listing) -> [(&'static str, &String); 10] {
    [
        ("find", &listing.find),
        ("sort", &listing.sort),
        ("state", &listing.state),
        ("zone", &listing.zone),
        ("kind", &listing.kind),
        ("of", &listing.of),
        ("who", &listing.who),
        ("door", &listing.door),
        ("from", &listing.from),
        ("until", &listing.until),
    ]
}

/// What a query asks of a list.
pub fn listing(query: &ParamsMap) -> Listing {
    let field = |name: &str| query.get(name).unwrap_or_default();
    Listing {
        page: query
            .get_str("page")
            .and_then(|page| page.parse().ok())
            .filter(|page| *page > 0)
            .unwrap_or(1),
        find: field("find"),
        sort: field("sort"),
        state: field("state"),
        zone: field("zone"),
        kind: field("kind"),
        of: field("of"),
        who: field("who"),
        door: field("door"),
        from: field("from"),
        until: field("until"),
    }
}

/// `text` as a value in a query (RFC 3986: all but unreserved characters are escaped).
pub fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                value.push(char::from(byte))
            }
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                value.push('%');
                value.push(char::from(HEX[usize::from(byte >> 4)]));
                value.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    value
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
