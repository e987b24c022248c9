//! A guest of one sector, for a region with a real hypervisor.

use super::house::House;
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, TemplateId};
use crate::domain::instance::InstanceState;
use crate::domain::template::TemplateState;
use crate::domain::volume::VolumeKind;
use crate::hypervisor::Hypervisor;
use crate::view::InstanceView;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// 16-bit code that the firmware loads to 0x7c00. It enables the power button (unless the byte at [`BUTTON`] is 0), prints
/// `up` and a line feed on the serial port at 0x3f8, and for ever: adds one to the word at 0x7e00, writes that sector to
/// sector 1 of its disk by the firmware's service (int 13h), prints `t` (`E` if the write failed), switches itself off
/// where the power button was pressed (the ACPI registers of the machine type `pc`), and waits 20 ms (int 15h).
const CODE: &[u8] = &[
    0xfa, // cli
    0x31, 0xc0, // xor ax, ax
    0x8e, 0xd8, // mov ds, ax
    0x8e, 0xc0, // mov es, ax
    0x8e, 0xd0, // mov ss, ax
    0xbc, 0x00, 0x7c, // mov sp, 0x7c00
    0xfb, // sti
    0xfc, // cld
    0xba, 0x02, 0x06, // mov dx, 0x602: the enable register
    0xb8, 0x00, 0x01, // mov ax, 0x100: the power button
    0xef, // out dx, ax
    0xb0, 0x75, // mov al, 'u'
    0xe8, 0x3f, 0x00, // call putc
    0xb0, 0x70, // mov al, 'p'
    0xe8, 0x3a, 0x00, // call putc
    0xb0, 0x0a, // mov al, 10
    0xe8, 0x35, 0x00, // call putc
    // tick (0x7c24):
    0xff, 0x06, 0x00, 0x7e, // inc word [0x7e00]
    0xbe, 0x68, 0x7c, // mov si, packet
    0xb8, 0x00, 0x43, // mov ax, 0x4300: extended write
    0xb2, 0x80, // mov dl, 0x80: the first disk
    0xcd, 0x13, // int 13h
    0xb0, 0x74, // mov al, 't'
    0x73, 0x02, // jnc +2
    0xb0, 0x45, // mov al, 'E'
    0xe8, 0x1e, 0x00, // call putc
    0xba, 0x00, 0x06, // mov dx, 0x600: the status register
    0xed, // in ax, dx
    0xf6, 0xc4, 0x01, // test ah, 1: the power button
    0x75, 0x0b, // jnz off
    0x31, 0xc9, // xor cx, cx
    0xba, 0x20, 0x4e, // mov dx, 20000 microseconds
    0xb4, 0x86, // mov ah, 0x86: wait
    0xcd, 0x15, // int 15h
    0xeb, 0xd5, // jmp tick
    // off (0x7c4f):
    0xba, 0x04, 0x06, // mov dx, 0x604: the control register
    0xb8, 0x00, 0x20, // mov ax, 0x2000: soft off
    0xef, // out dx, ax
    0xf4, // hlt
    0xeb, 0xf6, // jmp off
    // putc (0x7c59):
    0x50, // push ax
    0xba, 0xfd, 0x03, // mov dx, 0x3fd
    0xec, // in al, dx
    0xa8, 0x20, // test al, 0x20: may the next byte come
    0x74, 0xfb, // jz -5
    0x58, // pop ax
    0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xee, // out dx, al
    0xc3, // ret
    // packet (0x7c68): 16 bytes, 1 sector, from 0000:7e00, to sector 1
    0x10, 0x00, 0x01, 0x00, 0x00, 0x7e, 0x00, 0x00, //
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];
/// The byte that enables the power button.
const BUTTON: usize = 0x13;
/// Long enough for any machine; nothing is asserted about how long anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// The disk's first sectors. A deaf guest takes no notice of the power button.
pub fn boot_sector(deaf: bool) -> Vec<u8> {
    let mut disk = vec![0; 4096];
    disk[..CODE.len()].copy_from_slice(CODE);
    if deaf {
        disk[BUTTON] = 0;
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// Whether instances can run here; says so loudly where they cannot.
pub fn can_run(house: &House) -> bool {
    let can = house.control.core.hypervisor().is_ok();
    if !can {
        eprintln!("SKIPPED: no usable qemu-system-x86_64 here, instances are not tested");
    }
    can
}

/// Kills what runs in a region's folder when the test ends, however it ends.
pub struct Orphans(pub PathBuf);

impl Orphans {
    pub fn of(data: &Path) -> Self {
        Self(data.join("instances"))
    }
}

impl Drop for Orphans {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if let Ok(Some(machine)) = Hypervisor::find(&entry.path()) {
                machine.kill();
            }
        }
    }
}

