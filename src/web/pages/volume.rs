//! One volume: what it is, what of it is saved, how it grew.

use super::object::{self, Object, fact, lately, paragraph, plain, section, to};
use super::{cell, column, snapshots, volumes};
use crate::domain::id::VolumeId;
use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::domain::size::Bytes;
use crate::domain::volume::VolumeState;
use crate::i18n::{format, t, words};
use crate::view::{KeptSnapshot, Made, VolumeView};
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::table::named;
use crate::web::components::when;
use crate::web::context::{Frame, use_frame};
use crate::web::erased::{maybe, memo};
use crate::web::links::{self, Dialog};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The drawing of a volume's growth: its width and height, and the room for the dots at its edges.
const WIDE: i64 = 600;
const HIGH: i64 = 120;
const EDGE: i64 = 6;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(shown).into_any()
}

fn shown(frame: Frame) -> AnyView {
    let (params, live) = (use_params_map(), frame.live);
    let id = memo(move |_| {
        let id = params.with(|params| params.get_str("id").and_then(|id| id.parse().ok()));
        id.unwrap_or(VolumeId::from_bytes([0; 16]))
    });
    // Its instance and its snapshots stand there too; the log grows with every act on them.
    let asked = ask(move || {
        let versions = [live.volumes, live.snapshots, live.instances, live.activity];
        (
            Question::Volume(id.get()),
            versions
                .into_iter()
                .fold(0, |all, one| one.get().wrapping_add(all)),
        )
    });
    let object = Object {
        list: links::VOLUMES,
        list_name: |locale| t!(locale, "volumes-title"),
        name: |answer| view_of(answer).map(|view| view.row.name.as_str()),
        state: |locale, frame, answer| {
            with(answer, |view| volumes::state(locale, frame, &view.row))
        },
        acts: |frame, answer, here| {
            view_of(answer)
                .map(|view| volumes::acts(frame, &view.row, here))
                .unwrap_or_default()
        },
        facts: |locale, frame, answer| with(answer, |view| facts(locale, frame, view)),
        body: |locale, frame, answer| with(answer, |view| body(locale, frame, view)),
    };
    object::page(frame, asked, object)
}

fn view_of(answer: &Answer) -> Option<&VolumeView> {
    match answer {
        Answer::Volume(view) => Some(view),
        _ => None,
    }
}

fn with(answer: &Answer, draw: impl FnOnce(&VolumeView) -> AnyView) -> AnyView {
    maybe(view_of(answer).map(draw))
}

fn known(locale: Locale, bytes: Option<Bytes>) -> String {
    bytes.map_or_else(
        || t!(locale, "volumes-unknown"),
        |bytes| format::bytes(locale, bytes),
    )
}

fn facts(locale: Locale, frame: &Frame, view: &VolumeView) -> AnyView {
    let row = &view.row;
    let made = match &view.made {
        Made::Empty => plain(t!(locale, "volume-made-empty")),
        Made::Image => plain(t!(locale, "volume-made-image")),
        Made::Snapshot(Some(link)) => view! {
            {t!(locale, "volume-made-snapshot")} " " {to(links::snapshot(link.id), &link.name)}
        }
        .into_any(),
        Made::Snapshot(None) => plain(t!(locale, "volume-made-snapshot-gone")),
        Made::Template(Some(name)) => {
            plain(t!(locale, "volume-made-template", name = name.as_str()))
        }
        Made::Template(None) => plain(t!(locale, "volume-made-template-gone")),
        Made::Unknown => plain(t!(locale, "volumes-unknown")),
    };
    let attached = row.instance.as_ref().map(|instance| {
        let place = match view.slot {
            Some(0) => t!(locale, "volume-place-root"),
            slot => {
                let number = u64::from(slot.unwrap_or_default()) + 1;
                t!(
                    locale,
                    "volume-place",
                    number = format::count(locale, number)
                )
            }
        };
        let open = t!(
            locale,
            "volume-open",
            open = if view.in_use { "yes" } else { "no" }
        );
        view! { {to(links::instance(instance.id), &instance.name)} <small>{place}</small> <small>{open}</small> }
            .into_any()
    });
    let here = links::volume(row.id);
    let instance = attached.unwrap_or_else(|| {
        let ready = row.state == VolumeState::Ready && frame.may_change();
        let links: Vec<AnyView> = view
            .attachable
            .iter()
            .filter(|_| ready)
            .map(|instance| {
                let href = format!(
                    "{}&volume={}",
                    Dialog::Attach(instance.id).on(&here),
                    row.id
                );
                let words = t!(locale, "volume-attach-to", name = instance.name.as_str());
                view! { <li><a href=href data-noscroll="">{words}</a></li> }.into_any()
            })
            .collect();
        let none = (links.is_empty() && ready)
            .then(|| view! { <small>{t!(locale, "volume-attach-none")}</small> }.into_any());
        view! { {t!(locale, "volume-detached")} {maybe(none)} <ul class="choices">{links}</ul> }
            .into_any()
    });
    view! {
        {fact(t!(locale, "volumes-column-kind"), plain(words::volume_kind(locale, row.kind)))}
        {fact(t!(locale, "volumes-column-zone"), plain(row.zone.clone()))}
        {fact(t!(locale, "volumes-column-size"), plain(format::bytes(locale, row.size)))}
        {fact(t!(locale, "volumes-column-written"), plain(known(locale, row.written)))}
        {fact(t!(locale, "volumes-column-instance"), instance)}
        {fact(t!(locale, "volume-made"), made)}
        {fact(t!(locale, "volume-created"), when(locale, row.created))}
        {fact(t!(locale, "volume-frees"), plain(known(locale, view.exclusive)))}
    }
    .into_any()
}

