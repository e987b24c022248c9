//! What a page of a list costs, and what it shows.

use super::house::House;
use crate::catalog::jobs::insert_job;
use crate::catalog::snapshots::{Held, Snapshot, insert_snapshot};
use crate::catalog::volumes::{Volume, insert_volume};
use crate::catalog::{ASKED, Context};
use crate::domain::id::{CheckpointId, SnapshotId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::name::in_order;
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::view::{Act, FILE_ROWS, Listing, PAGE_ROWS};

/// What `list` asks of SQLite.
pub(super) fn asked<T>(list: impl FnOnce() -> T) -> u64 {
    let before = ASKED.with(std::cell::Cell::get);
    list();
    ASKED.with(std::cell::Cell::get) - before
}

/// A volume and a snapshot of it that failed: nothing of them is in a pool or in the store.
pub fn failed(house: &House, number: u32, at: i64) -> (Volume, Snapshot) {
    let volume = Volume {
        id: VolumeId::new(),
        organization: house.organization(),
        zone: house.zones[0],
        name: format!("volume {number}"),
        kind: VolumeKind::Data,
        size: Bytes(1 << 30),
        state: VolumeState::Failed,
        fault: None,
        created: at,
        instance: None,
        slot: None,
    };
    let snapshot = Snapshot {
        id: SnapshotId::new(),
        organization: volume.organization,
        zone: Some(volume.zone),
        place: None,
        volume: volume.id,
        volume_name: volume.name.clone(),
        kind: volume.kind,
        size: volume.size,
        name: format!("copie {number}"),
        state: SnapshotState::Failed,
        fault: None,
        checkpoint: CheckpointId::new(),
        held: Held::NotYet,
        taken: at,
        verified: None,
        data: None,
        base: None,
    };
    (volume, snapshot)
}

fn fill(house: &House, from: u32, to: u32) {
    let now = house.control.now_ms();
    for number in from..to {
        let (volume, snapshot) = failed(house, number, now + i64::from(number));
        let job = house.work(JobKind::DeleteVolume, &volume.id, &volume.name);
        let written = house.control.catalog().write(|tx| {
            insert_volume(tx, &volume)?;
            insert_snapshot(tx, &snapshot)?;
            insert_job(tx, &job, now)
        });
        written
            .map_err(|error: crate::catalog::Error| error)
            .expect("written");
    }
}

#[test]
fn a_page_asks_the_catalog_the_same_whatever_the_number_of_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    // The workers would take the jobs up; the lists do not need them.
    control.stop();
    let costs = || {
        [
            asked(|| control.list_volumes(owner, 1).expect("a page")),
            asked(|| control.list_snapshots(owner, 1).expect("a page")),
            asked(|| control.list_activity(owner, 1).expect("a page")),
            asked(|| control.current_jobs(owner, "").expect("a list")),
            asked(|| control.session(owner).expect("a session")),
        ]
    };
    fill(&house, 0, 1);
    costs();
    let few = costs();
    fill(&house, 1, 120);
    assert_eq!(costs(), few, "volumes, snapshots, activity, tasks, session");
    assert!(few.iter().all(|asked| *asked <= 6), "{few:?}");

    let page = control.list_volumes(owner, 2).expect("a page");
    assert_eq!(
        (page.rows.len(), page.total, page.page, page.pages),
        (PAGE_ROWS as usize, 120, 2, 3)
    );
    assert_eq!(page.rows[0].name, "volume 69", "newest first");
    assert_eq!(
        control
            .list_snapshots(owner, 99)
            .expect("a page")
            .rows
            .last()
            .map(|row| row.name.clone())
            .as_deref(),
        Some("copie 0")
    );
    assert_eq!(control.current_jobs(owner, "").expect("a list").len(), 100);
}

/// Names that sort and are searched as people do it, in an order that is none.
fn name(number: u32) -> String {
    let stems = [
        "node", "Érable", "erable", "MySQL", "mysql-", "日本", "œuvre",
    ];
    let stem = stems[number as usize % stems.len()];
    format!("{stem}{}", number.wrapping_mul(7919) % 20_011)
}

pub(super) fn many(house: &House, count: u32) -> Vec<Volume> {
    let now = house.control.now_ms();
    let states = [VolumeState::Ready, VolumeState::Failed];
    let volumes: Vec<Volume> = (0..count)
        .map(|number| Volume {
            id: VolumeId::new(),
            organization: house.organization(),
            zone: house.zones[number as usize % house.zones.len()],
            name: name(number),
            // In none of the pools: a page must not fail for that.
            kind: VolumeKind::Data,
            size: Bytes((u64::from(number % 97) + 1) << 30),
            state: states[number as usize % 2],
            fault: None,
            created: now + i64::from(number % 10),
            instance: None,
            slot: None,
        })
        .collect();
    let written = house.control.catalog().write(|tx| {
        volumes
            .iter()
            .try_for_each(|volume| insert_volume(tx, volume))
    });
    written
        .map_err(|error: crate::catalog::Error| error)
        .expect("written");
    volumes
}

