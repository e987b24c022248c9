//! A pool that is full under a guest.

use super::super::guests::pause_after;
use super::disks::{MIB, new_point};
use super::guest::{Orphans, can_run, eventually};
use super::house::{House, noise, settings, tuning};
use crate::domain::fault::Fault;
use crate::domain::instance::InstanceState;
use crate::engine::block::BlockDevice;
use crate::hypervisor::RunState;
use std::time::Duration;

#[test]
fn i06_i13_a_full_pool_stops_the_guest_and_it_goes_on_by_itself_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut small = settings(folder.path());
    small
        .zones
        .iter_mut()
        .for_each(|zone| zone.limit = Some(16 * MIB));
    let house = House::open_with(small, tuning());
    if !can_run(&house) {
        return;
    }
    let _orphans = Orphans::of(folder.path());
    let id = house.new_instance("node", house.guest_template("linux", false));
    let root = house.instance("node").volumes[0].id;
    house.start(id);
    house.goes_on(id);

    // Somebody else fills the pool, to its last block.
    let other = house.new_volume("other");
    let mut written = 0;
    {
        let lease = house.pool_of(other).lease(other).expect("a lease");
        for step in [MIB, 4096] {
            let bytes = noise(step, step as usize);
            while lease.write_at(written, &bytes, false).is_ok() {
                written += step;
            }
        }
    }
    assert!(written > 0 && written < 16 * MIB);
    // What the guest has already it can still write; after a recovery point it needs room.
    house.goes_on(id);
    new_point(&house, id, "full");
    let stopped = Fault::DiskStopped {
        name: "node".to_owned(),
    };
    eventually("its disk stops it, and that is said", || {
        house.state(id) == (InstanceState::Running, Some(stopped.clone()))
    });
    let machine = house.control.core.machine(id).expect("a machine");
    assert_eq!(machine.run_state().expect("an answer"), RunState::IoError);
    let before = house.serial(id);

    let begun = house.control.delete_volume(&house.owner, other);
    house.succeeded(begun.expect("begun").job);
    house.pool_of(root).reclaim().expect("reclaimed");
    house.goes_on(id);
    eventually("it is said no more", || {
        house.state(id) == (InstanceState::Running, None)
    });
    let text = house.serial(id);
    assert!(
        text.starts_with(&before) && !text.contains('E'),
        "no write failed"
    );
    assert_eq!(text.matches("up\n").count(), 1, "it is the same guest");
    let begun = house.control.stop_instance(&house.owner, id, true);
    house.succeeded(begun.expect("begun").job);
    // Each write is told after it was acknowledged; the last one may not have been told any more.
    let text = house.serial(id);
    let (_, since) = text.split_once("up\n").expect("it has booted");
    let ticks = since.matches('t').count();
    let on_disk = house.read(root, 512, 2);
    let on_disk = usize::from(u16::from_le_bytes([on_disk[0], on_disk[1]]));
    assert!(
        (ticks..=ticks + 1).contains(&on_disk),
        "{on_disk} of {ticks}"
    );
}

#[test]
fn the_power_button_is_pressed_often_while_a_guest_may_still_boot() {
    let mut at = Duration::ZERO;
    let mut presses = Vec::new();
    while at < Duration::from_secs(30) {
        presses.push(at.as_secs());
        at += pause_after(at);
    }
    let often = (0..=10).chain([15, 20, 25]);
    assert_eq!(presses, often.collect::<Vec<_>>());
}
