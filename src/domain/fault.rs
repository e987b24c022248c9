//! What went wrong, as far as a user may know: a code and its arguments. The words are found by `i18n`.
//!
//! Nothing else leaves the server as an error. What a user must not know (paths, other tenants' names, a library's own
//! message) stays in the log, under the reference that [`Fault::Internal`] carries.

use super::size::Bytes;
use serde::{Deserialize, Serialize};

/// What an unknown id was meant to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Noun {
    /// A volume.
    Volume,
    /// A volume snapshot.
    Snapshot,
    /// A zone.
    Zone,
    /// A task.
    Job,
    /// A page of the console.
    Page,
    /// An instance.
    Instance,
    /// A recovery point.
    Point,
    /// A template.
    Template,
    /// A member of the organization.
    Member,
    /// An invitation to the organization.
    Invitation,
}

/// An act that did not succeed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
// The browser's reader (`api::json`) knows this form by itself; what serde makes of it would be many times its size there.
#[cfg_attr(feature = "ssr", serde(tag = "code"))]
pub enum Fault {
    /// Nobody is signed in, or the session has ended.
    #[error("sign in first")]
    SignInNeeded,
    /// Unknown address or wrong password; which of the two is not told.
    #[error("wrong credentials")]
    WrongCredentials,
    /// Too many attempts to sign in.
    #[error("too many attempts")]
    TooManyAttempts {
        /// How long to wait.
        seconds: u32,
    },
    /// The one-time password must be replaced first.
    #[error("choose a password first")]
    PasswordChangeNeeded,
    /// The new password is too short.
    #[error("the password is shorter than {min} characters")]
    PasswordTooShort {
        /// The shortest, in characters.
        min: u32,
    },
    /// The two new passwords differ.
    #[error("the two passwords differ")]
    PasswordsDiffer,
    /// The member's present password was not the right one.
    #[error("wrong password")]
    WrongPassword,
    /// The text is no address.
    #[error("not an address")]
    AddressUnreadable,
    /// Nobody can be invited at this address; whose it may be is not told.
    #[error("the address cannot be invited")]
    AddressNotFree,
    /// The link is used, expired, withdrawn, or was never one; which of them is not told.
    #[error("the invitation cannot be used")]
    InvitationNotUsable,
    /// The organization would have no Owner any more.
    #[error("the organization's only Owner")]
    LastOwner,
    /// A member does not change the member's own role.
    #[error("one's own role")]
    OwnRole,
    /// The time zone is not one that is known.
    #[error("no such time zone")]
    TimeZoneUnknown,
    /// What cannot be undone was not agreed to.
    #[error("not agreed to")]
    NotConfirmed,
    /// The passphrase of a recovery kit is too short.
    #[error("the passphrase is shorter than {min} characters")]
    PassphraseTooShort {
        /// The shortest, in characters.
        min: u32,
    },
    /// The two passphrases differ.
    #[error("the two passphrases differ")]
    PassphrasesDiffer,
    /// The member's role does not allow it.
    #[error("not allowed")]
    NotAllowed,
    /// There is no such object, or it belongs to another organization; which of the two is not told.
    #[error("not found")]
    NotFound {
        /// What was looked for.
        what: Noun,
    },
    /// The request came from a page that is not ours.
    #[error("the request comes from another site")]
    ForeignOrigin,
    /// The request is not one our pages send.
    #[error("malformed request")]
    BadRequest,
    /// No name was given.
    #[error("the name is empty")]
    NameEmpty,
    /// The name is too long.
    #[error("the name is longer than {max} characters")]
    NameTooLong {
        /// The longest, in characters.
        max: u32,
    },
    /// The name has characters that cannot be seen.
    #[error("the name has invisible characters")]
    NameUnreadable,
    /// Another object of the organization has that name.
    #[error("the name is taken")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The size is outside what a volume can have.
    #[error("the size must be from {min_gib} to {max_gib} GiB")]
    SizeOutOfRange {
        /// The smallest, in GiB.
        min_gib: u64,
        /// The largest, in GiB.
        max_gib: u64,
    },
    /// The object is busy with other work, or its state does not allow the act.
    #[error("the object is in use")]
    InUse {
        /// Its name.
        name: String,
    },
    /// The snapshot is not in the object store (yet, or any more).
    #[error("the snapshot cannot be used")]
    SnapshotNotUsable {
        /// Its name.
        name: String,
    },
    /// The zone's pool has not enough room.
    #[error("the pool is full")]
    PoolFull {
        /// The zone's name.
        zone: String,
        /// What is free.
        free: Bytes,
    },
    /// The upload ended before the file did.
    #[error("the upload was cut off")]
    UploadCutOff,
    /// No file was sent.
    #[error("no file was sent")]
    UploadMissing,
    /// The uploaded file is not a disk image that can be read.
    #[error("not a disk image")]
    NotADiskImage,
    /// The image refers to other files (a backing file or external data), which are not here.
    #[error("the image depends on another file")]
    ImageNotSelfContained,
    /// The image, or the disk in it, is larger than what the zone can take.
    #[error("the image is too large")]
    ImageTooLarge {
        /// Bytes it needs.
        needed: Bytes,
        /// Bytes there are.
        free: Bytes,
    },
    /// `qemu-img` is not installed on the server.
    #[error("qemu-img is missing")]
    ImporterMissing,
    /// The object store cannot be written or does not answer.
    #[error("the object store cannot be used")]
    ObjectStoreUnavailable,
    /// The object store is not the one that this region has used so far.
    #[error("the object store is another one")]
    ObjectStoreOther,
    /// The object store is full.
    #[error("the object store is full")]
    ObjectStoreFull,
    /// The server has no copy of the key that the organization's snapshots are sealed with.
    #[error("the key to the organization's objects is missing")]
    ObjectStoreKeyMissing,
    /// The key that the server has is not the one that the organization's snapshots are sealed with.
    #[error("the key to the organization's objects is another one")]
    ObjectStoreKeyWrong,
    /// The server's own disk, where uploads wait, is full.
    #[error("the server's disk is full")]
    ServerFull,
    /// What is in the object store is damaged; it was not restored.
    #[error("the snapshot is damaged in the object store")]
    SnapshotDamaged {
        /// The object's name in the store, for the operator.
        object: String,
    },
    /// The volume's data is damaged, or its disk failed; nothing was served from it.
    #[error("the volume is damaged")]
    VolumeDamaged {
        /// The volume's name.
        name: String,
    },
    /// No QEMU is installed on the hypervisor: there is nothing to run an instance with.
    #[error("the hypervisor has no QEMU")]
    HypervisorMissing,
    /// QEMU did not start, or ended at once; the log has its words.
    #[error("the instance cannot be started")]
    StartFailed {
        /// The instance's name.
        name: String,
    },
    /// QEMU ended without having been asked to.
    #[error("the instance ended by itself")]
    InstanceDied {
        /// The instance's name.
        name: String,
    },
    /// A disk of the instance did not take a write (full or damaged); the instance stands.
    #[error("a disk stopped the instance")]
    DiskStopped {
        /// The instance's name.
        name: String,
    },
    /// The guest did not shut down in time.
    #[error("the guest did not shut down in time")]
    StopIgnored {
        /// The instance's name.
        name: String,
        /// How long it had.
        seconds: u32,
    },
    /// The act takes a stopped instance.
    #[error("the instance must be stopped first")]
    MustBeStopped {
        /// The instance's name.
        name: String,
    },
    /// The act takes a running instance.
    #[error("the instance must be running")]
    MustBeRunning {
        /// The instance's name.
        name: String,
    },
    /// The volume is attached to an instance.
    #[error("the volume is attached")]
    Attached {
        /// The volume's name.
        name: String,
        /// The instance's name.
        instance: String,
    },
    /// The volume cannot be attached: it is in another zone, is a root volume, or the instance has no room for more.
    #[error("the volume cannot be attached")]
    NotAttachable {
        /// The volume's name.
        name: String,
    },
    /// The offering is not one of those there are.
    #[error("no such offering")]
    NoOffering,
    /// The snapshot or image holds nothing a machine can start from.
    #[error("nothing to start from")]
    NotBootable {
        /// Its name.
        name: String,
    },
    /// It starts with UEFI only, which the hypervisor does not offer.
    #[error("starts with UEFI only")]
    NeedsUefi {
        /// Its name.
        name: String,
    },
    /// The snapshot is of a data volume; a template takes a root volume.
    #[error("not a root volume")]
    NotARootVolume {
        /// The snapshot's name.
        name: String,
    },
    /// A volume that the point had is now attached to another instance: rolling back would take it away from there.
    #[error("a disk of the point is used elsewhere")]
    DiskElsewhere {
        /// The volume's name.
        volume: String,
        /// The instance that has it.
        instance: String,
    },
    /// The instance does not run: it has no memory to keep.
    #[error("there is no memory to keep")]
    NoMemoryToKeep {
        /// The instance's name.
        name: String,
    },
    /// The memory in a point was saved by another hypervisor, or of another machine, than there would be now.
    #[error("the memory was saved with {then}, here is {now}")]
    MemoryElsewhere {
        /// QEMU, machine type and processor, then; in technical words.
        then: String,
        /// The same, now.
        now: String,
    },
    /// The memory in a point cannot be read; nothing was changed.
    #[error("the memory in the point is damaged")]
    MemoryDamaged {
        /// The point's name.
        name: String,
    },
    /// The guest's memory could not be saved; it runs on.
    #[error("the memory could not be saved")]
    MemoryNotSaved {
        /// The instance's name.
        name: String,
    },
    /// A guest goes on from a memory, and its agent did not set its clock.
    #[error("the guest's clock was not set")]
    ClockNotSet,
    /// The safety point could not be made; the rollback did not begin.
    #[error("no safety point could be made")]
    NoSafetyPoint,
    /// What the dialog showed is not so any more: it must be looked at again.
    #[error("something changed meanwhile")]
    PlanOutdated,
    /// An act on several objects was refused on some of them; it went on for the others.
    #[error("{refused} of the objects were refused")]
    SeveralRefused {
        /// On how many it was begun.
        started: u32,
        /// On how many it was not.
        refused: u32,
        /// The name of the first of these.
        name: String,
        /// Why not on that one.
        reason: Box<Fault>,
    },
    /// The text is too long.
    #[error("the text is longer than {max} characters")]
    TextTooLong {
        /// The longest, in characters.
        max: u32,
    },
    /// The rollback cannot be undone any more.
    #[error("the rollback cannot be undone")]
    NotUndoable,
    /// The task cannot be interrupted (any more).
    #[error("the task cannot be interrupted")]
    NotInterruptible,
    /// The task cannot be tried again.
    #[error("the task cannot be retried")]
    NotRetryable,
    /// The work was interrupted by a member.
    #[error("interrupted")]
    Interrupted,
    /// The server could not be reached, or its answer was cut off (known to the browser only).
    #[error("the server cannot be reached")]
    Unreachable,
    /// A fault of ours. The log has the rest under this reference.
    #[error("internal error {reference}")]
    Internal {
        /// What to tell the operator.
        reference: String,
    },
}

