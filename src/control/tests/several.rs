//! Servers that share a bucket see, use and delete each other's snapshots and templates.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::house::{House, noise, settings, tuning};
use super::two::{PASSPHRASE, Server, Two, archive};
use crate::archive::tests::bucket::Bucket;
use crate::archive::tests::s3;
use crate::archive::tests::stores::{Fault as Outage, Wrapped};
use crate::archive::{Archive, ArchiveOptions, Kit, MasterKey, Retry, StoreConfig};
use crate::catalog::Catalog;
use crate::catalog::snapshots::Held;
use crate::control::Control;
use crate::domain::fault::Fault;
use crate::domain::id::{SnapshotId, VolumeId};
use crate::domain::job::JobState;
use crate::domain::snapshot::SnapshotState;
use crate::domain::template::TemplateState;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::view::{Act, Change};
use object_store::ObjectStoreExt;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
const DAY: Duration = Duration::from_secs(25 * 3600);

#[test]
fn i10_each_of_two_servers_sees_restores_verifies_and_deletes_what_the_other_saved() {
    let Two { one, two, .. } = &Two::open();
    assert_eq!(one.house.organization(), two.house.organization());
    let first = one.save("copie", 1);
    assert!(!two.sees(first), "it has not looked yet");
    two.look();
    let (here, there) = (one.snapshot(first), two.snapshot(first));
    assert_eq!(
        (there.zone.as_deref(), there.elsewhere),
        (here.zone.as_deref(), true)
    );
    assert!(!here.elsewhere);
    for told in [&here, &there] {
        assert_eq!(told.state, SnapshotState::Saved);
        assert_eq!(
            (told.name.as_str(), told.volume.as_str()),
            ("copie", "copie")
        );
        assert_eq!((told.kind, told.size), (VolumeKind::Data, here.size));
        assert_eq!((told.data, told.taken), (here.data, here.taken));
        assert_eq!(told.reclaimable, here.reclaimable);
    }

    // The same name is taken in the other one too: both see both.
    let taken =
        two.house
            .control
            .take_snapshot(&two.house.owner, two.house.new_volume("v"), "Copie");
    assert!(matches!(taken, Err(Fault::NameTaken { .. })), "{taken:?}");
    let second = two.save("copie 2", 2);
    one.look();
    assert!(one.restored(second, "de l’autre") == noise(2, MIB));
    assert!(two.restored(first, "de l’autre") == noise(1, MIB));

    // What another server took can be proven here; it knows nothing of that.
    let begun = two.house.control.verify_snapshot(&two.house.owner, first);
    two.house.succeeded(begun.unwrap().job);
    assert_eq!(two.snapshot(first).state, SnapshotState::Verified);
    two.look();
    one.look();
    assert_eq!(two.snapshot(first).state, SnapshotState::Verified);
    assert_eq!(one.snapshot(first).state, SnapshotState::Saved);

    two.delete(first);
    assert!(one.sees(first), "it has not looked yet");
    one.look();
    assert!(!one.sees(first) && one.sees(second));
    assert_eq!(one.gone(), [(Act::SnapshotGone, "copie".to_owned())]);
    assert_eq!(two.gone(), [], "that one's own act is told as such");
    // Nothing of it is left in the pool, and the volume's next snapshot reads everything.
    let volume = one.house.volume("copie").id;
    assert!(one.house.pool_of(volume).checkpoints().is_empty());
    let again = one.house.new_snapshot(volume, "copie");
    two.look();
    assert!(two.restored(again, "encore") == noise(1, MIB));
}

