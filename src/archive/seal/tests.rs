#![allow(clippy::unwrap_used)]
use super::*;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    let byte = |pair: &[u32]| (pair[0] * 16 + pair[1]) as u8;
    digits.chunks(2).map(byte).collect()
}

/// The example of draft-irtf-cfrg-xchacha-03, A.3.1.
#[test]
fn it_is_the_published_algorithm() {
    let key: [u8; 32] = std::array::from_fn(|n| 0x80 + n as u8);
    let nonce: [u8; 24] = std::array::from_fn(|n| 0x40 + n as u8);
    let associated = bytes("50515253c0c1c2c3c4c5c6c7");
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let expected = bytes(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e",
    );
    let sealer = Sealer::new(&key);
    let mut content = plain.to_vec();
    let tag = sealer.seal_with(&nonce, &associated, &mut content);
    assert_eq!(content, expected);
    assert_eq!(tag.to_vec(), bytes("c0875924c1c7987947deafd8780acf49"));
    assert!(sealer.open_in_place(&associated, &nonce, &tag, &mut content));
    assert_eq!(content, plain);
}

proptest! {
    /// What was sealed by the first versions of this program, with another implementation, opens; and theirs opens ours.
    #[test]
    fn i11_another_implementation_makes_the_same_bytes(
        key in any::<[u8; 32]>(),
        nonce in any::<[u8; 24]>(),
        associated in prop::collection::vec(any::<u8>(), 0..100),
        plain in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let (ours, theirs) = (Sealer::new(&key), XChaCha20Poly1305::new(&key.into()));
        let (mut a, mut b) = (plain.clone(), plain.clone());
        let tag = ours.seal_with(&nonce, &associated, &mut a);
        let other = theirs
            .encrypt_inout_detached(&XNonce::from(nonce), &associated, b.as_mut_slice().into())
            .unwrap();
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(&tag[..], &other[..]);
        prop_assert!(ours.open_in_place(&associated, &nonce, &other, &mut b));
        prop_assert_eq!(&b, &plain);
        theirs
            .decrypt_inout_detached(
                &XNonce::from(nonce),
                &associated,
                a.as_mut_slice().into(),
                &Tag::from(tag),
            )
            .unwrap();
        prop_assert_eq!(&a, &plain);
    }

    /// One bit of anything is another, or the lengths are: it does not open.
    #[test]
    fn i11_what_was_changed_does_not_open(
        plain in prop::collection::vec(any::<u8>(), 1..200),
        at in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let sealer = Sealer::new(&[9; 32]);
        let sealed = sealer.seal(&[b"what", b" for"], &plain);
        prop_assert_eq!(sealer.open(&[b"what for"], &sealed), Some(plain));
        prop_assert_eq!(sealer.open(&[b"whatnot"], &sealed), None);
        prop_assert_eq!(Sealer::new(&[8; 32]).open(&[b"what for"], &sealed), None);
        let mut changed = sealed.clone();
        *at.get_mut(&mut changed) ^= 1_u8 << bit;
        prop_assert_eq!(sealer.open(&[b"what for"], &changed), None);
        prop_assert_eq!(sealer.open(&[b"what for"], &sealed[..at.index(sealed.len())]), None);
    }
}

/// Nonces are never asked for twice.
#[test]
fn i11_each_sealing_has_a_nonce_of_its_own() {
    let sealer = Sealer::new(&[1; 32]);
    let (a, b) = (sealer.seal(&[], &[0; 64]), sealer.seal(&[], &[0; 64]));
    assert_ne!(a[..NONCE_LENGTH], b[..NONCE_LENGTH]);
    assert_ne!(a[NONCE_LENGTH..], b[NONCE_LENGTH..]);
}
