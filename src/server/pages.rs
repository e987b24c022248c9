//! Routes, in one place.

use super::session::Visit;
use super::state::AppState;
use super::{csv, health, kept, kit, live, organization, profile, security, session, upload};
use crate::domain::fault::{Fault, Noun};
use crate::domain::locale::Locale;
use crate::i18n;
use crate::web;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};
use std::sync::Arc;
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;

/// Forms and server functions are short; uploads have their own bound.
const MAX_BODY: usize = 64 * 1024;

/// All routes, behind what every request passes.
pub fn router(state: &AppState) -> Router {
    let options = state.leptos.clone();
    let routes = generate_route_list(web::App);
    let provide = {
        let state = state.clone();
        move || provide(&state)
    };
    Router::new()
        .route("/sign-in", post(session::sign_in))
        .route("/sign-out", post(session::sign_out))
        .route("/password", post(session::choose_password))
        .route("/language", post(session::set_language))
        .route("/theme", post(session::set_theme))
        .route("/profile", post(profile::save))
        .route("/profile/password", post(profile::password))
        .route("/profile/sessions", post(profile::sessions))
        .route("/organization/invite", post(organization::invite))
        .route("/organization/withdraw", post(organization::withdraw))
        .route("/organization/role", post(organization::change_role))
        .route("/organization/remove", post(organization::remove))
        .route("/join", post(organization::join))
        .route("/kit", post(kit::export))
        .route("/kit/later", post(kit::later))
        .route(
            "/upload/volume",
            post(upload::volume).layer(DefaultBodyLimit::disable()),
        )
        .route(
            "/upload/template",
            post(upload::template).layer(DefaultBodyLimit::disable()),
        )
        .route("/activity.csv", get(csv::activity))
        .route("/live", get(live::live))
        .route("/healthz", get(health::healthz))
        .route("/api/{*function}", get(no_function).post(no_function))
        .leptos_routes_with_context(state, routes, provide, move || web::shell(options.clone()))
        .fallback(file_or_page)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(state.clone(), close_dialogs))
        .layer(from_fn_with_state(state.clone(), session::identify))
        // The same for everyone: no session is looked up, none renewed, and a copy holds for good.
        .route("/words/{name}", get(words).layer(CompressionLayer::new()))
        .layer(from_fn_with_state(state.clone(), security::same_origin))
        .layer(from_fn(security::headers))
        .with_state(state.clone())
}

/// What pages and server functions find in their context: the use cases, the caller, the language, the theme; and, for a page, the
/// policy that its nonce belongs to.
fn provide(state: &AppState) {
    provide_context(state.control.clone());
    let Some(parts) = use_context::<Parts>() else {
        return;
    };
    let Some(visit) = parts.extensions.get::<Visit>().cloned() else {
        return;
    };
    if let Some(name) = parts.uri.query().and_then(kept::named)
        && let Some(actor) = &visit.caller.actor
        && let Some(fields) = state.kept.of(actor.user, name)
    {
        provide_context(web::Typed(Arc::new(fields)));
    }
    provide_context(visit.caller.clone());
    let (control, caller) = (state.control.clone(), visit.caller.clone());
    let (later, theme) = (visit.kit_later, visit.theme);
    provide_context(web::Visitor(Arc::new(move || {
        let mut session = control.session(&caller)?;
        session.kit_due &= !later;
        session.theme = theme;
        Ok(session)
    })));
    provide_invitations(state);
    provide_context(visit.locale);
    provide_context(visit.theme);
    provide_context(web::MustChoosePassword(visit.must_choose));
    if let (Some(options), Some(nonce)) =
        (use_context::<ResponseOptions>(), leptos::nonce::use_nonce())
    {
        if let Ok(policy) = HeaderValue::from_str(&security::page_policy(&nonce)) {
            options.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
        options.insert_header(
            header::CONTENT_LANGUAGE,
            HeaderValue::from_static(visit.locale.tag()),
        );
    }
}

/// What the page of an organization shows once, and what the page behind a link asks.
fn provide_invitations(state: &AppState) {
    let Some(parts) = use_context::<Parts>() else {
        return;
    };
    let path = parts.uri.path();
    let options = use_context::<ResponseOptions>();
    if path == "/organization"
        && let Some(link) = organization::link(&parts.headers, state.settings.public_url.as_deref())
        && let Some(options) = &options
    {
        options.append_header(header::SET_COOKIE, organization::LINK_SHOWN);
        provide_context(web::InvitationLink(link));
    }
    if path.starts_with("/join/") {
        let control = state.control.clone();
        provide_context(web::Invited(Arc::new(move |link| control.invitation(link))));
        if let Some(options) = &options {
            // The address is a secret; an origin alone is still sent, which forms need.
            options.insert_header(
                header::REFERRER_POLICY,
                HeaderValue::from_static("strict-origin"),
            );
        }
    }
}

/// What is asked of no server function there is. (Those there are have routes of their own, from the pages' framework.)
async fn no_function() -> Response {
    security::refusal(&Fault::NotFound { what: Noun::Page })
}

/// A plain form is sent back to the page it stood on; once its act is done, the dialog it stood in is closed, and when it
/// was refused, what was typed into it comes back.
async fn close_dialogs(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let sender = kept::sender(&request);
    let (request, typed) = match sender {
        None => (request, Vec::new()),
        Some(_) => match kept::read(request, MAX_BODY).await {
            Ok(read) => read,
            Err(status) => return status.into_response(),
        },
    };
    let mut response = next.run(request).await;
    let back = response.headers().get(header::LOCATION);
    let back = back.and_then(|location| location.to_str().ok());
    let again = match (back, sender) {
        (None, _) => None,
        (Some(back), Some(member)) if web::was_refused(back) => {
            Some(format!("{back}&kept={}", state.kept.keep(member, typed)))
        }
        (Some(back), _) => web::after_form(back),
    };
    if let Some(again) = again.and_then(|location| HeaderValue::from_str(&location).ok()) {
        response.headers_mut().insert(header::LOCATION, again);
    }
    response
}

/// The messages of a language, for the browser half. A name that is not today's is an older page's.
async fn words(Path(name): Path<String>) -> Response {
    let mut sheets = Locale::ALL.iter().copied().map(i18n::sheet);
    let Some(sheet) = sheets.find(|sheet| sheet.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, sheet.text.as_str()).into_response()
}

/// A file of the site folder, or the page that says there is nothing here.
async fn file_or_page(State(state): State<AppState>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let (parts, body) = request.into_parts();
    let wanted = Request::from_parts(parts.clone(), Body::empty());
    let files = ServeDir::new(&state.settings.site)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip();
    if let Ok(file) = files.oneshot(wanted).await
        && file.status() != StatusCode::NOT_FOUND
        && file.status() != StatusCode::METHOD_NOT_ALLOWED
    {
        let mut response = file.map(Body::new).into_response();
        // Names do not change from build to build, so a browser asks each time whether its copy still holds.
        let keep = if path.starts_with("/fonts/") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        response.headers_mut().insert(
            HeaderName::from_static("vary"),
            HeaderValue::from_static("Accept-Encoding"),
        );
        return response;
    }
    let options = state.leptos.clone();
    let page = leptos_axum::render_app_async_with_context(
        move || provide(&state),
        move || web::shell(options.clone()),
    );
    let mut response = page(Request::from_parts(parts, body)).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
