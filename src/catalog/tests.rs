//! Databases that earlier versions wrote.

use super::snapshots::{Held, Snapshot, insert_snapshot, snapshot_name_taken};
use super::templates::{insert_template, template_of};
use super::{Catalog, MIGRATIONS};
use crate::domain::id::{CheckpointId, OrganizationId, SnapshotId, TemplateId, ZoneId};
use rusqlite::Connection;
use std::path::Path;

const CONTENT: &str = "
    INSERT INTO organizations VALUES ('11111111-1111-4111-8111-111111111111', 'Us', 'America/Montreal', 1);
    INSERT INTO zones VALUES ('22222222-2222-4222-8222-222222222222', 'Montréal', 1);
    INSERT INTO snapshots VALUES
      ('33333333-3333-4333-8333-333333333333', '11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222',
       '44444444-4444-4444-8444-444444444444', 'web-01', 'root', 4096, 'Copie', 'copie', 'verified', NULL,
       '55555555-5555-4555-8555-555555555555', 'base', 7, 8, 9, 10, '66666666-6666-4666-8666-666666666666'),
      ('77777777-7777-4777-8777-777777777777', '11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222',
       '44444444-4444-4444-8444-444444444444', 'web-01', 'data', 8192, 'Autre', 'autre', 'creating', NULL,
       '88888888-8888-4888-8888-888888888888', 'not-yet', 11, NULL, NULL, NULL, NULL);
    INSERT INTO templates VALUES
      ('99999999-9999-4999-8999-999999999999', '11111111-1111-4111-8111-111111111111', 'Modèle', 'modèle', '', 'ready', NULL,
       'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 4096, 10, 'Copie', 12);";

fn id<T: std::str::FromStr>(digit: char) -> T {
    let run = |length| digit.to_string().repeat(length);
    let text = format!("{}-{}-4{}-8{}-{}", run(8), run(4), run(3), run(3), run(12));
    let Ok(id) = text.parse() else {
        panic!("no id: {text}")
    };
    id
}

/// A database as version 6 left it.
fn of_version_6(path: &Path) {
    let mut file = Connection::open(path).expect("a database");
    MIGRATIONS.to_version(&mut file, 6).expect("the schema");
    file.execute_batch(CONTENT).expect("rows");
}

#[test]
fn a_catalog_of_version_6_keeps_what_is_in_it() {
    MIGRATIONS.validate().expect("every step");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("catalog.db");
    of_version_6(&path);
    // The second time there is nothing to do.
    for _ in 0..2 {
        let catalog = Catalog::open(&path).expect("a catalog");
        let us: OrganizationId = id('1');
        let zone: ZoneId = id('2');
        let of = |id: SnapshotId| {
            catalog
                .snapshot(id)
                .expect("an answer")
                .expect("it is there")
        };
        let copy = of(id('3'));
        assert_eq!((copy.zone, copy.place.as_deref()), (Some(zone), None));
        assert_eq!(
            (copy.name.as_str(), copy.volume_name.as_str(), copy.held),
            ("Copie", "web-01", Held::Base)
        );
        assert_eq!((copy.taken, copy.verified), (7, Some(8)));
        assert_eq!(copy.data.map(|data| data.0), Some(9));
        assert_eq!(copy.checkpoint, id::<CheckpointId>('5'));
        assert_eq!(copy.base, Some(id('6')));
        assert_eq!(of(id('7')).held, Held::NotYet);
        let listed = catalog.list_snapshots(us, &1.into(), 50).expect("a list");
        assert_eq!(listed.total, 2);
        assert!(
            listed
                .rows
                .iter()
                .all(|row| row.zone_name.as_deref() == Some("Montréal"))
        );
        assert_eq!(catalog.snapshots_of_zone(zone).expect("a list").len(), 2);
        let template = catalog.template(id::<TemplateId>('9'));
        let template = template.expect("an answer").expect("it is there");
        assert!(!template.elsewhere && template.created == 12);
        assert_eq!(catalog.store_of(us).expect("an answer"), None);
        let sound: String = catalog
            .read(|tx| {
                super::Context::context(
                    tx.query_row("PRAGMA integrity_check", [], |row| row.get(0)),
                    "check",
                )
            })
            .expect("an answer");
        assert_eq!(sound, "ok");
    }
}

#[test]
fn names_are_unique_among_what_was_made_here_and_not_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("catalog.db");
    of_version_6(&path);
    let catalog = Catalog::open(&path).expect("a catalog");
    let ours = catalog.snapshot(id('3')).expect("an answer");
    let ours = ours.expect("it is there");
    let write = |snapshot: &Snapshot| {
        catalog.write(|tx| {
            insert_snapshot(tx, snapshot)?;
            snapshot_name_taken(tx, ours.organization, "COPIE")
        })
    };
    let another = Snapshot {
        id: SnapshotId::new(),
        checkpoint: CheckpointId::new(),
        ..ours.clone()
    };
    assert!(write(&another).is_err(), "the same name, taken here");
    let elsewhere = Snapshot {
        zone: None,
        place: Some("Lévis".to_owned()),
        ..another
    };
    assert!(write(&elsewhere).is_err(), "no pool has a boundary of it");
    let elsewhere = Snapshot {
        held: Held::Gone,
        ..elsewhere
    };
    assert!(write(&elsewhere).expect("written"));
    let listed = catalog
        .listed_snapshot(ours.organization, elsewhere.id)
        .expect("an answer");
    assert_eq!(listed.expect("listed").zone_name.as_deref(), Some("Lévis"));

    let template = catalog
        .read(|tx| template_of(tx, ours.organization, id('9')))
        .expect("an answer")
        .expect("it is there");
    let write = |elsewhere| {
        let another = super::templates::Template {
            id: TemplateId::new(),
            content: SnapshotId::new(),
            elsewhere,
            ..template.clone()
        };
        catalog.write(|tx| insert_template(tx, &another))
    };
    assert!(write(false).is_err());
    write(true).expect("written");
}

