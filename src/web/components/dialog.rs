//! The one dialog: a native `<dialog>` whose presence follows the address.
//!
//! Without scripts it is drawn open above the page and closed by a link. With scripts it is modal: the browser keeps focus
//! inside, Escape closes it, and focus goes back to where it was.

use super::field::Refusal;
use crate::domain::fault::Fault;
use crate::i18n::{fault, t};
use crate::view::Started;
use crate::web::ask::{self, Acting, Answer, Asked};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::{Memo, effect, flag, follow as live, maybe, memo};
use leptos::html;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

/// The page to be on once a dialog's act was done: the one below it, unless that is a page of what is then gone.
#[derive(Debug, Clone)]
pub struct After(pub String);

/// Goes to the address of the page without its dialog. The place in the list is kept.
fn leave(close: &str) {
    use_navigate()(
        close,
        NavigateOptions {
            scroll: false,
            ..NavigateOptions::default()
        },
    );
}

/// A dialog with a title; `close` is the address of the page without it.
#[component]
pub fn Dialog(
    /// What it asks.
    title: String,
    /// The page without the dialog.
    close: String,
    /// What is in it.
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    #[cfg(feature = "hydrate")]
    effect(move || {
        if let Some(dialog) = dialog.get() {
            browser::show(&dialog);
        }
    });
    let navigate = use_navigate();
    let on_close = {
        let close = close.clone();
        move |_| {
            navigate(
                &close,
                NavigateOptions {
                    scroll: false,
                    ..NavigateOptions::default()
                },
            )
        }
    };
    // What was sent cannot be called back: its end, or its refusal, is waited for. A file on its way can be stopped.
    let on_cancel = move |event: leptos::ev::Event| {
        #[cfg(feature = "hydrate")]
        browser::stay(dialog.get_untracked(), &event);
        #[cfg(not(feature = "hydrate"))]
        let _ = &event;
    };
    let on_click = move |event: leptos::ev::MouseEvent| {
        #[cfg(feature = "hydrate")]
        browser::stay(dialog.get_untracked(), &event);
        #[cfg(not(feature = "hydrate"))]
        let _ = &event;
    };
    view! {
        <dialog class="dialog" open aria-labelledby="dialog-title" node_ref=dialog on:close=on_close on:cancel=on_cancel on:click=on_click>
            <h2 id="dialog-title">{title}</h2>
            {children()}
        </dialog>
    }
}

/// The line of buttons: the way out first in reading order, the act last.
pub fn buttons(cancel: String, close: String, submit: AnyView) -> AnyView {
    view! {
        <footer>
            <a class="button" href=close data-noscroll="">{cancel}</a>
            {submit}
        </footer>
    }
    .into_any()
}

/// The button that sends a form; while it is on its way it cannot be sent again, and says so.
pub fn submit(label: String, dangerous: bool, pending: Memo<bool>) -> AnyView {
    let locale = use_locale();
    let class = if dangerous {
        "button danger"
    } else {
        "button primary"
    };
    view! {
        <button type="submit" class=class disabled=flag(move || pending.get())>
            {live(move || {
                maybe(pending.get().then(|| {
                    view! {
                        <span class="spinner" aria-hidden="true"></span>
                        <span class="unseen">{t!(locale, "dialog-pending")}</span>
                    }
                    .into_any()
                }))
            })}
            <span>{label}</span>
        </button>
    }
    .into_any()
}

/// What stands in a dialog that cannot ask what it should.
pub fn unavailable(fault: &Fault, close: String) -> AnyView {
    let locale = use_locale();
    view! {
        <div class="body">
            <p class="note bad" role="alert">{fault::sentence(locale, fault)}</p>
        </div>
        <footer>
            <a class="button" href=close data-noscroll="">{t!(locale, "dialog-close")}</a>
        </footer>
    }
    .into_any()
}

/// What stands in a dialog while its plan is on the way.
pub fn waiting() -> AnyView {
    let locale = use_locale();
    view! {
        <div class="body">
            <p class="busy-line" role="status"><span class="spinner" aria-hidden="true"></span> {t!(locale, "load-busy")}</p>
        </div>
    }
    .into_any()
}

