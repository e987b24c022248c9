//! A real guest on a disk of which nothing has come yet, and an object store that answers nothing: it waits, through a
//! restart of the server too, and gets an error only after as long as the settings say.

use super::filling::Scene;
use super::guest::{Orphans, can_run, eventually};
use crate::archive::tests::stores::Fault as StoreFault;
use crate::domain::id::InstanceId;
use crate::domain::instance::InstanceState;
use crate::domain::job::{JobKind, JobState};
use crate::domain::volume::VolumeKind;
use crate::hypervisor::RunState;
use std::path::Path;
use std::time::Duration;

/// 16-bit code that the firmware loads to 0x7c00. It prints `up` and a line feed on the serial port at 0x3f8. Then it reads
/// the first sector of each of the 96 stretches of 64 KiB after the first, one after the other, by the firmware's service
/// (int 13h), and prints its first byte. Where that failed it prints `E` and reads the same again. It waits 20 ms between two
/// reads (int 15h), prints `#` after the last, and halts.
const CODE: &[u8] = &[
    0xfa, // cli
    0x31, 0xc0, // xor ax, ax
    0x8e, 0xd8, // mov ds, ax
    0x8e, 0xc0, // mov es, ax
    0x8e, 0xd0, // mov ss, ax
    0xbc, 0x00, 0x7c, // mov sp, 0x7c00
    0xfb, // sti
    0xfc, // cld
    0xb0, 0x75, // mov al, 'u'
    0xe8, 0x4c, 0x00, // call putc
    0xb0, 0x70, // mov al, 'p'
    0xe8, 0x47, 0x00, // call putc
    0xb0, 0x0a, // mov al, 10
    0xe8, 0x42, 0x00, // call putc
    // next (0x7c1d): a failed read has set the number of sectors to 0
    0xc7, 0x06, 0x72, 0x7c, 0x01, 0x00, // mov word [packet+2], 1
    0xbe, 0x70, 0x7c, // mov si, packet
    0xb8, 0x00, 0x42, // mov ax, 0x4200: extended read
    0xb2, 0x80, // mov dl, 0x80: the first disk
    0xcd, 0x13, // int 13h
    0x72, 0x21, // jc failed
    0xa0, 0x00, 0x7e, // mov al, [0x7e00]
    0xe8, 0x2a, 0x00, // call putc
    0x83, 0x2e, 0x6e, 0x7c, 0x01, // sub word [left], 1
    0x74, 0x1b, // jz done
    0x66, 0x81, 0x06, 0x78, 0x7c, 0x80, 0x00, 0x00, 0x00, // add dword [packet+8], 128
    // wait (0x7c45):
    0x31, 0xc9, // xor cx, cx
    0xba, 0x20, 0x4e, // mov dx, 20000 microseconds
    0xb4, 0x86, // mov ah, 0x86: wait
    0xcd, 0x15, // int 15h
    0xeb, 0xcd, // jmp next
    // failed (0x7c50):
    0xb0, 0x45, // mov al, 'E'
    0xe8, 0x0a, 0x00, // call putc
    0xeb, 0xee, // jmp wait
    // done (0x7c57):
    0xb0, 0x23, // mov al, '#'
    0xe8, 0x03, 0x00, // call putc
    // halt (0x7c5c):
    0xf4, // hlt
    0xeb, 0xfd, // jmp halt
    // putc (0x7c5f):
    0x50, // push ax
    0xba, 0xfd, 0x03, // mov dx, 0x3fd
    0xec, // in al, dx
    0xa8, 0x20, // test al, 0x20: may the next byte come
    0x74, 0xfb, // jz -5
    0x58, // pop ax
    0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xee, // out dx, al
    0xc3, // ret
    // left (0x7c6e):
    96, 0x00, //
    // packet (0x7c70): 16 bytes, 1 sector, to 0000:7e00, from sector 128
    0x10, 0x00, 0x01, 0x00, 0x00, 0x7e, 0x00, 0x00, //
    0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];
const STRETCH: usize = 65_536;

/// What the guest reads at the beginning of a stretch.
fn letter(stretch: usize) -> u8 {
    b'a' + u8::try_from(stretch % 26).expect("a letter")
}

fn disk() -> Vec<u8> {
    let mut disk = vec![0; 97 * STRETCH];
    disk[..CODE.len()].copy_from_slice(CODE);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    for stretch in 1..=96 {
        disk[stretch * STRETCH] = letter(stretch);
    }
    disk
}

