//! Replacing a one-time password: a plain form.

use super::plain::{brought_refusal, new_password};
use crate::i18n::t;
use crate::web::components::field::{Field, form_refusal};
use crate::web::components::icon;
use crate::web::context::use_locale;
use crate::web::frame::languages;
use leptos::prelude::*;
use leptos_meta::Title;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let refusal = brought_refusal("");
    view! {
        <Title text=t!(locale, "app-title", page = t!(locale, "password-title"))/>
        <div class="alone">
            <header class="top">{languages(locale)}</header>
            <main id="main">
                <form class="card door" method="post" action="/password">
                    <p class="brand">{icon::mark()} <span>"Reprise"</span></p>
                    <h1>{t!(locale, "password-title")}</h1>
                    <p class="quiet">{t!(locale, "password-what")}</p>
                    {form_refusal(locale, refusal)}
                    {new_password(locale, Field::Password, t!(locale, "password-new"), None, refusal)}
                    {new_password(locale, Field::Again, t!(locale, "password-again"), None, refusal)}
                    <button type="submit" class="button primary">{t!(locale, "password-submit")}</button>
                </form>
            </main>
        </div>
    }
    .into_any()
}
