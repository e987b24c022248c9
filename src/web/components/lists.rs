//! What surrounds a list: its pages, its emptiness, its failure.

use crate::domain::fault::Fault;
use crate::domain::moment::Moment;
use crate::i18n::{fault, format, t};
use crate::view::{Listing, PAGE_ROWS};
use crate::web::ask::{Answer, Asked};
use crate::web::context::{Frame, use_locale};
use crate::web::erased::{Memo, follow, maybe, memo};
use crate::web::links;
use crate::web::live::clock;
use leptos::prelude::*;
use leptos_router::components::Redirect;
use leptos_router::hooks::use_location;

/// What is to be drawn of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It has rows.
    Rows,
    /// It has none.
    Empty,
    /// It could not be read.
    Failed(Fault),
}

impl Phase {
    /// The phase that an answer means; none while there is none. What was there stays when only its refresh fails, for a
    /// reason that passes: [`stale`] says so.
    pub fn of(asked: Asked) -> Memo<Option<Self>> {
        let here = links::use_here();
        let answered = StoredValue::new(String::new());
        memo(move |before: Option<&Option<Self>>| {
            asked.with(|answer| {
                let answer = answer.as_ref()?;
                let phase = match (answer, answer.as_ref().ok().and_then(numbers)) {
                    (Err(fault), _) => Self::Failed(fault.clone()),
                    (Ok(_), Some((0, ..)) | None) => Self::Empty,
                    (Ok(_), Some(_)) => Self::Rows,
                };
                match answer {
                    // Rows of another address would be none of what was asked for.
                    Err(fault) if passes(fault) && answered.get_value() == here.get_untracked() => {
                        before.cloned().flatten().or(Some(phase))
                    }
                    Err(_) => Some(phase),
                    Ok(_) => {
                        answered.set_value(here.get_untracked());
                        Some(phase)
                    }
                }
            })
        })
    }
}

/// Whether it says nothing of what was asked for, and may be otherwise in a moment.
const fn passes(fault: &Fault) -> bool {
    matches!(fault, Fault::Unreachable | Fault::Internal { .. })
}

/// That what is shown could not be refreshed, from when it is, and a button that asks again.
pub fn stale(frame: &Frame, asked: Asked) -> AnyView {
    let (locale, live, frame) = (use_locale(), frame.live, frame.clone());
    let since = memo(move |before: Option<&(Moment, bool)>| {
        let failed = asked.with(|answer| matches!(answer, Some(Err(_))));
        let kept = before.filter(|_| failed).map(|(at, _)| *at);
        (kept.unwrap_or_else(|| frame.moment(clock())), failed)
    });
    let note = move || {
        let (at, failed) = since.get();
        maybe(failed.then(|| {
            view! {
                <p class="note stale">
                    {t!(locale, "load-stale", time = format::time(locale, at))} " "
                    <button type="button" class="link" on:click=move |_| live.refresh()>{t!(locale, "load-retry")}</button>
                </p>
            }
            .into_any()
        }))
    };
    view! { <div role="status">{follow(note)}</div> }.into_any()
}

/// Rows of the whole list, this page, pages.
fn numbers(answer: &Answer) -> Option<(u32, u32, u32)> {
    match answer {
        Answer::Instances(page) => Some((page.total, page.page, page.pages)),
        Answer::Volumes(page) => Some((page.total, page.page, page.pages)),
        Answer::Snapshots(page) => Some((page.total, page.page, page.pages)),
        Answer::Activity(page) => Some((page.total, page.page, page.pages)),
        Answer::Templates(page) => Some((page.total, page.page, page.pages)),
        Answer::Points(found) => {
            Some((u32::try_from(found.points.len()).unwrap_or(u32::MAX), 1, 1))
        }
        _ => None,
    }
}

/// The rows of the newest answer that has some; a failed refresh leaves them as they were.
pub fn rows<T: Clone + PartialEq + Send + Sync + 'static>(
    asked: Asked,
    pick: fn(&Answer) -> Option<&Vec<T>>,
) -> Memo<Vec<T>> {
    memo(move |before: Option<&Vec<T>>| {
        asked.with(|answer| {
            let rows = answer
                .as_ref()
                .and_then(|answer| answer.as_ref().ok())
                .and_then(pick);
            rows.or(before).cloned().unwrap_or_default()
        })
    })
}

/// While the first rows are on their way: as tall as some rows, so that nothing jumps.
pub fn loading() -> AnyView {
    let locale = use_locale();
    view! {
        <div class="card loading" role="status">
            <span class="unseen">{t!(locale, "load-busy")}</span>
        </div>
    }
    .into_any()
}

/// Why the list is not there, and a link that asks again. One who is signed out is led to the door.
pub fn failed(reason: &Fault) -> AnyView {
    let locale = use_locale();
    let location = use_location();
    let here = move || {
        let (path, search) = (
            location.pathname.get_untracked(),
            location.search.get_untracked(),
        );
        if search.is_empty() {
            path
        } else {
            format!("{path}?{search}")
        }
    };
    match reason {
        Fault::SignInNeeded => view! { <Redirect path=format!("{}?next={}", links::SIGN_IN, links::escaped(&here()))/> }.into_any(),
        Fault::PasswordChangeNeeded => view! { <Redirect path=links::PASSWORD/> }.into_any(),
        other => view! {
            <div class="card empty" role="alert">
                <p>{fault::sentence(locale, other)}</p>
                <a class="button" rel="external" href=here()>{t!(locale, "load-retry")}</a>
                <small>{t!(locale, "load-code", code = format::count(locale, other.status().into()))}</small>
            </div>
        }
        .into_any(),
    }
}

/// Which rows of how many are here, and links to the other pages; only the number when there is one page.
pub fn pager(path: String, asked: Asked, listing: Memo<Listing>) -> AnyView {
    let locale = use_locale();
    let at = memo(move |before: Option<&(u32, u32, u32)>| {
        asked.with(|answer| {
            let numbers = answer
                .as_ref()
                .and_then(|answer| answer.as_ref().ok())
                .and_then(numbers);
            numbers.or(before.copied()).unwrap_or((0, 1, 1))
        })
    });
    let number = move |number: u32| format::count(locale, u64::from(number));
    follow(move || {
        let (total, page, pages) = at.get();
        let link = |shown: bool, rel: Option<&'static str>, to: u32, words: String| {
            maybe(shown.then(|| {
                let then = Listing {
                    page: to,
                    ..listing.get()
                };
                view! { <a class="button small" rel=rel href=links::list(&path, &then)>{words}</a> }
                    .into_any()
            }))
        };
        let first = (page - 1).saturating_mul(PAGE_ROWS) + 1;
        let last = page.saturating_mul(PAGE_ROWS).min(total);
        let words = if pages < 2 {
            t!(
                locale,
                "pager-all",
                count = u64::from(total),
                count_text = number(total)
            )
        } else {
            t!(
                locale,
                "pager-where",
                first = number(first),
                last = number(last),
                total = number(total)
            )
        };
        view! {
            <nav class="pager" aria-label=t!(locale, "pager-label")>
                {link(page > 2, None, 1, t!(locale, "pager-first"))}
                {link(page > 1, Some("prev"), page - 1, t!(locale, "pager-previous"))}
                <span>{words}</span>
                {link(page < pages, Some("next"), page + 1, t!(locale, "pager-next"))}
                {link(page + 1 < pages, None, pages, t!(locale, "pager-last"))}
            </nav>
        }
        .into_any()
    })
}
