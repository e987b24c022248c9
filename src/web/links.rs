//! Addresses. Which page, which page of a list and which dialog is open all stand in the URL, so that acts are links.

use crate::domain::id::{SnapshotId, VolumeId};
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
}

impl Dialog {
    /// The value of `dialog=` in the query.
    const fn key(self) -> &'static str {
        match self {
            Self::TakeSnapshot(_) => "snapshot",
            Self::CreateVolume => "create",
            Self::Import => "import",
            Self::Restore(_) => "restore",
            Self::DeleteVolume(_) | Self::DeleteSnapshot(_) => "delete",
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
            _ => None,
        }
    }

    /// The address that opens it above this page of its list.
    pub fn href(self, page: u32) -> String {
        let key = self.key();
        let (path, about) = match self {
            Self::TakeSnapshot(id) | Self::DeleteVolume(id) => (VOLUMES, format!("&volume={id}")),
            Self::CreateVolume | Self::Import => (VOLUMES, String::new()),
            Self::Restore(id) | Self::DeleteSnapshot(id) => (SNAPSHOTS, format!("&snapshot={id}")),
        };
        match page {
            0 | 1 => format!("{path}?dialog={key}{about}"),
            page => format!("{path}?page={page}&dialog={key}{about}"),
        }
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
        for dialog in [Dialog::Restore(snapshot), Dialog::DeleteSnapshot(snapshot)] {
            assert_eq!(Dialog::of_snapshots(&query(&dialog.href(1))), Some(dialog));
        }
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
