//! *Trousse de récupération*: what it is, when it was saved, and the form that downloads it. A plain form: the answer is a
//! file, and the page stays where it is.

use super::{brought_refusal, head};
use crate::domain::locale::Locale;
use crate::domain::role::Permission;
use crate::i18n::{format, t};
use crate::view::KitView;
use crate::web::ask::{Answer, Question, ask};
use crate::web::components::field::{Field, Refusal, form_refusal, new_password};
use crate::web::components::lists::{failed, loading};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::{effect, follow, maybe, memo};
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let inside = match use_frame() {
        Some(frame) if frame.session.role.may(Permission::HoldKit) => for_owner(locale, &frame),
        _ => view! { <p class="note viewer">{t!(locale, "kit-owners")}</p> }.into_any(),
    };
    view! {
        <article class="prose">
            {head(t!(locale, "kit-title"), None, ().into_any())}
            <p class="lead">{t!(locale, "kit-lead")}</p>
            {inside}
        </article>
    }
    .into_any()
}

fn for_owner(locale: Locale, frame: &Frame) -> AnyView {
    let (live, due) = (frame.live, frame.kit_due);
    // That a kit was saved is an entry of the log.
    let asked = ask(move || (Question::Kit, live.activity.get()));
    effect(move || {
        if let Some(Ok(Answer::Kit(kit))) = asked.get()
            && !kit.due
        {
            due.set(false);
        }
    });
    let refusal = brought_refusal("");
    // The form is drawn once: what was typed into it outlives what is told above it.
    let shortest = memo(move |before: Option<&Option<u32>>| {
        asked.with(|answer| match answer {
            Some(Ok(Answer::Kit(kit))) => Some(kit.shortest),
            _ => before.copied().flatten(),
        })
    });
    let inside = move || {
        view! {
            {follow(move || match asked.get() {
                Some(Ok(Answer::Kit(kit))) => told(locale, &kit),
                Some(Err(reason)) => failed(&reason),
                _ => loading(),
            })}
            {follow(move || maybe(shortest.get().map(|shortest| form(locale, shortest, refusal))))}
        }
    };
    view! { <Transition fallback=loading>{inside()}</Transition> }.into_any()
}

/// When it was saved, and whether it still opens everything.
fn told(locale: Locale, kit: &KitView) -> AnyView {
    let class = if kit.due { "note" } else { "note good" };
    let words = match &kit.saved {
        Some((when, who)) => {
            let (date, who) = (format::date_time(locale, *when), who.as_str());
            if kit.due {
                t!(locale, "kit-outdated", date = date, who = who)
            } else {
                t!(locale, "kit-saved", date = date, who = who)
            }
        }
        None if kit.due => t!(locale, "kit-never"),
        None => t!(locale, "kit-nothing"),
    };
    view! { <p class=class role="status">{words}</p> }.into_any()
}

fn form(locale: Locale, shortest: u32, refusal: Refusal) -> AnyView {
    let rule = t!(
        locale,
        "kit-passphrase-rule",
        min = format::count(locale, u64::from(shortest))
    );
    view! {
        <form class="card kit" method="post" action="/kit">
            {form_refusal(locale, refusal)}
            {new_password(locale, Field::Passphrase, t!(locale, "kit-passphrase"), Some(rule), refusal)}
            {new_password(locale, Field::Again, t!(locale, "kit-again"), None, refusal)}
            <button type="submit" class="button primary">{t!(locale, "kit-submit")}</button>
        </form>
        <h2>{t!(locale, "kit-keep-title")}</h2>
        <ul>
            <li>{t!(locale, "kit-keep-apart")}</li>
            <li>{t!(locale, "kit-keep-lost")}</li>
            <li>{t!(locale, "kit-keep-again")}</li>
            <li>{t!(locale, "kit-keep-use")} " " <code>"reprise keys import"</code></li>
        </ul>
    }
    .into_any()
}
