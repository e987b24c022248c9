//! Everything the pages ask the server and everything they have it do, each behind one type.
//!
//! A resource or an action of its own for every server function would be compiled, with all that loads, hydrates and
//! retries it, once each: a third of the browser half. So questions and acts are enumerations, and there is one resource
//! and one action.

use super::erased::memo;
use crate::api::{jobs, snapshots, volumes};
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, SnapshotId, VolumeId, ZoneId};
use crate::domain::size::{MAX_VOLUME_GIB, MIN_VOLUME_GIB};
use crate::view::{
    ActivityRow, DeletionPlan, JobView, Page, SnapshotPlan, SnapshotRow, Started, VolumeRow,
};
use leptos::prelude::*;
use leptos::server::ServerActionError;
use leptos::server_fn::ServerFn;
use leptos::server_fn::error::ServerFnUrlError;
use serde::{Deserialize, Serialize};

/// What a page may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// This page of the volumes.
    Volumes(u32),
    /// This page of the snapshots.
    Snapshots(u32),
    /// This page of the activity log.
    Activity(u32),
    /// The tasks that go on.
    Jobs,
    /// What would a snapshot of the volume mean?
    SnapshotPlan(VolumeId),
    /// What would the volume's deletion mean?
    VolumeDeletion(VolumeId),
    /// What would the snapshot's deletion mean?
    SnapshotDeletion(SnapshotId),
    /// One snapshot.
    Snapshot(SnapshotId),
}

/// What the server says to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Question::Volumes`].
    Volumes(Page<VolumeRow>),
    /// To [`Question::Snapshots`].
    Snapshots(Page<SnapshotRow>),
    /// To [`Question::Activity`].
    Activity(Page<ActivityRow>),
    /// To [`Question::Jobs`].
    Jobs(Vec<JobView>),
    /// To [`Question::SnapshotPlan`].
    Plan(SnapshotPlan),
    /// To both questions about deletions.
    Deletion(DeletionPlan),
    /// To [`Question::Snapshot`].
    Snapshot(Box<SnapshotRow>),
}

/// An answer that is on its way or there.
pub type Asked = Resource<Result<Answer, Fault>>;

/// Asks, and asks again whenever the question or the number beside it changes.
pub fn ask(question: impl Fn() -> (Question, u32) + Send + Sync + 'static) -> Asked {
    let question: Box<dyn Fn() -> (Question, u32) + Send + Sync> = Box::new(question);
    Resource::new(question, |(question, _)| answer(question))
}

async fn answer(question: Question) -> Result<Answer, Fault> {
    match question {
        Question::Volumes(page) => volumes::list_volumes(page).await.map(Answer::Volumes),
        Question::Snapshots(page) => snapshots::list_snapshots(page).await.map(Answer::Snapshots),
        Question::Activity(page) => jobs::list_activity(page).await.map(Answer::Activity),
        Question::Jobs => jobs::current_jobs().await.map(Answer::Jobs),
        Question::SnapshotPlan(volume) => volumes::plan_snapshot(volume).await.map(Answer::Plan),
        Question::VolumeDeletion(volume) => {
            volumes::volume_deletion(volume).await.map(Answer::Deletion)
        }
        Question::SnapshotDeletion(snapshot) => snapshots::snapshot_deletion(snapshot)
            .await
            .map(Answer::Deletion),
        Question::Snapshot(snapshot) => snapshots::get_snapshot(snapshot)
            .await
            .map(Box::new)
            .map(Answer::Snapshot),
    }
}

/// What a form has the server do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// *Prendre une copie instantanée*
    TakeSnapshot,
    /// *Créer un volume*
    CreateVolume,
    /// *Créer un volume de données*
    Restore,
    /// *Supprimer* a volume
    DeleteVolume,
    /// *Supprimer* a snapshot
    DeleteSnapshot,
    /// *Interrompre*
    Interrupt,
    /// *Réessayer*
    Retry,
}

impl Act {
    /// Where a form without scripts sends it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::TakeSnapshot => volumes::TakeSnapshot::PATH,
            Self::CreateVolume => volumes::CreateVolume::PATH,
            Self::Restore => snapshots::CreateVolumeFromSnapshot::PATH,
            Self::DeleteVolume => volumes::DeleteVolume::PATH,
            Self::DeleteSnapshot => snapshots::DeleteSnapshot::PATH,
            Self::Interrupt => jobs::InterruptJob::PATH,
            Self::Retry => jobs::RetryJob::PATH,
        }
    }
}

