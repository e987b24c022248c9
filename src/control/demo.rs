//! Sample data for a first look: two organizations and, in the first, disks with something on them. Where there is a disk
//! image of a guest and a hypervisor to run it, two instances as well: one stopped, one running, with a small tree of
//! recovery points.
//!
//! Everything is made the way a member would have it made, by the same work; only what stands on the disks is written
//! here, through the engine. The bytes are the same on every machine.

use super::error::Error;
use super::instances::act::Wanted;
use super::people::{NewMember, actor};
use super::volumes::write_new;
use super::work::Asked;
use super::{Caller, Control, TemplateImport, image};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{InstanceId, JobId, PointId, TemplateId, VolumeId, ZoneId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::role::{Door, Role};
use crate::domain::size::{Bytes, GIB};
use crate::domain::template::TemplateState;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::engine::block::BlockDevice;
use crate::view::Started;
use std::path::Path;
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
    ESSAI,
    Sample {
        stretches: &[(0, 2), (1024, 14), (20_480, 8)],
        ..DATA_466
    },
    Sample {
        name: "ROOT-465",
        kind: VolumeKind::Root,
        size: ROOT,
        zone: 1,
        stretches: &[(0, 1), (513, 12), (9000, 6)],
    },
];

const ESSAI: Sample = Sample {
    name: "essai-fr",
    kind: VolumeKind::Data,
    size: GIB,
    zone: 0,
    stretches: &[(0, 4)],
};

/// Blank at its beginning: the sample guest formats such a disk and then keeps its count there as well.
const DATA_466: Sample = Sample {
    name: "DATA-466",
    kind: VolumeKind::Data,
    size: 50 * GIB,
    zone: 1,
    stretches: &[(1024, 14), (20_480, 8)],
};

const DATA_472: Sample = Sample {
    name: "DATA-472",
    size: 10 * GIB,
    stretches: &[(2048, 6)],
    ..DATA_466
};

/// Size of a root volume.
const ROOT: u64 = 20 * GIB;

const OWNER: &str = "mt@boreale.example";
/// The instance that runs.
const RUNNING: &str = "warrenton-mysql-node01";
const TEMPLATE: &str = "Debian 12 – compteur";
const TEMPLATE_SAYS: &str = "Petit système Linux qui compte dix fois par seconde, sur son disque et en mémoire, et le \
    dit sur sa console série\u{a0}: une restauration s’y voit tout de suite.";

/// A recovery point of the running instance: its name, what it says, and where in the data volume something is written
/// before it, in MiB.
struct SamplePoint {
    name: &'static str,
    says: &'static str,
    written: (u64, u64),
}

const INITIAL: SamplePoint = SamplePoint {
    name: "initial",
    says: "Avant le premier démarrage.",
    written: (3000, 2),
};
const HARDENED: SamplePoint = SamplePoint {
    name: "après-durcissement",
    says: "Comptes inutiles retirés, pare-feu en place.",
    written: (3100, 5),
};
const TRIED: SamplePoint = SamplePoint {
    name: "essai-8.4",
    says: "Essai de MySQL 8.4 sur une copie des données\u{a0}: abandonné, le greffon d’audit manque.",
    written: (3200, 12),
};
const BEFORE: SamplePoint = SamplePoint {
    name: "avant-migration-8.4",
    says: "Dernier état connu avant la migration du samedi.",
    written: (3300, 3),
};

