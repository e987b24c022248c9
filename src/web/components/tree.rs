//! The tree of recovery points: where each stands, the lanes beside it, and the keys that move in it.
//!
//! A flat list of rows by the WAI-ARIA tree pattern: level and place among siblings are said, one row at a time is in the
//! order of the Tab key, arrows move. Each row is a link, so that without scripts it is a list of links. The server has
//! put the rows in order and given each its lane; *Vous êtes ici* is a row that is added here.

use crate::domain::recovery::{PointKind, PointState};
use crate::view::{PointRow, PointsView};
use crate::web::erased::{Mark, Value, follow, mark, maybe, memo, value};
use leptos::attr::custom::custom_attribute;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use std::collections::HashMap;
use std::fmt::Write;

/// Lanes beyond this one are drawn in its place, so that names stay in sight.
const LAST_LANE: u32 = 9;
/// From one lane to the next, in CSS pixels.
const STEP: u32 = 22;
/// From the edge to the first lane.
const EDGE: u32 = 15;
/// From the upper edge of a row to its point.
const KNOT: u32 = 22;
/// Lines are drawn further than any row is tall; the row cuts them off.
const BELOW: u32 = 999;

/// A row of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Twig {
    /// The point; none: where the instance is now.
    pub point: Option<PointRow>,
    /// From 1.
    level: u32,
    /// Its place among its siblings, from 1, and how many they are.
    place: (u32, u32),
    /// The lines and the point beside it, and how wide they are.
    drawing: (String, u32),
}

/// The rows of the tree, with *Vous êtes ici* among them.
pub fn twigs(view: &PointsView) -> Vec<Twig> {
    let rows = &view.points;
    let first = rows.iter().position(|row| row.on_path);
    // The present descends from the last point of the way, and stands below whatever else descends from there.
    let anchor = rows.iter().rposition(|row| row.on_path);
    let under = anchor.map_or(rows.len(), |anchor| {
        let depth = rows[anchor].depth;
        let after = rows.iter().skip(anchor + 1);
        anchor + 1 + after.take_while(|row| row.depth > depth).count()
    });
    // The way from the first point to the present runs in one lane: strong as far as the last point.
    let class = |below: usize, lane: u32| match first.zip(anchor) {
        Some((first, last)) if first <= below && below < under && rows[first].lane == lane => {
            if below < last {
                "way strong"
            } else {
                "way now"
            }
        }
        _ => "way",
    };
    let mut drawn: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| (Some(row.clone()), row.depth, point(row, at, class)))
        .collect();
    let from = anchor.map(|anchor| &rows[anchor]);
    let depth = from.map_or(0, |row| row.depth + 1);
    drawn.insert(under, (None, depth, here(from)));
    let depths: Vec<u32> = drawn.iter().map(|(_, depth, _)| *depth).collect();
    let places = places(&depths);
    drawn
        .into_iter()
        .zip(places)
        .map(|((point, depth, drawing), place)| Twig {
            point,
            level: depth + 1,
            place,
            drawing,
        })
        .collect()
}

/// Each row's place among its siblings and their number. Rows of one parent follow one another, deeper ones between them.
fn places(depths: &[u32]) -> Vec<(u32, u32)> {
    let mut above: Vec<usize> = Vec::new();
    let mut sizes: HashMap<Option<usize>, u32> = HashMap::new();
    let mut found = Vec::with_capacity(depths.len());
    for (row, depth) in depths.iter().enumerate() {
        above.truncate(usize::try_from(*depth).unwrap_or(usize::MAX));
        let parent = above.last().copied();
        let size = sizes.entry(parent).or_default();
        *size += 1;
        found.push((parent, *size));
        above.push(row);
    }
    found
        .into_iter()
        .map(|(parent, place)| (place, sizes.get(&parent).copied().unwrap_or(place)))
        .collect()
}

fn across(lane: u32) -> u32 {
    EDGE + STEP * lane.min(LAST_LANE)
}

/// A line straight down a lane.
fn line(svg: &mut String, class: &str, lane: u32, from: u32, to: u32) {
    let x = across(lane);
    _ = write!(
        svg,
        r#"<line class="{class}" x1="{x}" y1="{from}" x2="{x}" y2="{to}"></line>"#
    );
}

