//! *Créer un modèle*, from a snapshot of a root volume.

use crate::domain::id::SnapshotId;
use crate::i18n::{format, t};
use crate::view::SnapshotRow;
use crate::web::ask::{Act, Acting, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, planned, submit};
use crate::web::components::field::{self, Refusal};
use crate::web::context::use_locale;
use crate::web::erased::Memo;
use leptos::prelude::*;

pub fn body(snapshot: SnapshotId, close: String) -> AnyView {
    let found = ask(move || (Question::Snapshot(snapshot), 0));
    let create = acting(Act::CreateTemplate);
    let (refusal, pending) = follow(create, &close);
    planned(found, close, move |found, close| match found {
        Answer::Snapshot(row) => filled(create, &row, refusal, pending, close),
        _ => ().into_any(),
    })
}

fn filled(
    create: Acting,
    row: &SnapshotRow,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let what = t!(
        locale,
        "create-template-what",
        name = row.name.as_str(),
        size = format::bytes(locale, row.size)
    );
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{what}</p>
            <input type="hidden" name="snapshot" value=row.id.to_string()/>
            {field::text(locale, t!(locale, "field-name"), None, String::new(), true, refusal)}
            {field::description(locale, String::new(), refusal)}
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "create-template-submit"), false, pending))}
    };
    form(create, Act::CreateTemplate, "ask", inside.into_any())
}