#[test]
fn i10_templates_are_seen_used_and_deleted_by_the_other_server() {
    let Two { one, two, .. } = &Two::open();
    let mut head = noise(7, MIB);
    head[510..512].copy_from_slice(&[0x55, 0xaa]);
    let volume = one.house.root_volume("racine", VolumeKind::Root, &head);
    let root = one.house.new_snapshot(volume, "racine");
    two.look();
    // Each makes one of the same snapshot, under the same name, before it knows of the other's.
    for server in [one, two] {
        let (control, owner) = (&server.house.control, &server.house.owner);
        let made = control.create_template(owner, root, "Modèle", "Compte\nà voix haute");
        server.house.succeeded(made.unwrap().job);
    }
    let (ours, theirs) = (one.house.template(), two.house.template());
    for server in [one, two] {
        server.look();
        assert_eq!(server.house.templates().len(), 2);
        assert_eq!(
            server.snapshots().len(),
            1,
            "what a template holds is no snapshot"
        );
    }
    let mut seen = two.house.templates().into_iter();
    let seen = seen.find(|row| row.id == ours.id).unwrap();
    assert!(seen.elsewhere && !ours.elsewhere);
    assert_eq!(
        (&seen.name, &seen.description),
        (&ours.name, &ours.description)
    );
    assert_eq!((&seen.origin, seen.size), (&ours.origin, ours.size));
    assert_eq!((seen.data, seen.created), (ours.data, ours.created));
    assert_eq!(seen.state, TemplateState::Ready);

    one.delete(root);
    let deleted = one
        .house
        .control
        .delete_template(&one.house.owner, theirs.id);
    one.house.succeeded(deleted.unwrap().job);
    two.look();
    assert_eq!(two.house.template().id, ours.id);
    let gone = two.gone();
    assert_eq!(gone.len(), 2);
    for act in [
        (Act::SnapshotGone, "racine".to_owned()),
        (Act::TemplateGone, "Modèle".to_owned()),
    ] {
        assert!(gone.contains(&act), "{gone:?}");
    }
}

#[test]
fn a_look_costs_two_listings_and_a_read_for_each_new_snapshot() {
    let Two { one, two, .. } = &Two::open();
    for number in 0..3 {
        one.save(&format!("copie {number}"), number);
    }
    two.asked();
    two.look();
    let (lists, gets, writes) = two.asked();
    // Manifests and holds of each of the two organizations; the keys of the one that has something, this once.
    assert_eq!((lists, gets, writes), (2 * 2 + 1, 3, 0));
    for _ in 0..2 {
        two.look();
        assert_eq!(two.asked(), (2 * 2, 0, 0), "nothing is new");
    }
    two.house
        .control
        .list_snapshots(&two.house.owner, 1)
        .unwrap();
    assert_eq!(two.asked(), (0, 0, 0), "a page asks for nothing");
    one.delete(one.snapshots()[0].id);
    two.look();
    // Before anything is forgotten it is made sure that it is the same bucket.
    assert_eq!(two.asked(), (2 * 2 + 1, 0, 0));
    assert_eq!(two.snapshots().len(), 2);
}

#[test]
fn i10_no_row_goes_because_a_store_does_not_answer_is_empty_or_is_another() {
    let Two {
        bucket,
        one,
        two,
        folders,
    } = &Two::open();
    let ours = one.save("d’ici", 1);
    let theirs = two.save("d’ailleurs", 2);
    one.look();
    assert_eq!(one.snapshots().len(), 2);
    let control = &one.house.control;
    let turn = |store: Archive| control.core.archive.replace(store);

    // Each request of a look that would forget something fails in turn.
    two.delete(theirs);
    let same = || archive(folders[0].path(), &bucket.door(0));
    for nth in 0.. {
        let store = Wrapped::new(bucket.door(0) as _);
        let options = ArchiveOptions {
            retry: Retry {
                attempts: 1,
                ..Retry::default()
            },
            ..ArchiveOptions::new(MasterKey::open(&folders[0].path().join("keys")).unwrap())
        };
        turn(Archive::with_store(Arc::clone(&store) as _, options).unwrap());
        store.fail(nth, Outage::Dead);
        one.look();
        if !store.heal() {
            assert!(nth > 10, "every kind of request was among them: {nth}");
            break;
        }
        assert!(one.sees(ours), "request {nth}");
        if !one.sees(theirs) {
            // Only the organization that was looked at later failed.
            assert_eq!(one.gone().len(), 1);
        }
    }
    assert!(one.sees(ours) && !one.sees(theirs));
    assert_eq!(one.gone(), [(Act::SnapshotGone, "d’ailleurs".to_owned())]);

    // An empty bucket: nothing is mounted, or the prefix is misspelt.
    let empty = Bucket::new();
    turn(archive(folders[0].path(), &empty.door(0)));
    for _ in 0..2 {
        one.look();
        assert!(one.sees(ours));
    }
    // Another bucket, that something was saved to since: the organization has a key there, but it is not that key.
    let stray = one.save("égarée", 3);
    for _ in 0..2 {
        one.look();
        assert!(one.sees(ours) && one.sees(stray));
    }
    // The right one again. What it lacks is gone from it, as far as anybody can tell.
    turn(same());
    one.look();
    assert!(one.sees(ours) && !one.sees(stray));
    assert!(one.restored(ours, "encore") == noise(1, MIB));
}

