//! A virtual machine, what it is made of, and what may happen to it.
//!
//! ```text
//!            Made             StartAsked            Started
//!  Creating ──────▶ Stopped ────────────▶ Starting ─────────▶ Running
//!     │                ▲  ◀────────────────┘  │ Broke          │  │
//!     │ Broke          │       (not started)  ▼                │  │ StopAsked
//!     │                │    Ended          (Stopped)           │  ▼
//!     │                └───────────────────────── Stopping ◀───┼──┘
//!     │                │         Ended (by the guest itself)   │   Broke (the guest ignored it): Running again
//!     │                └───────────────────────────────────────┤
//!     └──────▶ Failed ◀────────────────────────────────────────┘ Died
//!                │ StartAsked: Starting
//!  Stopped, Failed ──DeleteAsked──▶ Deleting ──▶ (gone)
//! ```
//!
//! What is done to its disks (a recovery point, a rollback) is no state of its own: it is told beside the state.

use super::size::{Bytes, GIB};
use serde::{Deserialize, Serialize};

/// See the diagram at the head of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Its root volume is being made.
    Creating,
    /// It has no process.
    Stopped,
    /// Its process is being started.
    Starting,
    /// Its process runs.
    Running,
    /// It was asked to end.
    Stopping,
    /// Its process ended by itself, or it could not be made; the reason stands beside.
    Failed,
    /// It is being removed.
    Deleting,
}

/// What may happen to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InstanceEvent {
    /// Its root volume is there.
    Made,
    /// A member asked for it to run, or a rollback starts it again.
    StartAsked,
    /// Its process runs.
    Started,
    /// A member asked for it to stop, or a rollback stops it.
    StopAsked,
    /// Its process ended as it should: it was asked to, or the guest shut itself down.
    Ended,
    /// Its process ended, and nobody knows why it should have.
    Died,
    /// The work that moves it on failed.
    Broke,
    /// A member asked for its removal.
    DeleteAsked,
}

/// The event is not possible in that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not possible in this state")]
pub struct Denied;

impl InstanceState {
    /// Every one, in the order of a choice among them.
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::Stopped,
        Self::Creating,
        Self::Starting,
        Self::Stopping,
        Self::Failed,
        Self::Deleting,
    ];

    /// The word it is stored, sent and asked for by: that of its JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`Denied`] where the diagram has no such arrow.
    pub const fn next(self, event: InstanceEvent) -> Result<Self, Denied> {
        use InstanceEvent as E;
        use InstanceState as S;
        match (self, event) {
            (S::Creating, E::Made) => Ok(S::Stopped),
            (S::Creating, E::Broke) => Ok(S::Failed),
            (S::Stopped | S::Failed, E::StartAsked) => Ok(S::Starting),
            (S::Starting, E::Started) => Ok(S::Running),
            (S::Starting, E::Broke | E::Ended) => Ok(S::Stopped),
            (S::Starting | S::Running | S::Stopping, E::Died) => Ok(S::Failed),
            (S::Running, E::StopAsked) => Ok(S::Stopping),
            (S::Running | S::Stopping, E::Ended) => Ok(S::Stopped),
            // The guest ignored the power button: it still runs.
            (S::Stopping, E::Broke) => Ok(S::Running),
            (S::Stopped | S::Failed, E::DeleteAsked) => Ok(S::Deleting),
            // Anything not drawn is prohibited.
            _ => Err(Denied),
        }
    }

    /// Whether some job must still move it on; a restart may never leave it there for ever.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Creating | Self::Starting | Self::Stopping | Self::Deleting
        )
    }

    /// Whether a process of its own may be there.
    #[must_use]
    pub const fn may_run(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping)
    }
}

/// How a machine computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// On the processor itself.
    Kvm,
    /// By translation, in software: right, but many times slower.
    Tcg,
}

/// Processors and memory one can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Offering {
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory.
    pub memory: Bytes,
}

/// The offerings there are, smallest first; the first one is proposed.
pub const OFFERINGS: [Offering; 5] = [
    Offering {
        vcpus: 1,
        memory: Bytes(GIB / 4),
    },
    Offering {
        vcpus: 1,
        memory: Bytes(GIB),
    },
    Offering {
        vcpus: 2,
        memory: Bytes(2 * GIB),
    },
    Offering {
        vcpus: 2,
        memory: Bytes(4 * GIB),
    },
    Offering {
        vcpus: 4,
        memory: Bytes(8 * GIB),
    },
];

/// The most volumes an instance can have, its root volume counted.
pub const MAX_DISKS: usize = 8;
/// How long a guest has to shut down after the power button, in seconds.
pub const STOP_SECONDS: u32 = 60;

/// What is needed to start a machine again as it was: kept with each instance at its start, and with each point.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hardware {
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory.
    pub memory: Bytes,
    /// QEMU's versioned machine type; empty where the instance never ran.
    pub machine: String,
    /// QEMU's CPU model; empty where the instance never ran.
    pub cpu: String,
    /// QEMU's version; empty where the instance never ran.
    pub qemu: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i16_every_passing_state_has_a_way_out_and_nothing_leaves_deleting() {
        use InstanceEvent as E;
        let events = [
            E::Made,
            E::StartAsked,
            E::Started,
            E::StopAsked,
            E::Ended,
            E::Died,
            E::Broke,
            E::DeleteAsked,
        ];
        for state in InstanceState::ALL {
            let ways = events.iter().filter(|event| state.next(**event).is_ok());
            let expected = match state {
                InstanceState::Creating => 2,
                InstanceState::Stopped | InstanceState::Failed => 2,
                InstanceState::Starting => 4,
                InstanceState::Running => 3,
                InstanceState::Stopping => 3,
                InstanceState::Deleting => 0,
            };
            assert_eq!(ways.count(), expected, "{state:?}");
        }
    }

    #[test]
    fn a_guest_that_ignores_the_button_still_runs() {
        let stopping = InstanceState::Running.next(InstanceEvent::StopAsked);
        assert_eq!(
            stopping.and_then(|state| state.next(InstanceEvent::Broke)),
            Ok(InstanceState::Running)
        );
    }
}
