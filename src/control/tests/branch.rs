//! Deleting a branch, and what is made from a point's disk.

use super::disks::{
    SIZE, assert_tidy, house, machine, new_point, plan, point, points, roll_back, scribble, whole,
};
use super::guest::boot_sector;
use super::house::caller;
use crate::catalog::jobs::{NewJob, insert_job, job_of};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::VolumeId;
use crate::domain::job::JobKind;
use crate::domain::recovery::{PointKind, PointState};
use crate::domain::size::Bytes;

#[test]
fn i04_a_branch_goes_as_a_whole_and_frees_what_was_said_and_nothing_else_changes() {
    let (_folder, house) = house();
    let (control, owner) = (&house.control, &house.owner);
    let (id, disks) = machine(&house, "node");
    let put = |seed| disks.iter().for_each(|disk| scribble(&house, *disk, seed));
    put(1);
    let first = new_point(&house, id, "first");
    let at_first = disks.map(|disk| whole(&house, disk));
    put(2);
    // What nothing writes over: both points of the side hold it.
    house.write(disks[0], 5 << 20, &[7; 8192]);
    let side = new_point(&house, id, "side");
    put(3);
    new_point(&house, id, "side, later");
    house.succeeded(roll_back(&house, first, false));
    put(4);
    let main = new_point(&house, id, "main");
    put(5);
    let latest = disks.map(|disk| whole(&house, disk));
    let pool = house.pool_of(disks[0]);
    pool.reclaim().expect("reclaimed");

    let told = control.branch_deletion(owner, side).expect("a plan");
    assert_eq!((told.points, told.here, told.loses_undo), (2, false, false));
    assert_eq!(told.onto, Some((PointKind::Made, "first".to_owned())));
    // Together they free more than each by itself: what both hold is free once both are gone.
    let each: u64 = [side, point(&house, id, "side, later").id]
        .iter()
        .map(|id| control.point_deletion(owner, *id).expect("a plan").frees.0)
        .sum();
    assert!(told.frees.0 > each, "{} is more than {each}", told.frees.0);
    let begun = control.delete_branch(owner, side, &told.seal);
    house.succeeded(begun.expect("begun").job);
    let freed = pool.reclaim().expect("reclaimed").bytes;
    assert_eq!(freed, told.frees.0, "it frees what was said");
    let view = points(&house, id);
    let names: Vec<_> = view.points.iter().map(|row| row.name.as_str()).collect();
    assert_eq!((names, view.current), (vec!["first", "main"], Some(main)));
    assert_eq!(disks.map(|disk| whole(&house, disk)), latest);

    // The branch one is in: the disks stay, the way leads from the point before.
    let told = control.branch_deletion(owner, main).expect("a plan");
    assert_eq!((told.points, told.here), (1, true));
    let begun = control.delete_branch(owner, main, &told.seal);
    house.succeeded(begun.expect("begun").job);
    assert_eq!(points(&house, id).current, Some(first));
    assert_eq!(disks.map(|disk| whole(&house, disk)), latest);
    assert_tidy(&house);
    house.succeeded(roll_back(&house, first, false));
    assert_eq!(disks.map(|disk| whole(&house, disk)), at_first);

    // All there is.
    let told = control.branch_deletion(owner, first).expect("a plan");
    assert_eq!((told.onto, told.here), (None, true));
    let begun = control.delete_branch(owner, first, &told.seal);
    house.succeeded(begun.expect("begun").job);
    assert_eq!(points(&house, id).current, None);
    assert_tidy(&house);
}

