//! One member of the organization: the role, and removing. Whoever may not sees the same forms, with the reason.

use super::{brought, brought_refusal, done_note, guarded, head, roles};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::UserId;
use crate::domain::locale::Locale;
use crate::i18n::{t, words};
use crate::view::{MemberRow, OrganizationView};
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::field::{Field, choice, form_refusal, sure};
use crate::web::components::lists::{failed, loading};
use crate::web::context::{use_frame, use_locale};
use crate::web::erased::{follow, memo};
use crate::web::links;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let Some(live) = use_frame().map(|frame| frame.live) else {
        return ().into_any();
    };
    let id = use_params_map().with_untracked(|params| {
        let id = params.get_str("member")?;
        id.parse::<UserId>().ok()
    });
    let asked = ask(move || (Question::Organization, live.activity.get()));
    let inside = move || {
        // Drawn anew only when something about the member changes, but for when the member last came.
        let member = memo(move |before: Option<&Option<Found>>| {
            asked.with(|answer| match answer {
                Some(Ok(Answer::Organization(all))) => Some(Ok(found(all, id))),
                Some(Err(reason)) => Some(Err(reason.clone())),
                _ => before.cloned().flatten(),
            })
        });
        follow(move || match member.get() {
            Some(Ok(Some((row, may)))) => told(locale, &row, may),
            Some(Ok(None)) => failed(&Fault::NotFound { what: Noun::Member }),
            Some(Err(reason)) => failed(&reason),
            None => loading(),
        })
    };
    view! {
        <article class="people">
            <p><a href=links::ORGANIZATION>{t!(locale, "organization-title")}</a></p>
            <Transition fallback=loading>{inside()}</Transition>
        </article>
    }
    .into_any()
}

/// The member, if there is one, and whether whoever asks may manage members.
type Found = Result<Option<(MemberRow, bool)>, Fault>;

fn found(all: &OrganizationView, id: Option<UserId>) -> Option<(MemberRow, bool)> {
    let row = all.members.iter().find(|row| Some(row.id) == id)?;
    let row = MemberRow {
        seen: None,
        ..row.clone()
    };
    Some((row, all.may_manage))
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
