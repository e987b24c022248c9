//! Words: Fluent messages, and the forms of numbers, sizes, dates and times, in the reader's language.
//!
//! The server says them with Fluent. The browser gets the messages of its page's language as a [`plain`] sheet, which the
//! server writes from the same files (`sheet`), and says them with a reader of a few lines: it carries neither Fluent
//! nor any text. Both write the same text to the letter; a test compares them for every message. What may never be true:
//! a loader that changes its language (one loader a language, loaded once), a sentence put together from pieces, a
//! number or a date that Fluent formats by itself, a page that comes to life before its words are there.

pub mod fault;
pub mod format;
#[cfg(feature = "ssr")]
mod loader;
#[cfg(feature = "ssr")]
pub mod places;
pub mod plain;
#[cfg(feature = "ssr")]
mod sheet;
pub mod words;

#[cfg(feature = "ssr")]
pub use loader::loader;
#[cfg(feature = "ssr")]
pub use sheet::{Sheet, sheet};

/// A message in a language: `t!(locale, "nav-volumes")`, `t!(locale, "act-select", name = value)`. Ids and arguments are
/// checked when the server is compiled.
#[cfg(feature = "ssr")]
macro_rules! t {
    ($locale:expr, $($message:tt)+) => {
        ::i18n_embed_fl::fl!($crate::i18n::loader($locale), $($message)+)
    };
}

/// A message in the page's language, as on the server; there its id and its arguments are checked.
#[cfg(not(feature = "ssr"))]
macro_rules! t {
    ($locale:expr, $id:literal $(,)?) => {{
        let _ = $locale;
        $crate::i18n::plain::say($id, &[])
    }};
    ($locale:expr, $id:literal, $($name:ident = $value:expr),+ $(,)?) => {{
        let _ = $locale;
        $crate::i18n::plain::say(
            $id,
            &[$((stringify!($name), $crate::i18n::plain::Value::from($value))),+],
        )
    }};
}
pub(crate) use t;

#[cfg(test)]
mod tests;
