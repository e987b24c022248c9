//! Notices: what was set going, and what ended while one looked at something else.

use super::ask::{Answer, Asked};
use super::components::icon;
use super::context::use_locale;
use super::erased::{each, maybe};
use super::links;
use crate::domain::fault::Fault;
use crate::domain::id::JobId;
use crate::domain::job::{JobKind, JobState};
use crate::domain::locale::Locale;
use crate::i18n::format::count;
use crate::i18n::{fault, t, words};
use crate::view::{JobView, Started};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use std::collections::HashSet;
use std::time::Duration;

/// At most so many at once; older ones go.
const SHOWN: usize = 3;
/// How long a notice stays: what was set going will have moved on, and the list of tasks and the log still tell of it.
/// What failed stays until it is closed.
const STAYS: Duration = Duration::from_secs(10);

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Toast {
    number: u64,
    title: String,
    /// The name of what it is about; empty where there is none.
    subject: String,
    note: Option<String>,
    link: Option<&'static str>,
    bad: bool,
}

/// The notices of this page.
#[derive(Clone, Copy)]
pub struct Toasts {
    list: RwSignal<Vec<Toast>>,
    next: StoredValue<u64>,
}

impl Toasts {
    /// None yet.
    pub fn new() -> Self {
        Self {
            list: RwSignal::new(Vec::new()),
            next: StoredValue::new(0),
        }
    }

    fn push(
        self,
        title: String,
        subject: String,
        note: Option<String>,
        link: Option<&'static str>,
        bad: bool,
    ) {
        let number = self.next.get_value();
        self.next.set_value(number.wrapping_add(1));
        self.list.update(|list| {
            list.push(Toast {
                number,
                title,
                subject,
                note,
                link,
                bad,
            });
            let surplus = list.len().saturating_sub(SHOWN);
            list.drain(..surplus);
        });
        if !bad {
            set_timeout(move || self.close(number), STAYS);
        }
    }

    fn find(self, number: u64) -> Option<Toast> {
        self.list
            .with_untracked(|list| list.iter().find(|toast| toast.number == number).cloned())
    }

    fn close(self, number: u64) {
        // The page may have gone meanwhile.
        _ = self
            .list
            .try_update(|list| list.retain(|toast| toast.number != number));
    }

    /// What was set going.
    pub fn started(self, started: Started) {
        let locale = use_locale();
        let note = t!(locale, "toast-leave");
        let subject = match started.others {
            0 => started.subject,
            others => t!(
                locale,
                "toast-others",
                name = started.subject,
                count = u64::from(others),
                count_text = count(locale, u64::from(others))
            ),
        };
        self.push(
            words::started(locale, started.kind),
            subject,
            Some(note),
            Some(place(started.kind)),
            false,
        );
    }

    /// An act of the row or of the list of tasks was refused.
    pub fn refused(self, refusal: &Fault) {
        self.push(
            fault::sentence(use_locale(), refusal),
            String::new(),
            None,
            None,
            true,
        );
    }

    fn ended(self, job: &JobView) {
        let locale = use_locale();
        if let Some(title) = words::ended(locale, job.kind, job.state) {
            let reason = job.fault.as_ref().filter(|_| job.state == JobState::Failed);
            let note = reason.map(|reason| fault::sentence(locale, reason));
            self.push(
                title,
                job.subject.clone(),
                note,
                Some(place(job.kind)),
                job.state == JobState::Failed,
            );
        }
    }
}

/// The page on which the work and its result are seen.
const fn place(kind: JobKind) -> &'static str {
    match kind {
        JobKind::TakeSnapshot | JobKind::DeleteSnapshot | JobKind::VerifySnapshot => {
            links::SNAPSHOTS
        }
        JobKind::CreateVolume
        | JobKind::ImportVolume
        | JobKind::DeleteVolume
        | JobKind::RestoreVolume
        | JobKind::FillVolume => links::VOLUMES,
        JobKind::CreateInstance
        | JobKind::StartInstance
        | JobKind::StopInstance
        | JobKind::RebootInstance
        | JobKind::DeleteInstance
        | JobKind::CreatePoint
        | JobKind::DeletePoint
        | JobKind::Rollback => links::INSTANCES,
        JobKind::CreateTemplate | JobKind::ImportTemplate | JobKind::DeleteTemplate => {
            links::TEMPLATES
        }
    }
}

/// Tells when a task ends that was seen going on, unless its row is in sight. Failures are always told.
pub fn tell_ends(toasts: Toasts, jobs: Asked) {
    let path = use_location().pathname;
    Effect::new(move |seen: Option<HashSet<JobId>>| {
        let mut seen = seen.unwrap_or_default();
        let Some(Ok(Answer::Jobs(jobs))) = jobs.get() else {
            return seen;
        };
        for job in &jobs {
            if job.state.is_live() {
                seen.insert(job.id);
            } else if seen.remove(&job.id)
                && (job.state == JobState::Failed || path.get_untracked() != place(job.kind))
            {
                toasts.ended(job);
            }
        }
        seen
    });
}

/// Where notices appear. Always in the page, so that screen readers watch it.
#[component]
pub fn ToastRegion(toasts: Toasts) -> impl IntoView {
    let locale = use_locale();
    view! {
        <div class="toasts" role="status" aria-label=t!(locale, "toast-region")>
            {each(
                move || toasts.list.with(|all| all.iter().map(|toast| toast.number).collect()),
                move |number| maybe(toasts.find(number).map(|toast| notice(locale, toasts, toast))),
            )}
        </div>
    }
}

fn notice(locale: Locale, toasts: Toasts, toast: Toast) -> AnyView {
    view! {
        <div class=if toast.bad { "toast bad" } else { "toast" }>
            <p><b>{toast.title}</b></p>
            {maybe((!toast.subject.is_empty()).then(|| view! { <p><bdi>{toast.subject}</bdi></p> }.into_any()))}
            {maybe(toast.note.map(|note| view! { <p class="quiet">{note}</p> }.into_any()))}
            {maybe(toast.link.map(|href| view! { <p><a href=href>{t!(locale, "toast-see")}</a></p> }.into_any()))}
            <button
                type="button"
                class="close"
                aria-label=t!(locale, "toast-close")
                on:click=move |_| toasts.close(toast.number)
            >
                {icon::cross()}
            </button>
        </div>
    }
    .into_any()
}
