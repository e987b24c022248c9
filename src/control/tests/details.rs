//! One volume and one snapshot, their figures against what was written.

use super::house::{House, caller, noise, settings, tuning};
use crate::catalog::jobs::{NewJob, insert_job};
use crate::catalog::snapshots::{Held, Snapshot, insert_snapshot};
use crate::catalog::{self, Context};
use crate::control::{FixedClock, Settings, Tuning};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{CheckpointId, SnapshotId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::VolumeKind;
use crate::view::{About, Act, ActivityRow, Made, SnapshotLink, SnapshotView, Unsaved, VolumeView};
use std::sync::Arc;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const DAY_MS: i64 = 24 * 3600 * 1000;

impl House {
    fn volume_view(&self, id: VolumeId) -> VolumeView {
        self.control.volume(&self.owner, id).expect("the volume")
    }

    fn snapshot_view(&self, id: SnapshotId) -> SnapshotView {
        let view = self.control.snapshot_details(&self.owner, id);
        view.expect("the snapshot")
    }

    fn write_noise(&self, volume: VolumeId, seed: u64, at: u64, bytes: u64) {
        self.write(volume, at, &noise(seed, bytes as usize));
    }
}

#[test]
fn a_volume_tells_what_each_snapshot_held_and_what_is_in_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let volume = house.new_volume("v");
    house.write_noise(volume, 1, 0, MIB);

    let view = house.volume_view(volume);
    assert_eq!(view.row, house.volume("v"));
    assert_eq!((&view.made, view.slot), (&Made::Empty, None));
    assert_eq!((view.snapshots.len(), view.snapshots_total), (0, 0));
    let all = Unsaved {
        bytes: Bytes(MIB),
        since: None,
        on_origin: false,
    };
    assert_eq!(
        (view.unsaved, view.exclusive),
        (Some(all), Some(Bytes(MIB)))
    );

    // Half a MiB beyond, and a quarter over what was there.
    let first = house.new_snapshot(volume, "first");
    house.write_noise(volume, 2, 4 * MIB, 512 * KIB);
    house.write_noise(volume, 3, 0, 256 * KIB);
    let view = house.volume_view(volume);
    let taken = house.snapshot_view(first).row.taken;
    let since = Unsaved {
        bytes: Bytes(768 * KIB),
        since: Some(taken),
        on_origin: false,
    };
    assert_eq!(view.unsaved, Some(since));
    assert_eq!(view.row.written, Some(Bytes(MIB + 512 * KIB)));
    let plan = house.control.volume_deletion(&house.owner, volume);
    assert_eq!(view.exclusive, Some(plan.expect("a plan").frees));

    house.new_snapshot(volume, "second");
    let view = house.volume_view(volume);
    let held: Vec<_> = view
        .snapshots
        .iter()
        .map(|kept| (kept.row.name.as_str(), kept.row.data))
        .collect();
    let (one, half) = (Some(Bytes(MIB)), Some(Bytes(MIB + 512 * KIB)));
    assert_eq!(held, [("second", half), ("first", one)], "newest first");
    // Noise does not compress: what was sent is what had changed, and a little around it.
    let sent: Vec<u64> = view
        .snapshots
        .iter()
        .map(|kept| kept.stored.expect("saved").0 / (64 * KIB))
        .collect();
    assert_eq!(sent, [12, 16], "768 KiB and 1 MiB");
    assert_eq!(view.unsaved.map(|unsaved| unsaved.bytes), Some(Bytes(0)));

    let lease = house.pool_of(volume).lease(volume).expect("free");
    assert!(house.volume_view(volume).in_use);
    drop(lease);
    assert!(!house.volume_view(volume).in_use);
}

#[test]
fn a_volume_whose_pool_has_lost_it_says_so_and_tells_no_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let volume = house.new_volume("v");
    house.write_noise(volume, 1, 0, MIB);
    house.pool_of(volume).delete_volume(volume).expect("gone");
    let view = house.volume_view(volume);
    assert!(matches!(view.row.fault, Some(Fault::VolumeDamaged { .. })));
    assert_eq!((view.unsaved, view.exclusive), (None, None));
}