/// Fills an empty region. With the disk image of a guest that can run here, instances are made of it; they are not
/// started yet ([`seed_guests`]).
///
/// # Errors
/// What the first act that does not succeed says. An image that makes no template is told in the log, and left out.
pub fn seed(control: &Control, guest: Option<&Path>) -> Result<(), Fault> {
    let owner = member(OWNER, "Marie Tremblay", Role::Owner);
    let boreale = control.create_organization("Érablière Boréale", MONTREAL, owner)?;
    control.create_member(
        boreale,
        member("viewer@boreale.example", "Luc Gagnon", Role::Viewer),
    )?;
    let other = member("jb@laurentides.example", "Julie Bouchard", Role::Owner);
    control.create_organization("Coopérative Laurentides", MONTREAL, other)?;

    let caller = as_member(control, OWNER)?;
    let root = match control.sample_template(&caller, guest)? {
        Some(template) => {
            control.make_sample(&caller, &ESSAI)?;
            control.sample_instance(&caller, template, RUNNING, "ROOT-471", &DATA_472)?;
            let stopped = "preprod-mysql-node01";
            control.sample_instance(&caller, template, stopped, "ROOT-465", &DATA_466)?
        }
        None => {
            let mut last = Err(Fault::NotFound { what: Noun::Volume });
            for sample in &SAMPLES {
                last = Ok(control.make_sample(&caller, sample)?);
            }
            last?
        }
    };
    let started = control.take_snapshot(&caller, root, "ROOT-465 avant mise à jour")?;
    control.wait_for(started.job)
}

