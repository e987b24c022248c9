//! *Créer un modèle*, from a snapshot of a root volume or from a recovery point.

use super::point::NO_POINT;
use crate::domain::id::{InstanceId, PointId, SnapshotId};
use crate::i18n::{format, t};
use crate::view::{PointView, SnapshotRow};
use crate::web::ask::{Act, Acting, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, planned, submit, unavailable};
use crate::web::components::field::{self, Refusal};
use crate::web::context::use_locale;
use crate::web::erased::{Memo, maybe};
use leptos::prelude::*;

/// From a snapshot.
pub fn body(snapshot: SnapshotId, close: String) -> AnyView {
    let found = ask(move || (Question::Snapshot(snapshot), 0));
    let create = acting(Act::CreateTemplate);
    let (refusal, pending) = follow(create, &close);
    planned(found, close, move |found, close| match found {
        Answer::Snapshot(row) => of_snapshot(create, &row, refusal, pending, close),
        _ => ().into_any(),
    })
}

/// From a recovery point.
pub fn of_point(instance: InstanceId, point: PointId, close: String) -> AnyView {
    let found = ask(move || (Question::Point(instance, Some(point)), 0));
    let create = acting(Act::TemplateFromPoint);
    let (refusal, pending) = follow(create, &close);
    planned(found, close, move |found, close| match found {
        Answer::Point(Some(found)) => of_root(create, &found, refusal, pending, close),
        _ => unavailable(&NO_POINT, close),
    })
}

fn of_snapshot(
    create: Acting,
    row: &SnapshotRow,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let what = t!(
        use_locale(),
        "create-template-what",
        name = row.name.as_str(),
        size = format::bytes(use_locale(), row.size)
    );
    let source = ("snapshot", row.id.to_string());
    let act = (create, Act::CreateTemplate);
    filled(act, source, (what, None), refusal, pending, close)
}

fn of_root(
    create: Acting,
    point: &PointView,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    // The root volume is the first of a point's disks.
    let size = point.disks.first().map(|disk| disk.size);
    let what = t!(
        locale,
        "template-from-point-what",
        name = point.name.as_str(),
        size = format::bytes(locale, size.unwrap_or_default())
    );
    let more = point.disks.len() > 1 || point.memory.is_some();
    let left_out = more.then(|| t!(locale, "template-from-point-only"));
    let source = ("point", point.id.to_string());
    let act = (create, Act::TemplateFromPoint);
    filled(act, source, (what, left_out), refusal, pending, close)
}

fn filled(
    (create, act): (Acting, Act),
    (noun, id): (&'static str, String),
    (what, left_out): (String, Option<String>),
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{what}</p>
            <input type="hidden" name=noun value=id/>
            {field::text(locale, t!(locale, "field-name"), None, String::new(), true, refusal)}
            {field::description(locale, String::new(), refusal)}
            {maybe(left_out.map(|words| view! { <p class="note">{words}</p> }.into_any()))}
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "create-template-submit"), false, pending))}
    };
    form(create, act, "ask", inside.into_any())
}
