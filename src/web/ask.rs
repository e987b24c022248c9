//! Everything the pages ask the server and everything they have it do, each behind one type.
//!
//! A resource or an action of its own for every server function would be compiled, with all that loads, hydrates and
//! retries it, once each: a third of the browser half. So questions and acts are enumerations, and there is one resource
//! and one action.

use super::erased::{Memo, memo};
use crate::api::json::Json;
use crate::api::{instances, jobs, several, snapshots, templates, volumes};
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, PointId, SnapshotId, TemplateId, VolumeId};
use crate::view::{
    ActivityRow, BranchDeletion, DeletionPlan, InstanceDeletion, InstanceRow, InstanceView,
    JobView, Listing, Page, PointDeletion, PointPlan, PointView, PointsView, RollbackPlan,
    SerialView, SeveralAct, SeveralPlan, SnapshotPlan, SnapshotRow, SnapshotView, Started,
    TemplateRow, VolumeRow, VolumeView,
};
use leptos::prelude::*;
use leptos::server::ServerActionError;
use leptos::server_fn::ServerFn;
use leptos::server_fn::error::ServerFnUrlError;
use serde::{Deserialize, Serialize};
use std::pin::Pin;

/// What a page may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// This page of the volumes.
    Volumes(Listing),
    /// This page of the snapshots.
    Snapshots(Listing),
    /// This page of the activity log.
    Activity(Listing),
    /// The tasks that go on, and those with these ids.
    Jobs(String),
    /// What would a snapshot of the volume mean?
    SnapshotPlan(VolumeId),
    /// What would the volume's deletion mean?
    VolumeDeletion(VolumeId),
    /// What would the snapshot's deletion mean?
    SnapshotDeletion(SnapshotId),
    /// One snapshot, as its row shows it.
    Snapshot(SnapshotId),
    /// One snapshot, with all that its page says.
    SnapshotDetails(SnapshotId),
    /// One volume, with all that its page says.
    Volume(VolumeId),
    /// This page of the instances.
    Instances(Listing),
    /// One instance.
    Instance(InstanceId),
    /// What would the instance's deletion mean?
    InstanceDeletion(InstanceId),
    /// What did the instance's serial console write, from an offset on? Without one: the newest part.
    Serial(InstanceId, Option<u64>),
    /// The recovery points of the instance.
    Points(InstanceId),
    /// This recovery point of the instance; else the one that its state descends from, or the newest.
    Point(InstanceId, Option<PointId>),
    /// What would a recovery point of the instance mean?
    PointPlan(InstanceId),
    /// What would the recovery point's deletion mean?
    PointDeletion(PointId),
    /// What would the deletion of the point and all that descends from it mean?
    BranchDeletion(PointId),
    /// What would bringing the instance back to the point change?
    Rollback(PointId),
    /// This page of the templates.
    Templates(Listing),
    /// Which templates can an instance be made from?
    ReadyTemplates,
    /// What would the template's deletion mean?
    TemplateDeletion(TemplateId),
    /// What would the act mean for all of these (ids, separated by commas)?
    Several(SeveralAct, String),
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
    /// To the questions about deletions of volumes, snapshots and templates.
    Deletion(DeletionPlan),
    /// To [`Question::Snapshot`].
    Snapshot(Box<SnapshotRow>),
    /// To [`Question::SnapshotDetails`].
    SnapshotDetails(Box<SnapshotView>),
    /// To [`Question::Volume`].
    Volume(Box<VolumeView>),
    /// To [`Question::Instances`].
    Instances(Page<InstanceRow>),
    /// To [`Question::Instance`].
    Instance(Box<InstanceView>),
    /// To [`Question::InstanceDeletion`].
    InstanceDeletion(Box<InstanceDeletion>),
    /// To [`Question::Serial`].
    Serial(SerialView),
    /// To [`Question::Points`].
    Points(Box<PointsView>),
    /// To [`Question::Point`].
    Point(Option<Box<PointView>>),
    /// To [`Question::PointPlan`].
    PointPlan(Box<PointPlan>),
    /// To [`Question::PointDeletion`].
    PointDeletion(Box<PointDeletion>),
    /// To [`Question::BranchDeletion`].
    BranchDeletion(Box<BranchDeletion>),
    /// To [`Question::Rollback`].
    Rollback(Box<RollbackPlan>),
    /// To [`Question::Templates`].
    Templates(Page<TemplateRow>),
    /// To [`Question::ReadyTemplates`].
    ReadyTemplates(Vec<TemplateRow>),
    /// To [`Question::Several`].
    Several(Box<SeveralPlan>),
}

