//! One module a page.

pub mod activity;
pub mod help;
pub mod home;
pub mod instance;
pub mod instances;
pub mod join;
pub mod kit;
pub mod member;
pub mod missing;
mod object;
pub mod organization;
pub mod overview;
pub mod password;
pub mod points;
pub mod profile;
pub mod serial;
pub mod sign_in;
pub mod snapshot;
pub mod snapshots;
pub mod templates;
pub mod volume;
pub mod volumes;
pub mod zones;

use crate::api::json;
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::role::Role;
use crate::domain::size::Bytes;
use crate::i18n::{fault, format, t, words};
use crate::web::components::field::{Refusal, one_of};
use crate::web::context::use_locale;
use crate::web::erased::{maybe, memo};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

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

/// What a plain form's answer brought along in the address, under this key.
fn brought(key: &str) -> String {
    use_query_map().with_untracked(|query| query.get_str(key).unwrap_or_default().to_owned())
}

/// The refusal that a plain form's answer brought along, if it is that of this form.
fn brought_refusal(form: &str) -> Refusal {
    let fault = brought("fault");
    let fault = (brought("form") == form).then(|| json::read(&fault).ok());
    let fault: Option<Fault> = fault.flatten();
    memo(move |_| fault.clone())
}

/// The roles as a choice.
fn roles(locale: Locale, chosen: &str) -> String {
    let all = Role::ALL.into_iter();
    all.map(|role| one_of(role.code(), &words::role(locale, role), chosen))
        .collect()
}

/// A form that is there also for one who may not send it now, with the reason.
fn guarded(locale: Locale, reason: Option<&Fault>, form: AnyView) -> AnyView {
    let disabled = reason.is_some();
    view! {
        {maybe(reason.map(|reason| view! { <p class="note viewer">{fault::sentence(locale, reason)}</p> }.into_any()))}
        <fieldset disabled=disabled>{form}</fieldset>
    }
    .into_any()
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