/// A branch: from the upper edge of the parent's lane to the point in its own.
fn branch(svg: &mut String, class: &str, parent: u32, lane: u32) {
    let (from, to) = (across(parent), across(lane));
    if from < to {
        let turn = KNOT - 4;
        _ = write!(
            svg,
            r#"<path class="{class}" d="M{from} 0C{from} {turn} {from} {KNOT} {to} {KNOT}"></path>"#
        );
    }
}

/// `class` tells how the lane looks below a row.
fn point(row: &PointRow, at: usize, class: impl Fn(usize, u32) -> &'static str) -> (String, u32) {
    let mut svg = String::new();
    let above = |lane| at.checked_sub(1).map_or("way", |above| class(above, lane));
    for lane in &row.passing {
        line(&mut svg, class(at, *lane), *lane, 0, BELOW);
    }
    match row.parent_lane {
        Some(parent) if parent == row.lane => line(&mut svg, above(row.lane), row.lane, 0, KNOT),
        Some(parent) => branch(&mut svg, "way", parent, row.lane),
        None => {}
    }
    if row.goes_on {
        line(&mut svg, class(at, row.lane), row.lane, KNOT, BELOW);
    }
    let (x, strength) = (across(row.lane), if row.on_path { " strong" } else { "" });
    let state = match row.state {
        PointState::Ready => "",
        PointState::Creating | PointState::Deleting => " passing",
    };
    _ = match row.kind {
        PointKind::Made => write!(
            svg,
            r#"<circle class="knot{strength}{state}" cx="{x}" cy="{KNOT}" r="6.5"></circle>"#
        ),
        PointKind::Safety => write!(
            svg,
            r#"<rect class="knot{strength}{state}" x="{}" y="{}" width="11" height="11" rx="2"></rect>"#,
            x - 5,
            KNOT - 5
        ),
    };
    (svg, x + EDGE)
}

/// Where the instance is now: in the lane of the point it descends from.
fn here(from: Option<&PointRow>) -> (String, u32) {
    let mut svg = String::new();
    let lane = from.map_or(0, |row| row.lane);
    if let Some(row) = from {
        for lane in &row.passing {
            line(&mut svg, "way", *lane, 0, BELOW);
        }
        line(&mut svg, "way now", lane, 0, KNOT);
    }
    let x = across(lane);
    _ = write!(
        svg,
        r#"<circle class="knot here" cx="{x}" cy="{KNOT}" r="7.5"></circle>"#
    );
    (svg, x + EDGE)
}

/// The id of a row: the point's, or *here*.
fn key(twig: &Twig) -> String {
    twig.point
        .as_ref()
        .map_or_else(|| "here".to_owned(), |row| row.id.to_string())
}

/// The tree itself. `root` is where the links of its rows begin.
pub fn tree(
    label: String,
    twigs: Memo<Vec<Twig>>,
    chosen: Memo<String>,
    alive: ReadSignal<bool>,
    root: String,
    cells: fn(&Twig) -> AnyView,
) -> AnyView {
    let focused = RwSignal::new(None::<String>);
    // The one row that the Tab key stops at: where the focus was last, else the chosen one.
    let stop = memo(move |_| {
        let wanted = focused.get().unwrap_or_else(|| chosen.get());
        twigs.with(|twigs| {
            let there = twigs.iter().any(|twig| key(twig) == wanted);
            let fallback = || twigs.first().map(key).unwrap_or_default();
            if there { wanted } else { fallback() }
        })
    });
    view! {
        <div
            class="tree"
            role="tree"
            aria-label=label
            on:keydown=arrows
            on:focusin=move |event| focused.set(row_of(&event))
        >
            <For
                each=move || twigs.with(|twigs| twigs.iter().map(key).collect::<Vec<_>>())
                key=Clone::clone
                children=move |id| row(twigs, id, chosen, stop, alive, &root, cells)
            />
        </div>
    }
    .into_any()
}

