//! Virtual machines: one QEMU process an instance.
//!
//! | file | what lives there |
//! |---|---|
//! | `probe` | what this host can do, tried once |
//! | `command` | QEMU's command line: a pure function, with what it refuses |
//! | `folder` | an instance's folder: names, sockets at any length of path, one act at a time |
//! | `process` | a process held by a pidfd, so that a number used again is never killed |
//! | `launch` | starting, finding again, and leaving nothing behind when that fails |
//! | `qmp` | the machine protocol on one connection: lines, commands, events |
//! | `monitor` | that connection, kept up as long as the QEMU lives |
//! | `machine` | a running instance: what one may ask of it, and being told of its end |
//! | `save` | a guest's memory to a file, as it runs or stands |
//! | `earlier` | a save that a process before this one began |
//! | `protection` | what a save that failed leaves on a guest's memory, lifted from outside |
//! | `memory` | the file that keeps a memory: compressed, proved when read |
//! | `restore` | a machine that goes on with a memory that was kept |
//! | `window` | the guest's memory in QEMU's process, to be filled from here |
//! | `agent` | the guest agent, behind a deadline everywhere |
//! | `serial` | the serial console's log |
//!
//! The protocols are those of QEMU's `docs/interop/qmp-spec` and `docs/interop/qemu-ga-ref`.
//!
//! # What holds
//! - A guest outlives this process: QEMU has a session of its own and is told nothing when we end.
//! - A process is signalled only through a pidfd that was opened while its socket was seen to be open. Files that say
//!   which pid it was are for people.
//! - Nothing that QEMU or a guest agent sends ends this process, makes it wait beyond a deadline, or makes it hold more
//!   than a line of 1 MiB. A guest may have taken its QEMU over; its words are data.
//! - A guest has no way to this host's network: its card's other end answers DHCP and nothing else.
//! - A start that fails leaves no process and no socket.
//!
//! # A crash
//! Of ours: the guests run on; their disks wait for the NBD server (a day) and [`Hypervisor::find`] brings the handles
//! back. Of QEMU: [`Machine::on_exit`]. Its sockets stay behind and refuse; the next start replaces them.
//!
//! # Folder of an instance (mode 0700)
//! | name | what |
//! |---|---|
//! | `qmp.sock` | the machine protocol; one client at a time, us |
//! | `agent.sock` | the guest agent's port |
//! | `memory.sock` | where QEMU takes a memory from, when it goes on with one |
//! | `serial.log` | the serial console, appended over restarts; its head is a hole beyond 4 MiB |
//! | `qemu.log`, `qemu.log.old` | what QEMU itself had to say, this run and the one before; trimmed likewise |
//! | `qemu.pid` | the process, for people; locked by QEMU while it lives |

mod agent;
mod command;
mod earlier;
mod error;
mod folder;
mod launch;
mod machine;
pub mod memory;
mod monitor;
mod probe;
mod process;
mod protection;
mod qmp;
mod restore;
mod save;
mod serial;
mod window;

#[cfg(test)]
mod tests;

use crate::domain::{id::InstanceId, size::Bytes};
use std::path::PathBuf;
use uuid::Uuid;

pub use agent::{Agent, FreezeStatus};
pub use error::{Error, ProtocolError};
pub use machine::{Exit, Machine, RunState};
pub use probe::{Accelerator, Capabilities, Hypervisor, NoKvm};
pub use save::{Save, SavedMemory, Sink, Way};
pub use serial::{Serial, SerialChunk};

/// A machine to start. The same specification gives the same hardware in the same slots, to the guest's eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Whose machine it is; the guest sees it as the SMBIOS UUID.
    pub instance: InstanceId,
    /// The instance's name, shown in the host's list of processes.
    pub name: String,
    /// Processors, from 1 to [`MAX_VCPUS`].
    pub vcpus: u32,
    /// Memory, a whole number of MiB.
    pub memory: Bytes,
    /// Versioned machine type; [`Capabilities::machine`] for a new instance.
    pub machine: String,
    /// CPU model with its features; [`Capabilities::cpu`] for a new instance.
    pub cpu: String,
    /// Changes when the guest goes back in time or is copied (vmgenid).
    pub generation: Uuid,
    /// The network card's address: unicast.
    pub mac: [u8; 6],
    /// Disks in the order of their slots, at most [`MAX_DISKS`]. The first one boots.
    pub disks: Vec<DiskSpec>,
    /// A disk that the guest does not see, flushed ahead of the others whenever the guest is brought to a stand.
    pub fence: Option<FenceSpec>,
    /// Whether the guest begins anew, or goes on with a memory that it is given.
    pub rest: Incoming,
    /// The instance's folder; made when absent.
    pub folder: PathBuf,
}

/// The fence of a [`Spec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceSpec {
    /// The NBD server's unix socket.
    pub socket: PathBuf,
    /// The export's name.
    pub export: String,
}

/// Where a guest begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Incoming {
    /// At its firmware.
    #[default]
    None,
    /// In the memory that a stream brings; QEMU waits to be told where from.
    Stream,
}

/// One disk of a [`Spec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSpec {
    /// The NBD server's unix socket.
    pub socket: PathBuf,
    /// The export's name.
    pub export: String,
    /// What the guest reads as the disk's serial: 1 to 20 of `A-Z a-z 0-9 . _ -`.
    pub serial: String,
}

/// Processors a machine can have.
pub const MAX_VCPUS: u32 = 64;
/// Disks a machine can have: one PCI slot each.
pub const MAX_DISKS: usize = 24;