/// All that it prints where nothing fails.
fn expected() -> String {
    let letters = (1..=96).map(|stretch| char::from(letter(stretch)));
    format!("{}#", letters.collect::<String>())
}

/// What the guest itself has printed since it was up. The firmware's last dots may come after that.
fn printed(scene: &Scene, id: InstanceId) -> String {
    let text = scene.house.serial(id);
    let (_, since) = text.split_once("up\n").unwrap_or_default();
    let own = |c: &char| c.is_ascii_lowercase() || matches!(c, 'E' | '#');
    since.chars().filter(own).collect()
}

/// A guest that runs, of whose disk only so much has come as it has read, and that nothing fills. The store is out of reach.
fn started(folder: &Path, patience: Duration) -> Option<(Scene, InstanceId)> {
    let scene = Scene::new(folder, patience);
    if !can_run(&scene.house) {
        return None;
    }
    let (control, owner) = (&scene.house.control, &scene.house.owner);
    let volume = scene.house.root_volume("of it", VolumeKind::Root, &disk());
    let snapshot = scene.house.new_snapshot(volume, "of it");
    let made = control.create_template(owner, snapshot, "reader", "");
    scene.house.succeeded(made.expect("begun").job);
    scene.store.fail_of("/packs/", 0, StoreFault::Dead);
    let id = scene.house.new_instance("node", scene.house.template().id);
    let jobs = control.current_jobs(owner, "").expect("a list");
    let fill = jobs.iter().find(|job| job.kind == JobKind::FillVolume);
    let fill = fill.expect("it fills").id;
    control.interrupt_job(owner, fill).expect("asked");
    scene.fill_is(JobState::Interrupted);
    // It gets so far as three requests bring it, and comes to a block that it cannot have: an outage without a moment.
    scene.store.fail_of("/packs/", 3, StoreFault::Dead);
    scene.house.start(id);
    eventually("it asks for what is out of reach", || {
        scene.store.has_failed()
    });
    Some((scene, id))
}

#[test]
fn i13_a_guest_waits_while_the_store_is_out_of_reach_and_the_server_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let _orphans = Orphans::of(folder.path());
    let patience = Duration::from_secs(3600);
    let Some((mut scene, id)) = started(folder.path(), patience) else {
        return;
    };
    let before = printed(&scene, id);
    assert!(!before.is_empty() && !before.contains('#'), "{before}");
    let pid = scene.house.pid(id);
    scene.house.leaves_guests = true;
    let scene = scene.again(folder.path(), patience);
    scene.outage();
    eventually("it asks again", || scene.store.has_failed());
    eventually("it is known", || {
        scene.house.state(id) == (InstanceState::Running, None)
            && scene.house.control.core.machine(id).is_some()
    });
    assert_eq!(scene.house.pid(id), pid, "the same process");
    let machine = scene.house.control.core.machine(id).expect("a machine");
    assert_eq!(machine.run_state().expect("an answer"), RunState::Running);
    assert_eq!(printed(&scene, id), before, "it waits");
    let root = scene.house.instance("node").volumes[0].clone();
    assert!(root.filling && scene.lacks(root.id));
    scene.store.heal();
    eventually("it has read all", || printed(&scene, id).contains('#'));
    assert_eq!(printed(&scene, id), expected(), "and no read failed");
    // What it did not read comes when a member wants it to.
    let fill = root.job.expect("it is said").id;
    let retried = scene.house.control.retry_job(&scene.house.owner, fill);
    retried.expect("begun");
    scene.fill_is(JobState::Succeeded);
    assert!(!scene.lacks(root.id) && scene.holds() == 0);
}

#[test]
fn a_guest_gets_an_error_after_as_long_as_the_settings_say_and_runs_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let _orphans = Orphans::of(folder.path());
    let Some((scene, id)) = started(folder.path(), Duration::from_millis(200)) else {
        return;
    };
    eventually("reads fail, one after the other", || {
        printed(&scene, id).matches('E').count() >= 2
    });
    let machine = scene.house.control.core.machine(id).expect("a machine");
    assert_eq!(machine.run_state().expect("an answer"), RunState::Running);
    assert_eq!(scene.house.state(id), (InstanceState::Running, None));
    scene.store.heal();
    eventually("it has read all", || printed(&scene, id).contains('#'));
    assert_eq!(printed(&scene, id).replace('E', ""), expected());
}
