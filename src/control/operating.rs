//! What an operator sees of the region: zones, object store, hypervisor, long work, and what is amiss.
//!
//! What may never be true: something of an organization in it but numbers and kinds, the operator's own included (I-15);
//! an answer that waits for the object store longer than a moment. Nothing here changes anything.

mod look;
mod troubles;

pub(super) use look::StoreLook;

use super::core::Core;
use super::moments::{moment, time_zone};
use super::zones::Zone;
use super::{Caller, Control};
use crate::archive::{Inventory, StoreConfig};
use crate::catalog::instances::Running;
use crate::catalog::jobs::Job;
use crate::domain::fault::Fault;
use crate::domain::job::JobState;
use crate::domain::recovery::MemoryWay;
use crate::domain::size::Bytes;
use crate::engine::{Space, Standing};
use crate::hypervisor::{Accelerator, Capabilities, NoKvm};
use crate::view::{Apart, Card, Fact, Known, WorkRow, ZonesView};
use jiff::tz::TimeZone;
use std::time::{Duration, UNIX_EPOCH};

/// How long a page waits for the object store's answer; after that it shows what was known before.
const PAGE_WAITS: Duration = Duration::from_millis(300);
/// Work that failed is told of for so long, in milliseconds, and so many of it at most.
const FAILED_STAYS: i64 = 24 * 3600 * 1000;
const FAILED_MOST: u32 = 1000;

/// What is found out once, for the facts and for what is amiss.
struct Found {
    now: i64,
    time_zone: TimeZone,
    running: Vec<Running>,
    store: look::State,
    inventory: Option<Inventory>,
    /// Organizations that have saved something no kit opens, and all organizations.
    kits: (u64, u64),
    host: Host,
}

/// What the machine has.
struct Host {
    memory: Bytes,
    available: Bytes,
    processors: u64,
}

/// A zone, its pool as it stands, and what is in quarantine there.
struct FoundZone<'a> {
    zone: &'a Zone,
    pool: Option<(Option<Space>, Standing)>,
    memory_kept: Bytes,
    apart: Vec<Apart>,
}

impl Control {
    /// How the region stands.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`]; [`Fault::NotAllowed`] for whoever is no operator.
    pub fn zones(&self, caller: &Caller) -> Result<ZonesView, Fault> {
        let actor = caller.must_operate()?;
        let core = &self.core;
        StoreLook::begin(core);
        let now = self.now_ms();
        let organizations = self.ask(self.catalog().organizations())?;
        let mut due = 0;
        for (organization, _) in &organizations {
            due += u64::from(self.kit_is_due(*organization)?);
        }
        let found = Found {
            now,
            time_zone: time_zone(&actor.time_zone),
            running: self.ask(self.catalog().running())?,
            store: core.store_look.within(PAGE_WAITS),
            inventory: core.archive.opened().map(|archive| archive.inventory()),
            kits: (due, organizations.len() as u64),
            host: Host::read(),
        };
        let quarantine = self.quarantine()?;
        let zones: Vec<FoundZone<'_>> = core
            .zones
            .0
            .iter()
            .map(|zone| FoundZone {
                zone,
                pool: zone
                    .open_pool()
                    .map(|pool| (pool.space().ok(), pool.standing())),
                memory_kept: core.memory_kept(zone),
                apart: quarantine
                    .iter()
                    .filter(|apart| apart.zone == zone.id)
                    .map(|apart| Apart {
                        kind: apart.kind.clone(),
                        id: apart.id.clone(),
                        found: moment(&found.time_zone, apart.found),
                    })
                    .collect(),
            })
            .collect();
        let troubles = troubles::of(core, &found, &zones);
        let mut cards: Vec<Card> = zones
            .into_iter()
            .map(|zone| zone_card(&found, zone))
            .collect();
        cards.push(archive_card(core, &found));
        cards.push(hypervisor_card(core, &found));
        cards.push(program_card(core, &found));
        Ok(ZonesView {
            troubles,
            cards,
            work: self.work_rows(&found)?,
        })
    }

