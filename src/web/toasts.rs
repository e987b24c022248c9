//! Notices: what was set going, and what ended while one looked at something else.

use super::ask::{Answer, Asked};
use super::components::{icon, progress};
use super::context::use_locale;
use super::erased::{RwSignal, each, effect, maybe};
use super::links;
use crate::domain::fault::Fault;
use crate::domain::id::JobId;
use crate::domain::job::JobState;
use crate::domain::locale::Locale;
use crate::i18n::{fault, format, t, words};
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

/// How long it takes to read that something was set going.
const READ: Duration = Duration::from_secs(2);
/// One that is looked at is asked after this time whether it still is.
const LOOKS_AGAIN: Duration = Duration::from_secs(3);
/// Tasks whose end is waited for at most.
const WAITED_FOR: usize = 50;

/// A notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Toast {
    number: u64,
    title: String,
    /// The name of what it is about; empty where there is none.
    subject: String,
    note: Option<String>,
    link: Option<String>,
    bad: bool,
    /// The task that it says was set going.
    begun: Option<JobId>,
}

/// The notices of this page.
#[derive(Clone, Copy)]
pub struct Toasts {
    list: RwSignal<Vec<Toast>>,
    next: StoredValue<u64>,
    /// Tasks that were set going in this browser, whose end has not been told. The browser keeps them, too: a page that is
    /// left or loaded anew does not lose them.
    waited_for: RwSignal<Vec<JobId>>,
    /// Those of them whose end is told in a moment.
    telling: StoredValue<Vec<JobId>>,
    /// What stands before the title: how far the work is that was set going here, or how it ended unseen.
    mark: RwSignal<String>,
}

impl Toasts {
    /// None yet.
    pub fn new() -> Self {
        Self {
            list: RwSignal::new(Vec::new()),
            next: StoredValue::new(0),
            waited_for: RwSignal::new(Vec::new()),
            telling: StoredValue::new(Vec::new()),
            mark: RwSignal::new(String::new()),
        }
    }

    /// Remembers what the browser has kept. Once the page has come to life: the server knows nothing of it.
    pub fn recall(self) {
        effect(move || self.waited_for.set(kept::read()));
    }

    /// The tasks to be asked for whatever their age, as the server wants them.
    pub fn waited_for(self) -> String {
        self.waited_for.with(|jobs| kept::text(jobs))
    }

    /// What stands before the title.
    pub fn mark(self) -> String {
        self.mark.get()
    }

    fn wait_for(self, job: JobId) {
        self.waited_for.update(|jobs| {
            let surplus = (jobs.len() + 1).saturating_sub(WAITED_FOR);
            jobs.drain(..surplus);
            jobs.push(job);
        });
        self.waited_for.with_untracked(|jobs| kept::write(jobs));
    }

    /// Whether it is waited for, and its end is not about to be told.
    fn waits(self, job: JobId) -> bool {
        let waits = self.waited_for.with_untracked(|jobs| jobs.contains(&job));
        waits && !self.telling.with_value(|jobs| jobs.contains(&job))
    }

    /// Its end has been told: until then another page would tell it, if this one is left.
    fn told(self, job: JobId) {
        self.telling
            .update_value(|jobs| jobs.retain(|known| *known != job));
        if self.waited_for.with_untracked(|jobs| jobs.contains(&job)) {
            self.waited_for
                .update(|jobs| jobs.retain(|known| *known != job));
            self.waited_for.with_untracked(|jobs| kept::write(jobs));
        }
    }

    /// What is waited for and is in two answers no more has no end to tell: its object's organization has let go of it, or
    /// somebody else signed in here. One answer can have been on its way before the task was.
    fn let_go(self, jobs: &[JobView], unknown: &mut Vec<JobId>) {
        let mut missing = self.waited_for.with_untracked(Clone::clone);
        missing.retain(|id| jobs.iter().all(|job| job.id != *id));
        for id in missing.iter().filter(|id| unknown.contains(id)) {
            self.told(*id);
        }
        *unknown = missing;
    }

    fn push(self, toast: Toast) {
        let number = self.next.get_value();
        self.next.set_value(number.wrapping_add(1));
        let stays = toast.bad;
        self.list.update(|list| {
            list.push(Toast { number, ..toast });
            let surplus = list.len().saturating_sub(SHOWN);
            list.drain(..surplus);
        });
        if !stays {
            self.close_later(number, STAYS);
        }
    }

