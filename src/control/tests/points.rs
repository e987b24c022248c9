//! Recovery points on real pools, with instances that stand.

use super::disks::{
    assert_tidy, detail, house, machine, new_point, plan, point, points, roll_back, scribble, whole,
};
use super::house::{House, caller, settings, tuning};
use crate::catalog::instances::set_lineage;
use crate::catalog::jobs::{NewJob, end_job, insert_job};
use crate::catalog::points::move_point;
use crate::control::FixedClock;
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::PointId;
use crate::domain::job::{JobKind, JobState};
use crate::domain::recovery::{Consistency, PointState, UNDO_MS};
use crate::domain::size::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn new_points_branch_where_the_instance_was_brought_back_to() {
    let (_folder, house) = house();
    let (id, disks) = machine(&house, "node");
    scribble(&house, disks[0], 1);
    let first = new_point(&house, id, "first");
    scribble(&house, disks[0], 2);
    let second = new_point(&house, id, "second");
    house.succeeded(roll_back(&house, first, false));
    scribble(&house, disks[0], 3);
    let branch = new_point(&house, id, "branch");
    let view = points(&house, id);
    assert_eq!(view.current, Some(branch));
    let place = |id| view.points.iter().find(|row| row.id == id).expect("there");
    assert_eq!(
        (place(first).depth, place(first).children, place(first).lane),
        (0, 2, 0)
    );
    assert_eq!((place(second).depth, place(second).lane), (1, 1));
    assert_eq!((place(branch).depth, place(branch).lane), (1, 0));
    assert!(place(branch).on_path && !place(second).on_path);
    // Its parent goes: both are roots then.
    let begun = house.control.delete_point(&house.owner, first);
    house.succeeded(begun.expect("begun").job);
    let view = points(&house, id);
    assert_eq!(view.points.len(), 2);
    assert!(view.points.iter().all(|row| row.depth == 0));
    // The current one goes, and has no parent.
    let told = house
        .control
        .point_deletion(&house.owner, branch)
        .expect("a plan");
    assert!(told.current && !told.loses_undo && told.children == 0);
    let begun = house.control.delete_point(&house.owner, branch);
    house.succeeded(begun.expect("begun").job);
    assert_eq!(points(&house, id).current, None);
    assert_tidy(&house);
}

#[test]
fn i04_a_point_in_the_middle_goes_and_frees_what_was_said_and_changes_no_other_byte() {
    let (_folder, house) = house();
    let (id, disks) = machine(&house, "node");
    let mut told = Vec::new();
    for seed in 1..=4 {
        disks.iter().for_each(|disk| scribble(&house, *disk, seed));
        told.push((
            new_point(&house, id, &format!("point {seed}")),
            disks.map(|disk| whole(&house, disk)),
        ));
    }
    scribble(&house, disks[0], 9);
    let latest = disks.map(|disk| whole(&house, disk));
    let pool = house.pool_of(disks[0]);
    pool.reclaim().expect("reclaimed");
    for middle in [1, 1] {
        let (gone, _) = told.remove(middle);
        let parent = told[middle - 1].0;
        let says = house
            .control
            .point_deletion(&house.owner, gone)
            .expect("a plan");
        assert!(says.frees > Bytes(0));
        assert_eq!(says.children, 1);
        let begun = house.control.delete_point(&house.owner, gone);
        house.succeeded(begun.expect("begun").job);
        assert_eq!(
            pool.reclaim().expect("reclaimed").bytes,
            says.frees.0,
            "it frees what was said"
        );
        let child = told[middle].0;
        let catalog = house.control.catalog();
        let child = catalog.point(child).expect("an answer").expect("there");
        assert_eq!(child.parent, Some(parent));
    }
    assert_eq!(disks.map(|disk| whole(&house, disk)), latest);
    for (point, bytes) in &told {
        house.succeeded(roll_back(&house, *point, false));
        assert_eq!(&disks.map(|disk| whole(&house, disk)), bytes);
    }
    assert_tidy(&house);
}

#[test]
fn i15_what_the_list_tells_of_a_point_its_page_tells_too_and_no_other_instances() {
    let (_folder, house) = house();
    let control = &house.control;
    let (id, disks) = machine(&house, "node");
    let (other, _) = machine(&house, "other");
    let none = Err(Fault::NotFound { what: Noun::Point });
    assert_eq!(control.point(&house.owner, id, None), none);
    for (seed, name) in (1..).zip(["first", "second", "third"]) {
        disks.iter().for_each(|disk| scribble(&house, *disk, seed));
        new_point(&house, id, name);
    }
    scribble(&house, disks[0], 9);
    let view = points(&house, id);
    for row in &view.points {
        let point = detail(&house, id, row.id);
        let plan = control.point_deletion(&house.owner, row.id);
        assert_eq!(row.frees, plan.expect("a plan").frees.into());
        assert_eq!(
            (&point.name, point.taken, point.frees, point.current),
            (
                &row.name,
                row.taken,
                row.frees,
                view.current == Some(row.id)
            )
        );
        assert_eq!(control.point(&house.owner, other, Some(row.id)), none);
    }
    let newest = control.point(&house.owner, id, None).expect("a point");
    assert_eq!((newest.name.as_str(), newest.current), ("third", true));
    // With no current point, the newest is shown.
    let begun = control.delete_point(&house.owner, newest.id);
    house.succeeded(begun.expect("begun").job);
    let first = point(&house, id, "first").id;
    control
        .catalog()
        .write(|tx| set_lineage(tx, id, None, None))
        .expect("written");
    let shown = control.point(&house.owner, id, None).expect("a point");
    assert_ne!(shown.id, first);
    assert_eq!((shown.name.as_str(), shown.current), ("second", false));
}

