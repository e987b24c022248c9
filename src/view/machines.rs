//! Instances, their recovery points, and templates.

use super::{ActivityRow, JobView, VolumeRow};
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, PointId, TemplateId, VolumeId};
use crate::domain::instance::{Accelerator, Hardware, InstanceState};
use crate::domain::moment::Moment;
use crate::domain::recovery::{Consistency, MemoryWay, PointKind, PointState};
use crate::domain::size::Bytes;
use crate::domain::template::TemplateState;
use crate::domain::volume::VolumeKind;
use serde::{Deserialize, Serialize};

/// A row of the list of instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRow {
    /// Its id.
    pub id: InstanceId,
    /// Its name, unique among the organization's instances.
    pub name: String,
    /// The zone's name.
    pub zone: String,
    /// Where it stands.
    pub state: InstanceState,
    /// Why it is in error, or why the last act did not succeed.
    pub fault: Option<Fault>,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory.
    pub memory: Bytes,
    /// Number of volumes.
    pub volumes: u32,
    /// Number of recovery points, safety points not counted.
    pub points: u32,
    /// When it was asked for.
    pub created: Moment,
    /// The work at hand on it, if any: told beside the state.
    pub job: Option<JobView>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceView {
    /// As in the list.
    pub row: InstanceRow,
    /// What it runs on, as at its last start.
    pub hardware: Hardware,
    /// What its process computes with, or computed with when it last ran.
    pub accelerator: Option<Accelerator>,
    /// The name of the template it was made from.
    pub template: String,
    /// When it was last started.
    pub started: Option<Moment>,
    /// Its volumes, the root volume first.
    pub volumes: Vec<VolumeRow>,
    /// Volumes of the organization in the same zone that could be attached, by name.
    pub attachable: Vec<(VolumeId, String)>,
    /// Its newest recovery points that a member made, newest first.
    pub points: Vec<PointLink>,
    /// What was done to it lately.
    pub activity: Vec<ActivityRow>,
}

/// A recovery point, as far as another page names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointLink {
    /// Its id.
    pub id: PointId,
    /// Its name.
    pub name: String,
    /// The moment it holds.
    pub taken: Moment,
    /// Whether it holds the memory, too.
    pub memory: bool,
}

/// What deleting an instance would mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceDeletion {
    /// Its name.
    pub name: String,
    /// The names of its volumes, the root volume first.
    pub volumes: Vec<String>,
    /// Recovery points that go with it, safety points counted.
    pub points: u32,
    /// Bytes that are freed if its volumes stay.
    pub frees_keeping: Bytes,
    /// Bytes that are freed if its volumes go, too.
    pub frees_all: Bytes,
}

/// What the serial console wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerialView {
    /// Offset of the first byte of `text` in the log.
    pub from: u64,
    /// What was written there; bytes that are no UTF-8 are replaced, control sequences are removed.
    pub text: String,
    /// Offset after the last byte of `text`: where to ask for more.
    pub end: u64,
    /// Offset of the first byte that is still kept.
    pub kept_from: u64,
}

/// The recovery points of one instance, in the order of their drawing (`domain::recovery::drawing`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsView {
    /// The points.
    pub points: Vec<PointRow>,
    /// The point that the instance's state descends from.
    pub current: Option<PointId>,
    /// Bytes written since the current point; none where that cannot be told or there is no point.
    pub since: Option<Bytes>,
    /// The safety point that undoes the last rollback, and until when.
    pub undo: Option<(PointId, Moment)>,
    /// The zone's name: the points stay there.
    pub zone: String,
}

/// A recovery point among the others: what the tree and the table show of each. There may be hundreds of them in a page,
/// so what is usual is not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointRow {
    /// Its id.
    pub id: PointId,
    /// Its name; of a safety point: the name of the point that the instance descended from after the rollback.
    pub name: String,
    /// Why it is there.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub kind: PointKind,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub state: PointState,
    /// The moment it holds.
    pub taken: Moment,
    /// Bytes that deleting it would free; none where that cannot be told.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub frees: Option<Bytes>,
    /// Whether it holds the memory, too.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub memory: bool,
    /// Its lane in the drawing, from 0.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub lane: u32,
    /// The lane of its parent; none for a root.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub parent_lane: Option<u32>,
    /// Lanes that pass beside it.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub passing: Vec<u32>,
    /// Whether a child follows in its own lane.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub goes_on: bool,
    /// How many ancestors it has.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub depth: u32,
    /// Number of children.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub children: u32,
    /// Whether the instance's state descends from it.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub on_path: bool,
}

