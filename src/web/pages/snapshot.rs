//! One snapshot: what it holds and what it does not, where it can be used and where it is.

use super::object::{self, Object, fact, lately, paragraph, plain, section, to};
use super::snapshots;
use crate::domain::id::SnapshotId;
use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::VolumeKind;
use crate::i18n::{format, t, words};
use crate::view::SnapshotView;
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::when;
use crate::web::context::{Frame, use_frame};
use crate::web::erased::{maybe, memo};
use crate::web::links;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(shown).into_any()
}

fn shown(frame: Frame) -> AnyView {
    let (params, live) = (use_params_map(), frame.live);
    let id = memo(move |_| {
        let id = params.with(|params| params.get_str("id").and_then(|id| id.parse().ok()));
        id.unwrap_or(SnapshotId::from_bytes([0; 16]))
    });
    // What was made from it stands there too; the log grows with every act on them.
    let asked = ask(move || {
        let versions = live.snapshots.get().wrapping_add(live.activity.get());
        (
            Question::SnapshotDetails(id.get()),
            versions.wrapping_add(live.volumes.get()),
        )
    });
    let object = Object {
        list: links::SNAPSHOTS,
        list_name: |locale| t!(locale, "snapshots-title"),
        name: |answer| view_of(answer).map(|view| view.row.name.as_str()),
        state: |locale, frame, answer| {
            with(answer, |view| snapshots::state(locale, frame, &view.row))
        },
        acts: |frame, answer, here| {
            view_of(answer)
                .map(|view| snapshots::acts(frame, &view.row, here))
                .unwrap_or_default()
        },
        facts: |locale, _, answer| with(answer, |view| facts(locale, view)),
        body: |locale, frame, answer| with(answer, |view| body(locale, frame, view)),
    };
    object::page(frame, asked, object)
}

fn view_of(answer: &Answer) -> Option<&SnapshotView> {
    match answer {
        Answer::SnapshotDetails(view) => Some(view),
        _ => None,
    }
}

fn with(answer: &Answer, draw: impl FnOnce(&SnapshotView) -> AnyView) -> AnyView {
    maybe(view_of(answer).map(draw))
}

fn facts(locale: Locale, view: &SnapshotView) -> AnyView {
    let row = &view.row;
    let volume = match &view.volume {
        Some(volume) => to(links::volume(volume.id), &volume.name),
        None => {
            let gone = (!row.elsewhere)
                .then(|| view! { <small>{t!(locale, "snapshot-volume-gone")}</small> }.into_any());
            view! { {plain(row.volume.clone())} {maybe(gone)} }.into_any()
        }
    };
    let zone = match (&row.zone, row.elsewhere) {
        (Some(zone), false) => plain(zone.clone()),
        (Some(zone), true) => plain(t!(locale, "snapshot-zone-elsewhere", zone = zone.as_str())),
        (None, _) => plain(t!(locale, "snapshot-zone-unknown")),
    };
    let known = |bytes: Option<Bytes>| {
        plain(bytes.map_or_else(
            || t!(locale, "volumes-unknown"),
            |bytes| format::bytes(locale, bytes),
        ))
    };
    let date = |at: Option<Moment>, none: String| match at {
        Some(at) => when(locale, at),
        None => plain(none),
    };
    let checks = row.state.is_usable().then(|| {
        view! {
            {fact(t!(locale, "snapshot-verified"), date(row.verified, t!(locale, "snapshot-verified-never")))}
            {fact(t!(locale, "snapshot-next"), date(view.next_check, t!(locale, "snapshot-next-never")))}
        }
        .into_any()
    });
    view! {
        {fact(t!(locale, "snapshot-of"), volume)}
        {fact(t!(locale, "volumes-column-kind"), plain(words::volume_kind(locale, row.kind)))}
        {fact(t!(locale, "snapshot-zone"), zone)}
        {fact(t!(locale, "snapshots-column-taken"), when(locale, row.taken))}
        {fact(t!(locale, "snapshot-size"), plain(format::bytes(locale, row.size)))}
        {fact(t!(locale, "snapshots-column-data"), known(row.data))}
        {fact(t!(locale, "snapshot-stored"), known(view.stored))}
        {maybe(checks)}
        {fact(t!(locale, "snapshots-column-reclaimable"), known(row.reclaimable))}
    }
    .into_any()
}

