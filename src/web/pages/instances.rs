//! The list of instances.

use super::instance::{acts, state};
use super::{cell, column, configuration, done_note, head, unseen_header, viewer_note};
use crate::domain::id::InstanceId;
use crate::domain::job::JobKind;
use crate::domain::locale::Locale;
use crate::i18n::{format, t, words};
use crate::view::InstanceRow;
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::icon;
use crate::web::components::lists::{Phase, failed, loading, pager, rows, use_page};
use crate::web::components::menu::{Size, menu};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::dialogs;
use crate::web::erased::{Flag, each, flag, follow, maybe, memo, text, value};
use crate::web::links::{self, Dialog};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

type Rows = Memo<Vec<InstanceRow>>;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(list).into_any()
}

fn list(frame: Frame) -> AnyView {
    let locale = use_locale();
    let page = use_page();
    let query = use_query_map();
    let live = frame.live;
    let asked = ask(move || (Question::Instances(page.get().into()), live.instances.get()));
    let dialog = memo(move |_| query.with(Dialog::of_instances));
    let done =
        query.with_untracked(|query| done_words(locale, query.get_str("done").unwrap_or_default()));
    let selected = RwSignal::new(None::<InstanceId>);
    let may_change = frame.may_change();
    let inside = move || {
        let rows: Rows = rows(asked, |answer| match answer {
            Answer::Instances(page) => Some(&page.rows),
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
                    view! { {table(frame.clone(), rows, selected, page)} {pager(links::INSTANCES, asked)} }.into_any()
                }
            };
            view! { <div class="above">{maybe(acts)}</div> {body} }.into_any()
        })
    };
    let create = may_change.then(|| {
        view! {
            <a class="button primary" href=value(move || Dialog::CreateInstance.href(page.get())) data-noscroll="">
                {t!(locale, "act-create-instance")}
            </a>
        }
        .into_any()
    });
    view! {
        {head(t!(locale, "instances-title"), None, maybe(create))}
        {maybe(done.map(done_note))}
        {maybe((!may_change).then(viewer_note))}
        <Transition fallback=loading>{inside()}</Transition>
        {follow(move || maybe(dialog.get().map(|dialog| dialogs::open(dialog, links::list(links::INSTANCES, page.get_untracked())))))}
    }
    .into_any()
}

/// What a form that was sent without scripts has set going.
pub fn done_words(locale: Locale, done: &str) -> Option<String> {
    let kind = match done {
        "create" => JobKind::CreateInstance,
        "start" => JobKind::StartInstance,
        "stop" | "force" => JobKind::StopInstance,
        "reboot" => JobKind::RebootInstance,
        "remove" => JobKind::DeleteInstance,
        "point" => JobKind::CreatePoint,
        _ => return None,
    };
    Some(words::started(locale, kind))
}

