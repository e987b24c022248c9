//! *Recherche*: everything that has the words, by kind. Kinds and pages are known by what people call them, in every
//! language at once: one who reads French may well look for a *snapshot*.

use super::head;
use super::plain::brought;
use crate::api::search;
use crate::domain::locale::Locale;
use crate::domain::name::folded;
use crate::domain::role::Permission;
use crate::domain::search::{Kind, Target, Word, marked, words as typed_words};
use crate::i18n::{format, t, words};
use crate::view::search::{Found, Hit};
use crate::web::components::lists::failed;
use crate::web::components::{icon, when};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::maybe;
use crate::web::links;
use crate::web::written::later;
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let Some(frame) = use_frame() else {
        return ().into_any();
    };
    let query = brought("q");
    let typed = typed_words(&query);
    let found = if typed.is_empty() {
        view! { <p class="lead">{t!(locale, "search-what")}</p> }.into_any()
    } else {
        let query = query.clone();
        later(async move {
            let asked = meant(&typed);
            match search::search(asked).await {
                Ok(found) => results(locale, &frame, &query, &typed, &found),
                Err(reason) => failed(&reason),
            }
        })
    };
    view! {
        <article class="search">
            {head(t!(locale, "search-title"), None, ().into_any())}
            <search>
                <form method="get" action=links::SEARCH class="acts">
                    <input type="search" name="q" value=query maxlength="200" dir="auto" aria-label=t!(locale, "search-label")/>
                    <button type="submit" class="button primary">{t!(locale, "search-submit")}</button>
                </form>
            </search>
            {found}
        </article>
    }
    .into_any()
}

/// Whether this is a name of that kind or page, in some language. The list in the messages is folded as the word is.
fn names(what: &str, word: &str) -> bool {
    Locale::ALL.iter().any(|locale| {
        let all = folded(&t!(*locale, "search-names", what = what));
        all.split_whitespace().any(|name| name == word)
    })
}

/// The words, each with the kinds that it is a name of. Small words (*de*, *of*) are in every object, unless there are no
/// others.
fn meant(typed: &[String]) -> Vec<Word> {
    let small = |word: &&String| names("any", word);
    let only_small = typed.iter().all(|word| small(&word));
    let meant = |word: &String| {
        let is = |kind: &Kind| names(kind.code(), word) || (!only_small && small(&word));
        Word {
            text: word.clone(),
            names: Kind::ALL.into_iter().filter(is).collect(),
        }
    };
    typed.iter().map(meant).collect()
}

/// Pages that every word but the small ones is a name of.
fn pages(locale: Locale, frame: &Frame, typed: &[String]) -> Vec<(String, &'static str)> {
    let role = frame.session.role;
    let all = [
        (
            "instance",
            t!(locale, "nav-instances"),
            links::INSTANCES,
            true,
        ),
        ("volume", t!(locale, "nav-volumes"), links::VOLUMES, true),
        (
            "snapshot",
            t!(locale, "nav-snapshots"),
            links::SNAPSHOTS,
            true,
        ),
        (
            "template",
            t!(locale, "nav-templates"),
            links::TEMPLATES,
            true,
        ),
        (
            "activity",
            t!(locale, "nav-activity"),
            links::ACTIVITY,
            true,
        ),
        (
            "zones",
            t!(locale, "zones-title"),
            links::ZONES,
            frame.session.operator,
        ),
        (
            "organization",
            t!(locale, "organization-title"),
            links::ORGANIZATION,
            true,
        ),
        ("profile", t!(locale, "profile-title"), links::PROFILE, true),
        (
            "kit",
            t!(locale, "kit-title"),
            links::KIT,
            role.may(Permission::HoldKit),
        ),
        ("help", t!(locale, "help-title"), links::HELP, true),
    ];
    let telling = || typed.iter().filter(|word| !names("any", word));
    let is = |what: &str| {
        telling().count() > 0
            && telling().all(|word| {
                // The points of instances, and what they are, stand in these two.
                names(what, word) || (matches!(what, "instance" | "help") && names("point", word))
            })
    };
    all.into_iter()
        .filter(|(what, _, _, may)| *may && is(what))
        .map(|(_, title, link, _)| (title, link))
        .collect()
}

