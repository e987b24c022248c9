//! The list of templates.

use super::{done_note, head, unseen_header, viewer_note};
use crate::domain::id::TemplateId;
use crate::domain::job::JobKind;
use crate::domain::locale::Locale;
use crate::domain::size::Bytes;
use crate::domain::template::TemplateState;
use crate::i18n::{fault, format, t, words};
use crate::view::TemplateRow;
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

type Rows = Memo<Vec<TemplateRow>>;

/// The page.
pub fn page() -> AnyView {
    use_frame().map(list).into_any()
}

fn list(frame: Frame) -> AnyView {
    let locale = use_locale();
    let page = use_page();
    let query = use_query_map();
    let live = frame.live;
    let asked = ask(move || (Question::Templates(page.get().into()), live.templates.get()));
    let dialog = memo(move |_| query.with(Dialog::of_templates));
    let done =
        query.with_untracked(|query| done_words(locale, query.get_str("done").unwrap_or_default()));
    let selected = RwSignal::new(None::<TemplateId>);
    let may_change = frame.may_change();
    let inside = move || {
        let rows: Rows = rows(asked, |answer| match answer {
            Answer::Templates(page) => Some(&page.rows),
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
                    view! { {table(frame.clone(), rows, selected, page)} {pager(links::TEMPLATES, asked)} }.into_any()
                }
            };
            view! { <div class="above">{maybe(acts)}</div> {body} }.into_any()
        })
    };
    let import = may_change.then(|| {
        view! {
            <a class="button" href=Dialog::ImportTemplate.href(1) data-noscroll="">{t!(locale, "act-import-template")}</a>
        }
        .into_any()
    });
    view! {
        {head(t!(locale, "templates-title"), Some(t!(locale, "templates-intro")), maybe(import))}
        {maybe(done.map(done_note))}
        {maybe((!may_change).then(viewer_note))}
        <Transition fallback=loading>{inside()}</Transition>
        {follow(move || maybe(dialog.get().map(|dialog| dialogs::open(dialog, links::list(links::TEMPLATES, page.get_untracked())))))}
    }
    .into_any()
}

/// What a form that was sent without scripts has set going.
fn done_words(locale: Locale, done: &str) -> Option<String> {
    let kind = match done {
        "import" => JobKind::ImportTemplate,
        "delete" => JobKind::DeleteTemplate,
        _ => return None,
    };
    Some(words::started(locale, kind))
}

fn empty(may_change: bool) -> AnyView {
    let locale = use_locale();
    let words = if may_change {
        t!(locale, "templates-empty")
    } else {
        t!(locale, "templates-empty-viewer")
    };
    let acts = may_change.then(|| {
        view! {
            <p class="acts">
                <a class="button" href=links::SNAPSHOTS>{t!(locale, "nav-snapshots")}</a>
                <a class="button primary" href=Dialog::ImportTemplate.href(1) data-noscroll="">
                    {t!(locale, "act-import-template")}
                </a>
            </p>
        }
        .into_any()
    });
    view! {
        <div class="card empty">
            {icon::template()}
            <h2>{t!(locale, "templates-empty-title")}</h2>
            <p>{words}</p>
            {maybe(acts)}
        </div>
    }
    .into_any()
}

/// The acts that the template's state allows, as links to their dialogs. None: no act is possible now.
fn acts(locale: Locale, row: &TemplateRow, page: u32) -> Option<AnyView> {
    let deletable = matches!(row.state, TemplateState::Ready | TemplateState::Failed);
    let create = (row.state == TemplateState::Ready).then(|| {
        let href = Dialog::create_from(row.id);
        view! { <a href=href>{t!(locale, "act-create-instance")}</a> }.into_any()
    });
    deletable.then(|| {
        let delete = Dialog::DeleteTemplate(row.id).href(page);
        view! {
            {maybe(create)}
            <a class="danger" href=delete data-noscroll="">{t!(locale, "act-delete")}</a>
        }
        .into_any()
    })
}

