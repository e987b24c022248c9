//! Names that members give to their objects.

use super::fault::Fault;
use std::cmp::Ordering;

/// The longest name, in characters.
pub const MAX_NAME: usize = 100;

/// A name as it will be kept: trimmed, spaces joined. Any script, emoji included; no control characters, and none of
/// the invisible characters that reorder text, for a name must look like itself in every list.
///
/// # Errors
/// [`Fault::NameEmpty`], [`Fault::NameTooLong`], [`Fault::NameUnreadable`].
pub fn checked_name(text: &str) -> Result<String, Fault> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        return Err(Fault::NameEmpty);
    }
    if name.chars().count() > MAX_NAME {
        return Err(Fault::NameTooLong {
            max: MAX_NAME as u32,
        });
    }
    if name.chars().any(is_hidden) {
        return Err(Fault::NameUnreadable);
    }
    Ok(name)
}

/// `text` as it is searched: in lower case, letters without their accents (é is e, œ is oe), typographic apostrophes as
/// plain ones. What is written in other scripts stays as it is.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            plain.push(c.to_ascii_lowercase());
            continue;
        }
        for c in c.to_lowercase() {
            match c {
                'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => plain.push('a'),
                'ç' | 'ć' | 'č' => plain.push('c'),
                'ď' | 'đ' => plain.push('d'),
                'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => plain.push('e'),
                'ğ' => plain.push('g'),
                'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => plain.push('i'),
                'ł' => plain.push('l'),
                'ñ' | 'ń' | 'ň' => plain.push('n'),
                'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => plain.push('o'),
                'ř' => plain.push('r'),
                'ś' | 'š' | 'ş' | 'ș' => plain.push('s'),
                'ť' | 'ţ' | 'ț' => plain.push('t'),
                'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' => plain.push('u'),
                'ý' | 'ÿ' => plain.push('y'),
                'ź' | 'ž' | 'ż' => plain.push('z'),
                'œ' => plain.push_str("oe"),
                'æ' => plain.push_str("ae"),
                'ß' => plain.push_str("ss"),
                '’' => plain.push('\''),
                // Accents that stand apart from their letter (Unicode, combining diacritical marks).
                '\u{300}'..='\u{36f}' => {}
                other => plain.push(other),
            }
        }
    }
    plain
}

/// The order of two names as people read them: case and accents aside, runs of digits by their value; then as they are
/// written, so that no two different names are equal.
#[must_use]
pub fn in_order(one: &str, other: &str) -> Ordering {
    let (left, right) = (folded(one), folded(other));
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        match (left.first(), right.first()) {
            (None, None) => return one.cmp(other),
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (a, rest) = digits(left);
                left = rest;
                let (b, rest) = digits(right);
                right = rest;
                match a.len().cmp(&b.len()).then(a.cmp(b)) {
                    Ordering::Equal => {}
                    unequal => return unequal,
                }
            }
            (a, b) if a == b => {
                left = &left[1..];
                right = &right[1..];
            }
            (a, b) => return a.cmp(&b),
        }
    }
}

/// The digits that `text` begins with, without zeros before them, and what follows.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    (&number[zeros..], rest)
}

/// Characters that cannot be seen, or that reorder those around them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
}

/// The longest address (RFC 5321).
const MAX_ADDRESS: usize = 254;

/// An address as it will be kept: trimmed, lower-cased. Whether it receives anything only its owner knows; what is asked here
/// is that it is one line that can be read, with something on both sides of an `@`.
///
/// # Errors
/// [`Fault::AddressUnreadable`].
pub fn checked_address(text: &str) -> Result<String, Fault> {
    let address = text.trim().to_lowercase();
    let both = address
        .rsplit_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    let legible = !address.contains(|c: char| c.is_whitespace() || is_hidden(c));
    if both && legible && address.len() <= MAX_ADDRESS {
        Ok(address)
    } else {
        Err(Fault::AddressUnreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_bounded_and_visible() {
        assert_eq!(
            checked_name("  avant   inventaire "),
            Ok("avant inventaire".to_owned())
        );
        assert_eq!(checked_name(" \t\n "), Err(Fault::NameEmpty));
        assert!(checked_name(&"é".repeat(MAX_NAME)).is_ok());
        assert!(matches!(
            checked_name(&"é".repeat(MAX_NAME + 1)),
            Err(Fault::NameTooLong { .. })
        ));
        for hidden in ["a\u{202e}b", "a\u{0}b", "\u{200b}"] {
            assert_eq!(
                checked_name(hidden),
                Err(Fault::NameUnreadable),
                "{hidden:?}"
            );
        }
        for fine in ["نسخة", "🦀 volume", "‏שלום"] {
            assert!(checked_name(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn names_are_searched_without_case_and_accents() {
        assert_eq!(folded("Érablière d’Œuvres"), "erabliere d'oeuvres");
        assert_eq!(folded("e\u{301}te\u{301}"), "ete");
        assert_eq!(folded("日本-Ж"), "日本-ж");
    }

    #[test]
    fn names_stand_in_the_order_people_read_them() {
        let mut names = [
            "node10", "Node2", "émile", "zoe", "Emile", "node2", "node02", "a", "node",
        ];
        names.sort_by(|one, other| in_order(one, other));
        let sorted = [
            "a", "Emile", "émile", "node", "Node2", "node02", "node2", "node10", "zoe",
        ];
        assert_eq!(names, sorted);
    }

    #[test]
    fn addresses_are_one_legible_line() {
        assert_eq!(
            checked_address(" Marie@Boreale.Example "),
            Ok("marie@boreale.example".to_owned())
        );
        assert!(checked_address("o'brien+x@host").is_ok());
        for wrong in ["", "@", "a@", "@b", "a b@c", "a@b\nc", "a\u{202e}@b", "ab"] {
            assert_eq!(
                checked_address(wrong),
                Err(Fault::AddressUnreadable),
                "{wrong:?}"
            );
        }
        assert!(checked_address(&format!("{}@b", "a".repeat(260))).is_err());
    }
}
