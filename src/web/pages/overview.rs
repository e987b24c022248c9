//! One instance at a glance: what it is, its volumes, its newest recovery points, what was done to it lately.

use super::configuration;
use super::instance::tab;
use super::object::{fact, lately, paragraph, plain, section, to};
use crate::domain::instance::Accelerator;
use crate::domain::locale::Locale;
use crate::domain::recovery::MemoryWay;
use crate::i18n::{format, t, words};
use crate::view::InstanceView;
use crate::web::components::when;
use crate::web::context::{Frame, use_locale};
use crate::web::erased::{follow, maybe};
use crate::web::links;
use leptos::prelude::*;

/// *Aperçu*
pub fn page() -> AnyView {
    tab(|frame, found| {
        let locale = use_locale();
        follow(move || {
            found.with(|found| maybe(found.as_ref().map(|view| glance(locale, &frame, view))))
        })
    })
}

fn glance(locale: Locale, frame: &Frame, view: &InstanceView) -> AnyView {
    let id = view.row.id;
    view! {
        <div class="object">
            {facts(locale, frame, view)}
            <div>
                {section(t!(locale, "instance-tab-volumes"), volumes(locale, view))}
                {section(t!(locale, "instance-points-title"), points(locale, view))}
                {lately(locale, frame, &view.activity, links::instance_activity(id))}
            </div>
        </div>
    }
    .into_any()
}

fn volumes(locale: Locale, view: &InstanceView) -> AnyView {
    let volumes: Vec<AnyView> = view
        .volumes
        .iter()
        .map(|row| {
            let written = match row.written {
                Some(written) => t!(
                    locale,
                    "instance-volume-written",
                    written = format::bytes(locale, written),
                    size = format::bytes(locale, row.size)
                ),
                None => format::bytes(locale, row.size),
            };
            view! {
                <li>
                    <span class="what">
                        <b>{to(links::volume(row.id), &row.name)}</b> " " <span class="quiet">{words::volume_kind(locale, row.kind)}</span>
                    </span>
                    <span class="quiet">{written}</span>
                </li>
            }
            .into_any()
        })
        .collect();
    view! { <ul class="log card">{volumes}</ul> }.into_any()
}

fn points(locale: Locale, view: &InstanceView) -> AnyView {
    if view.points.is_empty() {
        return paragraph(t!(locale, "instance-points-none"));
    }
    let points: Vec<AnyView> = view
        .points
        .iter()
        .map(|point| {
            let holds = if point.memory {
                t!(locale, "points-holds-memory")
            } else {
                t!(locale, "points-holds-disks")
            };
            view! {
                <li>
                    <span class="what"><b>{to(links::points(view.row.id, Some(point.id)), &point.name)}</b> " " <span class="quiet">{holds}</span></span>
                    <span class="quiet">{when(locale, point.taken)}</span>
                </li>
            }
            .into_any()
        })
        .collect();
    let all = links::points(view.row.id, None);
    view! { <ul class="log card">{points}</ul> <p><a href=all>{t!(locale, "points-all")}</a></p> }
        .into_any()
}

fn processor(cpu: &str) -> AnyView {
    match cpu.split_once(',') {
        Some((model, features)) => {
            let (model, features) = (model.to_owned(), features.replace(',', ", "));
            view! { <details><summary>{model}</summary> <code>{features}</code></details> }
                .into_any()
        }
        None => plain(cpu.to_owned()),
    }
}

fn facts(locale: Locale, frame: &Frame, view: &InstanceView) -> AnyView {
    let counted = |href: String, count: u32| {
        view! { <a href=href>{format::count(locale, u64::from(count))}</a> }.into_any()
    };
    let (row, hardware) = (&view.row, &view.hardware);
    let accelerator = view.accelerator.map(|accelerator| {
        let words = match accelerator {
            Accelerator::Kvm => t!(locale, "instance-kvm"),
            Accelerator::Tcg => t!(locale, "instance-tcg"),
        };
        fact(t!(locale, "instance-accelerator"), plain(words))
    });
    let zones = &frame.session.zones;
    let way = zones
        .iter()
        .find(|zone| zone.name == row.zone)
        .and_then(|zone| zone.memory_way);
    let way = way.map(|way| {
        let way = match way {
            MemoryWay::Running => "running",
            MemoryWay::Standing => "standing",
        };
        let way = t!(locale, "instance-memory-way", way = way);
        fact(t!(locale, "instance-memory"), plain(way))
    });
    // What never ran has none yet. The model says it to people; the features that are taken from it or added to it are folded.
    let machine = (!hardware.machine.is_empty()).then(|| {
        let machine = t!(
            locale,
            "instance-machine-value",
            machine = hardware.machine.as_str(),
            qemu = hardware.qemu.as_str()
        );
        view! {
            {fact(t!(locale, "instance-machine"), plain(machine))}
            {fact(t!(locale, "instance-cpu"), processor(&hardware.cpu))}
        }
        .into_any()
    });
    let started = view.started.map_or_else(
        || t!(locale, "instance-never"),
        |at| format::date_time(locale, at),
    );
    view! {
        <dl class="card facts">
            {fact(t!(locale, "instance-zone"), plain(row.zone.clone()))}
            {fact(t!(locale, "instance-template"), plain(view.template.clone()))}
            {fact(t!(locale, "instance-config"), plain(configuration(locale, row.vcpus, row.memory)))}
            {fact(t!(locale, "instance-tab-volumes"), counted(links::instance_volumes(row.id), row.volumes))}
            {fact(t!(locale, "instance-tab-points"), counted(links::points(row.id, None), row.points))}
            {fact(t!(locale, "instance-created"), plain(format::date_time(locale, row.created)))}
            {fact(t!(locale, "instance-started"), plain(started))}
            {maybe(accelerator)}
            {maybe(way)}
            {maybe(machine)}
        </dl>
    }
    .into_any()
}
