//! One volume, one snapshot, and the first page: what is here, what is happening, what needs attention.

use super::{ActivityRow, InstanceLink, JobView, SnapshotRow, VolumeRow};
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, SnapshotId, TemplateId, VolumeId, ZoneId};
use crate::domain::instance::InstanceState;
use crate::domain::moment::Moment;
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::template::TemplateState;
use crate::domain::volume::VolumeState;
use serde::{Deserialize, Serialize};

/// One volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeView {
    /// As in the list.
    pub row: VolumeRow,
    /// What it was made from.
    pub made: Made,
    /// Its place among the disks of its instance; 0 is the root volume.
    pub slot: Option<u32>,
    /// Instances of its zone that it can be attached to now, by name; at most 50. None for one that is attached, or cannot be.
    pub attachable: Vec<InstanceLink>,
    /// Its newest snapshots, newest first.
    pub snapshots: Vec<KeptSnapshot>,
    /// How many snapshots of it there are in all.
    pub snapshots_total: u32,
    /// What of it is in no snapshot yet; none where that cannot be told.
    pub unsaved: Option<Unsaved>,
    /// Bytes that its deletion frees in its zone; none where that cannot be told.
    pub exclusive: Option<Bytes>,
    /// Whether something has it open now, an instance as a rule.
    pub in_use: bool,
    /// What was done to it lately.
    pub activity: Vec<ActivityRow>,
}

/// What a volume was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    /// Nothing: it was empty.
    Empty,
    /// A disk image that a member sent.
    Image,
    /// A snapshot; none where that is gone.
    Snapshot(Option<SnapshotLink>),
    /// A template, by its name; none where nobody knows it any more.
    Template(Option<String>),
    /// Nothing that is known: it came back from a recovery point, or it is from a time when that was not written down.
    Unknown,
}

/// A snapshot, as far as another object names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotLink {
    /// Its id.
    pub id: SnapshotId,
    /// Its name.
    pub name: String,
}

/// A snapshot of the volume that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSnapshot {
    /// As in the list.
    pub row: SnapshotRow,
    /// Bytes that had to be sent for it; none until it is saved, and where another server took it.
    pub stored: Option<Bytes>,
}

/// What of a volume is in no snapshot yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsaved {
    /// Bytes that the next snapshot has to read.
    pub bytes: Bytes,
    /// When the snapshot was taken that they are counted from.
    pub since: Option<Moment>,
    /// Whether they are counted from what the volume was made from. Neither: they are all that it holds.
    pub on_origin: bool,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotView {
    /// As in the list.
    pub row: SnapshotRow,
    /// The volume it was taken of, under its present name, while that is there.
    pub volume: Option<VolumeLink>,
    /// Bytes that had to be sent for it; none until it is saved, and where another server took it.
    pub stored: Option<Bytes>,
    /// When it will be read again by itself; none: never.
    pub next_check: Option<Moment>,
    /// The zones of the region, and whether there is room in each for what it holds.
    pub zones: Vec<(String, bool)>,
    /// The names of templates that were made from it.
    pub templates: Vec<String>,
    /// Volumes that were made from it, newest first; at most 50.
    pub volumes: Vec<VolumeLink>,
    /// What was done to it lately.
    pub activity: Vec<ActivityRow>,
}

/// A volume, as far as another object names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeLink {
    /// Its id.
    pub id: VolumeId,
    /// Its name.
    pub name: String,
    /// The zone's name.
    pub zone: String,
    /// Whether some of its data is in the object store only.
    pub filling: bool,
}

/// The first page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeView {
    /// How many instances there are, by state.
    pub instances: Vec<(InstanceState, u32)>,
    /// How many volumes there are, by state.
    pub volumes: Vec<(VolumeState, u32)>,
    /// How many snapshots there are, by state.
    pub snapshots: Vec<(SnapshotState, u32)>,
    /// How many templates there are, by state.
    pub templates: Vec<(TemplateState, u32)>,
    /// The work that goes on, oldest first.
    pub jobs: Vec<JobView>,
    /// What needs attention, the most urgent first.
    pub needs: Vec<Need>,
    /// What was done lately, newest first.
    pub activity: Vec<ActivityRow>,
}

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// What.
    pub what: NeedKind,
    /// What it is about; none where it is about several things or about none.
    pub about: Option<About>,
    /// Its name.
    pub name: String,
    /// Why, where there is a reason.
    pub fault: Option<Fault>,
    /// The work that failed or was interrupted, where it can be tried again.
    pub job: Option<JobView>,
    /// How much: written and in no snapshot, or free in a zone.
    pub bytes: Bytes,
    /// Since when.
    pub since: Option<Moment>,
    /// How many things it is about.
    pub count: u32,
}

/// What needs attention, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedKind {
    /// A zone's pool cannot be used.
    ZoneClosed,
    /// A zone's pool is almost full.
    ZoneFull,
    /// An instance is in error.
    InstanceFailed,
    /// A volume could not be made.
    VolumeFailed,
    /// The data of a volume does not come any more.
    VolumeNotFilling,
    /// A snapshot is not in the object store, or is damaged there.
    SnapshotFailed,
    /// A template could not be made.
    TemplateFailed,
    /// The recovery kit was not saved.
    KitDue,
    /// A volume of which there is no snapshot.
    NoSnapshot,
    /// A volume of which much was written since its last snapshot.
    MuchUnsaved,
    /// Snapshots that were never read again.
    NeverVerified,
}

/// An object that something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// An instance.
    Instance(InstanceId),
    /// A volume.
    Volume(VolumeId),
    /// A snapshot.
    Snapshot(SnapshotId),
    /// A template.
    Template(TemplateId),
    /// A zone.
    Zone(ZoneId),
}