fn body(locale: Locale, frame: &Frame, view: &VolumeView) -> AnyView {
    let row = &view.row;
    view! {
        {section(t!(locale, "volume-unsaved-title"), paragraph(unsaved(locale, view)))}
        {section(t!(locale, "snapshots-title"), kept(locale, frame, view))}
        {maybe(growth(locale, view))}
        {lately(locale, frame, &view.activity, links::of(links::ACTIVITY, &row.id.to_string()))}
    }
    .into_any()
}

/// What would be lost with its zone, in a sentence.
fn unsaved(locale: Locale, view: &VolumeView) -> String {
    let Some(unsaved) = view.unsaved else {
        return match view.row.state {
            VolumeState::Ready => t!(locale, "volume-unsaved-unknown"),
            _ => t!(locale, "volume-unsaved-nothing"),
        };
    };
    let bytes = format::bytes(locale, unsaved.bytes);
    match (unsaved.since, unsaved.bytes.0) {
        (Some(since), 0) => t!(
            locale,
            "volume-unsaved-none",
            date = format::date_time_sentence(locale, since)
        ),
        (Some(since), _) => t!(
            locale,
            "volume-unsaved-since",
            bytes = bytes,
            date = format::date_time_sentence(locale, since)
        ),
        (None, 0) => t!(locale, "volume-unsaved-nothing"),
        (None, _) if unsaved.on_origin => t!(locale, "volume-unsaved-origin", bytes = bytes),
        (None, _) if view.snapshots_total == 0 => t!(locale, "volume-unsaved-all", bytes = bytes),
        (None, _) => t!(locale, "volume-unsaved-whole", bytes = bytes),
    }
}

