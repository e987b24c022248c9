//! The list of volumes.

use super::{cell, done_note, head, unseen_header, viewer_note};
use crate::domain::id::VolumeId;
use crate::domain::job::{JobKind, JobState};
use crate::domain::locale::Locale;
use crate::domain::volume::VolumeState;
use crate::i18n::{fault, format, t, words};
use crate::view::VolumeRow;
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

type Rows = Memo<Vec<VolumeRow>>;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(list).into_any()
}

fn list(frame: Frame) -> AnyView {
    let locale = use_locale();
    let page = use_page();
    let query = use_query_map();
    let live = frame.live;
    let asked = ask(move || (Question::Volumes(page.get().into()), live.volumes.get()));
    let dialog = memo(move |_| query.with(Dialog::of_volumes));
    let done =
        query.with_untracked(|query| done_words(locale, query.get_str("done").unwrap_or_default()));
    let selected = RwSignal::new(None::<VolumeId>);
    let may_change = frame.may_change();
    let inside = move || {
        let rows: Rows = rows(asked, |answer| match answer {
            Answer::Volumes(page) => Some(&page.rows),
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
                Some(Phase::Empty) => empty(may_change),
                Some(Phase::Rows) => {
                    view! { {table(frame.clone(), rows, selected, page)} {pager(links::VOLUMES, asked)} }.into_any()
                }
            };
            view! { <div class="above">{maybe(acts)}</div> {body} }.into_any()
        })
    };
    let create = may_change.then(|| {
        view! {
            <a class="button" href=value(move || Dialog::Import.href(page.get())) data-noscroll="">{t!(locale, "act-import")}</a>
            <a class="button primary" href=value(move || Dialog::CreateVolume.href(page.get())) data-noscroll="">
                {t!(locale, "act-create-volume")}
            </a>
        }
        .into_any()
    });
    view! {
        {head(t!(locale, "volumes-title"), None, maybe(create))}
        {maybe(done.map(done_note))}
        {maybe((!may_change).then(viewer_note))}
        <Transition fallback=loading>{inside()}</Transition>
        {follow(move || maybe(dialog.get().map(|dialog| dialogs::open(dialog, links::list(links::VOLUMES, page.get_untracked())))))}
    }
    .into_any()
}

/// What a form that was sent without scripts has set going.
fn done_words(locale: Locale, done: &str) -> Option<String> {
    let kind = match done {
        "snapshot" => JobKind::TakeSnapshot,
        "create" => JobKind::CreateVolume,
        "import" => JobKind::ImportVolume,
        "delete" => JobKind::DeleteVolume,
        _ => return None,
    };
    Some(words::started(locale, kind))
}

