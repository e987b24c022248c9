//! What an operator sees of the region.

use super::house::{House, caller, settings, tuning};
use crate::archive::{Archive, ArchiveOptions, MasterKey};
use crate::catalog::jobs::{Ending, NewJob, end_job, insert_job};
use crate::control::{Control, Tuning};
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, VolumeId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::role::Door;
use crate::view::{Known, ZonesView};
use std::time::{Duration, Instant};

fn without_qemu() -> Tuning {
    Tuning {
        hypervisor: false,
        ..tuning()
    }
}

/// The value of a fact of the first card of this kind.
fn known<'a>(view: &'a ZonesView, card: &str, fact: &str) -> &'a Known {
    let card = view
        .cards
        .iter()
        .find(|one| one.what == card)
        .expect("the card");
    let fact = card.facts.iter().find(|one| one.what == fact);
    &fact
        .unwrap_or_else(|| panic!("no such fact: {:?}", card.facts))
        .value
}

fn troubles(view: &ZonesView) -> Vec<&str> {
    view.troubles.iter().map(|one| one.what.as_str()).collect()
}

/// Work of an organization that has ended badly, or waits.
fn work(control: &Control, email: &str, fault: Fault, ends: bool) {
    let who = caller(control, email).actor.expect("a member");
    let id = JobId::new();
    let job = NewJob {
        id,
        organization: who.organization,
        kind: JobKind::TakeSnapshot,
        subject: VolumeId::new().to_string(),
        subject_name: "secret-subject",
        source: None,
        args: "{}".to_owned(),
        total: None,
        asked_by: None,
    };
    let now = control.now_ms();
    let catalog = control.catalog();
    let written = catalog.write(|tx| insert_job(tx, &job, now));
    written
        .map_err(|error: crate::catalog::Error| error)
        .expect("written");
    // As the runner does it.
    catalog
        .claim_job(&[JobKind::TakeSnapshot], now)
        .expect("claimed")
        .expect("a job");
    if ends {
        catalog
            .begin_ending(id, Ending::Failed, &fault)
            .expect("written");
        let ended = catalog.write(|tx| end_job(tx, id, JobState::Failed, now));
        ended
            .map_err(|error: crate::catalog::Error| error)
            .expect("ended");
    } else {
        catalog
            .postpone_job(id, &fault, now + 60_000)
            .expect("written");
    }
}

#[test]
fn i15_an_operator_sees_numbers_and_kinds_and_nothing_of_an_organization() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open_with(settings(folder.path()), without_qemu());
    let control = &house.control;
    let them = caller(control, "owner@them");
    for (who, name) in [(&house.owner, "secret-ours"), (&them, "secret-theirs")] {
        let started = control
            .create_volume(who, name, house.zones[0], 1)
            .expect("begun");
        control.wait_for(started.job).expect("made");
    }
    let volume = house.volume("secret-ours").id;
    house.write(volume, 0, &[7; 8192]);
    house.new_snapshot(volume, "secret-copy");
    // From here on only what is written here stands in the table of jobs.
    control.stop();
    let named = || Fault::VolumeDamaged {
        name: "secret-volume".to_owned(),
    };
    work(control, "owner@them", Fault::ObjectStoreUnavailable, false);
    work(control, "owner@us", Fault::ObjectStoreUnavailable, false);
    work(control, "owner@them", named(), true);

    let view = control.zones(&house.owner).expect("an operator");
    let told = format!("{view:?}");
    for secret in ["secret", "Us", "Them", "owner@"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    assert_eq!(
        known(&view, "zone", "volumes"),
        &Known::Count(2),
        "theirs and ours"
    );
    assert!(
        matches!(known(&view, "zone", "promised"), Known::Share(promised, _) if promised.0 == 2 << 30)
    );
    assert!(
        matches!(known(&view, "zone", "room"), Known::Room(taken, total) if taken.0 <= total.0 && total.0 > 0)
    );
    assert_eq!(known(&view, "archive", "store-snapshots"), &Known::Count(1));
    assert_eq!(
        known(&view, "archive", "store-answers"),
        &Known::Word("yes".to_owned())
    );
    assert_eq!(known(&view, "archive", "kits"), &Known::CountOf(1, 2));
    assert_eq!(
        known(&view, "hypervisor", "qemu"),
        &Known::Word("none".to_owned())
    );
    let mut amiss = troubles(&view);
    // What the disk of the machine that tests has left is of no account.
    amiss.retain(|trouble| *trouble != "pool-low");
    assert_eq!(amiss, ["no-hypervisor", "kits"]);

    let rows: Vec<_> = view
        .work
        .iter()
        .map(|row| (row.state, row.count, row.fault.clone()))
        .collect();
    assert_eq!(
        rows,
        [
            (JobState::Waiting, 2, Some(Fault::ObjectStoreUnavailable)),
            (JobState::Failed, 1, None),
        ]
    );
    assert!(view.work[0].next.is_some() && view.work[1].next.is_none());

    for (email, refused) in [
        ("viewer@us", Fault::NotAllowed),
        ("editor@us", Fault::NotAllowed),
        ("owner@them", Fault::NotAllowed),
    ] {
        assert_eq!(
            control.zones(&caller(control, email)),
            Err(refused),
            "{email}"
        );
    }
    let nobody = crate::control::Caller::stranger(Door::Console);
    assert_eq!(control.zones(&nobody), Err(Fault::SignInNeeded));
}

