//! What surrounds a list: its pages, its emptiness, its failure.

use crate::domain::fault::Fault;
use crate::i18n::{fault, format, t};
use crate::web::context::use_locale;
use crate::web::links;
use leptos::prelude::*;
use leptos_router::components::Redirect;
use leptos_router::hooks::{use_location, use_query_map};

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
    /// The phase that an answer means.
    pub fn of<T>(answer: &Result<crate::view::Page<T>, Fault>) -> Self {
        match answer {
            Ok(page) if page.total == 0 => Self::Empty,
            Ok(_) => Self::Rows,
            Err(fault) => Self::Failed(fault.clone()),
        }
    }
}

/// The page of the list that the address asks for.
pub fn use_page() -> Memo<u32> {
    let query = use_query_map();
    Memo::new(move |_| query.with(links::page_of))
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
        let (path, search) = (location.pathname.get_untracked(), location.search.get_untracked());
        if search.is_empty() { path } else { format!("{path}?{search}") }
    };
    match reason {
        Fault::SignInNeeded => view! { <Redirect path=format!("{}?next={}", links::SIGN_IN, links::escaped(&here()))/> }.into_any(),
        Fault::PasswordChangeNeeded => view! { <Redirect path=links::PASSWORD/> }.into_any(),
        other => view! {
            <div class="card empty" role="alert">
                <p>{fault::sentence(locale, other)}</p>
                <a class="button" rel="external" href=here()>{t!(locale, "load-retry")}</a>
            </div>
        }
        .into_any(),
    }
}

/// Links to the pages before and after; nothing when there is one page only.
pub fn pager(path: &'static str, at: Memo<(u32, u32)>) -> AnyView {
    let locale = use_locale();
    view! {
        {move || {
            let (page, pages) = at.get();
            (pages > 1).then(|| {
                let number = |number: u32| format::count(locale, u64::from(number));
                let previous = (page > 1).then(|| {
                    view! { <a class="button small" rel="prev" href=links::list(path, page - 1)>{t!(locale, "pager-previous")}</a> }
                });
                let next = (page < pages).then(|| {
                    view! { <a class="button small" rel="next" href=links::list(path, page + 1)>{t!(locale, "pager-next")}</a> }
                });
                view! {
                    <nav class="pager" aria-label=t!(locale, "pager-label")>
                        {previous}
                        <span>{t!(locale, "pager-where", page = number(page), pages = number(pages))}</span>
                        {next}
                    </nav>
                }
            })
        }}
    }
    .into_any()
}
