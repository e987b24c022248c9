//! The dialogs of the acts. Each says beforehand what will happen, what it costs and what it frees.

mod create;
mod delete;
mod import;
mod instance;
mod point;
mod restore;
mod rollback;
mod several;
mod take;
mod template;
#[cfg(feature = "hydrate")]
mod upload;
mod verify;

use super::components::dialog::{After, Dialog as Window, unavailable};
use super::context::{use_frame, use_locale};
use super::erased::{follow, maybe, memo};
use super::links::{self, Dialog};
use crate::domain::fault::Fault;
use crate::domain::job::JobKind;
use crate::domain::locale::Locale;
use crate::i18n::{t, words};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The dialogs of all pages: the one that the address names, above the page that it names. For the frame, once.
pub fn host() -> AnyView {
    let query = use_query_map();
    let here = links::use_here();
    let dialog = memo(move |_| query.with(Dialog::of));
    follow(move || {
        maybe(
            dialog
                .get()
                .map(|dialog| open(dialog, here.get_untracked())),
        )
    })
}

/// What a form that was sent without scripts has set going, if the address tells.
pub fn done_words(locale: Locale) -> Option<String> {
    let done = use_query_map().with_untracked(|query| query.get("done"))?;
    let kind = match done.as_str() {
        "take-snapshot" => JobKind::TakeSnapshot,
        "create-volume" | "volume-from-point" => JobKind::CreateVolume,
        "import-volume" => JobKind::ImportVolume,
        "delete-volume" => JobKind::DeleteVolume,
        "restore" => JobKind::RestoreVolume,
        "delete-snapshot" => JobKind::DeleteSnapshot,
        "create-template" | "template-from-point" => JobKind::CreateTemplate,
        "verify" => JobKind::VerifySnapshot,
        "import-template" => JobKind::ImportTemplate,
        "delete-template" => JobKind::DeleteTemplate,
        "create-instance" => JobKind::CreateInstance,
        "start" => JobKind::StartInstance,
        "stop" | "force-stop" => JobKind::StopInstance,
        "reboot" => JobKind::RebootInstance,
        "delete-instance" => JobKind::DeleteInstance,
        "create-point" => JobKind::CreatePoint,
        "delete-point" | "delete-branch" => JobKind::DeletePoint,
        "rollback" | "undo" => JobKind::Rollback,
        "several" => return Some(t!(locale, "several-started")),
        _ => return None,
    };
    Some(words::started(locale, kind))
}

/// The dialog above the page `close`.
fn open(dialog: Dialog, close: String) -> AnyView {
    let locale = use_locale();
    provide_context(After(dialog.after(&close)));
    let title = match dialog {
        Dialog::TakeSnapshot(_) => t!(locale, "act-take-snapshot"),
        Dialog::CreateVolume => t!(locale, "act-create-volume"),
        Dialog::Import => t!(locale, "act-import"),
        Dialog::Restore(_) => t!(locale, "act-restore"),
        Dialog::DeleteVolume(_) => t!(locale, "delete-volume-title"),
        Dialog::DeleteSnapshot(_) => t!(locale, "delete-snapshot-title"),
        Dialog::CreateTemplate(_) | Dialog::TemplateFromPoint(..) => {
            t!(locale, "act-create-template")
        }
        Dialog::VerifySnapshot(_) => t!(locale, "act-verify"),
        Dialog::ImportTemplate => t!(locale, "act-import-template"),
        Dialog::DeleteTemplate(_) => t!(locale, "delete-template-title"),
        Dialog::CreateInstance => t!(locale, "act-create-instance"),
        Dialog::Start(_) => t!(locale, "start-title"),
        Dialog::Stop(_) => t!(locale, "stop-title"),
        Dialog::ForceStop(_) => t!(locale, "force-title"),
        Dialog::Reboot(_) => t!(locale, "reboot-title"),
        Dialog::DeleteInstance(_) => t!(locale, "delete-instance-title"),
        Dialog::Attach(_) => t!(locale, "act-attach"),
        Dialog::Detach(..) => t!(locale, "detach-title"),
        Dialog::CreatePoint(_) => t!(locale, "point-create"),
        Dialog::RenamePoint(..) => t!(locale, "rename-point-title"),
        Dialog::DeletePoint(..) => t!(locale, "delete-point-title"),
        Dialog::DeleteBranch(..) => t!(locale, "delete-branch-title"),
        Dialog::VolumeFromPoint(..) => t!(locale, "act-restore"),
        Dialog::Rollback(..) => t!(locale, "point-restore"),
        Dialog::Undo(..) => t!(locale, "point-undo"),
        Dialog::Several(act) => several::title(locale, act),
    };
    let inside = close.clone();
    let body = move || match (use_frame(), dialog) {
        (Some(frame), _) if !frame.may_change() => unavailable(&Fault::NotAllowed, inside),
        (None, _) => unavailable(&Fault::SignInNeeded, inside),
        (Some(_), Dialog::TakeSnapshot(volume)) => take::body(volume, inside),
        (Some(frame), Dialog::CreateVolume) => create::body(&frame, inside),
        (Some(frame), Dialog::Import) => import::body(frame, false, inside),
        (Some(frame), Dialog::ImportTemplate) => import::body(frame, true, inside),
        (Some(frame), Dialog::Restore(snapshot)) => restore::body(frame, snapshot, inside),
        (Some(_), Dialog::DeleteVolume(volume)) => delete::volume(volume, inside),
        (Some(_), Dialog::DeleteSnapshot(snapshot)) => delete::snapshot(snapshot, inside),
        (Some(_), Dialog::CreateTemplate(snapshot)) => template::body(snapshot, inside),
        (Some(_), Dialog::VerifySnapshot(snapshot)) => verify::body(snapshot, inside),
        (Some(_), Dialog::DeleteTemplate(template)) => delete::template(template, inside),
        (Some(frame), Dialog::CreateInstance) => instance::create(frame, inside),
        (
            Some(_),
            Dialog::Start(id) | Dialog::Stop(id) | Dialog::ForceStop(id) | Dialog::Reboot(id),
        ) => instance::power(dialog, id, inside),
        (Some(_), Dialog::DeleteInstance(id)) => instance::delete(id, inside),
        (Some(_), Dialog::Attach(id)) => instance::attach(id, inside),
        (Some(_), Dialog::Detach(id, volume)) => instance::detach(id, volume, inside),
        (Some(_), Dialog::CreatePoint(instance)) => point::create(instance, inside),
        (Some(_), Dialog::RenamePoint(instance, point)) => point::rename(instance, point, inside),
        (Some(_), Dialog::DeletePoint(_, point)) => point::delete(point, inside),
        (Some(_), Dialog::DeleteBranch(_, point)) => point::delete_branch(point, inside),
        (Some(_), Dialog::VolumeFromPoint(instance, point)) => {
            point::volume(instance, point, inside)
        }
        (Some(_), Dialog::TemplateFromPoint(instance, point)) => {
            template::of_point(instance, point, inside)
        }
        (Some(_), Dialog::Rollback(_, point) | Dialog::Undo(_, point)) => {
            rollback::body(point, inside)
        }
        (Some(_), Dialog::Several(act)) => several::body(act, inside),
    };
    view! { <Window title close>{body()}</Window> }.into_any()
}