    /// Closes it after a time; one that is pointed at, or has the focus, waits.
    fn close_later(self, number: u64, time: Duration) {
        set_timeout(
            move || {
                if kept::looked_at() {
                    self.close_later(number, LOOKS_AGAIN);
                } else {
                    self.close(number);
                }
            },
            time,
        );
    }

    fn find(self, number: u64) -> Option<Toast> {
        self.list
            .with_untracked(|list| list.iter().find(|toast| toast.number == number).cloned())
    }

    fn close(self, number: u64) {
        // The page may have gone meanwhile.
        self.list
            .update(|list| list.retain(|toast| toast.number != number));
    }

    /// What was set going.
    pub fn started(self, started: Started) {
        let locale = use_locale();
        let subject = match u64::from(started.others) {
            0 => started.subject,
            others => t!(
                locale,
                "toast-others",
                name = started.subject,
                count = others,
                count_text = format::count(locale, others)
            ),
        };
        self.wait_for(started.job);
        self.push(Toast {
            title: words::started(locale, started.kind),
            subject,
            note: Some(t!(locale, "toast-leave")),
            link: Some(links::work(started.kind, &started.object)),
            begun: Some(started.job),
            ..Toast::default()
        });
    }

    /// An act of the row or of the list of tasks was refused.
    pub fn refused(self, refusal: &Fault) {
        self.push(Toast {
            title: fault::sentence(use_locale(), refusal),
            bad: true,
            ..Toast::default()
        });
    }

    /// That it ended, in place of the notice that it began; that one stays long enough to be read.
    fn ended_in_place(self, locale: Locale, job: JobView) {
        let begun = |list: &Vec<Toast>| list.iter().any(|toast| toast.begun == Some(job.id));
        if self.list.with_untracked(begun) {
            self.telling.update_value(|jobs| jobs.push(job.id));
            set_timeout(move || self.ended(locale, &job), READ);
        } else {
            self.ended(locale, &job);
        }
    }

    fn ended(self, locale: Locale, job: &JobView) {
        let Some(title) = words::ended(locale, job.kind, job.state) else {
            return;
        };
        let failed = job.state == JobState::Failed;
        let reason = job.fault.as_ref().filter(|_| failed);
        // The page may have gone meanwhile.
        let there = self
            .list
            .update(|list| list.retain(|toast| toast.begun != Some(job.id)));
        if !there {
            return;
        }
        self.told(job.id);
        self.push(Toast {
            title,
            subject: job.subject.clone(),
            note: reason.map(|reason| fault::sentence(locale, reason)),
            link: Some(links::work(job.kind, &job.object)),
            bad: failed,
            ..Toast::default()
        });
    }

    /// Many that ended, in one notice: after an absence nobody reads thirty.
    fn many_ended(self, locale: Locale, ended: &[JobView]) {
        let count =
            |keep: fn(&JobView) -> bool| ended.iter().filter(|job| keep(job)).count() as u64;
        let failed = count(|job| job.state == JobState::Failed);
        let all = ended.len() as u64;
        ended.iter().for_each(|job| self.told(job.id));
        let note = t!(
            locale,
            "toast-many-failed",
            count = failed,
            count_text = format::count(locale, failed)
        );
        self.push(Toast {
            title: t!(
                locale,
                "toast-many",
                count = all,
                count_text = format::count(locale, all)
            ),
            note: (failed > 0).then_some(note),
            link: Some(links::ACTIVITY.to_owned()),
            bad: failed > 0,
            ..Toast::default()
        });
    }
}

