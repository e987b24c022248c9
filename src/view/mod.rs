//! Read models: one a need of a screen, filled by `control` alone.
//!
//! Sorted, ready to be drawn, without secrets. Everything a member may not see has been left out before it comes here.

mod details;
mod listing;
mod machines;
mod people;
pub mod search;
mod several;
mod zones;

pub use details::{
    About, HomeView, KeptSnapshot, Made, Need, NeedKind, SnapshotLink, SnapshotView, Unsaved,
    VolumeLink, VolumeView,
};
pub use listing::Listing;

pub use machines::{
    BranchDeletion, Compared, ComparedDisk, DiskChange, DiskComparison, InstanceDeletion,
    InstanceRow, InstanceView, MemoryPlan, PointChoice, PointComparison, PointDeletion, PointDisk,
    PointLink, PointPlan, PointRow, PointView, PointsView, RollbackPlan, SerialView, TemplateRow,
};
pub use people::{
    InvitationRow, InvitationView, MemberRow, OrganizationView, ProfileView, SessionRow,
};
pub use several::{SeveralAct, SeveralObject, SeveralPlan};
pub use zones::{Apart, Card, Fact, Known, Trouble, WorkRow, ZonesView};

use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, JobId, SnapshotId, VolumeId, ZoneId};
use crate::domain::instance::Accelerator;
use crate::domain::job::{JobKind, JobState};
use crate::domain::moment::Moment;
use crate::domain::recovery::MemoryWay;
use crate::domain::role::{Door, Role};
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::theme::Theme;
use crate::domain::volume::{VolumeKind, VolumeState};
use serde::{Deserialize, Serialize};

/// How many rows a page of a list has.
pub const PAGE_ROWS: u32 = 50;
/// The most rows of a file that a list is downloaded as.
pub const FILE_ROWS: u32 = 10_000;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows of this page, in the order of the list.
    pub rows: Vec<T>,
    /// Rows of the whole list.
    pub total: u32,
    /// This page, from 1. A page beyond the last one is answered with the last one.
    pub page: u32,
    /// Number of pages, at least 1.
    pub pages: u32,
}

/// A zone one can choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneView {
    /// Its id.
    pub id: ZoneId,
    /// Its name, as the operator wrote it.
    pub name: String,
    /// What can still be written to its pool.
    pub free: Bytes,
    /// What its pool can hold at most; a file larger than that is no image for it.
    pub total: Bytes,
    /// What its hypervisor computes with; none: it cannot run instances.
    pub hypervisor: Option<Accelerator>,
    /// How it keeps the memory of a guest that runs.
    pub memory_way: Option<MemoryWay>,
}

/// Who is signed in, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// The member's name.
    pub name: String,
    /// The member's address.
    pub email: String,
    /// What the member may do.
    pub role: Role,
    /// Whether the member looks after the installation, and sees its zones.
    pub operator: bool,
    /// The organization's name.
    pub organization: String,
    /// The region's name.
    pub region: String,
    /// Its zones, by name.
    pub zones: Vec<ZoneView>,
    /// Whether the member is to be reminded of the recovery kit.
    pub kit_due: bool,
    /// When this was asked, by the server's clock: what a page tells of later moments goes from here.
    pub now: Moment,
    /// The colours that were chosen in this browser; none: as its system has them.
    pub theme: Option<Theme>,
}

/// What an Owner is told of the organization's recovery kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitView {
    /// When it was last saved, and by whom.
    pub saved: Option<(Moment, String)>,
    /// Whether there is something that no kit that was saved here opens.
    pub due: bool,
    /// Characters that its passphrase has at least.
    pub shortest: u32,
}

/// A row of the list of volumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRow {
    /// Its id.
    pub id: VolumeId,
    /// Its name, unique in the organization.
    pub name: String,
    /// What it is for.
    pub kind: VolumeKind,
    /// The zone's name.
    pub zone: String,
    /// How large the disk is.
    pub size: Bytes,
    /// How much of it was written; none when the pool cannot tell (damaged, still being made).
    pub written: Option<Bytes>,
    /// Whether some of its data is in the object store only: it is read on demand, and brought in by work of its own.
    pub filling: bool,
    /// Where it stands.
    pub state: VolumeState,
    /// Why it failed, if it did.
    pub fault: Option<Fault>,
    /// Whether a snapshot of it is being taken or saved.
    pub in_snapshot: bool,
    /// Snapshots of it that are in the object store.
    pub snapshots: u32,
    /// The instance it is attached to.
    pub instance: Option<InstanceLink>,
    /// When it was asked for.
    pub created: Moment,
    /// The work at hand on it, if any; of one that fills and that nothing fills, the attempt that failed or was interrupted.
    pub job: Option<JobView>,
}

/// An instance, as far as another object names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceLink {
    /// Its id.
    pub id: InstanceId,
    /// Its name.
    pub name: String,
}

/// A row of the list of snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRow {
    /// Its id.
    pub id: SnapshotId,
    /// Its name, unique among the snapshots that were taken here.
    pub name: String,
    /// The name of the volume it was taken of, at that moment.
    pub volume: String,
    /// What that volume was for.
    pub kind: VolumeKind,
    /// The name of the zone that the volume was in; none where nobody has told it.
    pub zone: Option<String>,
    /// Whether that zone is another server's.
    pub elsewhere: bool,
    /// Size of the disk.
    pub size: Bytes,
    /// Bytes of it that hold data; none until it is saved.
    pub data: Option<Bytes>,
    /// What deleting it would free in the object store; none where that is not known yet.
    pub reclaimable: Option<Bytes>,
    /// Where it stands.
    pub state: SnapshotState,
    /// When it was last proven (`Verified` only).
    pub verified: Option<Moment>,
    /// Why it failed, if it did.
    pub fault: Option<Fault>,
    /// The moment it holds: when it was taken, or asked for until then.
    pub taken: Moment,
    /// The work at hand on it, or the failed one that can be tried again.
    pub job: Option<JobView>,
}

