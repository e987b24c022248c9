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
mod written;

pub use app::App;
pub use context::{InvitationLink, Invited, MustChoosePassword, Typed, Visitor};
pub use links::{after_form, was_refused};
#[cfg(feature = "ssr")]
pub use pages::activity::act;
#[cfg(feature = "ssr")]
pub use shell::shell;

/// Brings the page to life that the server has written, in the language it was written in. Without its words, or cut off,
/// it stays as it is, and works as it does without scripts.
#[cfg(feature = "hydrate")]
pub async fn hydrate() {
    use crate::domain::locale::Locale;
    use crate::i18n::plain;
    use leptos::prelude::{document, provide_context};

    let root = document().document_element();
    let tag = root
        .as_ref()
        .and_then(|html| html.get_attribute("lang"))
        .unwrap_or_default();
    let locale = Locale::from_tag(&tag).unwrap_or_default();
    let Some(words) = words().await else {
        return;
    };
    if !whole() {
        return;
    }
    plain::bring(words);
    let title = written::CameAs(document().title());
    leptos::mount::hydrate_body(move || {
        provide_context(locale);
        provide_context(title);
        App()
    });
    // Tests and styles wait for this mark: from here on the page answers.
    if let Some(html) = root {
        _ = html.set_attribute("data-hydrated", "");
    }
}

/// Whether the page came to its end: the last thing that it carries is this variable. One that was cut off has not all that
/// hydration looks for.
#[cfg(feature = "hydrate")]
fn whole() -> bool {
    let end = js_sys::Reflect::get(&leptos::prelude::window(), &"__INCOMPLETE_CHUNKS".into());
    end.is_ok_and(|end| !end.is_undefined())
}

/// The messages of the page's language, from where the page says they are.
#[cfg(feature = "hydrate")]
async fn words() -> Option<String> {
    use leptos::prelude::{document, window};
    use wasm_bindgen::JsCast;
    use wasm_bindgen_futures::JsFuture;

    let address = document()
        .get_element_by_id("words")?
        .get_attribute("href")?;
    let answer = JsFuture::from(window().fetch_with_str(&address))
        .await
        .ok()?;
    let answer = answer.dyn_into::<web_sys::Response>().ok()?;
    if !answer.ok() {
        return None;
    }
    JsFuture::from(answer.text().ok()?).await.ok()?.as_string()
}