fn kept(locale: Locale, frame: &Frame, view: &VolumeView) -> AnyView {
    if view.snapshots.is_empty() {
        return paragraph(t!(locale, "volume-snapshots-none"));
    }
    let row = |kept: &KeptSnapshot| {
        let row = &kept.row;
        let size = |bytes: Option<Bytes>| {
            bytes
                .map(|bytes| format::bytes(locale, bytes))
                .unwrap_or_default()
                .into_any()
        };
        view! {
            <tr role="row">
                <th role="rowheader" scope="row">{named(links::snapshot(row.id), &row.name)}</th>
                {cell(t!(locale, "snapshots-column-state"), "state-cell", snapshots::state(locale, frame, row))}
                {cell(t!(locale, "snapshots-column-taken"), "", when(locale, row.taken))}
                {cell(t!(locale, "snapshots-column-data"), "number", size(row.data))}
                {cell(t!(locale, "snapshot-stored"), "number", size(kept.stored))}
            </tr>
        }
        .into_any()
    };
    let rows: Vec<AnyView> = view.snapshots.iter().map(row).collect();
    let total = view.snapshots_total;
    let all = (total as usize > view.snapshots.len()).then(|| {
        let words = t!(
            locale,
            "volume-snapshots-all",
            count = format::count(locale, u64::from(total))
        );
        let href = links::of(links::SNAPSHOTS, &view.row.id.to_string());
        view! { <p><a href=href>{words}</a></p> }.into_any()
    });
    view! {
        <div class="card scroll">
            <table class="list" role="table">
                <caption class="unseen">{t!(locale, "volume-snapshots-caption")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {column("", t!(locale, "snapshots-column-name"))}
                        {column("", t!(locale, "snapshots-column-state"))}
                        {column("", t!(locale, "snapshots-column-taken"))}
                        {column("number", t!(locale, "snapshots-column-data"))}
                        {column("number", t!(locale, "snapshot-stored"))}
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
        {maybe(all)}
    }
    .into_any()
}

/// How much data each saved snapshot held: drawn, and as a table, with what is written now. None where there is nothing to
/// compare.
fn growth(locale: Locale, view: &VolumeView) -> Option<AnyView> {
    let saved = view.snapshots.iter().rev();
    let held: Vec<(Moment, Bytes)> = saved
        .filter_map(|kept| kept.row.data.map(|data| (kept.row.taken, data)))
        .collect();
    let ((first, before), (last, now)) = (*held.first()?, *held.last()?);
    let span = last.unix_ms - first.unix_ms;
    let most = held.iter().map(|(_, bytes)| bytes.0).max()?;
    if span <= 0 || most == 0 {
        return None;
    }
    let dots: Vec<(i64, i64)> = held
        .iter()
        .map(|(at, bytes)| {
            let right =
                i128::from(at.unix_ms - first.unix_ms) * i128::from(WIDE) / i128::from(span);
            let up = u128::from(bytes.0) * HIGH.unsigned_abs() as u128 / u128::from(most);
            // Both are within the drawing.
            (EDGE + right as i64, EDGE + HIGH - up as i64)
        })
        .collect();
    let line: Vec<String> = dots.iter().map(|(x, y)| format!("{x},{y}")).collect();
    let line = line.join(" ");
    let ground = EDGE + HIGH;
    let area = format!("{EDGE},{ground} {line} {},{ground}", EDGE + WIDE);
    let circles: Vec<AnyView> = dots
        .iter()
        .map(|(x, y)| {
            view! { <circle cx=x.to_string() cy=y.to_string() r="4"></circle> }.into_any()
        })
        .collect();
    let told = t!(
        locale,
        "volume-growth-told",
        before = format::bytes(locale, before),
        date = format::date_time_sentence(locale, first),
        now = format::bytes(locale, now),
        last = format::date_time_sentence(locale, last)
    );
    let row = |at: AnyView, bytes: Bytes| {
        view! { <tr><th scope="row">{at}</th> <td class="number">{format::bytes(locale, bytes)}</td></tr> }
            .into_any()
    };
    let rows: Vec<AnyView> = held
        .iter()
        .map(|(at, bytes)| row(when(locale, *at), *bytes))
        .collect();
    // Counted in smaller pieces than what is saved, so it is told and not drawn.
    let written = view
        .row
        .written
        .map(|bytes| row(plain(t!(locale, "volume-growth-now")), bytes));
    let chart = view! {
        <figure class="growth">
            <p class="quiet">{format::bytes(locale, Bytes(most))}</p>
            <svg viewBox=format!("0 0 {} {}", WIDE + 2 * EDGE, HIGH + 2 * EDGE) role="img" aria-label=told.clone()>
                <polygon points=area></polygon>
                <polyline points=line></polyline>
                {circles}
            </svg>
            <figcaption>{told}</figcaption>
            <details>
                <summary>{t!(locale, "volume-growth-figures")}</summary>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">{t!(locale, "activity-column-when")}</th>
                            <th scope="col" class="number">{t!(locale, "snapshots-column-data")}</th>
                        </tr>
                    </thead>
                    <tbody>{rows} {maybe(written)}</tbody>
                </table>
            </details>
        </figure>
    };
    Some(section(t!(locale, "volume-growth-title"), chart.into_any()))
}
