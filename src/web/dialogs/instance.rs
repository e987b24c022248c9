//! The dialogs about an instance: create, start, stop, force the stop, reboot, delete, attach and detach a volume.

use crate::domain::id::{InstanceId, VolumeId};
use crate::domain::instance::{OFFERINGS, STOP_SECONDS};
use crate::domain::locale::Locale;
use crate::i18n::{format, t};
use crate::view::{InstanceDeletion, InstanceView, TemplateRow};
use crate::web::ask::{Act, Acting, Answer, Question, acting, ask, form};
use crate::web::components::dialog::{buttons, follow, planned, submit};
use crate::web::components::field::{self, Refusal, form_refusal};
use crate::web::context::{Frame, use_locale, was_chosen};
use crate::web::erased::{Memo, maybe};
use crate::web::links::{self, Dialog};
use crate::web::pages::configuration;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// An act on its way: itself, its refusal, whether it is on its way.
type Doing = (Acting, Refusal, Memo<bool>);

/// *Créer une instance*
pub fn create(frame: Frame, close: String) -> AnyView {
    let templates = ask(move || (Question::ReadyTemplates, 0));
    // From the list of templates one comes with the choice made.
    let chosen = use_query_map().with_untracked(|query| query.get("template"));
    let create = acting(Act::CreateInstance);
    let (refusal, pending) = follow(create, &close);
    planned(templates, close, move |found, close| match found {
        Answer::ReadyTemplates(mut ready) => {
            ready.sort_by_key(|row| Some(row.id.to_string()) != chosen);
            if ready.is_empty() {
                return no_template(close);
            }
            choose(&frame, ready, (create, refusal, pending), close)
        }
        _ => ().into_any(),
    })
}

/// What to do first where there is nothing to make an instance from.
fn no_template(close: String) -> AnyView {
    let locale = use_locale();
    view! {
        <div class="body">
            <p>{t!(locale, "create-instance-no-template")}</p>
        </div>
        <footer>
            <a class="button" href=close data-noscroll="">{t!(locale, "dialog-close")}</a>
            <a class="button primary" href=links::TEMPLATES>{t!(locale, "create-instance-to-templates")}</a>
        </footer>
    }
    .into_any()
}

fn choose(
    frame: &Frame,
    templates: Vec<TemplateRow>,
    (create, refusal, pending): Doing,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let zones = &frame.session.zones;
    let lame: Vec<AnyView> = zones
        .iter()
        .filter(|zone| zone.hypervisor.is_none())
        .map(|zone| {
            let words = t!(
                locale,
                "create-instance-no-hypervisor",
                zone = zone.name.as_str()
            );
            view! { <p class="note bad">{words}</p> }.into_any()
        })
        .collect();
    // Ticked only where every zone can start it.
    let start = lame.is_empty();
    let templates = templates
        .into_iter()
        .map(|row| {
            let size = format::bytes(locale, row.size);
            let name = row.name.as_str();
            let words = match row.elsewhere {
                false => t!(
                    locale,
                    "create-instance-template-option",
                    name = name,
                    size = size
                ),
                true => t!(
                    locale,
                    "create-instance-template-option-elsewhere",
                    name = name,
                    size = size
                ),
            };
            (row.id.to_string(), words)
        })
        .collect();
    let offerings = (0..)
        .zip(OFFERINGS)
        .map(|(at, offering): (u32, _)| {
            (
                at.to_string(),
                configuration(locale, offering.vcpus, offering.memory),
            )
        })
        .collect();
    let inside = view! {
        <div class="body">
            {form_refusal(locale, refusal)}
            <p>{t!(locale, "create-instance-what")}</p>
            {field::text(locale, t!(locale, "field-name"), None, String::new(), true, refusal)}
            {select("template", t!(locale, "instance-template"), templates)}
            {select("offering", t!(locale, "instance-config"), offerings)}
            {field::zone(locale, zones, refusal)}
            {lame}
            <label class="tick plain-tick">
                <input type="checkbox" name="start" value="true" checked=was_chosen("start", "true", start)/>
                <span>{t!(locale, "create-instance-start")}</span>
            </label>
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "create-instance-submit"), false, pending))}
    };
    form(create, Act::CreateInstance, "ask", inside.into_any())
}

