//! The list of templates.

use super::{head, viewer_note};
use crate::domain::locale::Locale;
use crate::domain::template::TemplateState;
use crate::i18n::{fault, format, t, words};
use crate::view::{SeveralAct, TemplateRow};
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::menu::Entry;
use crate::web::components::narrow::{Fields, Filter, use_listing};
use crate::web::components::status::{Tone, status};
use crate::web::components::table::{Column, List, list, name};
use crate::web::components::{icon, progress, when};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::{Key, maybe, value};
use crate::web::links::{self, Dialog};
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(shown).into_any()
}

fn shown(frame: Frame) -> AnyView {
    let locale = use_locale();
    let (listing, live) = (use_listing(), frame.live);
    let asked = ask(move || (Question::Templates(listing.get()), live.templates.get()));
    let may_change = frame.may_change();
    let here = links::use_here();
    let import = may_change.then(|| {
        view! {
            <a class="button" href=value(move || Dialog::ImportTemplate.on(&here.get())) data-noscroll="">{t!(locale, "act-import-template")}</a>
        }
        .into_any()
    });
    let states = TemplateState::ALL;
    let states = states.map(|state| {
        (
            state.code().to_owned(),
            words::template_state(locale, state),
        )
    });
    let table = List {
        name: "templates",
        path: links::TEMPLATES.to_owned(),
        caption: t!(locale, "templates-caption"),
        noun: "template",
        pick: |answer| match answer {
            Answer::Templates(page) => Some(page),
            _ => None,
        },
        row: |row| (row.id.code(), row.id.to_string(), row.name.clone()),
        columns: columns(locale),
        fields: Fields {
            filters: vec![Filter {
                field: "state",
                label: t!(locale, "templates-column-state"),
                options: states.into(),
            }],
            days: false,
        },
        acts,
        several: vec![(
            SeveralAct::DeleteTemplates,
            t!(locale, "several-delete-templates"),
        )],
        plain: vec![
            ("create-instance", t!(locale, "act-create-instance"), false),
            ("delete-template", t!(locale, "act-delete"), true),
        ],
        empty,
    };
    view! {
        {head(t!(locale, "templates-title"), Some(t!(locale, "templates-intro")), maybe(import))}
        {maybe((!may_change).then(viewer_note))}
        {list(frame, asked, table)}
    }
    .into_any()
}

fn empty(frame: &Frame) -> AnyView {
    let locale = use_locale();
    let may_change = frame.may_change();
    let words = if may_change {
        t!(locale, "templates-empty")
    } else {
        t!(locale, "templates-empty-viewer")
    };
    let acts = may_change.then(|| {
        view! {
            <p class="acts">
                <a class="button" href=links::SNAPSHOTS>{t!(locale, "nav-snapshots")}</a>
                <a class="button primary" href=Dialog::ImportTemplate.on(links::TEMPLATES) data-noscroll="">
                    {t!(locale, "act-import-template")}
                </a>
            </p>
        }
        .into_any()
    });
    view! {
        <div class="card empty">
            {icon::template()}
            <h2>{t!(locale, "templates-empty-title")}</h2>
            <p>{words}</p>
            {maybe(acts)}
        </div>
    }
    .into_any()
}

fn columns(locale: Locale) -> Vec<Column<TemplateRow>> {
    vec![
        Column {
            sort: "name",
            title: t!(locale, "templates-column-name"),
            class: "",
            draw: |_, _, row| {
                let description = (!row.description.is_empty())
                    .then(|| view! { <small>{name(&row.description)}</small> }.into_any());
                view! { {name(&row.name)} {maybe(description)} }.into_any()
            },
        },
        Column {
            sort: "state",
            title: t!(locale, "templates-column-state"),
            class: "state-cell",
            draw: state,
        },
        Column {
            sort: "",
            title: t!(locale, "templates-column-origin"),
            class: "",
            draw: |locale, _, row| {
                let elsewhere = row.elsewhere.then(|| {
                    view! { <small>{t!(locale, "templates-elsewhere")}</small> }.into_any()
                });
                view! { {name(&row.origin)} {maybe(elsewhere)} }.into_any()
            },
        },
        Column {
            sort: "size",
            title: t!(locale, "templates-column-size"),
            class: "number",
            draw: |locale, _, row| {
                let size = (row.size.0 > 0).then(|| format::bytes(locale, row.size));
                size.unwrap_or_else(|| t!(locale, "volumes-unknown"))
                    .into_any()
            },
        },
        Column {
            sort: "",
            title: t!(locale, "templates-column-data"),
            class: "number",
            draw: |locale, _, row| {
                let data = row.data.map(|data| format::bytes(locale, data));
                data.unwrap_or_else(|| t!(locale, "volumes-unknown"))
                    .into_any()
            },
        },
        Column {
            sort: "created",
            title: t!(locale, "templates-column-created"),
            class: "",
            draw: |locale, _, row| when(locale, row.created),
        },
    ]
}

/// The acts on a template, as links to their dialogs above the page `here`; one that its state does not allow says why.
fn acts(frame: &Frame, row: &TemplateRow, here: &str) -> Vec<Entry> {
    let locale = use_locale();
    let viewer = (!frame.may_change()).then(|| t!(locale, "reason-viewer"));
    let passing = matches!(row.state, TemplateState::Creating | TemplateState::Deleting);
    let create = viewer.clone().or_else(|| match row.state {
        TemplateState::Ready => None,
        TemplateState::Failed => Some(t!(locale, "reason-failed")),
        TemplateState::Creating | TemplateState::Deleting => Some(t!(locale, "reason-busy")),
    });
    let delete = viewer.or_else(|| passing.then(|| t!(locale, "reason-busy")));
    vec![
        Entry::new(t!(locale, "act-create-instance"), create, || {
            Dialog::create_from(row.id, here)
        }),
        Entry::new(t!(locale, "act-delete"), delete, || {
            Dialog::DeleteTemplate(row.id).on(here)
        })
        .danger()
        .apart(),
    ]
}

fn state(locale: Locale, frame: &Frame, row: &TemplateRow) -> AnyView {
    let tone = match row.state {
        TemplateState::Creating | TemplateState::Deleting => Tone::Busy,
        TemplateState::Ready => Tone::Good,
        TemplateState::Failed => Tone::Bad,
    };
    let reason = row
        .fault
        .as_ref()
        .map(|reason| view! { <small>{fault::sentence(locale, reason)}</small> }.into_any());
    let work = row.job.as_ref().map(|job| {
        let detail = job.state.is_live().then(|| progress::detail(locale, job));
        view! { {maybe(detail)} {progress::acts(locale, frame, job)} }.into_any()
    });
    view! { {status(tone, words::template_state(locale, row.state))} {maybe(reason)} {maybe(work)} }
        .into_any()
}
