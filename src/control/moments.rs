//! Instants as a page shows them: with the offset that the member's time zone had then.

use crate::domain::moment::Moment;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::sync::LazyLock;

/// The time zone of this name; UTC when the tz database has none of that name.
pub(super) fn time_zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or_else(|error| {
        tracing::warn!(%error, name, "a time zone is not known");
        TimeZone::UTC
    })
}

/// The parts of the world that the tz database has places of. What else it has are older names of the same, and offsets.
const PARTS: [&str; 10] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
];

/// Whether a member can choose the time zone of this name.
pub(super) fn is_offered(name: &str) -> bool {
    OFFERED
        .binary_search_by(|offered| offered.as_str().cmp(name))
        .is_ok()
}

/// The time zones that a member can choose from, sorted.
pub(super) fn offered() -> Vec<String> {
    OFFERED.clone()
}

static OFFERED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let all = jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned());
    let mut names: Vec<_> = all
        .filter(|name| {
            let part = name.split_once('/').map(|(part, _)| part);
            part.is_some_and(|part| PARTS.contains(&part)) || name == "UTC"
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// The instant, with the offset it had in this time zone.
pub(super) fn moment(zone: &TimeZone, unix_ms: i64) -> Moment {
    let offset = Timestamp::from_millisecond(unix_ms)
        .map_or(0, |instant| zone.to_offset(instant).seconds() / 60);
    Moment {
        unix_ms,
        offset_minutes: i16::try_from(offset).unwrap_or(0),
    }
}

/// Day and time as they stand in a proposed name: `2026-11-22 14:05`, the same in every language.
pub(super) fn stamp(zone: &TimeZone, unix_ms: i64) -> String {
    let instant = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    instant
        .to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

/// When the day `text` (`2026-11-23`) begins there, so many days later; none where that is no day.
pub(super) fn begin_of_day(zone: &TimeZone, text: &str, later: i64) -> Option<i64> {
    let day: Date = text.parse().ok()?;
    let day = day.checked_add(later.days()).ok()?;
    let begin = day.to_zoned(zone.clone()).ok()?;
    Some(begin.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_that_of_the_instant() {
        let montreal = time_zone("America/Montreal");
        // 2026-07-01 and 2026-12-01, 12:00 UTC.
        assert_eq!(moment(&montreal, 1_782_907_200_000).offset_minutes, -240);
        assert_eq!(moment(&montreal, 1_796_126_400_000).offset_minutes, -300);
        assert_eq!(stamp(&montreal, 1_796_126_400_000), "2026-12-01 07:00");
        assert_eq!(moment(&time_zone("Nowhere/At_All"), 0).offset_minutes, 0);
    }

    #[test]
    fn days_begin_in_the_time_zone() {
        let montreal = time_zone("America/Montreal");
        let begin = |text, later| begin_of_day(&montreal, text, later);
        // The clocks go back in this night: the day has 25 hours.
        let (first, next) = (begin("2026-11-01", 0), begin("2026-11-01", 1));
        assert_eq!(first, Some(1_793_505_600_000));
        assert_eq!(next, Some(1_793_505_600_000 + 25 * 3_600_000));
        for none in ["", "2026-13-01", "yesterday", "9999-12-31T"] {
            assert_eq!(begin(none, 0), None, "{none}");
        }
        assert_eq!(begin("9999-12-31", 1), None);
    }

    #[test]
    fn time_zones_are_offered_by_the_names_of_their_places() {
        let names = offered();
        assert!(names.len() > 300 && names.is_sorted(), "{}", names.len());
        for name in ["America/Montreal", "Europe/Paris", "Asia/Kathmandu", "UTC"] {
            assert!(is_offered(name), "{name}");
        }
        for name in [
            "",
            "Europe",
            "Europe/",
            "EST5EDT",
            "Etc/GMT+5",
            "../UTC",
            "Europe/paris",
        ] {
            assert!(!is_offered(name), "{name}");
        }
        for name in names {
            assert!(TimeZone::get(&name).is_ok(), "{name}");
        }
    }
}
