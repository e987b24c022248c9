//! The members of an organization and those who are invited: plain forms, which work without scripts.
//!
//! The token of a link goes from the answer to the Owner who asked, in a cookie that the next page takes back, into that
//! page, once; it stands in no address of the console's and in no line of the log. Whoever follows the link has the token
//! in the address of one page, which sends no `Referer` with it.

use super::session::{self, Visit, blocking, see_other};
use super::state::AppState;
use crate::control::people::Token;
use crate::domain::fault::{Fault, Noun};
use crate::domain::role::Role;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::{Extension, Form};
use serde::Deserialize;

/// Carries the link of an invitation from the form's answer to the page that shows it: `https-<token>`.
const LINK: &str = "reprise_invitation";
/// Forgets it.
pub const LINK_SHOWN: HeaderValue = HeaderValue::from_static(
    "reprise_invitation=; Path=/organization; Max-Age=0; HttpOnly; SameSite=Lax",
);
const LINK_SECONDS: i64 = 600;

/// The link that a request's cookie carries.
pub fn link(headers: &HeaderMap, public_url: Option<&str>) -> Option<String> {
    let (scheme, token) = session::cookie(headers, LINK)?.split_once('-')?;
    let token = Token::from_cookie(token)?;
    let scheme = ["http", "https"].into_iter().find(|one| *one == scheme)?;
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let site = match (public_url, host) {
        (Some(url), _) => url.to_owned(),
        (None, Some(host)) => format!("{scheme}://{host}"),
        (None, None) => return None,
    };
    Some(format!("{site}/join/{}", token.expose()))
}

/// Where a form leads: back, saying that it was done, or why not with what was typed.
fn back(page: &str, done: &str, result: Result<(), Fault>, typed: &[(&str, &str)]) -> Response {
    match result {
        Ok(()) => see_other(&format!("{page}?done={done}")),
        Err(fault) => session::refused(page, &fault, typed),
    }
}

fn role(word: &str) -> Result<Role, Fault> {
    let mut all = Role::ALL.into_iter();
    all.find(|role| role.code() == word)
        .ok_or(Fault::BadRequest)
}

/// The form that invites.
#[derive(Deserialize)]
pub struct Invite {
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
}

/// `POST /organization/invite`
pub async fn invite(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    Form(form): Form<Invite>,
) -> Response {
    let (control, email, wanted) = (state.control.clone(), form.email.clone(), form.role.clone());
    let made = blocking(move || control.invite(&visit.caller, &email, role(&wanted)?)).await;
    let cookie = made.as_ref().ok().map(|token| {
        // The request has passed the check of its origin: it is ours, or there is none to read a scheme from.
        let origin = headers.get(header::ORIGIN);
        let secure = origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https:"));
        let scheme = if secure { "https" } else { "http" };
        session::set_cookie_for(
            LINK,
            &format!("{scheme}-{}", token.expose()),
            LINK_SECONDS,
            "/organization",
            &state,
        )
    });
    let typed = [("email", form.email.as_str()), ("role", &form.role)];
    let mut response = back("/organization", "invited", made.map(|_| ()), &typed);
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The form that withdraws an invitation.
#[derive(Deserialize)]
pub struct Withdraw {
    #[serde(default)]
    invitation: String,
}

/// `POST /organization/withdraw`
pub async fn withdraw(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Withdraw>,
) -> Response {
    let control = state.control.clone();
    let none = Fault::NotFound {
        what: Noun::Invitation,
    };
    let result = blocking(move || {
        let id = form.invitation.parse().map_err(|_| none)?;
        control.withdraw_invitation(&visit.caller, id)
    });
    back("/organization", "withdrawn", result.await, &[])
}

/// The forms about a member: the member, and the new role or that one is sure.
#[derive(Deserialize)]
pub struct About {
    #[serde(default)]
    member: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    sure: String,
}

const NO_MEMBER: Fault = Fault::NotFound { what: Noun::Member };

/// The member's own page, if the form names one at all.
fn page_of(member: &str) -> String {
    let id = member.parse::<crate::domain::id::UserId>();
    id.map_or("/organization".to_owned(), |id| {
        format!("/organization/members/{id}")
    })
}

/// `POST /organization/role`
pub async fn change_role(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<About>,
) -> Response {
    let control = state.control.clone();
    let (member, wanted) = (form.member.parse(), form.role.clone());
    let result = blocking(move || {
        let member = member.map_err(|_| NO_MEMBER)?;
        control.change_role(&visit.caller, member, role(&wanted)?)
    });
    let typed = [("form", "role"), ("role", form.role.as_str())];
    back(&page_of(&form.member), "role", result.await, &typed)
}

/// `POST /organization/remove`
pub async fn remove(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<About>,
) -> Response {
    let (control, caller) = (state.control.clone(), visit.caller.clone());
    let (member, sure) = (form.member.parse(), form.sure == "true");
    let leaves = visit
        .caller
        .actor
        .is_some_and(|actor| member == Ok(actor.user));
    let result = blocking(move || {
        let member = member.map_err(|_| NO_MEMBER)?;
        if !sure {
            return Err(Fault::NotConfirmed);
        }
        control.remove_member(&caller, member)
    })
    .await;
    match result {
        Ok(()) if leaves => {
            let mut response = see_other("/sign-in?done=left");
            session::forget(&mut response, &state);
            response
        }
        Ok(()) => see_other("/organization?done=removed"),
        refused => back(&page_of(&form.member), "", refused, &[("form", "remove")]),
    }
}

/// The form of one who follows a link. Not printed: it has secrets.
#[derive(Deserialize)]
pub struct Join {
    #[serde(default)]
    token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    again: String,
}

/// `POST /join`
pub async fn join(State(state): State<AppState>, Form(form): Form<Join>) -> Response {
    let control = state.control.clone();
    // What is no token is not written into an address.
    let link = Token::from_cookie(&form.token);
    let page = link.map_or("/join/-".to_owned(), |token| {
        format!("/join/{}", token.expose())
    });
    let name = form.name.clone();
    let joined = session::hashing(move || {
        control.accept_invitation(&form.token, &form.name, &form.password, &form.again)
    });
    match joined.await {
        Ok(signed_in) => session::welcome("/", &signed_in, &state),
        Err(fault) => session::refused(&page, &fault, &[("name", &name)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_of_our_own_site_and_of_a_token() {
        let token = "ab".repeat(32);
        let of = |cookie: &str, public: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("reprise.test:1"));
            let cookie = format!("{LINK}={cookie}");
            headers.insert(header::COOKIE, cookie.parse().expect("a header"));
            link(&headers, public)
        };
        let path = format!("/join/{token}");
        assert_eq!(
            of(&format!("http-{token}"), None),
            Some(format!("http://reprise.test:1{path}"))
        );
        assert_eq!(
            of(&format!("https-{token}"), None),
            Some(format!("https://reprise.test:1{path}"))
        );
        assert_eq!(
            of(&format!("http-{token}"), Some("https://console.example")),
            Some(format!("https://console.example{path}"))
        );
        for wrong in [
            "",
            "http-",
            "http-x",
            "ftp-",
            &format!("ftp-{token}"),
            &token,
        ] {
            assert_eq!(of(wrong, None), None, "{wrong}");
        }
    }
}
