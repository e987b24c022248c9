//! Instances with a real QEMU.

use super::super::Tuning;
use super::guest::{Orphans, can_run, eventually};
use super::house::{House, caller, settings, tuning};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{TemplateId, VolumeId};
use crate::domain::instance::{InstanceState, MAX_DISKS};
use crate::domain::volume::VolumeState;
use rustix::process::{Pid, Signal, kill_process};

fn name(text: &str) -> String {
    text.to_owned()
}

#[test]
fn an_instance_is_made_runs_dies_and_is_started_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !can_run(&house) {
        return;
    }
    let template = house.guest_template("linux", false);
    let begun = house
        .control
        .create_instance(&house.owner, "node", template, house.zones[0], 0, true)
        .expect("begun");
    house.succeeded(begun.job);
    eventually("it runs", || {
        house.instance("node").row.state == InstanceState::Running
    });
    let view = house.instance("node");
    let id = view.row.id;
    assert_eq!(view.volumes.len(), 1);
    assert_eq!(view.volumes[0].name, "node-root");
    assert_eq!(
        view.volumes[0].instance.as_ref().map(|link| link.id),
        Some(id)
    );
    assert_eq!(view.template, "linux");
    assert!(view.started.is_some() && view.accelerator.is_some());
    assert!(!view.hardware.machine.is_empty() && !view.hardware.cpu.is_empty());
    eventually("it has booted", || {
        let text = house.serial(id);
        text.contains("up\n") && text.ends_with("ttt")
    });
    assert!(!house.serial(id).contains('E'), "its disk takes its writes");
    // Its root volume is in use, and attached.
    let root = view.volumes[0].id;
    let in_use = Fault::InUse {
        name: name("node-root"),
    };
    assert_eq!(
        house.control.delete_volume(&house.owner, root),
        Err(in_use.clone())
    );
    // Nor is it offered.
    assert_eq!(
        house.control.volume_deletion(&house.owner, root),
        Err(in_use)
    );

    let pid = Pid::from_raw(house.pid(id)).expect("a process");
    kill_process(pid, Signal::KILL).expect("killed");
    let died = Fault::InstanceDied { name: name("node") };
    eventually("its end is seen", || {
        house.state(id) == (InstanceState::Failed, Some(died.clone()))
    });
    assert!(house.control.core.machine(id).is_none());

    house.start(id);
    assert_eq!(house.state(id), (InstanceState::Running, None));
    eventually("it has booted again", || {
        house.serial(id).matches("up\n").count() == 2
    });
    let again = house.instance("node");
    assert_eq!(
        again.hardware, view.hardware,
        "it is the machine that it was"
    );

    // The power button, and what was running is not to be started.
    assert_eq!(
        house.control.start_instance(&house.owner, id),
        Err(Fault::MustBeStopped { name: name("node") })
    );
    let begun = house
        .control
        .reboot_instance(&house.owner, id)
        .expect("begun");
    house.succeeded(begun.job);
    assert_eq!(house.state(id), (InstanceState::Running, None));
    eventually("it has booted once more", || {
        house.serial(id).matches("up\n").count() == 3
    });
    eventually("it listens to the button", || {
        house.serial(id).ends_with("ttt")
    });
    let begun = house
        .control
        .stop_instance(&house.owner, id, false)
        .expect("begun");
    house.succeeded(begun.job);
    assert_eq!(house.state(id), (InstanceState::Stopped, None));
    assert_eq!(
        house.control.stop_instance(&house.owner, id, true),
        Err(Fault::MustBeRunning { name: name("node") })
    );
}

#[test]
fn a_guest_that_takes_no_notice_of_the_button_runs_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let tuning = Tuning {
        stop_seconds: 2,
        ..tuning()
    };
    let house = House::open_with(settings(folder.path()), tuning);
    if !can_run(&house) {
        return;
    }
    let id = house.new_instance("deaf", house.guest_template("deaf", true));
    house.start(id);
    house.goes_on(id);
    let begun = house
        .control
        .stop_instance(&house.owner, id, false)
        .expect("begun");
    let ignored = Fault::StopIgnored {
        name: name("deaf"),
        seconds: 2,
    };
    assert_eq!(house.failed(begun.job), ignored);
    assert_eq!(house.state(id), (InstanceState::Running, Some(ignored)));
    house.goes_on(id);
    // A restart leaves it running, too.
    let begun = house
        .control
        .reboot_instance(&house.owner, id)
        .expect("begun");
    house.failed(begun.job);
    assert_eq!(house.state(id).0, InstanceState::Running);
    let begun = house
        .control
        .stop_instance(&house.owner, id, true)
        .expect("begun");
    house.succeeded(begun.job);
    assert_eq!(house.state(id), (InstanceState::Stopped, None));
    assert!(house.control.core.machine(id).is_none());
}