#[test]
fn safety_points_go_by_themselves_after_seven_days() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::at(1_796_126_400_000));
    let mut still = tuning();
    still.clock = clock.clone();
    let house = House::open_with(settings(folder.path()), still);
    let control = &house.control;
    let (id, disks) = machine(&house, "node");
    scribble(&house, disks[0], 1);
    let first = new_point(&house, id, "first");
    scribble(&house, disks[0], 2);
    house.succeeded(roll_back(&house, first, true));
    let (undo, _) = points(&house, id).undo.expect("it can be undone");
    clock.advance(UNDO_MS - 1);
    assert_eq!(control.core.remove_old_points().expect("looked"), 0);
    clock.advance(1);
    // What is made from it, or is done on its instance, comes first.
    let catalog = control.catalog();
    for (subject, source) in [
        ("a volume".to_owned(), Some(undo.to_string())),
        (id.to_string(), None),
    ] {
        let work = NewJob {
            source,
            ..house.work(JobKind::CreateVolume, &subject, "a volume")
        };
        catalog
            .write(|tx| insert_job(tx, &work, i64::MAX))
            .expect("written");
        assert_eq!(control.core.remove_old_points().expect("looked"), 0);
        assert!(points(&house, id).undo.is_some(), "it is still there");
        let claimed = catalog.claim_job(&[JobKind::CreateVolume], i64::MAX);
        assert!(claimed.expect("claimed").is_some());
        let ended = catalog.write(|tx| end_job(tx, work.id, JobState::Failed, 0));
        assert!(
            ended
                .map_err(|error: crate::catalog::Error| error)
                .expect("ended")
        );
    }
    // Whoever looks after the guests may have been there first.
    assert!(control.core.remove_old_points().expect("looked") <= 1);
    // It is under way or done: asked again, nothing more is begun.
    assert_eq!(control.core.remove_old_points().expect("looked"), 0);
    let told = control.rollback_plan(&house.owner, undo);
    if let Ok(told) = told {
        assert_eq!(told.refused, Some(Fault::NotUndoable));
    }
    control.runner.wake();
    let end = Instant::now() + Duration::from_secs(120);
    while points(&house, id).points.len() > 1 {
        assert!(Instant::now() < end, "it never went");
        std::thread::sleep(Duration::from_millis(5));
    }
    let view = points(&house, id);
    assert_eq!((view.current, view.undo), (Some(first), None));
    assert_tidy(&house);
}

