//! Server functions: typed signatures and, on the server, a call of `control`. No rule lives here.
//!
//! Every function is a public door: `control` checks the session and the permission each time. Reads are `GET` with the
//! query in the URL and change nothing; everything that changes something is `POST` and passes the Origin check.

pub mod instances;
pub mod jobs;
pub mod json;
#[cfg(feature = "ssr")]
pub mod search;
pub mod session;
pub mod several;
pub mod snapshots;
pub mod templates;
pub mod volumes;
pub mod zones;

use crate::domain::fault::Fault;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};

impl FromServerFnError for Fault {
    type Encoder = json::Json;

    /// What the framework itself finds wrong with a call. Its own words are for the log, never for a page.
    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        use ServerFnErrorErr as E;
        let fault = match error {
            // In the browser: no answer, or one that is cut off. On the server: a call that cannot be read.
            E::Request(_) | E::Response(_) | E::Deserialization(_) => {
                if cfg!(feature = "ssr") {
                    Self::BadRequest
                } else {
                    Self::Unreachable
                }
            }
            E::Args(_) | E::MissingArg(_) | E::UnsupportedRequestMethod(_) => Self::BadRequest,
            E::Registration(_)
            | E::ServerError(_)
            | E::Serialization(_)
            | E::MiddlewareError(_) => Self::Internal {
                reference: "server-function".to_owned(),
            },
        };
        #[cfg(feature = "ssr")]
        let fault = door::answered(fault);
        fault
    }
}

#[cfg(feature = "ssr")]
pub(crate) mod door {
    //! What every body of a server function does: take the caller, do the work off the async threads, set the status.

    use crate::control::{Caller, Control};
    use crate::domain::fault::Fault;
    use leptos::prelude::use_context;

    /// Runs `work` on a thread that may block, as the caller of this request.
    pub async fn run<T, W>(work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: FnOnce(&Control, &Caller) -> Result<T, Fault> + Send + 'static,
    {
        let (Some(control), Some(caller)) = (use_context::<Control>(), use_context::<Caller>())
        else {
            return Err(answered(Fault::Internal {
                reference: "no-context".to_owned(),
            }));
        };
        let result = tokio::task::spawn_blocking(move || work(&control, &caller)).await;
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => Err(answered(fault)),
            Err(error) => {
                tracing::error!(%error, "a server function's thread ended");
                Err(answered(Fault::Internal {
                    reference: "thread".to_owned(),
                }))
            }
        }
    }

    /// The fault, with its HTTP status on the answer of this request. A form posted without scripts is answered by a
    /// redirect that carries the fault in its query, whose status must stay a redirect; so must a page's, which shows
    /// the fault itself.
    pub fn answered(fault: Fault) -> Fault {
        let by_script = use_context::<http::request::Parts>().is_some_and(|parts| {
            let accept = parts
                .headers
                .get(http::header::ACCEPT)
                .and_then(|value| value.to_str().ok());
            !accept.is_some_and(|accept| accept.contains("text/html"))
        });
        if by_script
            && let Some(options) = use_context::<leptos_axum::ResponseOptions>()
            && let Ok(status) = http::StatusCode::from_u16(fault.status())
        {
            options.set_status(status);
        }
        fault
    }
}
