//! Cookies: who is asking, in which language and colours. No other room knows a cookie.
//!
//! Signing in, signing out and choosing the language or the theme are plain forms, so that they work without scripts.

use super::security::refusal;
use super::state::AppState;
use crate::control::people::{Choices, SESSION_SECONDS, SignedIn, Token};
use crate::control::{Caller, Control};
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::role::Door;
use crate::domain::theme::Theme;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

const SESSION: &str = "reprise_session";
const LANGUAGE: &str = "reprise_language";
const THEME: &str = "reprise_theme";
/// Says that the reminder of the recovery kit was put off.
const KIT_LATER: &str = "reprise_kit_later";
/// Puts it off, for as long as the browser is open.
pub const KIT_LATER_COOKIE: HeaderValue =
    HeaderValue::from_static("reprise_kit_later=1; Path=/; HttpOnly; SameSite=Lax");
/// Forgets that.
const KIT_NOW: HeaderValue =
    HeaderValue::from_static("reprise_kit_later=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
/// A language and a theme are kept for a year.
const CHOICE_SECONDS: i64 = 365 * 24 * 3600;

/// What the request's cookies and headers say, for the handlers behind [`identify`].
#[derive(Debug, Clone)]
pub struct Visit {
    /// Who asks.
    pub caller: Caller,
    /// The session's token, if it is one that holds.
    pub token: Option<Token>,
    /// Whether the member must choose a password before anything else.
    pub must_choose: bool,
    /// In which language to answer.
    pub locale: Locale,
    /// In which colours; none: as the reader's system has them.
    pub theme: Option<Theme>,
    /// Whether the reminder of the recovery kit was put off.
    pub kit_later: bool,
}

/// The value of the cookie of this name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// A `Set-Cookie` that scripts cannot read and other sites' forms do not send.
fn set_cookie(name: &str, value: &str, seconds: i64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    // Values are our own hexadecimal or a code.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The same for the pages below one address.
pub(super) fn set_cookie_for(
    name: &str,
    value: &str,
    seconds: i64,
    path: &str,
    state: &AppState,
) -> HeaderValue {
    let cookie = set_cookie(name, value, seconds, is_secure(state));
    let text = cookie.to_str().unwrap_or_default();
    HeaderValue::from_str(&text.replacen("Path=/;", &format!("Path={path};"), 1)).unwrap_or(cookie)
}

fn is_secure(state: &AppState) -> bool {
    state
        .settings
        .public_url
        .as_deref()
        .is_some_and(|url| url.starts_with("https://"))
}

/// The language of a request, from its headers alone.
pub fn locale(headers: &HeaderMap) -> Locale {
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    Locale::negotiate(cookie(headers, LANGUAGE), accepted)
}

/// Finds out who asks, and puts a [`Visit`] into the request. A session's end moves with its use.
pub async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let locale = locale(request.headers());
    let token = cookie(request.headers(), SESSION).and_then(Token::from_cookie);
    let member = match token.clone() {
        None => None,
        Some(token) => match authenticate(state.control.clone(), token).await {
            Ok(member) => member,
            Err(fault) => return refusal(&fault),
        },
    };
    let renewed = member
        .as_ref()
        .is_some_and(|member| member.renewed)
        .then(|| token.clone())
        .flatten();
    let must_choose = member.as_ref().is_some_and(|member| member.must_choose);
    let signed_in = member.is_some();
    // Until the one-time password is replaced, the member is nobody to every other door.
    let actor = member
        .filter(|member| !member.must_choose)
        .map(|member| member.actor);
    let visit = Visit {
        caller: Caller {
            actor,
            door: Door::Console,
        },
        token: token.filter(|_| signed_in),
        must_choose,
        locale,
        theme: cookie(request.headers(), THEME).and_then(Theme::from_code),
        kit_later: cookie(request.headers(), KIT_LATER).is_some(),
    };
    request.extensions_mut().insert(visit);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(
        header::VARY,
        HeaderValue::from_static("Cookie, Accept-Language"),
    );
    if let Some(token) = renewed
        && !headers.contains_key(header::SET_COOKIE)
    {
        headers.append(
            header::SET_COOKIE,
            set_cookie(SESSION, token.expose(), SESSION_SECONDS, is_secure(&state)),
        );
    }
    response
}

/// Looks a session up on a thread that may block.
pub async fn authenticate(
    control: Control,
    token: Token,
) -> Result<Option<crate::control::people::Member>, Fault> {
    blocking(move || control.authenticate(&token)).await
}

/// Runs `work` on a thread that may block.
///
/// # Errors
/// What `work` returns; [`Fault::Internal`] when it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "a handler's thread ended");
            Err(Fault::Internal {
                reference: "thread".to_owned(),
            })
        })
}

