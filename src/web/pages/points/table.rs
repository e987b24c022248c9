//! The second view of an instance's recovery points: a table, by date, name, content or space. Which view it is and what it
//! is sorted by stand in the address.

use super::super::cell;
use super::{bytes_or_unknown, holds, name, passing};
use crate::domain::id::{InstanceId, PointId};
use crate::domain::locale::Locale;
use crate::domain::recovery::PointState;
use crate::i18n::{format, t};
use crate::view::{PointRow, PointsView};
use crate::web::components::icon;
use crate::web::components::status::{Tone, status};
use crate::web::context::use_locale;
use crate::web::erased::maybe;
use crate::web::links::{self, PointsSort};
use leptos::prelude::*;
use std::cmp::Ordering;

/// The points as the address has them sorted; none is sorted by something else: those that are alike are by date.
pub fn sorted(points: &[PointRow], sort: PointsSort) -> Vec<&PointRow> {
    let by = |one: &&PointRow, other: &&PointRow| -> Ordering {
        let order = match sort.key {
            "name" => one.name.to_lowercase().cmp(&other.name.to_lowercase()),
            "holds" => (one.memory, one.kind as u8).cmp(&(other.memory, other.kind as u8)),
            "frees" => one.frees.cmp(&other.frees),
            _ => Ordering::Equal,
        };
        let order = order
            .then(one.taken.cmp(&other.taken))
            .then(one.id.cmp(&other.id));
        if sort.down { order.reverse() } else { order }
    };
    let mut rows: Vec<&PointRow> = points.iter().collect();
    rows.sort_by(by);
    rows
}

/// The table.
pub fn table(
    instance: InstanceId,
    found: &PointsView,
    sort: PointsSort,
    chosen: Option<PointId>,
) -> AnyView {
    let locale = use_locale();
    let head = |key: &'static str, class: &'static str, title: String| {
        let mine = sort.key == key;
        let order = mine.then_some(if sort.down { "descending" } else { "ascending" });
        let then = PointsSort {
            key,
            down: if mine { !sort.down } else { key == "taken" },
        };
        let href = then.on(&links::points(instance, None));
        view! {
            <th role="columnheader" scope="col" class=class aria-sort=order>
                <a class="sort" href=href data-noscroll="">{title} {icon::sort()}</a>
            </th>
        }
        .into_any()
    };
    let rows: Vec<AnyView> = sorted(&found.points, sort)
        .into_iter()
        .map(|row| point(locale, instance, sort, row, chosen == Some(row.id)))
        .collect();
    let since = found
        .since
        .map(|since| t!(locale, "points-since", bytes = format::bytes(locale, since)));
    let here = view! {
        <tr role="row" aria-current="location">
            <th role="rowheader" scope="row"><b class="badge">{t!(locale, "points-here")}</b></th>
            {cell(t!(locale, "points-column-holds"), "", ().into_any())}
            {cell(t!(locale, "points-column-created"), "", t!(locale, "points-now").into_any())}
            {cell(t!(locale, "points-column-frees"), "number", maybe(since.map(IntoAny::into_any)))}
        </tr>
    }
    .into_any();
    // The present is the newest of all.
    let (first, last) = match (sort.key, sort.down) {
        ("taken", false) => (None, Some(here)),
        _ => (Some(here), None),
    };
    view! {
        <div class="card scroll">
            <table class="list points-list" role="table">
                <caption class="unseen">{t!(locale, "points-table")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {head("name", "", t!(locale, "points-column-name"))}
                        {head("holds", "", t!(locale, "points-column-holds"))}
                        {head("taken", "", t!(locale, "points-column-created"))}
                        {head("frees", "number", t!(locale, "points-column-frees"))}
                    </tr>
                </thead>
                <tbody role="rowgroup">{maybe(first)} {rows} {maybe(last)}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn point(
    locale: Locale,
    instance: InstanceId,
    sort: PointsSort,
    row: &PointRow,
    chosen: bool,
) -> AnyView {
    let state = passing(locale, row.state).map(|words| status(Tone::Busy, words));
    let frees = (row.state == PointState::Ready).then(|| bytes_or_unknown(locale, row.frees));
    let href = sort.on(&links::points(instance, Some(row.id)));
    let here = chosen.then_some("true");
    view! {
        <tr role="row" class:chosen=chosen>
            <th role="rowheader" scope="row">
                <a class="name" href=href data-noscroll="" aria-current=here><bdi>{name(locale, row.kind, &row.name)}</bdi></a>
                {maybe(state)}
            </th>
            {cell(t!(locale, "points-column-holds"), "", holds(locale, row))}
            {cell(t!(locale, "points-column-created"), "", format::date_time(locale, row.taken).into_any())}
            {cell(t!(locale, "points-column-frees"), "number", maybe(frees.map(IntoAny::into_any)))}
        </tr>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::moment::Moment;
    use crate::domain::recovery::PointKind;
    use crate::domain::size::Bytes;

    fn row(number: u8, name: &str, taken: i64, frees: Option<u64>, memory: bool) -> PointRow {
        PointRow {
            id: PointId::from_bytes([number; 16]),
            name: name.to_owned(),
            kind: PointKind::Made,
            state: PointState::Ready,
            taken: Moment {
                unix_ms: taken,
                offset_minutes: 0,
            },
            frees: frees.map(Bytes),
            memory,
            lane: 0,
            parent_lane: None,
            passing: Vec::new(),
            goes_on: false,
            depth: 0,
            children: 0,
            on_path: false,
        }
    }

    #[test]
    fn points_are_sorted_by_what_the_address_says_and_then_by_date() {
        let points = [
            row(1, "b", 30, Some(5), false),
            row(2, "A", 10, None, true),
            row(3, "c", 20, Some(5), true),
            row(4, "a", 40, Some(1), false),
        ];
        for (asked, order) in [
            ("", [4, 1, 3, 2]),
            ("taken", [2, 3, 1, 4]),
            ("name", [2, 4, 1, 3]),
            ("-name", [3, 1, 4, 2]),
            ("holds", [1, 4, 2, 3]),
            ("-frees", [1, 3, 4, 2]),
            ("nonsense", [4, 1, 3, 2]),
        ] {
            let found = sorted(&points, PointsSort::of(asked));
            let ids = found.iter().map(|row| row.id.to_bytes()[0]);
            assert_eq!(ids.collect::<Vec<_>>(), order, "{asked}");
        }
    }
}
