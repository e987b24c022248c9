//! The serial console's bytes as text to read: UTF-8, without what only a terminal understands.
//!
//! A log is read piece by piece, and a piece may end in the middle of a character or of a control sequence. What is cut
//! there is held back and read again with the next piece, so that no character is lost between two.
//!
//! Control sequences are those of ECMA-48: `ESC [ … final`, `ESC ] … BEL` (and its like) and `ESC` with one more byte.

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// The text.
    pub text: String,
    /// Bytes of the piece that it stands for; the rest is read again.
    pub used: usize,
}

/// The longest control sequence that is waited for; what is longer is none.
const LONGEST: usize = 256;

/// Reads a piece. With `first`, it may begin in the middle of a character: what cannot be its beginning is left out.
pub(super) fn read(bytes: &[u8], first: bool) -> Read {
    let mut at = 0;
    if first {
        // No character has more than three bytes after its first.
        at = bytes
            .iter()
            .take(3)
            .take_while(|byte| (0x80..0xc0).contains(*byte))
            .count();
    }
    let mut text = String::with_capacity(bytes.len());
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = rest
            .iter()
            .position(|byte| *byte < 0x20 || *byte == 0x7f)
            .unwrap_or(rest.len());
        if plain > 0 {
            let (used, whole) = characters(rest.get(..plain).unwrap_or(rest), &mut text);
            at += used;
            // Cut at the end of the piece, not by a control character.
            if !whole && plain == rest.len() {
                break;
            }
            if !whole {
                text.push(char::REPLACEMENT_CHARACTER);
                at += plain - used;
            }
            continue;
        }
        match rest.first() {
            Some(b'\n') => text.push('\n'),
            Some(b'\t') => text.push('\t'),
            Some(0x1b) => match sequence(rest) {
                Some(length) => {
                    at += length;
                    continue;
                }
                None if rest.len() < LONGEST => break,
                // Never ended: only the escape itself goes.
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    Read { text, used: at }
}

/// Reads characters; bytes that are none are replaced. Tells how many bytes were used, and whether that is all but an
/// incomplete character at the end.
fn characters(bytes: &[u8], text: &mut String) -> (usize, bool) {
    let mut used = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        used += chunk.valid().len();
        let invalid = chunk.invalid();
        if invalid.is_empty() {
            continue;
        }
        let last = used + invalid.len() == bytes.len();
        if last && is_beginning(invalid) {
            return (used, false);
        }
        text.push(char::REPLACEMENT_CHARACTER);
        used += invalid.len();
    }
    (used, true)
}

/// Whether these bytes, which are no character, may become one with more of them.
fn is_beginning(bytes: &[u8]) -> bool {
    matches!(std::str::from_utf8(bytes), Err(error) if error.error_len().is_none())
}

/// The length of the control sequence at the beginning of these bytes; none while it has not ended.
fn sequence(bytes: &[u8]) -> Option<usize> {
    let body = bytes.get(2..)?;
    match bytes.get(1)? {
        b'[' => body
            .iter()
            .position(|byte| (0x40..=0x7e).contains(byte))
            .map(|end| end + 3),
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let bell = body.iter().position(|byte| *byte == 0x07);
            let ended = body.windows(2).position(|pair| pair == b"\x1b\\");
            match (bell, ended) {
                (Some(bell), Some(ended)) if ended < bell => Some(ended + 4),
                (Some(bell), _) => Some(bell + 3),
                (None, Some(ended)) => Some(ended + 4),
                (None, None) => None,
            }
        }
        // With intermediate bytes, as in `ESC ( B`.
        0x20..=0x2f => body
            .iter()
            .position(|byte| (0x30..=0x7e).contains(byte))
            .map(|end| end + 3),
        _ => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    /// Reads a log in pieces of `size` bytes, as a page does that asks for more.
    fn in_pieces(bytes: &[u8], size: usize) -> String {
        let (mut at, mut text) = (0, String::new());
        let mut length = size;
        while at < bytes.len() {
            let piece = &bytes[at..(at + length).min(bytes.len())];
            let got = read(piece, false);
            text.push_str(&got.text);
            at += got.used;
            if got.used == 0 {
                // More has been written meanwhile.
                if piece.len() == bytes.len() - at {
                    break;
                }
                length += 1;
            } else {
                length = size;
            }
        }
        text
    }

    #[test]
    fn text_is_the_same_however_it_is_cut() {
        let log = "é 漢字 🦀\r\n\x1b[1;32mok\x1b[0m\tβ\x1b]0;title\x07 \x1b(Bend\n".as_bytes();
        let whole = read(log, false);
        assert_eq!(whole.text, "é 漢字 🦀\nok\tβ end\n");
        assert_eq!(whole.used, log.len());
        for size in 1..=log.len() {
            assert_eq!(in_pieces(log, size), whole.text, "pieces of {size}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_nothing_is_waited_for_in_vain() {
        assert_eq!(read(b"a\xff\xfeb\n", false).text, "a\u{fffd}\u{fffd}b\n");
        // The beginning of a character that a line's end cuts off is none.
        let cut = read(b"a\xe2\x82\nb", false);
        assert_eq!((cut.text.as_str(), cut.used), ("a\u{fffd}\nb", 5));
        // At the end of the piece it is held back.
        let held = read(b"a\xe2\x82", false);
        assert_eq!((held.text.as_str(), held.used), ("a", 1));
        // A sequence that never ends is not waited for for ever.
        let mut endless = b"\x1b[".to_vec();
        endless.extend([b';'; 400]);
        assert_eq!(read(&endless, false).used, endless.len());
        assert_eq!(read(b"\x1b[1;", false).used, 0);
    }

    #[test]
    fn the_newest_part_may_begin_within_a_character() {
        assert_eq!(read(&"é!".as_bytes()[1..], true).text, "!");
        assert_eq!(read(&"é!".as_bytes()[1..], true).used, 2);
    }
}
