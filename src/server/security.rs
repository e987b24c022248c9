//! What every answer carries, and which requests may change something.

use super::state::AppState;
use crate::domain::fault::Fault;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The policy of a page whose scripts bear `nonce`: its own scripts, styles, images and connections, nothing else; no
/// inline style, no frame around it.
#[must_use]
pub fn page_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

/// Adds the headers that every answer has. A page has set its own policy already; the rest needs none of a page's rights.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    default(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::REFERRER_POLICY, "same-origin");
    default(header::X_FRAME_OPTIONS, "DENY");
    default(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    default(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    default(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    );
    default(header::CACHE_CONTROL, "no-store");
    response
}

/// Refuses every request that could change something unless it says that it comes from a page of ours. A browser says so
/// by `Sec-Fetch-Site` or `Origin` with every such request; a script that has neither must send an `Origin`.
pub async fn same_origin(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if reads || is_ours(request.headers(), state.settings.public_url.as_deref()) {
        return next.run(request).await;
    }
    tracing::warn!(method = %request.method(), path = loggable(request.uri().path()), "refused: the request comes from another site");
    refusal(&Fault::ForeignOrigin)
}

/// A path as it may stand in a log: that of an invitation is a secret.
fn loggable(path: &str) -> &str {
    if path.starts_with("/join/") {
        "/join/…"
    } else {
        path
    }
}

fn is_ours(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match (text(header::ORIGIN), site) {
        (Some(origin), _) => {
            public_url.is_some_and(|url| origin == url)
                || text(header::HOST).is_some_and(|host| {
                    let of = |scheme| origin.strip_prefix(scheme).is_some_and(|rest| rest == host);
                    of("http://") || of("https://")
                })
        }
        (None, Some(_)) => true,
        (None, None) => false,
    }
}

/// A fault as JSON, with its status: what scripts get.
pub fn refusal(fault: &Fault) -> Response {
    let status = axum::http::StatusCode::from_u16(fault.status())
        .unwrap_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_string(fault).unwrap_or_default();
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        Body::from(body),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(pairs: &[(&str, &str)], public: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().expect("a header's name");
            headers.insert(
                name,
                HeaderValue::from_str(value).expect("a header's value"),
            );
        }
        is_ours(&headers, public)
    }

    #[test]
    fn i15_only_a_page_of_ours_changes_anything() {
        let host = ("host", "127.0.0.1:3000");
        assert!(ours(&[host, ("origin", "http://127.0.0.1:3000")], None));
        assert!(ours(&[host, ("sec-fetch-site", "same-origin")], None));
        assert!(ours(
            &[host, ("origin", "https://reprise.example")],
            Some("https://reprise.example")
        ));
        for foreign in [
            &[host][..],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://127.0.0.1:3001")],
            &[host, ("origin", "http://127.0.0.1:3000.evil.example")],
            &[host, ("origin", "ftp://127.0.0.1:3000")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site")],
            &[host, ("sec-fetch-site", "none")],
            &[
                host,
                ("sec-fetch-site", "cross-site"),
                ("origin", "http://127.0.0.1:3000"),
            ],
            &[
                host,
                ("sec-fetch-site", "same-origin"),
                ("origin", "http://evil.example"),
            ],
        ] {
            assert!(!ours(foreign, None), "{foreign:?}");
        }
    }

    #[test]
    fn a_page_may_run_no_inline_script_or_style() {
        assert!(!page_policy("abc").contains("unsafe-inline"));
        assert!(!page_policy("abc").contains("'unsafe-eval'"));
    }
}
