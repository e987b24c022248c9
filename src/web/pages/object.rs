//! What the pages of one object share: the head with its acts, facts, sections, the newest entries of the log, and what
//! stands there when the object is gone.

use super::{activity, head};
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::i18n::{fault, t};
use crate::view::{ActivityRow, Outcome};
use crate::web::ask::{Answer, Asked, once_there};
use crate::web::components::lists::{Phase, failed, loading, stale};
use crate::web::components::menu::{Entry, Size, entries, menu};
use crate::web::components::when;
use crate::web::context::{Frame, use_locale};
use crate::web::erased::{Memo, follow, maybe, memo, text};
use crate::web::links;
use leptos::prelude::*;
use leptos_meta::Title;

/// Draws a part of the page.
type Draw = fn(Locale, &Frame, &Answer) -> AnyView;

/// A page of one object. Its parts are drawn from the newest answer there is.
#[derive(Clone, Copy)]
pub struct Object {
    /// The list it is in.
    pub list: &'static str,
    /// That list's name.
    pub list_name: fn(Locale) -> String,
    /// The object's name; none where the answer is to another question.
    pub name: fn(&Answer) -> Option<&str>,
    /// Its state.
    pub state: Draw,
    /// What can be done with it above this page, what is done most first.
    pub acts: fn(&Frame, &Answer, &str) -> Vec<Entry>,
    /// What is known of it, in pairs.
    pub facts: Draw,
    /// All else.
    pub body: Draw,
}

type Found = Memo<Option<Answer>>;

/// The page. Its head stays the same elements while the object changes, so that an open menu stays open.
pub fn page(frame: Frame, asked: Asked, object: Object) -> AnyView {
    let locale = use_locale();
    let inside = move || {
        let found = newest(asked, object.name);
        let phase = Phase::of(asked);
        let frame = frame.clone();
        follow(move || match phase.get() {
            None => loading(),
            Some(Phase::Failed(reason))
                if matches!(reason, Fault::NotFound { .. } | Fault::SignInNeeded)
                    || found.with_untracked(Option::is_none) =>
            {
                lost((object.list_name)(locale), object.list, &reason)
            }
            Some(_) => view! { {stale(&frame, asked)} {drawn(&frame, object, found)} }.into_any(),
        })
    };
    view! { <Transition fallback=loading>{once_there([asked], inside)}</Transition> }.into_any()
}

/// The newest answer that is one; a failed refresh leaves it as it was.
pub fn newest(asked: Asked, name: fn(&Answer) -> Option<&str>) -> Found {
    memo(move |before: Option<&Option<Answer>>| {
        asked.with(|answer| match answer {
            Some(Ok(answer)) if name(answer).is_some() => Some(answer.clone()),
            _ => before.cloned().flatten(),
        })
    })
}

fn drawn(frame: &Frame, object: Object, found: Found) -> AnyView {
    let locale = use_locale();
    let here = links::use_here();
    let part = |draw: Draw| {
        let frame = frame.clone();
        follow(move || {
            found.with(|found| maybe(found.as_ref().map(|found| draw(locale, &frame, found))))
        })
    };
    let name = memo(move |_| {
        found.with(|found| {
            let name = found.as_ref().and_then(object.name);
            name.unwrap_or_default().to_owned()
        })
    });
    let framed = frame.clone();
    let acts = memo(move |_| {
        found.with(|found| {
            let found = found.as_ref();
            found
                .map(|found| here.with(|here| (object.acts)(&framed, found, here)))
                .unwrap_or_default()
        })
    });
    let first = follow(move || {
        let button = acts.with(|acts| acts.first().and_then(Entry::button));
        maybe(button)
    });
    let items = follow(move || entries(acts.get()));
    view! {
        <Title text=move || t!(locale, "app-title", page = name.get())/>
        <p class="crumb"><a href=object.list>{(object.list_name)(locale)}</a></p>
        <div class="head">
            <div class="instance">
                <h1><bdi>{text(move || name.get())}</bdi></h1>
                <div class="state-cell">{part(object.state)}</div>
            </div>
            <div class="acts">
                {menu("act-object".to_owned(), t!(locale, "act-menu"), t!(locale, "act-menu"), Size::Normal, items)}
                {first}
            </div>
        </div>
        <div class="object">
            <dl class="card facts">{part(object.facts)}</dl>
            <div>{part(object.body)}</div>
        </div>
    }
    .into_any()
}

/// Why nothing is shown: what is gone leads to the list it was in, all else can be tried again.
pub fn lost(list_name: String, list: &'static str, reason: &Fault) -> AnyView {
    let locale = use_locale();
    let told = match reason {
        Fault::NotFound { .. } => {
            let back = t!(locale, "gone-to-list", list = list_name.as_str());
            view! {
                <div class="card empty" role="alert">
                    <p>{fault::sentence(locale, reason)}</p>
                    <p class="acts"><a class="button" href=list>{back}</a></p>
                </div>
            }
            .into_any()
        }
        _ => failed(reason),
    };
    view! { <div class="gone">{head(list_name, None, ().into_any())} {told}</div> }.into_any()
}

/// A pair of words and value.
pub fn fact(words: String, value: AnyView) -> AnyView {
    view! { <dt>{words}</dt> <dd>{value}</dd> }.into_any()
}

/// A name or a sentence as the value of a fact.
pub fn plain(value: String) -> AnyView {
    view! { <bdi>{value}</bdi> }.into_any()
}

/// A link to an object, by its name.
pub fn to(href: String, name: &str) -> AnyView {
    view! { <a href=href><bdi>{name.to_owned()}</bdi></a> }.into_any()
}

/// A part of the page under a title of its own.
pub fn section(title: String, inside: AnyView) -> AnyView {
    view! { <section class="part"><h2>{title}</h2> {inside}</section> }.into_any()
}

/// A paragraph.
pub fn paragraph(words: String) -> AnyView {
    view! { <p>{words}</p> }.into_any()
}

/// The newest entries of the log, and the way to all of them.
pub fn lately(locale: Locale, frame: &Frame, rows: &[ActivityRow], all: String) -> AnyView {
    if rows.is_empty() {
        return section(
            t!(locale, "lately-title"),
            paragraph(t!(locale, "activity-empty")),
        );
    }
    let rows: Vec<AnyView> = rows.iter().map(|row| entry(locale, frame, row)).collect();
    let inside = view! {
        <ul class="log card">{rows}</ul>
        <p><a href=all>{t!(locale, "lately-all")}</a></p>
    };
    section(t!(locale, "lately-title"), inside.into_any())
}

fn entry(locale: Locale, frame: &Frame, row: &ActivityRow) -> AnyView {
    let who = row
        .who
        .clone()
        .unwrap_or_else(|| t!(locale, "activity-system"));
    let name = row.subject.as_str();
    let subject = match row.about {
        Some(about) => to(links::about(about, name), name),
        None => plain(name.to_owned()),
    };
    // That it went well is what one expects.
    let outcome = (row.outcome != Outcome::Done).then(|| {
        view! { <div class="state-cell">{activity::outcome(locale, frame, row)}</div> }.into_any()
    });
    view! {
        <li>
            <span class="what">{activity::act(locale, row.act)} " " <b>{subject}</b></span>
            <span class="quiet"><bdi>{who}</bdi> ", " {when(locale, row.when)}</span>
            {maybe(outcome)}
        </li>
    }
    .into_any()
}
