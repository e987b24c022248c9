//! Instants as a page shows them: with the offset of the organization's time zone at that instant.

use crate::domain::moment::Moment;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The time zone of this name; UTC when the tz database has none of that name.
pub(super) fn time_zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or_else(|error| {
        tracing::warn!(%error, name, "an organization's time zone is not known");
        TimeZone::UTC
    })
}

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
}
