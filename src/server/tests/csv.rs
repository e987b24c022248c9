//! The activity log as a file.

use super::{House, Visitor, house};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};

/// The answer's status, its headers of interest, and its text.
async fn file(house: &House, visitor: &Visitor, query: &str) -> (StatusCode, [String; 3], String) {
    let mut request = Request::get(format!("/activity.csv?{query}"))
        .header(header::HOST, "reprise.test")
        .header(header::ACCEPT_LANGUAGE, "fr-CA");
    if let Visitor(Some(cookie)) = visitor {
        request = request.header(header::COOKIE, cookie);
    }
    let answer = house
        .send(request.body(Body::empty()).expect("a request"))
        .await;
    let status = answer.status();
    let headers = [
        header::CONTENT_TYPE,
        header::CONTENT_DISPOSITION,
        header::CACHE_CONTROL,
    ]
    .map(|name| {
        let value = answer.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    });
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    (
        status,
        headers,
        String::from_utf8(bytes.to_vec()).expect("text"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i15_the_log_is_a_file_for_members_of_what_they_asked_for() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let stranger = house.sign_in("owner@them").await;
    house.volume(&owner, "ours").await;
    house.volume(&owner, "hidden").await;

    let (status, _, text) = file(&house, &Visitor(None), "").await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
    let (status, headers, text) = file(&house, &owner, "find=OURS&page=9").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[0].starts_with("text/csv; charset=utf-8"));
    assert!(headers[1].starts_with("attachment; filename="));
    assert_eq!(headers[2], "no-store");
    assert!(text.starts_with("\u{feff}\"Quand\";"), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains(";\"Console\";") && text.contains(";\"ours\";\"Réussite\";"),
        "{text}"
    );
    let (_, _, text) = file(&house, &stranger, "").await;
    assert!(!text.contains("ours") && text.lines().count() > 1, "{text}");
}
