//! The command line, and what is read from QEMU's own words.

use super::super::{
    Accelerator, DiskSpec, Error, FenceSpec, Incoming, MAX_DISKS, Spec,
    command::arguments,
    probe::{has_virtualization, newest_machine, version},
};
use crate::domain::{id::InstanceId, size::Bytes};
use uuid::Uuid;

fn spec() -> Spec {
    Spec {
        instance: InstanceId::from_bytes([0x11; 16]),
        name: "web, the first".to_owned(),
        vcpus: 2,
        memory: Bytes(512 << 20),
        machine: "pc-i440fx-7.2".to_owned(),
        cpu: "qemu64-v1,+aes".to_owned(),
        generation: Uuid::from_bytes([0x22; 16]),
        mac: [0x52, 0x54, 0x00, 0xab, 0xcd, 0xef],
        disks: vec![
            DiskSpec {
                socket: "/run/a,b.sock".into(),
                export: "volume/\"one\"".to_owned(),
                serial: "root".to_owned(),
            },
            DiskSpec {
                socket: "/run/a,b.sock".into(),
                export: "two".to_owned(),
                serial: "0123456789_abcdefghi".to_owned(),
            },
        ],
        fence: None,
        rest: Incoming::None,
        folder: "/nowhere".into(),
    }
}