/// Tells when a task ends that was set going here, however quickly and wherever one is by then; of others that were seen
/// going on, unless their row is in sight. Failures are always told.
pub fn tell_ends(toasts: Toasts, jobs: Asked) {
    let locale = use_locale();
    let path = use_location().pathname;
    let unknown = StoredValue::new(Vec::new());
    Effect::new(move |seen: Option<HashSet<JobId>>| {
        let mut seen = seen.unwrap_or_default();
        let Some(Ok(Answer::Jobs(jobs))) = jobs.get() else {
            return seen;
        };
        unknown.update_value(|unknown| toasts.let_go(&jobs, unknown));
        let mut ended = Vec::new();
        for job in &jobs {
            if job.state.is_live() {
                seen.insert(job.id);
                continue;
            }
            let (mine, known) = (toasts.waits(job.id), seen.remove(&job.id));
            let failed = job.state == JobState::Failed;
            if mine || (known && (failed || path.get_untracked() != links::work(job.kind, ""))) {
                ended.push(job.clone());
            }
        }
        if ended.len() > SHOWN {
            toasts.many_ended(locale, &ended);
        } else {
            for job in ended.iter().cloned() {
                toasts.ended_in_place(locale, job);
            }
        }
        toasts.mark.set(match kept::hidden() {
            true if !ended.is_empty() => {
                let failed = ended.iter().any(|job| job.state == JobState::Failed);
                let mark = if failed {
                    t!(locale, "title-failed")
                } else {
                    t!(locale, "title-done")
                };
                kept::when_seen(move || toasts.mark.set(String::new()));
                mark
            }
            _ => under_way(locale, toasts, &jobs),
        });
        seen
    });
}

/// How far the work is that was set going here: the percents of one task, the number of several.
fn under_way(locale: Locale, toasts: Toasts, jobs: &[JobView]) -> String {
    let mine: Vec<&JobView> = toasts.waited_for.with_untracked(|waited_for| {
        jobs.iter()
            .filter(|job| job.state.is_live() && waited_for.contains(&job.id))
            .collect()
    });
    match mine.as_slice() {
        [] => String::new(),
        [job] => progress::percents(job).map_or_else(
            || t!(locale, "title-tasks", count = format::count(locale, 1)),
            |percents| {
                t!(
                    locale,
                    "title-percent",
                    percent = format::percent(locale, percents)
                )
            },
        ),
        many => t!(
            locale,
            "title-tasks",
            count = format::count(locale, many.len() as u64)
        ),
    }
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
        <div
            class=if toast.bad { "toast bad" } else { "toast" }
            on:keydown=move |event| {
                if event.key() == "Escape" {
                    toasts.close(toast.number);
                }
            }
        >
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

/// What the browser knows and keeps: the tasks that are waited for, whether somebody looks.
#[cfg(feature = "hydrate")]
mod kept {
    use crate::domain::id::JobId;
    use leptos::prelude::{document, window};
    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use web_sys::Storage;

    const KEY: &str = "reprise-tasks";

    /// None where the browser keeps nothing for us.
    fn storage() -> Option<Storage> {
        window().local_storage().ok().flatten()
    }

    pub fn read() -> Vec<JobId> {
        let text = storage().and_then(|storage| storage.get_item(KEY).ok().flatten());
        let text = text.unwrap_or_default();
        text.split(',').filter_map(|id| id.parse().ok()).collect()
    }

    pub fn write(jobs: &[JobId]) {
        if let Some(storage) = storage() {
            _ = storage.set_item(KEY, &text(jobs));
        }
    }

    pub fn text(jobs: &[JobId]) -> String {
        let ids: Vec<String> = jobs.iter().map(ToString::to_string).collect();
        ids.join(",")
    }

    /// Whether a notice is pointed at, or has the focus.
    pub fn looked_at() -> bool {
        let found = document().query_selector(".toasts:hover, .toasts:focus-within");
        found.ok().flatten().is_some()
    }

    pub fn hidden() -> bool {
        document().hidden()
    }

    /// Does it once somebody looks.
    pub fn when_seen(act: impl FnOnce() + 'static) {
        let act = Closure::once_into_js(act);
        let options = web_sys::AddEventListenerOptions::new();
        options.set_once(true);
        _ = document().add_event_listener_with_callback_and_add_event_listener_options(
            "visibilitychange",
            act.unchecked_ref(),
            &options,
        );
    }
}

/// On the server there is no browser.
#[cfg(not(feature = "hydrate"))]
mod kept {
    use crate::domain::id::JobId;

    pub fn read() -> Vec<JobId> {
        Vec::new()
    }

    pub fn write(_: &[JobId]) {}

    pub fn text(_: &[JobId]) -> String {
        String::new()
    }

    pub fn looked_at() -> bool {
        false
    }

    pub fn hidden() -> bool {
        false
    }

    pub fn when_seen(_: impl FnOnce() + 'static) {}
}
