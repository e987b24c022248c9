//! One instance: what stands above its pages (name, state, acts, tabs), and the pages *Volumes* and *Activité*.
//!
//! The header is drawn once and stays while one goes from tab to tab; only what changes in it is drawn anew, so that an
//! open menu stays open.

use super::object::lost;
use super::volumes::filling;
use super::{cell, column, unseen_header};
use crate::domain::id::{InstanceId, VolumeId};
use crate::domain::instance::InstanceState;
use crate::domain::job::{JobKind, JobState};
use crate::domain::locale::Locale;
use crate::domain::volume::VolumeKind;
use crate::i18n::{fault, format, t, words};
use crate::view::{InstanceRow, InstanceView, JobView, VolumeRow};
use crate::web::ask::{Answer, Asked, Question, ask, once_there};
use crate::web::components::lists::{Phase, loading, stale};
use crate::web::components::menu::{Entry, Size, entries, menu};
use crate::web::components::progress;
use crate::web::components::status::{Tone, status};
use crate::web::components::table::named as named_link;
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::{Memo, follow, mark, maybe, memo, text, value};
use crate::web::links::{self, Dialog};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use leptos_router::hooks::{use_location, use_params_map};
use leptos_router::params::ParamsMap;

/// What the pages of an instance share: what the server says of it.
#[derive(Clone, Copy)]
struct Shared(Asked);

pub(super) type Found = Memo<Option<Box<InstanceView>>>;

/// The newest answer; a failed refresh leaves it as it was. To be made under the `Transition` it is read in.
fn found(asked: Asked) -> Found {
    memo(move |before: Option<&Option<Box<InstanceView>>>| {
        asked.with(|answer| match answer {
            Some(Ok(Answer::Instance(view))) => Some(view.clone()),
            _ => before.cloned().flatten(),
        })
    })
}

/// The instance that the address names. Another spelling than ours names none that exists.
pub fn use_instance() -> InstanceId {
    use_params_map().with_untracked(named)
}

fn named(params: &ParamsMap) -> InstanceId {
    let id = params.get_str("id").and_then(|id| id.parse().ok());
    id.unwrap_or(InstanceId::from_bytes([0; 16]))
}

/// The browser's history can lead from one instance right to another, whose page is then made anew.
#[cfg(feature = "hydrate")]
fn keep_to(id: InstanceId) {
    let params = use_params_map();
    crate::web::erased::effect(move || {
        if params.with(named) != id {
            _ = location().reload();
        }
    });
}

/// What surrounds the pages of an instance.
pub fn surroundings() -> AnyView {
    use_frame().map(surround).into_any()
}

fn surround(frame: Frame) -> AnyView {
    let locale = use_locale();
    let id = use_instance();
    let live = frame.live;
    // Its points and the log stand in the overview.
    let asked = ask(move || {
        let versions = live.instances.get().wrapping_add(live.points.get());
        (
            Question::Instance(id),
            versions.wrapping_add(live.activity.get()),
        )
    });
    provide_context(Shared(asked));
    #[cfg(feature = "hydrate")]
    keep_to(id);
    let inside = move || {
        let found = found(asked);
        let phase = Phase::of(asked);
        let frame = frame.clone();
        follow(move || match phase.get() {
            None => loading(),
            Some(Phase::Failed(reason)) => {
                lost(t!(locale, "instances-title"), links::INSTANCES, &reason)
            }
            Some(_) => {
                view! { {stale(&frame, asked)} {header(frame.clone(), id, found)} }.into_any()
            }
        })
    };
    view! {
        <Transition fallback=loading>{once_there([asked], inside)}</Transition>
        <div class="tab"><Outlet/></div>
    }
    .into_any()
}

fn header(frame: Frame, id: InstanceId, found: Found) -> AnyView {
    let locale = use_locale();
    let here = links::use_here();
    let may_change = frame.may_change();
    let name = memo(move |_| {
        found.with(|found| {
            found
                .as_ref()
                .map(|view| view.row.name.clone())
                .unwrap_or_default()
        })
    });
    let about = follow(move || {
        found.with(|found| maybe(found.as_ref().map(|view| state(locale, &frame, &view.row))))
    });
    let act = may_change.then(|| {
        let items = follow(move || {
            found.with(|found| maybe(found.as_ref().map(|view| entries(acts(locale, may_change, &view.row, &here.get())))))
        });
        let point = value(move || Dialog::CreatePoint(id).on(&here.get()));
        view! {
            {menu("act-instance".to_owned(), t!(locale, "act-menu"), t!(locale, "act-menu"), Size::Normal, items)}
            <a class="button primary" href=point data-noscroll="">{t!(locale, "point-create")}</a>
        }
        .into_any()
    });
    view! {
        <Title text=move || t!(locale, "app-title", page = name.get())/>
        <p class="crumb"><a href=links::INSTANCES>{t!(locale, "instances-title")}</a></p>
        <div class="head">
            <div class="instance">
                <h1><bdi>{text(move || name.get())}</bdi></h1>
                <div class="state-cell">{about}</div>
            </div>
            <div class="acts">{maybe(act)}</div>
        </div>
        {tabs(locale, id)}
    }
    .into_any()
}