/// What of the sample data needs the zones' doors to be open: the recovery points of the sample instance, and its first
/// start. Nothing where there is no sample instance.
///
/// # Errors
/// What the first act that does not succeed says.
pub fn seed_guests(control: &Control) -> Result<(), Fault> {
    if control
        .ask(control.catalog().user_by_email(OWNER))?
        .is_none()
    {
        return Ok(());
    }
    let caller = as_member(control, OWNER)?;
    let rows = control.list_instances(&caller, 1)?.rows;
    let Some(instance) = rows.into_iter().find(|row| row.name == RUNNING) else {
        return Ok(());
    };
    control.sample_point(&caller, instance.id, &INITIAL)?;
    let hardened = control.sample_point(&caller, instance.id, &HARDENED)?;
    control.sample_point(&caller, instance.id, &TRIED)?;
    // Back, and on from there: the last one becomes a branch.
    let plan = control.rollback_plan(&caller, hardened)?;
    let started = control.roll_back(&caller, hardened, &plan.seal, false, false)?;
    control.wait_for(started.job)?;
    control.sample_point(&caller, instance.id, &BEFORE)?;
    let started = control.start_instance(&caller, instance.id)?;
    control.wait_for(started.job)
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

fn as_member(control: &Control, email: &str) -> Result<Caller, Fault> {
    let user = control
        .ask(control.catalog().user_by_email(email))?
        .ok_or(Fault::WrongCredentials)?;
    Ok(Caller {
        actor: Some(actor(&user)),
        door: Door::System,
    })
}

impl Control {
    /// A template of the image; none where there is no image, or nothing to run it with.
    fn sample_template(
        &self,
        caller: &Caller,
        guest: Option<&Path>,
    ) -> Result<Option<TemplateId>, Fault> {
        let Some(guest) = guest.filter(|guest| guest.is_file()) else {
            return Ok(None);
        };
        if self.core.hypervisor().is_err() || !image::importer_is_there() {
            tracing::info!("there is no QEMU: the sample data has no instances");
            return Ok(None);
        }
        let made = self
            .import_sample(caller, guest)
            .and_then(|started| self.wait_for(started.job));
        let page = self.list_templates(caller, 1)?;
        let template = page.rows.into_iter().find(|row| row.name == TEMPLATE);
        let Err(fault) = made else {
            return Ok(template.map(|row| row.id));
        };
        tracing::warn!(?fault, image = %guest.display(), "the sample guest makes no template: the sample data has no instances");
        if let Some(failed) = template.filter(|row| row.state == TemplateState::Failed) {
            let started = self.delete_template(caller, failed.id)?;
            self.wait_for(started.job)?;
        }
        Ok(None)
    }

    fn import_sample(&self, caller: &Caller, guest: &Path) -> Result<Started, Fault> {
        let slot = self.template_upload_check(caller, TEMPLATE, TEMPLATE_SAYS, None)?;
        // The import takes its file over: the image itself stays where it is.
        let copied = std::fs::copy(guest, &slot.path);
        let name = guest.file_name().unwrap_or_default().to_string_lossy();
        let request = TemplateImport {
            name: TEMPLATE.to_owned(),
            description: TEMPLATE_SAYS.to_owned(),
            file: slot.path.clone(),
            file_name: name.into_owned(),
        };
        let started = copied
            .map_err(|source| {
                self.fault(Error::Io {
                    operation: "copy",
                    path: guest.to_owned(),
                    source,
                })
            })
            .and_then(|_| self.import_template(caller, request));
        if started.is_err() {
            // Nobody took it over; it may never have been made.
            let _ = std::fs::remove_file(&slot.path);
        }
        started
    }

    /// A stopped instance with a data volume; gives its root volume.
    fn sample_instance(
        &self,
        caller: &Caller,
        template: TemplateId,
        name: &str,
        root: &str,
        data: &Sample,
    ) -> Result<VolumeId, Fault> {
        let data_volume = self.make_sample(caller, data)?;
        let wanted = Wanted {
            name,
            template,
            zone: self.sample_zone(data)?,
            offering: 0,
            start: false,
            root: Some((root, Bytes(ROOT))),
        };
        let started = self.make_instance(caller, &wanted)?;
        self.wait_for(started.job)?;
        let missing = Fault::NotFound {
            what: Noun::Instance,
        };
        let rows = self.list_instances(caller, 1)?.rows;
        let made = rows.into_iter().find(|row| row.name == name);
        let instance = made.ok_or(missing.clone())?.id;
        self.attach_volume(caller, instance, data_volume)?;
        let disks = self.instance(caller, instance)?.volumes;
        let disk = disks.into_iter().find(|disk| disk.name == root);
        disk.map(|disk| disk.id).ok_or(missing)
    }

    /// Something is written to the stopped instance's data volume, and a point is made.
    fn sample_point(
        &self,
        caller: &Caller,
        instance: InstanceId,
        sample: &SamplePoint,
    ) -> Result<PointId, Fault> {
        let disks = self.instance(caller, instance)?.volumes;
        if let Some(data) = disks.into_iter().find(|disk| disk.kind == VolumeKind::Data) {
            let zone = self.sample_zone(&DATA_472)?;
            self.write_stretches(
                zone,
                data.id,
                &data.name,
                sample.written.0,
                &[sample.written],
            )?;
        }
        let started = self.create_point(caller, instance, sample.name, sample.says, false)?;
        self.wait_for(started.job)?;
        let points = self.list_points(caller, instance)?;
        points.current.ok_or(Fault::NotFound { what: Noun::Point })
    }

    /// The zone of a sample disk.
    fn sample_zone(&self, sample: &Sample) -> Result<ZoneId, Fault> {
        let zones = self.core.zones.views(None, None);
        let zone = zones.get(sample.zone).or(zones.last());
        zone.map(|zone| zone.id)
            .ok_or(Fault::NotFound { what: Noun::Zone })
    }

    fn make_sample(&self, caller: &Caller, sample: &Sample) -> Result<VolumeId, Fault> {
        let actor = caller.actor.as_ref().ok_or(Fault::SignInNeeded)?;
        let zone = self.core.zones.choice(self.sample_zone(sample)?)?;
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
        let seed = sample.size ^ sample.stretches.len() as u64;
        self.write_stretches(zone.id, volume.id, sample.name, seed, sample.stretches)?;
        Ok(volume.id)
    }

    /// Writes stretches of sample content, each with its place and its length in MiB, and syncs.
    fn write_stretches(
        &self,
        zone: ZoneId,
        volume: VolumeId,
        name: &str,
        seed: u64,
        stretches: &[(u64, u64)],
    ) -> Result<(), Fault> {
        let lease = self
            .core
            .zones
            .get(zone)?
            .pool(name)?
            .lease(volume)
            .map_err(|error| self.fault(error.into()))?;
        let mut content = Content(u64::from_le_bytes(*b"reprise\n") ^ seed);
        for &(from, length) in stretches {
            for place in from..from + length {
                let block = content.next_mib(place == 0);
                lease
                    .write_at(place * MIB, &block, false)
                    .map_err(|error| self.fault(error.into()))?;
            }
        }
        lease.flush().map_err(|error| self.fault(error.into()))
    }

    /// Waits for work that was just asked for.
    ///
    /// # Errors
    /// Why it did not succeed.
    pub(super) fn wait_for(&self, id: JobId) -> Result<(), Fault> {
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
