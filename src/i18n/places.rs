//! Time zones by their places, under the names that CLDR (Unicode's collection of what is called how) has for them in
//! the reader's language.
//!
//! The time zone database keeps every name that a zone ever had: *Asia/Calcutta* is *Asia/Kolkata*. Of those that are
//! one zone, one is offered. What may never be true: a zone that was chosen is not among those that are offered.

use super::t;
use crate::domain::locale::Locale;
use crate::domain::name::folded;
use icu_datetime::NoCalendarFormatter;
use icu_datetime::fieldsets::zone::ExemplarCity;
use icu_time::zone::TimeZone;
use icu_time::zone::iana::IanaParserExtended;
use std::collections::BTreeMap;

/// The zone of Québec's largest city: one with Toronto's since 1974, and CLDR has no name for it any more. Who lives
/// there looks for it.
const MONTREAL: &str = "America/Montreal";

/// A part of the world, and the zones in it by the names of their places.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is called; nothing for what is in none.
    pub name: String,
    /// Zones, each with its place; in the order of the places.
    pub places: Vec<(String, String)>,
}

/// The zones of these (IANA names, such as `America/Toronto`), one name for each, by parts of the world. Of several names
/// for one zone, `chosen` is kept if it is among them.
#[must_use]
pub fn parts(locale: Locale, zones: &[String], chosen: &str) -> Vec<Part> {
    let names = Names::new(locale);
    let mut one_each: BTreeMap<(TimeZone, &str), &str> = BTreeMap::new();
    for zone in zones {
        let known = IanaParserExtended::new().parse(zone);
        // What is not known by any other name stands for itself, as Montréal does.
        let apart = known.time_zone == TimeZone::UNKNOWN || zone == MONTREAL;
        let own = if apart { zone.as_str() } else { "" };
        let kept = one_each.entry((known.time_zone, own)).or_insert(zone);
        if *kept != chosen && (zone == chosen || *zone == known.canonical) {
            *kept = zone;
        }
    }
    let mut parts: BTreeMap<(String, String), Vec<(String, String)>> = BTreeMap::new();
    for zone in one_each.into_values() {
        let part = zone.split_once('/').map_or("", |(part, _)| part);
        let part = match part {
            "" => String::new(),
            part => t!(locale, "time-zone-part", part = part),
        };
        let places = parts.entry((folded(&part), part)).or_default();
        places.push((zone.to_owned(), names.of(zone)));
    }
    let parts = parts.into_iter().map(|((_, name), mut places)| {
        places.sort_by_cached_key(|(_, place)| folded(place));
        Part { name, places }
    });
    parts.collect()
}

/// The place of the zone of this IANA name.
#[must_use]
pub fn place(locale: Locale, zone: &str) -> String {
    Names::new(locale).of(zone)
}

/// The names of places in a language.
struct Names {
    locale: Locale,
    cities: Option<NoCalendarFormatter<ExemplarCity>>,
}

impl Names {
    fn new(locale: Locale) -> Self {
        let language = locale.tag().parse::<icu_locale_core::Locale>().ok();
        let cities = language
            .and_then(|language| NoCalendarFormatter::try_new(language.into(), ExemplarCity).ok());
        Self { locale, cities }
    }

    fn of(&self, zone: &str) -> String {
        if zone == MONTREAL {
            return t!(self.locale, "time-zone-montreal");
        }
        let known = IanaParserExtended::new().parse(zone).time_zone;
        match (&self.cities, zone.rsplit_once('/')) {
            (Some(cities), Some(_)) if known != TimeZone::UNKNOWN => {
                cities.format(&known.without_offset()).to_string()
            }
            (_, Some((_, place))) => place.replace('_', " "),
            (_, None) => zone.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn places_have_the_names_of_the_readers_language() {
        for (zone, fr, en) in [
            ("Europe/London", "Londres", "London"),
            ("Africa/Cairo", "Le Caire", "Cairo"),
            ("America/Toronto", "Toronto", "Toronto"),
            ("America/Montreal", "Montréal", "Montréal"),
            (
                "America/Argentina/Buenos_Aires",
                "Buenos Aires",
                "Buenos Aires",
            ),
            ("Asia/Calcutta", "Calcutta", "Kolkata"),
            ("UTC", "UTC", "UTC"),
            ("Mars/Olympus_Mons", "Olympus Mons", "Olympus Mons"),
        ] {
            assert_eq!(place(Locale::Fr, zone), fr);
            assert_eq!(place(Locale::En, zone), en);
        }
        // A language of which CLDR knows nothing.
        assert_eq!(place(Locale::Qps, "Europe/London"), "London");
    }

    #[test]
    fn of_several_names_of_a_zone_one_is_offered_and_never_another_than_was_chosen() {
        let all = zones(&[
            "America/Buenos_Aires",
            "America/Argentina/Buenos_Aires",
            "America/Montreal",
            "America/Toronto",
            "Europe/Athens",
            "Europe/Paris",
            "Europe/Zurich",
            "Indian/Reunion",
            "UTC",
        ]);
        let parts_of = |locale, chosen| -> Vec<(String, Vec<String>)> {
            let parts = parts(locale, &all, chosen).into_iter();
            let parts = parts.map(|part| {
                let places = part.places.into_iter().map(|(zone, _)| zone);
                (part.name, places.collect())
            });
            parts.collect()
        };
        let part = |name: &str, zones_in: &[&str]| (name.to_owned(), zones(zones_in));
        assert_eq!(
            parts_of(Locale::Fr, "Europe/Paris"),
            [
                part("", &["UTC"]),
                part(
                    "Amérique",
                    &[
                        "America/Argentina/Buenos_Aires",
                        "America/Montreal",
                        "America/Toronto"
                    ]
                ),
                part(
                    "Europe",
                    &["Europe/Athens", "Europe/Paris", "Europe/Zurich"]
                ),
                part("Océan Indien", &["Indian/Reunion"]),
            ]
        );
        let chosen = parts_of(Locale::En, "America/Buenos_Aires");
        assert_eq!(
            chosen[1],
            part(
                "America",
                &[
                    "America/Buenos_Aires",
                    "America/Montreal",
                    "America/Toronto"
                ]
            )
        );
        assert_eq!(chosen[3].0, "Indian Ocean");
    }

    #[test]
    fn no_two_zones_that_are_offered_have_one_name() {
        let offered: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.as_str().to_owned())
            .filter(|name| name.contains('/') && !name.starts_with("Etc/"))
            .collect();
        for locale in Locale::ALL.iter().copied() {
            for part in parts(locale, &offered, "") {
                for pair in part.places.windows(2) {
                    assert_ne!(pair[0].1, pair[1].1, "{pair:?}");
                }
            }
        }
    }
}
