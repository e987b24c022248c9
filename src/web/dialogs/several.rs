//! One act on several objects: what happens to each, what is left out and why, what is freed in all. One confirmation.

use crate::domain::locale::Locale;
use crate::i18n::{fault, format, t};
use crate::view::{SeveralAct, SeveralPlan};
use crate::web::ask::{Act, Acting, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, planned, submit};
use crate::web::components::field::{Refusal, form_refusal};
use crate::web::context::use_locale;
use crate::web::erased::{Memo, maybe};
use crate::web::links;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// What it asks.
pub fn title(locale: Locale, act: SeveralAct) -> String {
    match act {
        SeveralAct::TakeSnapshots => t!(locale, "several-take-snapshots"),
        SeveralAct::DeleteVolumes => t!(locale, "several-delete-volumes"),
        SeveralAct::VerifySnapshots => t!(locale, "several-verify-snapshots"),
        SeveralAct::DeleteSnapshots => t!(locale, "several-delete-snapshots"),
        SeveralAct::DeleteTemplates => t!(locale, "several-delete-templates"),
        SeveralAct::StartInstances => t!(locale, "several-start-instances"),
        SeveralAct::StopInstances => t!(locale, "several-stop-instances"),
        SeveralAct::DeleteInstances => t!(locale, "several-delete-instances"),
        SeveralAct::DeletePoints => t!(locale, "several-delete-points"),
    }
}

pub fn body(act: SeveralAct, close: String) -> AnyView {
    let noun = links::several_noun(act);
    let ids = use_query_map().with_untracked(|query| query.get_all(noun).unwrap_or_default());
    let ids = ids.join(",");
    let plan = ask(move || (Question::Several(act, ids.clone()), 0));
    let doing = acting(Act::Several);
    let (refusal, pending) = follow(doing, &close);
    planned(plan, close, move |plan, close| match plan {
        Answer::Several(plan) => filled(doing, act, &plan, refusal, pending, close),
        _ => ().into_any(),
    })
}

fn filled(
    doing: Acting,
    act: SeveralAct,
    plan: &SeveralPlan,
    refusal: Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let possible = plan
        .objects
        .iter()
        .filter(|object| object.refused.is_none());
    let count = possible.clone().count() as u64;
    let ids: Vec<&str> = possible.clone().map(|object| object.id.as_str()).collect();
    let ids = ids.join(",");
    let going: Vec<AnyView> = possible
        .clone()
        .map(|object| {
            let lost = object.lost.then(|| {
                view! { <small class="lost">{t!(locale, "several-lost")}</small> }.into_any()
            });
            view! { <li><bdi class="name">{object.name.clone()}</bdi> {maybe(lost)}</li> }
                .into_any()
        })
        .collect();
    let left: Vec<AnyView> = plan
        .objects
        .iter()
        .filter_map(|object| object.refused.as_ref().map(|reason| (object, reason)))
        .map(|(object, reason)| {
            view! { <li><bdi class="name">{object.name.clone()}</bdi> <small>{fault::sentence(locale, reason)}</small></li> }
                .into_any()
        })
        .collect();
    let out = left.len() as u64;
    let left_out = (out > 0).then(|| {
        let words = t!(
            locale,
            "several-left-out",
            count = out,
            count_text = format::count(locale, out)
        );
        view! { <div class="note"><p>{words}</p> <ul class="objects">{left}</ul></div> }.into_any()
    });
    let volumes = (act == SeveralAct::DeleteInstances && count > 0).then(|| {
        let kept = plan.frees.map_or_else(String::new, |bytes| {
            t!(locale, "delete-frees", bytes = format::bytes(locale, bytes))
        });
        let gone = plan.frees_all.map_or_else(String::new, |bytes| {
            t!(locale, "delete-frees", bytes = format::bytes(locale, bytes))
        });
        view! {
            <fieldset>
                <legend>{t!(locale, "several-volumes")}</legend>
                <label class="tick choice"><input type="radio" name="all" value="false" checked/> <span>{t!(locale, "several-volumes-keep")} <small>{kept}</small></span></label>
                <label class="tick choice"><input type="radio" name="all" value="true"/> <span>{t!(locale, "several-volumes-all")} <small>{gone}</small></span></label>
            </fieldset>
        }
        .into_any()
    });
    let frees = plan
        .frees
        .filter(|_| volumes.is_none() && count > 0)
        .map(|bytes| {
            let words = t!(locale, "delete-frees", bytes = format::bytes(locale, bytes));
            view! { <p class="note">{words}</p> }.into_any()
        });
    let saves = plan.saves.filter(|_| count > 0).map(|bytes| {
        let words = t!(
            locale,
            "several-saves",
            bytes = format::bytes(locale, bytes)
        );
        view! { <p class="note">{words}</p> }.into_any()
    });
    let tick = (act.destroys() && count > 0).then(|| {
        view! {
            <label class="tick">
                <input type="checkbox" required/>
                <span>{t!(locale, "several-tick", count = count, count_text = format::count(locale, count))}</span>
            </label>
        }
        .into_any()
    });
    let what = t!(
        locale,
        "several-what",
        count = count,
        count_text = format::count(locale, count)
    );
    let send = (count > 0).then(|| {
        let label = t!(
            locale,
            "several-submit",
            count = count,
            count_text = format::count(locale, count)
        );
        submit(label, act.destroys(), pending)
    });
    let leave = if count > 0 {
        t!(locale, "dialog-cancel")
    } else {
        t!(locale, "dialog-close")
    };
    let inside = view! {
        <div class="body">
            {form_refusal(locale, refusal)}
            <p>{what}</p>
            <ul class="objects">{going}</ul>
            {maybe(left_out)}
            <input type="hidden" name="act" value=act.code()/>
            <input type="hidden" name="ids" value=ids/>
            {maybe(volumes)}
            {maybe(saves)}
            {maybe(frees)}
            {maybe(tick)}
        </div>
        {buttons(leave, close, maybe(send))}
    };
    form(doing, Act::Several, "ask", inside.into_any())
}
