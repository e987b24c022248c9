//! The one table: every list is a page of rows with columns to sort by, fields to narrow it, a selection with *Action*, and
//! a menu in each row.
//!
//! Everything that is asked for stands in the address: sorting is links, narrowing a plain form, pages are links, the
//! selection of a form without scripts is sent as it is. A row stays the same elements while its object changes, so that
//! an open menu, a tick or the focus in it is not lost. Only `rows_of` is compiled once a list; all else is shared.

use super::icon;
use super::lists::{Phase, failed, loading, pager, stale};
use super::menu::{Entry, Size, entries, menu};
use super::narrow::{Fields, narrowing, nothing_found, use_listing};
use crate::domain::locale::Locale;
use crate::i18n::{format, t};
use crate::view::{Listing, Page, SeveralAct};
use crate::web::ask::{Answer, Asked, once_there};
use crate::web::context::{Frame, use_locale};
use crate::web::erased::{Memo, RwSignal, each, flag, follow, mark, maybe, memo, value};
use crate::web::links;
use leptos::prelude::*;
use std::sync::Arc;

/// A column of a list of `R`.
pub struct Column<R> {
    /// What the list is sorted by when its head is pressed; empty: it cannot be.
    pub sort: &'static str,
    /// Its head, and on a phone the label of each of its cells.
    pub title: String,
    /// For its looks: `number`, `state-cell`.
    pub class: &'static str,
    /// What stands in it.
    pub draw: Draw<R>,
}

/// Draws a cell.
pub type Draw<R> = fn(Locale, &Frame, &R) -> AnyView;

/// Tells the acts on a row above a page.
pub type Act<R> = fn(&Frame, &R, &str) -> Vec<Entry>;

/// A list.
pub struct List<R: 'static> {
    /// For its looks.
    pub name: &'static str,
    /// Its address.
    pub path: String,
    /// What the table is, for those who do not see it.
    pub caption: String,
    /// The field of a row's id in the selection; empty: nothing can be selected and there are no acts.
    pub noun: &'static str,
    /// The rows in an answer.
    pub pick: fn(&Answer) -> Option<&Page<R>>,
    /// A row's key, its id in the selection, its name.
    pub row: fn(&R) -> (u128, String, String),
    /// The columns; the first one heads the row.
    pub columns: Vec<Column<R>>,
    /// What narrows it, beside words.
    pub fields: Fields,
    /// The acts on a row, above the page of the list as it is.
    pub acts: Act<R>,
    /// The acts on several rows at once.
    pub several: Vec<(SeveralAct, String)>,
    /// The acts as a form without scripts asks for them: the dialog's key, its words, whether it destroys.
    pub plain: Vec<(&'static str, String, bool)>,
    /// What to say where there is nothing at all.
    pub empty: fn(&Frame) -> AnyView,
}

/// A row's id, name and cells.
type Cells = Option<(String, String, Vec<AnyView>)>;
/// The acts on the rows with these keys.
type Acts = Arc<dyn Fn(&[u128]) -> Vec<Entry> + Send + Sync>;

/// What of the rows the table needs, whatever they are rows of.
struct Rows {
    keys: Box<dyn Fn() -> Vec<u128> + Send + Sync>,
    cells: Arc<dyn Fn(u128) -> Cells + Send + Sync>,
    acts: Acts,
}

