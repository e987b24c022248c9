//! Words: Fluent messages, and the forms of numbers, sizes, dates and times, in the reader's language.
//!
//! Server and browser run the same code on the same messages, so that they write the same text to the letter. What may
//! never be true: a loader that changes its language (one loader a language, loaded once), a sentence put together from
//! pieces, a number or a date that Fluent formats by itself. Both languages are part of the program; nothing is fetched.

pub mod fault;
pub mod format;
pub mod words;

use crate::domain::locale::Locale;
use i18n_embed::LanguageLoader;
use i18n_embed::fluent::FluentLanguageLoader;
use rust_embed::RustEmbed;
use std::sync::LazyLock;
use unic_langid::LanguageIdentifier;
use unic_langid::subtags::Language;

/// `locales/`, inside the program.
#[derive(RustEmbed)]
#[folder = "locales/"]
struct Messages;

static FR: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load("fr"));
static EN: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load("en"));

fn load(code: &str) -> FluentLanguageLoader {
    let language = |code: &str| {
        LanguageIdentifier::from_parts(
            Language::from_bytes(code.as_bytes()).unwrap_or_default(),
            None,
            None,
            &[],
        )
    };
    let loader = FluentLanguageLoader::new("reprise", language("en"));
    // The messages are in the program and parsed by a test; if they were not, pages would show identifiers.
    let loaded = loader.load_languages(&Messages, &[language(code)]);
    debug_assert!(loaded.is_ok(), "{loaded:?}");
    // Isolation marks (U+2068, U+2069) would end up in copied names and in titles; names stand in `<bdi>` instead.
    loader.set_use_isolating(false);
    loader
}

/// The messages of a language. English stands in for a message that is missing, which a test rules out.
#[must_use]
pub fn loader(locale: Locale) -> &'static FluentLanguageLoader {
    match locale {
        Locale::Fr => &FR,
        Locale::En => &EN,
    }
}

/// A message in a language: `t!(locale, "nav-volumes")`, `t!(locale, "act-select", name = value)`. Ids and arguments are
/// checked at compile time.
macro_rules! t {
    ($locale:expr, $($message:tt)+) => {
        ::i18n_embed_fl::fl!($crate::i18n::loader($locale), $($message)+)
    };
}
pub(crate) use t;

#[cfg(test)]
mod tests;
