//! *Prendre une copie instantanée*

use crate::domain::id::VolumeId;
use crate::domain::locale::Locale;
use crate::i18n::{format, t};
use crate::view::SnapshotPlan;
use crate::web::ask::{Act, Acting, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, planned, submit};
use crate::web::components::field;
use crate::web::context::{use_frame, use_locale};
use crate::web::erased::Memo;
use crate::web::links;
use leptos::prelude::*;

pub fn body(volume: VolumeId, close: String) -> AnyView {
    let plan = ask(move || (Question::SnapshotPlan(volume), 0));
    let take = acting(Act::TakeSnapshot);
    let (refusal, pending) = follow(take, &close);
    planned(plan, close, move |plan, close| match plan {
        Answer::Plan(plan) => filled(take, &plan, refusal, pending, close),
        _ => ().into_any(),
    })
}

/// What it will cost: bytes, and what they are counted from.
fn price(locale: Locale, plan: &SnapshotPlan) -> String {
    let bytes = format::bytes(locale, plan.to_save);
    match plan
        .since
        .map(|since| format::date_time_sentence(locale, since))
    {
        Some(since) if plan.to_save.0 == 0 => {
            t!(locale, "take-snapshot-plan-nothing", since = since)
        }
        Some(since) => {
            let written = format::bytes(locale, plan.written);
            t!(
                locale,
                "take-snapshot-plan-since",
                bytes = bytes,
                since = since,
                written = written
            )
        }
        None if plan.on_origin && plan.to_save.0 == 0 => {
            t!(locale, "take-snapshot-plan-origin-nothing")
        }
        None if plan.on_origin => t!(locale, "take-snapshot-plan-origin", bytes = bytes),
        None => t!(locale, "take-snapshot-plan-all", bytes = bytes),
    }
}

fn filled(
    take: Acting,
    plan: &SnapshotPlan,
    refusal: field::Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let region = use_frame()
        .map(|frame| frame.session.region.clone())
        .unwrap_or_default();
    let what = t!(
        locale,
        "take-snapshot-what",
        name = plan.name.as_str(),
        region = region,
        count = plan.zones,
        count_text = format::count(locale, u64::from(plan.zones))
    );
    let hint = t!(
        locale,
        "take-snapshot-name-hint",
        proposed = plan.proposed.as_str()
    );
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{what}</p>
            <input type="hidden" name="volume" value=plan.volume.to_string()/>
            {field::text(locale, t!(locale, "take-snapshot-name"), Some(hint), String::new(), false, refusal)}
            <p class="note">{price(locale, plan)}</p>
            <p class="note">
                {t!(locale, "take-snapshot-limits")} " "
                <a href=links::HELP>{t!(locale, "take-snapshot-help")}</a>
            </p>
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "dialog-confirm"), false, pending))}
    };
    form(take, Act::TakeSnapshot, "ask", inside.into_any())
}
