//! The list of instances.

use super::instance::{acts, state};
use super::{configuration, head, viewer_note};
use crate::domain::instance::InstanceState;
use crate::domain::locale::Locale;
use crate::i18n::{format, t, words};
use crate::view::{InstanceRow, SeveralAct};
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::icon;
use crate::web::components::narrow::{Fields, Filter, use_listing, zones};
use crate::web::components::table::{Column, List, list, named};
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
    let asked = ask(move || (Question::Instances(listing.get()), live.instances.get()));
    let may_change = frame.may_change();
    let here = links::use_here();
    let create = may_change.then(|| {
        view! {
            <a class="button primary" href=value(move || Dialog::CreateInstance.on(&here.get())) data-noscroll="">
                {t!(locale, "act-create-instance")}
            </a>
        }
        .into_any()
    });
    let states = InstanceState::ALL;
    let states = states.map(|state| {
        (
            state.code().to_owned(),
            words::instance_state(locale, state),
        )
    });
    let table = List {
        name: "instances",
        path: links::INSTANCES.to_owned(),
        caption: t!(locale, "instances-caption"),
        noun: "instance",
        pick: |answer| match answer {
            Answer::Instances(page) => Some(page),
            _ => None,
        },
        row: |row| (row.id.code(), row.id.to_string(), row.name.clone()),
        columns: columns(locale),
        fields: Fields {
            filters: vec![
                Filter {
                    field: "state",
                    label: t!(locale, "instances-column-state"),
                    options: states.into(),
                },
                zones(locale, &frame),
            ],
            days: false,
        },
        acts: |frame, row, here| acts(use_locale(), frame.may_change(), row, here),
        several: vec![
            (
                SeveralAct::StartInstances,
                t!(locale, "several-start-instances"),
            ),
            (
                SeveralAct::StopInstances,
                t!(locale, "several-stop-instances"),
            ),
            (
                SeveralAct::DeleteInstances,
                t!(locale, "several-delete-instances"),
            ),
        ],
        plain: vec![
            ("start", t!(locale, "act-start"), false),
            ("stop", t!(locale, "act-stop"), false),
            ("reboot", t!(locale, "act-reboot"), false),
            ("force-stop", t!(locale, "act-force-stop"), false),
            ("create-point", t!(locale, "point-create"), false),
            ("delete-instance", t!(locale, "act-delete"), true),
        ],
        empty,
    };
    view! {
        {head(t!(locale, "instances-title"), None, maybe(create))}
        {maybe((!may_change).then(viewer_note))}
        {list(frame, asked, table)}
    }
    .into_any()
}

/// What an instance is and how to make one; where there is no template yet, the dialog says how to get one.
fn empty(frame: &Frame) -> AnyView {
    let locale = use_locale();
    let may_change = frame.may_change();
    let words = if may_change {
        t!(locale, "instances-empty")
    } else {
        t!(locale, "instances-empty-viewer")
    };
    let acts = may_change.then(|| {
        view! {
            <p class="acts">
                <a class="button" href=links::TEMPLATES>{t!(locale, "nav-templates")}</a>
                <a class="button primary" href=Dialog::CreateInstance.on(links::INSTANCES) data-noscroll="">
                    {t!(locale, "act-create-instance")}
                </a>
            </p>
        }
        .into_any()
    });
    view! {
        <div class="card empty">
            {icon::instance()}
            <h2>{t!(locale, "instances-empty-title")}</h2>
            <p>{words}</p>
            {maybe(acts)}
        </div>
    }
    .into_any()
}

fn columns(locale: Locale) -> Vec<Column<InstanceRow>> {
    vec![
        Column {
            sort: "name",
            title: t!(locale, "instances-column-name"),
            class: "",
            draw: |_, _, row| named(links::instance(row.id), &row.name),
        },
        Column {
            sort: "state",
            title: t!(locale, "instances-column-state"),
            class: "state-cell",
            draw: state,
        },
        Column {
            sort: "zone",
            title: t!(locale, "instance-zone"),
            class: "",
            draw: |_, _, row| view! { <bdi>{row.zone.clone()}</bdi> }.into_any(),
        },
        Column {
            sort: "memory",
            title: t!(locale, "instance-config"),
            class: "",
            draw: |locale, _, row| configuration(locale, row.vcpus, row.memory).into_any(),
        },
        Column {
            sort: "volumes",
            title: t!(locale, "instance-tab-volumes"),
            class: "number",
            draw: |locale, _, row| format::count(locale, u64::from(row.volumes)).into_any(),
        },
        Column {
            sort: "points",
            title: t!(locale, "instance-tab-points"),
            class: "number",
            draw: |locale, _, row| format::count(locale, u64::from(row.points)).into_any(),
        },
    ]
}
