//! One act on several objects.

use super::disks::{house, machine, new_point, points, scribble, whole};
use super::house::{House, caller};
use crate::catalog::Context;
use crate::catalog::jobs::{NewJob, insert_job};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{JobId, PointId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::size::Bytes;
use crate::view::{Act, Outcome, SeveralAct, SeveralPlan, Started};

fn ids<I: ToString>(all: &[I]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.join(",")
}

fn plan<I: ToString>(house: &House, act: SeveralAct, all: &[I]) -> SeveralPlan {
    let plan = house.control.plan_several(&house.owner, act, &ids(all));
    plan.expect("a plan")
}

fn begin<I: ToString>(house: &House, act: SeveralAct, all: &[I]) -> Result<Started, Fault> {
    house.control.several(&house.owner, act, &ids(all), false)
}

/// Waits until nothing is under way.
fn ended(house: &House) {
    let live = || {
        let jobs = house.control.current_jobs(&house.owner, "").expect("tasks");
        jobs.into_iter().find(|job| job.state.is_live())
    };
    while let Some(job) = live() {
        house.ended(job.id);
    }
}

#[test]
fn those_that_are_refused_do_not_keep_the_others_from_going() {
    let (_folder, house) = house();
    let (_, [_, disk]) = machine(&house, "node");
    let free: Vec<_> = ["a", "b"].map(|name| house.new_volume(name)).into();
    let (saved, gone) = (house.new_volume("saved"), VolumeId::new());
    house.new_snapshot(saved, "of saved");
    // A snapshot that cannot be used saves nothing.
    let spoilt = house.new_snapshot(free[1], "of b").to_string();
    let written = house.control.catalog().write(|tx| {
        tx.execute(
            "UPDATE snapshots SET state = 'failed' WHERE id = ?1",
            [spoilt],
        )
        .context("spoil a snapshot")
    });
    assert_eq!(written.expect("written"), 1);

    let all = [free[0], disk, gone, saved, free[1], free[0]];
    let told = plan(&house, SeveralAct::DeleteVolumes, &all);
    let shown: Vec<_> = told
        .objects
        .iter()
        .map(|object| (object.name.as_str(), object.refused.is_some(), object.lost))
        .collect();
    assert_eq!(
        shown,
        [
            ("a", false, true),
            ("node-data", true, true),
            ("saved", false, false),
            ("b", false, true)
        ],
        "in their order, each once, without the one that is not there"
    );
    let attached = Fault::Attached {
        name: "node-data".to_owned(),
        instance: "node".to_owned(),
    };
    assert_eq!(told.objects[1].refused, Some(attached.clone()));

    let answer = begin(&house, SeveralAct::DeleteVolumes, &all);
    assert_eq!(
        answer,
        Err(Fault::SeveralRefused {
            started: 3,
            refused: 1,
            name: "node-data".to_owned(),
            reason: Box::new(attached.clone()),
        })
    );
    ended(&house);
    let mut left: Vec<_> = house.volumes().into_iter().map(|row| row.name).collect();
    left.sort();
    assert_eq!(left, ["node-data", "node-root"]);

    // The only one tells its own reason, and what is not there is said not to be.
    assert_eq!(
        begin(&house, SeveralAct::DeleteVolumes, &[disk, gone]),
        Err(attached)
    );
    assert_eq!(
        begin(&house, SeveralAct::DeleteVolumes, &[gone]),
        Err(Fault::NotFound { what: Noun::Volume })
    );
    let control = &house.control;
    let many = ids(&(0..201).map(|_| VolumeId::new()).collect::<Vec<_>>());
    for wrong in ["", ",", "x", many.as_str()] {
        for answer in [
            control
                .plan_several(&house.owner, SeveralAct::DeleteVolumes, wrong)
                .map(drop),
            control
                .several(&house.owner, SeveralAct::DeleteVolumes, wrong, true)
                .map(drop),
        ] {
            assert_eq!(answer, Err(Fault::BadRequest), "{wrong}");
        }
    }
}

#[test]
fn i15_what_another_organization_has_is_as_if_it_were_not_there() {
    let (_folder, house) = house();
    let (instance, [_, disk]) = machine(&house, "node");
    scribble(&house, disk, 1);
    let point = new_point(&house, instance, "point");
    let volume = house.new_volume("ours");
    let snapshot = house.new_snapshot(volume, "copy");
    let stranger = caller(&house.control, "owner@them");
    let theirs = house
        .control
        .create_volume(&stranger, "theirs", house.zones[0], 1)
        .expect("begun");
    ended_for(&house, &stranger, theirs.job);
    let own = house
        .control
        .list_volumes(&stranger, 1)
        .expect("a list")
        .rows[0]
        .id;
    let mine = |act| match act {
        SeveralAct::TakeSnapshots | SeveralAct::DeleteVolumes => volume.to_string(),
        SeveralAct::VerifySnapshots | SeveralAct::DeleteSnapshots => snapshot.to_string(),
        SeveralAct::DeletePoints => point.to_string(),
        _ => instance.to_string(),
    };
    for act in [
        SeveralAct::TakeSnapshots,
        SeveralAct::DeleteVolumes,
        SeveralAct::VerifySnapshots,
        SeveralAct::DeleteSnapshots,
        SeveralAct::DeleteTemplates,
        SeveralAct::StartInstances,
        SeveralAct::StopInstances,
        SeveralAct::DeleteInstances,
        SeveralAct::DeletePoints,
    ] {
        let told = house.control.plan_several(&stranger, act, &mine(act));
        let told = told.expect("a plan");
        assert!(told.objects.is_empty(), "{act:?}: {told:?}");
        assert_eq!(told.frees.unwrap_or_default(), Bytes(0), "{act:?}");
        let answer = house.control.several(&stranger, act, &mine(act), true);
        assert!(
            matches!(answer, Err(Fault::NotFound { .. })),
            "{act:?}: {answer:?}"
        );
    }
    // Beside one of their own, ours is neither told nor counted.
    let both = ids(&[volume, own]);
    let told = house
        .control
        .plan_several(&stranger, SeveralAct::DeleteVolumes, &both)
        .expect("a plan");
    assert_eq!(told.objects.len(), 1);
    let begun = house
        .control
        .several(&stranger, SeveralAct::DeleteVolumes, &both, false)
        .expect("begun");
    assert_eq!((begun.subject.as_str(), begun.others), ("theirs", 0));
    assert!(house.volumes().iter().any(|row| row.name == "ours"));
}

fn ended_for(house: &House, who: &crate::control::Caller, id: JobId) {
    let live = || {
        let jobs = house.control.current_jobs(who, "").expect("tasks");
        jobs.iter().any(|job| job.id == id && job.state.is_live())
    };
    while live() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn what_two_snapshots_share_is_freed_once_both_are_gone() {
    let (_folder, house) = house();
    let volume = house.new_volume("data");
    house.write(volume, 0, &super::house::noise(1, 4 << 20));
    let first = house.new_snapshot(volume, "first");
    let second = house.new_snapshot(volume, "second");
    let alone = |id| {
        let told = house.control.snapshot_deletion(&house.owner, id);
        told.expect("a plan").frees.0
    };
    let apart = alone(first) + alone(second);
    assert!(apart < 1 << 20, "each shares what it holds: {apart}");
    let told = plan(&house, SeveralAct::DeleteSnapshots, &[first, second, first]);
    assert_eq!(told.objects.len(), 2);
    let together = told.frees.expect("bytes").0;
    assert!(together > 4 << 20, "{together}");
    assert_eq!(told.frees_all, told.frees);

    let begun = begin(&house, SeveralAct::DeleteSnapshots, &[first, second]).expect("begun");
    assert_eq!((begun.subject.as_str(), begun.others), ("first", 1));
    ended(&house);
    assert!(house.snapshots().is_empty());
}

#[test]
fn points_of_one_instance_go_together_and_free_what_was_said() {
    let (_folder, house) = house();
    let (id, [root, _]) = machine(&house, "node");
    let (other, [theirs, _]) = machine(&house, "other");
    let mut made = Vec::new();
    for seed in 1..=4 {
        scribble(&house, root, seed);
        if seed % 2 == 0 {
            // Overwritten once both of the points in between are there: nobody but they has it.
            house.write(root, 7 << 20, &super::house::noise(seed, 1 << 20));
        }
        made.push(new_point(&house, id, &format!("p{seed}")));
    }
    scribble(&house, theirs, 9);
    let elsewhere = new_point(&house, other, "elsewhere");
    let now = whole(&house, root);
    let all: [PointId; 3] = [made[1], made[2], elsewhere];
    let alone: u64 = all
        .iter()
        .map(|id| {
            let told = house.control.point_deletion(&house.owner, *id);
            told.expect("a plan").frees.0
        })
        .sum();
    let told = plan(&house, SeveralAct::DeletePoints, &all);
    let together = told.frees.expect("bytes").0;
    assert!(together > alone, "{together}, apart {alone}");

    let pool = house.pool_of(root);
    pool.reclaim().expect("reclaimed");
    let begun = begin(&house, SeveralAct::DeletePoints, &all).expect("begun");
    assert_eq!((begun.subject.as_str(), begun.others), ("p2", 2));
    ended(&house);
    let freed = pool.reclaim().expect("reclaimed").bytes;
    assert_eq!(freed, together, "it frees what was said");
    assert_eq!(whole(&house, root), now);
    let left: Vec<_> = points(&house, id)
        .points
        .into_iter()
        .map(|row| row.name)
        .collect();
    assert_eq!(left, ["p1", "p4"]);
    assert!(points(&house, other).points.is_empty());
    // The log names each.
    let log = house
        .control
        .list_activity(&house.owner, 1)
        .expect("the log");
    let mut named: Vec<_> = log
        .rows
        .into_iter()
        .filter(|row| row.act == Act::Job(JobKind::DeletePoint))
        .map(|row| (row.subject, row.outcome == Outcome::Done))
        .collect();
    named.sort();
    assert_eq!(
        named,
        ["elsewhere", "p2", "p3"].map(|name| (name.to_owned(), true))
    );
}

#[test]
fn instances_that_something_works_on_are_left_out() {
    let (_folder, house) = house();
    let (idle, [root, _]) = machine(&house, "idle");
    let (busy, _) = machine(&house, "busy");
    let (read, [disk, _]) = machine(&house, "read");
    scribble(&house, root, 3);
    new_point(&house, idle, "point");
    let first = new_point(&house, read, "first");
    house.control.stop();
    let busy_with = house.work(JobKind::CreatePoint, &busy, "point");
    // A volume is made from a point, which would go with its instance.
    let reads = NewJob {
        source: Some(first.to_string()),
        ..house.work(JobKind::CreateVolume, &disk, "volume")
    };
    for job in [&busy_with, &reads] {
        house
            .control
            .catalog()
            .write(|tx| insert_job(tx, job, house.control.now_ms()))
            .expect("written");
    }
    let told = plan(&house, SeveralAct::DeleteInstances, &[busy, read, idle]);
    let in_use = |name: &str| {
        Some(Fault::InUse {
            name: name.to_owned(),
        })
    };
    assert_eq!(told.objects[0].refused, in_use("busy"));
    assert_eq!(told.objects[1].refused, in_use("first"));
    assert_eq!(told.objects[2].refused, None);
    let one = house.control.instance_deletion(&house.owner, idle);
    let one = one.expect("a plan");
    assert_eq!(told.frees, Some(one.frees_keeping), "its own alone");
    assert_eq!(told.frees_all, Some(one.frees_all));
    assert!(one.frees_all > one.frees_keeping);
    let told = plan(&house, SeveralAct::StopInstances, &[idle]);
    assert_eq!(
        told.objects[0].refused,
        Some(Fault::MustBeRunning {
            name: "idle".to_owned()
        })
    );
    let told = plan(&house, SeveralAct::TakeSnapshots, &[root]);
    let saves = house.control.snapshot_plan(&house.owner, root);
    assert_eq!(told.saves, Some(saves.expect("a plan").to_save));
}