/// Long work, as a row or the list of tasks shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// The name of what it works on.
    pub subject: String,
    /// The id of that; empty where it goes, or is gone.
    pub object: String,
    /// Bytes done.
    pub done: Bytes,
    /// Bytes to do, once that is known.
    pub total: Option<Bytes>,
    /// Bytes a second, lately; none when it cannot be told.
    pub speed: Option<Bytes>,
    /// Whether an interruption was asked for and is on its way.
    pub interrupting: bool,
    /// Whether this member may interrupt it now.
    pub may_interrupt: bool,
    /// Whether this member may have it tried again now.
    pub may_retry: bool,
    /// Why it failed, or why it waits.
    pub fault: Option<Fault>,
    /// When it will be tried again by itself (`Waiting` only).
    pub next_attempt: Option<Moment>,
    /// When it was asked for.
    pub asked: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
}

/// The tasks of the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TasksView {
    /// Those that go on, oldest first.
    pub live: Vec<JobView>,
    /// Those that failed within a day, the last one first.
    pub failed: Vec<JobView>,
    /// Those that ended otherwise within the hour, the last one first.
    pub ended: Vec<JobView>,
}

/// What the dialog *Prendre une copie instantanée* says beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPlan {
    /// The volume.
    pub volume: VolumeId,
    /// Its name.
    pub name: String,
    /// The name the snapshot gets if none is given.
    pub proposed: String,
    /// Bytes that will be read and, where the store does not have them yet, sent.
    pub to_save: Bytes,
    /// Bytes written in all.
    pub written: Bytes,
    /// When the copy was taken that this one builds on.
    pub since: Option<Moment>,
    /// Whether it builds on what the volume was made from, which is in the object store. Neither: everything is sent.
    pub on_origin: bool,
    /// How many zones will be able to use it.
    pub zones: u32,
}

/// What a deletion dialog says beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionPlan {
    /// The object's name.
    pub name: String,
    /// Bytes that will be freed.
    pub frees: Bytes,
    /// For a volume: its snapshots, which stay.
    pub snapshots_kept: u32,
}

/// What a member's act was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Signed in.
    SignIn,
    /// An attempt to sign in failed.
    SignInRefused,
    /// Signed out.
    SignOut,
    /// Long work was asked for; the entry's job says which.
    Job(JobKind),
    /// A task was interrupted.
    Interrupt(JobKind),
    /// A task was tried again.
    Retry(JobKind),
    /// A volume was attached to an instance.
    Attach,
    /// A volume was detached from an instance.
    Detach,
    /// A recovery point was renamed.
    RenamePoint,
    /// The clock of a guest that goes on from a memory could not be set.
    SetClock,
    /// Another server that shares the object store deleted a snapshot.
    SnapshotGone,
    /// Another server that shares the object store deleted a template.
    TemplateGone,
    /// The recovery kit was saved.
    SaveKit,
    /// The member took another name.
    RenameMember,
    /// The member's password was changed.
    ChangePassword,
    /// The member's password was not changed: the present one was wrong.
    ChangePasswordRefused,
    /// The member's other sessions were ended.
    EndSessions,
    /// Somebody was invited.
    Invite(Role),
    /// An invitation was withdrawn.
    WithdrawInvitation,
    /// Somebody who was invited became a member.
    Join,
    /// A member was given this role.
    ChangeRole(Role),
    /// A member was removed.
    RemoveMember,
    /// The member left the organization.
    Leave,
}

/// How an act ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It is still going on.
    Running,
    /// It was interrupted.
    Interrupted,
    /// It failed.
    Failed(Fault),
}

/// An entry of the activity log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityRow {
    /// The entry's number, growing.
    pub id: u64,
    /// When.
    pub when: Moment,
    /// The member's name; none for the program itself.
    pub who: Option<String>,
    /// Through which door.
    pub door: Door,
    /// What.
    pub act: Act,
    /// The name of what it was done to; empty where there is nothing to name.
    pub subject: String,
    /// What it was done to, while that is there.
    pub about: Option<About>,
    /// How it ended.
    pub outcome: Outcome,
    /// The task, where there is one.
    pub job: Option<JobView>,
}

/// What was set going: what a page tells at once, before the list knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The task.
    pub job: JobId,
    /// What it does.
    pub kind: JobKind,
    /// The name of what it works on.
    pub subject: String,
    /// The id of that; empty where it goes, or where it is one of several.
    #[serde(default)]
    pub object: String,
    /// How many other objects the same was set going on.
    #[serde(default)]
    pub others: u32,
}

/// What changed; sent to browsers, which then ask for what they show. It carries no content, only what to ask for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Some volume.
    Volumes,
    /// Some snapshot.
    Snapshots,
    /// A task made progress, began or ended.
    Jobs,
    /// The activity log.
    Activity,
    /// Some instance, or its disks.
    Instances,
    /// Some recovery point.
    Points,
    /// Some template.
    Templates,
    /// The reader's own role: what the page offers is no longer what they may do.
    Role,
}