/// An answer that is on its way or there.
pub type Asked = Resource<Result<Answer, Fault>, Json>;

/// An answer that comes later. One type for all questions: only what is particular to each is compiled for it.
type Later = Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send>>;

/// Asks, and asks again whenever the question or the number beside it changes.
pub fn ask(question: impl Fn() -> (Question, u32) + Send + Sync + 'static) -> Asked {
    resource(Box::new(question))
}

/// Apart from [`ask`], which is compiled for each caller's closure.
fn resource(question: Box<dyn Fn() -> (Question, u32) + Send + Sync>) -> Asked {
    Resource::new_with_options(question, |(question, _)| answer(question), false)
}

/// What is drawn from answers, inside a `Transition`. The server waits until they are there: one can come on another thread
/// while a memo that reads it is worked out, which the framework's memos do not notice. Such a part of the page would stay as
/// without the answer, and the browser, which has the answer, would find no place for what belongs there, and give up.
pub fn once_there<const N: usize>(
    asked: [Asked; N],
    inside: impl FnOnce() -> AnyView + Send + 'static,
) -> AnyView {
    #[cfg(feature = "hydrate")]
    {
        let _ = asked;
        inside()
    }
    #[cfg(not(feature = "hydrate"))]
    Suspend::new(async move {
        for asked in asked {
            asked.ready().await;
        }
        inside()
    })
    .into_any()
}

/// Asks once.
pub fn answer(question: Question) -> Later {
    match question {
        Question::Volumes(listing) => get(volumes::ListVolumes { listing }, Answer::Volumes),
        Question::Snapshots(listing) => {
            get(snapshots::ListSnapshots { listing }, Answer::Snapshots)
        }
        Question::Activity(listing) => get(jobs::ListActivity { listing }, Answer::Activity),
        Question::Jobs(known) => get(jobs::CurrentJobs { known }, Answer::Jobs),
        Question::SnapshotPlan(volume) => get(volumes::PlanSnapshot { volume }, Answer::Plan),
        Question::VolumeDeletion(volume) => {
            get(volumes::VolumeDeletion { volume }, Answer::Deletion)
        }
        Question::SnapshotDeletion(snapshot) => {
            get(snapshots::SnapshotDeletion { snapshot }, Answer::Deletion)
        }
        Question::Snapshot(snapshot) => get(snapshots::GetSnapshot { snapshot }, |row| {
            Answer::Snapshot(Box::new(row))
        }),
        Question::SnapshotDetails(snapshot) => {
            get(snapshots::SnapshotDetails { snapshot }, |view| {
                Answer::SnapshotDetails(Box::new(view))
            })
        }
        Question::Volume(volume) => get(volumes::GetVolume { volume }, |view| {
            Answer::Volume(Box::new(view))
        }),
        Question::Instances(listing) => {
            get(instances::ListInstances { listing }, Answer::Instances)
        }
        Question::Instance(instance) => get(instances::GetInstance { instance }, |view| {
            Answer::Instance(Box::new(view))
        }),
        Question::InstanceDeletion(instance) => {
            get(instances::PlanInstanceDeletion { instance }, |plan| {
                Answer::InstanceDeletion(Box::new(plan))
            })
        }
        Question::Serial(instance, from) => {
            get(instances::SerialLog { instance, from }, Answer::Serial)
        }
        Question::Points(instance) => get(instances::ListPoints { instance }, |found| {
            Answer::Points(Box::new(found))
        }),
        Question::Point(instance, point) => get(instances::GetPoint { instance, point }, |found| {
            Answer::Point(found.map(Box::new))
        }),
        Question::PointPlan(instance) => get(instances::PlanPoint { instance }, |plan| {
            Answer::PointPlan(Box::new(plan))
        }),
        Question::PointDeletion(point) => get(instances::PlanPointDeletion { point }, |plan| {
            Answer::PointDeletion(Box::new(plan))
        }),
        Question::BranchDeletion(point) => get(instances::PlanBranchDeletion { point }, |plan| {
            Answer::BranchDeletion(Box::new(plan))
        }),
        Question::Rollback(point) => get(instances::PlanRollback { point }, |plan| {
            Answer::Rollback(Box::new(plan))
        }),
        Question::Templates(listing) => {
            get(templates::ListTemplates { listing }, Answer::Templates)
        }
        Question::ReadyTemplates => get(templates::ReadyTemplates {}, Answer::ReadyTemplates),
        Question::TemplateDeletion(template) => {
            get(templates::TemplateDeletion { template }, Answer::Deletion)
        }
        Question::Several(act, ids) => get(several::PlanSeveral { act, ids }, |plan| {
            Answer::Several(Box::new(plan))
        }),
    }
}

