//! The list of volumes.

use super::{head, viewer_note};
use crate::domain::fault::Fault;
use crate::domain::job::JobState;
use crate::domain::locale::Locale;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::i18n::{fault, format, t, words};
use crate::view::{SeveralAct, VolumeRow};
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::menu::Entry;
use crate::web::components::narrow::{Fields, Filter, use_listing, zones};
use crate::web::components::status::{Tone, status};
use crate::web::components::table::{Column, List, list, named};
use crate::web::components::{icon, progress};
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
    let asked = ask(move || (Question::Volumes(listing.get()), live.volumes.get()));
    let may_change = frame.may_change();
    let here = links::use_here();
    let create = may_change.then(|| {
        view! {
            <a class="button" href=value(move || Dialog::Import.on(&here.get())) data-noscroll="">{t!(locale, "act-import")}</a>
            <a class="button primary" href=value(move || Dialog::CreateVolume.on(&here.get())) data-noscroll="">
                {t!(locale, "act-create-volume")}
            </a>
        }
        .into_any()
    });
    let states = VolumeState::ALL;
    let states = states.map(|state| {
        (
            state.code().to_owned(),
            words::volume_state(locale, state, false),
        )
    });
    let kinds = VolumeKind::ALL;
    let kinds = kinds.map(|kind| (kind.code().to_owned(), words::volume_kind(locale, kind)));
    let table = List {
        name: "volumes",
        path: links::VOLUMES.to_owned(),
        caption: t!(locale, "volumes-caption"),
        noun: "volume",
        pick: |answer| match answer {
            Answer::Volumes(page) => Some(page),
            _ => None,
        },
        row: |row| (row.id.code(), row.id.to_string(), row.name.clone()),
        columns: columns(locale),
        fields: Fields {
            filters: vec![
                Filter {
                    field: "state",
                    label: t!(locale, "volumes-column-state"),
                    options: states.into(),
                },
                Filter {
                    field: "kind",
                    label: t!(locale, "volumes-column-kind"),
                    options: kinds.into(),
                },
                zones(locale, &frame),
            ],
            days: false,
        },
        acts,
        several: vec![
            (
                SeveralAct::TakeSnapshots,
                t!(locale, "several-take-snapshots"),
            ),
            (
                SeveralAct::DeleteVolumes,
                t!(locale, "several-delete-volumes"),
            ),
        ],
        plain: vec![
            ("take-snapshot", t!(locale, "act-take-snapshot"), false),
            ("delete-volume", t!(locale, "act-delete"), true),
        ],
        empty,
    };
    view! {
        {head(t!(locale, "volumes-title"), None, maybe(create))}
        {maybe((!may_change).then(viewer_note))}
        {list(frame, asked, table)}
    }
    .into_any()
}

fn empty(frame: &Frame) -> AnyView {
    let locale = use_locale();
    let may_change = frame.may_change();
    let words = if may_change {
        t!(locale, "volumes-empty")
    } else {
        t!(locale, "volumes-empty-viewer")
    };
    let acts = may_change.then(|| {
        view! {
            <p class="acts">
                <a class="button" href=Dialog::Import.on(links::VOLUMES) data-noscroll="">{t!(locale, "act-import")}</a>
                <a class="button primary" href=Dialog::CreateVolume.on(links::VOLUMES) data-noscroll="">
                    {t!(locale, "act-create-volume")}
                </a>
            </p>
        }
        .into_any()
    });
    view! {
        <div class="card empty">
            {icon::volume()}
            <h2>{t!(locale, "volumes-empty-title")}</h2>
            <p>{words}</p>
            {maybe(acts)}
            <p><a href=links::HELP>{t!(locale, "help-title")}</a></p>
        </div>
    }
    .into_any()
}

