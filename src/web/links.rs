//! Addresses. Which page, which page of a list and which dialog is open all stand in the URL, so that acts are links.

use crate::domain::id::{InstanceId, PointId, SnapshotId, TemplateId, VolumeId};
use leptos_router::params::ParamsMap;

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
/// What the two kinds of copies are for.
pub const HELP: &str = "/help/snapshot-or-recovery-point";
/// The recovery kit.
pub const KIT: &str = "/kit";
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
    /// *Restaurer l’instance à ce point*
    Rollback(InstanceId, PointId),
    /// *Annuler la restauration*: the same, with a safety point
    Undo(InstanceId, PointId),
}

impl Dialog {
    /// The value of `dialog=` in the query.
    const fn key(self) -> &'static str {
        match self {
            Self::TakeSnapshot(_) => "snapshot",
            Self::CreateVolume => "create",
            Self::Import => "import",
            Self::Restore(_) => "restore",
            Self::DeleteVolume(_)
            | Self::DeleteSnapshot(_)
            | Self::DeleteTemplate(_)
            | Self::DeletePoint(..) => "delete",
            Self::CreateTemplate(_) => "template",
            Self::VerifySnapshot(_) => "verify",
            Self::ImportTemplate => "import",
            Self::CreateInstance => "create",
            Self::CreatePoint(_) => "point",
            Self::Start(_) => "start",
            Self::Stop(_) => "stop",
            Self::ForceStop(_) => "force",
            Self::Reboot(_) => "reboot",
            Self::DeleteInstance(_) => "remove",
            Self::Attach(_) => "attach",
            Self::Detach(..) => "detach",
            Self::RenamePoint(..) => "rename",
            Self::Rollback(..) => "rollback",
            Self::Undo(..) => "undo",
        }
    }

    /// The dialog that a query of the list of volumes names.
    pub fn of_volumes(query: &ParamsMap) -> Option<Self> {
        let volume = || query.get_str("volume").and_then(|id| id.parse().ok());
        match query.get_str("dialog")? {
            "snapshot" => volume().map(Self::TakeSnapshot),
            "delete" => volume().map(Self::DeleteVolume),
            "create" => Some(Self::CreateVolume),
            "import" => Some(Self::Import),
            _ => None,
        }
    }

    /// The dialog that a query of the list of snapshots names.
    pub fn of_snapshots(query: &ParamsMap) -> Option<Self> {
        let snapshot = query.get_str("snapshot").and_then(|id| id.parse().ok())?;
        match query.get_str("dialog")? {
            "restore" => Some(Self::Restore(snapshot)),
            "delete" => Some(Self::DeleteSnapshot(snapshot)),
            "template" => Some(Self::CreateTemplate(snapshot)),
            "verify" => Some(Self::VerifySnapshot(snapshot)),
            _ => None,
        }
    }

    /// The dialog that a query of the list of templates names.
    pub fn of_templates(query: &ParamsMap) -> Option<Self> {
        match query.get_str("dialog")? {
            "import" => Some(Self::ImportTemplate),
            "delete" => query
                .get_str("template")
                .and_then(|id| id.parse().ok())
                .map(Self::DeleteTemplate),
            _ => None,
        }
    }

    /// The dialog that a query of an instance's recovery points names; which point it is about stands in the path.
    pub fn of_points(
        instance: InstanceId,
        point: Option<PointId>,
        query: &ParamsMap,
    ) -> Option<Self> {
        let about =
            |dialog: fn(InstanceId, PointId) -> Self| point.map(|point| dialog(instance, point));
        match query.get_str("dialog")? {
            "rename" => about(Self::RenamePoint),
            "delete" => about(Self::DeletePoint),
            "rollback" => about(Self::Rollback),
            "undo" => about(Self::Undo),
            _ => None,
        }
    }

    /// The dialog that a query of the list of instances names.
    pub fn of_instances(query: &ParamsMap) -> Option<Self> {
        if query.get_str("dialog") == Some("create") {
            return Some(Self::CreateInstance);
        }
        let instance = query.get_str("instance").and_then(|id| id.parse().ok())?;
        Self::of_instance(instance, query)
    }

    /// The dialog about this instance that a query of one of its pages names.
    pub fn of_instance(instance: InstanceId, query: &ParamsMap) -> Option<Self> {
        match query.get_str("dialog")? {
            "start" => Some(Self::Start(instance)),
            "stop" => Some(Self::Stop(instance)),
            "force" => Some(Self::ForceStop(instance)),
            "reboot" => Some(Self::Reboot(instance)),
            "remove" => Some(Self::DeleteInstance(instance)),
            "attach" => Some(Self::Attach(instance)),
            "detach" => query
                .get_str("volume")
                .and_then(|id| id.parse().ok())
                .map(|volume| Self::Detach(instance, volume)),
            "point" => Some(Self::CreatePoint(instance)),
            _ => None,
        }
    }

    /// The address that opens a dialog about an instance above this page: the list of instances, or one of the pages
    /// of the instance itself.
    pub fn above(self, path: &str, page: u32) -> String {
        let key = self.key();
        let mut href = list(path, page);
        href.push(if href.contains('?') { '&' } else { '?' });
        href.push_str("dialog=");
        href.push_str(key);
        let about = match self {
            Self::Start(id)
            | Self::Stop(id)
            | Self::ForceStop(id)
            | Self::Reboot(id)
            | Self::DeleteInstance(id)
            | Self::CreatePoint(id) => Some(id),
            _ => None,
        };
        if let Some(id) = about.filter(|_| path == INSTANCES) {
            href.push_str(&format!("&instance={id}"));
        }
        if let Self::Detach(_, volume) = self {
            href.push_str(&format!("&volume={volume}"));
        }
        href
    }

    /// The address that opens *Créer une instance* with this template chosen.
    pub fn create_from(template: TemplateId) -> String {
        format!("{}&template={template}", Self::CreateInstance.href(1))
    }

    /// The address that opens it above this page of its list.
    pub fn href(self, page: u32) -> String {
        let key = self.key();
        let (path, about) = match self {
            Self::TakeSnapshot(id) | Self::DeleteVolume(id) => (VOLUMES, format!("&volume={id}")),
            Self::CreateVolume | Self::Import => (VOLUMES, String::new()),
            Self::Restore(id)
            | Self::DeleteSnapshot(id)
            | Self::CreateTemplate(id)
            | Self::VerifySnapshot(id) => (SNAPSHOTS, format!("&snapshot={id}")),
            Self::CreateInstance
            | Self::Start(_)
            | Self::Stop(_)
            | Self::ForceStop(_)
            | Self::Reboot(_)
            | Self::DeleteInstance(_) => return self.above(INSTANCES, page),
            Self::Attach(instance) | Self::Detach(instance, _) => {
                return self.above(&instance_volumes(instance), 1);
            }
            Self::ImportTemplate => (TEMPLATES, String::new()),
            Self::DeleteTemplate(id) => (TEMPLATES, format!("&template={id}")),
            Self::CreatePoint(instance) => return self.above(&points(instance, None), 1),
            Self::RenamePoint(instance, point)
            | Self::DeletePoint(instance, point)
            | Self::Rollback(instance, point)
            | Self::Undo(instance, point) => {
                return format!("{}?dialog={key}", points(instance, Some(point)));
            }
        };
        match page {
            0 | 1 => format!("{path}?dialog={key}{about}"),
            page => format!("{path}?page={page}&dialog={key}{about}"),
        }
    }
}

