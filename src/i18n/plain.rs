//! The messages as the browser says them: read from a sheet that the server has written.
//!
//! A sheet is UTF-8 text. Its messages stand in the order of their ids, bytewise; each is its id, [`TEXT`], its pattern,
//! [`END`]. A pattern is text, and in it
//! - [`ARGUMENT`] name [`END`]: the argument of that name;
//! - [`CHOICE`] name, variants, [`END`]: what the argument of that name chooses. A variant is [`KEY`] (or [`OTHERWISE`],
//!   once, for what is said when no key fits), its key, [`TEXT`], its pattern. A key is a word or a plural category, or
//!   `#` and a whole number. The first key that fits counts.
//!
//! What may never be true: a sheet that ends the program. One that is not well formed reads as far as it can be read; a
//! message that is not in it reads as its id.

use std::borrow::Cow;
use std::sync::OnceLock;

/// After an id or a key: what follows is text.
pub const TEXT: char = '\u{1}';
/// Ends a message, an argument, a choice.
pub const END: char = '\u{2}';
/// Begins an argument.
pub const ARGUMENT: char = '\u{3}';
/// Begins a choice.
pub const CHOICE: char = '\u{4}';
/// Begins a variant.
pub const KEY: char = '\u{5}';
/// Begins the variant for what no key fits.
pub const OTHERWISE: char = '\u{6}';

/// What a message is given.
#[derive(Debug, Clone)]
pub enum Value<'text> {
    /// Chooses by plural rules or by its own number.
    Number(u64),
    /// Chooses by its own word.
    Text(Cow<'text, str>),
}

impl<'text> From<&'text str> for Value<'text> {
    fn from(text: &'text str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'text> From<&'text String> for Value<'text> {
    fn from(text: &'text String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u8> for Value<'_> {
    fn from(number: u8) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Self::Number(u64::try_from(number).unwrap_or(u64::MAX))
    }
}

/// The messages of one language.
#[derive(Debug)]
pub struct Sheet<'text> {
    messages: Vec<(&'text str, &'text str)>,
}

impl<'text> Sheet<'text> {
    /// Finds the messages in a sheet's text. Their patterns are read when they are said.
    #[must_use]
    pub fn read(text: &'text str) -> Self {
        let mut messages = Vec::new();
        let mut rest = text;
        while let Some((id, pattern)) = rest.split_once(TEXT) {
            rest = skip(pattern);
            let end = pattern.len() - rest.len();
            messages.push((id, &pattern[..end]));
            rest = rest.strip_prefix(END).unwrap_or(rest);
        }
        Self { messages }
    }

    /// The message of that id, with its arguments.
    #[must_use]
    pub fn say(&self, id: &str, arguments: &[(&str, Value<'_>)]) -> String {
        let mut said = String::new();
        match self.message(id) {
            Some(pattern) => self.pattern(pattern, arguments, &mut said),
            None => said.push_str(id),
        }
        said
    }

    fn message(&self, id: &str) -> Option<&'text str> {
        let at = self.messages.binary_search_by_key(&id, |&(id, _)| id);
        at.ok().map(|at| self.messages[at].1)
    }

    /// Which plural a whole number takes, by CLDR: the sheet has a letter for each number below 200.
    fn plural(&self, number: u64) -> &'static str {
        let at = if number < 100 {
            number
        } else {
            100 + number % 100
        };
        let letters = self.message("").unwrap_or_default().as_bytes();
        match usize::try_from(at).ok().and_then(|at| letters.get(at)) {
            Some(b'z') => "zero",
            Some(b'o') => "one",
            Some(b't') => "two",
            Some(b'f') => "few",
            Some(b'm') => "many",
            _ => "other",
        }
    }

    fn pattern(&self, pattern: &str, arguments: &[(&str, Value<'_>)], said: &mut String) {
        let mut rest = pattern;
        loop {
            let mark = rest.find(is_mark);
            let (text, at) = rest.split_at(mark.unwrap_or(rest.len()));
            said.push_str(text);
            rest = if let Some(argument) = at.strip_prefix(ARGUMENT) {
                let (name, after) = argument.split_once(END).unwrap_or((argument, ""));
                match find(arguments, name) {
                    Some(Value::Number(number)) => said.push_str(&number.to_string()),
                    Some(Value::Text(text)) => said.push_str(text),
                    None => {}
                }
                after
            } else if let Some(choice) = at.strip_prefix(CHOICE) {
                let (chosen, after) = self.choose(choice, arguments);
                self.pattern(chosen, arguments, said);
                after
            } else {
                return;
            };
        }
    }

    /// The pattern that is chosen, and what stands after the choice.
    fn choose<'a>(&self, choice: &'a str, arguments: &[(&str, Value<'_>)]) -> (&'a str, &'a str) {
        let mut rest = choice;
        let name = word(&mut rest);
        let argument = find(arguments, name);
        let (mut fits, mut otherwise) = (None, "");
        while let Some(mark) = rest.chars().next() {
            rest = rest.get(1..).unwrap_or_default();
            if mark == END {
                break;
            }
            let key = word(&mut rest);
            let pattern = rest.strip_prefix(TEXT).unwrap_or(rest);
            rest = skip(pattern);
            if mark == OTHERWISE {
                otherwise = pattern;
            }
            if fits.is_none() && argument.is_some_and(|value| self.fits(key, value)) {
                fits = Some(pattern);
            }
        }
        (fits.unwrap_or(otherwise), rest)
    }

    fn fits(&self, key: &str, value: &Value<'_>) -> bool {
        match value {
            Value::Text(text) => *text == key,
            Value::Number(number) => match key.strip_prefix('#') {
                Some(key) => key.parse() == Ok(*number),
                None => self.plural(*number) == key,
            },
        }
    }
}

const fn is_mark(letter: char) -> bool {
    matches!(letter, TEXT..=OTHERWISE)
}

/// Takes what stands before the next mark.
fn word<'a>(rest: &mut &'a str) -> &'a str {
    let (word, after) = rest.split_at(rest.find(is_mark).unwrap_or(rest.len()));
    *rest = after;
    word
}

/// What stands after a pattern: the mark that ends it and the rest.
fn skip(pattern: &str) -> &str {
    let mut inside = 0_usize;
    for (at, mark) in pattern.match_indices(is_mark) {
        let mark = mark.chars().next();
        if mark == Some(ARGUMENT) || mark == Some(CHOICE) {
            inside += 1;
        } else if inside == 0 {
            return &pattern[at..];
        } else if mark == Some(END) {
            inside -= 1;
        }
    }
    ""
}

fn find<'a, 'b>(arguments: &'a [(&str, Value<'b>)], name: &str) -> Option<&'a Value<'b>> {
    let found = arguments.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value)
}

static SHEET: OnceLock<Sheet<'static>> = OnceLock::new();

/// Gives the page its words, once, before it comes to life. They stay as long as it does.
pub fn bring(text: String) {
    SHEET.get_or_init(|| Sheet::read(String::leak(text)));
}

/// A message in the page's language.
#[must_use]
pub fn say(id: &str, arguments: &[(&str, Value<'_>)]) -> String {
    SHEET
        .get()
        .map_or_else(String::new, |sheet| sheet.say(id, arguments))
}
