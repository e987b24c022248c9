//! What pages of plain forms have in common. The server alone writes them (`web::written`).

use crate::api::json;
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::role::Role;
use crate::i18n::{fault, words};
use crate::web::components::field::{Field, Refusal, invalid, markup, notes};
use crate::web::erased::{maybe, memo};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// What a plain form's answer brought along in the address, under this key.
pub fn brought(key: &str) -> String {
    use_query_map().with_untracked(|query| query.get_str(key).unwrap_or_default().to_owned())
}

/// The refusal that a plain form's answer brought along, if it is that of this form.
pub fn brought_refusal(form: &str) -> Refusal {
    let fault = brought("fault");
    let fault = (brought("form") == form).then(|| json::read(&fault).ok());
    let fault: Option<Fault> = fault.flatten();
    memo(move |_| fault.clone())
}

/// The roles as a choice.
pub fn roles(locale: Locale, chosen: &str) -> String {
    let all = Role::ALL.into_iter();
    all.map(|role| one_of(role.code(), &words::role(locale, role), chosen))
        .collect()
}

/// A form that is there also for one who may not send it now, with the reason.
pub fn guarded(locale: Locale, reason: Option<&Fault>, form: AnyView) -> AnyView {
    let disabled = reason.is_some();
    view! {
        {maybe(reason.map(|reason| view! { <p class="note viewer">{fault::sentence(locale, reason)}</p> }.into_any()))}
        <fieldset disabled=disabled>{form}</fieldset>
    }
    .into_any()
}

/// What a form that was sent without scripts has set going.
pub fn done_note(words: String) -> AnyView {
    view! { <p class="note good" role="status">{words}</p> }.into_any()
}

/// A tick without which what cannot be undone is not done.
pub fn sure(locale: Locale, label: String, refusal: Refusal) -> AnyView {
    let field = Field::Sure;
    view! {
        <div class="field">
            <label class="tick">
                <input
                    type="checkbox"
                    name=field.name()
                    value="true"
                    required
                    aria-describedby=field.described_by()
                    aria-invalid=invalid(field, refusal)
                />
                <span>{label}</span>
            </label>
            {notes(locale, field, None, refusal)}
        </div>
    }
    .into_any()
}

/// A password that is to be chosen.
pub fn new_password(
    locale: Locale,
    field: Field,
    label: String,
    hint: Option<String>,
    refusal: Refusal,
) -> AnyView {
    let kind = ("password", "new-password");
    line(locale, field, kind, label, hint, String::new(), refusal)
}

/// A line of a kind (`type`, `autocomplete`), with what was typed before.
pub fn line(
    locale: Locale,
    field: Field,
    (kind, completed): (&'static str, &'static str),
    label: String,
    hint: Option<String>,
    value: String,
    refusal: Refusal,
) -> AnyView {
    view! {
        <div class="field">
            <label for=field.name()>{label}</label>
            <input
                type=kind
                id=field.name()
                name=field.name()
                value=value
                required
                autocomplete=completed
                dir="auto"
                aria-describedby=field.described_by()
                aria-invalid=invalid(field, refusal)
            />
            {notes(locale, field, hint, refusal)}
        </div>
    }
    .into_any()
}

/// A choice of a list; `options` is what [`one_of`] makes of each.
pub fn choice(
    locale: Locale,
    field: Field,
    label: String,
    hint: Option<String>,
    options: String,
    refusal: Refusal,
) -> AnyView {
    // As markup: there may be hundreds, none of which changes.
    view! {
        <div class="field">
            <label for=field.name()>{label}</label>
            <select
                id=field.name()
                name=field.name()
                aria-describedby=field.described_by()
                aria-invalid=invalid(field, refusal)
                inner_html=options
            ></select>
            {notes(locale, field, hint, refusal)}
        </div>
    }
    .into_any()
}

/// One of a [`choice`]'s options, as markup.
pub fn one_of(value: &str, words: &str, chosen: &str) -> String {
    let selected = if value == chosen { " selected" } else { "" };
    let words = markup(words);
    format!("<option value=\"{value}\"{selected}>{words}</option>")
}
