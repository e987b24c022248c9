//! *Restaurer l’instance à ce point*, and *Annuler la restauration*, which is the same with a safety point: now and
//! after, each disk's fate, and first a safety point. What was shown is confirmed by its seal; where it is no longer so,
//! it is shown anew.

use crate::domain::id::PointId;
use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::domain::recovery::PointKind;
use crate::domain::size::Bytes;
use crate::i18n::{format, t};
use crate::view::{DiskChange, RollbackPlan};
use crate::web::ask::{Act, Acting, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, looked_again, planned, submit, unavailable};
use crate::web::components::field::{self, Refusal};
use crate::web::context::{use_locale, was_chosen};
use crate::web::erased::{Memo, maybe};
use leptos::prelude::*;

pub fn body(point: PointId, close: String) -> AnyView {
    let roll_back = acting(Act::Rollback);
    let (refusal, pending) = follow(roll_back, &close);
    let looked = looked_again(refusal);
    let plan = ask(move || (Question::Rollback(point), looked.get()));
    planned(plan, close, move |plan, close| match plan {
        Answer::Rollback(plan) => match &plan.refused {
            Some(reason) => unavailable(reason, close),
            None => filled(roll_back, point, &plan, refusal, pending, close),
        },
        _ => ().into_any(),
    })
}

fn filled(
    roll_back: Acting,
    point: PointId,
    plan: &RollbackPlan,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let (instance, name) = (plan.instance.as_str(), plan.point.as_str());
    let (what, hint, label) = match plan.kind {
        PointKind::Made => (
            t!(locale, "rollback-what", instance = instance, point = name),
            t!(locale, "rollback-safety-hint"),
            t!(locale, "rollback-submit", name = instance),
        ),
        PointKind::Safety => (
            t!(locale, "undo-what", instance = instance, point = name),
            t!(locale, "undo-safety-hint"),
            t!(locale, "undo-submit", name = instance),
        ),
    };
    let safety_memory = plan.safety_memory.map(|memory| {
        let size = format::bytes(locale, memory.expected);
        let hint = t!(locale, "rollback-safety-memory-hint", size = size);
        let label = t!(locale, "rollback-safety-memory");
        field::tick("safety_memory", true, label, hint)
    });
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{what}</p>
            <input type="hidden" name="point" value=point.to_string()/>
            <input type="hidden" name="seal" value=plan.seal.clone()/>
            {versus(locale, plan)}
            {changes(locale, plan)}
            <label class="tick safety">
                <input type="checkbox" name="safety" value="true" checked=was_chosen("safety", "true", true)/>
                <span>
                    {t!(locale, "rollback-safety")}
                    <small>{hint}</small>
                </span>
            </label>
            {maybe(safety_memory)}
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(label, true, pending))}
    };
    form(roll_back, Act::Rollback, "ask", inside.into_any())
}

/// Now, and after.
fn versus(locale: Locale, plan: &RollbackPlan) -> AnyView {
    let side = |title: String, at: Moment, running: bool, note: Option<String>| {
        let state = if running {
            t!(locale, "point-running")
        } else {
            t!(locale, "point-stopped")
        };
        let note = note.map(|note| view! { <small>{note}</small> }.into_any());
        view! {
            <div>
                <small>{title}</small>
                <b><time datetime=format::machine(at)>{format::date_time(locale, at)}</time></b>
                <small>{t!(locale, "point-instance")} " " {state}</small>
                {maybe(note)}
            </div>
        }
        .into_any()
    };
    let since = plan.since.map(|bytes| {
        t!(
            locale,
            "rollback-since",
            bytes = format::bytes(locale, bytes)
        )
    });
    view! {
        <div class="versus">
            {side(t!(locale, "rollback-now"), plan.now, plan.running_now, since)}
            <span class="arrow" aria-hidden="true">"→"</span>
            {side(t!(locale, "rollback-after"), plan.taken, plan.running_after, None)}
        </div>
    }
    .into_any()
}

/// What happens to each disk, and to the instance.
fn changes(locale: Locale, plan: &RollbackPlan) -> AnyView {
    let line = |words: String| view! { <li>{words}</li> }.into_any();
    let restart = plan.running_now.then(|| {
        line(if plan.memory {
            t!(locale, "rollback-restart-memory")
        } else {
            t!(locale, "rollback-restart")
        })
    });
    let memory = plan.memory.then(|| {
        view! {
            {line(t!(locale, "rollback-memory"))}
            {line(t!(locale, "rollback-memory-clock"))}
            {line(t!(locale, "rollback-memory-network"))}
        }
        .into_any()
    });
    let hardware = plan
        .hardware_changes
        .then(|| view! { <li>{t!(locale, "rollback-hardware")}</li> }.into_any());
    let disks: Vec<AnyView> = plan
        .disks
        .iter()
        .map(|(name, change)| view! { <li>{fate(locale, name, change)}</li> }.into_any())
        .collect();
    view! {
        <ul class="changes" aria-label=t!(locale, "rollback-disks")>
            {disks}
            {maybe(memory)}
            {maybe(hardware)}
            {maybe(restart)}
        </ul>
    }
    .into_any()
}

fn fate(locale: Locale, name: &str, change: &DiskChange) -> String {
    let bytes = |bytes: Bytes| format::bytes(locale, bytes);
    match change {
        DiskChange::Returns(Some(Bytes(0))) => t!(locale, "rollback-returns-same", name = name),
        DiskChange::Returns(Some(differ)) => {
            t!(
                locale,
                "rollback-returns",
                name = name,
                bytes = bytes(*differ)
            )
        }
        DiskChange::Returns(None) => t!(locale, "rollback-returns-unknown", name = name),
        DiskChange::Detached => t!(locale, "rollback-detached", name = name),
        DiskChange::Attached(Some(differ)) => {
            t!(
                locale,
                "rollback-attached",
                name = name,
                bytes = bytes(*differ)
            )
        }
        DiskChange::Attached(None) => t!(locale, "rollback-attached-unknown", name = name),
        DiskChange::ComesBack(new) => {
            t!(
                locale,
                "rollback-comes-back",
                name = name,
                new = new.as_str()
            )
        }
    }
}
