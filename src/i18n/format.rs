//! Numbers, sizes, dates and times as text. Pure: the same input gives the same text on server and browser.
//!
//! French follows the Office québécois de la langue française: no-break space (U+00A0) between a number and its unit and
//! as thousands separator, decimal comma, `9 h 02`. English follows Canadian usage: `12.4 GiB`, `10:15 a.m.`.

use super::t;
use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::domain::size::Bytes;

/// A whole number, in groups of three digits.
#[must_use]
pub fn count(locale: Locale, number: u64) -> String {
    let digits = number.to_string();
    if digits.len() <= 3 {
        return digits;
    }
    let separator = t!(locale, "number-group");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push_str(&separator);
        }
        text.push(digit);
    }
    text
}

/// A size in binary units, with one decimal below 100 where it is not whole: `12,4 Gio`, `412 Mio`, `0 octet`.
#[must_use]
pub fn bytes(locale: Locale, size: Bytes) -> String {
    let size = size.0;
    if size < 1024 {
        return t!(locale, "size-b", count = size, text = count(locale, size));
    }
    // Tenths of the unit, rounded half up. What rounds to 1024 of a unit is 1 of the next one.
    let mut step = 1;
    loop {
        let unit = 1u128 << (10 * step);
        let tenths = (u128::from(size) * 10 + unit / 2) / unit;
        if tenths >= 10_240 && step < 5 {
            step += 1;
            continue;
        }
        let text = number(locale, size, unit, tenths);
        return match step {
            1 => t!(locale, "size-kib", text = text),
            2 => t!(locale, "size-mib", text = text),
            3 => t!(locale, "size-gib", text = text),
            4 => t!(locale, "size-tib", text = text),
            _ => t!(locale, "size-pib", text = text),
        };
    }
}

fn number(locale: Locale, size: u64, unit: u128, tenths: u128) -> String {
    if tenths >= 1000 {
        let whole = (u128::from(size) + unit / 2) / unit;
        return count(locale, u64::try_from(whole).unwrap_or(u64::MAX));
    }
    let point = t!(locale, "number-point");
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        tenth => format!("{}{point}{tenth}", tenths / 10),
    }
}

/// A speed: `94 Mio/s`.
#[must_use]
pub fn rate(locale: Locale, bytes_a_second: Bytes) -> String {
    t!(locale, "size-rate", size = bytes(locale, bytes_a_second))
}

/// Whole percents of `total`, rounded down, so that 100 % means *all of it*. Nothing to do is done.
#[must_use]
pub fn percent_of(done: Bytes, total: Bytes) -> u64 {
    match total.0 {
        0 => 100,
        total => {
            u64::try_from(u128::from(done.0.min(total)) * 100 / u128::from(total)).unwrap_or(100)
        }
    }
}

/// `62 %`
#[must_use]
pub fn percent(locale: Locale, percents: u64) -> String {
    t!(locale, "number-percent", text = percents.to_string())
}

/// A length of time, rounded up to what a reader can use: `5 s`, `4 min`, `2 h`, `2 h 10`.
#[must_use]
pub fn duration(locale: Locale, seconds: u64) -> String {
    if seconds < 60 {
        return t!(locale, "time-seconds", seconds = seconds.to_string());
    }
    let minutes = seconds.div_ceil(60);
    if minutes < 60 {
        return t!(locale, "time-minutes", minutes = minutes.to_string());
    }
    match minutes % 60 {
        0 => t!(locale, "time-hours", hours = count(locale, minutes / 60)),
        rest => t!(
            locale,
            "time-hours-minutes",
            hours = count(locale, minutes / 60),
            minutes = format!("{rest:02}")
        ),
    }
}

/// A short length of time: `9,7 ms`, `412 ms`.
#[must_use]
pub fn milliseconds(locale: Locale, microseconds: u64) -> String {
    let tenths = u128::from(microseconds.div_ceil(100));
    let text = number(locale, microseconds, 1000, tenths);
    t!(locale, "time-milliseconds", text = text)
}

