//! *Tâches*: what goes on, and what ended lately.

use super::{head, refused_act};
use crate::api::jobs;
use crate::domain::locale::Locale;
use crate::i18n::{format, t};
use crate::view::{JobView, TasksView};
use crate::web::components::lists::failed;
use crate::web::components::progress;
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::maybe;
use crate::web::links;
use crate::web::written::later;
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let Some(frame) = use_frame() else {
        return ().into_any();
    };
    let inside = later(async move {
        match jobs::tasks().await {
            Ok(tasks) => view! {
                <div id="tasks-now" data-live="work">{all(locale, &frame, &tasks)}</div>
            }
            .into_any(),
            Err(reason) => failed(&reason),
        }
    });
    let log = view! { <a class="button" href=links::ACTIVITY>{t!(locale, "nav-activity")}</a> };
    view! {
        {head(t!(locale, "tasks-title"), Some(t!(locale, "tasks-intro")), log.into_any())}
        {refused_act(locale)}
        {inside}
    }
    .into_any()
}

fn all(locale: Locale, frame: &Frame, tasks: &TasksView) -> AnyView {
    let live = if tasks.live.is_empty() {
        view! { <p class="quiet">{t!(locale, "tasks-live-none")}</p> }.into_any()
    } else {
        list(locale, frame, &tasks.live)
    };
    let part = |id, words: String, jobs: &[JobView]| {
        maybe((!jobs.is_empty()).then(|| section(id, words, list(locale, frame, jobs))))
    };
    view! {
        {section("tasks-live", t!(locale, "tasks-live"), live)}
        {part("tasks-failed", t!(locale, "tasks-failed"), &tasks.failed)}
        {part("tasks-ended", t!(locale, "tasks-ended"), &tasks.ended)}
    }
    .into_any()
}

fn section(id: &'static str, title: String, inside: AnyView) -> AnyView {
    view! { <section id=id class="card found"><h2>{title}</h2>{inside}</section> }.into_any()
}

fn list(locale: Locale, frame: &Frame, jobs: &[JobView]) -> AnyView {
    let items: Vec<AnyView> = jobs.iter().map(|job| task(locale, frame, job)).collect();
    view! { <ul class="jobs">{items}</ul> }.into_any()
}

fn task(locale: Locale, frame: &Frame, job: &JobView) -> AnyView {
    let asked = format::date_time(locale, job.asked);
    let when = match job.ended {
        Some(ended) => t!(
            locale,
            "tasks-when",
            asked = asked,
            ended = format::time(locale, ended)
        ),
        None => asked,
    };
    view! {
        <li id=format!("task-{}", job.id)>
            {progress::task(locale, frame, job)}
            <small>{when}</small>
        </li>
    }
    .into_any()
}