#[test]
fn instances_outlive_the_server_and_are_found_again_or_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let _orphans = Orphans::of(folder.path());
    let (kept, lost, pid) = {
        let mut house = House::open(folder.path());
        if !can_run(&house) {
            return;
        }
        let template = house.guest_template("linux", false);
        let (kept, lost) = (
            house.new_instance("kept", template),
            house.new_instance("lost", template),
        );
        for id in [kept, lost] {
            house.start(id);
            house.goes_on(id);
        }
        house.leaves_guests = true;
        let away = Pid::from_raw(house.pid(lost)).expect("a process");
        let pid = house.pid(kept);
        drop(house);
        kill_process(away, Signal::KILL).expect("killed");
        (kept, lost, pid)
    };
    let house = House::open(folder.path());
    assert_eq!(house.state(kept), (InstanceState::Running, None));
    assert_eq!(house.pid(kept), pid, "it is the same process");
    house.goes_on(kept);
    assert_eq!(house.serial(kept).matches("up\n").count(), 1);
    assert!(
        !house.serial(kept).contains('E'),
        "no write failed meanwhile"
    );
    eventually("who is gone is missed", || {
        house.state(lost).0 == InstanceState::Failed
    });
    assert_eq!(
        house.state(lost).1,
        Some(Fault::InstanceDied { name: name("lost") })
    );
    // What was found is watched: it stops by the button.
    let begun = house
        .control
        .stop_instance(&house.owner, kept, false)
        .expect("begun");
    house.succeeded(begun.job);
    assert_eq!(house.state(kept), (InstanceState::Stopped, None));
}

#[test]
fn i13_a_guest_that_was_left_standing_goes_on_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let _orphans = Orphans::of(folder.path());
    let id = {
        let mut house = House::open(folder.path());
        if !can_run(&house) {
            return;
        }
        let id = house.new_instance("node", house.guest_template("linux", false));
        house.start(id);
        house.goes_on(id);
        house
            .control
            .core
            .machine(id)
            .expect("a machine")
            .pause()
            .expect("paused");
        house.leaves_guests = true;
        id
    };
    let house = House::open(folder.path());
    house.goes_on(id);
}

#[test]
fn all_guests_end_with_a_server_that_is_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let _orphans = Orphans::of(folder.path());
    let ids = {
        let house = House::open(folder.path());
        if !can_run(&house) {
            return;
        }
        let ids = [
            house.new_instance("hears", house.guest_template("linux", false)),
            house.new_instance("deaf", house.guest_template("deaf", true)),
        ];
        for id in ids {
            house.start(id);
            house.goes_on(id);
        }
        house.control.stop_guests();
        assert!(house.control.core.guests.those_running().is_empty());
        ids
    };
    let house = House::open(folder.path());
    for id in ids {
        assert_eq!(house.state(id), (InstanceState::Stopped, None));
    }
}

#[test]
fn deleting_keeps_the_volumes_or_takes_them_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let template = house.guest_template("linux", false);
    let (control, owner) = (&house.control, &house.owner);

    let id = house.new_instance("kept", template);
    let data = house.new_volume("data");
    control.attach_volume(owner, id, data).expect("attached");
    let plan = control.instance_deletion(owner, id).expect("a plan");
    assert_eq!(plan.volumes, ["kept-root", "data"]);
    assert!(plan.frees_all > plan.frees_keeping && plan.points == 0);
    let begun = control.delete_instance(owner, id, false).expect("begun");
    house.succeeded(begun.job);
    assert_eq!(
        control.instance(owner, id),
        Err(Fault::NotFound {
            what: Noun::Instance
        })
    );
    assert!(!control.core.folders.instance(id).exists());
    for name in ["kept-root", "data"] {
        let volume = house.volume(name);
        assert_eq!(
            (volume.state, volume.instance),
            (VolumeState::Ready, None),
            "{name}"
        );
    }

    let id = house.new_instance("gone", template);
    control.attach_volume(owner, id, data).expect("attached");
    let root = house.volume("gone-root").id;
    let begun = control.delete_instance(owner, id, true).expect("begun");
    house.succeeded(begun.job);
    for gone in [data, root] {
        assert!(house.volumes().iter().all(|row| row.id != gone));
        let pool = control
            .core
            .zones
            .get(house.zones[0])
            .expect("a zone")
            .pool("");
        assert!(
            pool.expect("a pool")
                .volume(gone)
                .expect("an answer")
                .is_none()
        );
    }
}

