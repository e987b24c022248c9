//! Two states of an instance beside each other: disk by disk what was written between them, and the machine. Which two stands
//! in the address, and a plain form changes it.

use super::super::instance::use_instance;
use super::super::{cell, column, configuration};
use super::name;
use crate::api::instances::compare_points;
use crate::domain::id::{InstanceId, PointId};
use crate::domain::locale::Locale;
use crate::domain::size::Bytes;
use crate::i18n::{format, t, words};
use crate::view::{Compared, DiskComparison, PointComparison};
use crate::web::components::lists::failed;
use crate::web::context::use_locale;
use crate::web::erased::maybe;
use crate::web::links;
use crate::web::written::later;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// In seconds; two of them and more are counted in days.
const DAY: u64 = 86_400;

/// The page.
pub fn page() -> AnyView {
    let instance = use_instance();
    // What is no point is the present.
    let side = |name: &'static str| -> Option<PointId> {
        use_query_map().with_untracked(|query| query.get_str(name).and_then(|id| id.parse().ok()))
    };
    let (from, to) = (side("from"), side("to"));
    let locale = use_locale();
    later(async move {
        match compare_points(instance, from, to).await {
            Ok(found) => drawn(locale, instance, &found),
            Err(reason) => failed(&reason),
        }
    })
}

fn drawn(locale: Locale, instance: InstanceId, found: &PointComparison) -> AnyView {
    let total: Option<u64> = found
        .disks
        .iter()
        .filter(|disk| disk.from.is_some() && disk.to.is_some())
        .map(|disk| disk.differ.map(|bytes| bytes.0))
        .sum();
    let same = total == Some(0)
        && found
            .disks
            .iter()
            .all(|disk| disk.from.is_some() && disk.to.is_some());
    let told = match total {
        _ if same => t!(locale, "compare-same"),
        None => t!(locale, "compare-unknown"),
        Some(total) => {
            let bytes = format::bytes(locale, Bytes(total));
            if found.line {
                t!(locale, "compare-written", bytes = bytes)
            } else {
                t!(locale, "compare-at-most", bytes = bytes)
            }
        }
    };
    let between = found.from.taken.unix_ms.abs_diff(found.to.taken.unix_ms) / 1000;
    let between = match between / DAY {
        0 | 1 => format::duration(locale, between),
        days => t!(locale, "compare-days", days = format::count(locale, days)),
    };
    let disks: Vec<AnyView> = found
        .disks
        .iter()
        .map(|disk| row(locale, disk, found.line))
        .collect();
    let label = |side: &Compared| match side.point {
        Some(_) => name(locale, side.kind, &side.name),
        None => t!(locale, "points-here"),
    };
    let (one, other) = (label(&found.from), label(&found.to));
    let all = links::points(instance, None);
    let title = t!(
        locale,
        "compare-title",
        from = one.as_str(),
        to = other.as_str()
    );
    view! {
        <Title text=t!(locale, "app-title", page = title.as_str())/>
        <section class="compare" aria-labelledby="compare-title">
            <p><a href=all>{t!(locale, "points-all")}</a></p>
            <h2 id="compare-title">{title}</h2>
            {choice(locale, instance, found)}
            <p class="note">{told} " " {t!(locale, "compare-between", time = between)}</p>
            <div class="card scroll">
                <table class="list" role="table">
                    <caption class="unseen">{t!(locale, "compare-disks")}</caption>
                    <thead role="rowgroup">
                        <tr role="row">
                            {column("", t!(locale, "compare-disk"))}
                            {column("", one.clone())}
                            {column("", other.clone())}
                            {column("number", t!(locale, "compare-differs"))}
                        </tr>
                    </thead>
                    <tbody role="rowgroup">{disks}</tbody>
                </table>
            </div>
            {machine(locale, found, one, other)}
        </section>
    }
    .into_any()
}

/// The two that are compared, and a plain form for two others.
fn choice(locale: Locale, instance: InstanceId, found: &PointComparison) -> AnyView {
    let select = |field: &'static str, label: String, chosen: Option<PointId>| {
        let mut options = vec![
            view! { <option value=links::HERE selected=chosen.is_none()>{t!(locale, "points-here")}</option> }.into_any(),
        ];
        options.extend(found.choices.iter().rev().map(|choice| {
            let when = format::date_time(locale, choice.taken);
            let words = name(locale, choice.kind, &choice.name);
            view! {
                <option value=choice.id.to_string() selected=chosen == Some(choice.id)>{format!("{words} ({when})")}</option>
            }
            .into_any()
        }));
        view! {
            <div>
                <label for=field>{label}</label>
                <select id=field name=field>{options}</select>
            </div>
        }
        .into_any()
    };
    let action = format!("{}/compare", links::points(instance, None));
    view! {
        <form class="compare-choice" action=action method="get">
            {select("from", t!(locale, "compare-from"), found.from.point)}
            {select("to", t!(locale, "compare-to"), found.to.point)}
            <button class="button" type="submit">{t!(locale, "compare-submit")}</button>
        </form>
    }
    .into_any()
}

