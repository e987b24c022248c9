//! *Créer un point de reprise*, *Renommer*, *Supprimer*.

use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{InstanceId, PointId};
use crate::domain::locale::Locale;
use crate::domain::recovery::{Consistency, MemoryWay, PointKind};
use crate::i18n::{fault, format, t};
use crate::view::{BranchDeletion, PointDeletion, PointPlan, PointView};
use crate::web::ask::{Act, Acting, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, looked_again, planned, submit, unavailable};
use crate::web::components::field::{self, Refusal, tick};
use crate::web::context::use_locale;
use crate::web::erased::{Memo, maybe};
use leptos::prelude::*;

/// It went while one looked.
pub(super) const NO_POINT: Fault = Fault::NotFound { what: Noun::Point };

/// *Créer un point de reprise*: what it will hold, in what state, and what it costs.
pub fn create(instance: InstanceId, close: String) -> AnyView {
    let plan = ask(move || (Question::PointPlan(instance), 0));
    let create = acting(Act::CreatePoint);
    let (refusal, pending) = follow(create, &close);
    planned(plan, close, move |plan, close| match plan {
        Answer::PointPlan(plan) => to_create(create, instance, &plan, refusal, pending, close),
        _ => ().into_any(),
    })
}

fn to_create(
    create: Acting,
    instance: InstanceId,
    plan: &PointPlan,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let what = t!(
        locale,
        "create-point-what",
        name = plan.name.as_str(),
        count = plan.disks,
        count_text = format::count(locale, u64::from(plan.disks))
    );
    let hint = t!(
        locale,
        "create-point-name-hint",
        proposed = plan.proposed.as_str()
    );
    let state = match plan.consistency {
        Consistency::Frozen => t!(locale, "create-point-frozen"),
        // With the memory, too, the disks themselves are so.
        Consistency::PowerCut | Consistency::Memory => t!(locale, "create-point-power-cut"),
        Consistency::Stopped => t!(locale, "create-point-stopped"),
    };
    // The sheet of styles shows the one or the other, by the tick.
    let with_memory = plan.memory.is_some().then(|| {
        view! { <p class="note with-memory">{t!(locale, "create-point-one-instant")}</p> }
            .into_any()
    });
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{what}</p>
            <input type="hidden" name="instance" value=instance.to_string()/>
            {field::text(locale, t!(locale, "field-name"), Some(hint), String::new(), false, refusal)}
            {field::description(locale, String::new(), refusal)}
            {memory(locale, plan)}
            <p class="note without-memory">{state}</p>
            {maybe(with_memory)}
            <p class="note">{t!(locale, "create-point-cost")}</p>
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "create-point-submit"), false, pending))}
    };
    form(create, Act::CreatePoint, "ask", inside.into_any())
}

/// The tick for the memory, with what it means; or why there is none.
fn memory(locale: Locale, plan: &PointPlan) -> AnyView {
    let (possible, hint) = match (&plan.memory, &plan.no_memory) {
        (Some(memory), _) => {
            let size = format::bytes(locale, memory.expected);
            let hint = match memory.way {
                MemoryWay::Running => t!(locale, "create-point-memory-running", size = size),
                MemoryWay::Standing => t!(locale, "create-point-memory-standing", size = size),
            };
            (true, hint)
        }
        (None, Some(reason)) => (false, fault::sentence(locale, reason)),
        (None, None) => return ().into_any(),
    };
    tick("memory", possible, t!(locale, "create-point-memory"), hint)
}

/// *Renommer*: name and description.
pub fn rename(instance: InstanceId, point: PointId, close: String) -> AnyView {
    let found = ask(move || (Question::Point(instance, Some(point)), 0));
    let rename = acting(Act::RenamePoint);
    let (refusal, pending) = follow(rename, &close);
    planned(found, close, move |found, close| match found {
        Answer::Point(Some(found)) => to_rename(rename, &found, refusal, pending, close),
        _ => unavailable(&NO_POINT, close),
    })
}

fn to_rename(
    rename: Acting,
    row: &PointView,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <input type="hidden" name="point" value=row.id.to_string()/>
            {field::text(locale, t!(locale, "field-name"), None, row.name.clone(), true, refusal)}
            {field::description(locale, row.description.clone(), refusal)}
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "rename-point-submit"), false, pending))}
    };
    form(rename, Act::RenamePoint, "ask", inside.into_any())
}

/// *Supprimer*: what is freed, what becomes of the points that descend from it, what can then not be undone.
pub fn delete(point: PointId, close: String) -> AnyView {
    let plan = ask(move || (Question::PointDeletion(point), 0));
    let delete = acting(Act::DeletePoint);
    let (refusal, pending) = follow(delete, &close);
    planned(plan, close, move |plan, close| match plan {
        Answer::PointDeletion(plan) => to_delete(delete, point, &plan, refusal, pending, close),
        _ => ().into_any(),
    })
}

