//! What an unknown address shows.

use crate::i18n::t;
use crate::web::components::icon;
use crate::web::context::use_locale;
use crate::web::links;
use leptos::prelude::*;
use leptos_meta::Title;

/// The page. It stands outside of the frame: it needs nobody to be signed in.
pub fn page() -> AnyView {
    let locale = use_locale();
    #[cfg(feature = "ssr")]
    if let Some(answer) = use_context::<leptos_axum::ResponseOptions>() {
        answer.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text=t!(locale, "app-title", page = t!(locale, "missing-title"))/>
        <main id="main" class="alone">
            <div class="card door">
                {icon::mark()}
                <h1>{t!(locale, "missing-title")}</h1>
                <p>{t!(locale, "missing-what")}</p>
                <a class="button primary" rel="external" href=links::HOME>{t!(locale, "missing-back")}</a>
            </div>
        </main>
    }
    .into_any()
}
