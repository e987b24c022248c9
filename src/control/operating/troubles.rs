//! What is amiss, for an operator: each is a message that says what it means and what can be done.

use super::{Found, FoundZone, no_kvm};
use crate::control::core::Core;
use crate::control::moments::moment;
use crate::domain::fault::Fault;
use crate::domain::recovery::MemoryWay;
use crate::hypervisor::Accelerator;
use crate::view::Trouble;

/// The gravest first.
pub fn of(core: &Core, found: &Found, zones: &[FoundZone<'_>]) -> Vec<Trouble> {
    let mut all = Vec::new();
    store(found, &mut all);
    for zone in zones {
        of_zone(zone, &mut all);
    }
    hypervisor(core, found, &mut all);
    if found.kits.0 > 0 {
        all.push(look("kits", "", found.kits.0).with("reprise keys export"));
    }
    all.sort_by_key(|trouble| !trouble.grave);
    all
}

/// Something does not work.
fn grave(what: &str, subject: &str, count: u64) -> Trouble {
    Trouble {
        grave: true,
        ..look(what, subject, count)
    }
}

/// Something deserves a look.
fn look(what: &str, subject: &str, count: u64) -> Trouble {
    Trouble {
        what: what.to_owned(),
        grave: false,
        subject: subject.to_owned(),
        count,
        since: None,
        detail: String::new(),
    }
}

impl Trouble {
    fn with(self, detail: &str) -> Self {
        Self {
            detail: detail.to_owned(),
            ..self
        }
    }
}

fn store(found: &Found, all: &mut Vec<Trouble>) {
    if let Some((fault, since)) = found.store.fault(found.now) {
        let (what, detail) = match fault {
            Fault::ObjectStoreOther => ("store-other", ""),
            Fault::ObjectStoreFull => ("store-full", ""),
            Fault::ObjectStoreKeyMissing | Fault::ObjectStoreKeyWrong => {
                ("store-key", "reprise keys import")
            }
            _ => ("store-silent", ""),
        };
        all.push(Trouble {
            since: Some(moment(&found.time_zone, since)),
            ..grave(what, "", 0).with(detail)
        });
    }
    let damaged = found.inventory.map_or(0, |known| known.damaged);
    if damaged > 0 {
        all.push(grave("store-damaged", "", damaged).with("reprise archive check --deep"));
    }
}

fn of_zone(found: &FoundZone<'_>, all: &mut Vec<Trouble>) {
    let (zone, name) = (found.zone, found.zone.name.as_str());
    if !zone.in_settings {
        all.push(look("zone-dropped", name, 0));
    }
    if !found.apart.is_empty() {
        all.push(look("apart", name, found.apart.len() as u64));
    }
    let Some((space, pool)) = &found.pool else {
        all.push(match zone.pool("") {
            Err(Fault::Internal { reference }) => grave("pool-closed", name, 0).with(&reference),
            _ => grave("pool-damaged", name, 0),
        });
        return;
    };
    match space {
        None => all.push(grave("pool-unmeasured", name, 0)),
        Some(space) if space.reserve == 0 || space.free == 0 => {
            all.push(grave("pool-full", name, 0))
        }
        Some(space) if space.free < space.total / 10 => all.push(look("pool-low", name, 0)),
        Some(_) => {}
    }
    for (what, count) in [("poisoned", pool.poisoned), ("damaged", pool.damaged)] {
        if count > 0 {
            all.push(grave(what, name, count as u64));
        }
    }
    if pool.last_pass.is_some_and(|pass| pass.done.is_none()) {
        all.push(look("reclaim-failed", name, 0));
    }
}

fn hypervisor(core: &Core, found: &Found, all: &mut Vec<Trouble>) {
    let can = match core.hypervisor_or_why() {
        Ok(hypervisor) => hypervisor.capabilities(),
        Err(why) => {
            all.push(grave("no-hypervisor", "", 0).with(why));
            return;
        }
    };
    if can.accelerator == Accelerator::Tcg {
        all.push(look(can.without_kvm.map_or("no-start", no_kvm), "", 0));
    }
    if core.memory_way() == Ok(MemoryWay::Standing) {
        all.push(look("standing", "", 0));
    }
    if !can.sandbox {
        all.push(look("no-sandbox", "", 0));
    }
    let given = found.running(|running| running.memory.0);
    if found.host.memory.0 > 0 && given > found.host.memory.0 {
        all.push(look("memory-promised", "", 0));
    }
}