#[test]
fn what_is_amiss_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut small = settings(folder.path());
    for zone in &mut small.zones {
        zone.limit = Some(1 << 20);
    }
    let house = House::open_with(small, without_qemu());
    let control = &house.control;
    let volume = house.new_volume("v");
    house.write(volume, 0, &vec![1; 1 << 20]);
    // What the catalog does not know.
    let pool = house.pool_of(volume);
    pool.create_volume(VolumeId::new(), 1 << 20).expect("made");
    control.core.reconcile().expect("compared");
    let view = control.zones(&house.owner).expect("an operator");
    assert_eq!(troubles(&view), ["pool-full", "no-hypervisor", "apart"]);
    let apart = view
        .cards
        .iter()
        .find(|card| card.name == "Lévis")
        .expect("the zone");
    assert_eq!(apart.apart.len(), 1);
    assert_eq!(apart.apart[0].kind, "volume");

    control.core.archive.replace(away(folder.path()));
    control.core.store_look.forget();
    let view = control.zones(&house.owner).expect("an operator");
    assert_eq!(
        troubles(&view)[..2],
        ["store-silent", "pool-full"],
        "the gravest first"
    );
    assert_eq!(
        known(&view, "archive", "store-answers"),
        &Known::Word("no".to_owned())
    );
    assert!(matches!(
        known(&view, "archive", "store-since"),
        Known::When(_)
    ));
}

/// An object store that was there, and is not any more.
fn away(data: &std::path::Path) -> Archive {
    let keys = data.join("elsewhere");
    let options = || ArchiveOptions {
        identity: Some(keys.join("store")),
        ..ArchiveOptions::new(MasterKey::open(&keys).expect("a key"))
    };
    let folder = data.join("away");
    let archive = Archive::open_folder(&folder, options()).expect("opened");
    // The first write leaves the mark.
    let named = [(crate::domain::id::OrganizationId::new(), "x".to_owned())];
    archive
        .export_kit(&named, "a passphrase of the test")
        .expect("a key is made");
    std::fs::rename(folder.join("objects"), folder.join("gone")).expect("moved");
    archive
}

#[test]
fn a_store_that_hangs_holds_up_no_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open_with(settings(folder.path()), without_qemu());
    let control = &house.control;
    // Whoever opens the store waits for ever.
    let _hangs = control.core.archive.hang();
    control.core.store_look.forget();
    let begun = Instant::now();
    let view = control.zones(&house.owner).expect("an operator");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        known(&view, "archive", "store-answers"),
        &Known::Word("asking".to_owned())
    );
}
