//! *Organisation*: its members, who is invited, and the form that invites. The link of an invitation is shown here once.

use super::plain::{brought, brought_refusal, choice, done_note, guarded, line, roles};
use super::{cell, column, head, unseen_header};
use crate::api::session;
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::i18n::{format, t, words};
use crate::view::{InvitationRow, MemberRow, OrganizationView};
use crate::web::components::field::{Field, form_refusal};
use crate::web::components::lists::failed;
use crate::web::context::{InvitationLink, use_locale};
use crate::web::erased::maybe;
use crate::web::links;
use crate::web::written::later;
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let link = use_context::<InvitationLink>().map(|link| shown_once(locale, link.0));
    let inside = later(async move {
        match session::organization().await {
            Ok(found) => view! {
                <div id="members" data-live="activity">{told(locale, &found)}</div>
                {form(locale, found.may_manage, found.days)}
            }
            .into_any(),
            Err(reason) => failed(&reason),
        }
    });
    let done = match brought("done").as_str() {
        "withdrawn" => Some(t!(locale, "organization-withdrawn")),
        "removed" => Some(t!(locale, "organization-removed")),
        _ => None,
    };
    view! {
        <article class="people">
            {head(t!(locale, "organization-title"), None, ().into_any())}
            {maybe(done.map(done_note))}
            {maybe(link)}
            {inside}
        </article>
    }
    .into_any()
}

/// The link, to be copied.
fn shown_once(locale: Locale, link: String) -> AnyView {
    view! {
        <section class="card kit invited" aria-labelledby="invitation-link">
            <h2 id="invitation-link">{t!(locale, "organization-link")}</h2>
            <p role="status">{t!(locale, "organization-link-what")}</p>
            <input type="text" class="mono" readonly value=link aria-labelledby="invitation-link"/>
        </section>
    }
    .into_any()
}

fn told(locale: Locale, found: &OrganizationView) -> AnyView {
    let members: Vec<_> = found
        .members
        .iter()
        .map(|row| member(locale, row))
        .collect();
    let invited = (!found.invitations.is_empty()).then(|| invitations(locale, found));
    view! {
        <p class="lead"><b><bdi>{found.name.clone()}</bdi></b> ", " {t!(locale, "organization-region", region = found.region.as_str())}</p>
        <h2>{t!(locale, "organization-members")}</h2>
        <div class="card scroll">
            <table class="list" role="table">
                <caption class="unseen">{t!(locale, "organization-members")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {column("", t!(locale, "profile-name"))}
                        {column("", t!(locale, "sign-in-email"))}
                        {column("", t!(locale, "organization-role"))}
                        {column("", t!(locale, "organization-seen"))}
                        {unseen_header(true, "", t!(locale, "act-menu"))}
                    </tr>
                </thead>
                <tbody role="rowgroup">{members}</tbody>
            </table>
        </div>
        {maybe(invited)}
    }
    .into_any()
}

fn member(locale: Locale, row: &MemberRow) -> AnyView {
    let seen = row.seen.map_or_else(
        || t!(locale, "organization-seen-never"),
        |seen| format::date_time(locale, seen),
    );
    let you = row.you.then(|| {
        view! { " " <span class="you">{t!(locale, "organization-you")}</span> }.into_any()
    });
    let name = row.name.as_str();
    view! {
        <tr role="row" id=format!("member-{}", row.id)>
            <th role="rowheader" scope="row"><bdi class="name" title=row.name.clone()>{row.name.clone()}</bdi> {maybe(you)}</th>
            {cell(t!(locale, "sign-in-email"), "", view! { <bdi class="name" title=row.email.clone()>{row.email.clone()}</bdi> }.into_any())}
            {cell(t!(locale, "organization-role"), "", words::role(locale, row.role).into_any())}
            {cell(t!(locale, "organization-seen"), "", seen.into_any())}
            <td role="cell" class="act">
                <a class="button small" href=links::member(row.id) aria-label=t!(locale, "organization-manage-named", name = name)>
                    {t!(locale, "organization-manage")}
                </a>
            </td>
        </tr>
    }
    .into_any()
}

fn invitations(locale: Locale, found: &OrganizationView) -> AnyView {
    let rows: Vec<_> = found
        .invitations
        .iter()
        .map(|row| invitation(locale, row, found.may_manage))
        .collect();
    view! {
        <h2>{t!(locale, "organization-invitations")}</h2>
        <div class="card scroll">
            <table class="list" role="table">
                <caption class="unseen">{t!(locale, "organization-invitations")}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {column("", t!(locale, "sign-in-email"))}
                        {column("", t!(locale, "organization-role"))}
                        {column("", t!(locale, "organization-asker"))}
                        {column("", t!(locale, "organization-until"))}
                        {unseen_header(found.may_manage, "", t!(locale, "act-menu"))}
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn invitation(locale: Locale, row: &InvitationRow, may: bool) -> AnyView {
    let withdraw = may.then(|| {
        let label = t!(locale, "organization-withdraw-named", email = row.email.as_str());
        view! {
            <td role="cell" class="act">
                <form method="post" action="/organization/withdraw">
                    <input type="hidden" name="invitation" value=row.id.to_string()/>
                    <button type="submit" class="button small" aria-label=label>{t!(locale, "organization-withdraw")}</button>
                </form>
            </td>
        }
        .into_any()
    });
    view! {
        <tr role="row" id=format!("invitation-{}", row.id)>
            <th role="rowheader" scope="row"><bdi class="name" title=row.email.clone()>{row.email.clone()}</bdi></th>
            {cell(t!(locale, "organization-role"), "", words::role(locale, row.role).into_any())}
            {cell(t!(locale, "organization-asker"), "", view! { <bdi class="name">{row.asker.clone()}</bdi> }.into_any())}
            {cell(t!(locale, "organization-until"), "", format::date_time(locale, row.until).into_any())}
            {maybe(withdraw)}
        </tr>
    }
    .into_any()
}

fn form(locale: Locale, may: bool, days: u32) -> AnyView {
    let refusal = brought_refusal("");
    let chosen = brought("role");
    let chosen = if chosen.is_empty() { "viewer" } else { &chosen };
    let what = t!(
        locale,
        "organization-invite-what",
        days = format::count(locale, u64::from(days))
    );
    let fields = view! {
        {form_refusal(locale, refusal)}
        {line(locale, Field::Email, ("email", "off"), t!(locale, "sign-in-email"), None, brought("email"), refusal)}
        {choice(locale, Field::Role, t!(locale, "organization-role"), Some(t!(locale, "organization-roles")), roles(locale, chosen), refusal)}
        <button type="submit" class="button primary">{t!(locale, "organization-invite-submit")}</button>
    }
    .into_any();
    let reason = (!may).then_some(Fault::NotAllowed);
    view! {
        <form class="card kit" method="post" action="/organization/invite">
            <h2>{t!(locale, "organization-invite")}</h2>
            <p class="quiet">{what}</p>
            {guarded(locale, reason.as_ref(), fields)}
        </form>
    }
    .into_any()
}
