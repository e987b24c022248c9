//! Sample data for a first look: two organizations and, in the first, disks with something on them.
//!
//! Everything is made the way a member would have it made, by the same work; only what stands on the disks is written
//! here, through the engine. The bytes are the same on every machine.

use super::people::NewMember;
use super::volumes::write_new;
use super::work::Asked;
use super::{Actor, Caller, Control};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{JobId, OrganizationId, VolumeId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::role::{Door, Role};
use crate::domain::size::{Bytes, GIB};
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::engine::block::BlockDevice;
use std::time::{Duration, Instant};

/// The password of every sample member: it is printed by `./dev run` and stands in the README.
pub const PASSWORD: &str = "reprise-demo";

const MONTREAL: &str = "America/Montreal";
const MIB: u64 = 1 << 20;
/// The work takes a second; a machine that takes longer than this has a fault that the log tells.
const PATIENCE: Duration = Duration::from_secs(120);

/// A sample disk.
struct Sample {
    name: &'static str,
    kind: VolumeKind,
    size: u64,
    /// Place in the list of zones, which is by name; the last zone where there are fewer.
    zone: usize,
    /// Stretches that are written: where each begins and how long it is, in MiB.
    stretches: &'static [(u64, u64)],
}

/// The disks of the instance preprod-mysql-node01, and one more.
const SAMPLES: [Sample; 3] = [
    Sample {
        name: "essai-fr",
        kind: VolumeKind::Data,
        size: GIB,
        zone: 0,
        stretches: &[(0, 4)],
    },
    Sample {
        name: "DATA-466",
        kind: VolumeKind::Data,
        size: 50 * GIB,
        zone: 1,
        stretches: &[(0, 2), (1024, 14), (20_480, 8)],
    },
    Sample {
        name: "ROOT-465",
        kind: VolumeKind::Root,
        size: 20 * GIB,
        zone: 1,
        stretches: &[(0, 1), (513, 12), (9000, 6)],
    },
];

/// Fills an empty region.
///
/// # Errors
/// What the first act that does not succeed says.
pub fn seed(control: &Control) -> Result<(), Fault> {
    let owner = member("mt@boreale.example", "Marie Tremblay", Role::Owner);
    let boreale = control.create_organization("Érablière Boréale", MONTREAL, owner)?;
    control.create_member(
        boreale,
        member("viewer@boreale.example", "Luc Gagnon", Role::Viewer),
    )?;
    let other = member("jb@laurentides.example", "Julie Bouchard", Role::Owner);
    control.create_organization("Coopérative Laurentides", MONTREAL, other)?;

    let caller = as_member(control, boreale, "mt@boreale.example")?;
    let mut first = None;
    for sample in &SAMPLES {
        first = Some(control.make_sample(&caller, sample)?);
    }
    if let Some(root) = first {
        let started = control.take_snapshot(&caller, root, "ROOT-465 avant mise à jour")?;
        control.wait_for(started.job)?;
    }
    Ok(())
}

const fn member(email: &'static str, name: &'static str, role: Role) -> NewMember<'static> {
    NewMember {
        email,
        name,
        role,
        password: PASSWORD,
        one_time: false,
    }
}

fn as_member(
    control: &Control,
    organization: OrganizationId,
    email: &str,
) -> Result<Caller, Fault> {
    let user = control
        .ask(control.catalog().user_by_email(email))?
        .ok_or(Fault::WrongCredentials)?;
    let actor = Actor {
        user: user.id,
        organization,
        role: user.role,
        name: user.name,
        email: user.email,
        organization_name: user.organization_name,
        time_zone: user.time_zone,
    };
    Ok(Caller {
        actor: Some(actor),
        door: Door::System,
    })
}

impl Control {
    fn make_sample(&self, caller: &Caller, sample: &Sample) -> Result<VolumeId, Fault> {
        let actor = caller.actor.as_ref().ok_or(Fault::SignInNeeded)?;
        let zones = self.core.zones.views(None);
        let zone = zones
            .get(sample.zone)
            .or(zones.last())
            .ok_or(Fault::NotFound { what: Noun::Zone })?;
        let zone = self.core.zones.choice(zone.id)?;
        let state = VolumeState::Creating;
        let volume = self.new_volume(
            actor,
            zone,
            sample.name,
            sample.kind,
            Bytes(sample.size),
            state,
        );
        let asked = Asked::new(JobKind::CreateVolume, &volume.id, sample.name);
        let started = self.begin(caller, actor, &asked, |tx| write_new(tx, &volume))?;
        self.wait_for(started.job)?;
        let lease = zone
            .pool(sample.name)?
            .lease(volume.id)
            .map_err(|error| self.fault(error.into()))?;
        let mut content = Content(
            u64::from_le_bytes(*b"reprise\n") ^ sample.size ^ sample.stretches.len() as u64,
        );
        for &(from, length) in sample.stretches {
            for place in from..from + length {
                let block = content.next_mib(place == 0);
                lease
                    .write_at(place * MIB, &block, false)
                    .map_err(|error| self.fault(error.into()))?;
            }
        }
        lease.flush().map_err(|error| self.fault(error.into()))?;
        Ok(volume.id)
    }

    /// Waits for work that was just asked for.
    ///
    /// # Errors
    /// Why it did not succeed.
    fn wait_for(&self, id: JobId) -> Result<(), Fault> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let job = self
                .ask(self.catalog().job(id))?
                .ok_or(Fault::NotFound { what: Noun::Job })?;
            match job.state {
                JobState::Succeeded => return Ok(()),
                JobState::Failed | JobState::Interrupted => {
                    return Err(job.fault.unwrap_or(Fault::Interrupted));
                }
                JobState::Queued | JobState::Running | JobState::Waiting => {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
        Err(Fault::Internal {
            reference: "demo".to_owned(),
        })
    }
}

/// Bytes as a server's disk has them: lines of a log that compress well, and tables that do not. Xorshift64*
/// (Vigna, "An experimental exploration of Marsaglia's xorshift generators").
struct Content(u64);

impl Content {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// The next MiB; the first one of a disk begins with a boot sector's mark.
    fn next_mib(&mut self, first: bool) -> Vec<u8> {
        const LENGTH: usize = MIB as usize;
        let mut bytes = Vec::with_capacity(LENGTH + 256);
        while bytes.len() < LENGTH {
            if self.next().is_multiple_of(3) {
                for _ in 0..512 {
                    bytes.extend_from_slice(&self.next().to_le_bytes());
                }
            } else {
                for _ in 0..40 {
                    let (number, table) = (self.next(), self.next() % 90);
                    let line = format!(
                        "node01 mysqld: connexion {} : SELECT lot, degre FROM coulee_{table:02} WHERE seau = {}\n",
                        number % 10_000,
                        number >> 48
                    );
                    bytes.extend_from_slice(line.as_bytes());
                }
            }
        }
        bytes.truncate(LENGTH);
        if first && let Some(mark) = bytes.get_mut(510..512) {
            mark.copy_from_slice(&[0x55, 0xaa]);
        }
        bytes
    }
}