/// How many writes the guest has told, in all its lives. The firmware's own last dots can come among them.
fn writes_told(serial: &str) -> usize {
    let lives = serial.split("up\n").skip(1);
    let told = lives.flat_map(|life| life.chars().take_while(|c| "tE.\n".contains(*c)));
    told.filter(|c| "tE".contains(*c)).count()
}

pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl House {
    /// A template whose guest is the one of this file.
    pub fn guest_template(&self, name: &str, deaf: bool) -> TemplateId {
        let volume = self.root_volume(&format!("of {name}"), VolumeKind::Root, &boot_sector(deaf));
        let snapshot = self.new_snapshot(volume, &format!("of {name}"));
        let begun = self
            .control
            .create_template(&self.owner, snapshot, name, "")
            .expect("begun");
        self.succeeded(begun.job);
        let rows = self
            .control
            .list_templates(&self.owner, 1)
            .expect("a list")
            .rows;
        let row = rows
            .into_iter()
            .find(|row| row.name == name)
            .expect("the template");
        assert_eq!(row.state, TemplateState::Ready);
        row.id
    }

    pub fn instance(&self, name: &str) -> InstanceView {
        let rows = self
            .control
            .list_instances(&self.owner, 1)
            .expect("a list")
            .rows;
        let row = rows
            .into_iter()
            .find(|row| row.name == name)
            .expect("the instance");
        let view = self
            .control
            .instance(&self.owner, row.id)
            .expect("the instance");
        assert_eq!(view.row, row, "a list says what the page says");
        view
    }

    /// A new instance that is stopped.
    pub fn new_instance(&self, name: &str, template: TemplateId) -> InstanceId {
        let begun = self
            .control
            .create_instance(&self.owner, name, template, self.zones[0], 0, false)
            .expect("begun");
        self.succeeded(begun.job);
        let view = self.instance(name);
        assert_eq!(view.row.state, InstanceState::Stopped);
        view.row.id
    }

    pub fn start(&self, id: InstanceId) {
        let begun = self.control.start_instance(&self.owner, id).expect("begun");
        self.succeeded(begun.job);
    }

    pub fn state(&self, id: InstanceId) -> (InstanceState, Option<Fault>) {
        let row = self
            .control
            .instance(&self.owner, id)
            .expect("the instance")
            .row;
        (row.state, row.fault)
    }

    /// Everything that the serial console wrote, read as a page does.
    pub fn serial(&self, id: InstanceId) -> String {
        let (mut from, mut text) = (0, String::new());
        loop {
            let piece = self
                .control
                .serial_log(&self.owner, id, Some(from))
                .expect("the log");
            if piece.end == from {
                return text;
            }
            text.push_str(&piece.text);
            from = piece.end;
        }
    }

    /// Waits until the guest has written to its disk more often than it has now. What the firmware says while it starts is
    /// no sign of that.
    pub fn goes_on(&self, id: InstanceId) {
        let before = writes_told(&self.serial(id));
        eventually("the guest goes on", || {
            writes_told(&self.serial(id)) > before + 3
        });
    }

    /// The process of the instance.
    pub fn pid(&self, id: InstanceId) -> i32 {
        let machine = self.control.core.machine(id).expect("a machine");
        i32::try_from(machine.pid()).expect("a process")
    }
}
