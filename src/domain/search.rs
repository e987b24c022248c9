//! Searching across everything: what is looked for, and which letters of a name were found.

use super::id::{InstanceId, PointId, SnapshotId, TemplateId, VolumeId};
use super::instance::InstanceState;
use super::name::folded;
use super::recovery::PointState;
use super::snapshot::SnapshotState;
use super::template::TemplateState;
use super::volume::VolumeState;

/// Words that are looked for at most; what stands beyond is passed over.
pub const MOST_WORDS: usize = 8;
/// Characters of a word at most.
pub const LONGEST_WORD: usize = 100;
/// From so many characters on, a word of hexadecimal digits may be the beginning of an id.
pub const SHORTEST_ID: usize = 8;

/// A kind of object that can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An instance.
    Instance,
    /// A volume.
    Volume,
    /// A snapshot.
    Snapshot,
    /// A recovery point.
    Point,
    /// A template.
    Template,
}

impl Kind {
    /// All of them, in the order they are shown in.
    pub const ALL: [Self; 5] = [
        Self::Instance,
        Self::Volume,
        Self::Snapshot,
        Self::Point,
        Self::Template,
    ];

    /// Its word in messages.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Volume => "volume",
            Self::Snapshot => "snapshot",
            Self::Point => "point",
            Self::Template => "template",
        }
    }
}

/// A word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word, folded.
    pub text: String,
    /// The kinds that it is a name of: of those, every object has it.
    pub names: Vec<Kind>,
}

impl Word {
    /// Whether it may be the beginning of an id.
    #[must_use]
    pub fn may_be_id(&self) -> bool {
        self.text.len() >= SHORTEST_ID
            && self
                .text
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    }
}

/// The words of what was typed, folded; no more and no longer ones than are looked for.
#[must_use]
pub fn words(typed: &str) -> Vec<String> {
    typed
        .split_whitespace()
        .take(MOST_WORDS)
        .map(|word| folded(&word.chars().take(LONGEST_WORD).collect::<String>()))
        .filter(|word| !word.is_empty())
        .collect()
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An instance.
    Instance(InstanceId, InstanceState),
    /// A volume.
    Volume(VolumeId, VolumeState),
    /// A snapshot.
    Snapshot(SnapshotId, SnapshotState),
    /// A recovery point of the instance.
    Point(InstanceId, PointId, PointState),
    /// A template.
    Template(TemplateId, TemplateState),
}

/// `text` in parts, each with whether one of the words (folded) stands there, whatever its case and accents.
#[must_use]
pub fn marked(text: &str, words: &[String]) -> Vec<(bool, String)> {
    // Of each byte of the folded text, which character of the text it came from.
    let (mut plain, mut from) = (String::new(), Vec::new());
    let letters: Vec<char> = text.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        plain.push_str(&folded(letter.encode_utf8(&mut [0; 4])));
        from.resize(plain.len(), at);
    }
    let mut found = vec![false; letters.len()];
    for word in words.iter().filter(|word| !word.is_empty()) {
        for (start, _) in plain.match_indices(word.as_str()) {
            for at in &from[start..start + word.len()] {
                found[*at] = true;
            }
        }
    }
    let mut parts: Vec<(bool, String)> = Vec::new();
    for (letter, is) in letters.into_iter().zip(found) {
        match parts.last_mut() {
            Some((last, part)) if *last == is => part.push(letter),
            _ => parts.push((is, letter.into())),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, typed: &str) -> String {
        marked(text, &words(typed))
            .into_iter()
            .map(|(is, part)| if is { format!("[{part}]") } else { part })
            .collect()
    }

    #[test]
    fn what_was_found_is_marked_as_it_is_written() {
        assert_eq!(shown("Été à Lévis", "ete levis"), "[Été] à [Lévis]");
        assert_eq!(shown("Cœur", "coe"), "[Cœ]ur");
        assert_eq!(shown("Cœur", "o"), "C[œ]ur");
        assert_eq!(shown("aaa", "aa"), "[aa]a");
        assert_eq!(shown("nothing", "%"), "nothing");
        assert_eq!(shown("", "a"), "");
    }

    #[test]
    fn no_more_words_are_looked_for_than_that() {
        assert_eq!(words("a b c d e f g h i j").len(), MOST_WORDS);
        assert_eq!(words(&"é".repeat(5_000)), ["e".repeat(LONGEST_WORD)]);
        assert_eq!(words(" \u{301} "), Vec::<String>::new());
    }

    proptest! {
        /// No letter is lost, and neighbours differ.
        #[test]
        fn the_parts_are_the_text(text in ".{0,40}", typed in ".{0,20}") {
            let parts = marked(&text, &words(&typed));
            prop_assert_eq!(parts.iter().map(|(_, part)| part.as_str()).collect::<String>(), text);
            prop_assert!(parts.windows(2).all(|two| two[0].0 != two[1].0));
        }
    }
}