#[test]
fn a_server_stops_while_the_store_does_not_answer() {
    // The first use of the organization, and every later one.
    for known in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::open(folder.path(), &Bucket::new(), 0);
        server.save("copie", 1);
        let core = &server.house.control.core;
        let store = Wrapped::new(Arc::clone(&server.door) as _);
        let options = ArchiveOptions {
            // Longer than anybody waits for this test.
            retry: Retry {
                patience: Duration::from_secs(7 * 24 * 3600),
                ..Retry::default()
            },
            ..ArchiveOptions::new(MasterKey::open(&folder.path().join("keys")).unwrap())
        };
        core.archive
            .replace(Archive::with_store(Arc::clone(&store) as _, options).unwrap());
        if known {
            server.look();
        }
        std::thread::scope(|scope| {
            store.fail(0, Outage::Silent);
            let looking = scope.spawn(|| core.take_stock());
            while !store.heal() {
                store.fail(0, Outage::Silent);
                std::thread::sleep(Duration::from_millis(5));
                assert!(!looking.is_finished(), "it waits for the store");
            }
            core.upkeep.stop();
            looking.join().unwrap();
        });
    }
}

#[test]
fn i10_a_snapshot_is_deleted_by_both_at_once_and_while_the_other_fills_from_it() {
    let Two {
        bucket, one, two, ..
    } = &Two::open();
    let both = one.save("des deux", 1);
    let used = one.save("utilisée", 2);
    two.look();
    let begun = [one, two].map(|server| {
        let begun = server
            .house
            .control
            .delete_snapshot(&server.house.owner, both);
        (server, begun.unwrap().job)
    });
    for (server, job) in begun {
        server.house.succeeded(job);
        server.look();
        assert!(!server.sees(both) && server.gone().is_empty());
    }

    // The second server's volume stands on it, and has not come; the first deletes it, and prunes until nothing is left
    // that is not needed.
    let actor = two.house.owner.actor.as_ref().unwrap();
    let zone = two
        .house
        .control
        .core
        .zones
        .get(two.house.zones[1])
        .unwrap();
    let (kind, state) = (VolumeKind::Data, VolumeState::Restoring);
    let size = two.snapshot(used).size;
    let volume = two
        .house
        .control
        .new_volume(actor, zone, "v", kind, size, state);
    let core = &two.house.control.core;
    core.catalog
        .write(|tx| crate::catalog::volumes::insert_volume(tx, &volume))
        .unwrap();
    core.hold_content(&volume, used, "utilisée").unwrap();
    core.make_remote(&volume).unwrap();
    one.delete(used);
    for _ in 0..3 {
        one.clock.advance(DAY.as_millis() as i64);
        one.house.control.core.prune_when_due();
        bucket.pass(DAY);
    }
    assert!(bucket.count("packs") > 0, "they are held");
    two.look();
    assert!(!two.sees(used));
    assert!(two.house.read(volume.id, 0, MIB) == noise(2, MIB));
    // What is asked of it from now on is told plainly.
    let late = two.house.control.verify_snapshot(&two.house.owner, used);
    assert!(matches!(late, Err(Fault::NotFound { .. })), "{late:?}");
}