#[test]
fn i15_a_branch_that_is_not_what_was_shown_stays() {
    let (_folder, house) = house();
    let (control, owner) = (&house.control, &house.owner);
    let (id, disks) = machine(&house, "node");
    scribble(&house, disks[0], 1);
    let first = new_point(&house, id, "first");
    let told = control.branch_deletion(owner, first).expect("a plan");
    new_point(&house, id, "second");
    let seals = [told.seal.as_str(), "", "x"];
    for seal in seals {
        let begun = control.delete_branch(owner, first, seal);
        assert_eq!(begun, Err(Fault::PlanOutdated));
    }
    // Two rollbacks: the safety points are of the branch, and the way back goes with it.
    scribble(&house, disks[0], 2);
    house.succeeded(roll_back(&house, first, true));
    let told = control.branch_deletion(owner, first).expect("a plan");
    assert!(told.loses_undo && told.points == 3, "{told:?}");
    let stranger = caller(control, "owner@them");
    let none = Fault::NotFound { what: Noun::Point };
    assert_eq!(control.branch_deletion(&stranger, first), Err(none.clone()));
    assert_eq!(
        control.delete_branch(&stranger, first, &told.seal),
        Err(none)
    );
    // Something is under way on the instance.
    let busy = house.work(JobKind::StopInstance, &id, "node");
    let catalog = control.catalog();
    catalog
        .write(|tx| insert_job(tx, &busy, i64::MAX))
        .expect("written");
    let in_use = Fault::InUse {
        name: "node".to_owned(),
    };
    let now = control.branch_deletion(owner, first).expect("a plan");
    assert_eq!(now.refused, Some(in_use.clone()));
    let begun = control.delete_branch(owner, first, &now.seal);
    assert_eq!(begun, Err(in_use));
    let states = points(&house, id).points.into_iter().map(|row| row.state);
    assert!(states.into_iter().all(|state| state == PointState::Ready));
}

#[test]
fn a_volume_of_a_point_holds_what_the_disk_held_and_is_independent_of_it() {
    let (_folder, house) = house();
    let (control, owner) = (&house.control, &house.owner);
    let (id, disks) = machine(&house, "node");
    disks.iter().for_each(|disk| scribble(&house, *disk, 1));
    let then = disks.map(|disk| whole(&house, disk));
    let first = new_point(&house, id, "first");
    disks.iter().for_each(|disk| scribble(&house, *disk, 2));
    let latest = disks.map(|disk| whole(&house, disk));
    let make = |disk, name| control.create_volume_from_point(owner, first, disk, name);
    house.succeeded(make(disks[0], "root of then").expect("begun").job);
    house.succeeded(make(disks[1], "data of then").expect("begun").job);
    let made = [house.volume("root of then"), house.volume("data of then")];
    assert_eq!([whole(&house, made[0].id), whole(&house, made[1].id)], then);
    // It is a data volume of its own: what is written to it is nobody else's, and it stays without the point.
    scribble(&house, made[0].id, 9);
    assert_eq!(disks.map(|disk| whole(&house, disk)), latest);
    let changed = whole(&house, made[0].id);
    let begun = control.delete_point(owner, first);
    house.succeeded(begun.expect("begun").job);
    house.pool_of(disks[0]).reclaim().expect("reclaimed");
    assert_eq!(whole(&house, made[0].id), changed);
    assert_eq!(whole(&house, made[1].id), then[1]);
    assert_tidy(&house);
    // Of a point that is gone, of a disk it does not have, under a name that is taken.
    let gone = make(disks[0], "again");
    assert_eq!(gone, Err(Fault::NotFound { what: Noun::Point }));
    let second = new_point(&house, id, "second");
    let of = |disk, name| control.create_volume_from_point(owner, second, disk, name);
    let volume = Fault::NotFound { what: Noun::Volume };
    assert_eq!(of(VolumeId::new(), "again"), Err(volume.clone()));
    assert_eq!(of(made[0].id, "again"), Err(volume));
    let taken = Fault::NameTaken {
        name: "node-data".to_owned(),
    };
    assert_eq!(of(disks[1], "node-data"), Err(taken));
    assert_eq!(plan(&house, second).refused, None);
}

