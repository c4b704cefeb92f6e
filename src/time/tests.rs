//! Compares the parser of times with tables and with `jiff`, an independent reader.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

/// 2026-03-17T11:59:00Z.
const NOON: i64 = 1_773_748_740_000;

fn read(text: &str) -> Option<(i64, Unit)> {
    read_text(text).map(|ParsedTime { millis, unit }| (millis, unit))
}

#[test]
fn dates_are_read_in_the_spellings_that_occur() {
    let table = [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2020-03-01T14:36:00+0000", Some(1_583_073_360_000)),
        ("2020-03-01T15:36:00.25+01:00", Some(1_583_073_360_250)),
        ("2020-02-29T23:59:59-0000", Some(1_583_020_799_000)),
        ("1969-12-31T23:59:59.999Z", Some(-1)),
        ("1969-12-31T23:59:59.9999Z", Some(-1)),
        ("1969-12-31T23:59:59.9981Z", Some(-2)),
        ("2000-02-29 00:00:00Z", Some(951_782_400_000)),
        ("2026-03-17t11:59:00z", Some(NOON)),
        ("2026-03-17T11:59:00+00", Some(NOON)),
        ("2026-03-17T12:59:00+01", Some(NOON)),
        ("2026-03-17T06:29:00-0530", Some(NOON)),
        ("2026-03-17T11:59:00.250Z", Some(NOON + 250)),
        ("2026-03-17T11:59:00,250Z", None),
        ("2026-03-17T11:59:00.2Z", Some(NOON + 200)),
        ("2026-03-17T11:59:00.250999999999999Z", Some(NOON + 250)),
        (" \t2026-03-17T11:59:00Z\r\n", Some(NOON)),
        // A leap second.
        ("2016-12-31T23:59:60Z", Some(1_483_228_800_000)),
        ("2020-13-01T00:00:00Z", None),
        ("2020-00-01T00:00:00Z", None),
        ("2020-01-00T00:00:00Z", None),
        ("2020-02-30T00:00:00Z", None),
        ("2019-02-29T00:00:00Z", None),
        ("2020-03-01T24:00:00Z", None),
        ("2020-03-01T14:60:00Z", None),
        ("2020-03-01T14:36:61Z", None),
        // Without a zone, without seconds, without a time.
        ("2020-03-01T14:36:00", None),
        ("2026-03-17T11:59Z", None),
        ("2020-03-01", None),
        // Another format, or none.
        ("Tue, 17 Mar 2026 11:59:00 GMT", None),
        ("2026-03-17 11:59:00 UTC", None),
        ("2026-03-17 11:59:00.123456 +0000", None),
        ("2026-03-17T11:59:00.Z", None),
        ("2026-03-17T11:59:00Z.25", None),
        ("2026-03-17T11:59:00ZZ", None),
        ("2026-03-17T11:59:00+", None),
        ("2026-03-17T11:59:00+1", None),
        ("2026-03-17T11:59:00+24:00", None),
        ("2026-03-17T11:59:00+00:60", None),
        ("2026-03-17T11:59:00+99:99", None),
        ("2026-03-17T11:59:00+0:000", None),
        ("2026-03-17T11:59:00+000", None),
        ("2026-03-17T11:59:00\u{2212}0530", None),
        ("2026-3-17T11:59:00Z", None),
        ("+020-03-01T14:36:00Z", None),
        ("20-03-01T14:36:00Z", None),
        ("", None),
        ("\u{1f552}", None),
    ];
    for (text, millis) in table {
        assert_eq!(read(text), millis.map(|millis| (millis, Unit::Text)), "{text}");
        assert_eq!(Time::parse(text), millis.map(Time::from_millis), "{text}");
    }
}