/// *Action* above the table, on the selected template. Until scripts run, its items send the selection as a plain form.
fn selected_menu(
    frame: &Frame,
    rows: Rows,
    selected: RwSignal<Option<TemplateId>>,
    page: Memo<u32>,
) -> AnyView {
    let locale = use_locale();
    let alive = frame.alive;
    let items = move || {
        if !alive.get() {
            return view! {
                <button type="submit" form="selection" name="dialog" value="delete" class="danger">
                    {t!(locale, "act-delete")}
                </button>
            }
            .into_any();
        }
        let selected = selected.get();
        rows.with(
            |rows| match rows.iter().find(|row| Some(row.id) == selected) {
                None => view! { <p class="quiet">{t!(locale, "act-none-selected-template")}</p> }
                    .into_any(),
                Some(row) => acts(locale, row, page.get()).unwrap_or_else(|| {
                    view! { <p class="quiet">{t!(locale, "act-none-possible")}</p> }.into_any()
                }),
            },
        )
    };
    view! {
        <form id="selection" method="get" action=links::TEMPLATES>
            <input type="hidden" name="page" value=value(move || page.get().to_string())/>
        </form>
        {menu(
            "act-selected".to_owned(),
            t!(locale, "act-menu"),
            t!(locale, "act-menu-template-selected"),
            Size::Normal,
            follow(items),
        )}
    }
    .into_any()
}

fn table(
    frame: Frame,
    rows: Rows,
    selected: RwSignal<Option<TemplateId>>,
    page: Memo<u32>,
) -> AnyView {
    let locale = use_locale();
    let may_change = frame.may_change();
    // The roles are said again because cards on a phone are no longer drawn as a table.
    view! {
        <div class="card scroll">
            <table class="list templates" role="table">
                <caption class="unseen">{t!(locale, "templates-caption")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {unseen_header(may_change, "pick", t!(locale, "volumes-column-select"))}
                        <th role="columnheader" scope="col">{t!(locale, "templates-column-name")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "templates-column-state")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "templates-column-origin")}</th>
                        <th role="columnheader" scope="col" class="number">{t!(locale, "templates-column-size")}</th>
                        <th role="columnheader" scope="col" class="number">{t!(locale, "templates-column-data")}</th>
                        <th role="columnheader" scope="col">{t!(locale, "templates-column-created")}</th>
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

/// A row. It stays the same element while its template changes, so that an open menu or the focus in it is not lost.
fn row(
    frame: Frame,
    rows: Rows,
    id: TemplateId,
    selected: RwSignal<Option<TemplateId>>,
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
                    name="template"
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
    let bytes = move |part: fn(&TemplateRow) -> Option<Bytes>| {
        text(move || {
            row.with(|row| {
                row.as_ref().and_then(part).map_or_else(
                    || t!(locale, "volumes-unknown"),
                    |bytes| format::bytes(locale, bytes),
                )
            })
        })
    };
    let state =
        follow(move || row.with(|row| maybe(row.as_ref().map(|row| state(locale, &frame, row)))));
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
    let description = (!first.description.is_empty()).then(|| {
        view! { <small><bdi class="name" title=first.description.clone()>{first.description.clone()}</bdi></small> }
            .into_any()
    });
    let elsewhere = first
        .elsewhere
        .then(|| view! { <small>{t!(locale, "templates-elsewhere")}</small> }.into_any());
    let created = view! {
        <time datetime=format::machine(first.created)>{format::date_time(locale, first.created)}</time>
    };
    view! {
        <tr role="row">
            {maybe(pick)}
            <th role="rowheader" scope="row">
                <bdi class="name" title=first.name.clone()>{first.name.clone()}</bdi>
                {maybe(description)}
            </th>
            <td role="cell" class="state-cell" data-label=t!(locale, "templates-column-state")>{state}</td>
            <td role="cell" data-label=t!(locale, "templates-column-origin")><bdi class="name" title=first.origin.clone()>{first.origin.clone()}</bdi>{maybe(elsewhere)}</td>
            <td role="cell" class="number" data-label=t!(locale, "templates-column-size")>{bytes(|row| Some(row.size).filter(|size| size.0 > 0))}</td>
            <td role="cell" class="number" data-label=t!(locale, "templates-column-data")>{bytes(|row| row.data)}</td>
            <td role="cell" data-label=t!(locale, "templates-column-created")>{created}</td>
            {maybe(act)}
        </tr>
    }
    .into_any()
}

fn state(locale: Locale, frame: &Frame, row: &TemplateRow) -> AnyView {
    let tone = match row.state {
        TemplateState::Creating | TemplateState::Deleting => Tone::Busy,
        TemplateState::Ready => Tone::Good,
        TemplateState::Failed => Tone::Bad,
    };
    let reason = row
        .fault
        .as_ref()
        .map(|reason| view! { <small>{fault::sentence(locale, reason)}</small> }.into_any());
    let work = row.job.as_ref().map(|job| {
        let detail = job.state.is_live().then(|| progress::detail(locale, job));
        view! { {maybe(detail)} {progress::acts(locale, frame, job)} }.into_any()
    });
    view! { {status(tone, words::template_state(locale, row.state))} {maybe(reason)} {maybe(work)} }
        .into_any()
}