#[test]
fn i10_what_was_saved_here_and_deleted_elsewhere_goes_at_the_first_look() {
    let Two { one, two, .. } = &Two::open();
    let only = one.save("copie", 1);
    two.look();
    two.delete(only);
    one.look();
    assert!(!one.sees(only));
    assert_eq!(one.gone(), [(Act::SnapshotGone, "copie".to_owned())]);
}

#[test]
fn i10_work_that_began_before_the_look_keeps_its_row() {
    let Two { one, two, .. } = &Two::open();
    let used = one.save("utilisée", 1);
    two.look();
    let (control, owner) = (&two.house.control, &two.house.owner);
    // Nothing is carried out: the work is there, and waits.
    control.runner.shutdown();
    let begun = control.create_volume_from_snapshot(owner, used, two.house.zones[0], "v");
    begun.unwrap();
    one.delete(used);
    two.look();
    assert!(two.sees(used) && two.gone().is_empty());
}

#[test]
fn i16_a_server_that_is_closed_between_a_deletion_and_the_look_finds_it_at_its_start() {
    let Two {
        bucket,
        one,
        two,
        folders,
    } = Two::open();
    let (first, second) = (one.save("a", 1), one.save("b", 2));
    two.look();
    drop(two);
    one.delete(first);
    let third = one.save("c", 3);
    let two = Server::open(folders[1].path(), &bucket, 1);
    assert!(!two.sees(first) && two.sees(second) && two.sees(third));
    assert_eq!(two.gone().len(), 1);

    // As it stands where the process died after the boundary had gone from the pool, and before the row did.
    two.delete(second);
    let row = one
        .house
        .control
        .catalog()
        .snapshot(second)
        .unwrap()
        .unwrap();
    let pool = one.house.pool_of(row.volume);
    pool.delete_checkpoint(row.checkpoint).unwrap();
    drop(one);
    let one = Server::open(folders[0].path(), &bucket, 0);
    assert!(!one.sees(second) && one.sees(third));
    assert_eq!(one.gone(), [(Act::SnapshotGone, "b".to_owned())]);
    assert!(one.house.control.quarantine().unwrap().is_empty());
}

#[test]
fn i15_an_organization_sees_nothing_of_another_in_the_same_bucket() {
    let Two { one, two, .. } = &Two::open();
    let ours = one.save("à nous", 1);
    two.look();
    let them = super::house::caller(&two.house.control, "owner+2@us");
    let control = &two.house.control;
    assert!(control.list_snapshots(&them, 1).unwrap().rows.is_empty());
    let none = Fault::NotFound {
        what: crate::domain::fault::Noun::Snapshot,
    };
    assert_eq!(control.snapshot(&them, ours).unwrap_err(), none);
    assert_eq!(control.delete_snapshot(&them, ours).unwrap_err(), none);
    assert!(two.sees(ours));
}

/// Waits until it is so: long enough for any machine.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A region on an S3 service, as the settings name one.
fn on_s3(data: &Path, service: &s3::Server) -> House {
    let mut settings = settings(data);
    settings.archive = Some(StoreConfig::S3(service.config()));
    // After its start it looks when it is told to.
    let mut tuning = tuning();
    tuning.look = DAY;
    House::open_with(settings, tuning)
}

