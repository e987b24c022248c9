//! Menus: a button and a popover of links. The browser opens it, closes it on Escape or on a click elsewhere, and gives
//! focus back, all without scripts; arrow keys are added once the page has come to life.

use super::icon;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

/// The class of the button that opens a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Above a table.
    Normal,
    /// In a row.
    Small,
}

/// An item of a menu: a link to a dialog or a page, or an act that is not possible now, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    words: String,
    target: Result<String, String>,
    danger: bool,
    apart: bool,
    noscroll: bool,
}

impl Entry {
    /// An act: where it is asked for, unless there is a reason against it.
    pub fn new(words: String, reason: Option<String>, href: impl FnOnce() -> String) -> Self {
        Self {
            words,
            target: reason.map_or_else(|| Ok(href()), Err),
            danger: false,
            apart: false,
            noscroll: true,
        }
    }

    /// A way to another page.
    pub fn link(words: String, href: String) -> Self {
        Self {
            words,
            target: Ok(href),
            danger: false,
            apart: false,
            noscroll: false,
        }
    }

    /// The same as a button of its own; none for what is not possible.
    pub fn button(&self) -> Option<AnyView> {
        let (words, href) = (self.words.clone(), self.target.clone().ok()?);
        let noscroll = self.noscroll.then_some("");
        Some(
            view! { <a class="button primary" href=href data-noscroll=noscroll>{words}</a> }
                .into_any(),
        )
    }

    /// One that destroys something.
    pub fn danger(mut self) -> Self {
        self.danger = true;
        self
    }

    /// One that a line stands above.
    pub fn apart(mut self) -> Self {
        self.apart = true;
        self
    }
}

/// The items of a menu. What is not possible stays in sight and in reach of the keyboard, and says why.
pub fn entries(entries: Vec<Entry>) -> AnyView {
    let items: Vec<AnyView> = entries
        .into_iter()
        .map(|entry| {
            let class = match (entry.danger, entry.apart) {
                (true, true) => "danger apart",
                (true, false) => "danger",
                (false, true) => "apart",
                (false, false) => "",
            };
            match entry.target {
                Ok(href) => {
                    let noscroll = entry.noscroll.then_some("");
                    view! { <a class=class href=href data-noscroll=noscroll>{entry.words}</a> }
                        .into_any()
                }
                Err(reason) => view! {
                    <span class=format!("off {class}") role="link" aria-disabled="true" tabindex="0">
                        {entry.words}
                        <small>{reason}</small>
                    </span>
                }
                .into_any(),
            }
        })
        .collect();
    items.into_any()
}

/// A menu under a button. `label` is read, `title` is seen.
pub fn menu(id: String, title: String, label: String, size: Size, items: AnyView) -> AnyView {
    let class = match size {
        Size::Normal => "button",
        Size::Small => "button small",
    };
    view! {
        <div class="menu" on:keydown=arrows>
            <button type="button" class=class popovertarget=id.clone() aria-label=label aria-haspopup="true">
                {title}
                {icon::chevron()}
            </button>
            <div class="popover" popover="auto" id=id>
                {items}
            </div>
        </div>
    }
    .into_any()
}

/// Up, down, Home and End move among the links and buttons of the popover; down opens it.
/// The wrapper listens, for an open popover leaves the focus on its button.
#[cfg(feature = "hydrate")]
fn arrows(event: KeyboardEvent) {
    use wasm_bindgen::JsCast;
    use web_sys::{Element, HtmlButtonElement, HtmlElement};

    let Some(menu) = event
        .current_target()
        .and_then(|target| target.dyn_into::<Element>().ok())
    else {
        return;
    };
    if event.key() == "ArrowDown"
        && let Ok(None) = menu.query_selector(":popover-open")
        && let Some(button) = menu
            .first_element_child()
            .and_then(|child| child.dyn_into::<HtmlButtonElement>().ok())
    {
        button.click();
    }
    let Ok(items) = menu
        .query_selector_all(":popover-open a, :popover-open button, :popover-open [aria-disabled]")
    else {
        return;
    };
    let count = items.length();
    if count == 0 {
        return;
    }
    let focused = document().active_element();
    let here = (0..count).find(|index| {
        items
            .item(*index)
            .zip(focused.clone())
            .is_some_and(|(item, focused)| item.is_same_node(Some(&focused)))
    });
    let next = match (event.key().as_str(), here) {
        ("ArrowDown", None) | ("Home", _) => 0,
        ("ArrowDown", Some(at)) => (at + 1) % count,
        ("ArrowUp", None) | ("End", _) => count - 1,
        ("ArrowUp", Some(at)) => (at + count - 1) % count,
        _ => return,
    };
    event.prevent_default();
    if let Some(item) = items
        .item(next)
        .and_then(|item| item.dyn_into::<HtmlElement>().ok())
    {
        _ = item.focus();
    }
}

#[cfg(not(feature = "hydrate"))]
fn arrows(_: KeyboardEvent) {}