/// The pages of an instance. Each has an address of its own, so they are links.
fn tabs(locale: Locale, id: InstanceId) -> AnyView {
    let path = use_location().pathname;
    let tab = move |href: String, words: String| {
        let address = href.clone();
        let here = mark(move || {
            let path = path.get();
            // The points have a page each below their own.
            let below = address.ends_with("/points") && path.starts_with(&address);
            (below || path == address).then_some("page")
        });
        view! { <li><a href=href aria-current=here>{words}</a></li> }.into_any()
    };
    view! {
        <nav class="tabs" aria-label=t!(locale, "instance-tabs")>
            <ul>
                {tab(links::instance(id), t!(locale, "instance-tab-overview"))}
                {tab(links::instance_volumes(id), t!(locale, "instance-tab-volumes"))}
                {tab(links::points(id, None), t!(locale, "instance-tab-points"))}
                {tab(links::instance_activity(id), t!(locale, "instance-tab-activity"))}
                {tab(links::serial(id, None), t!(locale, "instance-tab-serial"))}
            </ul>
        </nav>
    }
    .into_any()
}

/// The acts on an instance, as links to their dialogs above the page `here`; one that its state does not allow says why.
pub fn acts(locale: Locale, may_change: bool, row: &InstanceRow, here: &str) -> Vec<Entry> {
    let id = row.id;
    let busy = row.job.as_ref().is_some_and(|job| job.state.is_live());
    let running = row.state == InstanceState::Running;
    let resting = matches!(row.state, InstanceState::Stopped | InstanceState::Failed);
    let act = |words: String, dialog: Dialog, state: bool, otherwise: &dyn Fn() -> String| {
        let reason = if !may_change {
            Some(t!(locale, "reason-viewer"))
        } else if busy {
            Some(t!(locale, "reason-busy"))
        } else {
            (!state).then(otherwise)
        };
        Entry::new(words, reason, || dialog.on(here))
    };
    let not_running = || t!(locale, "reason-not-running");
    let not_stopped = || t!(locale, "reason-not-stopped");
    let already = || t!(locale, "reason-not-resting");
    let passing = || t!(locale, "reason-busy");
    vec![
        act(
            t!(locale, "act-start"),
            Dialog::Start(id),
            resting,
            &already,
        ),
        act(
            t!(locale, "act-stop"),
            Dialog::Stop(id),
            running,
            &not_running,
        ),
        act(
            t!(locale, "act-reboot"),
            Dialog::Reboot(id),
            running,
            &not_running,
        ),
        act(
            t!(locale, "act-force-stop"),
            Dialog::ForceStop(id),
            running,
            &not_running,
        ),
        act(
            t!(locale, "point-create"),
            Dialog::CreatePoint(id),
            running || resting,
            &passing,
        )
        .apart(),
        Entry::link(t!(locale, "act-see-points"), links::points(id, None)),
        Entry::link(t!(locale, "act-see-serial"), links::serial(id, None)),
        act(
            t!(locale, "act-delete"),
            Dialog::DeleteInstance(id),
            resting,
            &not_stopped,
        )
        .danger()
        .apart(),
    ]
}

/// The state, what is being done beside it, and why where something went wrong.
pub fn state(locale: Locale, frame: &Frame, row: &InstanceRow) -> AnyView {
    let tone = match row.state {
        InstanceState::Running => Tone::Good,
        InstanceState::Stopped => Tone::Idle,
        InstanceState::Failed => Tone::Bad,
        InstanceState::Creating
        | InstanceState::Starting
        | InstanceState::Stopping
        | InstanceState::Deleting => Tone::Busy,
    };
    let reason = row
        .fault
        .as_ref()
        .map(|reason| view! { <small>{fault::sentence(locale, reason)}</small> }.into_any());
    let work = row.job.as_ref().map(|job| work(locale, frame, job));
    view! { {status(tone, words::instance_state(locale, row.state))} {maybe(work)} {maybe(reason)} }
        .into_any()
}

/// What is being done, where the state itself does not say it; how far it has come, where that can be told.
fn work(locale: Locale, frame: &Frame, job: &JobView) -> AnyView {
    let live = job.state.is_live();
    let beside = matches!(
        job.kind,
        JobKind::CreatePoint | JobKind::DeletePoint | JobKind::Rollback | JobKind::RebootInstance
    );
    let doing = (live && beside).then(|| {
        view! {
            <small class="doing">
                <span class="spinner" aria-hidden="true"></span>
                {words::job_kind(locale, job.kind)}
            </small>
        }
        .into_any()
    });
    let measured = job.total.is_some_and(|total| total.0 > 0) || job.state == JobState::Waiting;
    let detail = (live && measured).then(|| progress::detail(locale, job));
    view! { {maybe(doing)} {maybe(detail)} {progress::acts(locale, frame, job)} }.into_any()
}