#[test]
fn the_command_line_is_this_one() {
    let expected = r#"-nodefaults
-no-user-config
-S
-display none
-name guest=web,, the first
-uuid 11111111-1111-1111-1111-111111111111
-machine pc-i440fx-7.2,usb=off,vmport=off,dump-guest-core=off,graphics=off
-accel tcg,thread=multi
-cpu qemu64-v1,+aes
-smp cpus=2,sockets=1,cores=2,threads=1
-m size=512M
-rtc base=utc
-boot strict=on
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
-pidfile qemu.pid
-chardev socket,id=qmp,path=qmp.sock,server=on,wait=off
-mon chardev=qmp,mode=control
-chardev file,id=serial,path=serial.log,append=on
-serial chardev:serial
-device vmgenid,guid=22222222-2222-2222-2222-222222222222
-netdev user,id=net,restrict=on
-device virtio-net-pci,netdev=net,addr=0x3,romfile=,mac=52:54:00:ab:cd:ef
-device virtio-serial-pci,id=ports,addr=0x4
-chardev socket,id=agent,path=agent.sock,server=on,wait=off
-device virtserialport,bus=ports.0,nr=1,chardev=agent,name=org.qemu.guest_agent.0
-object rng-random,id=rng,filename=/dev/urandom
-device virtio-rng-pci,rng=rng,addr=0x5
-blockdev {"cache":{"direct":false,"no-flush":false},"discard":"unmap","driver":"nbd","export":"volume/\"one\"","node-name":"disk0","reconnect-delay":31536000,"server":{"path":"/run/a,b.sock","type":"unix"}}
-device virtio-blk-pci,id=virtio-disk0,drive=disk0,addr=0x8,serial=root,werror=enospc,rerror=report,bootindex=1
-blockdev {"cache":{"direct":false,"no-flush":false},"discard":"unmap","driver":"nbd","export":"two","node-name":"disk1","reconnect-delay":31536000,"server":{"path":"/run/a,b.sock","type":"unix"}}
-device virtio-blk-pci,id=virtio-disk1,drive=disk1,addr=0x9,serial=0123456789_abcdefghi,werror=enospc,rerror=report"#;
    let found = arguments(&spec(), Accelerator::Tcg, true).unwrap();
    let mut lines: Vec<String> = Vec::new();
    for argument in found {
        match lines.last_mut() {
            Some(line) if !argument.starts_with('-') => {
                line.push(' ');
                line.push_str(&argument);
            }
            _ => lines.push(argument),
        }
    }
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn hardware_help_and_a_missing_sandbox_change_nothing_else() {
    let slow = arguments(&spec(), Accelerator::Tcg, true).unwrap();
    let fast = arguments(&spec(), Accelerator::Kvm, true).unwrap();
    let other: Vec<_> = slow.iter().zip(&fast).filter(|(a, b)| a != b).collect();
    assert_eq!(other, [(&"tcg,thread=multi".to_owned(), &"kvm".to_owned())]);
    let bare = arguments(&spec(), Accelerator::Tcg, false).unwrap();
    assert_eq!(bare.len(), slow.len() - 2);
    assert!(!bare.contains(&"-sandbox".to_owned()));
}

#[test]
fn a_fence_stands_ahead_of_the_disks_and_a_memory_is_waited_for() {
    let bare = arguments(&spec(), Accelerator::Tcg, true).unwrap();
    let mut spec = spec();
    spec.fence = Some(FenceSpec {
        socket: "/run/a,b.sock".into(),
        export: "fence/one,readonly=on".to_owned(),
    });
    spec.rest = Incoming::Stream;
    let found = arguments(&spec, Accelerator::Tcg, true).unwrap();
    let new: Vec<_> = found.iter().filter(|one| !bare.contains(one)).collect();
    assert_eq!(
        new,
        [
            "-drive",
            "if=none,id=fence-drive,node-name=fence,driver=nbd,server.type=unix,server.path=/run/a,,b.sock,\
             export=fence/one,,readonly=on,reconnect-delay=31536000",
            "-incoming",
            "defer"
        ]
    );
    let place = |what: &str| found.iter().position(|one| one == what).unwrap();
    assert!(place("-drive") < place("-blockdev"));
}

#[test]
fn what_qemu_would_misread_is_refused() {
    let disk = || spec().disks.swap_remove(0);
    type Spoil = Box<dyn Fn(&mut Spec)>;
    let wrong: Vec<(&str, Spoil)> = vec![
        ("no processor", Box::new(|spec| spec.vcpus = 0)),
        ("too many processors", Box::new(|spec| spec.vcpus = 65)),
        ("no memory", Box::new(|spec| spec.memory = Bytes(0))),
        (
            "half a MiB",
            Box::new(|spec| spec.memory = Bytes((1 << 20) + 1)),
        ),
        (
            "a second line",
            Box::new(|spec| spec.name = "a\nb".to_owned()),
        ),
        ("a NUL", Box::new(|spec| spec.name = "a\0b".to_owned())),
        (
            "more than a machine",
            Box::new(|spec| spec.machine = "pc,accel=kvm".to_owned()),
        ),
        ("no machine", Box::new(|spec| spec.machine.clear())),
        ("no CPU", Box::new(|spec| spec.cpu.clear())),
        (
            "another option",
            Box::new(|spec| spec.cpu = "max -monitor stdio".to_owned()),
        ),
        ("a group's address", Box::new(|spec| spec.mac[0] = 1)),
        (
            "more than a serial",
            Box::new(|spec| spec.disks[1].serial = "a,drive=b".to_owned()),
        ),
        (
            "a serial cut short",
            Box::new(|spec| spec.disks[1].serial = "x".repeat(21)),
        ),
        (
            "no serial",
            Box::new(|spec| spec.disks[1].serial = String::new()),
        ),
        (
            "a socket in QEMU's folder",
            Box::new(|spec| spec.disks[0].socket = "disk.sock".into()),
        ),
        (
            "a fence in QEMU's folder",
            Box::new(|spec| {
                spec.fence = Some(FenceSpec {
                    socket: "fence.sock".into(),
                    export: "fence".to_owned(),
                });
            }),
        ),
        (
            "too many disks",
            Box::new(move |spec| spec.disks = vec![disk(); MAX_DISKS + 1]),
        ),
    ];
    for (what, spoil) in wrong {
        let mut spec = spec();
        spoil(&mut spec);
        let refused = arguments(&spec, Accelerator::Tcg, true);
        assert!(
            matches!(refused, Err(Error::Spec { .. })),
            "{what}: {refused:?}"
        );
    }
}

#[test]
fn the_last_disk_has_the_last_slot() {
    let mut spec = spec();
    spec.disks = vec![spec.disks.swap_remove(0); MAX_DISKS];
    let found = arguments(&spec, Accelerator::Tcg, true).unwrap();
    assert!(found.last().unwrap().contains("addr=0x1f"), "{found:?}");
}

#[test]
fn qemus_words_are_understood() {
    assert_eq!(
        version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright (c)\n").as_deref(),
        Some("7.2.22")
    );
    assert_eq!(version(""), None);
    assert_eq!(version("something else"), None);
    let help = "Supported machines are:\nmicrovm              microvm (i386)\n\
        pc-i440fx-7.1        Standard PC (i440FX + PIIX, 1996)\n\
        pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)\n\
        q35                  Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-7.2)\n";
    assert_eq!(newest_machine(help).as_deref(), Some("pc-i440fx-7.2"));
    assert_eq!(newest_machine("q35  x (alias of pc-q35-7.2)\n"), None);
}

#[test]
fn virtualization_is_a_flag_of_the_processor_not_a_word_anywhere() {
    assert!(has_virtualization("flags\t\t: fpu vmx sse\n"));
    assert!(has_virtualization("flags\t\t: fpu svm\n"));
    assert!(!has_virtualization(
        "model name\t: svm vmx\nflags\t\t: fpu vmx_not svm2\nvmx flags\t: vnmi\n"
    ));
}
