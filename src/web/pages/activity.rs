//! The activity log: who did what, when, through which door, and how it ended.

use super::head;
use crate::domain::locale::Locale;
use crate::domain::role::Door;
use crate::i18n::{fault, t, words};
use crate::view::{Act, ActivityRow, Outcome};
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::narrow::{Fields, Filter, use_listing};
use crate::web::components::status::{Tone, status};
use crate::web::components::table::{Column, List, list, name, named};
use crate::web::components::{icon, progress, when};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::maybe;
use crate::web::links;
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(shown).into_any()
}

fn shown(frame: Frame) -> AnyView {
    let locale = use_locale();
    view! {
        {head(t!(locale, "activity-title"), Some(t!(locale, "activity-intro")), file())}
        {log(frame, links::ACTIVITY.to_owned(), String::new())}
    }
    .into_any()
}

/// The list as it is asked for, as a file.
fn file() -> AnyView {
    let here = links::use_here();
    let href = move || here.with(|here| here.replacen(links::ACTIVITY, links::ACTIVITY_FILE, 1));
    let words = t!(use_locale(), "activity-csv");
    view! { <a class="button" rel="external" href=href>{words}</a> }.into_any()
}

/// The log, at this address; of everything, or of one object and what belongs to it.
pub fn log(frame: Frame, path: String, of: String) -> AnyView {
    let locale = use_locale();
    let (listing, live) = (use_listing(), frame.live);
    // A task's progress changes its entry too.
    let asked = ask(move || {
        let mut listing = listing.get();
        if !of.is_empty() {
            listing.of.clone_from(&of);
        }
        (
            Question::Activity(listing),
            live.activity.get().wrapping_add(live.jobs.get()),
        )
    });
    let doors = Door::ALL;
    let doors = doors.map(|door| (door.code().to_owned(), words::door(locale, door)));
    let table = List {
        name: "activity",
        path,
        caption: t!(locale, "activity-caption"),
        noun: "",
        pick: |answer| match answer {
            Answer::Activity(page) => Some(page),
            _ => None,
        },
        row: |row| (u128::from(row.id), row.id.to_string(), row.subject.clone()),
        columns: columns(locale),
        fields: Fields {
            filters: vec![Filter {
                field: "door",
                label: t!(locale, "activity-column-door"),
                options: doors.into(),
            }],
            days: true,
        },
        acts: |_, _, _| Vec::new(),
        several: Vec::new(),
        plain: Vec::new(),
        empty,
    };
    list(frame, asked, table)
}

fn empty(_: &Frame) -> AnyView {
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

fn columns(locale: Locale) -> Vec<Column<ActivityRow>> {
    vec![
        Column {
            sort: "kind",
            title: t!(locale, "activity-column-act"),
            class: "",
            draw: |locale, _, row| act(locale, row.act).into_any(),
        },
        Column {
            sort: "subject",
            title: t!(locale, "activity-column-subject"),
            class: "",
            draw: |_, _, row| match row.about {
                Some(about) => named(links::about(about, &row.subject), &row.subject),
                None => name(&row.subject),
            },
        },
        Column {
            sort: "when",
            title: t!(locale, "activity-column-when"),
            class: "",
            draw: |locale, _, row| when(locale, row.when),
        },
        Column {
            sort: "who",
            title: t!(locale, "activity-column-who"),
            class: "",
            draw: |locale, _, row| match &row.who {
                Some(who) => name(who),
                None => t!(locale, "activity-system").into_any(),
            },
        },
        Column {
            sort: "",
            title: t!(locale, "activity-column-door"),
            class: "",
            draw: |locale, _, row| words::door(locale, row.door).into_any(),
        },
        Column {
            sort: "",
            title: t!(locale, "activity-column-outcome"),
            class: "state-cell",
            draw: outcome,
        },
    ]
}

/// What was done, in words.
pub fn act(locale: Locale, act: Act) -> String {
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
        Act::RenameMember => t!(locale, "activity-rename-member"),
        Act::ChangePassword => t!(locale, "activity-change-password"),
        Act::ChangePasswordRefused => t!(locale, "activity-change-password-refused"),
        Act::EndSessions => t!(locale, "activity-end-sessions"),
        Act::Invite(role) => t!(locale, "activity-invite", role = role.code()),
        Act::WithdrawInvitation => t!(locale, "activity-withdraw-invitation"),
        Act::Join => t!(locale, "activity-join"),
        Act::ChangeRole(role) => t!(locale, "activity-change-role", role = role.code()),
        Act::RemoveMember => t!(locale, "activity-remove-member"),
        Act::Leave => t!(locale, "activity-leave"),
    }
}

/// How it ended, and what can be done about it.
pub(super) fn outcome(locale: Locale, frame: &Frame, row: &ActivityRow) -> AnyView {
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
