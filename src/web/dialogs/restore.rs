//! *Créer un volume de données*, from a volume snapshot, in any zone.

use crate::domain::id::SnapshotId;
use crate::i18n::{format, t};
use crate::view::SnapshotRow;
use crate::web::ask::{Act, Acting, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, planned, submit};
use crate::web::components::field;
use crate::web::context::{Frame, use_locale};
use crate::web::erased::Memo;
use leptos::prelude::*;

pub fn body(frame: Frame, snapshot: SnapshotId, close: String) -> AnyView {
    let found = ask(move || (Question::Snapshot(snapshot), 0));
    let create = acting(Act::Restore);
    let (refusal, pending) = follow(create, &close);
    planned(found, close, move |found, close| match found {
        Answer::Snapshot(row) => filled(&frame, create, &row, refusal, pending, close),
        _ => ().into_any(),
    })
}

fn filled(
    frame: &Frame,
    create: Acting,
    row: &SnapshotRow,
    refusal: field::Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let what = t!(
        locale,
        "restore-what",
        name = row.name.as_str(),
        size = format::bytes(locale, row.size)
    );
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{what}</p>
            <input type="hidden" name="snapshot" value=row.id.to_string()/>
            {field::text(locale, t!(locale, "field-name"), None, String::new(), true, refusal)}
            {field::zone(locale, &frame.session.zones, refusal)}
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "restore-submit"), false, pending))}
    };
    form(create, Act::Restore, "ask", inside.into_any())
}