/// `5 s restantes`, `1 min restante`.
#[must_use]
pub fn time_left(locale: Locale, seconds: u64) -> String {
    let shown = match seconds {
        0..60 => seconds,
        60..3600 => seconds.div_ceil(60),
        _ => seconds.div_ceil(3600),
    };
    t!(
        locale,
        "progress-left",
        count = shown,
        time = duration(locale, seconds)
    )
}

/// The parts of a moment on the wall of its time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
}

/// The proleptic Gregorian calendar, by eras of 400 years that begin on a first of March.
fn civil(moment: Moment) -> Civil {
    let minutes = moment.unix_ms.div_euclid(60_000) + i64::from(moment.offset_minutes);
    let (days, minute_of_day) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
    let shifted = days + 719_468; // days from 0000-03-01 to 1970-01-01
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let small = |value: i64| u8::try_from(value).unwrap_or_default(); // each is below 60 by construction
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: small(month),
        day: small(day_of_year - (153 * from_march + 2) / 5 + 1),
        hour: small(minute_of_day / 60),
        minute: small(minute_of_day % 60),
    }
}

fn day(locale: Locale, civil: Civil) -> String {
    t!(
        locale,
        "date-day",
        count = civil.day,
        text = civil.day.to_string()
    )
}

fn clock(locale: Locale, civil: Civil) -> String {
    let half = if civil.hour < 12 { "am" } else { "pm" };
    let hour = match t!(locale, "date-hours").as_str() {
        "12" => (civil.hour + 11) % 12 + 1,
        _ => civil.hour,
    };
    let hour = hour.to_string();
    if civil.minute == 0 {
        t!(locale, "date-clock-sharp", half = half, hour = hour)
    } else {
        t!(
            locale,
            "date-clock",
            half = half,
            hour = hour,
            minute = format!("{:02}", civil.minute)
        )
    }
}

/// `9 h 02`, `10:15 a.m.`
#[must_use]
pub fn time(locale: Locale, moment: Moment) -> String {
    clock(locale, civil(moment))
}

/// `14 nov. 2026`, `1ᵉʳ nov. 2026`, `Nov. 14, 2026`
#[must_use]
pub fn date(locale: Locale, moment: Moment) -> String {
    let civil = civil(moment);
    let month = t!(locale, "date-month-short", month = civil.month);
    t!(
        locale,
        "date-short",
        day = day(locale, civil),
        month = month,
        year = civil.year.to_string()
    )
}

/// `14 nov. 2026, 9 h 02`: a cell of a table.
#[must_use]
pub fn date_time(locale: Locale, moment: Moment) -> String {
    t!(
        locale,
        "date-time-short",
        date = date(locale, moment),
        time = time(locale, moment)
    )
}

/// `le 14 novembre 2026 à 10 h 15`: part of a sentence.
#[must_use]
pub fn date_time_sentence(locale: Locale, moment: Moment) -> String {
    let civil = civil(moment);
    let month = t!(locale, "date-month", month = civil.month);
    t!(
        locale,
        "date-time-sentence",
        day = day(locale, civil),
        month = month,
        year = civil.year.to_string(),
        time = clock(locale, civil)
    )
}

/// For the `datetime` attribute of `<time>`: ISO 8601 with the offset.
#[must_use]
pub fn machine(moment: Moment) -> String {
    let at = civil(moment);
    let (sign, offset) = if moment.offset_minutes < 0 {
        ('-', -moment.offset_minutes)
    } else {
        ('+', moment.offset_minutes)
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}{sign}{:02}:{:02}",
        at.year,
        at.month,
        at.day,
        at.hour,
        at.minute,
        offset / 60,
        offset % 60
    )
}

/// The machine's word for a size, for `title` attributes: all bytes, in groups.
#[must_use]
pub fn exact_bytes(locale: Locale, size: Bytes) -> String {
    t!(
        locale,
        "size-b",
        count = size.0,
        text = count(locale, size.0)
    )
}
