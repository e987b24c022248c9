//! Every use case, as everybody.

use super::super::people::{Choices, NewMember};
use super::super::{Caller, Control, ImportRequest, TemplateImport, Tuning};
use super::house::{House, caller, settings, tuning};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{
    InstanceId, InvitationId, JobId, PointId, SnapshotId, TemplateId, UserId, VolumeId, ZoneId,
};
use crate::domain::locale::Locale;
use crate::domain::role::{Door, Role};
use crate::domain::search::{Kind, Word};
use crate::domain::volume::VolumeKind;
use crate::view::{Listing, SeveralAct};
use std::collections::BTreeSet;

/// What the use cases are called with: all of it belongs to one organization.
struct Ours {
    volume: VolumeId,
    snapshot: SnapshotId,
    /// A snapshot of a root volume.
    bootable: SnapshotId,
    template: TemplateId,
    instance: InstanceId,
    point: PointId,
    /// A point that descends from it.
    branch: PointId,
    /// The disk of both.
    root: VolumeId,
    /// A data volume for the instance.
    disk: VolumeId,
    job: JobId,
    /// Somebody who is a member and does nothing.
    member: UserId,
    invitation: InvitationId,
    zone: ZoneId,
    file: std::path::PathBuf,
}

/// What a stranger, who is an Owner elsewhere, gets.
#[derive(Clone, Copy, PartialEq)]
enum Stranger {
    /// There is no such thing.
    Nothing(Noun),
    /// An answer about their own organization.
    Own,
}

type Call = fn(&Control, &Caller, &Ours) -> Result<String, Fault>;

struct Row {
    name: &'static str,
    changes: bool,
    stranger: Stranger,
    call: Call,
}

fn told<T: std::fmt::Debug>(answer: Result<T, Fault>) -> Result<String, Fault> {
    answer.map(|answer| format!("{answer:?}"))
}