/// Everything else.
struct Shape {
    name: &'static str,
    path: String,
    caption: String,
    noun: &'static str,
    /// Sort key, title, class.
    columns: Vec<(&'static str, String, &'static str)>,
    fields: Fields,
    plain: Vec<(&'static str, String, bool)>,
    empty: fn(&Frame) -> AnyView,
}

/// The list: what narrows it, the acts, the table, its pages.
pub fn list<R>(frame: Frame, asked: Asked, list: List<R>) -> AnyView
where
    R: Clone + PartialEq + Send + Sync + 'static,
{
    let shape = Shape {
        name: list.name,
        path: list.path,
        caption: list.caption,
        noun: list.noun,
        columns: list
            .columns
            .iter()
            .map(|column| (column.sort, column.title.clone(), column.class))
            .collect(),
        fields: list.fields,
        plain: list.plain,
        empty: list.empty,
    };
    let draw: Vec<Draw<R>> = list.columns.iter().map(|column| column.draw).collect();
    let (pick, row, acts) = (list.pick, list.row, (list.acts, list.several));
    let kept = frame.clone();
    let here = links::use_here();
    surround(
        frame,
        asked,
        shape,
        Box::new(move || rows_of(&kept, asked, pick, row, draw.clone(), acts.clone(), here)),
    )
}

/// Made where the answer is read, under the `Transition`. The rows are those of the newest answer that has some: a failed
/// refresh leaves them as they were.
fn rows_of<R>(
    frame: &Frame,
    asked: Asked,
    pick: fn(&Answer) -> Option<&Page<R>>,
    name: fn(&R) -> (u128, String, String),
    draw: Vec<Draw<R>>,
    (act, several): (Act<R>, Vec<(SeveralAct, String)>),
    here: Memo<String>,
) -> Rows
where
    R: Clone + PartialEq + Send + Sync + 'static,
{
    let locale = use_locale();
    let rows: Memo<Vec<R>> = memo(move |before: Option<&Vec<R>>| {
        asked.with(|answer| {
            let rows = answer
                .as_ref()
                .and_then(|answer| answer.as_ref().ok())
                .and_then(pick)
                .map(|page| &page.rows);
            rows.or(before).cloned().unwrap_or_default()
        })
    });
    let (drawing, acting) = (frame.clone(), frame.clone());
    Rows {
        keys: Box::new(move || rows.with(|rows| rows.iter().map(|row| name(row).0).collect())),
        cells: Arc::new(move |key| {
            let find = move |rows: &Vec<R>| rows.iter().find(|row| name(row).0 == key).cloned();
            let row = memo(move |_| rows.with(find));
            let (_, id, label) = name(row.get_untracked().as_ref()?);
            let cells = draw
                .iter()
                .map(|draw| {
                    let (draw, frame) = (*draw, drawing.clone());
                    follow(move || {
                        row.with(|row| maybe(row.as_ref().map(|row| draw(locale, &frame, row))))
                    })
                })
                .collect();
            Some((id, label, cells))
        }),
        acts: Arc::new(move |keys| {
            rows.with(|rows| {
                let chosen = rows.iter().filter(|row| keys.contains(&name(row).0));
                let chosen: Vec<&R> = chosen.collect();
                here.with(|here| match chosen.as_slice() {
                    [] => Vec::new(),
                    [row] => act(&acting, row, here),
                    rows => on_all(here, rows.iter().map(|row| name(row).1).collect(), &several),
                })
            })
        }),
    }
}

fn surround(
    frame: Frame,
    asked: Asked,
    shape: Shape,
    rows: Box<dyn Fn() -> Rows + Send + Sync>,
) -> AnyView {
    let listing = use_listing();
    let selected = RwSignal::new(Vec::<u128>::new());
    let shape = Arc::new(shape);
    let narrow = narrowing(
        &shape.fields,
        &shape.columns,
        &shape.path,
        listing,
        frame.alive,
    );
    let (narrowed, may_change) = (
        memo(move |_| listing.with(Listing::is_narrowed)),
        frame.may_change(),
    );
    let inside = {
        let (frame, shape) = (frame.clone(), Arc::clone(&shape));
        move || {
            let rows = Arc::new(rows());
            let phase = Phase::of(asked);
            let (frame, shape) = (frame.clone(), Arc::clone(&shape));
            follow(move || match phase.get() {
                None => loading(),
                Some(Phase::Failed(reason)) => failed(&reason),
                Some(Phase::Empty) if narrowed.get() => nothing_found(&shape.path),
                Some(Phase::Empty) => (shape.empty)(&frame),
                Some(Phase::Rows) => {
                    let acts = (may_change && !shape.noun.is_empty())
                        .then(|| selected_menu(&frame, &shape, &rows, selected));
                    view! {
                        {stale(&frame, asked)}
                        <div class="above">{maybe(acts)}</div>
                        {table(&frame, &shape, &rows, selected, listing)}
                        {pager(shape.path.clone(), asked, listing)}
                    }
                    .into_any()
                }
            })
        }
    };
    view! {
        {narrow}
        <Transition fallback=loading>{once_there([asked], inside)}</Transition>
    }
    .into_any()
}

/// *Action* above the table, on what is selected. Until scripts run, its items send the selection as a plain form.
fn selected_menu(
    frame: &Frame,
    shape: &Arc<Shape>,
    rows: &Arc<Rows>,
    selected: RwSignal<Vec<u128>>,
) -> AnyView {
    let locale = use_locale();
    let alive = frame.alive;
    let (kept, acts) = (Arc::clone(shape), Arc::clone(&rows.acts));
    let items = move || {
        if !alive.get() {
            let buttons: Vec<AnyView> = kept
                .plain
                .iter()
                .map(|(key, words, danger)| {
                    let class = if *danger { "danger" } else { "" };
                    view! {
                        <button type="submit" form="selection" name="dialog" value=*key class=class>{words.clone()}</button>
                    }
                    .into_any()
                })
                .collect();
            return buttons.into_any();
        }
        let items = acts(&selected.get());
        if items.is_empty() {
            return view! { <p class="quiet">{t!(locale, "act-none-selected")}</p> }.into_any();
        }
        entries(items)
    };
    let listing = use_listing();
    let kept = Arc::clone(shape);
    // The plain form brings the list back as it was.
    let asked: Vec<AnyView> = links::fields_of(&listing.get_untracked())
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> }.into_any())
        .collect();
    let count = move || {
        let count = selected.with(Vec::len) as u64;
        maybe((count > 0).then(|| {
            let words = t!(
                locale,
                "list-selected",
                count = count,
                count_text = format::count(locale, count)
            );
            view! {
                <span>{words}</span>
                <button type="button" class="link" on:click=move |_| selected.set(Vec::new())>{t!(locale, "list-unselect")}</button>
            }
            .into_any()
        }))
    };
    view! {
        <form id="selection" method="get" action=kept.path.clone()>{asked}</form>
        {menu(
            "act-selected".to_owned(),
            t!(locale, "act-menu"),
            t!(locale, "act-menu-selected"),
            Size::Normal,
            follow(items),
        )}
        <span class="selected" role="status">{follow(count)}</span>
    }
    .into_any()
}

