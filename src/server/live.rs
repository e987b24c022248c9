//! `GET /live`: what changed, as server-sent events (WHATWG HTML, section 9.2).
//!
//! An event carries no content, only what to ask for again. Its id says up to where its reader has been told: a browser
//! that was cut off names it (`Last-Event-ID`) and is told what it missed. Whoever connects for the first time, was away
//! for too long, comes back to another start of the program, or fell behind, is told that everything may have changed.
//! (The first time, too: something may have ended between the page's making and its connection.)
//!
//! A page names the role it was made for (`?role=viewer`). It is told once when that is not the member's role any more.

use super::security::refusal;
use super::session::{Visit, authenticate, blocking};
use super::state::AppState;
use crate::control::Place;
use crate::control::people::Token;
use crate::domain::fault::Fault;
use crate::domain::role::Role;
use crate::view::Change;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

const EVERYTHING: [Change; 7] = [
    Change::Volumes,
    Change::Snapshots,
    Change::Jobs,
    Change::Activity,
    Change::Instances,
    Change::Points,
    Change::Templates,
];
/// How often an open stream looks whether its session still holds.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How long a browser that was cut off waits before it comes back, in milliseconds: not all of them at once.
const COME_BACK: std::ops::Range<u64> = 500..2500;

fn event(place: Place, change: Change) -> Event {
    let data = serde_json::to_string(&change).unwrap_or_default();
    Event::default()
        .event("change")
        .id(place.to_string())
        .data(data)
}

/// What a page says of itself.
#[derive(Debug, serde::Deserialize)]
pub struct Listener {
    /// The code of the role that it was made for.
    role: Option<String>,
}

/// The role of the session's member; none when the session holds no longer.
async fn role(state: &AppState, token: &Token) -> Option<Role> {
    let member = authenticate(state.control.clone(), token.clone()).await;
    member.ok().flatten().map(|member| member.actor.role)
}

/// Where the browser was when it was cut off. What we did not write is as if it were not there.
fn place(headers: &HeaderMap) -> Option<Place> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// The stream of the caller's organization.
pub async fn live(
    State(state): State<AppState>,
    axum::Extension(visit): axum::Extension<Visit>,
    Query(listener): Query<Listener>,
    headers: HeaderMap,
) -> Response {
    let Some(token) = visit.token.clone() else {
        return refusal(&Fault::SignInNeeded);
    };
    let control = state.control.clone();
    let from = place(&headers);
    let listening = match blocking(move || control.subscribe(&visit.caller, from)).await {
        Ok(listening) => listening,
        Err(fault) => return refusal(&fault),
    };
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(16);
    tokio::spawn(async move {
        let mut changes = listening.changes;
        let mut at = listening.place;
        let missed = listening.missed.unwrap_or_else(|| EVERYTHING.to_vec());
        let mut pending: Vec<(Place, Change)> =
            missed.into_iter().map(|change| (at, change)).collect();
        let wait = Duration::from_millis(rand::random_range(COME_BACK));
        if sender.send(Ok(Event::default().retry(wait))).await.is_err() {
            return;
        }
        let mut made_for = listener.role;
        // Between the page's making and this, and while it was cut off, the role may have changed.
        let (mut ended, mut look) = (false, made_for.is_some());
        let mut look_again = tokio::time::interval(LOOK_AGAIN);
        look_again.reset();
        loop {
            if look {
                let now = role(&state, &token).await;
                ended = now.is_none();
                if made_for
                    .take_if(|made_for| now.is_some_and(|now| now.code() != made_for))
                    .is_some()
                {
                    pending.push((at, Change::Role));
                }
                look = false;
            }
            if ended {
                // The page asks for what it shows, and is told that it must sign in.
                pending.extend(EVERYTHING.map(|change| (at, change)));
            }
            for (place, change) in pending.drain(..) {
                at = place;
                if sender.send(Ok(event(place, change))).await.is_err() {
                    return;
                }
            }
            if ended {
                return;
            }
            tokio::select! {
                () = state.stopping.cancelled() => return,
                () = sender.closed() => return,
                _ = look_again.tick() => look = true,
                change = changes.recv() => match change {
                    Ok((place, change)) => {
                        pending.push((place, change));
                        // What ends other people's sessions, or changes their role, stands in the log.
                        look = change == Change::Activity;
                    }
                    Err(RecvError::Lagged(_)) => pending.extend(EVERYTHING.map(|change| (at, change))),
                    Err(RecvError::Closed) => return,
                },
            }
        }
    });
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let keep = KeepAlive::new().interval(Duration::from_secs(15));
    let mut response = Sse::new(stream).keep_alive(keep).into_response();
    // A proxy that gathers the stream would hold changes back.
    response.headers_mut().insert(
        "x-accel-buffering",
        axum::http::HeaderValue::from_static("no"),
    );
    response
}