/// Whether this is what a reader takes it for when it is not there.
fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One recovery point, with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointView {
    /// Its id.
    pub id: PointId,
    /// As in [`PointRow`].
    pub name: String,
    /// What its maker wrote.
    pub description: String,
    /// Why it is there.
    pub kind: PointKind,
    /// Where it stands.
    pub state: PointState,
    /// The point it descends from.
    pub parent: Option<PointId>,
    /// Whether it is the point that the instance's state descends from.
    pub current: bool,
    /// What state its disks are in; none until it is made.
    pub consistency: Option<Consistency>,
    /// Whether the instance ran.
    pub running: bool,
    /// Microseconds that the guest stood still; none where it did not run.
    pub stood_still: Option<u64>,
    /// What it takes to start it again.
    pub hardware: Hardware,
    /// Who made it; none: the program.
    pub by: Option<String>,
    /// The moment it holds.
    pub taken: Moment,
    /// When it goes by itself (safety points).
    pub expires: Option<Moment>,
    /// Its disks, the root volume first.
    pub disks: Vec<PointDisk>,
    /// Bytes that deleting it would free; none where that cannot be told.
    pub frees: Option<Bytes>,
    /// What the memory in it takes on the hypervisor; none: it holds the disks only.
    pub memory: Option<Bytes>,
    /// Why the instance cannot go on here from the memory in it, if so.
    pub refused: Option<Fault>,
    /// The work at hand on it, if any.
    pub job: Option<JobView>,
}

/// A disk that a point holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointDisk {
    /// The volume it was.
    pub volume: VolumeId,
    /// That volume's name, then.
    pub name: String,
    /// What it was for.
    pub kind: VolumeKind,
    /// Its size.
    pub size: Bytes,
}

/// What keeping the memory of a guest would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPlan {
    /// What it takes at most on the hypervisor.
    pub expected: Bytes,
    /// Whether the guest runs on meanwhile.
    pub way: MemoryWay,
}

/// What the dialog *Créer un point de reprise* says beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointPlan {
    /// The instance's name.
    pub name: String,
    /// The name the point gets if none is given.
    pub proposed: String,
    /// Number of disks.
    pub disks: u32,
    /// What can be expected of it: frozen where the guest agent answers.
    pub consistency: Consistency,
    /// Bytes written since the current point.
    pub since: Option<Bytes>,
    /// What keeping the memory too would mean; none: it cannot be kept.
    pub memory: Option<MemoryPlan>,
    /// Why the memory cannot be kept, if so.
    pub no_memory: Option<Fault>,
}

/// What deleting a point would mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointDeletion {
    /// Its name.
    pub name: String,
    /// Why it is there.
    pub kind: PointKind,
    /// Bytes that are freed.
    pub frees: Bytes,
    /// Points that then descend from its parent.
    pub children: u32,
    /// Whether it is the point that the instance's state descends from.
    pub current: bool,
    /// Whether the last rollback can then not be undone any more.
    pub loses_undo: bool,
}

/// What deleting a point and all that descends from it would mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchDeletion {
    /// The name of the point that the branch begins with.
    pub name: String,
    /// Why that one is there.
    pub kind: PointKind,
    /// How many points go, that one counted.
    pub points: u32,
    /// Bytes that are freed when all of them are gone: what two of them share is counted once.
    pub frees: Bytes,
    /// Whether the instance's state descends from one of them: its disks stay as they are.
    pub here: bool,
    /// The kind and name of the point before, if there is one: what the instance then descends from.
    pub onto: Option<(PointKind, String)>,
    /// Whether the last rollback can then not be undone any more.
    pub loses_undo: bool,
    /// Why it cannot be done now, if so.
    pub refused: Option<Fault>,
    /// Stands for what this plan shows: handed back with the confirmation, which is refused when it is outdated.
    pub seal: String,
}