/// A disk, as each of the two has it.
fn row(locale: Locale, disk: &DiskComparison, line: bool) -> AnyView {
    let side = |side: &Option<crate::view::ComparedDisk>| match side {
        Some(side) => format::bytes(locale, side.size),
        None => t!(locale, "compare-none"),
    };
    let named = disk.to.as_ref().or(disk.from.as_ref());
    let name = named.map(|side| side.name.clone()).unwrap_or_default();
    // It may have had another one.
    let before = disk.from.as_ref().filter(|from| from.name != name);
    let before = before.map(|from| {
        view! { <small>{t!(locale, "compare-was", name = from.name.as_str())}</small> }.into_any()
    });
    let differs = match (&disk.from, &disk.to, disk.differ) {
        (Some(_), None, _) => t!(locale, "compare-only-from"),
        (None, Some(_), _) => t!(locale, "compare-only-to"),
        (_, _, None) => t!(locale, "points-unknown"),
        (_, _, Some(Bytes(0))) => t!(locale, "compare-nothing"),
        (_, _, Some(bytes)) if line => format::bytes(locale, bytes),
        (_, _, Some(bytes)) => {
            t!(locale, "compare-most", bytes = format::bytes(locale, bytes))
        }
    };
    let heads = t!(locale, "compare-disk");
    view! {
        <tr role="row">
            <th role="rowheader" scope="row" data-label=heads>
                <bdi class="name">{name}</bdi>
                <small>{words::volume_kind(locale, disk.kind)}</small>
                {maybe(before)}
            </th>
            {cell(t!(locale, "compare-from"), "", side(&disk.from).into_any())}
            {cell(t!(locale, "compare-to"), "", side(&disk.to).into_any())}
            {cell(t!(locale, "compare-differs"), "number", differs.into_any())}
        </tr>
    }
    .into_any()
}

/// The instance and its machine in both; what is not the same is marked.
fn machine(locale: Locale, found: &PointComparison, one: String, other: String) -> AnyView {
    let none = || t!(locale, "compare-none");
    let plain = |text: &str| {
        if text.is_empty() {
            none()
        } else {
            text.to_owned()
        }
    };
    let told = |side: &Compared| -> [String; 7] {
        let hardware = &side.hardware;
        let ran = if side.running {
            t!(locale, "point-running")
        } else {
            t!(locale, "point-stopped")
        };
        [
            format::date_time_sentence(locale, side.taken),
            ran,
            side.consistency
                .map_or_else(none, |state| words::consistency(locale, state)),
            side.memory
                .map_or_else(none, |memory| format::bytes(locale, memory)),
            configuration(locale, hardware.vcpus, hardware.memory),
            plain(&hardware.machine),
            // The model is named; the features that are taken from it or added to it are for QEMU.
            plain(hardware.cpu.split(',').next().unwrap_or_default()),
        ]
    };
    let heads = [
        t!(locale, "compare-moment"),
        t!(locale, "point-instance"),
        t!(locale, "point-coherence"),
        t!(locale, "point-memory"),
        t!(locale, "point-hardware"),
        t!(locale, "instance-machine"),
        t!(locale, "instance-cpu"),
    ];
    let mut rows: Vec<(String, String, String)> = heads
        .into_iter()
        .zip(told(&found.from).into_iter().zip(told(&found.to)))
        .map(|(head, (one, other))| (head, one, other))
        .collect();
    let version = |side: &Compared| plain(&side.hardware.qemu);
    rows.push(("QEMU".to_owned(), version(&found.from), version(&found.to)));
    let rows: Vec<AnyView> = rows
        .into_iter()
        .enumerate()
        .map(|(at, (head, one, other))| {
            // That the moments differ goes without saying.
            let differs = (at > 0 && one != other).then(|| {
                view! { <span class="chip">{t!(locale, "compare-changed")}</span> }.into_any()
            });
            view! {
                <tr role="row">
                    <th role="rowheader" scope="row">{head} " " {maybe(differs)}</th>
                    {cell(t!(locale, "compare-from"), "", one.into_any())}
                    {cell(t!(locale, "compare-to"), "", other.into_any())}
                </tr>
            }
            .into_any()
        })
        .collect();
    view! {
        <div class="card scroll">
            <table class="list" role="table">
                <caption class="unseen">{t!(locale, "compare-machine")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {column("", t!(locale, "compare-machine"))}
                        {column("", one)}
                        {column("", other)}
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