#[test]
fn what_may_be_attached_and_detached() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let template = house.guest_template("linux", false);
    let (id, other) = (
        house.new_instance("node", template),
        house.new_instance("other", template),
    );
    let data = house.new_volume("data");
    control.attach_volume(owner, id, data).expect("attached");
    let view = control.instance(owner, id).expect("the instance");
    assert_eq!(view.volumes.len(), 2);
    assert!(view.attachable.is_empty());
    let attached = Err(Fault::Attached {
        name: name("data"),
        instance: name("node"),
    });
    assert_eq!(control.attach_volume(owner, other, data), attached);
    assert_eq!(
        control.delete_volume(owner, data).map(|_| ()),
        attached,
        "a volume that is attached is not deleted"
    );
    control.detach_volume(owner, data).expect("detached");
    control.detach_volume(owner, data).expect("still detached");
    assert_eq!(
        control
            .instance(owner, id)
            .expect("the instance")
            .attachable,
        [(data, name("data"))]
    );

    // A root volume stays where it is, and is attached nowhere else.
    let root = house.volume("node-root").id;
    let not = |name: &str| {
        Err(Fault::NotAttachable {
            name: name.to_owned(),
        })
    };
    assert_eq!(control.detach_volume(owner, root), not("node-root"));
    let loose = house.volume("of linux").id;
    assert_eq!(control.attach_volume(owner, id, loose), not("of linux"));
    // Nor one of another zone.
    let begun = control
        .create_volume(owner, "far", house.zones[1], 1)
        .expect("begun");
    house.succeeded(begun.job);
    assert_eq!(
        control.attach_volume(owner, id, house.volume("far").id),
        not("far")
    );
    // There is an end.
    for number in 1..MAX_DISKS {
        let volume = house.new_volume(&format!("data {number}"));
        control.attach_volume(owner, id, volume).expect("attached");
    }
    assert_eq!(control.attach_volume(owner, id, data), not("data"));

    if !can_run(&house) {
        return;
    }
    house.start(other);
    let stopped = Err(Fault::MustBeStopped {
        name: name("other"),
    });
    assert_eq!(control.attach_volume(owner, other, data), stopped);
    assert_eq!(
        control.detach_volume(owner, house.volume("other-root").id),
        stopped
    );
    assert_eq!(
        control.delete_instance(owner, other, false).map(|_| ()),
        stopped
    );
    assert_eq!(control.instance_deletion(owner, other).map(|_| ()), stopped);
}

#[test]
fn what_cannot_be_made_or_started_is_said_beforehand() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open_with(
        settings(folder.path()),
        Tuning {
            hypervisor: false,
            ..tuning()
        },
    );
    let (control, owner, zone) = (&house.control, &house.owner, house.zones[0]);
    let template = house.guest_template("linux", false);
    let make = |name: &str, template: TemplateId, offering: u32, start: bool| {
        control.create_instance(owner, name, template, zone, offering, start)
    };
    assert_eq!(
        make("x", TemplateId::new(), 0, false),
        Err(Fault::NotFound {
            what: Noun::Template
        })
    );
    assert_eq!(make(" ", template, 0, false), Err(Fault::NameEmpty));
    assert_eq!(make("x", template, 99, false), Err(Fault::NoOffering));
    assert_eq!(make("x", template, 0, true), Err(Fault::HypervisorMissing));
    assert!(
        control
            .session(owner)
            .expect("a session")
            .zones
            .iter()
            .all(|zone| zone.hypervisor.is_none())
    );
    // It can be made, and its volumes used.
    let id = house.new_instance("x", template);
    assert_eq!(
        make("X", template, 0, false),
        Err(Fault::NameTaken { name: name("X") })
    );
    assert_eq!(
        control.start_instance(owner, id),
        Err(Fault::HypervisorMissing)
    );
    assert_eq!(house.state(id), (InstanceState::Stopped, None));
    // The name of its root volume is free to choose for others; then it gets a number.
    house.new_volume("y-root");
    let id = house.new_instance("y", template);
    let view = control.instance(owner, id).expect("the instance");
    assert_eq!(view.volumes[0].name, "y-root-2");
}

#[test]
fn i15_a_stranger_sees_no_instance_and_attaches_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let template = house.guest_template("linux", false);
    let id = house.new_instance("ours", template);
    let data = house.new_volume("data");
    let stranger = caller(&house.control, "owner@them");
    let control = &house.control;
    let none = Fault::NotFound {
        what: Noun::Instance,
    };
    assert!(
        control
            .list_instances(&stranger, 1)
            .expect("a list")
            .rows
            .is_empty()
    );
    assert_eq!(control.instance(&stranger, id), Err(none.clone()));
    assert_eq!(control.serial_log(&stranger, id, None), Err(none.clone()));
    assert_eq!(control.attach_volume(&stranger, id, data), Err(none));
    assert_eq!(
        control.detach_volume(&stranger, VolumeId::new()),
        control.detach_volume(&stranger, house.volume("ours-root").id)
    );
}
