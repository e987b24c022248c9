//! The recovery kit: what is needed when no data folder is left, and by which a second machine joins.

use super::device::Memory;
use super::*;
use object_store::ObjectStoreExt;
use object_store::path::Path as Name;

const PASSPHRASE: &str = "un cheval, une agrafe";
const OTHER: OrganizationId = OrganizationId::from_bytes([8; 16]);

fn device() -> Memory {
    let device = Memory::new(1 << 20);
    device.fill(0..512 << 10, 1);
    device
}

fn as_folder(store: &Arc<dyn ObjectStore>, n: u8) -> Archive {
    let master = MasterKey::of_test(n);
    Archive::with_store(
        Arc::clone(store),
        ArchiveOptions {
            master,
            ..options()
        },
    )
    .unwrap()
}

fn export(archive: &Archive) -> String {
    let named = [(ORGANIZATION, "Boréale".to_owned())];
    archive.export_kit(&named, PASSPHRASE).unwrap()
}

fn code(error: Error) -> KitError {
    match error {
        Error::Kit(error) => error,
        error => panic!("{error:?}"),
    }
}

#[test]
fn i11_bucket_and_kit_are_enough_and_two_folders_share_them() {
    let store = in_memory();
    let first = as_folder(&store, 1);
    // Before anything is saved, so that who joins early needs no second kit.
    let early = export(&first);
    save(&first, snapshot(1), &device(), None).unwrap();

    for (n, text) in [early, export(&first)].into_iter().enumerate() {
        let kit = Kit::open(&text, PASSPHRASE).unwrap();
        let [organization] = kit.organizations() else {
            panic!("{kit:?}");
        };
        assert_eq!(
            (organization.id, organization.name.as_str()),
            (ORGANIZATION, "Boréale")
        );
        assert!(!format!("{kit:?}").contains("secret"));
        let second = as_folder(&store, 2);
        assert_eq!(
            second.list(ORGANIZATION).is_err(),
            n == 0,
            "it has not joined yet"
        );
        second.import_kit(&kit).unwrap();
        assert!(
            restored(&second, snapshot(1), device().size())
                .unwrap()
                .content()
                == device().content()
        );
    }
    // Both save, and read what the other has saved; a process that begins later, too.
    let second = as_folder(&store, 2);
    save(&second, snapshot(2), &device(), None).unwrap();
    assert!(restored(&first, snapshot(2), device().size()).is_ok());
    assert_eq!(as_folder(&store, 2).check(true).unwrap(), vec![]);
    assert_eq!(as_folder(&store, 1).check(true).unwrap(), vec![]);
    let copies = objects(&store)
        .into_keys()
        .filter(|name| name.contains("/keys/"));
    assert_eq!(copies.count(), 2, "one key, two folders");
    let kit = Kit::open(&export(&second), PASSPHRASE).unwrap();
    let again = second.import_kit(&kit).unwrap();
    assert_eq!(
        again,
        Imported {
            added: 0,
            known: 1,
            absent: 0
        }
    );
}