#[test]
fn lists_are_sorted_and_narrowed_as_an_oracle_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    control.stop();
    let volumes = many(&house, 10_000);
    let mut newest = volumes.clone();
    newest.sort_by_key(|volume| std::cmp::Reverse((volume.created, volume.id)));
    let listing = |sort: &str, find: &str, state: &str, page: u32| Listing {
        page,
        sort: sort.to_owned(),
        find: find.to_owned(),
        state: state.to_owned(),
        ..Listing::default()
    };
    for (asked_for, keep, compare) in oracle() {
        let mut expected: Vec<&Volume> = newest.iter().filter(|volume| keep(volume)).collect();
        // Stable: among equals the newest first.
        expected.sort_by(|one, other| compare(one, other));
        let (sort, find, state) = asked_for;
        for page in [1, 2, 150, 9999] {
            let found = control
                .list_volumes(owner, listing(sort, find, state, page))
                .expect("a page");
            let pages = (expected.len() as u32).div_ceil(PAGE_ROWS).max(1);
            assert_eq!(
                (found.total as usize, found.pages, found.page),
                (expected.len(), pages, page.min(pages)),
                "{asked_for:?}"
            );
            let from = ((found.page - 1) * PAGE_ROWS) as usize;
            let names = expected.iter().skip(from).take(PAGE_ROWS as usize);
            let found: Vec<_> = found.rows.iter().map(|row| row.id).collect();
            let expected: Vec<_> = names.map(|volume| volume.id).collect();
            assert_eq!(found, expected, "{asked_for:?}, page {page}");
        }
    }
    // What a list does not know is as if it were not asked for, and text of a user's stays text.
    let all = control.list_volumes(owner, 1).expect("a page");
    for odd in ["unknown", "-unknown", "v.size; DROP TABLE volumes", "-"] {
        let found = control.list_volumes(owner, listing(odd, "", "", 1));
        assert_eq!(found.expect("a page").rows, all.rows, "{odd}");
    }
    for odd in ["'", "%", "\"", "\\", "' OR 1=1 --"] {
        let found = control.list_volumes(owner, listing("", odd, "", 1));
        assert_eq!(found.expect("a page").total, 0, "{odd}");
    }
}

type Asked = (&'static str, &'static str, &'static str);
type Keep = fn(&Volume) -> bool;
type Compare = fn(&Volume, &Volume) -> std::cmp::Ordering;

fn oracle() -> [(Asked, Keep, Compare); 7] {
    use std::cmp::Ordering::Equal;
    [
        (("", "", ""), |_| true, |_, _| Equal),
        (
            ("name", "", ""),
            |_| true,
            |one, other| in_order(&one.name, &other.name),
        ),
        (
            ("-name", "", ""),
            |_| true,
            |one, other| in_order(&other.name, &one.name),
        ),
        (
            ("size", "", ""),
            |_| true,
            |one, other| one.size.cmp(&other.size),
        ),
        (
            ("-size", "", "ready"),
            |volume| volume.state == VolumeState::Ready,
            |one, other| other.size.cmp(&one.size),
        ),
        (
            ("", "ERABLE 1", ""),
            |volume| {
                let name = volume.name.to_lowercase().replace('é', "e");
                name.contains("erable") && name.contains('1')
            },
            |_, _| Equal,
        ),
        (
            ("", "oeuvre", "failed"),
            |volume| volume.name.starts_with('œ') && volume.state == VolumeState::Failed,
            |_, _| Equal,
        ),
    ]
}

#[test]
fn every_list_costs_the_same_however_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    control.stop();
    fill(&house, 0, 60);
    for sort in [
        "",
        "name",
        "-state",
        "when",
        "-created",
        "volumes",
        "snapshots",
    ] {
        for find in ["", "vol 1"] {
            let listing = || Listing {
                sort: sort.to_owned(),
                find: find.to_owned(),
                state: "failed".to_owned(),
                of: VolumeId::new().to_string(),
                from: "2026-01-01".to_owned(),
                ..Listing::default()
            };
            let costs = [
                asked(|| control.list_volumes(owner, listing()).expect("a page")),
                asked(|| control.list_snapshots(owner, listing()).expect("a page")),
                asked(|| control.list_instances(owner, listing()).expect("a page")),
                asked(|| control.list_templates(owner, listing()).expect("a page")),
                asked(|| control.list_activity(owner, listing()).expect("a page")),
            ];
            assert!(
                costs.iter().all(|cost| *cost <= 6),
                "{sort} {find}: {costs:?}"
            );
        }
    }
}

