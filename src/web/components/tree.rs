//! The tree of recovery points: where each stands, the lanes beside it, and the keys that move in it.
//!
//! A flat list of rows by the WAI-ARIA tree pattern: level and place among siblings are said, one row at a time is in the
//! order of the Tab key, arrows move, fold and unfold (`domain::outline` has the rules). Each row is a link, so that without
//! scripts it is a list of links, all of it. The server has put the rows in order and given each its lane; *Vous êtes ici* is
//! a row that is added here.

use crate::domain::id::PointId;
use crate::domain::outline::{Row, ancestors, has_children, hidden_under};
use crate::domain::recovery::{PointKind, PointState};
use crate::view::{PointRow, PointsView};
use crate::web::erased::{Memo, RwSignal, Value, each, effect, flag, mark, memo, value};
use leptos::attr::custom::custom_attribute;
use leptos::prelude::*;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

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

/// The row that says where the instance is now, in the place of a point's id.
pub const HERE: PointId = PointId::from_bytes([0; 16]);

/// A row of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Twig {
    /// The point; none: where the instance is now.
    pub point: Option<PointRow>,
    /// From 1.
    level: u32,
    /// Its place among its siblings, from 1, and how many they are.
    place: (u32, u32),
    /// Whether ways part here, or one that parted begins: where folding is of use.
    fork: bool,
    /// The lines and the point beside it, and how wide they are.
    drawing: (String, u32),
}

impl Twig {
    /// What it is known by.
    pub fn id(&self) -> PointId {
        self.point.as_ref().map_or(HERE, |point| point.id)
    }
}

/// A row as it is shown now.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The row.
    pub twig: Arc<Twig>,
    /// Whether what stands below it is folded away; none: nothing stands below it.
    folded: Option<bool>,
    /// Whether it is folded away itself.
    hidden: bool,
    /// How many points are folded away under it.
    pub under: u32,
    /// Whether *Vous êtes ici* is among them.
    pub here_under: bool,
}

/// The rows of the tree, with *Vous êtes ici* among them.
pub fn twigs(view: &PointsView) -> Vec<Arc<Twig>> {
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
                Way::Strong
            } else {
                Way::Now
            }
        }
        _ => Way::Plain,
    };
    let mut drawn: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| {
            let children = row.children + u32::from(anchor == Some(at));
            let parted = row.parent_lane.is_some_and(|parent| parent != row.lane);
            let fork = children > 1 || (parted && children > 0);
            (Some(row.clone()), row.depth, fork, point(row, at, class))
        })
        .collect();
    let from = anchor.map(|anchor| &rows[anchor]);
    let depth = from.map_or(0, |row| row.depth + 1);
    drawn.insert(under, (None, depth, false, here(from)));
    let depths: Vec<u32> = drawn.iter().map(|(_, depth, ..)| *depth).collect();
    let places = places(&depths);
    drawn
        .into_iter()
        .zip(places)
        .map(|((point, depth, fork, drawing), place)| {
            Arc::new(Twig {
                point,
                level: depth + 1,
                place,
                fork,
                drawing,
            })
        })
        .collect()
}

/// The rows as the keys see them.
fn outline(twigs: &[Arc<Twig>], folded: &[PointId]) -> Vec<Row> {
    let row = |twig: &Arc<Twig>| Row {
        level: twig.level,
        folded: folded.contains(&twig.id()),
    };
    twigs.iter().map(row).collect()
}

/// The rows, some of them folded.
fn shown(twigs: &[Arc<Twig>], folded: &[PointId]) -> Vec<Shown> {
    let rows = outline(twigs, folded);
    let hidden = hidden_under(&rows);
    let mut shown: Vec<Shown> = twigs
        .iter()
        .enumerate()
        .map(|(at, twig)| Shown {
            twig: Arc::clone(twig),
            folded: has_children(&rows, at).then_some(rows[at].folded),
            hidden: hidden[at].is_some(),
            under: 0,
            here_under: false,
        })
        .collect();
    for (twig, under) in twigs.iter().zip(&hidden) {
        if let Some(under) = under {
            match twig.point {
                Some(_) => shown[*under].under += 1,
                None => shown[*under].here_under = true,
            }
        }
    }
    shown
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

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Plain,
    Strong,
    Now,
}

