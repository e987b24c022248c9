//! When an Owner is reminded of the recovery kit. (Who gets it, and what it opens: `server::tests::kit`.)

use super::house::{House, caller, noise};
use crate::archive::Kit;
use crate::domain::fault::Fault;
use crate::view::Act;

const WORDS: &str = "a passphrase of the test";

#[test]
fn an_owner_is_reminded_of_a_kit_that_does_not_open_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let due = |house: &House| {
        let kit = house.control.kit(&house.owner).expect("an answer");
        let session = house.control.session(&house.owner).expect("an answer");
        assert_eq!(kit.due, session.kit_due, "page and frame agree");
        kit.due
    };
    assert!(!due(&house), "there is nothing to lose yet");
    let volume = house.new_volume("v");
    house.write(volume, 0, &noise(1, 1 << 20));
    let snapshot = house.new_snapshot(volume, "copie");
    assert!(due(&house));
    let refused = control.export_kit(owner, WORDS, "another passphrase");
    assert_eq!(refused.err(), Some(Fault::PassphrasesDiffer));
    assert!(due(&house));
    let file = control.export_kit(owner, WORDS, WORDS).expect("a kit");
    assert_eq!(file.organization, "Us");
    let kit = Kit::open(&file.kit.text, WORDS).expect("a kit");
    let ids: Vec<_> = kit.organizations().iter().map(|one| one.id).collect();
    assert_eq!(ids, [house.organization()]);
    assert!(!due(&house));
    let them = caller(control, "owner@them");
    assert_eq!(control.kit(&them).expect("an answer").saved, None);

    // The log remembers it beyond a restart.
    drop(house);
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    assert!(!due(&house));
    let saved = control.kit(owner).expect("an answer").saved;
    assert!(saved.is_some());
    // A kit with other keys than the organization has now: that of before a new key.
    control
        .record(owner, Act::SaveKit, "0000-0000")
        .expect("written");
    drop(house);
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    // Which keys there are is known once the object store was used.
    house.succeeded(control.verify_snapshot(owner, snapshot).expect("begun").job);
    assert!(due(&house));
    assert!(control.kit(owner).expect("an answer").saved.is_some());
    control.export_kit(owner, WORDS, WORDS).expect("a kit");
    assert!(!due(&house));
}
