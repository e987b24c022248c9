//! How far long work has come, and what one can do about it.

use super::status::{Tone, status};
use crate::domain::job::JobState;
use crate::domain::locale::Locale;
use crate::domain::size::Bytes;
use crate::i18n::{fault, format, t, words};
use crate::view::JobView;
use crate::web::ask::{Act, form};
use crate::web::context::Frame;
use crate::web::erased::maybe;
use crate::web::links;
use leptos::prelude::*;

/// *806 Mio sur 1,3 Gio, 94 Mio/s, 5 s restantes*; none while the total is not known.
pub fn figures(locale: Locale, job: &JobView) -> Option<String> {
    let total = job.total.filter(|total| total.0 > 0)?;
    let done = format::bytes(locale, job.done);
    let whole = format::bytes(locale, total);
    let Some(speed) = job
        .speed
        .filter(|speed| speed.0 > 0 && job.state == JobState::Running)
    else {
        return Some(t!(locale, "progress-of", done = done, total = whole));
    };
    let seconds = total.0.saturating_sub(job.done.0).div_ceil(speed.0);
    let speed = format::rate(locale, speed);
    if seconds == 0 {
        return Some(t!(
            locale,
            "progress-of-speed",
            done = done,
            total = whole,
            speed = speed
        ));
    }
    let left = format::time_left(locale, seconds);
    Some(t!(
        locale,
        "progress-of-speed-left",
        done = done,
        total = whole,
        speed = speed,
        left = left
    ))
}

/// Percents of the work, once its size is known.
pub fn percents(job: &JobView) -> Option<u64> {
    job.total
        .filter(|total| total.0 > 0)
        .map(|total| format::percent_of(job.done, total))
}

/// A bar. It is not announced as it grows: its end is, by a notice.
pub fn bar(label: String, done: Bytes, total: Option<Bytes>) -> AnyView {
    match total.filter(|total| total.0 > 0) {
        Some(total) => {
            let percents = format::percent_of(done, total).to_string();
            view! { <progress max="100" value=percents aria-label=label></progress> }.into_any()
        }
        None => view! { <progress aria-label=label></progress> }.into_any(),
    }
}

/// A task in a list: what it is, how it stands and what can be done about it, how far it has come.
pub fn task(locale: Locale, frame: &Frame, job: &JobView) -> AnyView {
    view! {
        <p class="what"><b>{words::job_kind(locale, job.kind)}</b> {subject(job)}</p>
        <div class="how">{job_status(locale, job)} {acts(locale, frame, job)}</div>
        {detail(locale, job)}
    }
    .into_any()
}

/// What a task works on; a link where that is there.
fn subject(job: &JobView) -> AnyView {
    let name = view! { <bdi>{job.subject.clone()}</bdi> };
    if job.object.is_empty() {
        return name.into_any();
    }
    let place = links::work(job.kind, &job.object);
    view! { <a href=place>{name}</a> }.into_any()
}

/// The bar and figures of a live task, or why it failed; nothing for one that went well.
pub fn detail(locale: Locale, job: &JobView) -> AnyView {
    let label = t!(locale, "progress-label", name = job.subject.as_str());
    match job.state {
        JobState::Queued => ().into_any(),
        JobState::Running => {
            let figures = figures(locale, job);
            let figures = figures
                .map(|figures| view! { <small class="figures">{figures}</small> }.into_any());
            view! { {bar(label, job.done, job.total)} {maybe(figures)} }.into_any()
        }
        JobState::Waiting => {
            let why = job.fault.as_ref().map(|why| fault::sentence(locale, why));
            let next = match job.next_attempt {
                Some(at) => t!(locale, "job-state-waiting", time = format::time(locale, at)),
                None => t!(locale, "job-state-waiting-soon"),
            };
            view! { {reason(why)} <small>{next}</small> }.into_any()
        }
        JobState::Failed | JobState::Interrupted => {
            let why = job.fault.as_ref().map(|why| fault::sentence(locale, why));
            reason(why)
        }
        JobState::Succeeded => ().into_any(),
    }
}

/// The state of a task in words, after its shape.
pub fn job_status(locale: Locale, job: &JobView) -> AnyView {
    if job.interrupting && job.state.is_live() {
        return status(Tone::Busy, t!(locale, "job-state-interrupting"));
    }
    let tone = match job.state {
        JobState::Queued | JobState::Waiting | JobState::Interrupted => Tone::Idle,
        JobState::Running => Tone::Busy,
        JobState::Succeeded => Tone::Good,
        JobState::Failed => Tone::Bad,
    };
    let words = match (job.state, percents(job)) {
        (JobState::Running, Some(percents)) => {
            t!(
                locale,
                "job-state-running-percent",
                percent = format::percent(locale, percents)
            )
        }
        _ => words::job_state(locale, job.state),
    };
    status(tone, words)
}

/// Why, in small letters.
fn reason(why: Option<String>) -> AnyView {
    maybe(why.map(|why| view! { <small>{why}</small> }.into_any()))
}

/// *Interrompre* and *Réessayer*, where they are possible now.
pub fn acts(locale: Locale, frame: &Frame, job: &JobView) -> AnyView {
    let button = |act: Act, words: String, named: String| {
        let inside = view! {
            <input type="hidden" name="job" value=job.id.to_string()/>
            <button type="submit" class="link" aria-label=named>{words}</button>
        };
        let acting = if act == Act::Interrupt {
            frame.interrupt
        } else {
            frame.retry
        };
        form(acting, act, "inline", inside.into_any())
    };
    let name = job.subject.as_str();
    let interrupt = (job.may_interrupt && !job.interrupting).then(|| {
        button(
            Act::Interrupt,
            t!(locale, "job-interrupt"),
            t!(locale, "job-interrupt-named", name = name),
        )
    });
    let retry = job.may_retry.then(|| {
        button(
            Act::Retry,
            t!(locale, "job-retry"),
            t!(locale, "job-retry-named", name = name),
        )
    });
    view! { {maybe(interrupt)} {maybe(retry)} }.into_any()
}
