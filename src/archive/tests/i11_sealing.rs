//! I-11: without the organization's key the bucket tells nothing of the content. And what becomes of who has no key,
//! the wrong one, or an archive of before there was sealing.

use super::device::Memory;
use super::*;
use crate::archive::format::{HEADER_LENGTH, Kind, ObjectId};
use object_store::ObjectStoreExt;
use object_store::path::Path as Name;
use std::collections::{BTreeMap, BTreeSet, HashSet};

const OTHER: OrganizationId = OrganizationId::from_bytes([8; 16]);
const BLOCK: u64 = 4096;
const TEXT: &[u8] = b"Le mot de passe du coffre est sous le pot de fleurs. ";

/// Text, which compresses, and noise, which does not.
fn device() -> Memory {
    let device = Memory::new(SEGMENT_SIZE + 64 * BLOCK);
    let text: Vec<u8> = TEXT
        .iter()
        .copied()
        .cycle()
        .take(40 * BLOCK as usize)
        .collect();
    device.write_at(0, &text, false).unwrap();
    device.fill(48 * BLOCK..80 * BLOCK, 7);
    device
        .write_at(SEGMENT_SIZE, &text[..BLOCK as usize], false)
        .unwrap();
    device
}

fn content(store: &Arc<dyn ObjectStore>) -> BTreeMap<String, Vec<u8>> {
    let names = objects(store);
    names
        .into_keys()
        .map(|name| {
            let read = async { store.get(&Name::from(name.as_str())).await?.bytes().await };
            let bytes = futures::executor::block_on(read).unwrap();
            (name, bytes.to_vec())
        })
        .collect()
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn master(n: u8) -> ArchiveOptions {
    ArchiveOptions {
        master: MasterKey::of_test(n),
        ..options()
    }
}

fn open_as(store: &Arc<dyn ObjectStore>, options: ArchiveOptions) -> Archive {
    Archive::with_store_alone(Arc::clone(store), options).unwrap()
}

/// Everything in one store: two snapshots of one volume, the same in another organization, a hold, damage written
/// down, a condemnation.
fn everything(store: &Arc<dyn ObjectStore>) -> Archive {
    let archive = Archive::with_store(Arc::clone(store), options()).unwrap();
    let device = device();
    for organization in [ORGANIZATION, OTHER] {
        let request = SaveRequest {
            organization,
            ..request(snapshot(1), &device, None)
        };
        archive.save(&request, &mut ()).unwrap();
    }
    device.paint(BLOCK..2 * BLOCK, 9);
    let mut changed = BlockSet::new();
    changed.insert_range(1..2);
    save(
        &archive,
        snapshot(2),
        &device,
        Some((snapshot(1), &changed)),
    )
    .unwrap();
    archive
        .hold_for(ORGANIZATION, snapshot(1), HoldId::from_bytes([6; 16]))
        .unwrap();
    let known = archive.organization(ORGANIZATION).unwrap();
    let pack = known.state().ledger.objects(Kind::Pack).next().unwrap();
    let inner = &archive.shared.store;
    let damaged = [((Kind::Pack, pack), 64)];
    let marked = known.record_damage(inner, &damaged);
    inner.runtime().block_on(marked).unwrap();
    archive
}

#[test]
fn i11_nothing_of_the_content_is_in_the_bucket() {
    let store = in_memory();
    let archive = everything(&store);
    let known = archive.organization(ORGANIZATION).unwrap();
    let keys = Arc::clone(&known.state().keys);
    let key = keys.values().next().unwrap();

    // What is to be looked for: content, the words of the description, ids, and the ids of chunks.
    let mut secrets: Vec<(String, Vec<u8>)> = vec![
        ("text".into(), TEXT[..12].to_vec()),
        ("name".into(), "Avant la mise à jour".into()),
        ("volume's name".into(), b"srv-01".to_vec()),
        ("kind".into(), b"\"data\"".to_vec()),
        ("description".into(), b"taken_ms".to_vec()),
        ("volume".into(), vec![3; 16]),
        (
            "volume in words".into(),
            VolumeId::from_bytes([3; 16]).to_string().into(),
        ),
        ("snapshot".into(), vec![1; 16]),
        ("snapshot in words".into(), snapshot(1).to_string().into()),
        ("secret".into(), key.secret().as_bytes()[..8].to_vec()),
    ];
    let device = device();
    let mut chunk = vec![0; CHUNK_SIZE];
    for n in 0..5 {
        device.read_at(n * CHUNK_SIZE as u64, &mut chunk).unwrap();
        secrets.push((
            format!("id of chunk {n}"),
            key.chunk_id(&chunk)[..8].to_vec(),
        ));
        secrets.push((
            format!("bytes of chunk {n}"),
            chunk[CHUNK_SIZE / 2..][..8].to_vec(),
        ));
        let frame = zstd::bulk::compress(&chunk, ZSTD_LEVEL).unwrap();
        secrets.push((format!("chunk {n}, compressed"), frame[..12].to_vec()));
    }
    // Which packs, segments and manifests belong together.
    for kind in [Kind::Pack, Kind::Segment] {
        for id in known.state().ledger.objects(kind) {
            secrets.push((format!("{} {id}", kind.noun()), id.to_bytes().to_vec()));
        }
    }

    let mut kinds = BTreeSet::new();
    for (name, bytes) in content(&store) {
        kinds.insert(name.split('/').nth(1).unwrap().to_owned());
        let (header, body) = bytes.split_at(HEADER_LENGTH);
        for (what, secret) in &secrets {
            assert!(!contains(body, secret), "{what} stands in {name}");
        }
        assert_eq!(
            header[11],
            u8::from(!name.contains("/keys/")),
            "{name}: sealing"
        );
        assert_eq!(header[12..16], [0; 4], "{name}");
        // What is sealed looks like noise: it cannot be made smaller.
        if body.len() > 1000 {
            let squeezed = zstd::bulk::compress(body, 19).unwrap();
            assert!(squeezed.len() >= body.len(), "{name} is not noise");
        }
    }
    let expected = ["damage", "holds", "keys", "manifests", "packs", "segments"];
    assert_eq!(kinds, expected.map(str::to_owned).into());

    // The check can fail: the same is found where it is not sealed.
    let fixture = unsealed();
    let open = content(&fixture);
    assert!(open.values().any(|bytes| contains(bytes, b"srv-01")));
    assert!(open.values().any(|bytes| contains(bytes, b"taken_ms")));
}

#[test]
fn i11_the_same_content_in_two_organizations_has_nothing_in_common() {
    const WINDOW: usize = 8;
    let store = in_memory();
    drop(everything(&store));
    let mut windows: HashSet<Vec<u8>> = HashSet::new();
    let all = content(&store);
    let of = |organization: OrganizationId| {
        let prefix = format!("{organization}/");
        all.iter()
            .filter(move |(name, _)| name.starts_with(&prefix))
    };
    for (_, bytes) in of(ORGANIZATION) {
        for part in without_ids(&all, &bytes[HEADER_LENGTH..]) {
            windows.extend(part.windows(WINDOW).map(<[u8]>::to_vec));
        }
    }
    assert!(windows.len() > 100_000, "{}", windows.len());
    for (name, bytes) in of(OTHER) {
        // Of a key's body, the wrapping and the master key's id are everybody's.
        let skip = if name.contains("/keys/") { 20 } else { 0 };
        for part in without_ids(&all, &bytes[HEADER_LENGTH + skip..]) {
            for (at, window) in part.windows(WINDOW).enumerate() {
                assert!(!windows.contains(window), "{name}, byte {at} of a part");
            }
        }
    }
    // Nor has the same content in one organization, saved twice: only names and lengths say that it is the same.
    let again = in_memory();
    let device = device();
    save(&open(&again), snapshot(1), &device, None).unwrap();
    let all = content(&again);
    for (name, bytes) in &all {
        let skip = if name.contains("/keys/") { 20 } else { 0 };
        for part in without_ids(&all, &bytes[HEADER_LENGTH + skip..]) {
            for window in part.windows(WINDOW) {
                assert!(!windows.contains(window), "{name}");
            }
        }
    }
}

/// What stands between the ids of keys. Those are to be seen, and begin with the time they were made at: two keys of one
/// millisecond have eight bytes in common.
fn without_ids<'a>(all: &BTreeMap<String, Vec<u8>>, bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let ids = all.keys().filter_map(|name| {
        let (_, rest) = name.split_once("/keys/")?;
        ObjectId::parse(rest.split('.').next()?).map(ObjectId::to_bytes)
    });
    let mut parts = vec![bytes];
    for id in ids {
        let cut = |part: &'a [u8]| {
            let at = part.windows(id.len()).position(|window| window == id);
            match at {
                Some(at) => vec![&part[..at], &part[at + id.len()..]],
                None => vec![part],
            }
        };
        parts = parts.into_iter().flat_map(cut).collect();
    }
    parts
}

