//! *Zones*: how the installation stands, for operators. Everybody else is told that it is theirs.
//!
//! What is known is a list of facts, each the variant of one message and a value: so the page is small, and a new fact is a
//! line in the server and one in each language.

use super::{cell, column, head};
use crate::api::zones;
use crate::domain::locale::Locale;
use crate::domain::size::Bytes;
use crate::i18n::{fault, format, t, words};
use crate::view::{Apart, Card, Fact, Known, Trouble, WorkRow, ZonesView};
use crate::web::components::lists::failed;
use crate::web::components::when;
use crate::web::context::{use_frame, use_locale};
use crate::web::erased::maybe;
use crate::web::written::later;
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let inside = match use_frame() {
        Some(frame) if frame.session.operator => for_operator(locale),
        _ => view! {
            <p class="note viewer">{t!(locale, "zones-operators")} " " <code>"reprise operator add"</code></p>
        }
        .into_any(),
    };
    view! {
        {head(t!(locale, "zones-title"), Some(t!(locale, "zones-intro")), ().into_any())}
        {inside}
    }
    .into_any()
}

fn for_operator(locale: Locale) -> AnyView {
    later(async move {
        match zones::zones().await {
            Ok(view) => {
                view! { <div id="standing" data-live="work">{all(locale, &view)}</div> }.into_any()
            }
            Err(reason) => failed(&reason),
        }
    })
}

fn all(locale: Locale, view: &ZonesView) -> AnyView {
    let cards: Vec<AnyView> = view.cards.iter().map(|one| card(locale, one)).collect();
    view! {
        {troubles(locale, &view.troubles)}
        <div class="zones">{cards}</div>
        {work(locale, &view.work)}
    }
    .into_any()
}

fn troubles(locale: Locale, troubles: &[Trouble]) -> AnyView {
    if troubles.is_empty() {
        return view! { <p class="note good">{t!(locale, "zones-sound")}</p> }.into_any();
    }
    let items: Vec<AnyView> = troubles.iter().map(|one| trouble(locale, one)).collect();
    view! {
        <section class="troubles" aria-labelledby="troubles">
            <h2 id="troubles">{t!(locale, "zones-troubles")}</h2>
            <ul>{items}</ul>
        </section>
    }
    .into_any()
}

fn trouble(locale: Locale, trouble: &Trouble) -> AnyView {
    let (class, mark) = if trouble.grave {
        ("note bad", t!(locale, "zones-grave"))
    } else {
        ("note", t!(locale, "zones-look"))
    };
    let since = trouble
        .since
        .map(|since| format::date_time_sentence(locale, since));
    let sentence = t!(
        locale,
        "zones-trouble",
        what = trouble.what.as_str(),
        subject = trouble.subject.as_str(),
        count = trouble.count,
        count_text = format::count(locale, trouble.count),
        since = since.unwrap_or_default()
    );
    let detail = (!trouble.detail.is_empty())
        .then(|| view! { " " <code>{trouble.detail.clone()}</code> }.into_any());
    view! { <li class=class><b>{mark}</b> " " {sentence} {maybe(detail)}</li> }.into_any()
}

fn card(locale: Locale, card: &Card) -> AnyView {
    let title = t!(
        locale,
        "zones-card",
        what = card.what.as_str(),
        name = card.name.as_str()
    );
    let facts: Vec<AnyView> = card.facts.iter().map(|one| fact(locale, one)).collect();
    view! {
        <section class="card standing">
            <h2>{title}</h2>
            <dl>{facts}</dl>
            {maybe((!card.apart.is_empty()).then(|| apart(locale, &card.apart)))}
        </section>
    }
    .into_any()
}

fn fact(locale: Locale, fact: &Fact) -> AnyView {
    let what = t!(locale, "zones-fact", fact = fact.what.as_str());
    let plain = |words: String| words.into_any();
    let value = match &fact.value {
        Known::Count(count) => plain(format::count(locale, *count)),
        Known::CountOf(done, total) => plain(t!(
            locale,
            "zones-of",
            done = format::count(locale, *done),
            total = format::count(locale, *total)
        )),
        Known::Size(size) => plain(format::bytes(locale, *size)),
        Known::Room(taken, total) => room(locale, what.clone(), *taken, *total),
        Known::Share(size, whole) => plain(t!(
            locale,
            "zones-share",
            size = format::bytes(locale, *size),
            percent = format::percent(locale, size.0.saturating_mul(100) / whole.0.max(1))
        )),
        Known::When(at) => when(locale, *at),
        Known::Took(microseconds) => plain(format::milliseconds(locale, *microseconds)),
        Known::Word(word) => plain(t!(locale, "zones-word", word = word.as_str())),
        Known::Name(name) => view! { <bdi>{name.clone()}</bdi> }.into_any(),
        Known::Exact(code) => view! { <code>{code.clone()}</code> }.into_any(),
    };
    view! { <div><dt>{what}</dt><dd>{value}</dd></div> }.into_any()
}

