//! One module a page.

pub mod activity;
pub mod help;
pub mod missing;
pub mod password;
pub mod sign_in;
pub mod snapshots;
pub mod volumes;

use crate::i18n::t;
use crate::web::context::use_locale;
use crate::web::erased::maybe;
use leptos::prelude::*;
use leptos_meta::Title;

/// The document's title and the page's one `<h1>`, with what stands beside it.
fn head(title: String, intro: Option<String>, acts: AnyView) -> AnyView {
    let locale = use_locale();
    view! {
        <Title text=t!(locale, "app-title", page = title.as_str())/>
        <div class="head">
            <div>
                <h1>{title}</h1>
                {maybe(intro.map(|intro| view! { <p>{intro}</p> }.into_any()))}
            </div>
            <div class="acts">{acts}</div>
        </div>
    }
    .into_any()
}

/// Why no acts are offered, for one who may only look.
fn viewer_note() -> AnyView {
    let locale = use_locale();
    view! { <p class="note viewer">{t!(locale, "role-viewer-note")}</p> }.into_any()
}

/// What a form that was sent without scripts has set going.
fn done_note(words: String) -> AnyView {
    view! { <p class="note good" role="status">{words}</p> }.into_any()
}

/// The header of a column that needs no words for those who see it.
fn unseen_header(shown: bool, class: &'static str, words: String) -> AnyView {
    let cell = shown.then(|| {
        view! { <th role="columnheader" scope="col" class=class><span class="unseen">{words}</span></th> }.into_any()
    });
    maybe(cell)
}
