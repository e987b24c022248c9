//! *Prendre une copie instantanée*

use crate::api::volumes::{TakeSnapshot, plan_snapshot};
use crate::domain::id::VolumeId;
use crate::domain::locale::Locale;
use crate::i18n::{format, t};
use crate::view::SnapshotPlan;
use crate::web::components::dialog::{buttons, follow, submit, unavailable, waiting};
use crate::web::components::field;
use crate::web::context::{use_frame, use_locale};
use crate::web::links;
use leptos::prelude::*;

pub fn body(volume: VolumeId, close: String) -> AnyView {
    let plan = Resource::new(|| (), move |()| plan_snapshot(volume));
    let take = ServerAction::<TakeSnapshot>::new();
    let (refusal, pending) = follow(take, &close);
    view! {
        <Suspense fallback=waiting>
            {move || {
                let close = close.clone();
                plan.get()
                    .map(|plan| match plan {
                        Ok(plan) => form(take, &plan, refusal, pending, close),
                        Err(fault) => unavailable(&fault, close),
                    })
            }}
        </Suspense>
    }
    .into_any()
}

/// What it will cost: bytes, and what they are counted from.
fn price(locale: Locale, plan: &SnapshotPlan) -> String {
    let bytes = format::bytes(locale, plan.to_save);
    match plan.since.map(|since| format::date_time_sentence(locale, since)) {
        Some(since) if plan.to_save.0 == 0 => t!(locale, "take-snapshot-plan-nothing", since = since),
        Some(since) => {
            let written = format::bytes(locale, plan.written);
            t!(locale, "take-snapshot-plan-since", bytes = bytes, since = since, written = written)
        }
        None => t!(locale, "take-snapshot-plan-all", bytes = bytes),
    }
}

fn form(
    take: ServerAction<TakeSnapshot>,
    plan: &SnapshotPlan,
    refusal: field::Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let region = use_frame().map(|frame| frame.session.region.clone()).unwrap_or_default();
    let what = t!(
        locale,
        "take-snapshot-what",
        name = plan.name.as_str(),
        region = region,
        count = plan.zones,
        count_text = format::count(locale, u64::from(plan.zones))
    );
    let hint = t!(locale, "take-snapshot-name-hint", proposed = plan.proposed.as_str());
    let price = price(locale, plan);
    let volume = plan.volume.to_string();
    view! {
        <ActionForm action=take>
            <div class="body">
                {field::form_refusal(locale, refusal)}
                <p>{what}</p>
                <input type="hidden" name="volume" value=volume/>
                {field::text(locale, t!(locale, "take-snapshot-name"), Some(hint), String::new(), false, refusal)}
                <p class="note">{price}</p>
                <p class="note">
                    {t!(locale, "take-snapshot-limits")} " "
                    <a href=links::HELP>{t!(locale, "take-snapshot-help")}</a>
                </p>
            </div>
            {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "dialog-confirm"), false, pending))}
        </ActionForm>
    }
    .into_any()
}