/// Two states of an instance beside each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointComparison {
    /// The instance's name.
    pub instance: String,
    /// The one.
    pub from: Compared,
    /// The other.
    pub to: Compared,
    /// Whether one descends from the other: what differs is then what was written between the two. Else it is what was
    /// written on either side since they parted, which is at least what differs.
    pub line: bool,
    /// The disks of both, the root volume first.
    pub disks: Vec<DiskComparison>,
    /// What could be compared: the instance's points, oldest first.
    pub choices: Vec<PointChoice>,
}

/// One of the two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// The point; none: the present.
    pub point: Option<PointId>,
    /// Why the point is there.
    pub kind: PointKind,
    /// The point's name, or the instance's.
    pub name: String,
    /// The moment it holds, or now.
    pub taken: Moment,
    /// Whether the instance ran, or runs.
    pub running: bool,
    /// What state its disks are in; none of the present.
    pub consistency: Option<Consistency>,
    /// What the memory in it takes on the hypervisor; none: it holds the disks only.
    pub memory: Option<Bytes>,
    /// What it ran on, or was made for.
    pub hardware: Hardware,
}

/// One disk of two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskComparison {
    /// What it is for.
    pub kind: VolumeKind,
    /// As the one state has it, if it does.
    pub from: Option<ComparedDisk>,
    /// As the other has it.
    pub to: Option<ComparedDisk>,
    /// Bytes in which the two may differ; none where that cannot be told, or one has no such disk.
    pub differ: Option<Bytes>,
}

/// A disk of one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedDisk {
    /// Its name there.
    pub name: String,
    /// Its size there.
    pub size: Bytes,
}

/// A point that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointChoice {
    /// Its id.
    pub id: PointId,
    /// Why it is there.
    pub kind: PointKind,
    /// Its name.
    pub name: String,
    /// The moment it holds.
    pub taken: Moment,
}

/// What a rollback does to one disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskChange {
    /// It returns to what it held; so many bytes differ (none: that cannot be told).
    Returns(Option<Bytes>),
    /// It was attached since: it is detached and kept.
    Detached,
    /// It was detached since: it is attached again.
    Attached(Option<Bytes>),
    /// It was deleted since: it comes back, under this name.
    ComesBack(String),
}

/// What the dialog *Restaurer l’instance à ce point* says beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPlan {
    /// The instance's name.
    pub instance: String,
    /// The point's name.
    pub point: String,
    /// The point's kind: a safety point's restoration is *Annuler la restauration*.
    pub kind: PointKind,
    /// The moment it holds.
    pub taken: Moment,
    /// The present.
    pub now: Moment,
    /// Bytes written since the current point.
    pub since: Option<Bytes>,
    /// Each disk's name and what happens to it.
    pub disks: Vec<(String, DiskChange)>,
    /// Whether the instance runs now.
    pub running_now: bool,
    /// Whether it will run afterwards: as it does now.
    pub running_after: bool,
    /// Whether the guest goes on from the memory in the point; else it starts anew.
    pub memory: bool,
    /// What keeping the present memory in the safety point would mean; none: there is none to keep.
    pub safety_memory: Option<MemoryPlan>,
    /// Whether processors, memory or the machine type change.
    pub hardware_changes: bool,
    /// Why it cannot be done, if so.
    pub refused: Option<Fault>,
    /// Stands for what this plan shows: handed back with the confirmation, which is refused when it is outdated.
    pub seal: String,
}

/// A row of the list of templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateRow {
    /// Its id.
    pub id: TemplateId,
    /// Its name, unique among the templates that were made here.
    pub name: String,
    /// What its maker wrote.
    pub description: String,
    /// Where it stands.
    pub state: TemplateState,
    /// Why it failed, if it did.
    pub fault: Option<Fault>,
    /// Size of the disk.
    pub size: Bytes,
    /// Bytes of it that hold data; none until it is made.
    pub data: Option<Bytes>,
    /// The name of the snapshot or file it was made from.
    pub origin: String,
    /// Whether another server made it.
    pub elsewhere: bool,
    /// When it was asked for.
    pub created: Moment,
    /// The work at hand on it, if any.
    pub job: Option<JobView>,
}