const VOLUME: Stranger = Stranger::Nothing(Noun::Volume);
const SNAPSHOT: Stranger = Stranger::Nothing(Noun::Snapshot);
const JOB: Stranger = Stranger::Nothing(Noun::Job);
const INSTANCE: Stranger = Stranger::Nothing(Noun::Instance);
const POINT: Stranger = Stranger::Nothing(Noun::Point);
const MEMBER: Stranger = Stranger::Nothing(Noun::Member);
const TEMPLATE: Stranger = Stranger::Nothing(Noun::Template);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row { name: "session", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.session(who)) },
    Row { name: "kit", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.kit(who)) },
    Row { name: "zones", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.zones(who)) },
    Row { name: "export_kit", changes: true, stranger: Stranger::Own, call: |c, who, _| told(c.export_kit(who, "a passphrase of the test", "a passphrase of the test")) },
    Row { name: "home", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.home(who)) },
    Row { name: "search", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.search(who, &[Word { text: "a".to_owned(), names: Kind::ALL.to_vec() }])) },
    Row { name: "tasks", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.tasks(who)) },
    Row { name: "profile", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.profile(who)) },
    Row { name: "save_profile", changes: false, stranger: Stranger::Own, call: |c, who, _| {
        let name = who.actor.as_ref().map_or("x", |actor| actor.name.as_str());
        told(c.save_profile(who, name, &Choices::default()))
    } },
    Row { name: "keep_locale", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.keep_locale(who, Locale::En)) },
    Row { name: "keep_theme", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.keep_theme(who, None)) },
    Row { name: "change_password", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.change_password(who, "correct horse", "correct horses", "correct horses")).or_else(|fault| match fault {
        // The second time it is another one already.
        Fault::WrongPassword => Ok(String::new()),
        fault => Err(fault),
    }) },
    Row { name: "end_other_sessions", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.end_other_sessions(who)) },
    Row { name: "organization", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.organization(who)) },
    Row { name: "invite", changes: true, stranger: Stranger::Own, call: |c, who, _| told(c.invite(who, &format!("{}@new", who.actor.as_ref().map_or("nobody", |actor| actor.name.split('@').nth(1).unwrap_or("x"))), Role::Owner)) },
    Row { name: "withdraw_invitation", changes: true, stranger: Stranger::Nothing(Noun::Invitation), call: |c, who, o| told(c.withdraw_invitation(who, o.invitation)) },
    Row { name: "change_role", changes: true, stranger: MEMBER, call: |c, who, o| told(c.change_role(who, o.member, Role::Editor)) },
    Row { name: "remove_member", changes: true, stranger: MEMBER, call: |c, who, o| told(c.remove_member(who, o.member)) },
    Row { name: "list_volumes", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.list_volumes(who, 1)) },
    Row { name: "list_snapshots", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.list_snapshots(who, 1)) },
    Row { name: "list_activity", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.list_activity(who, 1)) },
    Row { name: "activity_file", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.activity_file(who, Listing::default())) },
    Row { name: "current_jobs", changes: false, stranger: Stranger::Own, call: |c, who, ours| told(c.current_jobs(who, &ours.job.to_string())) },
    Row { name: "subscribe", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.subscribe(who, None).map(|_| ())) },
    Row { name: "volume", changes: false, stranger: VOLUME, call: |c, who, o| told(c.volume(who, o.volume)) },
    Row { name: "volume_deletion", changes: false, stranger: VOLUME, call: |c, who, o| told(c.volume_deletion(who, o.volume)) },
    Row { name: "snapshot_plan", changes: false, stranger: VOLUME, call: |c, who, o| told(c.snapshot_plan(who, o.volume)) },
    Row { name: "snapshot", changes: false, stranger: SNAPSHOT, call: |c, who, o| told(c.snapshot(who, o.snapshot)) },
    Row { name: "snapshot_details", changes: false, stranger: SNAPSHOT, call: |c, who, o| told(c.snapshot_details(who, o.snapshot)) },
    Row { name: "snapshot_deletion", changes: false, stranger: SNAPSHOT, call: |c, who, o| told(c.snapshot_deletion(who, o.snapshot)) },
    Row { name: "create_volume", changes: true, stranger: Stranger::Own, call: |c, who, o| told(c.create_volume(who, "new", o.zone, 1)) },
    Row { name: "upload_check", changes: true, stranger: Stranger::Own, call: |c, who, o| told(c.upload_check(who, "image", o.zone, VolumeKind::Data, Some(1))) },
    Row { name: "import_volume", changes: true, stranger: Stranger::Own, call: |c, who, o| {
        std::fs::write(&o.file, vec![0; 1 << 20]).expect("uploaded");
        let request = ImportRequest { name: "image".to_owned(), zone: o.zone, kind: VolumeKind::Data, file: o.file.clone(), file_name: "a.raw".to_owned() };
        told(c.import_volume(who, request))
    } },
    Row { name: "take_snapshot", changes: true, stranger: VOLUME, call: |c, who, o| told(c.take_snapshot(who, o.volume, "")) },
    Row { name: "create_volume_from_snapshot", changes: true, stranger: SNAPSHOT, call: |c, who, o| told(c.create_volume_from_snapshot(who, o.snapshot, o.zone, "copy")) },
    Row { name: "verify_snapshot", changes: true, stranger: SNAPSHOT, call: |c, who, o| told(c.verify_snapshot(who, o.snapshot)) },
    Row { name: "interrupt_job", changes: true, stranger: JOB, call: |c, who, o| told(c.interrupt_job(who, o.job)) },
    Row { name: "retry_job", changes: true, stranger: JOB, call: |c, who, o| told(c.retry_job(who, o.job)) },
    Row { name: "delete_snapshot", changes: true, stranger: SNAPSHOT, call: |c, who, o| told(c.delete_snapshot(who, o.snapshot)) },
    Row { name: "list_instances", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.list_instances(who, 1)) },
    Row { name: "instance", changes: false, stranger: INSTANCE, call: |c, who, o| told(c.instance(who, o.instance)) },
    Row { name: "serial_log", changes: false, stranger: INSTANCE, call: |c, who, o| told(c.serial_log(who, o.instance, None)) },
    Row { name: "instance_deletion", changes: false, stranger: INSTANCE, call: |c, who, o| told(c.instance_deletion(who, o.instance)) },
    Row { name: "create_instance", changes: true, stranger: TEMPLATE, call: |c, who, o| told(c.create_instance(who, "new", o.template, o.zone, 0, false)) },
    Row { name: "attach_volume", changes: true, stranger: INSTANCE, call: |c, who, o| told(c.attach_volume(who, o.instance, o.disk)) },
    Row { name: "detach_volume", changes: true, stranger: VOLUME, call: |c, who, o| told(c.detach_volume(who, o.disk)) },
    Row { name: "start_instance", changes: true, stranger: INSTANCE, call: |c, who, o| told(c.start_instance(who, o.instance)) },
    Row { name: "stop_instance", changes: true, stranger: INSTANCE, call: |c, who, o| told(c.stop_instance(who, o.instance, true)) },
    Row { name: "reboot_instance", changes: true, stranger: INSTANCE, call: |c, who, o| told(c.reboot_instance(who, o.instance)) },
    Row { name: "list_points", changes: false, stranger: INSTANCE, call: |c, who, o| told(c.list_points(who, o.instance)) },
    Row { name: "point", changes: false, stranger: INSTANCE, call: |c, who, o| told(c.point(who, o.instance, Some(o.point))) },
    Row { name: "point_plan", changes: false, stranger: INSTANCE, call: |c, who, o| told(c.point_plan(who, o.instance)) },
    Row { name: "point_deletion", changes: false, stranger: POINT, call: |c, who, o| told(c.point_deletion(who, o.point)) },
    Row { name: "rollback_plan", changes: false, stranger: POINT, call: |c, who, o| told(c.rollback_plan(who, o.point)) },
    Row { name: "create_point", changes: true, stranger: INSTANCE, call: |c, who, o| told(c.create_point(who, o.instance, "new", "", false)) },
    Row { name: "rename_point", changes: true, stranger: POINT, call: |c, who, o| told(c.rename_point(who, o.point, "secret-point-2", "")) },
    Row { name: "roll_back", changes: true, stranger: POINT, call: |c, who, o| {
        let seal = c.rollback_plan(who, o.point).map(|plan| plan.seal).unwrap_or_default();
        told(c.roll_back(who, o.point, &seal, false, false))
    } },
    Row { name: "branch_deletion", changes: false, stranger: POINT, call: |c, who, o| told(c.branch_deletion(who, o.point)) },
    Row { name: "compare_points", changes: false, stranger: INSTANCE, call: |c, who, o| told(c.compare_points(who, o.instance, Some(o.point), None)) },
    Row { name: "create_template_from_point", changes: true, stranger: POINT, call: |c, who, o| told(c.create_template_from_point(who, o.point, "tpl of a point", "")) },
    Row { name: "create_volume_from_point", changes: true, stranger: POINT, call: |c, who, o| told(c.create_volume_from_point(who, o.point, o.root, "of a point")) },
    Row { name: "delete_branch", changes: true, stranger: POINT, call: |c, who, o| {
        let seal = c.branch_deletion(who, o.branch).map(|plan| plan.seal).unwrap_or_default();
        told(c.delete_branch(who, o.branch, &seal))
    } },
    Row { name: "delete_point", changes: true, stranger: POINT, call: |c, who, o| told(c.delete_point(who, o.point)) },
    Row { name: "delete_instance", changes: true, stranger: INSTANCE, call: |c, who, o| told(c.delete_instance(who, o.instance, true)) },
    Row { name: "list_templates", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.list_templates(who, 1)) },
    Row { name: "ready_templates", changes: false, stranger: Stranger::Own, call: |c, who, _| told(c.ready_templates(who)) },
    Row { name: "template_deletion", changes: false, stranger: TEMPLATE, call: |c, who, o| told(c.template_deletion(who, o.template)) },
    Row { name: "create_template", changes: true, stranger: SNAPSHOT, call: |c, who, o| told(c.create_template(who, o.bootable, "new", "")) },
    Row { name: "template_upload_check", changes: true, stranger: Stranger::Own, call: |c, who, _| told(c.template_upload_check(who, "image", "", Some(1))) },
    Row { name: "import_template", changes: true, stranger: Stranger::Own, call: |c, who, o| {
        std::fs::write(&o.file, vec![0; 1 << 20]).expect("uploaded");
        let request = TemplateImport { name: "image".to_owned(), description: String::new(), file: o.file.clone(), file_name: "a.raw".to_owned() };
        told(c.import_template(who, request))
    } },
    Row { name: "delete_template", changes: true, stranger: TEMPLATE, call: |c, who, o| told(c.delete_template(who, o.template)) },
    Row { name: "plan_several", changes: false, stranger: Stranger::Own, call: |c, who, o| told(c.plan_several(who, SeveralAct::DeleteVolumes, &o.volume.to_string())) },
    Row { name: "several", changes: true, stranger: VOLUME, call: |c, who, o| told(c.several(who, SeveralAct::TakeSnapshots, &format!("{},{}", o.volume, o.disk), false)) },
    Row { name: "delete_volume", changes: true, stranger: VOLUME, call: |c, who, o| told(c.delete_volume(who, o.volume)) },
];

