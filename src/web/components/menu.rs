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
    let Ok(items) = menu.query_selector_all(":popover-open a, :popover-open button") else {
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
