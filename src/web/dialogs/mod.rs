//! The dialogs of the acts. Each says beforehand what will happen, what it costs and what it frees.

mod create;
mod delete;
mod import;
mod restore;
mod take;
#[cfg(feature = "hydrate")]
mod upload;

use super::components::dialog::{Dialog as Window, unavailable};
use super::context::use_frame;
use super::links::Dialog;
use crate::domain::fault::Fault;
use crate::i18n::t;
use crate::web::context::use_locale;
use leptos::prelude::*;

/// The dialog that the address names, above the page `close`.
pub fn open(dialog: Dialog, close: String) -> AnyView {
    let locale = use_locale();
    let title = match dialog {
        Dialog::TakeSnapshot(_) => t!(locale, "act-take-snapshot"),
        Dialog::CreateVolume => t!(locale, "act-create-volume"),
        Dialog::Import => t!(locale, "act-import"),
        Dialog::Restore(_) => t!(locale, "act-restore"),
        Dialog::DeleteVolume(_) => t!(locale, "delete-volume-title"),
        Dialog::DeleteSnapshot(_) => t!(locale, "delete-snapshot-title"),
    };
    let inside = close.clone();
    let body = move || match (use_frame(), dialog) {
        (Some(frame), _) if !frame.may_change() => unavailable(&Fault::NotAllowed, inside),
        (None, _) => unavailable(&Fault::SignInNeeded, inside),
        (Some(_), Dialog::TakeSnapshot(volume)) => take::body(volume, inside),
        (Some(frame), Dialog::CreateVolume) => create::body(&frame, inside),
        (Some(frame), Dialog::Import) => import::body(frame, inside),
        (Some(frame), Dialog::Restore(snapshot)) => restore::body(frame, snapshot, inside),
        (Some(_), Dialog::DeleteVolume(volume)) => delete::volume(volume, inside),
        (Some(_), Dialog::DeleteSnapshot(snapshot)) => delete::snapshot(snapshot, inside),
    };
    view! { <Window title close>{body()}</Window> }.into_any()
}