#[test]
fn i15_i16_one_act_at_a_time_on_an_instance_and_none_on_anothers() {
    let (_folder, house) = house();
    let control = &house.control;
    let (id, disks) = machine(&house, "node");
    let (other, theirs) = machine(&house, "other");
    scribble(&house, theirs[0], 7);
    let kept = whole(&house, theirs[0]);
    let first = new_point(&house, id, "first");
    let elsewhere = new_point(&house, other, "first");
    scribble(&house, disks[0], 2);
    scribble(&house, theirs[0], 8);
    let now = whole(&house, theirs[0]);
    house.succeeded(roll_back(&house, first, true));
    assert_eq!(whole(&house, theirs[0]), now, "the other one is as it was");
    assert_eq!(points(&house, other).points.len(), 1);
    house.succeeded(roll_back(&house, elsewhere, false));
    assert_eq!(whole(&house, theirs[0]), kept);

    // Work that is under way, as far as anybody can see.
    let job = NewJob {
        args: format!(r#"{{"point":"{}"}}"#, PointId::new()),
        ..house.work(JobKind::CreatePoint, &id, "node")
    };
    let later = i64::MAX / 2;
    let catalog = control.catalog();
    catalog
        .write(|tx| insert_job(tx, &job, later))
        .expect("written");
    let busy = |answer: Result<_, Fault>| {
        let answer: Result<crate::view::Started, Fault> = answer;
        assert!(matches!(answer, Err(Fault::InUse { .. })), "{answer:?}");
    };
    let told = plan(&house, first);
    assert!(matches!(told.refused, Some(Fault::InUse { .. })));
    busy(control.create_point(&house.owner, id, "", "", false));
    busy(control.delete_point(&house.owner, first));
    let offered = control.point_deletion(&house.owner, first);
    assert!(matches!(offered, Err(Fault::InUse { .. })), "{offered:?}");
    busy(control.roll_back(&house.owner, first, &told.seal, true, false));

    let stranger = caller(control, "owner@them");
    let no_point = Fault::NotFound { what: Noun::Point };
    let no_instance = Fault::NotFound {
        what: Noun::Instance,
    };
    assert_eq!(control.list_points(&stranger, id), Err(no_instance.clone()));
    assert_eq!(control.point_plan(&stranger, id), Err(no_instance.clone()));
    assert_eq!(
        control.create_point(&stranger, id, "", "", false),
        Err(no_instance)
    );
    assert_eq!(
        control.rollback_plan(&stranger, first),
        Err(no_point.clone())
    );
    assert_eq!(
        control.point_deletion(&stranger, first),
        Err(no_point.clone())
    );
    assert_eq!(
        control.delete_point(&stranger, first),
        Err(no_point.clone())
    );
    assert_eq!(
        control.rename_point(&stranger, first, "", ""),
        Err(no_point.clone())
    );
    assert_eq!(
        control.roll_back(&stranger, first, &told.seal, true, false),
        Err(no_point)
    );
    let viewer = caller(control, "viewer@us");
    assert_eq!(
        control.create_point(&viewer, id, "", "", false),
        Err(Fault::NotAllowed)
    );
    assert_eq!(
        control.roll_back(&viewer, first, &told.seal, true, false),
        Err(Fault::NotAllowed)
    );
    assert!(control.list_points(&viewer, id).is_ok());
}

#[test]
fn names_and_descriptions_of_points() {
    let (_folder, house) = house();
    let control = &house.control;
    let (id, _) = machine(&house, "node");
    let told = control.point_plan(&house.owner, id).expect("a plan");
    assert!(told.proposed.starts_with("node "), "{}", told.proposed);
    assert_eq!((told.disks, told.consistency), (2, Consistency::Stopped));
    let begun = control.create_point(&house.owner, id, " ", " two\r\nlines \n", false);
    house.succeeded(begun.expect("begun").job);
    let row = control.point(&house.owner, id, None).expect("the only one");
    assert!(row.name.starts_with("node "));
    assert_eq!(row.description, "two\nlines");
    // The same name twice is no mistake.
    let (first, second) = (
        new_point(&house, id, "same"),
        control.create_point(&house.owner, id, "same", "", false),
    );
    house.succeeded(second.expect("begun").job);
    control
        .rename_point(&house.owner, first, "another", "why")
        .expect("renamed");
    let row = point(&house, id, "another");
    assert_eq!((row.id, row.description.as_str()), (first, "why"));
    let long = "é".repeat(501);
    assert_eq!(
        control.rename_point(&house.owner, first, "another", &long),
        Err(Fault::TextTooLong { max: 500 })
    );
    assert!(
        control
            .rename_point(&house.owner, first, "another", &long[..1000])
            .is_ok()
    );
    assert_eq!(
        control.create_point(&house.owner, id, "name", "\u{202e}gnp.exe", false),
        Err(Fault::NameUnreadable)
    );
    assert_eq!(
        control.rename_point(&house.owner, first, "", ""),
        Err(Fault::NameEmpty)
    );
}

#[test]
fn a_list_of_points_asks_the_catalog_no_more_the_more_there_are() {
    let (_folder, house) = house();
    let (id, _) = machine(&house, "node");
    let asked = || {
        let before = crate::catalog::ASKED.with(std::cell::Cell::get);
        points(&house, id);
        crate::catalog::ASKED.with(std::cell::Cell::get) - before
    };
    new_point(&house, id, "1");
    let one = asked();
    for number in 2..8 {
        new_point(&house, id, &number.to_string());
    }
    assert_eq!(asked(), one);
}

#[test]
fn i16_points_whose_work_was_lost_are_removed_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (id, disks) = machine(&house, "node");
    let first = new_point(&house, id, "first");
    let second = new_point(&house, id, "second");
    let third = new_point(&house, id, "third");
    let catalog = house.control.catalog();
    for (point, state) in [
        (first, PointState::Creating),
        (second, PointState::Deleting),
    ] {
        catalog
            .write(|tx| move_point(tx, point, PointState::Ready, state))
            .expect("written");
    }
    let before = whole(&house, disks[0]);
    drop(house);
    let house = House::open(folder.path());
    let end = Instant::now() + Duration::from_secs(120);
    while points(&house, id).points.len() > 1 {
        assert!(Instant::now() < end, "they never went");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(points(&house, id).points[0].id, third);
    assert_eq!(points(&house, id).points[0].depth, 0);
    assert_eq!(whole(&house, disks[0]), before);
    assert!(house.control.quarantine().expect("an answer").is_empty());
    assert_tidy(&house);
}