fn results(
    locale: Locale,
    frame: &Frame,
    query: &str,
    typed: &[String],
    found: &[Found],
) -> AnyView {
    let pages = pages(locale, frame, typed);
    if found.is_empty() && pages.is_empty() {
        return view! {
            <div class="card empty" role="status">
                {icon::search()}
                <h2>{t!(locale, "search-none-title", words = query.trim())}</h2>
                <p>{t!(locale, "search-none")}</p>
                <p class="quiet">{t!(locale, "search-what")}</p>
            </div>
        }
        .into_any();
    }
    let pages = (!pages.is_empty()).then(|| {
        let items: Vec<AnyView> = pages
            .into_iter()
            .map(|(title, link)| view! { <li><a href=link>{title}</a></li> }.into_any())
            .collect();
        view! {
            <section class="card found" aria-labelledby="found-pages">
                <h2 id="found-pages">{t!(locale, "search-pages")}</h2>
                <ul>{items}</ul>
            </section>
        }
        .into_any()
    });
    let total: u32 = found.iter().map(|found| found.total).sum();
    let kinds: Vec<AnyView> = found
        .iter()
        .map(|found| kind(locale, query, typed, found))
        .collect();
    view! {
        <p class="quiet" role="status">
            {t!(locale, "search-total", count = total, count_text = format::count(locale, u64::from(total)))}
        </p>
        {maybe(pages)}
        {kinds}
    }
    .into_any()
}

fn kind(locale: Locale, query: &str, typed: &[String], found: &Found) -> AnyView {
    let code = found.kind.code();
    let id = format!("found-{code}");
    let hits: Vec<AnyView> = found
        .hits
        .iter()
        .map(|one| hit(locale, typed, one))
        .collect();
    let rest = found
        .total
        .saturating_sub(u32::try_from(found.hits.len()).unwrap_or(u32::MAX));
    view! {
        <section class="card found" aria-labelledby=id.clone()>
            <h2 id=id.clone()>{t!(locale, "search-kind", what = code)}</h2>
            <ul>{hits}</ul>
            {maybe((rest > 0).then(|| more(locale, query, found.kind, rest)))}
        </section>
    }
    .into_any()
}

/// The way to what is not shown here: the list, narrowed to the words that do not name its kind.
fn more(locale: Locale, query: &str, kind: Kind, rest: u32) -> AnyView {
    let list = match kind {
        Kind::Instance => links::INSTANCES,
        Kind::Volume => links::VOLUMES,
        Kind::Snapshot => links::SNAPSHOTS,
        Kind::Template => links::TEMPLATES,
        Kind::Point => {
            let words = t!(
                locale,
                "search-narrower",
                count = rest,
                count_text = format::count(locale, u64::from(rest))
            );
            return view! { <p class="quiet">{words}</p> }.into_any();
        }
    };
    let of_it = |word: &&str| {
        let word = folded(word);
        !names(kind.code(), &word) && !names("any", &word)
    };
    let find: Vec<&str> = query.split_whitespace().filter(of_it).collect();
    let href = format!("{list}?find={}", links::escaped(&find.join(" ")));
    let words = t!(
        locale,
        "search-more",
        count = rest,
        count_text = format::count(locale, u64::from(rest))
    );
    view! { <p><a href=href>{words}</a></p> }.into_any()
}

fn hit(locale: Locale, typed: &[String], hit: &Hit) -> AnyView {
    let (href, state) = match hit.target {
        Target::Instance(id, state) => (links::instance(id), words::instance_state(locale, state)),
        Target::Volume(id, state) => (links::volume(id), words::volume_state(locale, state, false)),
        Target::Snapshot(id, state) => (links::snapshot(id), words::snapshot_state(locale, state)),
        Target::Point(instance, id, _) => (links::points(instance, Some(id)), String::new()),
        Target::Template(id, state) => (
            links::about(crate::view::About::Template(id), &hit.name),
            words::template_state(locale, state),
        ),
    };
    // A point has no word for standing as it should.
    let parts = [&hit.of, &hit.zone, &state];
    let about: Vec<AnyView> = parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| view! { <span>{shown(part, typed)}</span> }.into_any())
        .collect();
    view! {
        <li>
            <a href=href><bdi>{shown(&hit.name, typed)}</bdi></a>
            <small>{about} <span>{when(locale, hit.at)}</span></small>
        </li>
    }
    .into_any()
}

/// Text with what was found in it.
fn shown(text: &str, typed: &[String]) -> AnyView {
    let part = |(is, part): (bool, String)| {
        if is {
            view! { <mark>{part}</mark> }.into_any()
        } else {
            part.into_any()
        }
    };
    marked(text, typed)
        .into_iter()
        .map(part)
        .collect::<Vec<_>>()
        .into_any()
}