fn columns(locale: Locale) -> Vec<Column<VolumeRow>> {
    vec![
        Column {
            sort: "name",
            title: t!(locale, "volumes-column-name"),
            class: "",
            draw: |_, _, row| named(links::volume(row.id), &row.name),
        },
        Column {
            sort: "state",
            title: t!(locale, "volumes-column-state"),
            class: "state-cell",
            draw: state,
        },
        Column {
            sort: "kind",
            title: t!(locale, "volumes-column-kind"),
            class: "",
            draw: |locale, _, row| words::volume_kind(locale, row.kind).into_any(),
        },
        Column {
            sort: "instance",
            title: t!(locale, "volumes-column-instance"),
            class: "instance-cell",
            draw: |_, _, row| {
                let instance = row.instance.as_ref();
                maybe(instance.map(|instance| named(links::instance(instance.id), &instance.name)))
            },
        },
        Column {
            sort: "zone",
            title: t!(locale, "volumes-column-zone"),
            class: "",
            draw: |_, _, row| view! { <bdi>{row.zone.clone()}</bdi> }.into_any(),
        },
        Column {
            sort: "size",
            title: t!(locale, "volumes-column-size"),
            class: "number",
            draw: |locale, _, row| format::bytes(locale, row.size).into_any(),
        },
        Column {
            sort: "",
            title: t!(locale, "volumes-column-written"),
            class: "number",
            draw: |locale, _, row| {
                let written = row.written.map(|written| format::bytes(locale, written));
                written
                    .unwrap_or_else(|| t!(locale, "volumes-unknown"))
                    .into_any()
            },
        },
        Column {
            sort: "snapshots",
            title: t!(locale, "volumes-column-snapshots"),
            class: "number",
            draw: |locale, _, row| format::count(locale, u64::from(row.snapshots)).into_any(),
        },
    ]
}

/// The acts on a volume, as links to their dialogs above the page `here`; one that its state does not allow says why.
pub fn acts(frame: &Frame, row: &VolumeRow, here: &str) -> Vec<Entry> {
    let locale = use_locale();
    let viewer = (!frame.may_change()).then(|| t!(locale, "reason-viewer"));
    let ready = row.state == VolumeState::Ready;
    let busy = || t!(locale, "reason-busy");
    let take = viewer.clone().or_else(|| match row.state {
        VolumeState::Ready => None,
        VolumeState::Failed => Some(t!(locale, "reason-failed")),
        _ => Some(busy()),
    });
    let delete = viewer.or_else(|| match &row.instance {
        Some(instance) => Some(fault::sentence(
            locale,
            &Fault::Attached {
                name: row.name.clone(),
                instance: instance.name.clone(),
            },
        )),
        None if row.in_snapshot => Some(t!(locale, "reason-in-snapshot")),
        None => (!ready && row.state != VolumeState::Failed).then(busy),
    });
    vec![
        Entry::new(t!(locale, "act-take-snapshot"), take, || {
            Dialog::TakeSnapshot(row.id).on(here)
        }),
        Entry::new(t!(locale, "act-delete"), delete, || {
            Dialog::DeleteVolume(row.id).on(here)
        })
        .danger()
        .apart(),
    ]
}

/// The state, how far the work at hand has come, and why where something went wrong.
pub(super) fn state(locale: Locale, frame: &Frame, row: &VolumeRow) -> AnyView {
    let tone = match row.state {
        VolumeState::Ready if row.in_snapshot => Tone::Busy,
        VolumeState::Ready => Tone::Good,
        VolumeState::Creating
        | VolumeState::Importing
        | VolumeState::Restoring
        | VolumeState::Deleting => Tone::Busy,
        VolumeState::Failed => Tone::Bad,
    };
    let reason = row
        .fault
        .as_ref()
        .map(|reason| view! { <small>{fault::sentence(locale, reason)}</small> }.into_any());
    // A failed state says why by itself.
    let making = row.job.as_ref();
    let work = making
        .filter(|_| row.state != VolumeState::Ready)
        .map(|job| {
            let detail = job.state.is_live().then(|| progress::detail(locale, job));
            view! { {maybe(detail)} {progress::acts(locale, frame, job)} }.into_any()
        });
    let filling = (row.state == VolumeState::Ready).then(|| filling(locale, frame, row));
    view! {
        {status(tone, words::volume_state(locale, row.state, row.in_snapshot))}
        {maybe(reason)}
        {maybe(work)}
        {maybe(filling)}
    }
    .into_any()
}

/// That a volume, which can be used, has not all its data in its zone yet; how far that is, or why it does not go on.
pub(super) fn filling(locale: Locale, frame: &Frame, row: &VolumeRow) -> AnyView {
    let words = match row.job.as_ref().map(|job| job.state) {
        Some(JobState::Interrupted) => Some(t!(locale, "volume-fill-interrupted")),
        Some(JobState::Failed) => Some(t!(locale, "volume-fill-failed")),
        _ => row.filling.then(|| t!(locale, "volume-filling")),
    };
    let words = words.map(|words| view! { <small>{words}</small> }.into_any());
    let work = row.job.as_ref().map(|job| {
        // That it was interrupted has been said.
        let told = job.state == JobState::Interrupted;
        let detail = (!told).then(|| progress::detail(locale, job));
        view! { {maybe(detail)} {progress::acts(locale, frame, job)} }.into_any()
    });
    view! { {maybe(words)} {maybe(work)} }.into_any()
}