/// A tab that draws what is known of the instance. Where nothing is, the header says why.
pub(super) fn tab(draw: impl Fn(Frame, Found) -> AnyView + Send + 'static) -> AnyView {
    let (Some(frame), Some(shared)) = (use_frame(), use_context::<Shared>()) else {
        return ().into_any();
    };
    let inside = move || {
        let found = found(shared.0);
        let there = memo(move |_| found.with(Option::is_some));
        follow(move || maybe(there.get().then(|| draw(frame.clone(), found))))
    };
    view! { <Transition fallback=|| ()>{once_there([shared.0], inside)}</Transition> }.into_any()
}

/// *Activité*
pub fn activity() -> AnyView {
    let id = use_instance();
    let log = |frame| super::activity::log(frame, links::instance_activity(id), id.to_string());
    use_frame().map(log).into_any()
}

/// *Volumes*
pub fn volumes() -> AnyView {
    tab(disks)
}

fn disks(frame: Frame, found: Found) -> AnyView {
    let locale = use_locale();
    let may_change = frame.may_change();
    // What is in the rows changes seldom: the table is drawn anew with it.
    let rows = memo(move |_| {
        found.with(|found| {
            found
                .as_ref()
                .map(|view| view.volumes.clone())
                .unwrap_or_default()
        })
    });
    let still = memo(move |_| {
        found.with(|found| {
            found.as_ref().is_some_and(|view| {
                let busy = view.row.job.as_ref().is_some_and(|job| job.state.is_live());
                !busy
                    && matches!(
                        view.row.state,
                        InstanceState::Stopped | InstanceState::Failed
                    )
            })
        })
    });
    let id = memo(move |_| found.with(|found| found.as_ref().map(|view| view.row.id)));
    let above = follow(move || {
        match id.get().filter(|_| may_change) {
        Some(id) if still.get() => view! {
            <div class="above">
                <a class="button" href=Dialog::Attach(id).on(&links::instance_volumes(id)) data-noscroll="">{t!(locale, "act-attach")}</a>
            </div>
        }
        .into_any(),
        Some(_) => view! { <p class="note attach">{t!(locale, "attach-stopped")}</p> }.into_any(),
        None => ().into_any(),
    }
    });
    let body = follow(move || {
        let detach = id.get().filter(|_| may_change && still.get());
        let disk = |row: &VolumeRow| disk(locale, &frame, detach, row);
        let rows: Vec<AnyView> = rows.with(|rows| rows.iter().map(disk).collect());
        view! { <tbody role="rowgroup">{rows}</tbody> }.into_any()
    });
    view! {
        {above}
        <div class="card scroll">
            <table class="list" role="table">
                <caption class="unseen">{t!(locale, "instance-volumes-caption")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {column("", t!(locale, "volumes-column-name"))}
                        {column("", t!(locale, "volumes-column-kind"))}
                        {column("number", t!(locale, "volumes-column-size"))}
                        {column("number", t!(locale, "volumes-column-written"))}
                        {column("number", t!(locale, "volumes-column-snapshots"))}
                        {unseen_header(may_change, "act", t!(locale, "volumes-column-action"))}
                    </tr>
                </thead>
                {body}
            </table>
        </div>
    }
    .into_any()
}

/// A volume of the instance; `detach`: of which instance it can be detached now.
fn disk(locale: Locale, frame: &Frame, detach: Option<InstanceId>, row: &VolumeRow) -> AnyView {
    let written = match row.written {
        Some(written) => format::bytes(locale, written),
        None => t!(locale, "volumes-unknown"),
    };
    let act = detach.map(|instance| {
        let link =
            (row.kind == VolumeKind::Data).then(|| link(locale, instance, row.id, &row.name));
        view! { <td role="cell" class="act">{maybe(link)}</td> }.into_any()
    });
    let plain = |words: String| words.into_any();
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                {named_link(links::volume(row.id), &row.name)}
                {maybe(row.filling.then(|| filling(locale, frame, row)))}
            </th>
            {cell(t!(locale, "volumes-column-kind"), "", plain(words::volume_kind(locale, row.kind)))}
            {cell(t!(locale, "volumes-column-size"), "number", plain(format::bytes(locale, row.size)))}
            {cell(t!(locale, "volumes-column-written"), "number", plain(written))}
            {cell(t!(locale, "volumes-column-snapshots"), "number", plain(format::count(locale, u64::from(row.snapshots))))}
            {maybe(act)}
        </tr>
    }
    .into_any()
}

fn link(locale: Locale, instance: InstanceId, volume: VolumeId, name: &str) -> AnyView {
    let href = Dialog::Detach(instance, volume).on(&links::instance_volumes(instance));
    let named = t!(locale, "act-detach-named", name = name);
    view! { <a class="button small" href=href aria-label=named data-noscroll="">{t!(locale, "act-detach")}</a> }
        .into_any()
}
