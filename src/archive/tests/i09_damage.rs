//! I-9: a wrong, missing or truncated object is detected and named, never restored as data.

use super::device::Memory;
use super::*;
use bytes::Bytes;
use futures::executor::block_on;
use object_store::ObjectStoreExt;
use object_store::path::Path as Name;

const BLOCK: u64 = 4096;

struct Fixture {
    store: Arc<InMemory>,
    devices: Vec<Memory>,
    changed: BlockSet,
}

/// Two snapshots, the second upon the first, and a damage record: one object of every kind at least.
fn fixture() -> Fixture {
    let store = Arc::new(InMemory::new());
    let archive =
        Archive::with_store_alone(Arc::clone(&store) as Arc<dyn ObjectStore>, options()).unwrap();
    let device = Memory::new(SEGMENT_SIZE + 64 * BLOCK);
    for n in 0..6 {
        device.paint(n * 64 * BLOCK..n * 64 * BLOCK + 20 * BLOCK, n as u8 + 1);
    }
    device.fill(SEGMENT_SIZE..SEGMENT_SIZE + 2 * BLOCK, 1);
    save(&archive, snapshot(1), &device, None).unwrap();
    let second = device.copy(device.size());
    second.paint(5 * BLOCK..7 * BLOCK, 77);
    second.fill(40 * BLOCK..41 * BLOCK, 4);
    let mut changed = BlockSet::new();
    changed.insert_range(5..7);
    changed.insert_range(40..41);
    let saved = save(
        &archive,
        snapshot(2),
        &second,
        Some((snapshot(1), &changed)),
    )
    .unwrap();
    assert!(saved.incremental);
    let organization = archive.organization(ORGANIZATION).unwrap();
    let nothing_real = [((format::Kind::Pack, format::ObjectId::new()), 64)];
    archive
        .shared
        .store
        .runtime()
        .block_on(organization.record_damage(&archive.shared.store, &nothing_real))
        .unwrap();
    Fixture {
        store,
        devices: vec![device, second],
        changed,
    }
}

impl Fixture {
    fn names(&self) -> Vec<String> {
        let store: Arc<dyn ObjectStore> = Arc::clone(&self.store) as _;
        objects(&store).into_keys().collect()
    }

    fn get(&self, name: &str) -> Bytes {
        block_on(async {
            self.store
                .get(&Name::from(name))
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap()
        })
    }

    /// A copy of the store in which `name` holds other bytes, or none.
    fn with(&self, name: &str, bytes: Option<Vec<u8>>) -> Arc<dyn ObjectStore> {
        let store = self.store.fork();
        block_on(async {
            match bytes {
                Some(bytes) => drop(store.put(&Name::from(name), bytes.into()).await.unwrap()),
                None => store.delete(&Name::from(name)).await.unwrap(),
            }
        });
        Arc::new(store)
    }

    /// Nothing wrong is ever restored; the damage is found; and saving goes on, without building upon it.
    fn examine(&self, name: &str, what: &str, store: &Arc<dyn ObjectStore>, save_again: bool) {
        let archive = open(store);
        let mut refused = 0;
        for (n, device) in self.devices.iter().enumerate() {
            match restored(&archive, snapshot(n as u8 + 1), device.size()) {
                Ok(target) => assert!(
                    target.content() == device.content(),
                    "{name} {what}: other data was restored"
                ),
                Err(Error::Damaged { .. } | Error::NoSuchSnapshot { .. }) => refused += 1,
                Err(error) => panic!("{name} {what}: {error:?}"),
            }
        }
        let findings = archive.check(true).unwrap();
        let gone = what == "missing";
        let named = findings.iter().any(|finding| finding.object == name);
        if gone && name.contains("/keys/") {
            // What names the key is reported, with the key's id.
            let id = name.rsplit('/').next().unwrap();
            let id = id.split('.').next().unwrap();
            assert!(
                findings
                    .iter()
                    .any(|finding| finding.damage == Damage::Key { key: id.to_owned() }),
                "{name} {what}: {findings:?}"
            );
        } else if gone && (name.contains("/manifests/") || name.contains("/damage/")) {
            assert!(
                !named && findings.is_empty(),
                "{name} {what}: it does not exist: {findings:?}"
            );
        } else {
            assert!(named, "{name} {what}: not found: {findings:?}");
        }
        let affected: std::collections::BTreeSet<_> = findings
            .iter()
            .flat_map(|finding| finding.snapshots.clone())
            .collect();
        if !gone {
            assert!(
                affected.len() >= refused,
                "{name} {what}: {refused} snapshots cannot be restored, {affected:?} are named"
            );
        }
        if save_again {
            let device = self.devices[1].copy(self.devices[1].size());
            save(
                &archive,
                snapshot(9),
                &device,
                Some((snapshot(1), &self.changed)),
            )
            .unwrap();
            let target = restored(&archive, snapshot(9), device.size())
                .unwrap_or_else(|error| panic!("{name} {what}: {error}"));
            assert!(
                target.content() == device.content(),
                "{name} {what}: saved again upon damage"
            );
            // The same in another process, which has only the store to know from.
            let archive = open(store);
            save(
                &archive,
                snapshot(10),
                &device,
                Some((snapshot(2), &BlockSet::new())),
            )
            .unwrap();
            assert!(
                restored(&archive, snapshot(10), device.size())
                    .unwrap()
                    .content()
                    == device.content(),
                "{name} {what}"
            );
        }
    }
}