/// A choice among what there is: the values sent, and their words.
fn select(name: &'static str, label: String, options: Vec<(String, String)>) -> AnyView {
    let options: Vec<AnyView> = options
        .into_iter()
        .map(|(value, words)| field::option(name, value, words))
        .collect();
    let id = format!("field-{name}");
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <select id=id name=name required>{options}</select>
        </div>
    }
    .into_any()
}

/// What a dialog asks about an instance.
type Draw = Box<dyn Fn(Locale, &InstanceView) -> Asking + Send>;

/// A dialog that needs to know the instance: `draw` says what it asks; the form around it is sent to `act`.
fn about(
    instance: InstanceId,
    act: Act,
    close: String,
    draw: impl Fn(Locale, &InstanceView) -> Asking + Send + 'static,
) -> AnyView {
    let draw: Draw = Box::new(draw);
    let found = ask(move || (Question::Instance(instance), 0));
    let acting = acting(act);
    let (refusal, pending) = follow(acting, &close);
    planned(found, close, move |found, close| {
        let Answer::Instance(view) = found else {
            return ().into_any();
        };
        let locale = use_locale();
        let asking = draw(locale, &view);
        let Some(label) = asking.submit else {
            return view! {
                <div class="body">{asking.body}</div>
                <footer>
                    <a class="button" href=close data-noscroll="">{t!(locale, "dialog-close")}</a>
                </footer>
            }
            .into_any();
        };
        let inside = view! {
            <div class="body">
                {form_refusal(locale, refusal)}
                {asking.body}
            </div>
            {buttons(t!(locale, "dialog-cancel"), close, submit(label, asking.dangerous, pending))}
        };
        form(acting, act, "ask", inside.into_any())
    })
}

/// What a dialog asks.
struct Asking {
    body: AnyView,
    /// The button's words; none: there is nothing that could be done.
    submit: Option<String>,
    dangerous: bool,
}

/// *Démarrer*, *Arrêter*, *Forcer l’arrêt*, *Redémarrer*
pub fn power(dialog: Dialog, instance: InstanceId, close: String) -> AnyView {
    let act = match dialog {
        Dialog::Start(_) => Act::Start,
        Dialog::Reboot(_) => Act::Reboot,
        _ => Act::Stop,
    };
    about(instance, act, close, move |locale, view| {
        let name = view.row.name.as_str();
        let time = || format::duration(locale, u64::from(STOP_SECONDS));
        let force = matches!(dialog, Dialog::ForceStop(_));
        let (what, note, submit) = match dialog {
            Dialog::Start(_) => (
                t!(locale, "start-what", name = name),
                None,
                t!(locale, "act-start"),
            ),
            Dialog::Reboot(_) => (
                t!(locale, "reboot-what", name = name),
                Some(t!(locale, "stop-deadline", time = time())),
                t!(locale, "act-reboot"),
            ),
            Dialog::ForceStop(_) => (
                t!(locale, "force-what", name = name),
                Some(t!(locale, "force-lost")),
                t!(locale, "act-force-stop"),
            ),
            _ => (
                t!(locale, "stop-what", name = name),
                Some(t!(locale, "stop-deadline", time = time())),
                t!(locale, "act-stop"),
            ),
        };
        let class = if force { "note bad" } else { "note" };
        let note = note.map(|note| view! { <p class=class>{note}</p> }.into_any());
        let forced =
            force.then(|| view! { <input type="hidden" name="force" value="true"/> }.into_any());
        let body = view! {
            <p>{what}</p>
            {maybe(note)}
            <input type="hidden" name="instance" value=instance.to_string()/>
            {maybe(forced)}
        };
        Asking {
            body: body.into_any(),
            submit: Some(submit),
            dangerous: force,
        }
    })
}