impl Fault {
    /// The HTTP status that goes with it. A user's mistake is never a 5xx.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::SignInNeeded | Self::WrongCredentials => 401,
            Self::PasswordChangeNeeded | Self::NotAllowed | Self::ForeignOrigin => 403,
            Self::NotFound { .. } | Self::InvitationNotUsable => 404,
            Self::TooManyAttempts { .. } => 429,
            Self::NameTaken { .. }
            | Self::AddressNotFree
            | Self::LastOwner
            | Self::OwnRole
            | Self::InUse { .. }
            | Self::SnapshotNotUsable { .. }
            | Self::MustBeStopped { .. }
            | Self::MustBeRunning { .. }
            | Self::Attached { .. }
            | Self::NotAttachable { .. }
            | Self::DiskElsewhere { .. }
            | Self::NoSafetyPoint
            | Self::NoMemoryToKeep { .. }
            | Self::MemoryElsewhere { .. }
            | Self::PlanOutdated
            | Self::SeveralRefused { .. }
            | Self::NotUndoable
            | Self::StopIgnored { .. }
            | Self::NotInterruptible
            | Self::NotRetryable
            | Self::Interrupted => 409,
            Self::ImageTooLarge { .. } | Self::PoolFull { .. } => 413,
            Self::BadRequest
            | Self::WrongPassword
            | Self::AddressUnreadable
            | Self::TimeZoneUnknown
            | Self::NotConfirmed
            | Self::PasswordTooShort { .. }
            | Self::PasswordsDiffer
            | Self::PassphraseTooShort { .. }
            | Self::PassphrasesDiffer
            | Self::NameEmpty
            | Self::NameTooLong { .. }
            | Self::NameUnreadable
            | Self::SizeOutOfRange { .. }
            | Self::UploadCutOff
            | Self::UploadMissing
            | Self::NotADiskImage
            | Self::NoOffering
            | Self::NotBootable { .. }
            | Self::NeedsUefi { .. }
            | Self::NotARootVolume { .. }
            | Self::TextTooLong { .. }
            | Self::ImageNotSelfContained => 422,
            Self::ImporterMissing
            | Self::ObjectStoreUnavailable
            | Self::ObjectStoreOther
            | Self::ObjectStoreFull
            | Self::ObjectStoreKeyMissing
            | Self::ObjectStoreKeyWrong
            | Self::ServerFull
            | Self::SnapshotDamaged { .. }
            | Self::VolumeDamaged { .. }
            | Self::HypervisorMissing
            | Self::StartFailed { .. }
            | Self::InstanceDied { .. }
            | Self::DiskStopped { .. }
            | Self::MemoryDamaged { .. }
            | Self::MemoryNotSaved { .. }
            | Self::ClockNotSet
            | Self::Unreachable => 503,
            Self::Internal { .. } => 500,
        }
    }
}