#[test]
fn i09_missing_objects() {
    let fixture = fixture();
    for name in fixture.names() {
        fixture.examine(&name, "missing", &fixture.with(&name, None), true);
    }
}

#[test]
fn i09_truncated_and_lengthened_objects() {
    let fixture = fixture();
    for name in fixture.names() {
        let bytes = fixture.get(&name);
        let lengths: Vec<usize> = (0..bytes.len())
            .filter(|n| *n < 300 || n % 61 == 0 || *n > bytes.len() - 60)
            .collect();
        for (n, length) in lengths.into_iter().enumerate() {
            fixture.examine(
                &name,
                &format!("cut at {length}"),
                &fixture.with(&name, Some(bytes[..length].to_vec())),
                n % 50 == 0,
            );
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        fixture.examine(
            &name,
            "one byte longer",
            &fixture.with(&name, Some(longer)),
            true,
        );
    }
}

#[test]
fn i09_flipped_bits() {
    let fixture = fixture();
    for name in fixture.names() {
        let bytes = fixture.get(&name);
        // Everywhere, but for the long payload of chunks that could not be compressed.
        for at in (0..bytes.len()).filter(|n| *n < 1000 || n % 29 == 0 || *n > bytes.len() - 1000) {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << (at % 8);
            fixture.examine(
                &name,
                &format!("bit at {at}"),
                &fixture.with(&name, Some(flipped)),
                at % 97 == 0,
            );
        }
    }
}

#[test]
fn i09_swapped_objects() {
    let fixture = fixture();
    for name in fixture.names() {
        for other in fixture.names() {
            if name != other {
                let store = fixture.with(&name, Some(fixture.get(&other).to_vec()));
                fixture.examine(&name, &format!("holds {other}"), &store, true);
            }
        }
    }
}

#[test]
fn i09_objects_of_another_organization() {
    let fixture = fixture();
    let other = OrganizationId::from_bytes([8; 16]);
    let archive = Archive::with_store_alone(
        Arc::clone(&fixture.store) as Arc<dyn ObjectStore>,
        options(),
    )
    .unwrap();
    let mut theirs = request(snapshot(1), &fixture.devices[0], None);
    theirs.organization = other;
    archive.save(&theirs, &mut ()).unwrap();
    assert!(archive.check(true).unwrap().is_empty());
    let own = |name: &String| name.starts_with(&ORGANIZATION.to_string());
    for name in fixture.names().into_iter().filter(own) {
        for foreign in fixture.names().into_iter().filter(|name| !own(name)) {
            let store = fixture.with(&name, Some(fixture.get(&foreign).to_vec()));
            fixture.examine(&name, &format!("holds {foreign}"), &store, false);
        }
    }
}

#[test]
fn i09_no_content_is_shared_between_organizations() {
    let fixture = fixture();
    let archive = Archive::with_store_alone(
        Arc::clone(&fixture.store) as Arc<dyn ObjectStore>,
        options(),
    )
    .unwrap();
    let mut theirs = request(snapshot(1), &fixture.devices[0], None);
    theirs.organization = OrganizationId::from_bytes([8; 16]);
    let first = archive.save(&theirs, &mut ()).unwrap();
    theirs.snapshot = snapshot(2);
    let again = archive.save(&theirs, &mut ()).unwrap();
    assert!(
        first.uploaded_bytes > 2 * BLOCK,
        "the same content is stored for each organization"
    );
    assert!(
        again.uploaded_bytes < first.uploaded_bytes / 2,
        "and once within one"
    );
}