/// *Rattacher un volume*
pub fn attach(instance: InstanceId, close: String) -> AnyView {
    // From the page of a volume one comes with the choice made.
    let chosen = use_query_map().with_untracked(|query| query.get("volume"));
    about(instance, Act::Attach, close, move |locale, view| {
        let zone = view.row.zone.as_str();
        if view.attachable.is_empty() {
            let words = t!(locale, "attach-none", zone = zone);
            return Asking {
                body: view! {
                    <p>{words}</p>
                    <p><a href=Dialog::CreateVolume.on(links::VOLUMES)>{t!(locale, "act-create-volume")}</a></p>
                }
                .into_any(),
                submit: None,
                dangerous: false,
            };
        }
        let mut options: Vec<_> = view
            .attachable
            .iter()
            .map(|(id, name)| (id.to_string(), name.clone()))
            .collect();
        options.sort_by_key(|(id, _)| Some(id) != chosen.as_ref());
        let what = t!(
            locale,
            "attach-what",
            name = view.row.name.as_str(),
            zone = zone
        );
        let body = view! {
            <p>{what}</p>
            <input type="hidden" name="instance" value=instance.to_string()/>
            {select("volume", t!(locale, "attach-volume"), options)}
        };
        Asking {
            body: body.into_any(),
            submit: Some(t!(locale, "attach-submit")),
            dangerous: false,
        }
    })
}

/// *Détacher un volume*
pub fn detach(instance: InstanceId, volume: VolumeId, close: String) -> AnyView {
    about(instance, Act::Detach, close, move |locale, view| {
        let found = view.volumes.iter().find(|row| row.id == volume);
        let Some(found) = found else {
            return Asking {
                body: view! { <p>{t!(locale, "detach-gone")}</p> }.into_any(),
                submit: None,
                dangerous: false,
            };
        };
        let what = t!(
            locale,
            "detach-what",
            volume = found.name.as_str(),
            name = view.row.name.as_str()
        );
        let body = view! {
            <p>{what}</p>
            <p class="note">{t!(locale, "detach-keeps")}</p>
            <input type="hidden" name="volume" value=volume.to_string()/>
        };
        Asking {
            body: body.into_any(),
            submit: Some(t!(locale, "act-detach")),
            dangerous: false,
        }
    })
}

/// *Supprimer une instance*: with its volumes or without; what is freed in both cases.
pub fn delete(instance: InstanceId, close: String) -> AnyView {
    let plan = ask(move || (Question::InstanceDeletion(instance), 0));
    let delete = acting(Act::DeleteInstance);
    let (refusal, pending) = follow(delete, &close);
    planned(plan, close, move |plan, close| match plan {
        Answer::InstanceDeletion(plan) => {
            to_delete(instance, &plan, (delete, refusal, pending), close)
        }
        _ => ().into_any(),
    })
}

fn to_delete(
    instance: InstanceId,
    plan: &InstanceDeletion,
    (delete, refusal, pending): Doing,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let name = plan.name.as_str();
    let count = u32::try_from(plan.volumes.len()).unwrap_or(u32::MAX);
    let volumes = plan
        .volumes
        .iter()
        .map(|name| view! { <li><bdi>{name.clone()}</bdi></li> }.into_any());
    let volumes: Vec<AnyView> = volumes.collect();
    let points = (plan.points > 0).then(|| {
        let words = t!(
            locale,
            "delete-instance-points",
            count = plan.points,
            count_text = format::count(locale, u64::from(plan.points))
        );
        view! { <p class="note bad">{words}</p> }.into_any()
    });
    let keeps = t!(
        locale,
        "delete-instance-keep",
        count = count,
        count_text = format::count(locale, u64::from(count))
    );
    let goes = t!(
        locale,
        "delete-instance-all",
        count = count,
        count_text = format::count(locale, u64::from(count))
    );
    let choice = |value: &'static str, checked: bool, words: String, frees: String| {
        view! {
            <label class="tick choice">
                <input type="radio" name="volumes" value=value checked=was_chosen("volumes", value, checked)/>
                <span>{words} <small>{frees}</small></span>
            </label>
        }
        .into_any()
    };
    let frees = |bytes| t!(locale, "delete-frees", bytes = format::bytes(locale, bytes));
    let inside = view! {
        <div class="body">
            {form_refusal(locale, refusal)}
            <p>{t!(locale, "delete-instance-what", name = name)}</p>
            <input type="hidden" name="instance" value=instance.to_string()/>
            {maybe(points)}
            {choice("false", true, keeps, frees(plan.frees_keeping))}
            {choice("true", false, goes, frees(plan.frees_all))}
            <p class="names">{t!(locale, "delete-instance-volumes")}</p>
            <ul class="names">{volumes}</ul>
        </div>
        {buttons(
            t!(locale, "dialog-cancel"),
            close,
            submit(t!(locale, "delete-submit", name = name), true, pending),
        )}
    };
    form(delete, Act::DeleteInstance, "ask", inside.into_any())
}
