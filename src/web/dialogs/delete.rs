//! *Supprimer*: what goes, what is freed, what stays. The button names the object.

use crate::api::snapshots::{DeleteSnapshot, snapshot_deletion};
use crate::api::volumes::{DeleteVolume, volume_deletion};
use crate::domain::id::{SnapshotId, VolumeId};
use crate::i18n::{format, t};
use crate::view::DeletionPlan;
use crate::web::components::dialog::{buttons, follow, submit, unavailable, waiting};
use crate::web::components::field::form_refusal;
use crate::web::context::use_locale;
use leptos::prelude::*;

pub fn volume(volume: VolumeId, close: String) -> AnyView {
    let locale = use_locale();
    let plan = Resource::new(|| (), move |()| volume_deletion(volume));
    let delete = ServerAction::<DeleteVolume>::new();
    let (refusal, pending) = follow(delete, &close);
    let form = move |plan: DeletionPlan, close: String| {
        let label = t!(locale, "delete-submit", name = plan.name.as_str());
        view! {
            <ActionForm action=delete>
                <div class="body">
                    {form_refusal(locale, refusal)}
                    <p>{t!(locale, "delete-volume-what", name = plan.name.as_str())}</p>
                    <input type="hidden" name="volume" value=volume.to_string()/>
                    {fate(&plan)}
                </div>
                {buttons(t!(locale, "dialog-cancel"), close, submit(label, true, pending))}
            </ActionForm>
        }
        .into_any()
    };
    view! {
        <Suspense fallback=waiting>
            {move || {
                let close = close.clone();
                plan.get()
                    .map(|plan| match plan {
                        Ok(plan) => form(plan, close),
                        Err(fault) => unavailable(&fault, close),
                    })
            }}
        </Suspense>
    }
    .into_any()
}

/// What is freed and what stays. Where nothing stays of what the volume holds, a tick is asked for.
fn fate(plan: &DeletionPlan) -> AnyView {
    let locale = use_locale();
    let frees = t!(locale, "delete-frees", bytes = format::bytes(locale, plan.frees));
    let kept = u64::from(plan.snapshots_kept);
    if kept > 0 {
        let keeps = t!(locale, "delete-volume-keeps", count = kept, count_text = format::count(locale, kept));
        return view! { <p class="note">{keeps}</p> <p class="note">{frees}</p> }.into_any();
    }
    view! {
        <p class="note bad">{t!(locale, "delete-volume-lost")}</p>
        <p class="note">{frees}</p>
        <label class="tick">
            <input type="checkbox" required/>
            <span>{t!(locale, "delete-volume-tick")}</span>
        </label>
    }
    .into_any()
}

pub fn snapshot(snapshot: SnapshotId, close: String) -> AnyView {
    let locale = use_locale();
    let plan = Resource::new(|| (), move |()| snapshot_deletion(snapshot));
    let delete = ServerAction::<DeleteSnapshot>::new();
    let (refusal, pending) = follow(delete, &close);
    let form = move |plan: DeletionPlan, close: String| {
        let label = t!(locale, "delete-submit", name = plan.name.as_str());
        let frees = t!(locale, "delete-snapshot-frees", bytes = format::bytes(locale, plan.frees));
        view! {
            <ActionForm action=delete>
                <div class="body">
                    {form_refusal(locale, refusal)}
                    <p>{t!(locale, "delete-snapshot-what", name = plan.name.as_str())}</p>
                    <input type="hidden" name="snapshot" value=snapshot.to_string()/>
                    <p class="note">{frees}</p>
                    <p class="note">{t!(locale, "delete-snapshot-keeps")}</p>
                </div>
                {buttons(t!(locale, "dialog-cancel"), close, submit(label, true, pending))}
            </ActionForm>
        }
        .into_any()
    };
    view! {
        <Suspense fallback=waiting>
            {move || {
                let close = close.clone();
                plan.get()
                    .map(|plan| match plan {
                        Ok(plan) => form(plan, close),
                        Err(fault) => unavailable(&fault, close),
                    })
            }}
        </Suspense>
    }
    .into_any()
}
