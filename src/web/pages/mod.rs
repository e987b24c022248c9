//! One module a page.

pub mod activity;
#[cfg(feature = "ssr")]
pub mod help;
#[cfg(feature = "ssr")]
pub mod home;
pub mod instance;
pub mod instances;
#[cfg(feature = "ssr")]
pub mod join;
#[cfg(feature = "ssr")]
pub mod kit;
#[cfg(feature = "ssr")]
pub mod member;
pub mod missing;
mod object;
#[cfg(feature = "ssr")]
pub mod organization;
pub mod overview;
#[cfg(feature = "ssr")]
pub mod password;
#[cfg(feature = "ssr")]
mod plain;
pub mod points;
#[cfg(feature = "ssr")]
pub mod profile;
#[cfg(feature = "ssr")]
pub mod search;
pub mod serial;
#[cfg(feature = "ssr")]
pub mod sign_in;
pub mod snapshot;
pub mod snapshots;
#[cfg(feature = "ssr")]
pub mod tasks;
pub mod templates;
pub mod volume;
pub mod volumes;
#[cfg(feature = "ssr")]
pub mod zones;

use crate::domain::locale::Locale;
use crate::domain::size::Bytes;
use crate::i18n::{format, t};
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

/// Why an interruption or a retry was refused that a page without code of its own sent: it comes back in the address.
#[cfg(feature = "ssr")]
fn refused_act(locale: Locale) -> AnyView {
    use crate::domain::fault::Fault;
    use leptos::server_fn::error::ServerFnUrlError;
    let refused = use_context::<leptos::server::ServerActionError>();
    maybe(refused.map(|error| {
        let refusal = ServerFnUrlError::<Fault>::decode_err(error.err());
        let sentence = crate::i18n::fault::sentence(locale, &refusal);
        view! { <p class="note bad" role="alert">{sentence}</p> }.into_any()
    }))
}

/// The header of a column that needs no words for those who see it.
fn unseen_header(shown: bool, class: &'static str, words: String) -> AnyView {
    let cell = shown.then(|| {
        view! { <th role="columnheader" scope="col" class=class><span class="unseen">{words}</span></th> }.into_any()
    });
    maybe(cell)
}

/// *1 vCPU, 256 Mio*
pub fn configuration(locale: Locale, vcpus: u32, memory: Bytes) -> String {
    t!(
        locale,
        "instance-configuration",
        vcpus = format::count(locale, u64::from(vcpus)),
        memory = format::bytes(locale, memory)
    )
}

/// The header of a column.
fn column(class: &'static str, words: String) -> AnyView {
    view! { <th role="columnheader" scope="col" class=class>{words}</th> }.into_any()
}

/// A cell; on a phone, where rows are cards, its label stands before what is in it.
fn cell(label: String, class: &'static str, inside: AnyView) -> AnyView {
    view! { <td role="cell" class=class data-label=label>{inside}</td> }.into_any()
}