impl Way {
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "way",
            Self::Strong => "way strong",
            Self::Now => "way now",
        }
    }
}

/// The lines beside a row: those that look alike are one path.
#[derive(Default)]
struct Lines([String; 3]);

impl Lines {
    /// A line straight down a lane.
    fn down(&mut self, way: Way, lane: u32, from: u32, to: u32) {
        _ = write!(self.0[way as usize], "M{} {from}V{to}", across(lane));
    }

    /// A branch: from the upper edge of the parent's lane to the point in its own.
    fn branch(&mut self, parent: u32, lane: u32) {
        let (from, to) = (across(parent), across(lane));
        if from < to {
            let turn = KNOT - 4;
            let plain = &mut self.0[Way::Plain as usize];
            _ = write!(plain, "M{from} 0C{from} {turn} {from} {KNOT} {to} {KNOT}");
        }
    }

    fn draw(self) -> String {
        let mut svg = String::new();
        for (way, path) in [Way::Plain, Way::Strong, Way::Now].into_iter().zip(self.0) {
            if !path.is_empty() {
                _ = write!(svg, r#"<path class="{}" d="{path}"/>"#, way.class());
            }
        }
        svg
    }
}

/// `class` tells how the lane looks below a row.
fn point(row: &PointRow, at: usize, class: impl Fn(usize, u32) -> Way) -> (String, u32) {
    let mut lines = Lines::default();
    let above = |lane| {
        at.checked_sub(1)
            .map_or(Way::Plain, |above| class(above, lane))
    };
    for lane in &row.passing {
        lines.down(class(at, *lane), *lane, 0, BELOW);
    }
    match row.parent_lane {
        Some(parent) if parent == row.lane => lines.down(above(row.lane), row.lane, 0, KNOT),
        Some(parent) => lines.branch(parent, row.lane),
        None => {}
    }
    let mut svg = lines.draw();
    let (x, strength) = (across(row.lane), if row.on_path { " strong" } else { "" });
    if row.goes_on {
        // By itself: it is not drawn while what it leads to is folded away.
        let way = class(at, row.lane).class();
        _ = write!(svg, r#"<path class="{way} on" d="M{x} {KNOT}V{BELOW}"/>"#);
    }
    let state = match row.state {
        PointState::Ready => "",
        PointState::Creating | PointState::Deleting => " passing",
    };
    _ = match row.kind {
        PointKind::Made => write!(
            svg,
            r#"<circle class="knot{strength}{state}" cx="{x}" cy="{KNOT}" r="6.5"/>"#
        ),
        PointKind::Safety => write!(
            svg,
            r#"<rect class="knot{strength}{state}" x="{}" y="{}" width="11" height="11" rx="2"/>"#,
            x - 5,
            KNOT - 5
        ),
    };
    (svg, x + EDGE)
}

/// Where the instance is now: in the lane of the point it descends from.
fn here(from: Option<&PointRow>) -> (String, u32) {
    let mut lines = Lines::default();
    let lane = from.map_or(0, |row| row.lane);
    if let Some(row) = from {
        for lane in &row.passing {
            lines.down(Way::Plain, *lane, 0, BELOW);
        }
        lines.down(Way::Now, lane, 0, KNOT);
    }
    let x = across(lane);
    let mut svg = lines.draw();
    _ = write!(
        svg,
        r#"<circle class="knot here" cx="{x}" cy="{KNOT}" r="7.5"/>"#
    );
    (svg, x + EDGE)
}

/// Elements that are written as text.
#[derive(Debug, Default)]
pub struct Html(pub String);

impl Html {
    /// An element with what is in it.
    pub fn tag(&mut self, name: &'static str, class: &'static str, inside: impl FnOnce(&mut Self)) {
        _ = write!(self.0, "<{name} class=\"{class}\">");
        inside(self);
        _ = write!(self.0, "</{name}>");
    }

    /// Text, whatever is in it.
    pub fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
    }
}

/// What stands beside the lanes of a row, as text.
type Cells = Arc<dyn Fn(&Shown) -> String + Send + Sync>;

/// What the page and the tree share.
#[derive(Clone, Copy)]
pub struct Tree {
    /// The rows.
    pub twigs: Memo<Vec<Arc<Twig>>>,
    /// The one whose details are shown.
    pub chosen: Memo<PointId>,
    /// The one that the address names: it is seen, whatever was folded before.
    pub named: Memo<Option<PointId>>,
    /// Those that are folded.
    pub folded: RwSignal<Vec<PointId>>,
    /// Whether scripts run here.
    pub alive: ReadSignal<bool>,
}

/// The tree itself. `href` is where a row leads; `cells` what stands beside the lanes.
pub fn tree(
    label: String,
    tree: Tree,
    href: impl Fn(PointId) -> String + Send + Sync + 'static,
    cells: impl Fn(&Shown) -> String + Send + Sync + 'static,
) -> AnyView {
    let cells: Cells = Arc::new(cells);
    let Tree {
        twigs,
        chosen,
        named,
        folded,
        alive,
    } = tree;
    let focused = RwSignal::new(None::<PointId>);
    let all = memo(move |_| twigs.with(|twigs| folded.with(|folded| shown(twigs, folded))));
    // The one row that the Tab key stops at: where the focus was last, else the chosen one, else the one it is folded
    // away under.
    let stop = memo(move |_| {
        let wanted = focused.get().unwrap_or_else(|| chosen.get());
        twigs.with(|twigs| {
            let at = twigs.iter().position(|twig| twig.id() == wanted);
            let rows = folded.with(|folded| outline(twigs, folded));
            let at = at.and_then(|at| hidden_under(&rows)[at].or(Some(at)));
            twigs.get(at.unwrap_or(0)).map_or(HERE, |twig| twig.id())
        })
    });
    effect(move || {
        let Some(named) = named.get() else { return };
        let above = twigs.with_untracked(|twigs| {
            let at = twigs.iter().position(|twig| twig.id() == named);
            let rows = outline(twigs, &[]);
            let above = at.map(|at| ancestors(&rows, at)).unwrap_or_default();
            above
                .into_iter()
                .map(|at| twigs[at].id())
                .collect::<Vec<_>>()
        });
        folded.update(|folded| folded.retain(|id| !above.contains(id)));
    });
    let keys = keyboard(twigs, folded);
    let href: Arc<dyn Fn(PointId) -> String + Send + Sync> = Arc::new(href);
    let each_row = move |id| row(all, id, chosen, stop, alive, &*href, &cells);
    view! {
        <div
            class="tree"
            role="tree"
            aria-label=label
            on:keydown=keys
            on:click=move |event| twist(&event, folded)
            on:focusin=move |event| focused.set(row_of(&event))
        >
            {each(move || twigs.with(|twigs| twigs.iter().map(|twig| twig.id()).collect()), each_row)}
        </div>
    }
    .into_any()
}

/// What is in a row: its lanes, the sign that folds, and the cells.
fn drawn(shown: &Shown, cells: &Cells) -> String {
    let (drawing, width) = &shown.twig.drawing;
    let mut html =
        format!(r#"<svg class="lanes" width="{width}" aria-hidden="true">{drawing}</svg>"#);
    if shown.folded.is_some() {
        // Folding is of use where ways part; elsewhere its sign comes with the pointer.
        let fork = if shown.twig.fork { " fork" } else { "" };
        _ = write!(
            html,
            r#"<span class="twist{fork}" aria-hidden="true"></span>"#
        );
    }
    html.push_str(&cells(shown));
    html
}

/// A row. It stays the same element while its point changes, so that the focus in it is not lost.
fn row(
    all: Memo<Vec<Shown>>,
    id: PointId,
    chosen: Memo<PointId>,
    stop: Memo<PointId>,
    alive: ReadSignal<bool>,
    href: &(dyn Fn(PointId) -> String + Send + Sync),
    cells: &Cells,
) -> AnyView {
    let this =
        memo(move |_| all.with(|all| all.iter().find(|shown| shown.twig.id() == id).cloned()));
    let number = move |number: fn(&Twig) -> u32| -> Value {
        value(move || {
            this.with(|this| this.as_ref().map_or(1, |this| number(&this.twig)))
                .to_string()
        })
    };
    let hidden = flag(move || this.with(|this| this.as_ref().is_some_and(|this| this.hidden)));
    let expanded = mark(move || {
        let folded = this.with(|this| this.as_ref().and_then(|this| this.folded));
        folded.map(|folded| if folded { "false" } else { "true" })
    });
    let cells = Arc::clone(cells);
    let inside = value(move || {
        this.with(|this| this.as_ref().map(|this| drawn(this, &cells)))
            .unwrap_or_default()
    });
    if id == HERE {
        return view! {
            <div
                id="here"
                class="twig here"
                role="treeitem"
                aria-current="location"
                {..custom_attribute("aria-level", number(|twig| twig.level))}
                aria-posinset=number(|twig| twig.place.0)
                aria-setsize=number(|twig| twig.place.1)
                tabindex=value(move || if alive.get() && stop.get() == HERE { "0" } else { "-1" }.to_owned())
                hidden=hidden
                inner_html=inside
            ></div>
        }
        .into_any();
    }
    view! {
        <a
            class="twig"
            role="treeitem"
            href=href(id)
            data-noscroll=""
            {..custom_attribute("aria-level", number(|twig| twig.level))}
            aria-posinset=number(|twig| twig.place.0)
            aria-setsize=number(|twig| twig.place.1)
            aria-selected=value(move || (chosen.get() == id).to_string())
            aria-expanded=expanded
            tabindex=mark(move || (alive.get() && stop.get() != id).then_some("-1"))
            hidden=hidden
            inner_html=inside
        ></a>
    }
    .into_any()
}

#[cfg(feature = "hydrate")]
use browser::{keyboard, row_of, twist};

#[cfg(feature = "hydrate")]
mod browser {
    use super::{HERE, Twig, outline};
    use crate::domain::id::PointId;
    use crate::domain::outline::{Key, Step, step, typed};
    use crate::web::erased::{Memo, RwSignal};
    use leptos::ev::{FocusEvent, KeyboardEvent, MouseEvent};
    use std::cell::RefCell;
    use std::sync::Arc;
    use wasm_bindgen::JsCast;
    use web_sys::{Element, Event, HtmlElement, NodeList};

    /// Letters that come within this time (in milliseconds) are one word.
    const TOGETHER: f64 = 700.0;

    /// The row that an event is about.
    fn row_at(event: &Event) -> Option<Element> {
        let target: Element = event.target()?.dyn_into().ok()?;
        target.closest("[role=treeitem]").ok()?
    }

    fn id_of(row: &Element) -> PointId {
        // The address ends with it, before any query.
        let href = row.get_attribute("href").unwrap_or_default();
        let path = href.split('?').next().unwrap_or_default();
        let tail = path.rsplit('/').next().unwrap_or_default();
        tail.parse().unwrap_or(HERE)
    }

    pub fn row_of(event: &FocusEvent) -> Option<PointId> {
        row_at(event).as_ref().map(id_of)
    }

    /// The sign beside a name folds and unfolds; what leads to the point stays a link.
    pub fn twist(event: &MouseEvent, folded: RwSignal<Vec<PointId>>) {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok());
        if !target.is_some_and(|target| target.class_list().contains("twist")) {
            return;
        }
        event.prevent_default();
        let Some(row) = row_at(event) else { return };
        let id = id_of(&row);
        folded.update(|folded| {
            let there = folded.len();
            folded.retain(|other| *other != id);
            if folded.len() == there {
                folded.push(id);
            }
        });
        // It was perhaps on what is folded away now.
        if let Some(row) = row.dyn_ref::<HtmlElement>() {
            _ = row.focus();
        }
    }

    fn row_in(rows: &NodeList, at: usize) -> Option<HtmlElement> {
        rows.item(u32::try_from(at).ok()?)?.dyn_into().ok()
    }

    /// Arrows, Home, End and the star as the outline has it, letters to the next name that begins with them. Enter follows
    /// the link, as in every link; the space bar does the same.
    pub fn keyboard(
        twigs: Memo<Vec<Arc<Twig>>>,
        folded: RwSignal<Vec<PointId>>,
    ) -> impl Fn(KeyboardEvent) + 'static {
        // What was typed, and when last.
        let word = RefCell::new((String::new(), 0.0));
        move |event: KeyboardEvent| {
            let name = event.key();
            let mut letters = name.chars();
            let letter = letters.next().filter(|_| letters.next().is_none());
            let shifted = event.shift_key() && letter.is_none();
            if event.ctrl_key() || event.alt_key() || event.meta_key() || shifted {
                return;
            }
            let tree = event
                .current_target()
                .and_then(|tree| tree.dyn_into::<Element>().ok());
            let Some(rows) = tree.and_then(|tree| tree.query_selector_all("[role=treeitem]").ok())
            else {
                return;
            };
            let Some(from) = row_at(&event) else { return };
            let id = id_of(&from);
            let twigs = twigs.get_untracked();
            let Some(at) = twigs.iter().position(|twig| twig.id() == id) else {
                return;
            };
            let outline = folded.with_untracked(|folded| outline(&twigs, folded));
            let told = |at: &usize| twigs[*at].id();
            let next = if let Some(key) = Key::named(&name) {
                match step(&outline, at, &key) {
                    Some(Step::To(next)) => Some(next),
                    Some(Step::Fold(at)) => {
                        folded.update(|folded| folded.push(told(&at)));
                        None
                    }
                    Some(Step::Unfold(rows)) => {
                        let rows: Vec<PointId> = rows.iter().map(told).collect();
                        folded.update(|folded| folded.retain(|id| !rows.contains(id)));
                        None
                    }
                    None => None,
                }
            } else if let Some(letter) = letter {
                let mut word = word.borrow_mut();
                let now = event.time_stamp();
                if now - word.1 > TOGETHER {
                    word.0.clear();
                }
                if letter == ' ' && word.0.is_empty() {
                    event.prevent_default();
                    if let Some(row) = from.dyn_ref::<HtmlElement>() {
                        row.click();
                    }
                    return;
                }
                word.0.push(letter);
                word.1 = now;
                // A row is known by the text of its name, *Vous êtes ici* too.
                let names: Vec<String> = (0..twigs.len())
                    .map(|at| {
                        let name =
                            row_in(&rows, at).and_then(|row| row.query_selector(".what").ok()?);
                        name.and_then(|name| name.text_content())
                            .unwrap_or_default()
                    })
                    .collect();
                typed(&outline, &names, at, &word.0)
            } else {
                return;
            };
            event.prevent_default();
            if let Some(row) = next.and_then(|next| row_in(&rows, next)) {
                _ = row.focus();
            }
        }
    }
}

#[cfg(not(feature = "hydrate"))]
fn row_of(_: &leptos::ev::FocusEvent) -> Option<PointId> {
    None
}

#[cfg(not(feature = "hydrate"))]
fn twist(_: &leptos::ev::MouseEvent, _: RwSignal<Vec<PointId>>) {}

#[cfg(not(feature = "hydrate"))]
fn keyboard(
    _: Memo<Vec<Arc<Twig>>>,
    _: RwSignal<Vec<PointId>>,
) -> impl Fn(leptos::ev::KeyboardEvent) + 'static {
    |_| {}
}

#[cfg(test)]
mod tests;