    fn work_rows(&self, found: &Found) -> Result<Vec<WorkRow>, Fault> {
        let mut rows: Vec<WorkRow> = Vec::new();
        let live = self.ask(self.catalog().live_jobs())?;
        let failed = self
            .catalog()
            .failed_jobs(found.now - FAILED_STAYS, FAILED_MOST);
        for job in live.iter().chain(&self.ask(failed)?) {
            let since = match job.state {
                JobState::Failed => job.ended.unwrap_or(job.asked),
                _ => job.asked,
            };
            let since = moment(&found.time_zone, since);
            let next = (job.state == JobState::Waiting)
                .then(|| moment(&found.time_zone, job.next_attempt));
            let fault = reason(job);
            let kind_of = |fault: &Option<Fault>| fault.as_ref().map(std::mem::discriminant);
            let alike = |row: &&mut WorkRow| {
                (row.kind, row.state) == (job.kind, job.state)
                    && kind_of(&row.fault) == kind_of(&fault)
            };
            match rows.iter_mut().find(alike) {
                Some(row) => {
                    row.count += 1;
                    row.since = match job.state {
                        JobState::Failed => row.since.max(since),
                        _ => row.since.min(since),
                    };
                    row.next = row.next.min(next);
                }
                None => rows.push(WorkRow {
                    kind: job.kind,
                    state: job.state,
                    count: 1,
                    since,
                    next,
                    fault,
                }),
            }
        }
        rows.sort_by_key(|row| (place(row.state), row.since));
        Ok(rows)
    }
}

/// What goes on first, what failed last.
const fn place(state: JobState) -> u8 {
    match state {
        JobState::Running => 0,
        JobState::Waiting => 1,
        JobState::Queued => 2,
        JobState::Failed | JobState::Interrupted | JobState::Succeeded => 3,
    }
}

/// Why the work waits or failed, where the reason is about the installation and names nothing of an organization.
fn reason(job: &Job) -> Option<Fault> {
    let fault = job.fault.as_ref()?;
    let about_the_installation = matches!(
        fault,
        Fault::PoolFull { .. }
            | Fault::ObjectStoreUnavailable
            | Fault::ObjectStoreOther
            | Fault::ObjectStoreFull
            | Fault::ObjectStoreKeyMissing
            | Fault::ObjectStoreKeyWrong
            | Fault::ServerFull
            | Fault::ImporterMissing
            | Fault::HypervisorMissing
            | Fault::ClockNotSet
            | Fault::Internal { .. }
    );
    about_the_installation.then(|| fault.clone())
}

fn fact(what: &str, value: Known) -> Fact {
    Fact {
        what: what.to_owned(),
        value,
    }
}

fn word(what: &str, word: &str) -> Fact {
    fact(what, Known::Word(word.to_owned()))
}

fn count(what: &str, count: usize) -> Fact {
    fact(what, Known::Count(count as u64))
}

impl Found {
    fn when(&self, what: &str, unix_ms: Option<i64>) -> Fact {
        match unix_ms {
            Some(at) => fact(what, Known::When(moment(&self.time_zone, at))),
            None => word(what, "not-yet"),
        }
    }

    fn running(&self, pick: impl Fn(&Running) -> u64) -> u64 {
        self.running.iter().map(pick).sum()
    }
}

fn card(what: &str, name: &str, facts: Vec<Fact>) -> Card {
    Card {
        what: what.to_owned(),
        name: name.to_owned(),
        facts,
        apart: Vec::new(),
    }
}

