//! The list of volume snapshots.

use super::{done_note, head, unseen_header, viewer_note};
use crate::domain::id::SnapshotId;
use crate::domain::job::JobKind;
use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::VolumeKind;
use crate::i18n::{fault, format, t, words};
use crate::view::SnapshotRow;
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::lists::{Phase, failed, loading, pager, rows, use_page};
use crate::web::components::menu::{Size, menu};
use crate::web::components::status::{Tone, status};
use crate::web::components::{icon, progress};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::dialogs;
use crate::web::erased::{Flag, each, flag, follow, maybe, memo, text, value};
use crate::web::links::{self, Dialog};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

type Rows = Memo<Vec<SnapshotRow>>;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(list).into_any()
}

fn list(frame: Frame) -> AnyView {
    let locale = use_locale();
    let page = use_page();
    let query = use_query_map();
    let live = frame.live;
    let asked = ask(move || (Question::Snapshots(page.get().into()), live.snapshots.get()));
    let dialog = memo(move |_| query.with(Dialog::of_snapshots));
    let done =
        query.with_untracked(|query| done_words(locale, query.get_str("done").unwrap_or_default()));
    let selected = RwSignal::new(None::<SnapshotId>);
    let may_change = frame.may_change();
    let inside = move || {
        let rows: Rows = rows(asked, |answer| match answer {
            Answer::Snapshots(page) => Some(&page.rows),
            _ => None,
        });
        let phase = Phase::of(asked);
        let frame = frame.clone();
        follow(move || {
            let acts = (may_change && matches!(phase.get(), Some(Phase::Rows)))
                .then(|| selected_menu(&frame, rows, selected, page));
            let body = match phase.get() {
                None => loading(),
                Some(Phase::Failed(reason)) => failed(&reason),
                Some(Phase::Empty) => empty(),
                Some(Phase::Rows) => {
                    view! { {table(frame.clone(), rows, selected, page)} {pager(links::SNAPSHOTS, asked)} }.into_any()
                }
            };
            view! { <div class="above">{maybe(acts)}</div> {body} }.into_any()
        })
    };
    view! {
        {head(t!(locale, "snapshots-title"), Some(t!(locale, "snapshots-intro")), ().into_any())}
        {maybe(done.map(done_note))}
        {maybe((!may_change).then(viewer_note))}
        <Transition fallback=loading>{inside()}</Transition>
        {follow(move || maybe(dialog.get().map(|dialog| dialogs::open(dialog, links::list(links::SNAPSHOTS, page.get_untracked())))))}
    }
    .into_any()
}

/// What a form that was sent without scripts has set going.
fn done_words(locale: Locale, done: &str) -> Option<String> {
    let kind = match done {
        "restore" => JobKind::RestoreVolume,
        "delete" => JobKind::DeleteSnapshot,
        "template" => JobKind::CreateTemplate,
        "verify" => JobKind::VerifySnapshot,
        _ => return None,
    };
    Some(words::started(locale, kind))
}

