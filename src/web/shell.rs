//! The document around every page.

use super::app::App;
use super::context::use_locale;
use crate::domain::theme::Theme;
use crate::i18n::sheet;
use leptos::hydration::HydrationScripts;
use leptos::prelude::*;
use leptos_meta::MetaTags;

/// The whole document. The server provides the language (`Locale`), the theme, and the nonce that its policy names.
#[must_use]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let words = format!("/words/{}", sheet(use_locale()).name);
    // The browser paints its own parts (bars, fields) by it, from the first byte on.
    let theme = use_context::<Option<Theme>>().flatten();
    let schemes = theme.map_or("light dark", Theme::code);
    let bar = |scheme: Theme| {
        let media = theme
            .is_none()
            .then(|| format!("(prefers-color-scheme: {})", scheme.code()));
        let colour = match scheme {
            Theme::Light => "#12212b",
            Theme::Dark => "#0a1016",
        };
        (theme.is_none_or(|theme| theme == scheme))
            .then(|| view! { <meta name="theme-color" content=colour/> }.attr("media", media))
    };
    // Translating the page in the browser would replace the nodes that hydration looks for; it speaks both languages.
    view! {
        <!DOCTYPE html>
        <html lang=use_locale().tag() translate="no" data-theme=theme.map(Theme::code)>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content=schemes/>
                {bar(Theme::Light)}
                {bar(Theme::Dark)}
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="apple-touch-icon" href="/apple-touch-icon.png"/>
                <link rel="manifest" href="/manifest.webmanifest"/>
                <link rel="preload" href="/fonts/inter-latin.woff2" r#as="font" type="font/woff2" crossorigin=""/>
                <link rel="stylesheet" href="/pkg/reprise.css"/>
                // The browser half says nothing of its own: it comes to life once it has these.
                <link id="words" rel="preload" href=words r#as="fetch" type="text/plain" crossorigin=""/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}
