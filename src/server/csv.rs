//! The activity log as a file for spreadsheets: what the page shows, narrowed and sorted as the page is.
//!
//! RFC 4180, in UTF-8 with a byte order mark, without which Excel takes it for something else. Where a comma is the decimal
//! mark, spreadsheets expect a semicolon between cells, and so it is. What may never be true: a cell that a spreadsheet takes
//! for a formula; a file that lacks entries and does not say so.

use super::security::refusal;
use super::session::{Visit, blocking, see_other};
use super::state::AppState;
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::i18n::{fault, format, t, words};
use crate::view::{ActivityRow, Listing, Outcome};
use crate::web;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};

/// `GET /activity.csv`, with the query of the page.
pub async fn activity(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    address: Uri,
) -> Response {
    let listing = listing(&address);
    let (control, locale) = (state.control.clone(), visit.locale);
    let text = blocking(move || {
        let page = control.activity_file(&visit.caller, listing)?;
        Ok(file(locale, &page.rows, page.total))
    });
    let text = match text.await {
        Ok(text) => text,
        Err(Fault::SignInNeeded) => return see_other("/sign-in?next=/activity"),
        Err(fault) => return refusal(&fault),
    };
    let name = t!(locale, "activity-file");
    let name = HeaderValue::from_str(&format!("attachment; filename=\"reprise-{name}.csv\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/csv; charset=utf-8; header=present"),
        ),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text).into_response()
}

/// What the page is asked for by this query; what it does not know is passed over.
fn listing(address: &Uri) -> Listing {
    let mut listing = Listing::default();
    let Ok(Query(fields)) = Query::<Vec<(String, String)>>::try_from_uri(address) else {
        return listing;
    };
    for (field, value) in fields {
        let place = match field.as_str() {
            "find" => &mut listing.find,
            "sort" => &mut listing.sort,
            "kind" => &mut listing.kind,
            "of" => &mut listing.of,
            "who" => &mut listing.who,
            "door" => &mut listing.door,
            "from" => &mut listing.from,
            "until" => &mut listing.until,
            _ => continue,
        };
        *place = value;
    }
    listing
}

/// The entries as a file, of `total` that there are.
fn file(locale: Locale, rows: &[ActivityRow], total: u32) -> String {
    let between = match t!(locale, "number-point").as_str() {
        "," => ';',
        _ => ',',
    };
    let mut text = "\u{feff}".to_owned();
    line(
        &mut text,
        between,
        &[
            t!(locale, "activity-column-when"),
            t!(locale, "activity-column-who"),
            t!(locale, "activity-column-door"),
            t!(locale, "activity-column-act"),
            t!(locale, "activity-column-subject"),
            t!(locale, "activity-column-outcome"),
            t!(locale, "activity-column-reason"),
        ],
    );
    for row in rows {
        let (outcome, reason) = match &row.outcome {
            Outcome::Done => (t!(locale, "outcome-done"), String::new()),
            Outcome::Running => (t!(locale, "outcome-running"), String::new()),
            Outcome::Interrupted => (t!(locale, "outcome-interrupted"), String::new()),
            Outcome::Failed(reason) => (
                t!(locale, "outcome-failed"),
                fault::sentence(locale, reason),
            ),
        };
        let who = row.who.clone();
        line(
            &mut text,
            between,
            &[
                stamp(row.when),
                who.unwrap_or_else(|| t!(locale, "activity-system")),
                words::door(locale, row.door),
                web::act(locale, row.act),
                row.subject.clone(),
                outcome,
                reason,
            ],
        );
    }
    let there = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    if there < total {
        let mut told = vec![String::new(); 7];
        told[0] = t!(
            locale,
            "activity-file-cut",
            there = format::count(locale, there.into()),
            total = format::count(locale, total.into())
        );
        line(&mut text, between, &told);
    }
    text
}

/// ISO 8601 with the offset, to the second.
fn stamp(when: Moment) -> String {
    let seconds = when.unix_ms.div_euclid(1000).rem_euclid(60);
    let mut text = format::machine(when);
    text.insert_str("2026-11-23T07:00".len(), &format!(":{seconds:02}"));
    text
}

fn line(text: &mut String, between: char, cells: &[String]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            text.push(between);
        }
        text.push('"');
        // Spreadsheets reckon what begins like this, also where it is quoted. An apostrophe makes it text.
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            text.push('\'');
        }
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::role::Door;
    use crate::view::Act;

    #[test]
    fn a_line_is_read_back_as_it_was_and_no_cell_is_a_formula() {
        let row = |who: Option<&str>, subject: &str, outcome| ActivityRow {
            id: 1,
            when: Moment {
                unix_ms: 1_795_435_209_999,
                offset_minutes: -300,
            },
            who: who.map(str::to_owned),
            door: Door::Console,
            act: Act::Attach,
            subject: subject.to_owned(),
            about: None,
            outcome,
            job: None,
        };
        let rows = [
            row(Some("=SUM(A1)"), "a \"b\", c", Outcome::Done),
            row(None, "@x", Outcome::Failed(Fault::ClockNotSet)),
        ];
        let text = file(Locale::Fr, &rows, 2);
        let lines: Vec<_> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[0].starts_with("\u{feff}\"Quand\";\"Qui\";"), "{text}");
        assert_eq!(lines[0].matches("\";\"").count(), 6);
        assert!(
            lines[1].starts_with("\"2026-11-23T07:00:09-05:00\";\"'=SUM(A1)\";"),
            "{text}"
        );
        assert!(lines[1].contains(";\"a \"\"b\"\", c\";"), "{text}");
        assert!(lines[2].contains(";\"'@x\";\"Échec\";\""), "{text}");
        let sentence = fault::sentence(Locale::Fr, &Fault::ClockNotSet);
        assert!(lines[2].ends_with(&format!("\"{sentence}\"")), "{text}");
        // Where the decimal mark is a point, as the format has it.
        let english = file(Locale::En, &rows, 2);
        assert_eq!(
            english
                .lines()
                .next()
                .map(|head| head.matches("\",\"").count()),
            Some(6)
        );
        // What is not in the file is told in its last line, which has as many cells as the others.
        let cut = file(Locale::Fr, &rows, 12_345);
        let last = cut.lines().last().expect("a line");
        assert!(
            last.contains("2 ") && last.contains("12\u{a0}345"),
            "{last}"
        );
        assert_eq!(last.matches("\";\"").count(), 6);
    }

    #[test]
    fn nothing_that_a_spreadsheet_would_reckon_begins_a_cell() {
        for start in ['=', '+', '-', '@', '\t', '\r'] {
            let mut text = String::new();
            line(&mut text, ',', &[format!("{start}1"), format!("a{start}")]);
            assert_eq!(text, format!("\"'{start}1\",\"a{start}\"\r\n"));
        }
    }

    #[test]
    fn the_query_is_that_of_the_page() {
        let asked = "/activity.csv?find=d%C3%A9j%C3%A0+vu&page=x&sort=-when&a=1&from=2026-11-01";
        let asked = listing(&asked.parse().expect("an address"));
        let expected = Listing {
            find: "déjà vu".to_owned(),
            sort: "-when".to_owned(),
            from: "2026-11-01".to_owned(),
            ..Listing::default()
        };
        assert_eq!(asked, expected);
    }
}