#[test]
fn a_number_has_its_unit_by_its_magnitude() {
    use Unit::{Microseconds, Milliseconds, Nanoseconds, Seconds};
    let table = [
        ("1773748740", Some((NOON, Seconds))),
        ("1773748740.5", Some((NOON + 500, Seconds))),
        ("1773748740.2509999", Some((NOON + 250, Seconds))),
        ("1773748740000", Some((NOON, Milliseconds))),
        ("1773748740000.0", Some((NOON, Milliseconds))),
        ("1.77374874e12", Some((NOON, Milliseconds))),
        ("1.77374874E+9", Some((NOON, Seconds))),
        ("17737487400000e-1", Some((NOON, Milliseconds))),
        ("1773748740000000", Some((NOON, Microseconds))),
        ("1773748740000999", Some((NOON, Microseconds))),
        ("1773748740000000000", Some((NOON, Nanoseconds))),
        // Digits beyond 2^53 are kept.
        ("1773748740000999999", Some((NOON, Nanoseconds))),
        ("1773748740001000000", Some((NOON + 1, Nanoseconds))),
        ("18446744073709551616", Some((18_446_744_073_709, Nanoseconds))),
        // Rounded toward negative infinity.
        ("-1773748740000.0001", Some((-NOON - 1, Milliseconds))),
        ("-1773748740000000001", Some((-NOON - 1, Nanoseconds))),
        ("-1773748740000000000", Some((-NOON, Nanoseconds))),
        ("-1773748740", Some((-NOON, Seconds))),
        ("-0.5", Some((-1, Milliseconds))),
        ("-1e-999999999999999999999999", Some((-1, Milliseconds))),
        ("0.999", Some((0, Milliseconds))),
        // Numbers that are too small to be seconds are kAudit's milliseconds.
        ("0", Some((0, Milliseconds))),
        ("-0.000", Some((0, Milliseconds))),
        ("0e99999999999999999999", Some((0, Milliseconds))),
        ("5", Some((5, Milliseconds))),
        ("99999999", Some((99_999_999, Milliseconds))),
        ("99999999.9", Some((99_999_999, Milliseconds))),
        // The thresholds.
        ("100000000", Some((100_000_000_000, Seconds))),
        ("99999999999", Some((99_999_999_999_000, Seconds))),
        ("100000000000", Some((100_000_000_000, Milliseconds))),
        ("99999999999999", Some((99_999_999_999_999, Milliseconds))),
        ("100000000000000", Some((100_000_000_000, Microseconds))),
        ("99999999999999999", Some((99_999_999_999_999, Microseconds))),
        ("100000000000000000", Some((100_000_000_000, Nanoseconds))),
        ("99999999999999999999.9", Some((99_999_999_999_999, Nanoseconds))),
        ("100000000000000000000", None),
        ("1e999999999999999999999999", None),
        // In strings.
        (" 1773748740000\n", Some((NOON, Milliseconds))),
        ("+1773748740000", Some((NOON, Milliseconds))),
        ("0001773748740000", Some((NOON, Milliseconds))),
        ("1773748740.", None),
        (".5", None),
        ("-", None),
        ("+", None),
        ("--5", None),
        ("1e", None),
        ("1e+", None),
        ("1e5.5", None),
        ("1.2.3", None),
        ("1 773 748 740", None),
        ("0x5", None),
        ("NaN", None),
        ("inf", None),
        ("1773748740s", None),
    ];
    for (text, expected) in table {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn only_a_guessed_unit_is_marked() {
    let marks =
        ["1773748740000", "2026-03-17T11:59:00Z", "1773748740", "1773748740000000", "1773748740000000000"]
            .map(|text| read_text(text).expect("a time").unit.mark());
    assert_eq!(marks, [None, None, Some("seconds"), Some("microseconds"), Some("nanoseconds")]);
}

#[test]
fn a_float_is_its_shortest_decimal() {
    assert_eq!(read_float(1_773_748_740.123), read_number("1773748740.123"));
    for not_an_instant in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e20] {
        assert_eq!(read_float(not_an_instant), None);
    }
    assert_eq!(read_float(-f64::MIN_POSITIVE).map(|parsed| parsed.millis), Some(-1));
    assert_eq!(read_float(-0.0).map(|parsed| parsed.millis), Some(0));
}

#[test]
fn a_civil_date_is_checked_field_by_field() {
    let civil = Civil { year: 2026, month: 3, day: 17, hour: 11, minute: 59, second: 0, nanos: 250_000_001 };
    assert_eq!(civil.time().map(Time::nanos), Some((NOON + 250) * 1_000_000 + 1));
    for wrong in [
        Civil { month: 13, ..civil },
        Civil { month: 0, ..civil },
        Civil { day: 32, ..civil },
        Civil { month: 2, day: 29, ..civil },
        Civil { hour: 24, ..civil },
        Civil { hour: -1, ..civil },
        Civil { minute: 60, ..civil },
        Civil { second: 61, ..civil },
        Civil { nanos: 1_000_000_000, ..civil },
        Civil { nanos: -1, ..civil },
        Civil { year: i64::MAX, ..civil },
        Civil { year: i64::MIN, ..civil },
        Civil { month: i64::MIN, ..civil },
        Civil { day: i64::MAX, ..civil },
    ] {
        assert_eq!(wrong.time(), None, "{wrong:?}");
    }
    assert!(
        Civil { year: 3000, ..civil }.millis().is_some() && Civil { year: 3000, ..civil }.time().is_none()
    );
}

/// Formats `digits` as a decimal with the point `places` digits from the right.
///
/// The fraction has no trailing zeros.
fn point(digits: i128, places: usize) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let text = format!("{:0width$}", digits.unsigned_abs(), width = places + 1);
    let (whole, fraction) = text.split_at(text.len() - places);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// From 1973 to 5138, in nanoseconds, on both sides of 1970.
fn instants() -> impl Strategy<Value = i128> {
    (100_000_000_000_000_000..100_000_000_000_000_000_000_i128, any::<bool>())
        .prop_map(|(nanos, negative)| if negative { -nanos } else { nanos })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_unit_gives_the_same_instant(nanos in instants()) {
        let units = [
            (9, Unit::Seconds), (6, Unit::Milliseconds), (3, Unit::Microseconds), (0, Unit::Nanoseconds),
        ];
        for (places, unit) in units {
            let expected = Some(ParsedTime { millis: i64::try_from(nanos.div_euclid(1_000_000)).unwrap(), unit });
            let text = point(nanos, places);
            prop_assert_eq!(read_number(&text), expected, "{}", text);
            // The same digits with the point elsewhere, and an exponent that balances it.
            let text = format!("{}e{}", point(nanos, 12), 12 - i32::try_from(places).unwrap());
            prop_assert_eq!(read_text(&format!(" {text}\n")), expected, "{}", text);
        }
    }

    #[test]
    fn a_binary_number_is_read_as_its_spelling(integer in any::<i64>(), bits in 0..64_u32, double in any::<f64>()) {
        let integer = integer >> bits;
        prop_assert_eq!(read_integer(integer), read_number(&integer.to_string()));
        prop_assert_eq!(read_float(double), read_number(&double.to_string()));
        #[expect(clippy::cast_precision_loss, reason = "any double will do")]
        let instant = integer as f64 / 1024.0;
        prop_assert_eq!(read_float(instant), read_number(&serde_json::to_string(&instant).unwrap()));
    }

    #[test]
    fn a_date_is_read_as_jiff_reads_it(
        // The years 0 to 9999.
        nanos in -62_167_132_800_000_000_000..253_402_214_400_000_000_000_i128,
        offset in -1439..1440_i64,
        letters in 0..3_usize,
        zone in 0..4_usize,
        places in 0..13_usize,
    ) {
        let instant = Timestamp::from_nanosecond(nanos).unwrap();
        // A zone without minutes is whole hours, and `Z` is zero.
        let offset = match zone { 0 => 0, 1 => offset / 60 * 60, _ => offset };
        let local = Timestamp::from_nanosecond(nanos + i128::from(offset) * 60_000_000_000).unwrap();
        let (sign, hours, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60, offset.abs() % 60);
        let zone = match zone {
            0 => ["Z", "z", "+00:00"][letters].to_owned(),
            1 => format!("{sign}{hours:02}"),
            2 => format!("{sign}{hours:02}{minutes:02}"),
            _ => format!("{sign}{hours:02}:{minutes:02}"),
        };
        let digits = format!("{:09}000", nanos.rem_euclid(1_000_000_000));
        let fraction = &digits[..places];
        let dot = if fraction.is_empty() { "" } else { "." };
        let text = format!(
            "{}{}{}{dot}{fraction}{zone}", local.strftime("%Y-%m-%d"), ["T", "t", " "][letters], local.strftime("%H:%M:%S")
        );
        // The instant with its fraction truncated.
        let kept = fraction.chars().chain("000".chars()).take(3).collect::<String>().parse::<i128>().unwrap();
        let millis = nanos.div_euclid(1_000_000_000) * 1000 + kept;
        prop_assert_eq!(read_text(&text), Some(ParsedTime { millis: i64::try_from(millis).unwrap(), unit: Unit::Text }), "{}", text);
        if places <= 9 {
            let theirs: Timestamp = text.parse().unwrap();
            prop_assert_eq!(theirs.as_nanosecond().div_euclid(1_000_000), millis, "{}", text);
        }
        // The calendar without the parser.
        let millis = instant.as_nanosecond().div_euclid(1_000_000);
        let civil = Civil::from_millis(i64::try_from(millis).unwrap());
        prop_assert_eq!(civil.millis(), i64::try_from(millis).ok());
        prop_assert_eq!(
            format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second),
            instant.strftime("%Y-%m-%dT%H:%M:%S").to_string()
        );
        prop_assert_eq!(parse(&format(i64::try_from(millis).unwrap())).map(i128::from), Some(millis.div_euclid(1000) * 1000));
    }

    /// For any text in the form of a date, both parsers agree.
    ///
    /// They accept the same days, hours and offsets.
    #[test]
    fn text_in_the_form_of_a_date_is_read_as_jiff_reads_it(
        text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([Zz]|[+-][0-2][0-9](:?[0-6][0-9])?)"
    ) {
        let theirs = text.parse::<Timestamp>().ok().map(|theirs| theirs.as_nanosecond().div_euclid(1_000_000));
        // `jiff` accepts offsets up to 25:59.
        let is_offset = text.rfind(['+', '-']).filter(|at| *at > 18).is_none_or(|at| text[at + 1..at + 3] <= *"23");
        prop_assert_eq!(read_text(&text).map(|ours| i128::from(ours.millis)), theirs.filter(|_| is_offset), "{}", text);
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,40}", near in "[-+0-9.,:eEtTzZ \u{e9}]{0,40}", numbers in any::<[i64; 7]>()) {
        for text in [text, near] {
            let _ = (read_text(&text), read_number(&text), Time::parse(&text));
        }
        let [year, month, day, hour, minute, second, nanos] = numbers;
        let _ = Civil { year, month, day, hour, minute, second, nanos }.time();
        let _ = (Civil::from_millis(year).millis(), format(month));
    }
}

#[cfg(feature = "detect")]
#[test]
fn the_cache_of_minutes_changes_no_result() {
    let mut texts = Vec::new();
    for minute in
        ["2026-05-04T07:58", "2026-05-04T07:59", "2026-05-04 07:58", "1969-12-31T23:59", "2026-13-04T07:58"]
    {
        for rest in [
            ":00Z",
            ":09.1Z",
            ":59.999999999Z",
            ":60Z",
            ":61Z",
            ":5xZ",
            ":07.Z",
            ":07.1234x6Z",
            ":07+02:00",
            ":07.25+0200",
            ":07",
            "",
            ":07z",
            ":07.5 Z",
            ":07,5Z",
        ] {
            texts.push(format!("{minute}{rest}"));
        }
    }
    let mut cache = MinuteCache::default();
    for text in texts.iter().chain(texts.iter().rev()) {
        let expected = Time::parse(text).map(Time::millis);
        assert_eq!(cache.parse(text.as_bytes()), expected, "{text}");
        assert_eq!(cache.parse(text.as_bytes()), expected, "{text} again");
    }
}
