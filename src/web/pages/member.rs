//! One member of the organization: the role, and removing. Whoever may not sees the same forms, with the reason.

use super::head;
use super::plain::{brought, brought_refusal, choice, done_note, guarded, roles, sure};
use crate::api::session;
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::UserId;
use crate::domain::locale::Locale;
use crate::i18n::{t, words};
use crate::view::{MemberRow, OrganizationView};
use crate::web::components::field::{Field, form_refusal};
use crate::web::components::lists::failed;
use crate::web::context::use_locale;
use crate::web::links;
use crate::web::written::later;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let id = use_params_map().with_untracked(|params| {
        let id = params.get_str("member")?;
        id.parse::<UserId>().ok()
    });
    let inside = later(async move {
        match session::organization().await.map(|all| found(&all, id)) {
            Ok(Some((row, may))) => told(locale, &row, may),
            Ok(None) => failed(&Fault::NotFound { what: Noun::Member }),
            Err(reason) => failed(&reason),
        }
    });
    view! {
        <article class="people">
            <p><a href=links::ORGANIZATION>{t!(locale, "organization-title")}</a></p>
            {inside}
        </article>
    }
    .into_any()
}

/// The member, if there is one, and whether whoever asks may manage members.
fn found(all: &OrganizationView, id: Option<UserId>) -> Option<(MemberRow, bool)> {
    let row = all.members.iter().find(|row| Some(row.id) == id)?;
    Some((row.clone(), all.may_manage))
}

fn told(locale: Locale, row: &MemberRow, may: bool) -> AnyView {
    let done = (brought("done") == "role").then(|| done_note(t!(locale, "member-role-saved")));
    let who = format!("{}, {}", row.email, words::role(locale, row.role));
    view! {
        {head(row.name.clone(), Some(who), ().into_any())}
        {done}
        {role(locale, row, may)}
        {removal(locale, row, may)}
    }
    .into_any()
}

fn role(locale: Locale, row: &MemberRow, may: bool) -> AnyView {
    let refusal = brought_refusal("role");
    let reason = match (may, row.you) {
        (false, _) => Some(Fault::NotAllowed),
        (true, true) => Some(Fault::OwnRole),
        (true, false) => None,
    };
    let fields = view! {
        {form_refusal(locale, refusal)}
        {choice(locale, Field::Role, t!(locale, "organization-role"), Some(t!(locale, "organization-roles")), roles(locale, row.role.code()), refusal)}
        <button type="submit" class="button primary">{t!(locale, "member-role-save")}</button>
    }
    .into_any();
    view! {
        <form class="card kit" method="post" action="/organization/role">
            <h2>{t!(locale, "member-role")}</h2>
            <input type="hidden" name="member" value=row.id.to_string()/>
            {guarded(locale, reason.as_ref(), fields)}
        </form>
    }
    .into_any()
}

fn removal(locale: Locale, row: &MemberRow, may: bool) -> AnyView {
    let refusal = brought_refusal("remove");
    let reason = match (row.you, may) {
        (true, _) => row.last_owner.then_some(Fault::LastOwner),
        (false, true) => None,
        (false, false) => Some(Fault::NotAllowed),
    };
    let name = row.name.as_str();
    let (title, what, agreed, submit) = if row.you {
        (
            t!(locale, "member-leave"),
            t!(locale, "member-leave-what"),
            t!(locale, "member-leave-sure"),
            t!(locale, "member-leave-submit"),
        )
    } else {
        (
            t!(locale, "member-remove"),
            t!(locale, "member-remove-what", name = name),
            t!(locale, "member-remove-sure", name = name),
            t!(locale, "member-remove-submit", name = name),
        )
    };
    let fields = view! {
        {form_refusal(locale, refusal)}
        {sure(locale, agreed, refusal)}
        <button type="submit" class="button danger">{submit}</button>
    }
    .into_any();
    view! {
        <form class="card kit" method="post" action="/organization/remove">
            <h2>{title}</h2>
            <p>{what}</p>
            <input type="hidden" name="member" value=row.id.to_string()/>
            {guarded(locale, reason.as_ref(), fields)}
        </form>
    }
    .into_any()
}
