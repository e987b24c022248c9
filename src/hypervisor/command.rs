//! QEMU's command line.
//!
//! Names of files in the instance's folder are relative: QEMU runs in that folder. So no path is too long for a socket
//! and none needs QEMU's escapes.

use super::{Accelerator, Error, Incoming, MAX_DISKS, MAX_VCPUS, Spec, folder};
use serde_json::json;

/// For how long a disk waits for its NBD server, in seconds, before the guest gets an error: a year. A guest outlives the
/// server, and must not be harmed by one that is away for long.
const RECONNECT_SECONDS: u32 = 31_536_000;
/// PCI slots are fixed, so that the guest finds its hardware where it was however many disks it has.
const FIRST_DISK_SLOT: usize = 0x08;
/// What a serial of virtio-blk holds.
const SERIAL_BYTES: usize = 20;
/// What a QEMU that a guest has taken over should not be able to do.
const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// The arguments for a machine, without the program's name.
pub(super) fn arguments(
    spec: &Spec,
    accelerator: Accelerator,
    sandbox: bool,
) -> Result<Vec<String>, Error> {
    check(spec)?;
    let mut line = Line::default();
    line.flag("-nodefaults");
    line.flag("-no-user-config");
    // Nothing runs before we are there to see it.
    line.flag("-S");
    line.option("-display", "none");
    line.option("-name", format!("guest={}", doubled(&spec.name)));
    line.option("-uuid", spec.instance.to_string());
    // Without graphics the firmware writes on the serial console, among other things that there is nothing to boot.
    line.option(
        "-machine",
        format!(
            "{},usb=off,vmport=off,dump-guest-core=off,graphics=off",
            spec.machine
        ),
    );
    line.option(
        "-accel",
        match accelerator {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg,thread=multi",
        },
    );
    line.option("-cpu", &spec.cpu);
    line.option(
        "-smp",
        format!("cpus={0},sockets=1,cores={0},threads=1", spec.vcpus),
    );
    line.option("-m", format!("size={}M", spec.memory.0 >> 20));
    line.option("-rtc", "base=utc");
    line.option("-boot", "strict=on");
    if sandbox {
        line.option("-sandbox", SANDBOX);
    }
    line.option("-pidfile", folder::PID);

    socket(&mut line, "qmp", folder::QMP);
    line.option("-mon", "chardev=qmp,mode=control");
    line.option(
        "-chardev",
        format!("file,id=serial,path={},append=on", folder::SERIAL),
    );
    line.option("-serial", "chardev:serial");

    line.option("-device", format!("vmgenid,guid={}", spec.generation));
    let [a, b, c, d, e, f] = spec.mac;
    line.option("-netdev", "user,id=net,restrict=on");
    line.option(
        "-device",
        format!(
            "virtio-net-pci,netdev=net,addr=0x3,romfile=,mac={a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
        ),
    );
    line.option("-device", "virtio-serial-pci,id=ports,addr=0x4");
    socket(&mut line, "agent", folder::AGENT);
    line.option(
        "-device",
        "virtserialport,bus=ports.0,nr=1,chardev=agent,name=org.qemu.guest_agent.0",
    );
    line.option("-object", "rng-random,id=rng,filename=/dev/urandom");
    line.option("-device", "virtio-rng-pci,rng=rng,addr=0x5");

    if let Some(fence) = &spec.fence {
        let socket = fence
            .socket
            .to_str()
            .ok_or_else(|| wrong("the fence's socket has a name that is not UTF-8"))?;
        // QEMU flushes what has a drive of its own in the order of these drives, and that of a disk is made with its
        // device, after all `-drive`s: the fence comes first.
        line.option(
            "-drive",
            format!(
                "if=none,id=fence-drive,node-name=fence,driver=nbd,server.type=unix,server.path={},export={},reconnect-delay={RECONNECT_SECONDS}",
                doubled(socket),
                doubled(&fence.export),
            ),
        );
    }

    for (index, disk) in spec.disks.iter().enumerate() {
        let socket = disk
            .socket
            .to_str()
            .ok_or_else(|| wrong("a disk's socket has a name that is not UTF-8"))?;
        let node = json!({
            "driver": "nbd",
            "node-name": format!("disk{index}"),
            "server": { "type": "unix", "path": socket },
            "export": disk.export,
            "reconnect-delay": RECONNECT_SECONDS,
            "discard": "unmap",
            "cache": { "direct": false, "no-flush": false },
        });
        line.option("-blockdev", node.to_string());
        let boot = if index == 0 { ",bootindex=1" } else { "" };
        line.option(
            "-device",
            format!(
                "virtio-blk-pci,id=virtio-disk{index},drive=disk{index},addr={:#x},serial={},werror=enospc,rerror=report{boot}",
                FIRST_DISK_SLOT + index,
                disk.serial,
            ),
        );
    }
    match spec.rest {
        Incoming::None => {}
        Incoming::Stream => line.option("-incoming", "defer"),
    }
    Ok(line.0)
}

/// As a value in a list of options.
fn doubled(text: &str) -> String {
    text.replace(',', ",,")
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn flag(&mut self, flag: &str) {
        self.0.push(flag.to_owned());
    }

    fn option(&mut self, option: &str, value: impl Into<String>) {
        self.flag(option);
        self.0.push(value.into());
    }
}

fn socket(line: &mut Line, id: &str, name: &str) {
    line.option(
        "-chardev",
        format!("socket,id={id},path={name},server=on,wait=off"),
    );
}

fn wrong(what: impl Into<String>) -> Error {
    Error::Spec { what: what.into() }
}

/// What would be taken for something else by QEMU, or is no machine.
fn check(spec: &Spec) -> Result<(), Error> {
    if !(1..=MAX_VCPUS).contains(&spec.vcpus) {
        return Err(wrong(format!("{} processors", spec.vcpus)));
    }
    if spec.memory.0 == 0 || !spec.memory.0.is_multiple_of(1 << 20) {
        return Err(wrong(format!("{} bytes of memory", spec.memory.0)));
    }
    if spec.name.chars().any(char::is_control) {
        return Err(wrong("its name has control characters"));
    }
    let plain = |text: &str, also: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
    };
    if !plain(&spec.machine, ".-_") {
        return Err(wrong(format!("machine type {:?}", spec.machine)));
    }
    if !plain(&spec.cpu, ".-_,+=") {
        return Err(wrong(format!("CPU model {:?}", spec.cpu)));
    }
    if spec.mac[0] & 1 != 0 {
        return Err(wrong("its network address is not a unicast one"));
    }
    if spec.disks.len() > MAX_DISKS {
        return Err(wrong(format!("{} disks", spec.disks.len())));
    }
    if spec
        .fence
        .as_ref()
        .is_some_and(|fence| !fence.socket.is_absolute())
    {
        return Err(wrong("the fence's socket is not an absolute path"));
    }
    for disk in &spec.disks {
        if !plain(&disk.serial, ".-_") || disk.serial.len() > SERIAL_BYTES {
            return Err(wrong(format!("a disk's serial {:?}", disk.serial)));
        }
        if !disk.socket.is_absolute() {
            return Err(wrong("a disk's socket is not an absolute path"));
        }
    }
    Ok(())
}