/// The fields of a form that was filled in. Which of them count depends on the act.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// The name of something new.
    pub name: String,
    /// The zone of something new.
    pub zone: String,
    /// Its size in GiB.
    pub size_gib: String,
    /// The id of what it is about.
    pub about: String,
}

/// What came of an act: what was set going, where it is long work.
pub type Outcome = Result<Option<Started>, Fault>;

/// An act that can be started, and how its last start went.
pub type Acting = Action<(Act, Fields), Outcome>;

/// An act of a page. A form that was sent without scripts comes back with its refusal in the address: it is the first
/// outcome.
pub fn acting(act: Act) -> Acting {
    let brought = use_context::<ServerActionError>()
        .filter(|error| error.path() == act.path())
        .map(|error| Err(ServerFnUrlError::<Fault>::decode_err(error.err())));
    Action::new_with_value(brought, |(act, fields): &(Act, Fields)| {
        perform(*act, fields.clone())
    })
}

async fn perform(act: Act, fields: Fields) -> Outcome {
    let bad = |_| Fault::BadRequest;
    let volume = || fields.about.parse::<VolumeId>().map_err(bad);
    let snapshot = || fields.about.parse::<SnapshotId>().map_err(bad);
    let job = || fields.about.parse::<JobId>().map_err(bad);
    let zone = || fields.zone.parse::<ZoneId>().map_err(bad);
    match act {
        Act::TakeSnapshot => volumes::take_snapshot(volume()?, fields.name)
            .await
            .map(Some),
        Act::CreateVolume => {
            let out_of_range = Fault::SizeOutOfRange {
                min_gib: MIN_VOLUME_GIB,
                max_gib: MAX_VOLUME_GIB,
            };
            let size = fields.size_gib.trim().parse().map_err(|_| out_of_range)?;
            let zone = zone()?;
            volumes::create_volume(fields.name, zone, size)
                .await
                .map(Some)
        }
        Act::Restore => {
            let (snapshot, zone) = (snapshot()?, zone()?);
            snapshots::create_volume_from_snapshot(snapshot, zone, fields.name)
                .await
                .map(Some)
        }
        Act::DeleteVolume => volumes::delete_volume(volume()?).await.map(Some),
        Act::DeleteSnapshot => snapshots::delete_snapshot(snapshot()?).await.map(Some),
        Act::Interrupt => jobs::interrupt_job(job()?).await.map(|()| None),
        Act::Retry => jobs::retry_job(job()?).await.map(|()| None),
    }
}

/// A form of an act: plain without scripts, sent in the background with them. `class` is for its looks.
pub fn form(acting: Acting, act: Act, class: &'static str, inside: AnyView) -> AnyView {
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        #[cfg(feature = "hydrate")]
        if let Some(fields) = browser::fields(&event) {
            event.prevent_default();
            // The button says that it is on its way; a second press, or Enter, changes nothing.
            if !acting.pending().get_untracked() {
                acting.dispatch((act, fields));
            }
        }
        #[cfg(not(feature = "hydrate"))]
        let _ = (&event, acting);
    };
    view! { <form method="post" action=act.path() class=class on:submit=on_submit>{inside}</form> }
        .into_any()
}

/// The refusal of an act's last try, if any.
pub fn refusal(acting: Acting) -> Memo<Option<Fault>> {
    let value = acting.value();
    memo(move |_| {
        value.with(|value| {
            value
                .as_ref()
                .and_then(|outcome| outcome.as_ref().err().cloned())
        })
    })
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::Fields;
    use leptos::ev::SubmitEvent;
    use wasm_bindgen::JsCast;
    use web_sys::{FormData, HtmlFormElement};

    /// What the form that is sent was filled in with.
    pub fn fields(event: &SubmitEvent) -> Option<Fields> {
        let form = event.current_target()?.dyn_into::<HtmlFormElement>().ok()?;
        let data = FormData::new_with_form(&form).ok()?;
        let field = |name: &str| data.get(name).as_string();
        let about = ["volume", "snapshot", "job"].into_iter().find_map(field);
        Some(Fields {
            name: field("name").unwrap_or_default(),
            zone: field("zone").unwrap_or_default(),
            size_gib: field("size_gib").unwrap_or_default(),
            about: about.unwrap_or_default(),
        })
    }
}