/// `path` if it is one of our own pages; else the first page. Anything a browser could read as another site is refused.
pub fn own_path(path: &str) -> &str {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.chars().all(|c| c.is_ascii_graphic());
    if own { path } else { "/" }
}

pub fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// `text` as the value of a query's key (RFC 3986: everything but unreserved characters is escaped).
pub fn query_value(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// A page with its refusal, and with what was typed into its form; nobody is led to the door, and back to it afterwards.
pub fn refused(page: &str, fault: &Fault, typed: &[(&str, &str)]) -> Response {
    if *fault == Fault::SignInNeeded {
        return see_other(&format!("/sign-in?next={}", query_value(page)));
    }
    let fault = serde_json::to_string(fault).unwrap_or_default();
    let mut to = format!("{page}?fault={}", query_value(&fault));
    for (key, value) in typed {
        to.push_str(&format!("&{key}={}", query_value(value)));
    }
    see_other(&to)
}

/// Runs `work` that hashes passwords: each takes 19 MiB and a core for a while, so no more than two run at once, whoever
/// asks.
///
/// # Errors
/// What `work` returns; [`Fault::Internal`] when it panicked.
pub async fn hashing<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    static HASHING: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);
    let permit = HASHING.acquire().await;
    let result = blocking(work).await;
    drop(permit);
    result
}

/// Sends one who has just signed in to a page, with the session and what the member has chosen.
pub fn welcome(page: &str, signed_in: &SignedIn, state: &AppState) -> Response {
    let mut response = see_other(page);
    let token = signed_in.token.expose();
    let cookie = set_cookie(SESSION, token, SESSION_SECONDS, is_secure(state));
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie);
    headers.append(header::SET_COOKIE, KIT_NOW);
    follow_choices(&mut response, &signed_in.choices, state, false);
    response
}