/// Asks a server function that reads: on the server its body, in the browser its address. The framework's own client
/// would be compiled once for each function.
#[cfg(not(feature = "hydrate"))]
fn get<F>(function: F, answer: impl FnOnce(F::Output) -> Answer + Send + 'static) -> Later
where
    F: ServerFn<Error = Fault> + 'static,
{
    Box::pin(async move { function.run_body().await.map(answer) })
}

/// The same in the browser.
#[cfg(feature = "hydrate")]
fn get<F>(function: F, answer: impl FnOnce(F::Output) -> Answer + Send + 'static) -> Later
where
    F: ServerFn<Error = Fault> + Serialize,
    F::Output: serde::de::DeserializeOwned,
{
    let query = serde_qs::to_string(&function);
    let read = |text: &str| crate::api::json::read::<F::Output>(text).map(answer);
    browser::get(F::PATH, query.ok(), Box::new(read))
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
    /// *Créer une instance*
    CreateInstance,
    /// *Démarrer*
    Start,
    /// *Arrêter*, *Forcer l’arrêt*
    Stop,
    /// *Redémarrer*
    Reboot,
    /// *Supprimer* an instance
    DeleteInstance,
    /// *Rattacher un volume*
    Attach,
    /// *Détacher un volume*
    Detach,
    /// *Créer un point de reprise*
    CreatePoint,
    /// *Renommer* a point
    RenamePoint,
    /// *Supprimer* a point
    DeletePoint,
    /// *Supprimer* a point and all that descends from it
    DeleteBranch,
    /// *Créer un volume* from a point's disk
    VolumeFromPoint,
    /// *Restaurer l’instance à ce point*
    Rollback,
    /// *Créer un modèle*
    CreateTemplate,
    /// *Créer un modèle* of a point's root volume
    TemplateFromPoint,
    /// *Supprimer* a template
    DeleteTemplate,
    /// *Vérifier*
    VerifySnapshot,
    /// One act on several objects
    Several,
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
            Self::CreateInstance => instances::CreateInstance::PATH,
            Self::Start => instances::StartInstance::PATH,
            Self::Stop => instances::StopInstance::PATH,
            Self::Reboot => instances::RebootInstance::PATH,
            Self::DeleteInstance => instances::DeleteInstance::PATH,
            Self::Attach => instances::AttachVolume::PATH,
            Self::Detach => instances::DetachVolume::PATH,
            Self::CreatePoint => instances::CreatePoint::PATH,
            Self::RenamePoint => instances::RenamePoint::PATH,
            Self::DeletePoint => instances::DeletePoint::PATH,
            Self::DeleteBranch => instances::DeleteBranch::PATH,
            Self::VolumeFromPoint => instances::CreateVolumeFromPoint::PATH,
            Self::Rollback => instances::RollBack::PATH,
            Self::CreateTemplate => templates::CreateTemplate::PATH,
            Self::TemplateFromPoint => instances::CreateTemplateFromPoint::PATH,
            Self::DeleteTemplate => templates::DeleteTemplate::PATH,
            Self::VerifySnapshot => snapshots::VerifySnapshot::PATH,
            Self::Several => several::DoSeveral::PATH,
        }
    }
}