/// The use cases for Owners alone.
const OWNERS: &[&str] = &[
    "kit",
    "export_kit",
    "invite",
    "withdraw_invitation",
    "change_role",
    "remove_member",
];

/// The use cases for operators alone: the Owner who started it, and not the one who came later.
const OPERATORS: &[&str] = &["zones"];

/// The use cases that server functions call, read from their sources, and those that `server` calls itself.
fn use_cases() -> BTreeSet<&'static str> {
    let sources = [
        include_str!("../../api/instances.rs"),
        include_str!("../../api/jobs.rs"),
        include_str!("../../api/search.rs"),
        include_str!("../../api/session.rs"),
        include_str!("../../api/several.rs"),
        include_str!("../../api/snapshots.rs"),
        include_str!("../../api/templates.rs"),
        include_str!("../../api/volumes.rs"),
        include_str!("../../api/zones.rs"),
    ];
    let calls = sources
        .iter()
        .flat_map(|source| source.split("control.").skip(1));
    let names = calls
        .filter_map(|call| call.split_once('('))
        .map(|(name, _)| name);
    names
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .chain([
            "upload_check",
            "import_volume",
            "template_upload_check",
            "import_template",
            "subscribe",
            "activity_file",
            "export_kit",
            "save_profile",
            "keep_locale",
            "keep_theme",
            "change_password",
            "end_other_sessions",
            "invite",
            "withdraw_invitation",
            "change_role",
            "remove_member",
        ])
        .collect()
}