#[test]
fn of_those_that_were_there_the_oldest_owner_becomes_the_operator() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("catalog.db");
    of_version_6(&path);
    let file = Connection::open(&path).expect("a database");
    let member =
        "INSERT INTO users (id, organization, email, name, role, password, one_time, created)
                  VALUES (?1, '11111111-1111-4111-8111-111111111111', ?1, ?1, ?2, '', 0, ?3)";
    // Not the oldest member, not the Owner whose address comes first.
    for (name, role, created) in [
        ("a@us", "editor", 1),
        ("b@us", "owner", 3),
        ("c@us", "owner", 2),
    ] {
        file.execute(member, (name, role, created))
            .expect("a member");
    }
    drop(file);
    for _ in 0..2 {
        let catalog = Catalog::open(&path).expect("a catalog");
        let operators = catalog.operators().expect("a list");
        assert_eq!(operators, [("c@us".to_owned(), "c@us".to_owned())]);
    }
}

#[test]
fn many_who_read_share_few_connections_and_none_waits_for_itself() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = Catalog::open(&folder.path().join("catalog.db")).expect("a catalog");
    let inside = AtomicUsize::new(0);
    let all = std::sync::Barrier::new(super::READERS + 1);
    let leave = std::sync::Barrier::new(super::READERS + 1);
    std::thread::scope(|scope| {
        for _ in 0..super::READERS {
            scope.spawn(|| {
                let read = catalog.read::<_, super::Error>(|_| {
                    all.wait();
                    leave.wait();
                    // A read within a read has a connection of its own: it would wait for itself.
                    catalog.read::<_, super::Error>(|_| Ok(()))
                });
                read.expect("an answer");
            });
        }
        all.wait();
        let late = scope.spawn(|| {
            let read =
                catalog.read::<_, super::Error>(|_| Ok(inside.fetch_add(1, Ordering::SeqCst)));
            read.expect("an answer");
        });
        // Long enough for a read that does not wait.
        std::thread::sleep(std::time::Duration::from_millis(200));
        let early = inside.load(Ordering::SeqCst);
        leave.wait();
        late.join().expect("it has read");
        assert_eq!(early, 0, "it waits for a connection");
    });
    assert_eq!(inside.into_inner(), 1);
    let open = |catalog: &Catalog| {
        let readers = super::lock(&catalog.inner.readers);
        (readers.open, readers.idle.len())
    };
    assert_eq!(open(&catalog), (super::READERS, super::READERS));

    // One that panics gives its connection back.
    let fails = || catalog.read::<(), super::Error>(|_| panic!("in the middle of it"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(fails)).is_err());
    assert_eq!(open(&catalog), (super::READERS, super::READERS));
}
