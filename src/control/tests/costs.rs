//! What each page of the console asks of the catalog, all that it shows together: a fixed number of statements, however much
//! there is.

use super::house::{House, settings, tuning};
use crate::catalog::{ASKED, Error};
use crate::control::{Caller, Control, Tuning};
use crate::domain::id::{InstanceId, PointId, SnapshotId, VolumeId};
use crate::domain::search::{Kind, Word};
use crate::view::Listing;
use rusqlite::Transaction;

/// Answers of SQLite that a page takes at most, those of its frame included.
const MOST: u64 = 40;

/// What there is one of, to look at.
struct One {
    volume: VolumeId,
    snapshot: SnapshotId,
    instance: InstanceId,
    point: PointId,
}

type Ask = fn(&Control, &Caller, &One);

/// Asks, and drops what it is told.
fn drop_ok<T, E: std::fmt::Debug>(answer: Result<T, E>) {
    answer.expect("an answer");
}

fn first() -> Listing {
    Listing::from(1)
}

/// Each page with the questions that it asks beside those of the frame.
#[rustfmt::skip]
const PAGES: &[(&str, Ask)] = &[
    ("/", |c, who, _| drop_ok(c.home(who))),
    ("/instances", |c, who, _| drop_ok(c.list_instances(who, first()))),
    ("/instances/:id", |c, who, one| drop_ok(c.instance(who, one.instance))),
    ("/instances/:id/points", |c, who, one| {
        drop_ok(c.instance(who, one.instance));
        drop_ok(c.list_points(who, one.instance));
    }),
    ("/instances/:id/points/:point", |c, who, one| {
        drop_ok(c.instance(who, one.instance));
        drop_ok(c.list_points(who, one.instance));
        drop_ok(c.point(who, one.instance, Some(one.point)));
    }),
    ("/volumes", |c, who, _| drop_ok(c.list_volumes(who, first()))),
    ("/volumes, narrowed and sorted", |c, who, _| {
        let listing = Listing { find: "a".to_owned(), sort: "-size".to_owned(), ..first() };
        drop_ok(c.list_volumes(who, listing));
    }),
    ("/volumes/:id", |c, who, one| drop_ok(c.volume(who, one.volume))),
    ("/snapshots", |c, who, _| drop_ok(c.list_snapshots(who, first()))),
    ("/snapshots/:id", |c, who, one| drop_ok(c.snapshot_details(who, one.snapshot))),
    ("/templates", |c, who, _| drop_ok(c.list_templates(who, first()))),
    ("/activity", |c, who, _| drop_ok(c.list_activity(who, first()))),
    ("/tasks", |c, who, _| drop_ok(c.tasks(who))),
    ("/search", |c, who, _| drop_ok(c.search(who, &[Word { text: "a".to_owned(), names: vec![Kind::Snapshot] }]))),
    ("/kit", |c, who, _| drop_ok(c.kit(who))),
    ("/profile", |c, who, _| drop_ok(c.profile(who))),
    ("/organization", |c, who, _| drop_ok(c.organization(who))),
    ("/zones", |c, who, _| drop_ok(c.zones(who))),
];

fn costs(house: &House, one: &One) -> Vec<(&'static str, u64)> {
    let (control, owner) = (&house.control, &house.owner);
    let cost = |(page, ask): &(&'static str, Ask)| {
        let before = ASKED.with(std::cell::Cell::get);
        drop_ok(control.session(owner));
        drop_ok(control.current_jobs(owner, ""));
        ask(control, owner, one);
        (*page, ASKED.with(std::cell::Cell::get) - before)
    };
    PAGES.iter().map(cost).collect()
}

/// Writes a hundred more rows like those that are there; of some columns something else.
fn multiply(tx: &Transaction<'_>, table: &str, others: &[(&str, &str)]) {
    let names: Vec<String> = tx
        .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
        .and_then(|mut names| names.query_map([], |row| row.get(0))?.collect())
        .expect("columns");
    let value = |name: &String| match others.iter().find(|(other, _)| other == name) {
        Some((_, value)) => (*value).to_owned(),
        None => format!("t.{name}"),
    };
    let values: Vec<String> = names.iter().map(value).collect();
    let sql = format!(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100)
         INSERT INTO {table} ({}) SELECT {} FROM (SELECT * FROM {table} LIMIT 1) t, n",
        names.join(", "),
        values.join(", ")
    );
    assert_eq!(tx.execute(&sql, []).expect("written"), 100, "{table}");
}

#[test]
fn a_page_asks_the_same_however_much_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let tuning = Tuning {
        hypervisor: false,
        ..tuning()
    };
    let house = House::open_with(settings(folder.path()), tuning);
    let control = &house.control;
    let template = house.guest_template("t", false);
    let instance = house.new_instance("i", template);
    let point = control.create_point(&house.owner, instance, "p", "", false);
    house.succeeded(point.expect("begun").job);
    let volume = house.new_volume("v");
    house.write(volume, 0, &[1; 4096]);
    let snapshot = house.new_snapshot(volume, "s");
    let points = control.list_points(&house.owner, instance).expect("a list");
    let one = One {
        volume,
        snapshot,
        instance,
        point: points.points[0].id,
    };
    // The workers ask the catalog as well, on threads of their own.
    control.stop();
    // What is looked up once a process is looked up now.
    costs(&house, &one);
    let few = costs(&house, &one);
    let id = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-7' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";
    let named = |more: &[(&'static str, &'static str)]| {
        let mut others = vec![
            ("id", id),
            ("name", "t.name || n"),
            ("name_key", "t.name_key || n"),
        ];
        others.extend(more);
        others
    };
    let written = control.catalog().write(|tx| {
        multiply(
            tx,
            "volumes",
            &named(&[("instance", "NULL"), ("slot", "NULL"), ("kind", "'data'")]),
        );
        multiply(
            tx,
            "snapshots",
            &named(&[("checkpoint", id), ("held", "'gone'"), ("zone", "NULL")]),
        );
        multiply(tx, "templates", &named(&[("content", id)]));
        multiply(tx, "instances", &named(&[("current", "NULL")]));
        multiply(tx, "points", &[("id", id)]);
        multiply(tx, "events", &[("id", "NULL")]);
        multiply(
            tx,
            "jobs",
            &[("id", id), ("subject", id), ("state", "'failed'")],
        );
        Ok::<_, Error>(())
    });
    written.expect("written");
    assert_eq!(costs(&house, &one), few);
    let dear: Vec<_> = few.iter().filter(|(_, cost)| *cost > MOST).collect();
    assert!(dear.is_empty(), "{dear:?} of {few:?}");
    eprintln!("{few:?}");
}
