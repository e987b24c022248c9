//! Names that members give to their objects.

use super::fault::Fault;

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
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
    };
    if name.chars().any(hidden) {
        return Err(Fault::NameUnreadable);
    }
    Ok(name)
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
}