/// What a dialog shows once its plan is there: `draw` draws it, if it is the answer to what was asked.
pub fn planned(
    plan: Asked,
    close: String,
    draw: impl Fn(Answer, String) -> AnyView + Send + 'static,
) -> AnyView {
    let draw: Box<dyn Fn(Answer, String) -> AnyView + Send> = Box::new(draw);
    let inside = move || {
        let close = close.clone();
        maybe(plan.get().map(|plan| match plan {
            Ok(plan) => draw(plan, close),
            Err(fault) => unavailable(&fault, close),
        }))
    };
    view! { <Suspense fallback=waiting>{live(inside)}</Suspense> }.into_any()
}

/// The refusal of an act's last try and whether one is on its way; when it succeeds, a notice says what was set going and
/// the dialog closes.
pub fn follow(acting: Acting, close: &str) -> (Refusal, Memo<bool>) {
    let (value, pending) = (acting.value(), acting.pending());
    let refusal = ask::refusal(acting);
    let frame = use_frame();
    let close = use_context::<After>().map_or_else(|| close.to_owned(), |after| after.0);
    effect(move || match (value.get(), frame.as_ref()) {
        (Some(Ok(Some(started))), Some(frame)) => finish(frame, started, &close),
        (Some(Ok(None)), Some(frame)) => {
            frame.live.refresh();
            leave(&close);
        }
        #[cfg(feature = "hydrate")]
        (Some(Err(_)), _) => browser::to_refusal(),
        _ => {}
    });
    (refusal, memo(move |_| pending.get()))
}

/// Grows when the act was refused because its plan is not true any more: a dialog that asks for its plan by this number
/// shows it anew.
pub fn looked_again(refusal: Refusal) -> ReadSignal<u32> {
    let (times, again) = signal(0);
    effect(move || {
        if refusal.get() == Some(Fault::PlanOutdated) {
            again.update(|times| *times += 1);
        }
    });
    times
}

/// Says what was set going and closes the dialog.
pub fn finish(frame: &Frame, started: Started, close: &str) {
    frame.toasts.started(started);
    frame.live.refresh();
    leave(close);
}

#[cfg(feature = "hydrate")]
pub use browser::to_refusal;

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use web_sys::{Element, Event, HtmlDialogElement, HtmlElement};

    /// While a form of the dialog is on its way, other than a file, which shows how far it has come, no key and no link leads
    /// out of it.
    pub fn stay(dialog: Option<HtmlDialogElement>, event: &Event) {
        let has = |what| {
            let found = dialog.as_ref().map(|dialog| dialog.query_selector(what));
            found.is_some_and(|found| found.is_ok_and(|found| found.is_some()))
        };
        if has("button[type=submit]:disabled .spinner") && !has("progress") {
            event.prevent_default();
        }
    }

    /// Makes the dialog modal, and has focus return to where it was when it goes.
    pub fn show(dialog: &HtmlDialogElement) {
        let origin = StoredValue::new_local(document().active_element().and_then(opener));
        // One dialog can follow another in the same element, by the browser's history.
        if !dialog.matches(":modal").unwrap_or(false) {
            _ = dialog.remove_attribute("open");
            _ = dialog.show_modal();
        }
        on_cleanup(move || {
            let Some(origin) = origin.try_with_value(Clone::clone) else {
                return;
            };
            // Once the dialog has left the page.
            request_animation_frame(move || {
                let origin = origin.filter(|origin| origin.is_connected());
                let main = || {
                    document()
                        .get_element_by_id("main")
                        .and_then(|main| main.dyn_into().ok())
                };
                if let Some(element) = origin.or_else(main) {
                    _ = element.focus();
                }
            });
        });
    }

    /// A link in a menu is gone once the menu has closed: its button stands for it.
    fn opener(element: Element) -> Option<HtmlElement> {
        let menu = element.closest("[popover]").ok().flatten();
        let button = menu.and_then(|menu| {
            document()
                .query_selector(&format!("[popovertarget='{}']", menu.id()))
                .ok()
                .flatten()
        });
        let origin: HtmlElement = button.unwrap_or(element).dyn_into().ok()?;
        (origin.tag_name() != "BODY").then_some(origin)
    }

    /// To the field that was refused, so that it is read with its refusal.
    pub fn to_refusal() {
        request_animation_frame(|| {
            if let Ok(Some(field)) = document().query_selector("dialog [aria-invalid='true']")
                && let Ok(field) = field.dyn_into::<HtmlElement>()
            {
                _ = field.focus();
            }
        });
    }
}