fn empty() -> AnyView {
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

/// The acts that the snapshot's state allows, as links to their dialogs. None: no act is possible now.
fn acts(locale: Locale, row: &SnapshotRow, page: u32) -> Option<AnyView> {
    let usable = row.state.is_usable();
    let deletable = !row.state.is_passing();
    let template = (usable && row.kind == VolumeKind::Root).then(|| {
        let href = Dialog::CreateTemplate(row.id).href(page);
        view! { <a href=href data-noscroll="">{t!(locale, "act-create-template")}</a> }.into_any()
    });
    let restore = usable.then(|| {
        let href = Dialog::Restore(row.id).href(page);
        view! { <a href=href data-noscroll="">{t!(locale, "act-restore")}</a> }.into_any()
    });
    let verify = usable.then(|| {
        let href = Dialog::VerifySnapshot(row.id).href(page);
        view! { <a href=href data-noscroll="">{t!(locale, "act-verify")}</a> }.into_any()
    });
    let delete = deletable.then(|| {
        let href = Dialog::DeleteSnapshot(row.id).href(page);
        view! { <a class="danger" href=href data-noscroll="">{t!(locale, "act-delete")}</a> }
            .into_any()
    });
    (usable || deletable).then(|| {
        view! { {maybe(restore)} {maybe(template)} {maybe(verify)} {maybe(delete)} }.into_any()
    })
}

/// *Action* above the table, on the selected snapshot. Until scripts run, its items send the selection as a plain form.
fn selected_menu(
    frame: &Frame,
    rows: Rows,
    selected: RwSignal<Option<SnapshotId>>,
    page: Memo<u32>,
) -> AnyView {
    let locale = use_locale();
    let alive = frame.alive;
    let items = move || {
        if !alive.get() {
            return view! {
                <button type="submit" form="selection" name="dialog" value="restore">{t!(locale, "act-restore")}</button>
                <button type="submit" form="selection" name="dialog" value="template">{t!(locale, "act-create-template")}</button>
                <button type="submit" form="selection" name="dialog" value="verify">{t!(locale, "act-verify")}</button>
                <button type="submit" form="selection" name="dialog" value="delete" class="danger">
                    {t!(locale, "act-delete")}
                </button>
            }
            .into_any();
        }
        let selected = selected.get();
        rows.with(
            |rows| match rows.iter().find(|row| Some(row.id) == selected) {
                None => view! { <p class="quiet">{t!(locale, "act-none-selected-snapshot")}</p> }
                    .into_any(),
                Some(row) => acts(locale, row, page.get()).unwrap_or_else(|| {
                    view! { <p class="quiet">{t!(locale, "act-none-possible")}</p> }.into_any()
                }),
            },
        )
    };
    view! {
        <form id="selection" method="get" action=links::SNAPSHOTS>
            <input type="hidden" name="page" value=value(move || page.get().to_string())/>
        </form>
        {menu(
            "act-selected".to_owned(),
            t!(locale, "act-menu"),
            t!(locale, "act-menu-snapshot-selected"),
            Size::Normal,
            follow(items),
        )}
    }
    .into_any()
}

fn table(
    frame: Frame,
    rows: Rows,
    selected: RwSignal<Option<SnapshotId>>,
    page: Memo<u32>,
) -> AnyView {
    let locale = use_locale();
    let may_change = frame.may_change();
    // The roles are said again because cards on a phone are no longer drawn as a table.
    view! {
        <div class="card scroll">
            <table class="list snapshots" role="table">
                <caption class="unseen">{t!(locale, "snapshots-caption")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {unseen_header(may_change, "pick", t!(locale, "volumes-column-select"))}
                        <th role="columnheader" scope="col">{t!(locale, "snapshots-column-name")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "snapshots-column-state")}</th>
                        <th role="columnheader" scope="col" class="number">{t!(locale, "snapshots-column-data")}</th>
                        <th role="columnheader" scope="col" class="number">{t!(locale, "snapshots-column-reclaimable")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "snapshots-column-taken")}</th>
                        {unseen_header(may_change, "act", t!(locale, "volumes-column-action"))}
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    {each(
                        move || rows.with(|rows| rows.iter().map(|row| row.id).collect()),
                        move |id| row(frame.clone(), rows, id, selected, page),
                    )}
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A row. It stays the same element while its snapshot changes, so that an open menu or the focus in it is not lost.
fn row(
    frame: Frame,
    rows: Rows,
    id: SnapshotId,
    selected: RwSignal<Option<SnapshotId>>,
    page: Memo<u32>,
) -> AnyView {
    let locale = use_locale();
    let row = memo(move |_| rows.with(|rows| rows.iter().find(|row| row.id == id).cloned()));
    let Some(first) = row.get_untracked() else {
        return ().into_any();
    };
    let may_change = frame.may_change();
    let name = first.name.clone();
    let checked: Flag = flag(move || selected.get() == Some(id));
    let pick = may_change.then(|| {
        view! {
            <td role="cell" class="pick">
                <input
                    type="radio"
                    name="snapshot"
                    value=id.to_string()
                    form="selection"
                    aria-label=t!(locale, "act-select", name = name.as_str())
                    prop:checked=checked
                    on:change=move |_| selected.set(Some(id))
                />
            </td>
        }
        .into_any()
    });
    let state =
        follow(move || row.with(|row| maybe(row.as_ref().map(|row| state(locale, &frame, row)))));
    let size = move |pick: fn(&SnapshotRow) -> Option<Bytes>| {
        text(move || {
            row.with(|row| {
                row.as_ref()
                    .and_then(pick)
                    .map(|size| format::bytes(locale, size))
                    .unwrap_or_default()
            })
        })
    };
    let taken =
        follow(move || row.with(|row| maybe(row.as_ref().map(|row| when(locale, row.taken)))));
    let act = may_change.then(|| {
        let named = t!(locale, "act-menu-named", name = name.as_str());
        let possible = memo(move |_| {
            row.with(|row| {
                row.as_ref()
                    .is_some_and(|row| acts(locale, row, 1).is_some())
            })
        });
        let menu = follow(move || {
            let items = follow(move || {
                row.with(|row| maybe(row.as_ref().and_then(|row| acts(locale, row, page.get()))))
            });
            let menu = possible.get().then(|| {
                menu(
                    format!("act-{id}"),
                    t!(locale, "act-menu"),
                    named.clone(),
                    Size::Small,
                    items,
                )
            });
            maybe(menu)
        });
        view! { <td role="cell" class="act">{menu}</td> }.into_any()
    });
    let of = origin(locale, &first);
    view! {
        <tr role="row">
            {maybe(pick)}
            <th role="rowheader" scope="row">
                <bdi class="name" title=first.name.clone()>{first.name.clone()}</bdi>
                <small><bdi class="name" title=of.clone()>{of.clone()}</bdi></small>
            </th>
            <td role="cell" class="state-cell" data-label=t!(locale, "snapshots-column-state")>{state}</td>
            <td role="cell" class="number" data-label=t!(locale, "snapshots-column-data")>{size(|row| row.data)}</td>
            <td role="cell" class="number" data-label=t!(locale, "snapshots-column-reclaimable")>
                {size(|row| row.reclaimable)}
            </td>
            <td role="cell" data-label=t!(locale, "snapshots-column-taken")>{taken}</td>
            {maybe(act)}
        </tr>
    }
    .into_any()
}

/// The volume that it was taken of, and where that was.
fn origin(locale: Locale, row: &SnapshotRow) -> String {
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

fn when(locale: Locale, moment: Moment) -> AnyView {
    view! { <time datetime=format::machine(moment)>{format::date_time(locale, moment)}</time> }
        .into_any()
}

fn state(locale: Locale, frame: &Frame, row: &SnapshotRow) -> AnyView {
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
