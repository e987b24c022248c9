//! The words for kinds, states and roles.

use super::t;
use crate::domain::instance::InstanceState;
use crate::domain::job::{JobKind, JobState};
use crate::domain::locale::Locale;
use crate::domain::recovery::Consistency;
use crate::domain::role::{Door, Role};
use crate::domain::snapshot::SnapshotState;
use crate::domain::template::TemplateState;
use crate::domain::volume::{VolumeKind, VolumeState};

/// The variant that names a kind of work in the messages.
#[must_use]
pub const fn job_key(kind: JobKind) -> &'static str {
    match kind {
        JobKind::CreateVolume => "create-volume",
        JobKind::ImportVolume => "import-volume",
        JobKind::DeleteVolume => "delete-volume",
        JobKind::TakeSnapshot => "take-snapshot",
        JobKind::DeleteSnapshot => "delete-snapshot",
        JobKind::RestoreVolume => "restore-volume",
        JobKind::CreateInstance => "create-instance",
        JobKind::StartInstance => "start-instance",
        JobKind::StopInstance => "stop-instance",
        JobKind::RebootInstance => "reboot-instance",
        JobKind::DeleteInstance => "delete-instance",
        JobKind::CreatePoint => "create-point",
        JobKind::DeletePoint => "delete-point",
        JobKind::Rollback => "rollback",
        JobKind::CreateTemplate => "create-template",
        JobKind::ImportTemplate => "import-template",
        JobKind::DeleteTemplate => "delete-template",
        JobKind::VerifySnapshot => "verify-snapshot",
        JobKind::FillVolume => "fill-volume",
    }
}

/// What the work is: *Prise d’une copie instantanée*.
#[must_use]
pub fn job_kind(locale: Locale, kind: JobKind) -> String {
    t!(locale, "job-kind", kind = job_key(kind))
}

/// Where the work stands. A waiting one says more (when it goes on), so its caller uses `job-state-waiting`.
#[must_use]
pub fn job_state(locale: Locale, state: JobState) -> String {
    match state {
        JobState::Queued => t!(locale, "job-state-queued"),
        JobState::Running => t!(locale, "job-state-running"),
        JobState::Waiting => t!(locale, "job-state-waiting-soon"),
        JobState::Succeeded => t!(locale, "job-state-succeeded"),
        JobState::Failed => t!(locale, "job-state-failed"),
        JobState::Interrupted => t!(locale, "job-state-interrupted"),
    }
}

/// What was set going: *La copie instantanée est en cours.*
#[must_use]
pub fn started(locale: Locale, kind: JobKind) -> String {
    t!(locale, "started", kind = job_key(kind))
}

/// How work ended, for a notice; none while it goes on.
#[must_use]
pub fn ended(locale: Locale, kind: JobKind, state: JobState) -> Option<String> {
    match state {
        JobState::Succeeded => Some(t!(locale, "ended-succeeded", kind = job_key(kind))),
        JobState::Failed => Some(t!(locale, "ended-failed", kind = job_key(kind))),
        JobState::Interrupted => Some(t!(locale, "ended-interrupted", kind = job_key(kind))),
        JobState::Queued | JobState::Running | JobState::Waiting => None,
    }
}

/// *Prêt*, *Création en cours*: in the masculine of *un volume*.
#[must_use]
pub fn volume_state(locale: Locale, state: VolumeState, in_snapshot: bool) -> String {
    let key = match state {
        VolumeState::Creating => "creating",
        VolumeState::Importing => "importing",
        VolumeState::Restoring => "restoring",
        VolumeState::Ready if in_snapshot => "in-snapshot",
        VolumeState::Ready => "ready",
        VolumeState::Deleting => "deleting",
        VolumeState::Failed => "failed",
    };
    t!(locale, "volume-state", state = key)
}

/// *Principal*, *Données*.
#[must_use]
pub fn volume_kind(locale: Locale, kind: VolumeKind) -> String {
    match kind {
        VolumeKind::Root => t!(locale, "volume-kind-root"),
        VolumeKind::Data => t!(locale, "volume-kind-data"),
    }
}

/// *Sauvegardée*, *Vérifiée*: in the feminine of *une copie instantanée*.
#[must_use]
pub fn snapshot_state(locale: Locale, state: SnapshotState) -> String {
    t!(locale, "snapshot-state", state = state.code())
}

/// *En marche*, *Arrêtée*: in the feminine of *une instance*.
#[must_use]
pub fn instance_state(locale: Locale, state: InstanceState) -> String {
    t!(locale, "instance-state", state = state.code())
}

/// *Prêt*: in the masculine of *un modèle*.
#[must_use]
pub fn template_state(locale: Locale, state: TemplateState) -> String {
    t!(locale, "template-state", state = state.code())
}

/// *Comme après une coupure de courant*: what state the disks of a point are in.
#[must_use]
pub fn consistency(locale: Locale, consistency: Consistency) -> String {
    let key = match consistency {
        Consistency::Stopped => "stopped",
        Consistency::Frozen => "frozen",
        Consistency::PowerCut => "power-cut",
        Consistency::Memory => "memory",
    };
    t!(locale, "point-consistency", consistency = key)
}

/// *Propriétaire*, *Éditeur*, *Observateur*.
#[must_use]
pub fn role(locale: Locale, role: Role) -> String {
    match role {
        Role::Owner => t!(locale, "role-owner"),
        Role::Editor => t!(locale, "role-editor"),
        Role::Viewer => t!(locale, "role-viewer"),
    }
}

/// *Console*, *Reprise*: the door that an act came through.
#[must_use]
pub fn door(locale: Locale, door: Door) -> String {
    match door {
        Door::Console => t!(locale, "door-console"),
        Door::System => t!(locale, "door-system"),
    }
}
