//! `GET /live`: what changed, as server-sent events (WHATWG HTML, section 9.2).
//!
//! An event carries no content, only what to ask for again, so a missed one costs nothing but time: whoever connects, for
//! the first time or anew, or fell behind, is told that everything may have changed. (The first time, too: something may
//! have ended between the page's making and its connection.)

use super::security::refusal;
use super::session::{Visit, authenticate, blocking};
use super::state::AppState;
use crate::control::people::Token;
use crate::domain::fault::Fault;
use crate::view::Change;
use axum::extract::State;
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

fn event(id: u64, change: Change) -> Event {
    let data = serde_json::to_string(&change).unwrap_or_default();
    Event::default()
        .event("change")
        .id(id.to_string())
        .data(data)
}

/// Whether the session holds no longer.
async fn has_ended(state: &AppState, token: &Token) -> bool {
    let member = authenticate(state.control.clone(), token.clone()).await;
    !matches!(member, Ok(Some(_)))
}

/// The stream of the caller's organization.
pub async fn live(
    State(state): State<AppState>,
    axum::Extension(visit): axum::Extension<Visit>,
) -> Response {
    let Some(token) = visit.token.clone() else {
        return refusal(&Fault::SignInNeeded);
    };
    let control = state.control.clone();
    let mut changes = match blocking(move || control.subscribe(&visit.caller)).await {
        Ok(changes) => changes,
        Err(fault) => return refusal(&fault),
    };
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(16);
    tokio::spawn(async move {
        let mut id = 0;
        let mut pending: Vec<Change> = EVERYTHING.to_vec();
        let mut ended = false;
        let mut look_again = tokio::time::interval(LOOK_AGAIN);
        look_again.reset();
        loop {
            for change in pending.drain(..) {
                id += 1;
                if sender.send(Ok(event(id, change))).await.is_err() {
                    return;
                }
            }
            if ended {
                return;
            }
            tokio::select! {
                () = state.stopping.cancelled() => return,
                () = sender.closed() => return,
                _ = look_again.tick() => ended = has_ended(&state, &token).await,
                change = changes.recv() => match change {
                    Ok(change) => {
                        pending.push(change);
                        // What ends other people's sessions stands in the log.
                        ended = change == Change::Activity && has_ended(&state, &token).await;
                    }
                    Err(RecvError::Lagged(_)) => pending.extend(EVERYTHING),
                    Err(RecvError::Closed) => return,
                },
            }
            if ended {
                // The page asks for what it shows, and is told that it must sign in.
                pending.extend(EVERYTHING);
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