#[test]
fn i08_a_second_server_on_an_s3_service_shows_at_its_start_and_by_itself_what_the_first_saved() {
    let service = s3::Server::start();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let one = on_s3(folders[0].path(), &service);
    let volume = one.new_volume("v");
    one.write(volume, 0, &noise(1, MIB));
    let first = one.new_snapshot(volume, "avant");
    let archive = one.control.core.archive.get().unwrap();
    let organizations = one.control.core.catalog.organizations().unwrap();
    let kit = archive.export_kit(&organizations, PASSPHRASE).unwrap();
    let kit = Kit::open(&kit, PASSPHRASE).unwrap();

    // The kit is brought to a server that runs already, as one does it at the machine.
    let two = on_s3(folders[1].path(), &service);
    let core = &two.control.core;
    core.archive.get().unwrap().import_kit(&kit).unwrap();
    let beside = Catalog::open(&folders[1].path().join("catalog.db")).unwrap();
    let joined = Control::join(&beside, &organizations, "America/Montreal", "ada@us");
    let joined = joined.unwrap();
    drop(beside);
    let ada = super::house::caller(&two.control, &joined[0].email);
    let mut told = two.control.subscribe(&ada, None).unwrap().changes;
    let rows = || two.control.list_snapshots(&ada, 1).unwrap().rows;
    assert!(rows().is_empty());
    core.look_after();
    assert_eq!(rows()[0].id, first);
    let mut lists = Vec::new();
    soon("the pages are told", || {
        lists.extend(told.try_recv().map(|(_, change)| change));
        lists.contains(&Change::Snapshots)
    });
    drop(two);

    // It begins to look when it starts.
    one.write(volume, 0, &noise(2, MIB));
    let second = one.new_snapshot(volume, "après");
    let two = on_s3(folders[1].path(), &service);
    let ada = super::house::caller(&two.control, "ada@us");
    let rows = || two.control.list_snapshots(&ada, 1).unwrap().rows;
    soon("it looks when it starts", || rows().len() == 2);
    let begun = two
        .control
        .create_volume_from_snapshot(&ada, second, two.zones[0], "v");
    let begun = begun.unwrap().job;
    soon("the volume is made", || {
        let jobs = two.control.catalog().live_jobs().unwrap();
        jobs.iter().all(|job| job.id != begun)
    });
    let made = two.control.list_volumes(&ada, 1).unwrap().rows.remove(0);
    assert_eq!(made.state, VolumeState::Ready, "{made:?}");
    assert!(two.read(made.id, 0, MIB) == noise(2, MIB));
}

#[test]
fn i09_a_snapshot_whose_manifest_cannot_be_read_is_not_taken_for_gone() {
    let Two {
        bucket,
        one,
        two,
        folders,
    } = Two::open();
    let (hurt, whole) = (one.save("abîmée", 1), one.save("entière", 2));
    let late = one.save("tardive", 3);
    two.look();
    drop(two);
    two_bytes_of(&bucket, &format!("/manifests/{hurt}."));
    one.delete(late);
    let two = Server::open(folders[1].path(), &bucket, 1);
    assert!(two.sees(hurt) && two.sees(whole) && !two.sees(late));
    let begun = two.house.control.verify_snapshot(&two.house.owner, hurt);
    let fault = two.house.failed(begun.unwrap().job);
    assert!(!matches!(fault, Fault::Internal { .. }), "{fault:?}");
}

/// Two bytes of the object whose name contains this are others.
fn two_bytes_of(bucket: &Arc<Bucket>, part: &str) {
    let mut names = bucket.names().into_iter();
    let name = names.find(|name| name.contains(part)).unwrap();
    let path = object_store::path::Path::from(name);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let read = bucket.inner.get(&path).await.unwrap();
        let mut bytes = read.bytes().await.unwrap().to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes[middle + 1] ^= 1;
        bucket.inner.put(&path, bytes.into()).await.unwrap();
    });
}

