//! What members change of themselves: plain forms, which work without scripts. What was chosen for pages follows in cookies.

use super::session::{self, Visit, blocking, see_other};
use super::state::AppState;
use crate::control::people::Choices;
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::theme::Theme;
use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Form};
use serde::Deserialize;

/// Where a form of the profile leads: back, saying that it was done, or why not with what was typed.
fn back(form: &str, result: Result<(), Fault>, typed: &[(&str, &str)]) -> Response {
    match result {
        Ok(()) => see_other(&format!("/profile?done={form}")),
        Err(fault) => session::refused("/profile", &fault, &[&[("form", form)], typed].concat()),
    }
}

/// The form of name and choices; an empty choice is none.
#[derive(Deserialize)]
pub struct Profile {
    #[serde(default)]
    name: String,
    #[serde(default)]
    locale: String,
    #[serde(default)]
    theme: String,
    #[serde(default)]
    time_zone: String,
}

/// `POST /profile`
pub async fn save(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Profile>,
) -> Response {
    let choices = Choices {
        locale: Locale::from_tag(&form.locale),
        theme: Theme::from_code(&form.theme),
        time_zone: Some(form.time_zone.clone()).filter(|zone| !zone.is_empty()),
    };
    let (control, name, chosen) = (state.control.clone(), form.name.clone(), choices.clone());
    let result = blocking(move || control.save_profile(&visit.caller, &name, &chosen)).await;
    let saved = result.is_ok();
    let typed = [
        ("name", form.name.as_str()),
        ("locale", &form.locale),
        ("theme", &form.theme),
        ("time_zone", &form.time_zone),
    ];
    let mut response = back("profile", result, &typed);
    if saved {
        session::follow_choices(&mut response, &choices, &state, true);
    }
    response
}

/// The form that changes a password. Not printed: it has secrets.
#[derive(Deserialize)]
pub struct Password {
    #[serde(default)]
    current: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    again: String,
}

/// `POST /profile/password`
pub async fn password(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Password>,
) -> Response {
    let control = state.control.clone();
    let Password {
        current,
        password,
        again,
    } = form;
    let result = session::hashing(move || {
        control.change_password(&visit.caller, &current, &password, &again)
    })
    .await;
    back("password", result, &[])
}

/// `POST /profile/sessions`: ends the others.
pub async fn sessions(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
) -> Response {
    let control = state.control.clone();
    let result = blocking(move || control.end_other_sessions(&visit.caller)).await;
    back("sessions", result, &[])
}
