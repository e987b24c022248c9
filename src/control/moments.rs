//! Instants as a page shows them: with the offset of the organization's time zone at that instant.

use crate::domain::moment::Moment;
use jiff::Timestamp;
use jiff::tz::TimeZone;

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
}
