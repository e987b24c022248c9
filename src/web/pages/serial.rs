//! *Journal série*: what an instance wrote to its serial console.
//!
//! The server writes the newest part into the page. With scripts the page then asks for what follows once a second, while
//! it can be seen, and appends it: text that was selected stays selected, and who has scrolled up stays where they are.
//! Earlier text has an address (`?from=`): that page begins there and reads on up to the end.

use super::instance::use_instance;
use crate::domain::id::InstanceId;
use crate::domain::locale::Locale;
use crate::i18n::t;
use crate::view::SerialView;
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::lists::{failed, loading};
use crate::web::context::use_locale;
use crate::web::erased::{RwSignal, follow, maybe, memo};
use crate::web::links;
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// How far back one click goes: about what one answer holds.
const STEP: u64 = 64 << 10;

/// The tab.
pub fn page() -> AnyView {
    let id = use_instance();
    // Read once: what is appended later belongs to this element, which is never drawn anew.
    let from: Option<u64> = use_query_map()
        .with_untracked(|query| query.get_str("from").and_then(|from| from.parse().ok()));
    let asked = ask(move || (Question::Serial(id, from), 0));
    let inside = move || {
        follow(move || match asked.get() {
            Some(Ok(Answer::Serial(view))) => log(id, from.is_none(), &view),
            Some(Err(reason)) => failed(&reason),
            _ => loading(),
        })
    };
    view! { <Transition fallback=loading>{inside()}</Transition> }.into_any()
}

/// `newest`: the end is what one wants to see.
fn log(id: InstanceId, newest: bool, view: &SerialView) -> AnyView {
    let locale = use_locale();
    let written = NodeRef::<html::Code>::new();
    // Where what is shown ends; zero where nothing was ever written.
    let end = RwSignal::new(view.end);
    #[cfg(feature = "hydrate")]
    browser::read_on(id, written, end, newest);
    #[cfg(not(feature = "hydrate"))]
    let _ = newest;
    let nothing = memo(move |_| end.get() == 0);
    view! {
        <div class="serial-head">
            <p class="quiet">{t!(locale, "serial-what")}</p>
            {earlier(locale, id, view)}
            // Scripts read on by themselves.
            <a class="button small plain" href=links::serial(id, None)>{t!(locale, "serial-reload")}</a>
        </div>
        {follow(move || {
            maybe(nothing.get().then(|| view! { <p class="note">{t!(locale, "serial-empty")}</p> }.into_any()))
        })}
        <pre class="serial" tabindex="0" role="log" aria-live="off" aria-label=t!(locale, "instance-tab-serial")>
            <code node_ref=written>{view.text.clone()}</code>
        </pre>
    }
    .into_any()
}

/// A link to what stands before, as far as it is kept. It loads the page anew: what is shown then begins there.
fn earlier(locale: Locale, id: InstanceId, view: &SerialView) -> AnyView {
    if view.from <= view.kept_from {
        return ().into_any();
    }
    let from = view.from.saturating_sub(STEP).max(view.kept_from);
    let href = links::serial(id, Some(from));
    view! { <a class="button small" rel="external" href=href>{t!(locale, "serial-earlier")}</a> }
        .into_any()
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::STEP;
    use crate::domain::fault::Fault;
    use crate::domain::id::InstanceId;
    use crate::web::ask::{Answer, Question, answer};
    use crate::web::erased::{RwSignal, effect};
    use leptos::html;
    use leptos::prelude::*;
    use leptos::task::spawn_local;
    use std::time::Duration;
    use web_sys::HtmlElement;

    /// How often the page asks for more.
    const PACE: Duration = Duration::from_secs(1);
    /// Who is this near to the end, in pixels, stays at the end.
    const NEAR: i32 = 32;
    /// The most pieces that are kept on the page; older ones go.
    const PIECES: u32 = 4096;

    type Written = NodeRef<html::Code>;

    /// Asks for what follows, from when the text has come to life until it goes.
    pub fn read_on(id: InstanceId, written: Written, end: RwSignal<u64>, newest: bool) {
        let asking = StoredValue::new(false);
        effect(move || {
            let Some(pane) = written.get().and_then(|code| code.parent_element()) else {
                return;
            };
            if newest {
                pane.set_scroll_top(pane.scroll_height());
            }
            more(id, written, end, asking);
            let pace = set_interval_with_handle(move || more(id, written, end, asking), PACE);
            on_cleanup(move || {
                if let Ok(pace) = pace {
                    pace.clear();
                }
            });
        });
    }

    fn more(id: InstanceId, written: Written, end: RwSignal<u64>, asking: StoredValue<bool>) {
        if asking.get_value() || document().hidden() {
            return;
        }
        asking.set_value(true);
        spawn_local(async move {
            // The page may have gone at any of these moments.
            while let Some(from) = end.still() {
                match answer(Question::Serial(id, Some(from))).await {
                    Ok(Answer::Serial(view)) => {
                        if view.end != from {
                            append(written, &view.text);
                            end.set(view.end);
                        }
                        // A full piece: there is more already.
                        if view.end.saturating_sub(view.from) < STEP / 2 {
                            break;
                        }
                    }
                    Err(Fault::Unreachable) => break,
                    // The instance or the session is gone: nothing is asked any more.
                    _ => return,
                }
            }
            _ = asking.try_set_value(false);
        });
    }

    fn append(written: Written, text: &str) {
        let Some(code) = written.try_get_untracked().flatten() else {
            return;
        };
        let code: &HtmlElement = &code;
        let Some(pane) = code.parent_element() else {
            return;
        };
        let below = pane.scroll_height() - pane.client_height() - pane.scroll_top();
        _ = code.append_with_str_1(text);
        while code.child_nodes().length() > PIECES
            && let Some(first) = code.first_child()
        {
            _ = code.remove_child(&first);
        }
        if below < NEAR {
            pane.set_scroll_top(pane.scroll_height());
        }
    }
}