#[test]
fn i11_who_has_no_key_reads_nothing_and_writes_nothing() {
    let store = in_memory();
    save(&open(&store), snapshot(1), &device(), None).unwrap();
    let before = content(&store);
    for sole in [true, false] {
        let stranger = if sole {
            open_as(&store, master(6))
        } else {
            Archive::with_store(Arc::clone(&store), master(6)).unwrap()
        };
        let no_key = |error: Error| {
            assert!(
                matches!(error, Error::NoKey { organization, .. } if organization == ORGANIZATION)
            );
            assert!(error.is_permanent());
            assert!(error.to_string().contains("reprise keys import"), "{error}");
        };
        no_key(stranger.list(ORGANIZATION).map(drop).unwrap_err());
        no_key(
            restored(&stranger, snapshot(1), device().size())
                .map(drop)
                .unwrap_err(),
        );
        no_key(
            save(&stranger, snapshot(2), &device(), None)
                .map(drop)
                .unwrap_err(),
        );
        no_key(
            stranger
                .delete(ORGANIZATION, snapshot(1))
                .map(drop)
                .unwrap_err(),
        );
        // What is another's is not taken for damaged, and one's own goes on beside it.
        let source = device();
        let mine = SaveRequest {
            organization: OTHER,
            ..request(snapshot(3), &source, None)
        };
        stranger.save(&mine, &mut ()).unwrap();
        let findings = stranger.check(true).unwrap();
        let [finding] = &findings[..] else {
            panic!("{findings:?}");
        };
        assert!(matches!(finding.damage, Damage::Key { .. }), "{finding:?}");
        stranger.delete(OTHER, snapshot(3)).unwrap();
    }
    let after = content(&store);
    assert!(
        before
            .iter()
            .all(|(name, bytes)| after.get(name) == Some(bytes))
    );
}