fn body(locale: Locale, frame: &Frame, view: &SnapshotView) -> AnyView {
    view! {
        {section(t!(locale, "snapshot-holds-title"), holds(locale, view))}
        {section(t!(locale, "snapshot-zones-title"), zones(locale, view))}
        {section(t!(locale, "snapshot-used-title"), used(locale, view))}
        {lately(locale, frame, &view.activity, links::of(links::ACTIVITY, &view.row.id.to_string()))}
    }
    .into_any()
}

/// What is in it, and what is not.
fn holds(locale: Locale, view: &SnapshotView) -> AnyView {
    let row = &view.row;
    let date = format::date_time_sentence(locale, row.taken);
    let what = match row.data {
        Some(data) => t!(
            locale,
            "snapshot-holds",
            volume = row.volume.as_str(),
            date = date,
            data = format::bytes(locale, data),
            size = format::bytes(locale, row.size)
        ),
        None if row.state == SnapshotState::Failed => {
            return paragraph(t!(locale, "snapshot-holds-nothing"));
        }
        None => t!(
            locale,
            "snapshot-holds-later",
            volume = row.volume.as_str(),
            date = date
        ),
    };
    view! {
        <p>{what}</p>
        <p>{t!(locale, "snapshot-lacks")}</p>
        <ul class="dashes">
            <li>{t!(locale, "snapshot-lacks-memory")}</li>
            <li>{t!(locale, "snapshot-lacks-disks")}</li>
            <li>{t!(locale, "snapshot-lacks-writes")}</li>
        </ul>
        <p>{t!(locale, "snapshot-consistency")} " " <a href=links::HELP>{t!(locale, "snapshots-empty-help")}</a></p>
    }
    .into_any()
}

fn zones(locale: Locale, view: &SnapshotView) -> AnyView {
    if !view.row.state.is_usable() {
        return paragraph(t!(locale, "snapshot-zones-none"));
    }
    let zones: Vec<AnyView> = view
        .zones
        .iter()
        .map(|(zone, room)| {
            let full = (!room).then(|| {
                view! { " " <small>{t!(locale, "snapshot-zone-full")}</small> }.into_any()
            });
            view! { <li><bdi>{zone.clone()}</bdi> {maybe(full)}</li> }.into_any()
        })
        .collect();
    let root = (view.row.kind == VolumeKind::Root)
        .then(|| paragraph(t!(locale, "snapshot-zones-template")));
    view! { <p>{t!(locale, "snapshot-zones")}</p> <ul class="dashes">{zones}</ul> {maybe(root)} }
        .into_any()
}

/// What was made from it.
fn used(locale: Locale, view: &SnapshotView) -> AnyView {
    if view.templates.is_empty() && view.volumes.is_empty() {
        return paragraph(t!(locale, "snapshot-used-none"));
    }
    let templates = view.templates.iter().map(|name| {
        let href = format!("{}?find={}", links::TEMPLATES, links::escaped(name));
        view! { <li>{t!(locale, "snapshot-used-template")} " " {to(href, name)}</li> }.into_any()
    });
    let volumes = view.volumes.iter().map(|volume| {
        let filling = volume
            .filling
            .then(|| view! { " " <small>{t!(locale, "volume-filling")}</small> }.into_any());
        let zone = t!(locale, "snapshot-used-zone", zone = volume.zone.as_str());
        view! {
            <li>
                {t!(locale, "snapshot-used-volume")} " " {to(links::volume(volume.id), &volume.name)} {zone} {maybe(filling)}
            </li>
        }
        .into_any()
    });
    let all: Vec<AnyView> = templates.chain(volumes).collect();
    view! { <ul class="dashes">{all}</ul> }.into_any()
}