#[test]
fn i15_every_use_case_as_each_role_as_a_stranger_and_signed_out() {
    let rows: BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(use_cases(), rows, "each use case has a row");

    for editor in ["editor@us", "owner@us"] {
        let folder = tempfile::tempdir().expect("a folder");
        // Without a hypervisor: who may is what is asked here.
        let tuning = Tuning {
            hypervisor: false,
            ..tuning()
        };
        let house = House::open_with(settings(folder.path()), tuning);
        let control = &house.control;
        let template = house.guest_template("secret-template", false);
        let bootable = house.snapshots()[0].id;
        let instance = house.new_instance("secret-instance", template);
        let point = control.create_point(&house.owner, instance, "secret-point", "", false);
        house.succeeded(point.expect("begun").job);
        let point = control.create_point(&house.owner, instance, "secret-branch", "", false);
        house.succeeded(point.expect("begun").job);
        let root = house.instance("secret-instance").volumes[0].id;
        let points = control
            .list_points(&house.owner, instance)
            .expect("a list")
            .points;
        let disk = house.new_volume("secret-disk");
        let volume = house.new_volume("secret-volume");
        house.write(volume, 0, &[1; 4096]);
        let snapshot = house.new_snapshot(volume, "secret-snapshot");
        let job = house
            .control
            .list_activity(&house.owner, 1)
            .expect("the log")
            .rows[0]
            .job
            .as_ref()
            .expect("a task")
            .id;
        let file = folder.path().join("uploads").join("x.part");
        let somebody = NewMember {
            email: "somebody@us",
            name: "secret-member",
            role: Role::Viewer,
            password: "correct horse",
            one_time: false,
        };
        let somebody = control
            .create_member(house.organization(), somebody)
            .expect("a member");
        control
            .invite(&house.owner, "secret@invited", Role::Viewer)
            .expect("invited");
        let everybody = control.organization(&house.owner).expect("a list");
        let ours = Ours {
            volume,
            snapshot,
            bootable,
            template,
            instance,
            point: points[0].id,
            branch: points[1].id,
            root,
            disk,
            job,
            member: somebody,
            invitation: everybody.invitations[0].id,
            zone: house.zones[0],
            file,
        };
        let nobody = Caller::stranger(Door::Console);
        let (viewer, stranger, member) = (
            caller(control, "viewer@us"),
            caller(control, "owner@them"),
            caller(control, editor),
        );
        for row in TABLE {
            let call = |who: &Caller| (row.call)(control, who, &ours);
            // Whoever may not comes first: had the act been done, it would show in what follows.
            assert_eq!(
                call(&nobody),
                Err(Fault::SignInNeeded),
                "{} signed out",
                row.name
            );
            let restricted = OWNERS.contains(&row.name) || OPERATORS.contains(&row.name);
            if row.changes || restricted {
                assert_eq!(
                    call(&viewer),
                    Err(Fault::NotAllowed),
                    "{} as a viewer",
                    row.name
                );
            } else {
                call(&viewer).unwrap_or_else(|fault| panic!("{} as a viewer: {fault:?}", row.name));
            }
            match (row.stranger, call(&stranger)) {
                (Stranger::Nothing(what), answer) => {
                    assert_eq!(
                        answer,
                        Err(Fault::NotFound { what }),
                        "{} as a stranger",
                        row.name
                    );
                }
                (Stranger::Own, Ok(answer)) => {
                    assert!(!OPERATORS.contains(&row.name), "{} as a stranger", row.name);
                    assert!(
                        !answer.contains("secret"),
                        "{} shows ours to a stranger: {answer}",
                        row.name
                    );
                }
                (Stranger::Own, Err(Fault::NotAllowed)) if OPERATORS.contains(&row.name) => {}
                (Stranger::Own, Err(Fault::ImporterMissing)) => {}
                (Stranger::Own, Err(fault)) => {
                    panic!("{} as a stranger, about their own: {fault:?}", row.name)
                }
            }
            match call(&member) {
                Err(Fault::NotAllowed) if restricted && editor == "editor@us" => {}
                Ok(_) if restricted && editor == "editor@us" => {
                    panic!("{} as {editor}: it is not for Editors", row.name)
                }
                Ok(_) | Err(Fault::ImporterMissing) => {}
                // There is none, and nothing runs.
                Err(Fault::HypervisorMissing) if row.name == "start_instance" => {}
                Err(Fault::MustBeRunning { .. })
                    if matches!(row.name, "stop_instance" | "reboot_instance") => {}
                // The task has ended well: there is nothing to interrupt or to try again.
                Err(Fault::NotInterruptible) if row.name == "interrupt_job" => {}
                Err(Fault::NotRetryable) if row.name == "retry_job" => {}
                Err(fault) => panic!("{} as {editor}: {fault:?}", row.name),
            }
            // What was begun ends before the next row, so that nothing is refused for being busy.
            for who in [&house.owner, &stranger] {
                for job in control.current_jobs(who, "").expect("tasks") {
                    if job.state.is_live() {
                        let mut left = 12_000;
                        while control
                            .catalog()
                            .job(job.id)
                            .expect("an answer")
                            .is_some_and(|job| job.state.is_live())
                        {
                            assert!(left > 0, "never ended: {job:?}");
                            left -= 1;
                            std::thread::sleep(std::time::Duration::from_millis(5));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn i15_a_stranger_cannot_tell_another_organizations_object_from_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let volume = house.new_volume("ours");
    let stranger = caller(&house.control, "owner@them");
    let control = &house.control;
    assert_eq!(
        control.volume_deletion(&stranger, volume),
        control.volume_deletion(&stranger, VolumeId::new())
    );
    assert_eq!(
        control.take_snapshot(&stranger, volume, "é".repeat(500).as_str()),
        control.take_snapshot(&stranger, VolumeId::new(), "é".repeat(500).as_str())
    );
    // A name is theirs to use although we have it.
    control
        .create_volume(&stranger, "ours", house.zones[0], 1)
        .expect("a name of another organization is free");
}