#[test]
fn i11_a_wrong_master_key_is_told_from_a_missing_one_and_from_damage() {
    let store = in_memory();
    save(&open(&store), snapshot(1), &device(), None).unwrap();
    let wrong = ArchiveOptions {
        master: MasterKey::of_test_named(5, 6),
        ..options()
    };
    let error = open_as(&store, wrong)
        .list(ORGANIZATION)
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error:?}");

    // Each bit of the key's object, flipped, is damage and named.
    let name = objects(&store)
        .into_keys()
        .find(|name| name.contains("/keys/"))
        .unwrap();
    let path = Name::from(name.as_str());
    let good = content(&store).remove(&name).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        futures::executor::block_on(store.put(&path, bad.into())).unwrap();
        let findings = open(&store).check(false).unwrap();
        assert!(
            findings.iter().any(|finding| finding.object == name),
            "byte {at}: {findings:?}"
        );
    }
    futures::executor::block_on(store.put(&path, good.into())).unwrap();
    assert_eq!(open(&store).check(true).unwrap(), vec![]);
}

#[test]
fn i11_a_second_writer_does_not_make_a_key_that_the_first_cannot_read() {
    let store = in_memory();
    let first = Archive::with_store(Arc::clone(&store), master(5)).unwrap();
    let second = Archive::with_store(Arc::clone(&store), master(6)).unwrap();
    // Both look while there is nothing.
    assert_eq!(first.list(ORGANIZATION).unwrap(), vec![]);
    assert_eq!(second.list(ORGANIZATION).unwrap(), vec![]);
    save(&first, snapshot(1), &device(), None).unwrap();
    let error = save(&second, snapshot(2), &device(), None).unwrap_err();
    assert!(matches!(error, Error::NoKey { .. }), "{error:?}");
}

#[test]
fn i11_the_same_content_is_never_sealed_to_the_same_bytes() {
    let key = crate::archive::keys::Key::generate();
    let sealer = key.sealer().unwrap();
    let sealed: HashSet<Vec<u8>> = (0..1000).map(|_| sealer.seal(&[b"a"], &[0; 64])).collect();
    let nonces: HashSet<&[u8]> = sealed.iter().map(|sealed| &sealed[..24]).collect();
    assert_eq!(nonces.len(), 1000);
    for one in sealed {
        assert_eq!(sealer.open(&[b"a"], &one).as_deref(), Some(&[0; 64][..]));
        assert_eq!(sealer.open(&[b"b"], &one), None);
    }
    assert_eq!(sealer.open(&[], &[0; 39]), None);
}

/// An archive as it was written before there was sealing: two snapshots, the second built upon the first.
fn unsealed() -> Arc<dyn ObjectStore> {
    let store = in_memory();
    let mut rest: &[u8] = include_bytes!("unsealed.bin");
    while !rest.is_empty() {
        let length = usize::from(u16::from_le_bytes(rest[..2].try_into().unwrap()));
        let name = std::str::from_utf8(&rest[2..2 + length]).unwrap();
        rest = &rest[2 + length..];
        let size = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        let name = Name::from(name);
        let put = store.put(&name, rest[4..4 + size].to_vec().into());
        futures::executor::block_on(put).unwrap();
        rest = &rest[4 + size..];
    }
    store
}

