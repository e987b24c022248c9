//! The messages as the server says them: with Fluent, from files inside the program.

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
pub(super) struct Messages;

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