fn to_delete(
    delete: Acting,
    point: PointId,
    plan: &PointDeletion,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let name = plan.name.as_str();
    let (what, label) = if plan.kind == PointKind::Safety {
        (
            t!(locale, "delete-point-safety", name = name),
            t!(locale, "delete-point-submit"),
        )
    } else {
        (
            t!(locale, "delete-point-what", name = name),
            t!(locale, "delete-submit", name = name),
        )
    };
    let frees = t!(
        locale,
        "delete-frees",
        bytes = format::bytes(locale, plan.frees)
    );
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{what}</p>
            <input type="hidden" name="point" value=point.to_string()/>
            {consequences(locale, plan)}
            <p class="note">{frees}</p>
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(label, true, pending))}
    };
    form(delete, Act::DeletePoint, "ask", inside.into_any())
}

/// *Supprimer la branche*: how many points go, what is freed when all of them are gone, and where the instance then is.
pub fn delete_branch(point: PointId, close: String) -> AnyView {
    let delete = acting(Act::DeleteBranch);
    let (refusal, pending) = follow(delete, &close);
    let looked = looked_again(refusal);
    let plan = ask(move || (Question::BranchDeletion(point), looked.get()));
    planned(plan, close, move |plan, close| match plan {
        Answer::BranchDeletion(plan) => match &plan.refused {
            Some(reason) => unavailable(reason, close),
            None => to_delete_branch(delete, point, &plan, refusal, pending, close),
        },
        _ => ().into_any(),
    })
}

fn to_delete_branch(
    delete: Acting,
    point: PointId,
    plan: &BranchDeletion,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let note = |words: String| view! { <p class="note">{words}</p> }.into_any();
    let count = plan.points;
    let text = format::count(locale, u64::from(count));
    let below = count.saturating_sub(1);
    let told = |kind: PointKind, name: &str| match kind {
        PointKind::Made => name.to_owned(),
        PointKind::Safety => t!(locale, "points-safety-name", name = name),
    };
    let name = told(plan.kind, &plan.name);
    let what = t!(
        locale,
        "delete-branch-what",
        name = name.as_str(),
        count = below,
        count_text = format::count(locale, u64::from(below))
    );
    let frees = t!(
        locale,
        "delete-frees",
        bytes = format::bytes(locale, plan.frees)
    );
    let here = plan.here.then(|| {
        let words = match &plan.onto {
            Some((kind, onto)) => {
                let onto = told(*kind, onto);
                t!(locale, "delete-branch-here", onto = onto.as_str())
            }
            None => t!(locale, "delete-branch-here-none"),
        };
        view! { <p class="note bad">{words}</p> }.into_any()
    });
    let undo = plan
        .loses_undo
        .then(|| view! { <p class="note bad">{t!(locale, "delete-point-undo")}</p> }.into_any());
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{what}</p>
            <input type="hidden" name="point" value=point.to_string()/>
            <input type="hidden" name="seal" value=plan.seal.clone()/>
            {maybe(here)}
            {maybe(undo)}
            {note(frees)}
            <label class="tick">
                <input type="checkbox" required/>
                <span>{t!(locale, "delete-branch-tick", count = count, count_text = text)}</span>
            </label>
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "delete-branch-submit"), true, pending))}
    };
    form(delete, Act::DeleteBranch, "ask", inside.into_any())
}

/// *Créer un volume de données* from one of the point's disks.
pub fn volume(instance: InstanceId, point: PointId, close: String) -> AnyView {
    let found = ask(move || (Question::Point(instance, Some(point)), 0));
    let create = acting(Act::VolumeFromPoint);
    let (refusal, pending) = follow(create, &close);
    planned(found, close, move |found, close| match found {
        Answer::Point(Some(found)) => to_extract(create, &found, refusal, pending, close),
        _ => unavailable(&NO_POINT, close),
    })
}

fn to_extract(
    create: Acting,
    row: &PointView,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let disks: Vec<AnyView> = row
        .disks
        .iter()
        .map(|disk| {
            let size = format::bytes(locale, disk.size);
            let words = t!(locale, "point-disk", name = disk.name.as_str(), size = size);
            view! { <option value=disk.volume.to_string()>{words}</option> }.into_any()
        })
        .collect();
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{t!(locale, "volume-from-point-what", name = row.name.as_str())}</p>
            <input type="hidden" name="point" value=row.id.to_string()/>
            <div class="field">
                <label for="field-disk">{t!(locale, "volume-from-point-disk")}</label>
                <select id="field-disk" name="disk" required>{disks}</select>
            </div>
            {field::text(locale, t!(locale, "field-name"), None, String::new(), true, refusal)}
            <p class="note">{t!(locale, "volume-from-point-cost")}</p>
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "restore-submit"), false, pending))}
    };
    form(create, Act::VolumeFromPoint, "ask", inside.into_any())
}

/// What else changes with it.
fn consequences(locale: Locale, plan: &PointDeletion) -> AnyView {
    let note = |words: String| view! { <p class="note">{words}</p> }.into_any();
    let children = (plan.children > 0).then(|| {
        note(t!(
            locale,
            "delete-point-children",
            count = plan.children,
            count_text = format::count(locale, u64::from(plan.children))
        ))
    });
    let current = plan
        .current
        .then(|| note(t!(locale, "delete-point-current")));
    let undo = plan
        .loses_undo
        .then(|| view! { <p class="note bad">{t!(locale, "delete-point-undo")}</p> }.into_any());
    view! { {maybe(children)} {maybe(current)} {maybe(undo)} }.into_any()
}