/// What came of an act: what was set going, where it is long work.
pub type Outcome = Result<Option<Started>, Fault>;

/// An act that can be started, and how its last start went.
pub type Acting = Action<(Act, String), Outcome>;

/// An act of a page. A form that was sent without scripts comes back with its refusal in the address: it is the first
/// outcome.
pub fn acting(act: Act) -> Acting {
    let brought = use_context::<ServerActionError>()
        .filter(|error| error.path() == act.path())
        .map(|error| Err(ServerFnUrlError::<Fault>::decode_err(error.err())));
    Action::new_with_value(brought, |(act, fields): &(Act, String)| {
        post(act.path(), fields.clone())
    })
}

/// An outcome that comes later.
type Sent = Pin<Box<dyn Future<Output = Outcome> + Send>>;

#[cfg(feature = "hydrate")]
use browser::post;

/// Nothing is sent from the server: where there are no scripts, the form itself goes to the act's path.
#[cfg(not(feature = "hydrate"))]
fn post(_: &'static str, _: String) -> Sent {
    Box::pin(std::future::ready(Err(Fault::Unreachable)))
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
    use super::{Answer, Later, Sent};
    use crate::api::json::{self, Unreadable};
    use crate::domain::fault::Fault;
    use crate::domain::size::{MAX_VOLUME_GIB, MIN_VOLUME_GIB};
    use leptos::ev::SubmitEvent;
    use leptos::prelude::window;
    use send_wrapper::SendWrapper;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{FormData, Headers, HtmlFormElement, RequestInit, Response, UrlSearchParams};

    /// What the form that is sent was filled in with, as it would be sent without scripts.
    pub fn fields(event: &SubmitEvent) -> Option<String> {
        let form = event.current_target()?.dyn_into::<HtmlFormElement>().ok()?;
        let data = FormData::new_with_form(&form).ok()?;
        let fields = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
        Some(fields.to_string().into())
    }

    type Read = Box<dyn FnOnce(&str) -> Result<Answer, Unreadable> + Send>;

    /// Asks at `path` and reads what comes back.
    pub fn get(path: &'static str, query: Option<String>, read: Read) -> Later {
        Box::pin(SendWrapper::new(async move {
            let address = format!("{path}?{}", query.ok_or(Fault::BadRequest)?);
            let text = send(&address, None).await?;
            read(&text).map_err(|_| Fault::Unreachable)
        }))
    }

    /// Sends a form to `path`, as it would go there without scripts.
    pub fn post(path: &'static str, fields: String) -> Sent {
        Box::pin(SendWrapper::new(async move {
            // What is no number is no size either: the server could only call the whole form unreadable.
            let size = fields
                .split('&')
                .find_map(|field| field.strip_prefix("size_gib="));
            if size.is_some_and(|size| size.parse::<u64>().is_err()) {
                return Err(Fault::SizeOutOfRange {
                    min_gib: MIN_VOLUME_GIB,
                    max_gib: MAX_VOLUME_GIB,
                });
            }
            let text = send(path, Some(fields)).await?;
            json::read(&text).map_err(|_| Fault::Unreachable)
        }))
    }

    /// The text that comes back, or the fault that it is.
    async fn send(address: &str, form: Option<String>) -> Result<String, Fault> {
        let cut_off = |_: JsValue| Fault::Unreachable;
        let headers = Headers::new().map_err(cut_off)?;
        _ = headers.set("Accept", "application/json");
        let request = RequestInit::new();
        if let Some(form) = form {
            request.set_method("POST");
            request.set_body(&form.into());
            _ = headers.set("Content-Type", "application/x-www-form-urlencoded");
        }
        request.set_headers(&headers);
        let answer = window().fetch_with_str_and_init(address, &request);
        let answer: Response = JsFuture::from(answer)
            .await
            .map_err(cut_off)?
            .unchecked_into();
        let text = JsFuture::from(answer.text().map_err(cut_off)?)
            .await
            .map_err(cut_off)?;
        let text = text.as_string().unwrap_or_default();
        if answer.ok() {
            Ok(text)
        } else {
            Err(json::read(&text).unwrap_or(Fault::Unreachable))
        }
    }
}