#[test]
fn a_volume_and_a_snapshot_name_what_they_come_from_and_what_came_of_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let tuning = Tuning {
        hypervisor: false,
        ..tuning()
    };
    let house = House::open_with(settings(folder.path()), tuning);
    let (control, owner) = (&house.control, &house.owner);
    let template = house.guest_template("systeme", false);
    let bootable = house.snapshots().remove(0).id;
    assert_eq!(house.snapshot_view(bootable).templates, ["systeme"]);

    let instance = house.new_instance("machine", template);
    let root = control.instance(owner, instance).expect("there").volumes;
    let view = house.volume_view(root[0].id);
    assert_eq!(view.made, Made::Template(Some("systeme".to_owned())));
    assert_eq!((view.slot, view.attachable.len()), (Some(0), 0));
    assert!(
        view.unsaved.expect("known").on_origin,
        "its template has it"
    );

    let source = house.new_volume("source");
    house.write_noise(source, 1, 0, MIB);
    let snapshot = house.new_snapshot(source, "copie");
    let begun = control.create_volume_from_snapshot(owner, snapshot, house.zones[0], "double");
    house.succeeded(begun.expect("begun").job);
    let double = house.volume("double").id;
    let link = SnapshotLink {
        id: snapshot,
        name: "copie".to_owned(),
    };
    let view = house.volume_view(double);
    assert_eq!(view.made, Made::Snapshot(Some(link)));
    let names: Vec<_> = view.attachable.iter().map(|link| &link.name).collect();
    assert_eq!(names, ["machine"], "it rests, in the same zone");

    let view = house.snapshot_view(snapshot);
    let made: Vec<_> = view.volumes.iter().map(|link| link.id).collect();
    assert_eq!(made, [double]);
    assert_eq!(view.volume.map(|volume| volume.id), Some(source));
    let zones: Vec<_> = view
        .zones
        .iter()
        .map(|(name, room)| (name.as_str(), *room))
        .collect();
    assert_eq!(zones, [("Lévis", true), ("Montréal", true)]);
    assert_eq!(view.next_check, None, "nobody wants it");

    // What goes is no longer named.
    for begun in [
        control.delete_volume(owner, source),
        control.delete_snapshot(owner, snapshot),
    ] {
        house.succeeded(begun.expect("begun").job);
    }
    assert_eq!(house.volume_view(double).made, Made::Snapshot(None));
    let gone = control.snapshot_details(owner, snapshot);
    let what = Noun::Snapshot;
    assert_eq!(gone.err(), Some(Fault::NotFound { what }));

    control
        .attach_volume(owner, instance, double)
        .expect("attached");
    let view = house.volume_view(double);
    assert_eq!((view.slot, view.attachable.len()), (Some(1), 0));
}

#[test]
fn an_object_tells_what_was_done_to_it_and_the_log_leads_to_what_is_still_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let tuning = Tuning {
        hypervisor: false,
        ..tuning()
    };
    let house = House::open_with(settings(folder.path()), tuning);
    let (control, owner) = (&house.control, &house.owner);
    let (volume, _) = (house.new_volume("v"), house.new_volume("other"));
    let snapshot = house.new_snapshot(volume, "copie");
    let acts = |rows: Vec<ActivityRow>| -> Vec<_> {
        let rows = rows.into_iter();
        rows.map(|row| (row.act, row.about)).collect()
    };
    let taken = (
        Act::Job(JobKind::TakeSnapshot),
        Some(About::Snapshot(snapshot)),
    );
    let created = (Act::Job(JobKind::CreateVolume), Some(About::Volume(volume)));
    assert_eq!(acts(house.volume_view(volume).activity), [taken, created]);
    assert_eq!(acts(house.snapshot_view(snapshot).activity), [taken]);

    let deleted = control.delete_snapshot(owner, snapshot);
    house.succeeded(deleted.expect("begun").job);
    let log = control.list_activity(owner, 1).expect("the log").rows;
    let ours: Vec<_> = log.iter().filter(|row| row.subject == "copie").collect();
    assert_eq!(ours.len(), 2);
    assert!(ours.iter().all(|row| row.about.is_none()), "it is gone");

    let template = house.guest_template("systeme", false);
    let instance = house.new_instance("machine", template);
    let point = control.create_point(owner, instance, "avant", "", false);
    house.succeeded(point.expect("begun").job);
    let view = control.instance(owner, instance).expect("there");
    let points: Vec<_> = view
        .points
        .iter()
        .map(|point| point.name.as_str())
        .collect();
    assert_eq!(points, ["avant"]);
    let about = Some(About::Instance(instance));
    let (point, made) = (JobKind::CreatePoint, JobKind::CreateInstance);
    // Its root volume may have been filled meanwhile, which is told too.
    let filled = Act::Job(JobKind::FillVolume);
    let mut told = acts(view.activity);
    told.retain(|(act, _)| *act != filled);
    assert_eq!(told, [(Act::Job(point), about), (Act::Job(made), about)]);

    // Acts that are no tasks lead there, too: to the volume, and from a point to its instance.
    let avant = view.points[0].id;
    control
        .rename_point(owner, avant, "après", "")
        .expect("renamed");
    control
        .attach_volume(owner, instance, volume)
        .expect("attached");
    control.detach_volume(owner, volume).expect("detached");
    let lead = || {
        let log = control.list_activity(owner, 1).expect("the log").rows;
        let mut acts = acts(log);
        acts.retain(|(act, _)| matches!(act, Act::Attach | Act::Detach | Act::RenamePoint));
        acts
    };
    let to = Some(About::Volume(volume));
    let expected = [
        (Act::Detach, to),
        (Act::Attach, to),
        (Act::RenamePoint, about),
    ];
    assert_eq!(lead(), expected);
    for begun in [
        control.delete_volume(owner, volume),
        control.delete_point(owner, avant),
    ] {
        house.succeeded(begun.expect("begun").job);
    }
    assert_eq!(
        lead(),
        expected.map(|(act, _)| (act, None)),
        "they are gone"
    );
}

