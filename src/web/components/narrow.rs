//! What narrows a list: words, choices, days, and on a phone the order. All of it stands in the address.
//!
//! A plain form, which with scripts the list follows while one types; the form follows the address, unless one is at it.

use super::icon;
use crate::domain::locale::Locale;
use crate::i18n::t;
use crate::view::Listing;
use crate::web::context::{Frame, use_locale};
use crate::web::erased::{Memo, follow, maybe, memo};
use crate::web::links;
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// A choice that narrows the list.
pub struct Filter {
    /// The field of [`Listing`] it sets.
    pub field: &'static str,
    /// Its label.
    pub label: String,
    /// The values and their words; the empty value, all, is added.
    pub options: Vec<(String, String)>,
}

/// What a list is narrowed by, beside words.
pub struct Fields {
    /// Choices.
    pub filters: Vec<Filter>,
    /// Whether by days, too.
    pub days: bool,
}

/// What the address asks of the list.
pub fn use_listing() -> Memo<Listing> {
    let query = use_query_map();
    memo(move |_| query.with(links::listing))
}

/// The fields above a list: a plain form, which with scripts is followed while one types.
pub fn narrowing(
    fields: &Fields,
    sorts: &[(&'static str, String, &'static str)],
    path: &str,
    listing: Memo<Listing>,
    alive: ReadSignal<bool>,
) -> AnyView {
    let locale = use_locale();
    let form = NodeRef::<html::Form>::new();
    let first = listing.get_untracked();
    let choices: Vec<AnyView> = fields
        .filters
        .iter()
        .map(|filter| {
            let chosen = match filter.field {
                "state" => &first.state,
                "zone" => &first.zone,
                "door" => &first.door,
                "who" => &first.who,
                _ => &first.kind,
            };
            let option = |value: String, words: String| {
                let selected = value == *chosen;
                view! { <option value=value selected=selected>{words}</option> }.into_any()
            };
            let options: Vec<AnyView> = filter
                .options
                .iter()
                .map(|(value, words)| option(value.clone(), words.clone()))
                .collect();
            view! {
                <label>
                    <span>{filter.label.clone()}</span>
                    <select name=filter.field>{option(String::new(), t!(locale, "list-all", field = filter.field))} {options}</select>
                </label>
            }
            .into_any()
        })
        .collect();
    // On a phone there are no heads to press.
    let sorts: Vec<AnyView> = sorts
        .iter()
        .filter(|(key, ..)| !key.is_empty())
        .flat_map(|(key, title, _)| {
            [
                (
                    (*key).to_owned(),
                    t!(locale, "list-sort-up", column = title.as_str()),
                ),
                (
                    format!("-{key}"),
                    t!(locale, "list-sort-down", column = title.as_str()),
                ),
            ]
        })
        .map(|(value, words)| {
            let selected = value == first.sort;
            view! { <option value=value selected=selected>{words}</option> }.into_any()
        })
        .collect();
    let days = fields.days.then(|| {
        let day = |name: &'static str, label: String, value: String| {
            view! { <label><span>{label}</span> <input type="date" name=name value=value/></label> }
                .into_any()
        };
        view! {
            {day("from", t!(locale, "list-from"), first.from.clone())}
            {day("until", t!(locale, "list-until"), first.until.clone())}
        }
        .into_any()
    });
    let of = (!first.of.is_empty())
        .then(|| view! { <input type="hidden" name="of" value=first.of.clone()/> }.into_any());
    let path = path.to_owned();
    #[cfg(feature = "hydrate")]
    let (on_input, on_submit) = browser::narrow(form, path.clone(), listing);
    #[cfg(not(feature = "hydrate"))]
    let (on_input, on_submit) = (|_: leptos::ev::Event| {}, |_: leptos::ev::SubmitEvent| {});
    let clear = {
        let path = path.clone();
        follow(move || {
            maybe(listing.with(Listing::is_narrowed).then(|| {
                view! { <a class="button small plain" href=path.clone() data-noscroll="">{t!(locale, "list-clear")}</a> }
                    .into_any()
            }))
        })
    };
    let submit = follow(move || {
        maybe((!alive.get()).then(|| {
            view! { <button type="submit" class="button small">{t!(locale, "list-narrow")}</button> }.into_any()
        }))
    });
    view! {
        <form
            class="narrow"
            role="search"
            aria-label=t!(locale, "list-narrow-label")
            method="get"
            action=path
            node_ref=form
            on:input=on_input
            on:submit=on_submit
        >
            <label class="find">
                <span class="unseen">{t!(locale, "list-find")}</span>
                <input type="search" name="find" value=first.find.clone() placeholder=t!(locale, "list-find") autocomplete="off"/>
            </label>
            {choices}
            {maybe(days)}
            <label class="sorting">
                <span>{t!(locale, "list-sort")}</span>
                <select name="sort"><option value="">{t!(locale, "list-sort-own")}</option> {sorts}</select>
            </label>
            {maybe(of)}
            {submit}
            {clear}
        </form>
    }
    .into_any()
}