fn zone_card(found: &Found, zone: FoundZone<'_>) -> Card {
    let mut facts = Vec::new();
    let Some((space, pool)) = zone.pool else {
        facts.push(word(
            "pool",
            if zone.zone.is_damaged() {
                "damaged"
            } else {
                "closed"
            },
        ));
        return Card {
            apart: zone.apart,
            ..card("zone", &zone.zone.name, facts)
        };
    };
    if let Some(space) = space {
        let total = Bytes(space.total);
        facts.extend([
            fact(
                "room",
                Known::Room(Bytes(space.total.saturating_sub(space.free)), total),
            ),
            fact("free", Known::Size(Bytes(space.free))),
            fact("used", Known::Size(Bytes(space.used))),
            fact("memories", Known::Size(zone.memory_kept)),
            match space.reserve {
                0 => word("reserve", "given-up"),
                reserve => fact("reserve", Known::Size(Bytes(reserve))),
            },
            fact("promised", Known::Share(Bytes(pool.promised), total)),
        ]);
    }
    if let Some(name) = pool.file_system {
        facts.push(fact("file-system", Known::Name(name.to_owned())));
    }
    let running = found
        .running
        .iter()
        .find(|running| running.zone == zone.zone.id);
    facts.extend([
        fact(
            "instances",
            Known::Count(running.map_or(0, |running| running.instances)),
        ),
        fact(
            "memory",
            Known::Size(running.map_or(Bytes(0), |running| running.memory)),
        ),
        count("volumes", pool.volumes),
        count("poisoned", pool.poisoned),
        count("damaged", pool.damaged),
        count("filling", pool.filling),
        count("layers", pool.layers),
        count("open-layers", pool.open_layers),
        count("checkpoints", pool.checkpoints),
        count("bases", pool.bases),
        count("unsealed", pool.unsealed),
    ]);
    let pass = pool.last_pass;
    let at = pass.and_then(|pass| pass.at.duration_since(UNIX_EPOCH).ok());
    facts.push(found.when(
        "reclaimed",
        at.and_then(|at| i64::try_from(at.as_millis()).ok()),
    ));
    if let Some(done) = pass.and_then(|pass| pass.done) {
        facts.push(fact("reclaimed-bytes", Known::Size(Bytes(done.bytes))));
    }
    Card {
        apart: zone.apart,
        ..card("zone", &zone.zone.name, facts)
    }
}

fn archive_card(core: &Core, found: &Found) -> Card {
    let mut facts = Vec::new();
    match core.archive.store() {
        StoreConfig::Folder(folder) => facts.extend([
            word("store-kind", "folder"),
            fact("store-place", Known::Exact(folder.display().to_string())),
        ]),
        StoreConfig::S3(config) => {
            let place = match config.prefix.as_str() {
                "" => config.bucket.clone(),
                prefix => format!("{}/{prefix}", config.bucket),
            };
            facts.extend([
                word("store-kind", "bucket"),
                fact("store-place", Known::Exact(place)),
                fact("store-region", Known::Name(config.region.clone())),
            ]);
            if let Some(endpoint) = &config.endpoint {
                facts.push(fact("store-host", Known::Name(host(endpoint).to_owned())));
            }
        }
    }
    let open = core.archive.opened();
    if let Some(open) = &open {
        facts.push(word(
            "store-writers",
            if open.is_shared() { "many" } else { "alone" },
        ));
    }
    if let Some(mark) = open.as_ref().and_then(|archive| archive.mark()) {
        facts.push(fact("store-mark", Known::Exact(mark)));
    }
    let trouble = found.store.fault(found.now);
    let answers = match (&trouble, &found.store.last) {
        (Some(_), _) => "no",
        (None, Some(_)) => "yes",
        (None, None) => "asking",
    };
    facts.push(word("store-answers", answers));
    if let Some((_, since)) = trouble {
        facts.push(found.when("store-since", Some(since)));
    }
    if let Some(last) = &found.store.last {
        let took = u64::try_from(last.took.as_micros()).unwrap_or(u64::MAX);
        facts.push(found.when("store-asked", Some(last.at)));
        facts.push(fact("store-took", Known::Took(took)));
    }
    if let Some(known) = found.inventory {
        facts.extend([
            fact(
                "store-read",
                Known::CountOf(known.organizations, found.kits.1),
            ),
            fact("store-snapshots", Known::Count(known.snapshots)),
            fact("store-objects", Known::Count(known.objects)),
            fact("store-bytes", Known::Size(Bytes(known.bytes))),
            fact("store-unneeded", Known::Size(Bytes(known.unneeded))),
            fact("store-holds", Known::Count(known.holds)),
            fact("store-condemned", Known::Count(known.condemned)),
            fact("store-damaged", Known::Count(known.damaged)),
        ]);
    }
    facts.push(found.when("compared", core.stock.last()));
    let pruned = core.upkeep.last_prune();
    facts.push(found.when("pruned", pruned.as_ref().map(|(at, _)| *at)));
    if let Some((_, pruned)) = pruned {
        facts.push(fact(
            "pruned-bytes",
            Known::Size(Bytes(pruned.removed_bytes)),
        ));
    }
    facts.push(fact("kits", Known::CountOf(found.kits.0, found.kits.1)));
    card("archive", "", facts)
}

