//! Pages and components.
//!
//! The server writes whole pages (`SsrMode::Async`: nothing is streamed in later), the browser brings them to life.
//! Reading, signing in, choosing a language, and every form work without scripts: acts are links to a page whose address
//! names a dialog, dialogs hold plain forms. What may never be true: a first render that depends on a clock, on the
//! browser's language, or on anything but the data the page carries; an inline style or an inline handler.

mod app;
mod ask;
mod components;
mod context;
mod dialogs;
mod erased;
mod frame;
mod links;
mod live;
mod pages;
#[cfg(feature = "ssr")]
mod shell;
mod toasts;

pub use app::App;
pub use context::{MustChoosePassword, Visitor};
pub use links::after_form;
#[cfg(feature = "ssr")]
pub use shell::shell;

/// Brings the page to life that the server has written, in the language it was written in.
#[cfg(feature = "hydrate")]
pub fn hydrate() {
    use crate::domain::locale::Locale;
    use leptos::prelude::{document, provide_context};

    let root = document().document_element();
    let tag = root
        .as_ref()
        .and_then(|html| html.get_attribute("lang"))
        .unwrap_or_default();
    let locale = Locale::from_tag(&tag).unwrap_or_default();
    leptos::mount::hydrate_body(move || {
        provide_context(locale);
        App()
    });
    // Tests and styles wait for this mark: from here on the page answers.
    if let Some(html) = root {
        _ = html.set_attribute("data-hydrated", "");
    }
}
