//! The list of volume snapshots.

use super::{head, viewer_note};
use crate::domain::locale::Locale;
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::VolumeKind;
use crate::i18n::{fault, format, t, words};
use crate::view::{SeveralAct, SnapshotRow};
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::menu::Entry;
use crate::web::components::narrow::{Fields, Filter, use_listing, zones};
use crate::web::components::status::{Tone, status};
use crate::web::components::table::{Column, List, list, name, named};
use crate::web::components::{icon, progress, when};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::{Key, maybe};
use crate::web::links::{self, Dialog};
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(shown).into_any()
}

fn shown(frame: Frame) -> AnyView {
    let locale = use_locale();
    let (listing, live) = (use_listing(), frame.live);
    let asked = ask(move || (Question::Snapshots(listing.get()), live.snapshots.get()));
    let may_change = frame.may_change();
    let states = SnapshotState::ALL;
    let states = states.map(|state| {
        (
            state.code().to_owned(),
            words::snapshot_state(locale, state),
        )
    });
    let kinds = VolumeKind::ALL;
    let kinds = kinds.map(|kind| (kind.code().to_owned(), words::volume_kind(locale, kind)));
    let table = List {
        name: "snapshots",
        path: links::SNAPSHOTS.to_owned(),
        caption: t!(locale, "snapshots-caption"),
        noun: "snapshot",
        pick: |answer| match answer {
            Answer::Snapshots(page) => Some(page),
            _ => None,
        },
        row: |row| (row.id.code(), row.id.to_string(), row.name.clone()),
        columns: columns(locale),
        fields: Fields {
            filters: vec![
                Filter {
                    field: "state",
                    label: t!(locale, "snapshots-column-state"),
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
                SeveralAct::VerifySnapshots,
                t!(locale, "several-verify-snapshots"),
            ),
            (
                SeveralAct::DeleteSnapshots,
                t!(locale, "several-delete-snapshots"),
            ),
        ],
        plain: vec![
            ("restore", t!(locale, "act-restore"), false),
            ("create-template", t!(locale, "act-create-template"), false),
            ("verify", t!(locale, "act-verify"), false),
            ("delete-snapshot", t!(locale, "act-delete"), true),
        ],
        empty,
    };
    view! {
        {head(t!(locale, "snapshots-title"), Some(t!(locale, "snapshots-intro")), ().into_any())}
        {maybe((!may_change).then(viewer_note))}
        {list(frame, asked, table)}
    }
    .into_any()
}

fn empty(_: &Frame) -> AnyView {
    let locale = use_locale();
    view! {
        <div class="card empty">
            {icon::snapshot()}
            <h2>{t!(locale, "snapshots-empty-title")}</h2>
            <p>{t!(locale, "snapshots-empty")}</p>
            <p class="acts"><a class="button primary" href=links::VOLUMES>{t!(locale, "snapshots-empty-choose")}</a></p>
            <p><a href=links::HELP>{t!(locale, "snapshots-empty-help")}</a></p>
        </div>
    }
    .into_any()
}

fn columns(locale: Locale) -> Vec<Column<SnapshotRow>> {
    vec![
        Column {
            sort: "name",
            title: t!(locale, "snapshots-column-name"),
            class: "",
            draw: |locale, _, row| {
                let of = origin(locale, row);
                view! { {named(links::snapshot(row.id), &row.name)} <small>{name(&of)}</small> }
                    .into_any()
            },
        },
        Column {
            sort: "state",
            title: t!(locale, "snapshots-column-state"),
            class: "state-cell",
            draw: state,
        },
        Column {
            sort: "data",
            title: t!(locale, "snapshots-column-data"),
            class: "number",
            draw: |locale, _, row| {
                let data = row.data.map(|data| format::bytes(locale, data));
                maybe(data.map(IntoAny::into_any))
            },
        },
        Column {
            sort: "",
            title: t!(locale, "snapshots-column-reclaimable"),
            class: "number",
            draw: |locale, _, row| {
                let bytes = row.reclaimable.map(|bytes| format::bytes(locale, bytes));
                maybe(bytes.map(IntoAny::into_any))
            },
        },
        Column {
            sort: "taken",
            title: t!(locale, "snapshots-column-taken"),
            class: "",
            draw: |locale, _, row| when(locale, row.taken),
        },
    ]
}

/// The acts on a snapshot, as links to their dialogs above the page `here`; one that its state does not allow says why.
pub fn acts(frame: &Frame, row: &SnapshotRow, here: &str) -> Vec<Entry> {
    let locale = use_locale();
    let viewer = (!frame.may_change()).then(|| t!(locale, "reason-viewer"));
    let usable = viewer.clone().or_else(|| {
        (!row.state.is_usable()).then(|| match row.state {
            SnapshotState::Failed => t!(locale, "reason-failed"),
            _ => t!(locale, "reason-busy"),
        })
    });
    let root = usable
        .clone()
        .or_else(|| (row.kind != VolumeKind::Root).then(|| t!(locale, "reason-not-root")));
    let delete = viewer.or_else(|| row.state.is_passing().then(|| t!(locale, "reason-busy")));
    vec![
        Entry::new(t!(locale, "act-restore"), usable.clone(), || {
            Dialog::Restore(row.id).on(here)
        }),
        Entry::new(t!(locale, "act-create-template"), root, || {
            Dialog::CreateTemplate(row.id).on(here)
        }),
        Entry::new(t!(locale, "act-verify"), usable, || {
            Dialog::VerifySnapshot(row.id).on(here)
        }),
        Entry::new(t!(locale, "act-delete"), delete, || {
            Dialog::DeleteSnapshot(row.id).on(here)
        })
        .danger()
        .apart(),
    ]
}

/// The volume that it was taken of, and where that was.
pub(super) fn origin(locale: Locale, row: &SnapshotRow) -> String {
    let volume = row.volume.as_str();
    match (row.zone.as_deref(), row.elsewhere) {
        (Some(zone), false) => t!(locale, "snapshots-of", volume = volume, zone = zone),
        (Some(zone), true) => t!(
            locale,
            "snapshots-of-elsewhere",
            volume = volume,
            zone = zone
        ),
        (None, _) => t!(locale, "snapshots-of-unknown", volume = volume),
    }
}

/// The state, how far the work at hand has come, and why where something went wrong.
pub(super) fn state(locale: Locale, frame: &Frame, row: &SnapshotRow) -> AnyView {
    let tone = match row.state {
        SnapshotState::Creating | SnapshotState::Saving | SnapshotState::Deleting => Tone::Busy,
        SnapshotState::Saved => Tone::Good,
        SnapshotState::Verified => Tone::Proven,
        SnapshotState::Failed => Tone::Bad,
    };
    let live = row.job.as_ref().filter(|job| job.state.is_live());
    let words = match (row.state, live.and_then(progress::percents)) {
        (SnapshotState::Saving, Some(percents)) => {
            t!(
                locale,
                "snapshot-state-saving-percent",
                percent = format::percent(locale, percents)
            )
        }
        (state, _) => words::snapshot_state(locale, state),
    };
    let verified = row
        .verified
        .filter(|_| row.state == SnapshotState::Verified);
    let verified =
        verified.map(|at| view! { <small>{format::date_time(locale, at)}</small> }.into_any());
    let reason = row
        .fault
        .as_ref()
        .map(|reason| view! { <small>{fault::sentence(locale, reason)}</small> }.into_any());
    let work = row.job.as_ref().map(|job| {
        let detail = job.state.is_live().then(|| progress::detail(locale, job));
        view! { {maybe(detail)} {progress::acts(locale, frame, job)} }.into_any()
    });
    view! { {status(tone, words)} {maybe(verified)} {maybe(reason)} {maybe(work)} }.into_any()
}