/// The host of an address, and its port. What may stand before it is a secret.
fn host(endpoint: &str) -> &str {
    let rest = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    rest.rsplit_once('@').map_or(rest, |(_, host)| host)
}

fn hypervisor_card(core: &Core, found: &Found) -> Card {
    let mut facts = Vec::new();
    match core.hypervisor_or_why() {
        Ok(hypervisor) => facts.extend(capabilities(core, hypervisor.capabilities())),
        Err(why) => {
            facts.push(word("qemu", "none"));
            if !why.is_empty() {
                facts.push(fact("why", Known::Exact(why.to_owned())));
            }
        }
    }
    facts.push(fact(
        "instances",
        Known::Count(found.running(|running| running.instances)),
    ));
    let given = Bytes(found.running(|running| running.memory.0));
    facts.push(match found.host.memory {
        Bytes(0) => fact("memory", Known::Size(given)),
        all => fact("memory", Known::Room(given, all)),
    });
    if found.host.available.0 > 0 {
        facts.push(fact("memory-available", Known::Size(found.host.available)));
    }
    let vcpus = found.running(|running| running.vcpus);
    facts.push(fact("vcpus", Known::CountOf(vcpus, found.host.processors)));
    card("hypervisor", "", facts)
}

fn capabilities(core: &Core, can: &Capabilities) -> Vec<Fact> {
    let mut facts = vec![fact("qemu", Known::Name(can.version.clone()))];
    facts.push(word(
        "accelerator",
        match can.accelerator {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
        },
    ));
    if let Some(why) = can.without_kvm {
        facts.push(word("without-kvm", no_kvm(why)));
    }
    let way = match core.memory_way() {
        Ok(MemoryWay::Running) => "running",
        Ok(MemoryWay::Standing) | Err(_) => "standing",
    };
    facts.push(word("memory-way", way));
    if let Some(why) = &can.background_refused {
        facts.push(fact("why-standing", Known::Exact(why.clone())));
    }
    facts.extend([
        word("sandbox", if can.sandbox { "on" } else { "off" }),
        fact("machine", Known::Exact(can.machine.clone())),
        fact("cpu", Known::Exact(can.cpu.clone())),
    ]);
    facts
}

const fn no_kvm(why: NoKvm) -> &'static str {
    match why {
        NoKvm::Processor => "no-processor",
        NoKvm::Device => "no-device",
        NoKvm::Permission => "no-permission",
        NoKvm::Refused => "no-start",
    }
}

fn program_card(core: &Core, found: &Found) -> Card {
    let formats = format!(
        "{} · {} · {}",
        crate::catalog::SCHEMA_VERSION,
        crate::engine::FORMAT_VERSION,
        crate::archive::FORMAT_VERSION
    );
    let facts = vec![
        word("health", "serves"),
        fact("version", Known::Name(env!("CARGO_PKG_VERSION").to_owned())),
        fact("formats", Known::Name(formats)),
        found.when("opened", Some(core.opened)),
    ];
    card("program", "", facts)
}

impl Host {
    /// Zeros where the system does not say.
    fn read() -> Self {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let line = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        };
        let bytes = |name| Bytes(line(name).unwrap_or(0).saturating_mul(1024));
        Self {
            memory: bytes("MemTotal:"),
            available: bytes("MemAvailable:"),
            processors: std::thread::available_parallelism().map_or(0, |n| n.get() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_the_host_is_told() {
        assert_eq!(host("https://s3.example:9000/path?x=y"), "s3.example:9000");
        assert_eq!(host("http://key:secret@s3.example"), "s3.example");
        assert_eq!(host("s3.example"), "s3.example");
    }
}
