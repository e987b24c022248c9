//! *Profil*: what a member changes of themselves. Plain forms; where else they are signed in follows what happens.

use super::head;
use super::plain::{brought, brought_refusal, choice, done_note, line, new_password, one_of};
use crate::api::session;
use crate::domain::locale::Locale;
use crate::domain::theme::Theme;
use crate::i18n::{format, places, t, words};
use crate::view::{ProfileView, SessionRow};
use crate::web::components::field::{Field, form_refusal, markup};
use crate::web::components::lists::failed;
use crate::web::context::use_locale;
use crate::web::erased::maybe;
use crate::web::links;
use crate::web::written::later;
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let inside = later(async move {
        match session::profile().await {
            Ok(profile) => view! {
                {forms(locale, &profile)}
                <div id="sessions" data-live="activity">{sessions(locale, &profile.sessions)}</div>
            }
            .into_any(),
            Err(reason) => failed(&reason),
        }
    });
    let done = match brought("done").as_str() {
        "profile" => Some(t!(locale, "profile-saved")),
        "password" => Some(t!(locale, "profile-password-saved")),
        "sessions" => Some(t!(locale, "profile-sessions-ended")),
        _ => None,
    };
    view! {
        <article class="people">
            {head(t!(locale, "profile-title"), Some(t!(locale, "profile-intro")), ().into_any())}
            {maybe(done.map(done_note))}
            {inside}
        </article>
    }
    .into_any()
}

fn forms(locale: Locale, profile: &ProfileView) -> AnyView {
    let (refusal, secret) = (brought_refusal("profile"), brought_refusal("password"));
    // What was typed and refused stands in the address; else what is kept.
    let refused = refusal.with_untracked(Option::is_some);
    let typed = move |key, kept: &str| {
        if refused {
            brought(key)
        } else {
            kept.to_owned()
        }
    };
    let name = typed("name", &profile.name);
    let chosen = typed("locale", profile.locale.map_or("", Locale::code));
    let mut locales = one_of("", &t!(locale, "profile-language-browser"), &chosen);
    for choice in Locale::ALL {
        locales.push_str(&one_of(choice.code(), choice.name(), &chosen));
    }
    let chosen = typed("theme", profile.theme.map_or("", Theme::code));
    let themes = [
        one_of("", &t!(locale, "theme-system"), &chosen),
        one_of("light", &t!(locale, "theme-light"), &chosen),
        one_of("dark", &t!(locale, "theme-dark"), &chosen),
    ];
    let chosen = typed(
        "time_zone",
        profile.time_zone.as_deref().unwrap_or_default(),
    );
    let zones = zones(locale, profile, &chosen);
    let rule = t!(
        locale,
        "profile-password-rule",
        min = format::count(locale, u64::from(profile.shortest))
    );
    let member = links::member(profile.id);
    view! {
        <form class="card kit" method="post" action=links::PROFILE>
            <h2>{t!(locale, "profile-who")}</h2>
            {form_refusal(locale, refusal)}
            <p>
                <bdi>{profile.email.clone()}</bdi> ", " {words::role(locale, profile.role)} " " <a href=member>{t!(locale, "profile-member")}</a>
            </p>
            {line(locale, Field::Name, ("text", "name"), t!(locale, "profile-name"), None, name, refusal)}
            {choice(locale, Field::Locale, t!(locale, "frame-language"), None, locales, refusal)}
            {choice(locale, Field::Theme, t!(locale, "frame-theme"), None, themes.concat(), refusal)}
            {choice(locale, Field::TimeZone, t!(locale, "profile-time-zone"), Some(t!(locale, "profile-time-zone-hint")), zones, refusal)}
            <button type="submit" class="button primary">{t!(locale, "profile-save")}</button>
        </form>
        <form class="card kit" method="post" action="/profile/password">
            <h2>{t!(locale, "sign-in-password")}</h2>
            {form_refusal(locale, secret)}
            // For what keeps passwords: whose it is.
            <input type="text" name="username" value=profile.email.clone() autocomplete="username" hidden/>
            {line(locale, Field::Current, ("password", "current-password"), t!(locale, "profile-password-current"), None, String::new(), secret)}
            {new_password(locale, Field::Password, t!(locale, "password-new"), Some(rule), secret)}
            {new_password(locale, Field::Again, t!(locale, "password-again"), None, secret)}
            <p class="quiet">{t!(locale, "profile-password-what")}</p>
            <button type="submit" class="button primary">{t!(locale, "profile-password-submit")}</button>
        </form>
    }
    .into_any()
}

/// The time zones by part of the world, each by its place.
fn zones(locale: Locale, profile: &ProfileView, chosen: &str) -> String {
    let own = t!(
        locale,
        "profile-time-zone-organization",
        zone = places::place(locale, &profile.organization_zone)
    );
    let mut all = one_of("", &own, chosen);
    for part in places::parts(locale, &profile.zones, chosen) {
        let zones = part.places.iter();
        let zones: String = zones
            .map(|(zone, place)| one_of(zone, place, chosen))
            .collect();
        if part.name.is_empty() {
            all.push_str(&zones);
        } else {
            let name = markup(&part.name);
            all.push_str(&format!("<optgroup label=\"{name}\">{zones}</optgroup>"));
        }
    }
    all
}

fn sessions(locale: Locale, sessions: &[SessionRow]) -> AnyView {
    let others = sessions.iter().any(|session| !session.this);
    let rows: Vec<_> = sessions
        .iter()
        .map(|session| {
            let since = format::date_time(locale, session.since);
            let seen = format::date_time(locale, session.seen);
            let words = t!(locale, "profile-session", since = since, seen = seen);
            let this = session
                .this
                .then(|| view! { <b>{t!(locale, "profile-session-this")}</b> " " }.into_any());
            view! { <li>{maybe(this)} {words}</li> }.into_any()
        })
        .collect();
    let end = others.then(|| {
        view! { <button type="submit" class="button">{t!(locale, "profile-sessions-end")}</button> }
            .into_any()
    });
    view! {
        <form class="card kit" method="post" action="/profile/sessions">
            <h2>{t!(locale, "profile-sessions")}</h2>
            <ul>{rows}</ul>
            {maybe(end)}
        </form>
    }
    .into_any()
}