fn empty(may_change: bool) -> AnyView {
    let locale = use_locale();
    let words = if may_change {
        t!(locale, "volumes-empty")
    } else {
        t!(locale, "volumes-empty-viewer")
    };
    let acts = may_change.then(|| {
        view! {
            <p class="acts">
                <a class="button" href=Dialog::Import.href(1) data-noscroll="">{t!(locale, "act-import")}</a>
                <a class="button primary" href=Dialog::CreateVolume.href(1) data-noscroll="">
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

/// The acts that the volume's state allows, as links to their dialogs. None: no act is possible now.
fn acts(locale: Locale, row: &VolumeRow, page: u32) -> Option<AnyView> {
    let ready = row.state == VolumeState::Ready;
    let free = ready && !row.in_snapshot && row.instance.is_none();
    let deletable = free || row.state == VolumeState::Failed;
    let take = ready.then(|| {
        let href = Dialog::TakeSnapshot(row.id).href(page);
        view! { <a href=href data-noscroll="">{t!(locale, "act-take-snapshot")}</a> }.into_any()
    });
    let delete = deletable.then(|| {
        let href = Dialog::DeleteVolume(row.id).href(page);
        view! { <a class="danger" href=href data-noscroll="">{t!(locale, "act-delete")}</a> }
            .into_any()
    });
    (ready || deletable).then(|| view! { {maybe(take)} {maybe(delete)} }.into_any())
}

/// *Action* above the table, on the selected volume. Until scripts run, its items send the selection as a plain form.
fn selected_menu(
    frame: &Frame,
    rows: Rows,
    selected: RwSignal<Option<VolumeId>>,
    page: Memo<u32>,
) -> AnyView {
    let locale = use_locale();
    let alive = frame.alive;
    let items = move || {
        if !alive.get() {
            return view! {
                <button type="submit" form="selection" name="dialog" value="snapshot">{t!(locale, "act-take-snapshot")}</button>
                <button type="submit" form="selection" name="dialog" value="delete" class="danger">
                    {t!(locale, "act-delete")}
                </button>
            }
            .into_any();
        }
        let selected = selected.get();
        rows.with(
            |rows| match rows.iter().find(|row| Some(row.id) == selected) {
                None => view! { <p class="quiet">{t!(locale, "act-none-selected-volume")}</p> }
                    .into_any(),
                Some(row) => acts(locale, row, page.get()).unwrap_or_else(|| {
                    view! { <p class="quiet">{t!(locale, "act-none-possible")}</p> }.into_any()
                }),
            },
        )
    };
    view! {
        <form id="selection" method="get" action=links::VOLUMES>
            <input type="hidden" name="page" value=value(move || page.get().to_string())/>
        </form>
        {menu(
            "act-selected".to_owned(),
            t!(locale, "act-menu"),
            t!(locale, "act-menu-selected"),
            Size::Normal,
            follow(items),
        )}
    }
    .into_any()
}

fn table(
    frame: Frame,
    rows: Rows,
    selected: RwSignal<Option<VolumeId>>,
    page: Memo<u32>,
) -> AnyView {
    let locale = use_locale();
    let may_change = frame.may_change();
    // The roles are said again because cards on a phone are no longer drawn as a table.
    view! {
        <div class="card scroll">
            <table class="list volumes" role="table">
                <caption class="unseen">{t!(locale, "volumes-caption")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {unseen_header(may_change, "pick", t!(locale, "volumes-column-select"))}
                        <th role="columnheader" scope="col">{t!(locale, "volumes-column-name")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "volumes-column-state")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "volumes-column-kind")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "volumes-column-instance")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "volumes-column-zone")}</th>
                        <th role="columnheader" scope="col" class="number">{t!(locale, "volumes-column-size")}</th>
                        <th role="columnheader" scope="col" class="number">{t!(locale, "volumes-column-written")}</th>
                        <th role="columnheader" scope="col" class="number">{t!(locale, "volumes-column-snapshots")}</th>
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

/// A row. It stays the same element while its volume changes, so that an open menu or the focus in it is not lost.
fn row(
    frame: Frame,
    rows: Rows,
    id: VolumeId,
    selected: RwSignal<Option<VolumeId>>,
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
                    name="volume"
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
    let written = text(move || {
        row.with(|row| match row.as_ref().and_then(|row| row.written) {
            Some(written) => format::bytes(locale, written),
            None => t!(locale, "volumes-unknown"),
        })
    });
    let snapshots = text(move || {
        row.with(|row| {
            row.as_ref()
                .map(|row| format::count(locale, u64::from(row.snapshots)))
                .unwrap_or_default()
        })
    });
    let state =
        follow(move || row.with(|row| maybe(row.as_ref().map(|row| state(locale, &frame, row)))));
    let instance = follow(move || {
        row.with(|row| {
            let instance = row.as_ref().and_then(|row| row.instance.as_ref());
            maybe(instance.map(|instance| {
                view! {
                    <a class="name" href=links::instance(instance.id) title=instance.name.clone()>
                        <bdi>{instance.name.clone()}</bdi>
                    </a>
                }
                .into_any()
            }))
        })
    });
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
    view! {
        <tr role="row">
            {maybe(pick)}
            <th role="rowheader" scope="row"><bdi class="name" title=first.name.clone()>{first.name.clone()}</bdi></th>
            <td role="cell" class="state-cell" data-label=t!(locale, "volumes-column-state")>{state}</td>
            <td role="cell" data-label=t!(locale, "volumes-column-kind")>{words::volume_kind(locale, first.kind)}</td>
            {cell(t!(locale, "volumes-column-instance"), "instance-cell", instance)}
            <td role="cell" data-label=t!(locale, "volumes-column-zone")><bdi>{first.zone}</bdi></td>
            <td role="cell" class="number" data-label=t!(locale, "volumes-column-size")>{format::bytes(locale, first.size)}</td>
            <td role="cell" class="number" data-label=t!(locale, "volumes-column-written")>{written}</td>
            <td role="cell" class="number" data-label=t!(locale, "volumes-column-snapshots")>{snapshots}</td>
            {maybe(act)}
        </tr>
    }
    .into_any()
}

fn state(locale: Locale, frame: &Frame, row: &VolumeRow) -> AnyView {
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
