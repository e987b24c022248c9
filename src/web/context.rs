//! What every page may ask its surroundings for.

use super::ask::Acting;
use super::live::Live;
use super::toasts::Toasts;
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::domain::role::Permission;
use crate::view::{InvitationView, SessionView};
use crate::web::erased::RwSignal;
use leptos::prelude::*;
use std::sync::Arc;

/// Whether the member has signed in with a one-time password, which must be replaced before anything else.
/// Provided by the server; the browser never needs it, for the server sends it to the one page it may see.
#[derive(Debug, Clone, Copy, Default)]
pub struct MustChoosePassword(pub bool);

/// Tells who is signed in. Provided by the server when it writes a page; the page carries the answer to the browser.
#[derive(Clone)]
pub struct Visitor(pub Arc<dyn Fn() -> Result<SessionView, Fault> + Send + Sync>);

/// What was typed into the form that this page brings back with its refusal. Provided by the server; the browser finds it
/// in the page.
#[derive(Debug, Clone)]
pub struct Typed(pub Arc<Vec<(String, String)>>);

/// What was typed into this field, or what stands in it at first.
#[cfg(feature = "ssr")]
pub fn typed(field: &str, first: String) -> String {
    let typed = use_context::<Typed>().and_then(|typed| {
        let found = typed.0.iter().find(|(name, _)| name == field);
        found.map(|(_, value)| value.clone())
    });
    typed.unwrap_or(first)
}

/// The same in the browser, which leaves the values as they stand in the page.
#[cfg(not(feature = "ssr"))]
pub fn typed(_: &str, first: String) -> String {
    first
}

/// Whether this of a field's choices (or its tick) was chosen, or is at first.
#[cfg(feature = "ssr")]
pub fn was_chosen(field: &str, choice: &str, first: bool) -> bool {
    use_context::<Typed>().map_or(first, |typed| {
        let mut fields = typed.0.iter();
        fields.any(|(name, value)| name == field && value == choice)
    })
}

/// The same in the browser.
#[cfg(not(feature = "ssr"))]
pub const fn was_chosen(_: &str, _: &str, first: bool) -> bool {
    first
}

/// The link of an invitation that was just made. Provided by the server, once; the page carries it to the browser.
#[derive(Clone)]
pub struct InvitationLink(pub String);

/// Tells what a link invites to. Provided by the server when it writes the page behind the link.
#[derive(Clone)]
pub struct Invited(pub InvitedTo);

/// What a link's token invites to.
pub type InvitedTo = Arc<dyn Fn(&str) -> Result<InvitationView, Fault> + Send + Sync>;

/// The page's language: provided by the server, read from the page by the browser. It never changes during a page's life.
pub fn use_locale() -> Locale {
    use_context().unwrap_or_default()
}

/// What the frame gives to the pages in it.
#[derive(Clone)]
pub struct Frame {
    /// Who is signed in.
    pub session: Arc<SessionView>,
    /// What changed since the page came.
    pub live: Live,
    /// Where notices go.
    pub toasts: Toasts,
    /// Interrupts a task.
    pub interrupt: Acting,
    /// Has a task tried again.
    pub retry: Acting,
    /// Whether the reminder of the recovery kit is shown.
    pub kit_due: RwSignal<bool>,
    /// Whether scripts run here: false on the server and until the page has come to life.
    pub alive: ReadSignal<bool>,
    /// When the page came to life, by the browser's clock.
    pub born: i64,
}

impl Frame {
    /// A moment of the browser's clock, as the server's would say it in the organization's time zone.
    pub fn moment(&self, clock: i64) -> Moment {
        let now = self.session.now;
        Moment {
            unix_ms: now.unix_ms + (clock - self.born),
            ..now
        }
    }

    /// Whether the member may change things.
    pub fn may_change(&self) -> bool {
        self.session.role.may(Permission::Change)
    }
}

/// The frame around this page; none outside of it (sign-in, unknown page).
pub fn use_frame() -> Option<Frame> {
    use_context()
}
