//! The document around every page.

use super::app::App;
use super::context::use_locale;
use crate::i18n::sheet;
use leptos::hydration::HydrationScripts;
use leptos::prelude::*;
use leptos_meta::MetaTags;

/// The whole document. The server provides the language (`Locale`) and the nonce that its policy names.
#[must_use]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let words = format!("/words/{}", sheet(use_locale()).name);
    // Translating the page in the browser would replace the nodes that hydration looks for; it speaks both languages.
    view! {
        <!DOCTYPE html>
        <html lang=use_locale().tag() translate="no">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="theme-color" content="#12212b"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
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