#[test]
fn i16_a_point_stays_while_a_volume_is_made_from_it() {
    let (_folder, house) = house();
    let (control, owner) = (&house.control, &house.owner);
    let (id, disks) = machine(&house, "node");
    let first = new_point(&house, id, "first");
    let reads = NewJob {
        source: Some(first.to_string()),
        ..house.work(JobKind::CreateVolume, &disks[0], "node-root")
    };
    let catalog = control.catalog();
    catalog
        .write(|tx| insert_job(tx, &reads, i64::MAX))
        .expect("written");
    let in_use = Fault::InUse {
        name: "first".to_owned(),
    };
    assert_eq!(control.delete_point(owner, first), Err(in_use.clone()));
    let told = control.branch_deletion(owner, first).expect("a plan");
    assert_eq!(told.refused, Some(in_use.clone()));
    let branch = control.delete_branch(owner, first, &told.seal);
    assert_eq!(branch, Err(in_use.clone()));
    assert_eq!(
        control.delete_instance(owner, id, false),
        Err(in_use.clone())
    );
    let offered = control.instance_deletion(owner, id);
    assert_eq!(offered.map(drop), Err(in_use), "nor is it offered");
}

#[test]
fn a_template_of_a_point_holds_what_the_root_disk_held_and_outlives_the_point() {
    let (_folder, house) = house();
    let (control, owner) = (&house.control, &house.owner);
    let (id, disks) = machine(&house, "node");
    disks.iter().for_each(|disk| scribble(&house, *disk, 1));
    let bare = new_point(&house, id, "bare");
    house.write(disks[0], 0, &boot_sector(false));
    let then = whole(&house, disks[0]);
    let first = new_point(&house, id, "first");
    disks.iter().for_each(|disk| scribble(&house, *disk, 2));
    let latest = disks.map(|disk| whole(&house, disk));

    // Nothing is left of what is refused.
    let make = |point, name| control.create_template_from_point(owner, point, name, " Compte ");
    let cannot = Fault::NotBootable {
        name: "bare".to_owned(),
    };
    assert_eq!(make(bare, "m"), Err(cannot));
    assert_eq!(make(first, " "), Err(Fault::NameEmpty));
    let text = "é".repeat(501);
    let long = control.create_template_from_point(owner, first, "m", &text);
    assert_eq!(long, Err(Fault::TextTooLong { max: 500 }));
    assert!(house.templates().is_empty());

    let begun = make(first, "modèle").expect("begun");
    let job = control
        .catalog()
        .read(|tx| job_of(tx, house.organization(), begun.job));
    let job = job.expect("an answer").expect("the job");
    assert_eq!(
        job.source,
        Some(first.to_string()),
        "the point stays until it is made"
    );
    house.succeeded(begun.job);
    let all = house.job(begun.job).total.expect("a total");
    let taken = Fault::NameTaken {
        name: "Modèle".to_owned(),
    };
    assert_eq!(make(first, "Modèle"), Err(taken));
    let row = house.template();
    assert_eq!((row.origin.as_str(), row.size), ("first", Bytes(SIZE)));
    assert_eq!(row.description, "Compte");
    // The point, and the instance's disks, are as they were; the template stays without them.
    assert_eq!(disks.map(|disk| whole(&house, disk)), latest);
    assert_eq!(plan(&house, first).refused, None);
    for point in [first, bare] {
        let begun = control.delete_point(owner, point);
        house.succeeded(begun.expect("begun").job);
    }
    assert!(house.disk_of("modèle") == then);
    assert_eq!(make(first, "m"), Err(Fault::NotFound { what: Noun::Point }));

    // What a saved snapshot of the same disk has is not read a second time.
    house.write(disks[0], 0, &boot_sector(false));
    house.new_snapshot(disks[0], "saved");
    house.write(disks[0], 3 << 20, &[7; 4096]);
    let then = whole(&house, disks[0]);
    let second = new_point(&house, id, "second");
    let begun = make(second, "little").expect("begun").job;
    house.succeeded(begun);
    let read = house.job(begun).total.expect("a total");
    assert!(read.0 < all.0 / 4, "{read:?} of {all:?}");
    assert!(house.disk_of("little") == then);
}
