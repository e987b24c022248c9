//! Golden forms: what a reader sees, to the letter. `~` stands for U+00A0.

use crate::domain::locale::Locale::{En, Fr};
use crate::domain::moment::Moment;
use crate::domain::size::Bytes;
use crate::i18n::format;

fn visible(text: &str) -> String {
    text.replace('\u{a0}', "~").replace('\u{202f}', "_")
}

#[test]
fn sizes() {
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    for (size, fr, en) in [
        (0, "0~octet", "0~bytes"),
        (1, "1~octet", "1~byte"),
        (1023, "1~023~octets", "1,023~bytes"),
        (1024, "1~Kio", "1~KiB"),
        (13_314_398_617, "12,4~Gio", "12.4~GiB"),
        (40 * GIB, "40~Gio", "40~GiB"),
        (412 * MIB + 300_000, "412~Mio", "412~MiB"),
        (99 * MIB + 1024 * 1023, "100~Mio", "100~MiB"),
        // What rounds to 1024 of a unit is one of the next.
        (GIB - 1, "1~Gio", "1~GiB"),
        (1023 * MIB, "1~023~Mio", "1,023~MiB"),
        (8192 * GIB, "8~Tio", "8~TiB"),
        (u64::MAX, "16~384~Pio", "16,384~PiB"),
    ] {
        assert_eq!(visible(&format::bytes(Fr, Bytes(size))), fr);
        assert_eq!(visible(&format::bytes(En, Bytes(size))), en);
    }
    assert_eq!(visible(&format::rate(Fr, Bytes(94 * MIB))), "94~Mio/s");
}

#[test]
fn counts_and_percents() {
    assert_eq!(visible(&format::count(Fr, 1_234_567)), "1~234~567");
    assert_eq!(format::count(En, 1_234_567), "1,234,567");
    assert_eq!(format::count(Fr, 999), "999");
    assert_eq!(visible(&format::percent(Fr, 62)), "62~%");
    assert_eq!(format::percent(En, 62), "62%");
    assert_eq!(format::percent_of(Bytes(999), Bytes(1000)), 99);
    assert_eq!(format::percent_of(Bytes(2000), Bytes(1000)), 100);
    assert_eq!(format::percent_of(Bytes(0), Bytes(0)), 100);
    assert_eq!(format::percent_of(Bytes(u64::MAX), Bytes(u64::MAX)), 100);
}

#[test]
fn durations() {
    for (seconds, fr, en) in [
        (0, "0~s", "0~s"),
        (59, "59~s", "59~s"),
        (60, "1~min", "1~min"),
        (61, "2~min", "2~min"),
        (3600, "1~h", "1~h"),
        (7800, "2~h~10", "2~h~10~min"),
        (3_600 * 30, "30~h", "30~h"),
    ] {
        assert_eq!(visible(&format::duration(Fr, seconds)), fr);
        assert_eq!(visible(&format::duration(En, seconds)), en);
    }
    assert_eq!(visible(&format::time_left(Fr, 5)), "5~s restantes");
    assert_eq!(visible(&format::time_left(Fr, 1)), "1~s restante");
    assert_eq!(visible(&format::time_left(Fr, 60)), "1~min restante");
    assert_eq!(visible(&format::time_left(En, 60)), "1~min left");
}

#[test]
fn moments() {
    // 2026-11-14T15:15:00Z, in Montréal.
    let at = Moment {
        unix_ms: 1_794_669_300_000,
        offset_minutes: -300,
    };
    let minutes = |more: i64| Moment {
        unix_ms: at.unix_ms + more * 60_000,
        ..at
    };
    assert_eq!(format::date(Fr, at), "14 nov. 2026");
    assert_eq!(format::date(En, at), "Nov. 14, 2026");
    assert_eq!(visible(&format::time(Fr, at)), "10~h~15");
    assert_eq!(visible(&format::time(En, at)), "10:15~a.m.");
    assert_eq!(visible(&format::time(Fr, minutes(-75))), "9~h");
    assert_eq!(visible(&format::time(Fr, minutes(-73))), "9~h~02");
    assert_eq!(visible(&format::time(En, minutes(105))), "12:00~p.m.");
    assert_eq!(visible(&format::time(En, minutes(-615))), "12:00~a.m.");
    assert_eq!(visible(&format::time(Fr, minutes(-615))), "0~h");
    assert_eq!(visible(&format::date_time(Fr, at)), "14 nov. 2026, 10~h~15");
    assert_eq!(
        visible(&format::date_time(En, at)),
        "Nov. 14, 2026, 10:15~a.m."
    );
    assert_eq!(
        visible(&format::date_time_sentence(Fr, at)),
        "le 14 novembre 2026 à 10~h~15"
    );
    assert_eq!(
        visible(&format::date_time_sentence(En, at)),
        "November 14, 2026 at 10:15~a.m."
    );
    assert_eq!(format::date(Fr, minutes(-13 * 1440)), "1ᵉʳ nov. 2026");
    assert_eq!(format::machine(at), "2026-11-14T10:15-05:00");
}

#[test]
fn the_calendar_holds_at_its_edges() {
    let utc = |unix_ms| Moment {
        unix_ms,
        offset_minutes: 0,
    };
    assert_eq!(format::machine(utc(0)), "1970-01-01T00:00+00:00");
    assert_eq!(format::machine(utc(-1)), "1969-12-31T23:59+00:00");
    assert_eq!(
        format::machine(utc(951_782_400_000)),
        "2000-02-29T00:00+00:00"
    );
    assert_eq!(
        format::machine(utc(4_107_542_400_000)),
        "2100-03-01T00:00+00:00"
    );
    assert_eq!(
        format::machine(Moment {
            unix_ms: 0,
            offset_minutes: -210
        }),
        "1969-12-31T20:30-03:30"
    );
    // A moment from a damaged clock is still text.
    for unix_ms in [i64::MIN, i64::MAX] {
        assert!(!format::date(Fr, utc(unix_ms)).is_empty());
    }
}