#[test]
fn i16_a_snapshot_and_a_template_stay_while_there_is_work_on_them_or_from_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let tuning = Tuning {
        hypervisor: false,
        ..tuning()
    };
    let house = House::open_with(settings(folder.path()), tuning);
    let (control, owner) = (&house.control, &house.owner);
    let snapshot = house.new_snapshot(house.new_volume("v"), "copie");
    let template = house.guest_template("systeme", false);
    let delete = |which: &str| match which {
        "copie" => control.delete_snapshot(owner, snapshot),
        _ => control.delete_template(owner, template),
    };
    for (which, id, kind) in [
        ("copie", snapshot.to_string(), JobKind::VerifySnapshot),
        ("systeme", template.to_string(), JobKind::CreateTemplate),
    ] {
        for (subject, source) in [
            (id.clone(), None),
            (VolumeId::new().to_string(), Some(id.clone())),
        ] {
            let job = NewJob {
                source,
                ..house.work(kind, &subject, which)
            };
            let catalog = control.catalog();
            catalog
                .write(|tx| insert_job(tx, &job, i64::MAX))
                .expect("written");
            let in_use = Fault::InUse {
                name: which.to_owned(),
            };
            assert_eq!(delete(which), Err(in_use.clone()));
            let offered = match which {
                "copie" => control.snapshot_deletion(owner, snapshot),
                _ => control.template_deletion(owner, template),
            };
            assert_eq!(offered, Err(in_use), "nor is it offered");
            let gone: Result<usize, catalog::Error> = catalog.write(|tx| {
                tx.execute("DELETE FROM jobs WHERE id = ?1", [job.id.to_string()])
                    .context("forget a job")
            });
            assert_eq!(gone.expect("written"), 1);
        }
    }
}

#[test]
fn a_snapshot_tells_when_it_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::at(1_800_000_000_000));
    let settings = Settings {
        verify_days: Some(30),
        ..settings(folder.path())
    };
    let tuning = Tuning {
        clock: Arc::clone(&clock) as _,
        ..tuning()
    };
    let house = House::open_with(settings, tuning);
    let volume = house.new_volume("v");
    house.write_noise(volume, 1, 0, MIB);
    let snapshot = house.new_snapshot(volume, "copie");
    let next = || {
        house
            .snapshot_view(snapshot)
            .next_check
            .expect("a date")
            .unix_ms
    };
    assert_eq!(
        next(),
        1_800_000_000_000 + 30 * DAY_MS,
        "since it was taken"
    );
    clock.advance(5 * DAY_MS);
    let begun = house.control.verify_snapshot(&house.owner, snapshot);
    house.succeeded(begun.expect("begun").job);
    assert_eq!(
        next(),
        1_800_000_000_000 + 35 * DAY_MS,
        "since it was proven"
    );
}

#[test]
fn the_newest_snapshots_are_shown_and_all_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let volume = house.new_volume("v");
    for number in 0..52 {
        let snapshot = Snapshot {
            id: SnapshotId::new(),
            organization: house.organization(),
            zone: Some(house.zones[0]),
            place: None,
            volume,
            volume_name: "v".to_owned(),
            kind: VolumeKind::Data,
            size: Bytes(1 << 30),
            name: format!("copie {number}"),
            state: SnapshotState::Failed,
            fault: None,
            checkpoint: CheckpointId::new(),
            held: Held::NotYet,
            taken: number,
            verified: None,
            data: None,
            base: None,
        };
        let written = house
            .control
            .catalog()
            .write(|tx| insert_snapshot(tx, &snapshot));
        written.expect("written");
    }
    let view = house.volume_view(volume);
    assert_eq!((view.snapshots.len(), view.snapshots_total), (50, 52));
    assert_eq!(view.snapshots[0].row.name, "copie 51");
}

#[test]
fn i15_a_stranger_cannot_tell_our_details_from_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let volume = house.new_volume("ours");
    let snapshot = house.new_snapshot(volume, "ours");
    let stranger = caller(&house.control, "owner@them");
    let control = &house.control;
    assert_eq!(
        control.volume(&stranger, volume),
        control.volume(&stranger, VolumeId::new())
    );
    assert_eq!(
        control.snapshot_details(&stranger, snapshot),
        control.snapshot_details(&stranger, SnapshotId::new())
    );
}