/// An instance.
pub fn instance(instance: InstanceId) -> String {
    format!("{INSTANCES}/{instance}")
}

/// The volumes of an instance.
pub fn instance_volumes(instance: InstanceId) -> String {
    format!("{INSTANCES}/{instance}/volumes")
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

/// A page of a list; the first one has the short address.
pub fn list(path: &str, page: u32) -> String {
    match page {
        0 | 1 => path.to_owned(),
        page => format!("{path}?page={page}"),
    }
}

/// The page of the list that a query asks for.
pub fn page_of(query: &ParamsMap) -> u32 {
    query
        .get_str("page")
        .and_then(|page| page.parse().ok())
        .filter(|page| *page > 0)
        .unwrap_or(1)
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

/// Where a plain form (one sent without scripts) leads after its act was done.
///
/// A form's answer is a redirect to the page it stood on, whose address still names the dialog. This is that address with
/// the dialog taken out and what was done put in, for the page to say so. None where the address names no dialog or
/// carries the form's refusal.
#[must_use]
pub fn after_form(location: &str) -> Option<String> {
    let (path, query) = location.split_once('?')?;
    let pairs = || query.split('&');
    let dialog = pairs().find_map(|pair| pair.strip_prefix("dialog="))?;
    if pairs().any(|pair| pair.starts_with("__err=")) {
        return None;
    }
    // A point that is deleted, or was used to undo a rollback, has no page for long: all points have one.
    let path = match path.rsplit_once("/points/") {
        Some((above, _)) if dialog == "delete" || dialog == "undo" => format!("{above}/points"),
        _ => path.to_owned(),
    };
    let mut rest: Vec<&str> = pairs().filter(|pair| pair.starts_with("page=")).collect();
    let done = format!("done={dialog}");
    rest.push(&done);
    Some(format!("{path}?{}", rest.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_dialog_and_one_object() {
        let volume = VolumeId::from_bytes([7; 16]);
        let snapshot = SnapshotId::from_bytes([9; 16]);
        for dialog in [
            Dialog::TakeSnapshot(volume),
            Dialog::CreateVolume,
            Dialog::Import,
            Dialog::DeleteVolume(volume),
        ] {
            assert_eq!(Dialog::of_volumes(&query(&dialog.href(3))), Some(dialog));
            assert_eq!(page_of(&query(&dialog.href(3))), 3);
        }
        for dialog in [
            Dialog::Restore(snapshot),
            Dialog::DeleteSnapshot(snapshot),
            Dialog::CreateTemplate(snapshot),
            Dialog::VerifySnapshot(snapshot),
        ] {
            assert_eq!(Dialog::of_snapshots(&query(&dialog.href(1))), Some(dialog));
        }
        let template = TemplateId::from_bytes([3; 16]);
        for dialog in [Dialog::ImportTemplate, Dialog::DeleteTemplate(template)] {
            assert_eq!(Dialog::of_templates(&query(&dialog.href(1))), Some(dialog));
        }
        let (instance, point) = (
            InstanceId::from_bytes([4; 16]),
            PointId::from_bytes([5; 16]),
        );
        for dialog in [
            Dialog::RenamePoint(instance, point),
            Dialog::DeletePoint(instance, point),
            Dialog::Rollback(instance, point),
            Dialog::Undo(instance, point),
        ] {
            let href = dialog.href(1);
            assert!(href.starts_with(&points(instance, Some(point))), "{href}");
            assert_eq!(
                Dialog::of_points(instance, Some(point), &query(&href)),
                Some(dialog)
            );
            assert_eq!(Dialog::of_points(instance, None, &query(&href)), None);
        }
        for dialog in [
            Dialog::Start(instance),
            Dialog::Stop(instance),
            Dialog::ForceStop(instance),
            Dialog::Reboot(instance),
            Dialog::DeleteInstance(instance),
            Dialog::CreatePoint(instance),
        ] {
            let href = dialog.above(INSTANCES, 2);
            assert_eq!(Dialog::of_instances(&query(&href)), Some(dialog), "{href}");
            assert_eq!(page_of(&query(&href)), 2);
            let href = dialog.above(&serial(instance, None), 1);
            assert_eq!(
                Dialog::of_instance(instance, &query(&href)),
                Some(dialog),
                "{href}"
            );
        }
        for dialog in [Dialog::Attach(instance), Dialog::Detach(instance, volume)] {
            let href = dialog.href(1);
            assert!(href.starts_with(&instance_volumes(instance)), "{href}");
            assert_eq!(
                Dialog::of_instance(instance, &query(&href)),
                Some(dialog),
                "{href}"
            );
        }
        assert_eq!(
            Dialog::of_instances(&query(&Dialog::CreateInstance.href(1))),
            Some(Dialog::CreateInstance)
        );
        let create = Dialog::CreatePoint(instance);
        assert_eq!(
            Dialog::of_instance(instance, &query(&create.href(1))),
            Some(create)
        );
        for wrong in [
            "/volumes?dialog=snapshot",
            "/volumes?dialog=delete&volume=../x",
            "/volumes?dialog=restore",
            "/volumes",
        ] {
            assert_eq!(Dialog::of_volumes(&query(wrong)), None, "{wrong}");
        }
        for page in ["/volumes?page=0", "/volumes?page=-1", "/volumes?page=x"] {
            assert_eq!(page_of(&query(page)), 1, "{page}");
        }
    }

    #[test]
    fn a_plain_form_closes_its_dialog_and_says_what_was_done() {
        assert_eq!(
            after_form("http://h/volumes?page=2&dialog=snapshot&volume=1").as_deref(),
            Some("http://h/volumes?page=2&done=snapshot")
        );
        assert_eq!(
            after_form("http://h/volumes?dialog=snapshot&volume=1&__path=x&__err=y"),
            None
        );
        for (dialog, leads) in [
            ("delete", "/points?done=delete"),
            ("undo", "/points?done=undo"),
            ("rename", "/points/p?done=rename"),
            ("rollback", "/points/p?done=rollback"),
        ] {
            let form = format!("http://h/instances/i/points/p?dialog={dialog}");
            let there = format!("http://h/instances/i{leads}");
            assert_eq!(after_form(&form), Some(there));
        }
        assert_eq!(after_form("http://h/volumes?page=2"), None);
        assert_eq!(after_form("http://h/volumes"), None);
    }

    #[test]
    fn values_are_escaped() {
        assert_eq!(escaped("/volumes?a=é b"), "%2Fvolumes%3Fa%3D%C3%A9%20b");
    }

    fn query(address: &str) -> ParamsMap {
        let mut map = ParamsMap::new();
        for (key, value) in address
            .split_once('?')
            .map_or("", |(_, query)| query)
            .split('&')
            .filter_map(|pair| pair.split_once('='))
        {
            map.insert(key.to_owned(), value.to_owned());
        }
        map
    }
}