/// A meter, and the same in words.
fn room(locale: Locale, label: String, taken: Bytes, total: Bytes) -> AnyView {
    let percents = format::percent_of(taken, total);
    let words = t!(
        locale,
        "zones-room",
        taken = format::bytes(locale, taken),
        total = format::bytes(locale, total),
        percent = format::percent(locale, percents)
    );
    view! {
        <meter min="0" max="100" low="75" high="90" optimum="0" value=percents.to_string() aria-label=label></meter>
        {words}
    }
    .into_any()
}

fn apart(locale: Locale, apart: &[Apart]) -> AnyView {
    let (kind, id, found) = (
        t!(locale, "zones-apart-kind"),
        t!(locale, "zones-apart-id"),
        t!(locale, "zones-apart-found"),
    );
    let row = |one: &Apart| {
        view! {
            <tr role="row">
                <th role="rowheader" scope="row">{t!(locale, "zones-word", word = one.kind.as_str())}</th>
                {cell(id.clone(), "", view! { <code>{one.id.clone()}</code> }.into_any())}
                {cell(found.clone(), "", when(locale, one.found))}
            </tr>
        }
        .into_any()
    };
    let rows: Vec<AnyView> = apart.iter().map(row).collect();
    view! {
        <h3>{t!(locale, "zones-apart")}</h3>
        <p class="quiet">{t!(locale, "zones-apart-intro")}</p>
        {table(t!(locale, "zones-apart-caption"), vec![column("", kind), column("", id.clone()), column("", found.clone())], rows)}
    }
    .into_any()
}

fn work(locale: Locale, rows: &[WorkRow]) -> AnyView {
    let inside = if rows.is_empty() {
        view! { <p class="quiet">{t!(locale, "zones-work-none")}</p> }.into_any()
    } else {
        let columns = vec![
            column("", t!(locale, "zones-work-kind")),
            column("", t!(locale, "zones-work-state")),
            column("number", t!(locale, "zones-work-count")),
            column("", t!(locale, "zones-work-since")),
            column("", t!(locale, "zones-work-why")),
        ];
        let rows = rows.iter().map(|row| work_row(locale, row)).collect();
        table(t!(locale, "zones-work-caption"), columns, rows)
    };
    view! { <section class="card standing"><h2>{t!(locale, "zones-work")}</h2>{inside}</section> }
        .into_any()
}

fn work_row(locale: Locale, row: &WorkRow) -> AnyView {
    let why = match &row.fault {
        Some(reason) => fault::sentence(locale, reason),
        None if row.next.is_some() || !row.state.is_live() => t!(locale, "zones-work-own"),
        None => String::new(),
    };
    let next = row.next.map(|next| {
        let date = format::date_time(locale, next);
        view! { <small>{t!(locale, "zones-work-next", date = date)}</small> }.into_any()
    });
    let count = format::count(locale, u64::from(row.count));
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">{words::job_kind(locale, row.kind)}</th>
            {cell(t!(locale, "zones-work-state"), "", words::job_state(locale, row.state).into_any())}
            {cell(t!(locale, "zones-work-count"), "number", count.into_any())}
            {cell(t!(locale, "zones-work-since"), "", when(locale, row.since))}
            {cell(t!(locale, "zones-work-why"), "why", view! { {why} {maybe(next)} }.into_any())}
        </tr>
    }
    .into_any()
}

fn table(caption: String, columns: Vec<AnyView>, rows: Vec<AnyView>) -> AnyView {
    view! {
        <div class="scroll">
            <table class="list" role="table">
                <caption class="unseen">{caption}</caption>
                <thead role="rowgroup"><tr role="row">{columns}</tr></thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
