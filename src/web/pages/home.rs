//! The first page: what needs attention, what is happening, what is here, what was done lately. For an organization that
//! has nothing yet: the first steps.

use super::object::{lately, section};
use super::{head, refused_act, viewer_note};
use crate::api::session;
use crate::domain::locale::Locale;
use crate::domain::snapshot::SnapshotState;
use crate::i18n::{fault, format, t, words};
use crate::view::{About, HomeView, JobView, Need, NeedKind};
use crate::web::components::lists::failed;
use crate::web::components::progress;
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::maybe;
use crate::web::links::{self, Dialog};
use crate::web::written::later;
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let Some(frame) = use_frame() else {
        return ().into_any();
    };
    let viewer = (!frame.may_change()).then(viewer_note);
    let inside = later(async move {
        match session::home().await {
            // Every act begins a task or is written into the log.
            Ok(home) => {
                view! { <div id="home-now" class="home" data-live="work activity">{body(locale, &frame, &home)}</div> }
                    .into_any()
            }
            Err(reason) => failed(&reason),
        }
    });
    view! {
        {head(t!(locale, "home-title"), None, ().into_any())}
        {maybe(viewer)}
        {refused_act(locale)}
        {inside}
    }
    .into_any()
}

fn body(locale: Locale, frame: &Frame, home: &HomeView) -> AnyView {
    let nothing = home.instances.is_empty()
        && home.volumes.is_empty()
        && home.snapshots.is_empty()
        && home.templates.is_empty();
    let first = (nothing && frame.may_change()).then(|| steps(locale));
    let needs = (!nothing || !home.needs.is_empty()).then(|| needs(locale, frame, home));
    let jobs = (!home.jobs.is_empty()).then(|| jobs(locale, frame, &home.jobs));
    view! {
        {maybe(first)}
        {maybe(needs)}
        {maybe(jobs)}
        {section(t!(locale, "home-here"), here(locale, home))}
        {lately(locale, frame, &home.activity, links::ACTIVITY.to_owned())}
    }
    .into_any()
}

/// What one does first, in its order.
fn steps(locale: Locale) -> AnyView {
    let step = |words: String, href: String, act: String| {
        view! { <li><p>{words}</p> <a class="button small" href=href data-noscroll="">{act}</a></li> }
            .into_any()
    };
    let steps = view! {
        <p>{t!(locale, "home-first")}</p>
        <ol class="steps">
            {step(t!(locale, "home-first-template"), Dialog::ImportTemplate.on(links::HOME), t!(locale, "act-import-template"))}
            {step(t!(locale, "home-first-instance"), Dialog::CreateInstance.on(links::HOME), t!(locale, "act-create-instance"))}
            {step(t!(locale, "home-first-volume"), Dialog::CreateVolume.on(links::HOME), t!(locale, "act-create-volume"))}
            {step(t!(locale, "home-first-help"), links::HELP.to_owned(), t!(locale, "help-title"))}
        </ol>
    };
    section(t!(locale, "home-first-title"), steps.into_any())
}