#[test]
fn i08_what_a_pool_still_has_whole_is_not_forgotten_with_the_bucket() {
    let Two { one, two, .. } = &Two::open();
    let only = one.save("copie", 1);
    two.look();
    // As it stands after a pool that refused to give the data up.
    one.house
        .control
        .catalog()
        .set_held(only, Held::Whole)
        .unwrap();
    two.delete(only);
    one.look();
    assert!(one.sees(only) && one.gone().is_empty());
}

/// What is in the bucket for all that the servers were told, and what each snapshot is of.
#[derive(Default)]
struct Truth {
    /// The seed of what each holds.
    saved: HashMap<SnapshotId, u64>,
    next: u64,
}

impl Server {
    /// One act of a life at random.
    fn live(&self, truth: &Mutex<Truth>, volume: VolumeId, choice: u64) {
        match choice % 5 {
            0 | 1 => {
                let seed = {
                    let mut truth = truth.lock().unwrap();
                    truth.next += 1;
                    truth.next
                };
                // Different in part: the next snapshot builds on this one.
                let at = (choice >> 8) % 4 * (MIB as u64 / 4);
                self.house.write(volume, 0, &noise(seed, MIB));
                self.house
                    .write(volume, 8 * MIB as u64 + at, &noise(choice, 4096));
                let begun = self.house.control.take_snapshot(
                    &self.house.owner,
                    volume,
                    &format!("s{seed}"),
                );
                let begun = begun.unwrap();
                let ended = self.house.ended(begun.job);
                assert_eq!(ended.state, JobState::Succeeded, "{ended:?}");
                let mut rows = self.snapshots().into_iter();
                let row = rows.find(|row| row.name == format!("s{seed}"));
                truth.lock().unwrap().saved.insert(row.unwrap().id, seed);
            }
            2 => {
                let rows = self.snapshots();
                let usable: Vec<_> = rows.iter().filter(|row| row.state.is_usable()).collect();
                if usable.len() > 2 {
                    let row = usable[(choice >> 8) as usize % usable.len()];
                    // From the moment that it is asked for, nobody counts on it.
                    truth.lock().unwrap().saved.remove(&row.id);
                    let begun = self
                        .house
                        .control
                        .delete_snapshot(&self.house.owner, row.id);
                    if let Ok(begun) = begun {
                        self.house.succeeded(begun.job);
                    }
                }
            }
            3 => self.look(),
            _ => {
                self.clock.advance(DAY.as_millis() as i64);
                self.house.control.core.prune_when_due();
            }
        }
    }
}

#[test]
fn i10_two_servers_save_delete_and_prune_at_once_and_lose_nothing() {
    let Two {
        bucket, one, two, ..
    } = &Two::open();
    let truth = Mutex::new(Truth::default());
    let volumes = [one, two].map(|server| server.house.new_volume("v"));
    for round in 0..4_u64 {
        std::thread::scope(|scope| {
            for (number, server) in [one, two].into_iter().enumerate() {
                let (truth, volume) = (&truth, volumes[number]);
                scope.spawn(move || {
                    for act in 0..6 {
                        let seed = round * 100 + act * 10 + number as u64;
                        let bytes = noise(seed + 1, 8);
                        let choice = u64::from_le_bytes(bytes.try_into().unwrap());
                        server.live(truth, volume, choice >> 3);
                    }
                });
            }
        });
        // Nothing is under way: what was condemned may go in the next round.
        bucket.pass(DAY);
    }
    let truth = truth.into_inner().unwrap();
    assert!(truth.saved.len() > 3, "{:?}", truth.saved);
    for (number, server) in [one, two].into_iter().enumerate() {
        server.look();
        let rows = server.snapshots().into_iter();
        let seen: HashSet<SnapshotId> = rows.map(|row| row.id).collect();
        for (id, seed) in &truth.saved {
            assert!(seen.contains(id), "server {number} lacks s{seed}");
            let name = format!("restauré {seed}");
            assert!(server.restored(*id, &name) == noise(*seed, MIB), "s{seed}");
        }
        assert_eq!(seen.len(), truth.saved.len(), "and nothing else");
    }
}
