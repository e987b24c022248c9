//! `GET /live`: who comes back is told what was missed.

use super::{House, Visitor, house};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use std::time::Duration;

/// The events of a stream, until so many have come or nothing comes for a while: each its id and what changed.
async fn heard(
    house: &House,
    who: &Visitor,
    from: Option<&str>,
    most: usize,
) -> Vec<(String, String)> {
    heard_at(house, who, "/live", from, most).await
}

/// The same of a page that says something of itself in the address.
async fn heard_at(
    house: &House,
    who: &Visitor,
    address: &str,
    from: Option<&str>,
    most: usize,
) -> Vec<(String, String)> {
    let mut request = Request::get(address).header(header::HOST, "reprise.test");
    if let Visitor(Some(cookie)) = who {
        request = request.header(header::COOKIE, cookie);
    }
    if let Some(id) = from {
        request = request.header("last-event-id", id);
    }
    let answer = house
        .send(request.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    let (mut body, mut text) = (answer.into_body(), String::new());
    let mut events = Vec::new();
    while events.len() < most {
        let frame = tokio::time::timeout(Duration::from_millis(700), body.frame()).await;
        let Ok(Some(Ok(frame))) = frame else {
            break;
        };
        text.push_str(&String::from_utf8_lossy(frame.data_ref().expect("bytes")));
        let field = |event: &str, name: &str| {
            let mut lines = event.lines();
            lines.find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
        };
        let whole = text.rfind("\n\n").map_or(0, |end| end + 2);
        let events_now: String = text.drain(..whole).collect();
        for event in events_now.split("\n\n") {
            if let (Some(id), Some(data)) = (field(event, "id:"), field(event, "data:")) {
                events.push((id, data));
            }
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_where_it_was_cut() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let first = heard(&house, &owner, None, 7).await;
    assert_eq!(first.len(), 7, "everything may have changed: {first:?}");
    let mut last = first.last().expect("an event").0.clone();
    // That somebody has signed in may be told only now.
    let mut more = Vec::new();
    for _ in 0..5 {
        more = heard(&house, &owner, Some(&last), 1).await;
        let Some((id, _)) = more.last() else { break };
        last.clone_from(id);
    }
    assert_eq!(more, [], "nothing was missed");
    house.volume(&owner, "missed").await;
    let missed = heard(&house, &owner, Some(&last), 99).await;
    let what: Vec<&str> = missed.iter().map(|(_, change)| change.as_str()).collect();
    for change in ["volumes", "jobs", "activity"] {
        assert!(
            what.iter().any(|told| told.contains(change)),
            "{change}: {what:?}"
        );
    }
    // Of another start of the program, and nonsense: everything.
    for id in ["1-1", "nonsense", ""] {
        assert_eq!(heard(&house, &owner, Some(id), 7).await.len(), 7, "{id:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_was_made_for_another_role_is_told_once() {
    let house = house();
    let viewer = house.sign_in("viewer@us").await;
    let told = |events: Vec<(String, String)>| {
        let mut told = events.into_iter();
        told.by_ref().filter(|(_, what)| what == "\"role\"").count()
    };
    for (role, times) in [
        ("?role=viewer", 0),
        ("?role=editor", 1),
        ("?role=%00", 1),
        ("", 0),
    ] {
        let events = heard_at(&house, &viewer, &format!("/live{role}"), None, 99).await;
        assert_eq!(told(events), times, "{role:?}");
    }
}