/// A state of a list: its code, its words, how many.
type Count = (&'static str, String, u32);

/// How many of each there are; each number leads to them.
fn here(locale: Locale, home: &HomeView) -> AnyView {
    let instances = home.instances.iter();
    let instances = instances
        .map(|(state, count)| (state.code(), words::instance_state(locale, *state), *count));
    let volumes = home.volumes.iter();
    let volumes = volumes.map(|(state, count)| {
        (
            state.code(),
            words::volume_state(locale, *state, false),
            *count,
        )
    });
    let snapshots = home.snapshots.iter();
    let snapshots = snapshots
        .map(|(state, count)| (state.code(), words::snapshot_state(locale, *state), *count));
    let templates = home.templates.iter();
    let templates = templates
        .map(|(state, count)| (state.code(), words::template_state(locale, *state), *count));
    view! {
        <ul class="tallies">
            {tally(locale, links::INSTANCES, t!(locale, "instances-title"), instances.collect())}
            {tally(locale, links::VOLUMES, t!(locale, "volumes-title"), volumes.collect())}
            {tally(locale, links::SNAPSHOTS, t!(locale, "snapshots-title"), snapshots.collect())}
            {tally(locale, links::TEMPLATES, t!(locale, "templates-title"), templates.collect())}
        </ul>
    }
    .into_any()
}

fn tally(locale: Locale, list: &'static str, name: String, counts: Vec<Count>) -> AnyView {
    let total: u64 = counts.iter().map(|(.., count)| u64::from(*count)).sum();
    let states: Vec<AnyView> = counts
        .into_iter()
        .map(|(code, words, count)| {
            let number = format::count(locale, u64::from(count));
            view! { <li><a href=format!("{list}?state={code}")>{words} " " <b>{number}</b></a></li> }
                .into_any()
        })
        .collect();
    view! {
        <li class="card">
            <a class="all" href=list>{name} " " <b>{format::count(locale, total)}</b></a>
            <ul>{states}</ul>
        </li>
    }
    .into_any()
}

fn jobs(locale: Locale, frame: &Frame, jobs: &[JobView]) -> AnyView {
    let jobs: Vec<AnyView> = jobs
        .iter()
        .map(|job| {
            view! {
                <li id=format!("task-{}", job.id)>{progress::task(locale, frame, job)}</li>
            }
            .into_any()
        })
        .collect();
    section(
        t!(locale, "home-jobs"),
        view! { <ul class="jobs card">{jobs}</ul> }.into_any(),
    )
}

fn needs(locale: Locale, frame: &Frame, home: &HomeView) -> AnyView {
    let title = t!(locale, "home-needs");
    if home.needs.is_empty() {
        let words = t!(locale, "home-needs-none");
        return section(title, view! { <p class="note good">{words}</p> }.into_any());
    }
    let needs: Vec<AnyView> = home
        .needs
        .iter()
        .map(|need| one(locale, frame, need))
        .collect();
    section(
        title,
        view! { <ul class="needs card">{needs}</ul> }.into_any(),
    )
}

/// A sentence, the reason, and what to do.
fn one(locale: Locale, frame: &Frame, need: &Need) -> AnyView {
    let reason = need
        .fault
        .as_ref()
        .map(|reason| view! { <small>{fault::sentence(locale, reason)}</small> }.into_any());
    let retry = need
        .job
        .as_ref()
        .map(|job| progress::acts(locale, frame, job));
    let act = |href: String, words: String| {
        let named = t!(
            locale,
            "act-about",
            act = words.as_str(),
            name = need.name.as_str()
        );
        let named = (!need.name.is_empty()).then_some(named);
        view! { <a class="button small" href=href aria-label=named data-noscroll="">{words}</a> }
            .into_any()
    };
    let acts: Vec<AnyView> = ways(locale, frame, need)
        .into_iter()
        .map(|(href, words)| act(href, words))
        .collect();
    let class = if need.what < NeedKind::KitDue {
        "state bad"
    } else {
        "state idle"
    };
    view! {
        <li>
            <p class=class><span>{sentence(locale, need)}</span></p>
            {maybe(reason)}
            <div class="acts">{maybe(retry)} {acts}</div>
        </li>
    }
    .into_any()
}

fn sentence(locale: Locale, need: &Need) -> String {
    let name = need.name.as_str();
    let since = need
        .since
        .map(|since| format::date_time_sentence(locale, since))
        .unwrap_or_default();
    let bytes = format::bytes(locale, need.bytes);
    match need.what {
        NeedKind::KitDue => t!(locale, "kit-reminder"),
        NeedKind::NeverVerified => t!(
            locale,
            "need-never-verified",
            count = need.count,
            count_text = format::count(locale, u64::from(need.count)),
            date = since
        ),
        _ if need.about.is_none() => t!(locale, "need-more"),
        NeedKind::ZoneClosed => t!(locale, "need-zone-closed", name = name),
        NeedKind::ZoneFull => t!(locale, "need-zone-full", name = name, bytes = bytes),
        NeedKind::InstanceFailed => t!(locale, "need-instance-failed", name = name),
        NeedKind::VolumeFailed => t!(locale, "need-volume-failed", name = name),
        NeedKind::VolumeNotFilling => t!(locale, "need-volume-not-filling", name = name),
        NeedKind::SnapshotFailed => t!(locale, "need-snapshot-failed", name = name),
        NeedKind::TemplateFailed => t!(locale, "need-template-failed", name = name),
        NeedKind::NoSnapshot => t!(locale, "need-no-snapshot", name = name, bytes = bytes),
        NeedKind::MuchUnsaved => t!(
            locale,
            "need-much-unsaved",
            name = name,
            bytes = bytes,
            date = since
        ),
    }
}

/// Where to go: to the act if one may, and to what it is about.
fn ways(locale: Locale, frame: &Frame, need: &Need) -> Vec<(String, String)> {
    let mut ways = Vec::new();
    let failed = |list: &str| format!("{list}?state=failed");
    let see = t!(locale, "need-see");
    let all = t!(locale, "need-see-all");
    let dialog = match (need.what, need.about) {
        (NeedKind::InstanceFailed, Some(About::Instance(id))) => {
            Some((Dialog::Start(id), t!(locale, "act-start")))
        }
        (NeedKind::VolumeFailed, Some(About::Volume(id))) => {
            Some((Dialog::DeleteVolume(id), t!(locale, "act-delete")))
        }
        (NeedKind::NoSnapshot | NeedKind::MuchUnsaved, Some(About::Volume(id))) => {
            Some((Dialog::TakeSnapshot(id), t!(locale, "act-take-snapshot")))
        }
        (NeedKind::SnapshotFailed, Some(About::Snapshot(id))) => {
            Some((Dialog::DeleteSnapshot(id), t!(locale, "act-delete")))
        }
        (NeedKind::TemplateFailed, Some(About::Template(id))) => {
            Some((Dialog::DeleteTemplate(id), t!(locale, "act-delete")))
        }
        _ => None,
    };
    if let Some((dialog, words)) = dialog.filter(|_| frame.may_change()) {
        ways.push((dialog.on(links::HOME), words));
    }
    ways.push(match (need.about, need.what) {
        (Some(about), _) => (links::about(about, &need.name), see),
        (None, NeedKind::TemplateFailed) => (failed(links::TEMPLATES), all),
        (None, NeedKind::KitDue) => (links::KIT.to_owned(), t!(locale, "kit-reminder-save")),
        (None, NeedKind::InstanceFailed) => (failed(links::INSTANCES), all),
        (None, NeedKind::SnapshotFailed) => (failed(links::SNAPSHOTS), all),
        (None, NeedKind::NeverVerified) => (
            format!(
                "{}?state={}&sort=taken",
                links::SNAPSHOTS,
                SnapshotState::Saved.code()
            ),
            all,
        ),
        (None, NeedKind::VolumeFailed) => (failed(links::VOLUMES), all),
        (None, _) => (format!("{}?sort=snapshots", links::VOLUMES), all),
    });
    ways
}