fn table(
    frame: &Frame,
    shape: &Arc<Shape>,
    rows: &Arc<Rows>,
    selected: RwSignal<Vec<u128>>,
    listing: Memo<Listing>,
) -> AnyView {
    let locale = use_locale();
    let acts = frame.may_change() && !shape.noun.is_empty();
    let heads: Vec<AnyView> = shape
        .columns
        .iter()
        .map(|(key, title, class)| head(shape, key, title.clone(), class, listing))
        .collect();
    let all = acts.then(|| every(rows, selected));
    let act = acts.then(|| {
        view! { <th role="columnheader" scope="col" class="act"><span class="unseen">{t!(locale, "volumes-column-action")}</span></th> }
            .into_any()
    });
    let (keys, kept, shaped) = (Arc::clone(rows), Arc::clone(rows), Arc::clone(shape));
    let class = format!("list {}", shape.name);
    // The roles are said again because cards on a phone are no longer drawn as a table.
    view! {
        <div class="card scroll">
            <table class=class role="table">
                <caption class="unseen">{shape.caption.clone()}</caption>
                <thead role="rowgroup">
                    <tr role="row">{maybe(all)} {heads} {maybe(act)}</tr>
                </thead>
                <tbody role="rowgroup">
                    {each(move || (keys.keys)(), move |key: u128| row(locale, &shaped, &kept, acts, key, selected))}
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The head of a column: a link that sorts by it, and once more the other way round.
fn head(
    shape: &Arc<Shape>,
    key: &'static str,
    title: String,
    class: &'static str,
    listing: Memo<Listing>,
) -> AnyView {
    if key.is_empty() {
        return view! { <th role="columnheader" scope="col" class=class>{title}</th> }.into_any();
    }
    let order = mark(move || {
        listing.with(|listing| match listing.sort.strip_prefix('-') {
            Some(sort) if sort == key => Some("descending"),
            None if listing.sort == key => Some("ascending"),
            _ => None,
        })
    });
    let path = shape.path.clone();
    let href = value(move || {
        let mut then = listing.get();
        then.page = 1;
        then.sort = if then.sort == key {
            format!("-{key}")
        } else {
            key.to_owned()
        };
        links::list(&path, &then)
    });
    view! {
        <th role="columnheader" scope="col" class=class aria-sort=order>
            <a class="sort" href=href data-noscroll="">{title} {icon::sort()}</a>
        </th>
    }
    .into_any()
}

/// The tick for all rows of this page. It does nothing without scripts, and is not there then.
fn every(rows: &Arc<Rows>, selected: RwSignal<Vec<u128>>) -> AnyView {
    let locale = use_locale();
    let rows = Arc::clone(rows);
    let all = {
        let rows = Arc::clone(&rows);
        memo(move |_| {
            let keys = (rows.keys)();
            !keys.is_empty() && selected.with(|chosen| keys.iter().all(|key| chosen.contains(key)))
        })
    };
    let label = t!(locale, "list-select-all");
    view! {
        <th role="columnheader" scope="col" class="pick">
            <input
                type="checkbox"
                class="scripted"
                aria-label=label
                prop:checked=flag(move || all.get())
                on:change=move |_| {
                    selected.set(if all.get_untracked() { Vec::new() } else { untrack(|| (rows.keys)()) });
                }
            />
        </th>
    }
    .into_any()
}

fn row(
    locale: Locale,
    shape: &Arc<Shape>,
    rows: &Arc<Rows>,
    acts: bool,
    key: u128,
    selected: RwSignal<Vec<u128>>,
) -> AnyView {
    let Some((id, name, cells)) = (rows.cells)(key) else {
        return ().into_any();
    };
    // What has left the list is no longer chosen. (On the server a page is let go of where no signal can be reached.)
    #[cfg(feature = "hydrate")]
    on_cleanup(move || {
        selected.update(|chosen| chosen.retain(|known| *known != key));
    });
    let noun = shape.noun;
    let pick = acts.then(|| {
        let chosen = flag(move || selected.with(|chosen| chosen.contains(&key)));
        view! {
            <td role="cell" class="pick">
                <input
                    type="checkbox"
                    name=noun
                    value=id.clone()
                    form="selection"
                    aria-label=t!(locale, "act-select", name = name.as_str())
                    prop:checked=chosen
                    on:change=move |_| {
                        selected.update(|chosen| match chosen.iter().position(|known| *known == key) {
                            Some(at) => _ = chosen.remove(at),
                            None => chosen.push(key),
                        });
                    }
                />
            </td>
        }
        .into_any()
    });
    let act = acts.then(|| {
        let acts = Arc::clone(&rows.acts);
        let menu = menu(
            format!("act-{id}"),
            t!(locale, "act-menu"),
            t!(locale, "act-menu-named", name = name.as_str()),
            Size::Small,
            follow(move || entries(acts(&[key]))),
        );
        view! { <td role="cell" class="act">{menu}</td> }.into_any()
    });
    let cells: Vec<AnyView> = cells
        .into_iter()
        .zip(&shape.columns)
        .enumerate()
        .map(|(at, (inside, (_, title, class)))| match at {
            0 => view! { <th role="rowheader" scope="row" class=*class>{inside}</th> }.into_any(),
            _ => view! { <td role="cell" class=*class data-label=title.clone()>{inside}</td> }
                .into_any(),
        })
        .collect();
    let chosen = mark(move || {
        selected
            .with(|chosen| chosen.contains(&key))
            .then_some("true")
    });
    view! { <tr role="row" data-chosen=chosen>{maybe(pick)} {cells} {maybe(act)}</tr> }.into_any()
}

/// The acts on several rows. Which of them it is possible on, its dialog says.
fn on_all(here: &str, ids: Vec<String>, acts: &[(SeveralAct, String)]) -> Vec<Entry> {
    acts.iter()
        .map(|(act, words)| {
            let entry = Entry::new(words.clone(), None, || links::on_several(*act, &ids, here));
            if act.destroys() {
                entry.danger().apart()
            } else {
                entry
            }
        })
        .collect()
}

/// A name that leads somewhere, whole in its title where it is cut.
pub fn named(href: String, name: &str) -> AnyView {
    view! { <a class="name" href=href title=name.to_owned()><bdi>{name.to_owned()}</bdi></a> }
        .into_any()
}

/// A name.
pub fn name(name: &str) -> AnyView {
    if name.is_empty() {
        return ().into_any();
    }
    view! { <bdi class="name" title=name.to_owned()>{name.to_owned()}</bdi> }.into_any()
}