/// That nothing is like what was asked for, and the way back to everything.
pub fn nothing_found(path: &str) -> AnyView {
    let locale = use_locale();
    view! {
        <div class="card empty" role="status">
            {icon::search()}
            <h2>{t!(locale, "list-none-title")}</h2>
            <p>{t!(locale, "list-none")}</p>
            <p class="acts"><a class="button" href=path.to_owned()>{t!(locale, "list-clear")}</a></p>
        </div>
    }
    .into_any()
}

/// A choice among the zones.
pub fn zones(locale: Locale, frame: &Frame) -> Filter {
    Filter {
        field: "zone",
        label: t!(locale, "instance-zone"),
        options: frame
            .session
            .zones
            .iter()
            .map(|zone| (zone.id.to_string(), zone.name.clone()))
            .collect(),
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use crate::view::Listing;
    use crate::web::erased::{Memo, effect};
    use crate::web::links;
    use leptos::ev::{Event, SubmitEvent};
    use leptos::html;
    use leptos::prelude::*;
    use leptos_router::NavigateOptions;
    use leptos_router::hooks::use_navigate;
    use std::time::Duration;
    use wasm_bindgen::JsCast;
    use web_sys::{
        Element, FormData, HtmlFormElement, HtmlInputElement, HtmlSelectElement, UrlSearchParams,
    };

    /// While one types, the list follows once a pause is this long.
    const PAUSE: Duration = Duration::from_millis(200);

    type OnInput = Box<dyn FnMut(Event)>;
    type OnSubmit = Box<dyn FnMut(SubmitEvent)>;

    /// Has the address, and so the list, follow the form, and the form the address.
    pub fn narrow(
        form: NodeRef<html::Form>,
        path: String,
        listing: Memo<Listing>,
    ) -> (OnInput, OnSubmit) {
        let navigate = use_navigate();
        let go = move || {
            let query = form.get_untracked().and_then(|form| asked(&form));
            let address = links::below(&path, &query.unwrap_or_default());
            navigate(
                &address,
                NavigateOptions {
                    replace: true,
                    scroll: false,
                    ..NavigateOptions::default()
                },
            );
        };
        effect(move || {
            if let Some(form) = form.get() {
                listing.with(|listing| fill(&form, listing));
            }
        });
        let waiting = StoredValue::new_local(None::<TimeoutHandle>);
        let typed = go.clone();
        on_cleanup(move || {
            if let Some(Some(timer)) = waiting.try_get_value() {
                timer.clear();
            }
        });
        (
            Box::new(move |_| {
                if let Some(timer) = waiting.get_value() {
                    timer.clear();
                }
                waiting.set_value(set_timeout_with_handle(typed.clone(), PAUSE).ok());
            }),
            Box::new(move |event| {
                event.prevent_default();
                go();
            }),
        )
    }

    /// What is filled in, as a query. A plain form would send a space as a plus.
    fn asked(form: &HtmlFormElement) -> Option<String> {
        let data = FormData::new_with_form(form).ok()?;
        let fields = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
        let query = String::from(fields.to_string());
        let filled: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.ends_with('='))
            .collect();
        Some(filled.join("&").replace('+', "%20"))
    }

    /// Fills the form in as the address says, unless one is at it.
    fn fill(form: &HtmlFormElement, listing: &Listing) {
        let busy = document().active_element().is_some_and(|element| {
            element
                .matches("form.narrow input, form.narrow select")
                .unwrap_or(false)
        });
        if busy {
            return;
        }
        for (name, value) in links::fields(listing) {
            let Ok(Some(field)) = form.query_selector(&format!("[name={name}]")) else {
                continue;
            };
            set(field, value);
        }
    }

    fn set(field: Element, value: &str) {
        match field.dyn_into::<HtmlInputElement>() {
            Ok(input) => input.set_value(value),
            Err(field) => {
                if let Ok(select) = field.dyn_into::<HtmlSelectElement>() {
                    select.set_value(value);
                }
            }
        }
    }
}