/// What an instance is and how to make one; where there is no template yet, the dialog says how to get one.
fn empty(may_change: bool) -> AnyView {
    let locale = use_locale();
    let words = if may_change {
        t!(locale, "instances-empty")
    } else {
        t!(locale, "instances-empty-viewer")
    };
    let acts = may_change.then(|| {
        view! {
            <p class="acts">
                <a class="button" href=links::TEMPLATES>{t!(locale, "nav-templates")}</a>
                <a class="button primary" href=Dialog::CreateInstance.href(1) data-noscroll="">
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

/// *Action* above the table, on the selected instance. Until scripts run, its items send the selection as a plain form.
fn selected_menu(
    frame: &Frame,
    rows: Rows,
    selected: RwSignal<Option<InstanceId>>,
    page: Memo<u32>,
) -> AnyView {
    let locale = use_locale();
    let alive = frame.alive;
    let items = move || {
        if !alive.get() {
            return plain_acts(locale);
        }
        let selected = selected.get();
        rows.with(
            |rows| match rows.iter().find(|row| Some(row.id) == selected) {
                None => view! { <p class="quiet">{t!(locale, "act-none-selected-instance")}</p> }
                    .into_any(),
                Some(row) => acts(locale, row, links::INSTANCES, page.get()),
            },
        )
    };
    view! {
        <form id="selection" method="get" action=links::INSTANCES>
            <input type="hidden" name="page" value=value(move || page.get().to_string())/>
        </form>
        {menu(
            "act-selected".to_owned(),
            t!(locale, "act-menu"),
            t!(locale, "act-menu-instance-selected"),
            Size::Normal,
            follow(items),
        )}
    }
    .into_any()
}

fn plain_acts(locale: Locale) -> AnyView {
    let act = |dialog: &'static str, class: &'static str, words: String| {
        view! { <button type="submit" form="selection" name="dialog" value=dialog class=class>{words}</button> }
            .into_any()
    };
    view! {
        {act("start", "", t!(locale, "act-start"))}
        {act("stop", "", t!(locale, "act-stop"))}
        {act("reboot", "", t!(locale, "act-reboot"))}
        {act("force", "", t!(locale, "act-force-stop"))}
        {act("point", "", t!(locale, "point-create"))}
        {act("remove", "danger", t!(locale, "act-delete"))}
    }
    .into_any()
}

fn table(
    frame: Frame,
    rows: Rows,
    selected: RwSignal<Option<InstanceId>>,
    page: Memo<u32>,
) -> AnyView {
    let locale = use_locale();
    let may_change = frame.may_change();
    // The roles are said again because cards on a phone are no longer drawn as a table.
    view! {
        <div class="card scroll">
            <table class="list instances" role="table">
                <caption class="unseen">{t!(locale, "instances-caption")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {unseen_header(may_change, "pick", t!(locale, "volumes-column-select"))}
                        {column("", t!(locale, "instances-column-name"))}
                        {column("", t!(locale, "instances-column-state"))}
                        {column("", t!(locale, "instance-zone"))}
                        {column("", t!(locale, "instance-config"))}
                        {column("number", t!(locale, "instance-tab-volumes"))}
                        {column("number", t!(locale, "instance-tab-points"))}
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

/// A row. It stays the same element while its instance changes, so that an open menu or the focus in it is not lost.
fn row(
    frame: Frame,
    rows: Rows,
    id: InstanceId,
    selected: RwSignal<Option<InstanceId>>,
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
                    name="instance"
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
    let number = move |pick: fn(&InstanceRow) -> u32| {
        text(move || {
            let number = row.with(|row| row.as_ref().map(pick));
            format::count(locale, u64::from(number.unwrap_or_default()))
        })
    };
    // A rollback can change it.
    let configuration = text(move || {
        row.with(|row| {
            row.as_ref()
                .map(|row| configuration(locale, row.vcpus, row.memory))
                .unwrap_or_default()
        })
    });
    let state =
        follow(move || row.with(|row| maybe(row.as_ref().map(|row| state(locale, &frame, row)))));
    let act = may_change.then(|| {
        let items = follow(move || {
            row.with(|row| {
                maybe(
                    row.as_ref()
                        .map(|row| acts(locale, row, links::INSTANCES, page.get())),
                )
            })
        });
        let menu = menu(
            format!("act-{id}"),
            t!(locale, "act-menu"),
            t!(locale, "act-menu-named", name = name.as_str()),
            Size::Small,
            items,
        );
        view! { <td role="cell" class="act">{menu}</td> }.into_any()
    });
    view! {
        <tr role="row">
            {maybe(pick)}
            <th role="rowheader" scope="row">
                <a class="name" href=links::instance(id) title=first.name.clone()><bdi>{first.name.clone()}</bdi></a>
            </th>
            {cell(t!(locale, "instances-column-state"), "state-cell", state)}
            {cell(t!(locale, "instance-zone"), "", view! { <bdi>{first.zone}</bdi> }.into_any())}
            {cell(t!(locale, "instance-config"), "", configuration)}
            {cell(t!(locale, "instance-tab-volumes"), "number", number(|row| row.volumes))}
            {cell(t!(locale, "instance-tab-points"), "number", number(|row| row.points))}
            {maybe(act)}
        </tr>
    }
    .into_any()
}
