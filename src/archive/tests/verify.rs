//! Verifying one snapshot.

use super::bucket::{Bucket, Op};
use super::device::Memory;
use super::i10_sequences::{process, prune_twice};
use super::*;
use object_store::ObjectStoreExt;
use object_store::path::Path as Name;

const CHUNK: u64 = CHUNK_SIZE as u64;

/// Three segments; 7 chunks of noise, one of them in two places.
fn disk() -> Memory {
    let device = Memory::new(3 * SEGMENT_SIZE);
    device.fill(0..4 * CHUNK, 1);
    device.fill(SEGMENT_SIZE..SEGMENT_SIZE + 2 * CHUNK, 2);
    device.paint(10 * CHUNK..11 * CHUNK, 9);
    device.paint(2 * SEGMENT_SIZE..2 * SEGMENT_SIZE + CHUNK, 9);
    device
}

#[derive(Default)]
struct Told {
    total: u64,
    done: u64,
    stop: bool,
}

impl Progress for Told {
    fn total(&mut self, bytes: u64) {
        self.total = bytes;
    }

    fn done(&mut self, bytes: u64) -> ControlFlow<()> {
        self.done = bytes;
        if self.stop {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn i08_verified_means_that_every_chunk_was_read() {
    let bucket = Bucket::new();
    let (door, archive) = process(&bucket, 1);
    save(&archive, snapshot(1), &disk(), None).unwrap();
    door.log.lock().unwrap().clear();
    let mut told = Told::default();
    let verified = archive
        .verify(ORGANIZATION, snapshot(1), &mut told)
        .unwrap();
    assert_eq!((verified.chunks, verified.bytes), (8, 8 * CHUNK));
    assert!(verified.at_ms > 1_700_000_000_000);
    assert_eq!((told.total, told.done), (8 * CHUNK, 8 * CHUNK));
    let log = door.log.lock().unwrap().clone();
    let reads = |kind: &str| {
        let of_kind = |(op, path): &&(Op, String)| *op == Op::Get && path.contains(kind);
        log.iter().filter(of_kind).count()
    };
    assert!(reads("/segments/") == 3 && reads("/packs/") >= 3, "{log:?}");
    let mut told = Told {
        stop: true,
        ..Told::default()
    };
    assert!(matches!(
        archive.verify(ORGANIZATION, snapshot(1), &mut told),
        Err(Error::Cancelled)
    ));
    assert!(matches!(
        archive.verify(ORGANIZATION, snapshot(2), &mut ()),
        Err(Error::NoSuchSnapshot { .. })
    ));
}

/// Changes an object behind everybody's back.
fn spoil(bucket: &Bucket, kind: &str, how: impl Fn(&mut Vec<u8>) -> bool) -> String {
    let kind = format!("/{kind}/");
    let name = bucket
        .names()
        .into_iter()
        .find(|name| name.contains(&kind))
        .unwrap();
    let path = Name::from(name.clone());
    futures::executor::block_on(async {
        let mut bytes = bucket
            .inner
            .get(&path)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .to_vec();
        if how(&mut bytes) {
            bucket.inner.put(&path, bytes.into()).await.unwrap();
        } else {
            bucket.inner.delete(&path).await.unwrap();
        }
    });
    name
}

#[test]
fn i09_damage_that_is_verified_is_named_and_written_anew_by_others() {
    type How = fn(&mut Vec<u8>) -> bool;
    let flip: How = |bytes| {
        bytes[200] ^= 4;
        true
    };
    let cut: How = |bytes| {
        bytes.pop();
        true
    };
    let lose: How = |_| false;
    for (kind, how) in [
        ("packs", flip),
        ("packs", cut),
        ("packs", lose),
        ("segments", flip),
        ("segments", cut),
        ("segments", lose),
    ] {
        let bucket = Bucket::new();
        let ((_, one), (_, two)) = (process(&bucket, 1), process(&bucket, 2));
        let source = disk();
        save(&one, snapshot(1), &source, None).unwrap();
        two.verify(ORGANIZATION, snapshot(1), &mut ()).unwrap();
        let name = spoil(&bucket, kind, how);
        match two.verify(ORGANIZATION, snapshot(1), &mut ()) {
            Err(Error::Damaged { object, .. }) => assert_eq!(object, name),
            other => panic!("{kind}: {other:?}"),
        }
        // What the second found the first knows.
        let none = BlockSet::new();
        let saved = save(&one, snapshot(2), &source, Some((snapshot(1), &none))).unwrap();
        assert!(saved.uploaded_bytes > 0, "{kind}");
        two.verify(ORGANIZATION, snapshot(2), &mut ()).unwrap();
        assert!(
            restored(&two, snapshot(2), source.size())
                .unwrap()
                .content()
                == source.content()
        );
    }
}

#[test]
fn i09_a_snapshot_that_is_deleted_meanwhile_is_not_damaged() {
    let bucket = Bucket::new();
    let ((door, archive), (_, other)) = (process(&bucket, 1), process(&bucket, 2));
    save(&other, snapshot(1), &disk(), None).unwrap();
    let there = Arc::clone(&bucket);
    *door.before.lock().unwrap() = Some(Box::new(move |op, path| {
        if op == Op::Get && path.contains("/segments/") {
            other.delete(ORGANIZATION, snapshot(1)).unwrap();
            prune_twice(&there, &other);
        }
    }));
    assert!(matches!(
        archive.verify(ORGANIZATION, snapshot(1), &mut ()),
        Err(Error::NoSuchSnapshot { .. })
    ));
    assert_eq!(bucket.count("damage"), 0);
}

/// A pack of which little is needed is not used again, so that it dies with what needs it.
#[test]
fn i10_a_pack_that_is_nearly_dead_finds_no_new_users() {
    let bucket = Bucket::new();
    let (_, archive) = process(&bucket, 1);
    let many = Memory::new(SEGMENT_SIZE);
    many.fill(0..20 * CHUNK, 1);
    save(&archive, snapshot(1), &many, None).unwrap();
    let few = |chunks: u64| {
        let few = Memory::new(SEGMENT_SIZE);
        few.fill(0..20 * CHUNK, 1);
        few.trim(chunks * CHUNK, (20 - chunks) * CHUNK, false)
            .unwrap();
        few
    };
    let uploaded = |n, chunks| {
        let saved = save(&archive, snapshot(n), &few(chunks), None).unwrap();
        saved.uploaded_bytes > chunks * CHUNK
    };
    // Each save shifts the noise by nothing: its chunks are those of the first.
    assert!(!uploaded(2, 4), "the pack is in full use");
    archive.delete(ORGANIZATION, snapshot(1)).unwrap();
    assert!(uploaded(3, 3), "four of twenty are in use");
    archive.delete(ORGANIZATION, snapshot(2)).unwrap();
    prune_twice(&bucket, &archive);
    assert_eq!(bucket.count("packs"), 1);
    archive.verify(ORGANIZATION, snapshot(3), &mut ()).unwrap();
}
