//! Addresses. Which page, which page of a list and which dialog is open ([`dialog`]) all stand in the URL, so that acts
//! are links.

mod dialog;

use crate::domain::id::{InstanceId, PointId, SnapshotId, VolumeId};
use crate::domain::job::{JobKind, Subject};
use crate::view::{About, Listing};
use leptos_router::params::ParamsMap;

pub use dialog::*;

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
    let list = match kind.subject() {
        Subject::Volume => VOLUMES,
        Subject::Snapshot => SNAPSHOTS,
        Subject::Instance => INSTANCES,
        Subject::Template => return TEMPLATES.to_owned(),
    };
    let page = match kind {
        JobKind::CreatePoint | JobKind::DeletePoint | JobKind::Rollback => "/points",
        _ => "",
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

#[cfg(test)]
mod tests;
