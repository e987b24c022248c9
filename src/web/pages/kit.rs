//! *Trousse de récupération*: what it is, when it was saved, and the form that downloads it. A plain form: the answer is a
//! file, and the page stays where it is.

use super::head;
use super::plain::{brought_refusal, new_password};
use crate::api::session;
use crate::domain::locale::Locale;
use crate::domain::role::Permission;
use crate::i18n::{format, t};
use crate::view::KitView;
use crate::web::components::field::{Field, Refusal, form_refusal};
use crate::web::components::lists::failed;
use crate::web::context::{use_frame, use_locale};
use crate::web::written::later;
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let inside = match use_frame() {
        Some(frame) if frame.session.role.may(Permission::HoldKit) => for_owner(locale),
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

fn for_owner(locale: Locale) -> AnyView {
    let refusal = brought_refusal("");
    later(async move {
        match session::kit().await {
            Ok(kit) => view! {
                // That a kit was saved is an entry of the log; then the reminder goes, too.
                <div id="kit-state" data-live="activity" data-kit-due=kit.due.to_string()>{told(locale, &kit)}</div>
                {form(locale, kit.shortest, refusal)}
            }
            .into_any(),
            Err(reason) => failed(&reason),
        }
    })
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
