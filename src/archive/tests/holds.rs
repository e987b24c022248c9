//! Holds as somebody sees them who looks after the store.

use super::device::Memory;
use super::*;
use crate::archive::hold::Content;

const BLOCK: u64 = 4096;

fn holder(hold: &HoldInfo) -> (Option<&str>, bool) {
    match &hold.holder {
        Holder::Volume {
            data_folder, own, ..
        } => (data_folder.as_deref(), *own),
        other => panic!("{other:?}"),
    }
}

#[test]
fn i10_holds_say_whose_they_are_and_what_they_keep_until_they_are_released() {
    let store = in_memory();
    let archive = Archive::with_store(Arc::clone(&store), options()).unwrap();
    let device = Memory::new(64 * BLOCK);
    device.fill(0..40 * BLOCK, 1);
    save(&archive, snapshot(1), &device, None).unwrap();
    let (new, old) = (HoldId::from_bytes([1; 16]), HoldId::from_bytes([2; 16]));
    archive.hold_for(ORGANIZATION, snapshot(1), new).unwrap();
    // As an early version wrote them.
    let organization = archive.organization(ORGANIZATION).unwrap();
    let key = organization.state().current_key().cloned().unwrap();
    let keys = Arc::clone(&organization.state().keys);
    let internal = &archive.shared.store;
    let object = |id: HoldId| format::ObjectId::from_bytes(id.to_bytes());
    internal.runtime().block_on(async {
        let read = hold::read(internal, ORGANIZATION, object(new), &keys).await;
        let Ok(Content::Volume {
            original, manifest, ..
        }) = read
        else {
            panic!("a volume's hold");
        };
        let early = Content::Volume {
            by: None,
            original,
            manifest,
        };
        hold::put(internal, ORGANIZATION, &key, object(old), &early)
            .await
            .unwrap();
    });
    let holds = archive.holds(ORGANIZATION).unwrap();
    let ids: std::collections::BTreeSet<_> = holds.iter().map(|hold| hold.id).collect();
    assert_eq!(ids, [new, old].into());
    let of = |id: HoldId, holds: &[HoldInfo]| {
        let hold = holds.iter().find(|hold| hold.id == id).unwrap().clone();
        let (folder, own) = holder(&hold);
        (folder.map(str::to_owned), own, hold.exclusive_bytes)
    };
    let ours = Some(options().master.id().to_string());
    assert_eq!(
        of(new, &holds),
        (ours.clone(), true, 0),
        "the snapshot needs it too"
    );
    assert_eq!(of(old, &holds), (None, false, 0));

    // Another data folder sees whose the first is. (It cannot open it without the kit, which is another test's.)
    archive.delete(ORGANIZATION, snapshot(1)).unwrap();
    archive.release_hold(ORGANIZATION, old).unwrap();
    let holds = archive.holds(ORGANIZATION).unwrap();
    let (folder, own, bytes) = of(new, &holds);
    assert!(folder == ours && own && bytes > 0, "{folder:?} {bytes}");
    let name = Archive::remote_id(ORGANIZATION, new).unwrap();
    assert_eq!(archive.sources().open(&name).unwrap().size(), device.size());
    archive.release_hold(ORGANIZATION, new).unwrap();
    assert!(archive.holds(ORGANIZATION).unwrap().is_empty());
}
