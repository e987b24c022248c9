//! *Supprimer*: what goes, what is freed, what stays. The button names the object.

use crate::domain::id::{SnapshotId, TemplateId, VolumeId};
use crate::i18n::{format, t};
use crate::view::DeletionPlan;
use crate::web::ask::{Act, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, planned, submit};
use crate::web::components::field::form_refusal;
use crate::web::context::use_locale;
use leptos::prelude::*;

pub fn volume(volume: VolumeId, close: String) -> AnyView {
    let about = ("volume", volume.to_string());
    delete(
        Question::VolumeDeletion(volume),
        Act::DeleteVolume,
        about,
        close,
    )
}

pub fn snapshot(snapshot: SnapshotId, close: String) -> AnyView {
    let about = ("snapshot", snapshot.to_string());
    delete(
        Question::SnapshotDeletion(snapshot),
        Act::DeleteSnapshot,
        about,
        close,
    )
}

pub fn template(template: TemplateId, close: String) -> AnyView {
    let about = ("template", template.to_string());
    delete(
        Question::TemplateDeletion(template),
        Act::DeleteTemplate,
        about,
        close,
    )
}

fn delete(question: Question, act: Act, about: (&'static str, String), close: String) -> AnyView {
    let locale = use_locale();
    let plan = ask(move || (question.clone(), 0));
    let acting = acting(act);
    let (refusal, pending) = follow(acting, &close);
    planned(plan, close, move |plan, close| {
        let Answer::Deletion(plan) = plan else {
            return ().into_any();
        };
        let (what, fate) = match act {
            Act::DeleteSnapshot => (
                t!(locale, "delete-snapshot-what", name = plan.name.as_str()),
                fate_of_snapshot(&plan),
            ),
            Act::DeleteTemplate => (
                t!(locale, "delete-template-what", name = plan.name.as_str()),
                fate_of_template(&plan),
            ),
            _ => (
                t!(locale, "delete-volume-what", name = plan.name.as_str()),
                fate_of_volume(&plan),
            ),
        };
        let label = t!(locale, "delete-submit", name = plan.name.as_str());
        let inside = view! {
            <div class="body">
                {form_refusal(locale, refusal)}
                <p>{what}</p>
                <input type="hidden" name=about.0 value=about.1.clone()/>
                {fate}
            </div>
            {buttons(t!(locale, "dialog-cancel"), close, submit(label, true, pending))}
        };
        form(acting, act, "ask", inside.into_any())
    })
}

/// What is freed and what stays. Where nothing stays of what the volume holds, a tick is asked for.
fn fate_of_volume(plan: &DeletionPlan) -> AnyView {
    let locale = use_locale();
    let frees = t!(
        locale,
        "delete-frees",
        bytes = format::bytes(locale, plan.frees)
    );
    let kept = u64::from(plan.snapshots_kept);
    if kept > 0 {
        let keeps = t!(
            locale,
            "delete-volume-keeps",
            count = kept,
            count_text = format::count(locale, kept)
        );
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

fn fate_of_template(plan: &DeletionPlan) -> AnyView {
    let locale = use_locale();
    let frees = t!(
        locale,
        "delete-template-frees",
        bytes = format::bytes(locale, plan.frees)
    );
    view! { <p class="note">{frees}</p> <p class="note">{t!(locale, "delete-template-keeps")}</p> }
        .into_any()
}

fn fate_of_snapshot(plan: &DeletionPlan) -> AnyView {
    let locale = use_locale();
    let frees = t!(
        locale,
        "delete-snapshot-frees",
        bytes = format::bytes(locale, plan.frees)
    );
    view! { <p class="note">{frees}</p> <p class="note">{t!(locale, "delete-snapshot-keeps")}</p> }
        .into_any()
}