/// A row. It stays the same element while its point changes, so that the focus in it is not lost.
fn row(
    twigs: Memo<Vec<Twig>>,
    id: String,
    chosen: Memo<String>,
    stop: Memo<String>,
    alive: ReadSignal<bool>,
    root: &str,
    cells: fn(&Twig) -> AnyView,
) -> AnyView {
    let own = id.clone();
    let twig =
        memo(move |_| twigs.with(|twigs| twigs.iter().find(|twig| key(twig) == own).cloned()));
    let number = move |number: fn(&Twig) -> u32| -> Value {
        value(move || {
            twig.with(|twig| twig.as_ref().map_or(1, number))
                .to_string()
        })
    };
    let out_of_order = |id: String| -> Mark {
        mark(move || (alive.get() && stop.with(|stop| *stop != id)).then_some("-1"))
    };
    let inside = follow(move || {
        twig.with(|twig| {
            maybe(twig.as_ref().map(|twig| {
                let (drawing, width) = twig.drawing.clone();
                view! {
                    <svg class="lanes" width=width.to_string() height="44" aria-hidden="true" focusable="false" inner_html=drawing></svg>
                    {cells(twig)}
                }
                .into_any()
            }))
        })
    });
    if id == "here" {
        return view! {
            <div
                id="here"
                class="twig here"
                role="treeitem"
                aria-current="location"
                {..custom_attribute("aria-level", number(|twig| twig.level))}
                aria-posinset=number(|twig| twig.place.0)
                aria-setsize=number(|twig| twig.place.1)
                tabindex=value(move || if alive.get() && stop.with(|stop| stop == "here") { "0" } else { "-1" }.to_owned())
                data-row="here"
            >
                {inside}
            </div>
        }
        .into_any();
    }
    let is_chosen = {
        let id = id.clone();
        value(move || chosen.with(|chosen| *chosen == id).to_string())
    };
    view! {
        <a
            class="twig"
            role="treeitem"
            href=format!("{root}/{id}")
            data-noscroll=""
            {..custom_attribute("aria-level", number(|twig| twig.level))}
            aria-posinset=number(|twig| twig.place.0)
            aria-setsize=number(|twig| twig.place.1)
            aria-selected=is_chosen
            tabindex=out_of_order(id.clone())
            data-row=id
        >
            {inside}
        </a>
    }
    .into_any()
}

#[cfg(feature = "hydrate")]
fn row_of(event: &leptos::ev::FocusEvent) -> Option<String> {
    use wasm_bindgen::JsCast;
    event
        .target()?
        .dyn_into::<web_sys::Element>()
        .ok()?
        .get_attribute("data-row")
}

#[cfg(not(feature = "hydrate"))]
fn row_of(_: &leptos::ev::FocusEvent) -> Option<String> {
    None
}

/// Up and down to the row beside, Home and End to the ends, left to the parent, right to the first child. Enter follows
/// the link, as in every link; the space bar does the same.
#[cfg(feature = "hydrate")]
fn arrows(event: KeyboardEvent) {
    use wasm_bindgen::JsCast;
    use web_sys::{Element, HtmlElement};

    if event.ctrl_key() || event.alt_key() || event.meta_key() || event.shift_key() {
        return;
    }
    let tree = event
        .current_target()
        .and_then(|tree| tree.dyn_into::<Element>().ok());
    let Some(rows) = tree.and_then(|tree| tree.query_selector_all("[role=treeitem]").ok()) else {
        return;
    };
    let row = |at: u32| {
        rows.item(at)
            .and_then(|row| row.dyn_into::<HtmlElement>().ok())
    };
    let level = |at: u32| -> u32 {
        row(at)
            .and_then(|row| row.get_attribute("aria-level"))
            .and_then(|level| level.parse().ok())
            .unwrap_or(1)
    };
    let focused = document().active_element();
    let Some(at) = (0..rows.length()).find(|at| {
        row(*at)
            .zip(focused.as_ref())
            .is_some_and(|(row, focused)| row.is_same_node(Some(focused)))
    }) else {
        return;
    };
    let last = rows.length().saturating_sub(1);
    let next = match event.key().as_str() {
        "ArrowUp" => at.checked_sub(1),
        "ArrowDown" => Some(at + 1).filter(|next| *next <= last),
        "Home" => Some(0),
        "End" => Some(last),
        "ArrowLeft" => (0..at).rev().find(|above| level(*above) < level(at)),
        "ArrowRight" => Some(at + 1).filter(|next| *next <= last && level(*next) > level(at)),
        " " => {
            event.prevent_default();
            if let Some(row) = row(at) {
                row.click();
            }
            return;
        }
        _ => return,
    };
    event.prevent_default();
    if let Some(row) = next.and_then(row) {
        _ = row.focus();
    }
}

#[cfg(not(feature = "hydrate"))]
fn arrows(_: KeyboardEvent) {}

#[cfg(test)]
mod tests;