#[test]
fn failed_tasks_are_told_for_a_day_and_others_for_an_hour() {
    const MINUTE: i64 = 60_000;
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    control.stop();
    let now = control.now_ms();
    let jobs = [
        ("goes on", None),
        ("failed", Some(("failed", 23 * 60))),
        ("just failed", Some(("failed", 2))),
        ("failed long ago", Some(("failed", 25 * 60))),
        ("done", Some(("succeeded", 59))),
        ("interrupted", Some(("interrupted", 1))),
        ("done before", Some(("succeeded", 61))),
    ];
    for (name, ended) in jobs {
        let job = house.work(JobKind::DeleteVolume, &VolumeId::new(), name);
        let written = house.control.catalog().write(|tx| {
            insert_job(tx, &job, now)?;
            if let Some((state, ago)) = ended {
                let sql = "UPDATE jobs SET state = ?2, ended = ?3 WHERE id = ?1";
                tx.execute(sql, (job.id, state, now - ago * MINUTE))
                    .expect("ended");
            }
            Ok::<_, crate::catalog::Error>(())
        });
        written.expect("written");
    }
    let tasks = control.tasks(owner).expect("tasks");
    let names = |jobs: &[crate::view::JobView]| {
        let names = jobs.iter().map(|job| job.subject.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&tasks.live), ["goes on"]);
    assert_eq!(names(&tasks.failed), ["just failed", "failed"]);
    assert_eq!(names(&tasks.ended), ["interrupted", "done"]);
}

#[test]
fn a_task_names_what_it_works_on_as_long_as_that_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    control.stop();
    for (kind, state, named) in [
        (JobKind::CreateVolume, "running", true),
        (JobKind::CreateVolume, "succeeded", true),
        (JobKind::CreateVolume, "failed", true),
        // Undone: there is nothing.
        (JobKind::CreateVolume, "interrupted", false),
        (JobKind::FillVolume, "interrupted", true),
        (JobKind::DeleteVolume, "running", false),
        (JobKind::DeleteVolume, "succeeded", false),
    ] {
        let object = VolumeId::new().to_string();
        let job = house.work(kind, &object, "v");
        let now = control.now_ms();
        let written = control.catalog().write(|tx| {
            insert_job(tx, &job, now)?;
            let sql = "UPDATE jobs SET state = ?2, ended = ?3 WHERE id = ?1";
            let ended = (state != "running").then_some(now);
            tx.execute(sql, (job.id, state, ended)).expect("ended");
            Ok::<_, crate::catalog::Error>(())
        });
        written.expect("written");
        let tasks = control.tasks(owner).expect("tasks");
        let mut all = tasks.live.iter().chain(&tasks.failed).chain(&tasks.ended);
        let found = all.find(|found| found.id == job.id).expect("the task");
        let found = found.object.clone();
        assert_eq!(found == object, named, "{kind:?} {state}: {found:?}");
        assert!(named || found.is_empty());
    }
    // The same of what has just been asked for.
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let made = control.create_volume(owner, "v", house.zones[0], 1);
    let made = made.expect("begun");
    assert_eq!(made.object, house.volume("v").id.to_string());
    house.succeeded(made.job);
    let deleted = control.delete_volume(owner, house.volume("v").id);
    assert_eq!(deleted.expect("begun").object, "");
}

#[test]
fn a_file_of_the_log_has_so_many_entries_and_tells_how_many_there_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let act = serde_json::to_string(&Act::SignIn).expect("JSON");
    let written = house.control.catalog().write(|tx| {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?4)
            INSERT INTO events (organization, at, door, act, subject)
            SELECT ?1, ?2 + i, 'console', ?3, 'entry ' || i FROM n";
        let values = (
            house.organization(),
            1_800_000_000_000_i64,
            &act,
            FILE_ROWS + 3,
        );
        tx.execute(sql, values).context("fill the log")
    });
    assert_eq!(written.expect("written"), FILE_ROWS as usize + 3);
    let file = |find: &str| {
        let listing = Listing {
            find: find.to_owned(),
            ..Listing::default()
        };
        let file = house.control.activity_file(&house.owner, listing);
        file.expect("a file")
    };
    let all = file("entry");
    assert_eq!(
        (all.rows.len(), all.total),
        (FILE_ROWS as usize, FILE_ROWS + 3)
    );
    // The newest are in it; narrowed, it has the others as well.
    assert_eq!(all.rows[0].subject, format!("entry {}", FILE_ROWS + 3));
    assert_eq!(all.rows[FILE_ROWS as usize - 1].subject, "entry 4");
    let narrowed = file("entry 3");
    assert_eq!(narrowed.rows.len(), narrowed.total as usize);
    assert_eq!(
        narrowed.rows.last().map(|row| row.subject.as_str()),
        Some("entry 3")
    );
}