/// Has the browser's cookies follow what a member has chosen. Where nothing is chosen, the browser keeps what it has, or
/// forgets it.
pub fn follow_choices(response: &mut Response, choices: &Choices, state: &AppState, forgets: bool) {
    let secure = is_secure(state);
    for (name, code) in [
        (LANGUAGE, choices.locale.map(Locale::code)),
        (THEME, choices.theme.map(Theme::code)),
    ] {
        let cookie = match code {
            Some(code) => set_cookie(name, code, CHOICE_SECONDS, secure),
            None if forgets => set_cookie(name, "", 0, secure),
            None => continue,
        };
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Has the browser forget its session.
pub fn forget(response: &mut Response, state: &AppState) {
    let headers = response.headers_mut();
    headers.append(
        header::SET_COOKIE,
        set_cookie(SESSION, "", 0, is_secure(state)),
    );
    headers.append(header::SET_COOKIE, KIT_NOW);
}

/// The sign-in form.
#[derive(Deserialize)]
pub struct SignIn {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`
pub async fn sign_in(State(state): State<AppState>, Form(form): Form<SignIn>) -> Response {
    let control = state.control.clone();
    let SignIn {
        email,
        password,
        next,
    } = form;
    let address = email.clone();
    let result = hashing(move || control.sign_in(&address, &password)).await;
    let back = |why: String| {
        see_other(&format!(
            "/sign-in?{why}&email={}&next={}",
            query_value(&email),
            query_value(own_path(&next))
        ))
    };
    match result {
        Ok(signed_in) => welcome(own_path(&next), &signed_in, &state),
        Err(Fault::TooManyAttempts { seconds }) => back(format!("refused=wait&seconds={seconds}")),
        Err(Fault::WrongCredentials) => back("refused=credentials".to_owned()),
        Err(fault) => back(format!(
            "fault={}",
            query_value(&serde_json::to_string(&fault).unwrap_or_default())
        )),
    }
}

/// `POST /sign-out`
pub async fn sign_out(State(state): State<AppState>, request: Request) -> Response {
    if let Some(visit) = request.extensions().get::<Visit>().cloned()
        && let Some(token) = visit.token
    {
        let control = state.control.clone();
        if let Err(fault) = blocking(move || control.sign_out(&visit.caller, &token)).await {
            return refusal(&fault);
        }
    }
    let mut response = see_other("/sign-in");
    forget(&mut response, &state);
    response
}

/// The form that replaces a password.
#[derive(Deserialize)]
pub struct NewPassword {
    #[serde(default)]
    password: String,
    #[serde(default)]
    again: String,
}

/// `POST /password`
pub async fn choose_password(
    State(state): State<AppState>,
    axum::Extension(visit): axum::Extension<Visit>,
    Form(form): Form<NewPassword>,
) -> Response {
    let Some(token) = visit.token else {
        return see_other("/sign-in");
    };
    // One's own password is changed in the profile, where the present one is asked for.
    if !visit.must_choose {
        return see_other("/profile");
    }
    let control = state.control.clone();
    match blocking(move || control.choose_password(&token, &form.password, &form.again)).await {
        Ok(()) => see_other("/"),
        Err(fault) => {
            let fault = serde_json::to_string(&fault).unwrap_or_default();
            see_other(&format!("/password?fault={}", query_value(&fault)))
        }
    }
}

/// The language form.
#[derive(Deserialize)]
pub struct Language {
    #[serde(default)]
    locale: String,
    #[serde(default)]
    back: String,
}

/// `POST /language`
pub async fn set_language(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Language>,
) -> Response {
    let mut response = see_other(own_path(&form.back));
    if let Some(locale) = Locale::from_tag(&form.locale) {
        let cookie = set_cookie(LANGUAGE, locale.code(), CHOICE_SECONDS, is_secure(&state));
        response.headers_mut().append(header::SET_COOKIE, cookie);
        let kept = keep(&state, visit.caller, move |control, caller| {
            control.keep_locale(caller, locale)
        });
        if let Err(fault) = kept.await {
            return refusal(&fault);
        }
    }
    response
}

/// Keeps what was chosen with the member, if somebody is signed in.
async fn keep(
    state: &AppState,
    caller: Caller,
    keep: impl FnOnce(&Control, &Caller) -> Result<(), Fault> + Send + 'static,
) -> Result<(), Fault> {
    if caller.actor.is_none() {
        return Ok(());
    }
    let control = state.control.clone();
    blocking(move || keep(&control, &caller)).await
}

/// The theme form: `light`, `dark`, or `system`.
#[derive(Deserialize)]
pub struct Colours {
    #[serde(default)]
    theme: String,
    #[serde(default)]
    back: String,
}

/// `POST /theme`
pub async fn set_theme(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Colours>,
) -> Response {
    let mut response = see_other(own_path(&form.back));
    let secure = is_secure(&state);
    let theme = Theme::from_code(&form.theme);
    let cookie = match theme {
        Some(theme) => Some(set_cookie(THEME, theme.code(), CHOICE_SECONDS, secure)),
        None if form.theme == "system" => Some(set_cookie(THEME, "", 0, secure)),
        None => None,
    };
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
        let kept = keep(&state, visit.caller, move |control, caller| {
            control.keep_theme(caller, theme)
        });
        if let Err(fault) = kept.await {
            return refusal(&fault);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_only_ever_sent_to_our_own_pages() {
        for own in [
            "/",
            "/volumes?page=2&dialog=snapshot",
            "/help/snapshot-or-recovery-point",
        ] {
            assert_eq!(own_path(own), own);
        }
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie: x",
            "javascript:1",
        ] {
            assert_eq!(own_path(foreign), "/", "{foreign:?}");
        }
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("xreprise_session=no; a=b"),
        );
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("reprise_session=yes;reprise_language=en"),
        );
        assert_eq!(cookie(&headers, SESSION), Some("yes"));
        assert_eq!(locale(&headers), Locale::En);
    }
}
