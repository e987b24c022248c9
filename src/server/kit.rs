//! The recovery kit as a download, and putting its reminder off: plain forms, which work without scripts.
//!
//! Passphrase and kit go through bodies alone, never through an address, and no copy of the answer is kept on the way.

use super::security::refusal;
use super::session::{self, Visit, blocking, query_value, see_other};
use super::state::AppState;
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::i18n::t;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

/// The form that makes a kit. Not printed: it has a secret.
#[derive(Deserialize)]
pub struct Export {
    #[serde(default)]
    passphrase: String,
    #[serde(default)]
    again: String,
}

/// `POST /kit`
pub async fn export(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Export>,
) -> Response {
    // Each takes 64 MiB and a core for a moment.
    static WORKING: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);
    let control = state.control.clone();
    let permit = WORKING.acquire().await;
    let made =
        blocking(move || control.export_kit(&visit.caller, &form.passphrase, &form.again)).await;
    drop(permit);
    let file = match made {
        Ok(file) => file,
        Err(Fault::SignInNeeded) => return see_other("/sign-in?next=/kit"),
        Err(fault @ Fault::NotAllowed) => return refusal(&fault),
        Err(fault) => {
            let fault = serde_json::to_string(&fault).unwrap_or_default();
            return see_other(&format!("/kit?fault={}", query_value(&fault)));
        }
    };
    let name = file_name(visit.locale, &file.organization, &file.day);
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, file.kit.text).into_response()
}

/// `reprise-trousse-boreale-2026-11-23.txt`: letters and digits that every file system takes.
fn file_name(locale: Locale, organization: &str, day: &str) -> String {
    let kit = t!(locale, "kit-file");
    let mut name = format!("reprise-{kit}");
    let words = organization
        .split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| {
            let plain: String = word.chars().filter_map(plain).collect();
            (!plain.is_empty()).then_some(plain)
        });
    for word in words.take(6) {
        name.push('-');
        name.extend(word.chars().take(24));
    }
    format!("{name}-{day}.txt")
}

/// The letter without its accent, in lower case; none for what has no such form here.
fn plain(letter: char) -> Option<char> {
    let letter = letter.to_lowercase().next()?;
    Some(match letter {
        'a'..='z' | '0'..='9' => letter,
        'à' | 'â' | 'ä' | 'á' | 'ã' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' | 'í' => 'i',
        'ô' | 'ö' | 'ó' => 'o',
        'û' | 'ù' | 'ü' | 'ú' => 'u',
        'ç' => 'c',
        'ÿ' => 'y',
        'ñ' => 'n',
        _ => return None,
    })
}

/// Where the reminder was put off.
#[derive(Deserialize)]
pub struct Later {
    #[serde(default)]
    back: String,
}

/// `POST /kit/later`: no reminder until the browser is closed, or somebody signs in.
pub async fn later(Form(form): Form<Later>) -> Response {
    let mut response = see_other(session::own_path(&form.back));
    response
        .headers_mut()
        .append(header::SET_COOKIE, session::KIT_LATER_COOKIE);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_nothing_that_a_header_or_a_file_system_minds() {
        let name = |organization| file_name(Locale::Fr, organization, "2026-11-23");
        assert_eq!(
            name("Boréale inc."),
            "reprise-trousse-boreale-inc-2026-11-23.txt"
        );
        assert_eq!(name("../\"\r\nx: y"), "reprise-trousse-x-y-2026-11-23.txt");
        assert_eq!(name("東京"), "reprise-trousse-2026-11-23.txt");
        assert!(name(&"a".repeat(500)).len() < 64);
        assert!(file_name(Locale::En, "Us", "2026-11-23").starts_with("reprise-kit-us-"));
    }
}
