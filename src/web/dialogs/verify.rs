//! *Vérifier*: what is read again, and when that was done last.

use crate::domain::id::SnapshotId;
use crate::i18n::{format, t};
use crate::view::SnapshotRow;
use crate::web::ask::{Act, Acting, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, planned, submit};
use crate::web::components::field::{Refusal, form_refusal};
use crate::web::context::use_locale;
use crate::web::erased::{Memo, maybe};
use leptos::prelude::*;

pub fn body(snapshot: SnapshotId, close: String) -> AnyView {
    let found = ask(move || (Question::Snapshot(snapshot), 0));
    let verify = acting(Act::VerifySnapshot);
    let (refusal, pending) = follow(verify, &close);
    planned(found, close, move |found, close| match found {
        Answer::Snapshot(row) => filled(verify, &row, refusal, pending, close),
        _ => ().into_any(),
    })
}

fn filled(
    verify: Acting,
    row: &SnapshotRow,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let what = t!(
        locale,
        "verify-what",
        name = row.name.as_str(),
        size = format::bytes(locale, row.data.unwrap_or_default())
    );
    let last = row.verified.map(|at| {
        let date = format::date_time(locale, at);
        view! { <p class="note">{t!(locale, "verify-date", date = date)}</p> }.into_any()
    });
    let inside = view! {
        <div class="body">
            {form_refusal(locale, refusal)}
            <p>{what}</p>
            <input type="hidden" name="snapshot" value=row.id.to_string()/>
            {maybe(last)}
            <p class="note">{t!(locale, "verify-schedule")}</p>
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "verify-submit"), false, pending))}
    };
    form(verify, Act::VerifySnapshot, "ask", inside.into_any())
}