/// What the volume of that archive held at its second snapshot.
fn unsealed_device() -> Memory {
    let device = Memory::new(SEGMENT_SIZE + (64 << 10));
    device.paint(0..3 * 65536, 1);
    device.paint(SEGMENT_SIZE..SEGMENT_SIZE + 2 * BLOCK, 2);
    device.paint(BLOCK..2 * BLOCK, 3);
    device
}

#[test]
fn i08_an_archive_of_before_sealing_is_read_and_what_is_new_is_sealed() {
    let store = unsealed();
    let old = content(&store);
    let archive = open(&store);
    assert_eq!(archive.check(true).unwrap(), vec![]);
    let device = unsealed_device();
    let size = device.size();
    assert!(restored(&archive, snapshot(2), size).unwrap().content() == device.content());
    archive.verify(ORGANIZATION, snapshot(1), &mut ()).unwrap();

    // What builds upon it is whole, and sealed; nothing of the base's chunks is taken over.
    device.paint(5 * BLOCK..6 * BLOCK, 4);
    let mut changed = BlockSet::new();
    changed.insert_range(5..6);
    let saved = save(
        &archive,
        snapshot(3),
        &device,
        Some((snapshot(2), &changed)),
    )
    .unwrap();
    assert!(!saved.incremental);
    for (name, bytes) in content(&store) {
        if !old.contains_key(&name) {
            assert_eq!(bytes[11], u8::from(!name.contains("/keys/")), "{name}");
            assert!(!contains(&bytes[HEADER_LENGTH..], b"srv-01"), "{name}");
        }
    }
    // The next one builds upon that, and a copy of an old one is as the old one is.
    device.paint(7 * BLOCK..8 * BLOCK, 6);
    changed.insert_range(7..8);
    let saved = save(
        &archive,
        snapshot(4),
        &device,
        Some((snapshot(3), &changed)),
    )
    .unwrap();
    assert!(saved.incremental);
    archive
        .copy(ORGANIZATION, snapshot(1), snapshot(5), "copie")
        .unwrap();

    let again = open(&store);
    assert_eq!(again.check(true).unwrap(), vec![]);
    assert!(restored(&again, snapshot(4), size).unwrap().content() == device.content());
    let first = restored(&again, snapshot(1), size).unwrap().content();
    assert!(restored(&again, snapshot(5), size).unwrap().content() == first);
    for n in 1..6 {
        again.delete(ORGANIZATION, snapshot(n)).unwrap();
    }
    assert!(objects(&store).keys().all(|name| is_kept(name)));
}

#[test]
fn i11_an_open_object_is_not_taken_for_a_sealed_one() {
    let store = in_memory();
    let archive = open(&store);
    save(&archive, snapshot(1), &device(), None).unwrap();
    let known = archive.organization(ORGANIZATION).unwrap();
    let keys = Arc::clone(&known.state().keys);
    let key = keys.values().next().unwrap();
    // As one would write it who knows how open objects are made, and even the key for their tags.
    let (name, bytes) = content(&store)
        .into_iter()
        .find(|(name, _)| name.contains("/manifests/"))
        .unwrap();
    let mut forged = bytes[..HEADER_LENGTH].to_vec();
    forged[11] = 0;
    forged.extend_from_slice(b"whatever the body of a manifest says");
    let tag = key.tag(&[&forged]);
    forged.extend_from_slice(&tag);
    futures::executor::block_on(store.put(&Name::from(name.as_str()), forged.into())).unwrap();
    let findings = open(&store).check(false).unwrap();
    let found = findings
        .iter()
        .find(|finding| finding.object == name)
        .unwrap();
    assert_eq!(found.damage, Damage::Authentication);
}

#[test]
fn a_master_key_is_made_once_and_damage_to_it_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("keys");
    let first = MasterKey::open(&folder).unwrap();
    let path = folder.join("master");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // Left by a process that died while it made one.
    std::fs::write(folder.join("master.new"), b"half").unwrap();
    let store = in_memory();
    let with = |master: MasterKey| ArchiveOptions {
        master,
        ..options()
    };
    save(&open_as(&store, with(first)), snapshot(1), &device(), None).unwrap();
    let again = MasterKey::open(&folder).unwrap();
    assert!(restored(&open_as(&store, with(again)), snapshot(1), device().size()).is_ok());

    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, bad).unwrap();
        let error = MasterKey::open(&folder).map(drop).unwrap_err();
        assert!(
            matches!(error, Error::MasterKey { .. }),
            "byte {at}: {error:?}"
        );
    }
    std::fs::write(&path, &good[..95]).unwrap();
    assert!(MasterKey::open(&folder).is_err());
    std::fs::remove_file(&path).unwrap();
    let other = MasterKey::open(&folder).unwrap();
    let stranger = open_as(&store, with(other));
    assert!(matches!(
        stranger.list(ORGANIZATION),
        Err(Error::NoKey { .. })
    ));
}
