//! Where the link of an invitation leads: a plain form that makes one a member. Nobody is signed in here.
//!
//! What the link invites to stands in the page alone.

use super::plain::{brought, brought_refusal, line, new_password};
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::i18n::{fault, format, t, words};
use crate::view::InvitationView;
use crate::web::components::field::{Field, form_refusal};
use crate::web::components::icon;
use crate::web::context::{Invited, use_locale};
use crate::web::frame::languages;
use crate::web::links;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let token = use_params_map()
        .with_untracked(|params| params.get_str("token").unwrap_or_default().to_owned());
    let invited = use_context::<Invited>();
    let inside = match invited.map_or(Err(Fault::Unreachable), |invited| (invited.0)(&token)) {
        Ok(invitation) => form(locale, token, &invitation),
        Err(reason) => view! {
            <div class="card door">
                {brand()}
                <h1>{t!(locale, "join-not-usable-title")}</h1>
                <p>{fault::sentence(locale, &reason)}</p>
                <a class="button" href=links::SIGN_IN>{t!(locale, "sign-in-title")}</a>
            </div>
        }
        .into_any(),
    };
    view! {
        <Title text=t!(locale, "app-title", page = t!(locale, "join-title"))/>
        <div class="alone">
            <header class="top">{languages(locale)}</header>
            <main id="main">{inside}</main>
        </div>
    }
    .into_any()
}

fn brand() -> AnyView {
    view! { <p class="brand">{icon::mark()} <span>"Reprise"</span></p> }.into_any()
}

fn form(locale: Locale, token: String, invitation: &InvitationView) -> AnyView {
    let refusal = brought_refusal("");
    let role = words::role(locale, invitation.role);
    let what = t!(
        locale,
        "join-what",
        who = invitation.asker.as_str(),
        organization = invitation.organization.as_str(),
        role = role
    );
    let rule = t!(
        locale,
        "profile-password-rule",
        min = format::count(locale, u64::from(invitation.shortest))
    );
    view! {
        <form class="card door" method="post" action="/join">
            {brand()}
            <h1>{t!(locale, "join-heading", organization = invitation.organization.as_str())}</h1>
            <p class="quiet">{what}</p>
            {form_refusal(locale, refusal)}
            <input type="hidden" name="token" value=token/>
            <div class="field">
                <label for="email">{t!(locale, "sign-in-email")}</label>
                <input type="email" id="email" value=invitation.email.clone() readonly autocomplete="username"/>
            </div>
            {line(locale, Field::Name, ("text", "name"), t!(locale, "profile-name"), None, brought("name"), refusal)}
            {new_password(locale, Field::Password, t!(locale, "sign-in-password"), Some(rule), refusal)}
            {new_password(locale, Field::Again, t!(locale, "password-again"), None, refusal)}
            <button type="submit" class="button primary">{t!(locale, "join-submit")}</button>
        </form>
    }
    .into_any()
}
