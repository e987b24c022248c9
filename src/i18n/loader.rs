//! The messages as the server says them: with Fluent, from files inside the program.

use crate::domain::locale::Locale;
use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed::{I18nAssets, LanguageLoader};
use rust_embed::RustEmbed;
use std::collections::HashMap;
use std::sync::LazyLock;
use unic_langid::LanguageIdentifier;
use unic_langid::subtags::Language;

/// `locales/`, inside the program.
#[derive(RustEmbed)]
#[folder = "locales/"]
pub(super) struct Messages;

/// The messages of a language, as they were written.
pub(super) fn source(locale: Locale) -> String {
    #[cfg(test)]
    if locale == Locale::Qps {
        return super::tests::pseudo::messages();
    }
    let file = Messages::get(&format!("{}/reprise.ftl", locale.code()));
    let source = file.map(|file| String::from_utf8_lossy(&file.data).into_owned());
    source.unwrap_or_default()
}

/// A language's tag, as Fluent and its rules of plurals know it.
pub(super) fn language(code: &str) -> LanguageIdentifier {
    let language = Language::from_bytes(code.as_bytes()).unwrap_or_default();
    LanguageIdentifier::from_parts(language, None, None, &[])
}

/// Each language's messages. Those of the tests' own one have no rules of plurals: they are read by the rules of English.
static LOADERS: LazyLock<HashMap<Locale, FluentLanguageLoader>> = LazyLock::new(|| {
    let all = Locale::ALL
        .iter()
        .map(|locale| (*locale, load(&Messages, locale.code())));
    #[cfg(test)]
    let all = all.chain([(Locale::Qps, load(&super::tests::pseudo::Folder, "en"))]);
    all.collect()
});

fn load(folder: &dyn I18nAssets, code: &str) -> FluentLanguageLoader {
    let loader = FluentLanguageLoader::new("reprise", language("en"));
    // The messages are in the program and parsed by a test; if they were not, pages would show identifiers.
    let loaded = loader.load_languages(folder, &[language(code)]);
    debug_assert!(loaded.is_ok(), "{loaded:?}");
    // Isolation marks (U+2068, U+2069) would end up in copied names and in titles; names stand in `<bdi>` instead.
    loader.set_use_isolating(false);
    loader
}

/// The messages of a language. English stands in for a message that is missing, which a test rules out.
#[must_use]
pub fn loader(locale: Locale) -> &'static FluentLanguageLoader {
    &LOADERS[&locale]
}
