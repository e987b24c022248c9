//! Where rows stand, and where *Vous êtes ici* is put.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::domain::id::PointId;
use crate::domain::moment::Moment;
use crate::domain::recovery::{Node, drawing};

fn id(number: u8) -> PointId {
    PointId::from_bytes([number; 16])
}

/// A tree of points with these parents, as the server sends it.
fn view(parents: &[(u8, Option<u8>)], current: Option<u8>, creating: Option<u8>) -> PointsView {
    let nodes: Vec<Node> = parents
        .iter()
        .map(|(number, parent)| Node {
            id: id(*number),
            parent: parent.map(id),
            at: i64::from(*number),
        })
        .collect();
    let at = Moment {
        unix_ms: 0,
        offset_minutes: 0,
    };
    let points = drawing(&nodes, creating.or(current).map(id))
        .into_iter()
        .map(|placed| PointRow {
            id: placed.id,
            name: String::new(),
            kind: PointKind::Made,
            state: if creating.map(id) == Some(placed.id) {
                PointState::Creating
            } else {
                PointState::Ready
            },
            taken: at,
            frees: None,
            memory: false,
            lane: placed.lane,
            parent_lane: placed.parent_lane,
            passing: placed.passing,
            goes_on: placed.goes_on,
            depth: placed.depth,
            children: placed.children,
            on_path: placed.on_path,
        })
        .collect();
    PointsView {
        points,
        current: current.map(id),
        since: None,
        undo: None,
        zone: String::new(),
    }
}

/// Number (0: here), level, place among siblings.
fn told(view: &PointsView) -> Vec<(u8, u32, (u32, u32))> {
    twigs(view)
        .iter()
        .map(|twig| {
            let number = twig.point.as_ref().map_or(0, |row| {
                (1..=99).find(|number| id(*number) == row.id).unwrap()
            });
            (number, twig.level, twig.place)
        })
        .collect()
}

#[test]
fn the_present_stands_below_the_point_it_descends_from() {
    let parents = [
        (1, None),
        (2, Some(1)),
        (3, Some(2)),
        (4, Some(3)),
        (5, Some(3)),
        (6, Some(2)),
    ];
    assert_eq!(
        told(&view(&parents, Some(6), None)),
        [
            (1, 1, (1, 1)),
            (2, 2, (1, 1)),
            (3, 3, (1, 2)),
            (4, 4, (1, 2)),
            (5, 4, (2, 2)),
            (6, 3, (2, 2)),
            (0, 4, (1, 1)),
        ]
    );
    // After a rollback others descend from the current point, too: the present stands below them, in its lane.
    let back = view(&parents, Some(2), None);
    assert_eq!(
        told(&back),
        [
            (1, 1, (1, 1)),
            (2, 2, (1, 1)),
            (3, 3, (1, 3)),
            (4, 4, (1, 2)),
            (5, 4, (2, 2)),
            (6, 3, (2, 3)),
            (0, 3, (3, 3)),
        ]
    );
    // Its lane is seen beside all that stands between.
    for twig in &twigs(&back)[1..] {
        assert_eq!(twig.drawing.0.matches("way now").count(), 1);
    }
}

#[test]
fn a_point_that_is_being_made_is_where_the_present_will_descend_from() {
    let parents = [(1, None), (2, Some(1))];
    let numbers = |current, creating| -> Vec<u8> {
        told(&view(&parents, Some(current), creating))
            .iter()
            .map(|(number, ..)| *number)
            .collect()
    };
    assert_eq!(numbers(1, Some(2)), [1, 2, 0]);
    assert_eq!(numbers(1, None), [1, 2, 0]);
}

#[test]
fn the_present_is_there_even_where_it_descends_from_nothing() {
    assert_eq!(
        told(&view(&[(1, None)], None, None)),
        [(1, 1, (1, 2)), (0, 1, (2, 2))]
    );
    assert_eq!(told(&view(&[], None, None)), [(0, 1, (1, 1))]);
}

#[test]
fn the_way_to_the_present_is_strong_and_no_other() {
    let parents = [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(2))];
    let drawn = twigs(&view(&parents, Some(4), None));
    let strong: Vec<usize> = drawn
        .iter()
        .map(|twig| twig.drawing.0.matches("way strong").count())
        .collect();
    // 1: below; 2: above and below; 3, a branch: the lane that passes; 4: above; here: none, its way is dotted.
    assert_eq!(strong, [1, 2, 1, 1, 0]);
    // Gone back to 2: what follows from there is not the way any more.
    let back = twigs(&view(&parents, Some(2), None));
    let strong: Vec<usize> = back
        .iter()
        .map(|twig| twig.drawing.0.matches("way strong").count())
        .collect();
    assert_eq!(strong, [1, 1, 0, 0, 0]);
}

#[test]
fn what_is_folded_away_is_told_and_so_is_that_the_present_is_there() {
    let parents = [
        (1, None),
        (2, Some(1)),
        (3, Some(2)),
        (4, Some(3)),
        (5, Some(2)),
    ];
    let twigs = twigs(&view(&parents, Some(5), None));
    let told = |folded: &[PointId]| -> Vec<(Option<bool>, bool, u32, bool)> {
        let rows = shown(&twigs, folded).into_iter();
        rows.map(|row| (row.folded, row.hidden, row.under, row.here_under))
            .collect()
    };
    let open = (Some(false), false, 0, false);
    let leaf = (None, false, 0, false);
    assert_eq!(told(&[]), [open, open, open, leaf, open, leaf]);
    assert_eq!(
        told(&[id(3)]),
        [
            open,
            open,
            (Some(true), false, 1, false),
            (None, true, 0, false),
            open,
            leaf
        ]
    );
    // The outermost counts for all, whatever else is folded below it; a row that is gone folds nothing.
    let all = told(&[id(2), id(3), id(9)]);
    assert_eq!(all[1], (Some(true), false, 3, true));
    assert!(all[2..].iter().all(|(_, hidden, ..)| *hidden));
    // Where ways part, and where one that parted begins.
    let forks: Vec<bool> = twigs.iter().map(|twig| twig.fork).collect();
    assert_eq!(forks, [false, true, true, false, false, false]);
}

#[test]
fn the_line_to_what_is_folded_away_stands_by_itself() {
    let parents = [(1, None), (2, Some(1)), (3, Some(1))];
    let drawn = twigs(&view(&parents, Some(1), None));
    let lines = |at: usize| drawn[at].drawing.0.matches("<path").count();
    let on = |at: usize| drawn[at].drawing.0.matches(" on\"").count();
    assert_eq!((lines(0), on(0)), (1, 1));
    // A branch, and the present's lane beside it; nothing goes on from there.
    assert_eq!((lines(1), on(1)), (2, 0));
}

#[test]
fn a_name_is_text_and_never_an_element() {
    let mut html = Html::default();
    let name = "<img src=x onerror='a()'> & \"b\"";
    html.tag("bdi", "name", |html| html.text(name));
    assert_eq!(
        html.0,
        "<bdi class=\"name\">&lt;img src=x onerror=&#39;a()&#39;&gt; &amp; &quot;b&quot;</bdi>"
    );
}

#[test]
fn deep_trees_stay_in_sight() {
    // Each point has an older branch: every second one opens a lane.
    let parents: Vec<(u8, Option<u8>)> = (1..60u8)
        .map(|number| {
            (
                number,
                (number > 1).then(|| number.saturating_sub(2).max(1)),
            )
        })
        .collect();
    for twig in twigs(&view(&parents, Some(1), None)) {
        assert!(twig.drawing.1 <= EDGE * 2 + STEP * LAST_LANE);
    }
}
