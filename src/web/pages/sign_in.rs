//! Signing in: a plain form, the same with and without scripts.

use super::plain::{brought, done_note};
use crate::api::json;
use crate::domain::fault::Fault;
use crate::i18n::{fault, t};
use crate::web::components::icon;
use crate::web::context::use_locale;
use crate::web::erased::maybe;
use crate::web::frame::languages;
use crate::web::links;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;

/// Why the last try was refused, as `server` wrote it into the address.
fn refusal(query: &ParamsMap) -> Option<Fault> {
    match query.get_str("refused") {
        Some("credentials") => Some(Fault::WrongCredentials),
        Some("wait") => {
            let seconds = query
                .get_str("seconds")
                .and_then(|seconds| seconds.parse().ok())
                .unwrap_or(60);
            Some(Fault::TooManyAttempts { seconds })
        }
        Some("foreign") => Some(Fault::ForeignOrigin),
        _ => query
            .get_str("fault")
            .and_then(|fault| json::read(fault).ok()),
    }
}

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let query = use_query_map();
    let (refused, email, next) = query.with_untracked(|query| {
        let value = |key: &str| query.get_str(key).unwrap_or_default().to_owned();
        (refusal(query), value("email"), value("next"))
    });
    let next = if next.is_empty() {
        links::HOME.to_owned()
    } else {
        next
    };
    let left = brought("done") == "left";
    let wrong = refused.as_ref() == Some(&Fault::WrongCredentials);
    let invalid = wrong.then_some("true");
    view! {
        <Title text=t!(locale, "app-title", page = t!(locale, "sign-in-title"))/>
        <div class="alone">
            <header class="top">{languages(locale)}</header>
            <main id="main">
                <form class="card door" method="post" action="/sign-in">
                    <p class="brand">{icon::mark()} <span>"Reprise"</span></p>
                    <h1>{t!(locale, "sign-in-title")}</h1>
                    <p class="quiet">{t!(locale, "sign-in-tagline")}</p>
                    {maybe(left.then(|| done_note(t!(locale, "sign-in-left"))))}
                    {maybe(refused.map(|refused| {
                        view! { <p class="note bad" id="refusal" role="alert">{fault::sentence(locale, &refused)}</p> }.into_any()
                    }))}
                    <input type="hidden" name="next" value=next/>
                    <div class="field">
                        <label for="email">{t!(locale, "sign-in-email")}</label>
                        <input
                            type="email"
                            id="email"
                            name="email"
                            value=email
                            required
                            autocomplete="username"
                            aria-invalid=invalid
                            aria-describedby=wrong.then_some("refusal")
                        />
                    </div>
                    <div class="field">
                        <label for="password">{t!(locale, "sign-in-password")}</label>
                        <input
                            type="password"
                            id="password"
                            name="password"
                            required
                            autocomplete="current-password"
                            aria-invalid=invalid
                            aria-describedby=wrong.then_some("refusal")
                        />
                    </div>
                    <button type="submit" class="button primary">{t!(locale, "sign-in-submit")}</button>
                </form>
            </main>
        </div>
    }
    .into_any()
}