#[test]
fn a_kit_that_cannot_be_used_says_why() {
    let store = in_memory();
    let archive = as_folder(&store, 1);
    save(&archive, snapshot(1), &device(), None).unwrap();
    let text = export(&archive);
    assert!(!text.contains(PASSPHRASE));
    assert_eq!(
        Kit::open(&text, "une autre phrase").unwrap_err(),
        KitError::Passphrase
    );
    assert_eq!(Kit::open("", PASSPHRASE).unwrap_err(), KitError::NotAKit);
    assert_eq!(
        Kit::open("# nothing\nhello", PASSPHRASE).unwrap_err(),
        KitError::NotAKit
    );
    assert_eq!(
        Kit::open("00112233", PASSPHRASE).unwrap_err(),
        KitError::NotAKit
    );
    let short = archive.export_kit(&[], "onze signes").unwrap_err();
    assert_eq!(code(short), KitError::TooShort);

    // Every digit, changed, is a kit that was copied wrongly, but for the first ones, which say that it is a kit.
    let digits: Vec<usize> = text
        .match_indices(|c: char| c.is_ascii_hexdigit())
        .map(|(at, _)| at)
        .filter(|at| {
            !text[..*at]
                .lines()
                .last()
                .unwrap_or_default()
                .starts_with('#')
        })
        .collect();
    for at in digits.into_iter().step_by(7) {
        let mut bad = text.clone().into_bytes();
        bad[at] = if bad[at] == b'0' { b'1' } else { b'0' };
        let error = Kit::open(std::str::from_utf8(&bad).unwrap(), PASSPHRASE).unwrap_err();
        assert!(
            matches!(error, KitError::Damaged | KitError::NotAKit),
            "{at}: {error:?}"
        );
    }
    let cut: String = text
        .lines()
        .take(text.lines().count() - 1)
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(Kit::open(&cut, PASSPHRASE).unwrap_err(), KitError::Damaged);
    // How it was typed does not matter.
    let typed = text.to_uppercase().replace('\n', "\r\n\r\n  ");
    let typed: String = typed
        .lines()
        .filter(|line| !line.contains('#'))
        .collect::<Vec<_>>()
        .join("\n");
    assert!(Kit::open(&typed, &format!(" {PASSPHRASE}\n")).is_ok());
}

#[test]
fn a_kit_of_another_store_writes_nothing_and_a_wrong_key_is_refused() {
    let store = in_memory();
    save(&as_folder(&store, 1), snapshot(1), &device(), None).unwrap();
    let other = in_memory();
    let source = device();
    let mine = SaveRequest {
        organization: OTHER,
        ..request(snapshot(1), &source, None)
    };
    let elsewhere = as_folder(&other, 1);
    elsewhere.save(&mine, &mut ()).unwrap();
    let text = elsewhere
        .export_kit(&[(OTHER, String::new())], PASSPHRASE)
        .unwrap();
    let kit = Kit::open(&text, PASSPHRASE).unwrap();
    let before = objects(&store);
    assert_eq!(
        code(as_folder(&store, 2).import_kit(&kit).unwrap_err()),
        KitError::OtherStore
    );
    assert_eq!(objects(&store), before);

    // The same organization and key id, another secret: the marks differ.
    let good = Kit::open(&export(&as_folder(&store, 1)), PASSPHRASE).unwrap();
    let forged = crate::archive::kit::forged(&good);
    let error = as_folder(&store, 2).import_kit(&forged).unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error:?}");
    assert_eq!(objects(&store), before);
}

#[test]
fn a_damaged_copy_of_a_key_is_mended_by_the_kit() {
    let store = in_memory();
    let archive = as_folder(&store, 1);
    save(&archive, snapshot(1), &device(), None).unwrap();
    let kit = Kit::open(&export(&archive), PASSPHRASE).unwrap();
    let name = objects(&store)
        .into_keys()
        .find(|name| name.contains("/keys/"))
        .unwrap();
    let put = Name::from(name.as_str());
    futures::executor::block_on(store.put(&put, vec![1, 2, 3].into())).unwrap();
    let broken = as_folder(&store, 1);
    assert!(restored(&broken, snapshot(1), device().size()).is_err());
    let imported = broken.import_kit(&kit).unwrap();
    assert_eq!(
        imported,
        Imported {
            added: 1,
            known: 0,
            absent: 0
        }
    );
    let mended = as_folder(&store, 1);
    assert_eq!(mended.check(true).unwrap(), vec![]);
    assert!(restored(&mended, snapshot(1), device().size()).is_ok());
}

#[test]
fn random_passphrases_are_long_enough_and_differ() {
    let (a, b) = (random_passphrase(), random_passphrase());
    assert_ne!(a, b);
    assert_eq!(a.len(), 26 + 5);
    assert!(
        a.chars()
            .all(|c| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit())
    );
}
