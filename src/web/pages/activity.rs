//! The activity log: who did what, when, and how it ended.

use super::head;
use crate::domain::locale::Locale;
use crate::i18n::{fault, format, t, words};
use crate::view::{Act, ActivityRow, Outcome};
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::lists::{Phase, failed, loading, pager, rows, use_page};
use crate::web::components::status::{Tone, status};
use crate::web::components::{icon, progress};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::{each, follow, maybe, memo};
use crate::web::links;
use leptos::prelude::*;

type Rows = Memo<Vec<ActivityRow>>;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(list).into_any()
}

fn list(frame: Frame) -> AnyView {
    let locale = use_locale();
    let page = use_page();
    let live = frame.live;
    // A task's progress changes its entry too.
    let asked = ask(move || {
        (
            Question::Activity(page.get().into()),
            live.activity.get().wrapping_add(live.jobs.get()),
        )
    });
    let inside = move || {
        let rows: Rows = rows(asked, |answer| match answer {
            Answer::Activity(page) => Some(&page.rows),
            _ => None,
        });
        let phase = Phase::of(asked);
        let frame = frame.clone();
        follow(move || match phase.get() {
            None => loading(),
            Some(Phase::Failed(reason)) => failed(&reason),
            Some(Phase::Empty) => empty(),
            Some(Phase::Rows) => {
                view! { {table(frame.clone(), rows)} {pager(links::ACTIVITY, asked)} }.into_any()
            }
        })
    };
    view! {
        {head(t!(locale, "activity-title"), Some(t!(locale, "activity-intro")), ().into_any())}
        <Transition fallback=loading>{inside()}</Transition>
    }
    .into_any()
}

fn empty() -> AnyView {
    let locale = use_locale();
    view! {
        <div class="card empty">
            {icon::activity()}
            <h2>{t!(locale, "activity-empty-title")}</h2>
            <p>{t!(locale, "activity-empty")}</p>
        </div>
    }
    .into_any()
}

fn table(frame: Frame, rows: Rows) -> AnyView {
    let locale = use_locale();
    view! {
        <div class="card scroll">
            <table class="list activity" role="table">
                <caption class="unseen">{t!(locale, "activity-caption")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        <th role="columnheader" scope="col">{t!(locale, "activity-column-when")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "activity-column-who")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "activity-column-act")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "activity-column-subject")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "activity-column-outcome")}</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    {each(
                        move || rows.with(|rows| rows.iter().map(|row| row.id).collect()),
                        move |id| row(frame.clone(), rows, id),
                    )}
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(frame: Frame, rows: Rows, id: u64) -> AnyView {
    let locale = use_locale();
    let row = memo(move |_| rows.with(|rows| rows.iter().find(|row| row.id == id).cloned()));
    let Some(first) = row.get_untracked() else {
        return ().into_any();
    };
    let who = first
        .who
        .clone()
        .unwrap_or_else(|| t!(locale, "activity-system"));
    let outcome =
        follow(move || row.with(|row| maybe(row.as_ref().map(|row| outcome(locale, &frame, row)))));
    view! {
        <tr role="row">
            <td role="cell" data-label=t!(locale, "activity-column-when")>
                <time datetime=format::machine(first.when)>{format::date_time(locale, first.when)}</time>
            </td>
            <td role="cell" data-label=t!(locale, "activity-column-who")><bdi class="name" title=who.clone()>{who.clone()}</bdi></td>
            <th role="rowheader" scope="row">{act(locale, first.act)}</th>
            <td role="cell" data-label=t!(locale, "activity-column-subject")>
                <bdi class="name" title=first.subject.clone()>{first.subject.clone()}</bdi>
            </td>
            <td role="cell" class="state-cell" data-label=t!(locale, "activity-column-outcome")>{outcome}</td>
        </tr>
    }
    .into_any()
}

fn act(locale: Locale, act: Act) -> String {
    match act {
        Act::SignIn => t!(locale, "activity-sign-in"),
        Act::SignInRefused => t!(locale, "activity-sign-in-refused"),
        Act::SignOut => t!(locale, "activity-sign-out"),
        Act::Job(kind) => words::job_kind(locale, kind),
        Act::Interrupt(kind) => t!(locale, "activity-interrupt", kind = words::job_key(kind)),
        Act::Retry(kind) => t!(locale, "activity-retry", kind = words::job_key(kind)),
        Act::Attach => t!(locale, "activity-attach"),
        Act::Detach => t!(locale, "activity-detach"),
        Act::RenamePoint => t!(locale, "activity-rename-point"),
        Act::SetClock => t!(locale, "activity-set-clock"),
        Act::SnapshotGone => t!(locale, "activity-snapshot-gone"),
        Act::TemplateGone => t!(locale, "activity-template-gone"),
        Act::SaveKit => t!(locale, "activity-save-kit"),
    }
}

fn outcome(locale: Locale, frame: &Frame, row: &ActivityRow) -> AnyView {
    let (tone, words) = match &row.outcome {
        Outcome::Done => (Tone::Good, t!(locale, "outcome-done")),
        Outcome::Running => (Tone::Busy, t!(locale, "outcome-running")),
        Outcome::Interrupted => (Tone::Idle, t!(locale, "outcome-interrupted")),
        Outcome::Failed(_) => (Tone::Bad, t!(locale, "outcome-failed")),
    };
    let reason = match &row.outcome {
        Outcome::Failed(reason) => {
            Some(view! { <small>{fault::sentence(locale, reason)}</small> }.into_any())
        }
        Outcome::Done | Outcome::Running | Outcome::Interrupted => None,
    };
    let work = row
        .job
        .as_ref()
        .filter(|_| row.outcome == Outcome::Running || matches!(row.outcome, Outcome::Failed(_)));
    let work = work.map(|job| {
        let detail = job.state.is_live().then(|| progress::detail(locale, job));
        view! { {maybe(detail)} {progress::acts(locale, frame, job)} }.into_any()
    });
    view! { {status(tone, words)} {maybe(reason)} {maybe(work)} }.into_any()
}
