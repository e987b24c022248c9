//! What was typed into a plain form that was refused: kept for some minutes, so that the page that says why has it again.
//!
//! It is kept in memory, for the member who sent it alone, and the address carries nothing but its random name: what one
//! types stands in no log and in no history. What may never be kept: a field that is not named here, above all no
//! password.

use super::session::Visit;
use crate::domain::id::UserId;
use axum::Form;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The fields that come back.
const FIELDS: &[&str] = &[
    "description",
    "email",
    "kind",
    "memory",
    "name",
    "offering",
    "role",
    "safety",
    "size_gib",
    "start",
    "template",
    "volume",
    "volumes",
    "zone",
];
/// How long one may take to read why a form was refused.
const KEPT: Duration = Duration::from_secs(10 * 60);
/// How many are kept; the oldest give way.
const MOST: usize = 256;

/// The fields of a form, as they were sent.
pub type Fields = Vec<(String, String)>;

struct Sent {
    name: String,
    member: UserId,
    since: Instant,
    fields: Fields,
}

/// The forms that were refused lately.
#[derive(Default)]
pub struct Kept(Mutex<VecDeque<Sent>>);

impl Kept {
    /// Keeps the fields of a member's form, and says under which name.
    pub fn keep(&self, member: UserId, fields: Fields) -> String {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forms.retain(|form| form.since.elapsed() < KEPT);
        if forms.len() >= MOST {
            forms.pop_front();
        }
        forms.push_back(Sent {
            name: name.clone(),
            member,
            since: Instant::now(),
            fields,
        });
        name
    }

    /// The fields under this name, if they are the member's.
    pub fn of(&self, member: UserId, name: &str) -> Option<Fields> {
        let forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let form = forms.iter().find(|form| {
            form.name == name && form.member == member && form.since.elapsed() < KEPT
        })?;
        Some(form.fields.clone())
    }
}

/// The name that a page's address gives for what it is to have again.
pub fn named(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("kept="))
}

/// Which member sends a plain form; none: it is not one, or nobody's.
pub fn sender(request: &Request) -> Option<UserId> {
    let has = |name, part: &str| text(request.headers(), name).is_some_and(|is| is.contains(part));
    let plain = has(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        && has(header::ACCEPT, "text/html");
    let visit = request.extensions().get::<Visit>().filter(|_| plain)?;
    Some(visit.caller.actor.as_ref()?.user)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The request again, and what may be kept of its form of at most `most` bytes.
///
/// # Errors
/// It is longer, or was cut off.
pub async fn read(request: Request, most: usize) -> Result<(Request, Fields), StatusCode> {
    let (parts, body) = request.into_parts();
    let body: Bytes = to_bytes(body, most)
        .await
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let fields = fields(body.clone()).await;
    Ok((Request::from_parts(parts, Body::from(body)), fields))
}

async fn fields(body: Bytes) -> Fields {
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    let mut form = Request::new(Body::from(body));
    *form.method_mut() = Method::POST;
    form.headers_mut().insert(header::CONTENT_TYPE, kind);
    let Ok(Form(pairs)) = Form::<Fields>::from_request(form, &()).await else {
        return Fields::new(); // what is no form is refused by whoever it was meant for
    };
    let known = |(name, _): &(String, String)| FIELDS.contains(&name.as_str());
    pairs.into_iter().filter(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_is_named_is_kept_and_only_for_its_member() {
        let kept = Kept::default();
        let (one, other) = (UserId::new(), UserId::new());
        let body = "name=%C3%89t%C3%A9+1&password=secret&again=secret&token=x&start=true";
        let sent = fields(Bytes::from_static(body.as_bytes())).await;
        let name = kept.keep(one, sent);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let there = vec![pair("name", "Été 1"), pair("start", "true")];
        assert_eq!(kept.of(one, &name), Some(there));
        assert_eq!(kept.of(other, &name), None);
        assert_eq!(kept.of(one, "another"), None);
        for _ in 0..MOST {
            kept.keep(other, Vec::new());
        }
        assert_eq!(kept.of(one, &name), None, "the oldest gives way");
    }
}
