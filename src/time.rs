//! Instants, kAudit's spelling of them, and the parser of time fields.
//!
//! Decision: not `jiff` (without its default features), which saves 97 lines here: `kaudit-base.wasm` has 414,405 bytes
//! with it instead of 265,747. Tests compare the parser with it.

use alloc::string::String;

/// A point in time: nanoseconds since 1970 (UTC).
///
/// The range is 1677 to 2262. A `Time` is always an argument, never read from a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// Returns the instant of `nanos` nanoseconds since 1970.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Returns the instant of `millis` milliseconds since 1970, clamped to the range.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Parses a date and time with a zone, to the millisecond.
    ///
    /// Accepts RFC 3339 and the variants of ISO 8601 that log agents write: a space instead of `T`, lower-case letters,
    /// the offsets `+0000` (kAudit's own) and `+00`. A number is not a date.
    pub fn parse(text: &str) -> Option<Self> {
        parse(text).map(Self::from_millis)
    }

    /// Returns nanoseconds since 1970.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Returns milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// A field's instant, and the unit of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParsedTime {
    /// Milliseconds since 1970, rounded down.
    pub millis: i64,
    pub unit: Unit,
}

/// The unit or form of an instant in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// kAudit's own unit.
    Milliseconds,
    Seconds,
    Microseconds,
    Nanoseconds,
    /// A date and time with a zone.
    Text,
}

impl Unit {
    /// Returns the mark for an entry whose unit was guessed.
    ///
    /// Returns `None` for the forms that kAudit writes itself.
    pub const fn mark(self) -> Option<&'static str> {
        match self {
            Self::Milliseconds | Self::Text => None,
            Self::Seconds => Some("seconds"),
            Self::Microseconds => Some("microseconds"),
            Self::Nanoseconds => Some("nanoseconds"),
        }
    }

    /// Returns the unit of a number with `places` digits before the decimal point.
    ///
    /// The sign is not counted. Each unit has three lengths of its own, from 1973-03-03 (10⁸ s) to 5138-11-16 (10¹¹ s),
    /// so that an instant in between has one unit. Smaller numbers are milliseconds, the unit that kAudit documents;
    /// larger ones are not instants.
    const fn of(places: i64) -> Option<Self> {
        match places {
            ..=8 | 12..=14 => Some(Self::Milliseconds),
            9..=11 => Some(Self::Seconds),
            15..=17 => Some(Self::Microseconds),
            18..=20 => Some(Self::Nanoseconds),
            _ => None,
        }
    }

    /// Returns the number of decimal digits between this unit and milliseconds.
    const fn shift(self) -> i64 {
        match self {
            Self::Milliseconds | Self::Text => 0,
            Self::Seconds => 3,
            Self::Microseconds => -3,
            Self::Nanoseconds => -6,
        }
    }
}

/// Parses a string field: a number or a date, with optional white space around it.
///
/// Returns `None` for an instant without a zone or without seconds, for the dates of RFC 2822, and for other text.
pub(crate) fn read_text(text: &str) -> Option<ParsedTime> {
    let text = text.trim();
    read_number(text).or_else(|| Some(ParsedTime { millis: parse(text)?, unit: Unit::Text }))
}

/// Parses the decimal spelling of a number, with an optional exponent.
///
/// Accepts JSON's grammar, and also a leading `+` and leading zeros, which occur in strings. No floating point is used:
/// nanoseconds have more digits than a double.
pub(crate) fn read_number(text: &str) -> Option<ParsedTime> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, read_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    if !is_digits(whole) || !(fraction.is_empty() || is_digits(fraction)) {
        return None;
    }
    let digits = || whole.bytes().chain(fraction.bytes());
    let Some(zeros) = digits().position(|digit| digit != b'0') else {
        return Some(ParsedTime { millis: 0, unit: Unit::Milliseconds });
    };
    let point = i64::try_from(whole.len()).ok()?.saturating_add(exponent);
    let places = point.saturating_sub(i64::try_from(zeros).ok()?);
    let unit = Unit::of(places)?;
    // At most fourteen digits of milliseconds, so the sum has no overflow.
    let kept = usize::try_from(places.saturating_add(unit.shift())).unwrap_or(0);
    let mut digits = digits().skip(zeros);
    let millis = (0..kept).map(|_| digits.next().unwrap_or(b'0')).fold(0_i64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(i64::from(digit)).saturating_sub(i64::from(b'0'))
    });
    let is_cut = digits.any(|digit| digit != b'0');
    let millis = if negative { 0_i64.saturating_sub(millis).saturating_sub(is_cut.into()) } else { millis };
    Some(ParsedTime { millis, unit })
}

/// Converts a binary integer of MessagePack.
pub(crate) fn read_integer(value: i64) -> Option<ParsedTime> {
    let magnitude = value.unsigned_abs();
    let places = magnitude.checked_ilog10().map_or(0, |log| i64::from(log).saturating_add(1));
    let unit = Unit::of(places)?;
    let millis = match unit {
        Unit::Milliseconds | Unit::Text => value,
        Unit::Seconds => value.saturating_mul(1_000),
        Unit::Microseconds => value.div_euclid(1_000),
        Unit::Nanoseconds => value.div_euclid(1_000_000),
    };
    Some(ParsedTime { millis, unit })
}

/// Converts a binary floating-point number of MessagePack.
///
/// The number is read as the shortest decimal that identifies the double. JSON text of the same record has that
/// spelling, and the product of the double and 1000 would be a millisecond off for half of all instants.
#[cfg(feature = "msgpack")]
pub(crate) fn read_float(value: f64) -> Option<ParsedTime> {
    // Not-a-number and infinity are spelled in letters, which are not digits.
    read_number(&format!("{value:e}"))
}

/// Parses the exponent of a number.
///
/// An exponent that no number of digits could balance becomes a quarter of the range.
fn read_exponent(text: &str) -> Option<i64> {
    const LIMIT: i64 = i64::MAX / 4;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !is_digits(digits) {
        return None;
    }
    let magnitude = digits.parse().unwrap_or(LIMIT).min(LIMIT);
    if text.starts_with('-') { 0_i64.checked_sub(magnitude) } else { Some(magnitude) }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The minute of the last time that was parsed. Events follow each other, so the next time is probably in it too.
#[cfg(feature = "detect")]
#[derive(Debug, Default)]
pub(crate) struct MinuteCache {
    /// A date with hour and minute, such as `2026-05-04T07:58:`.
    text: [u8; 17],
    millis: i64,
}

#[cfg(feature = "detect")]
impl MinuteCache {
    /// Parses a time like [`Time::parse`], in milliseconds.
    #[inline]
    pub fn parse(&mut self, text: &[u8]) -> Option<i64> {
        if let Some((minute, rest)) = text.split_first_chunk()
            && *minute == self.text
            && let Some(millis) = seconds(rest)
        {
            return self.millis.checked_add(millis);
        }
        self.parse_whole(text)
    }

    #[cold]
    fn parse_whole(&mut self, text: &[u8]) -> Option<i64> {
        let millis = parse(core::str::from_utf8(text).ok()?)?;
        if let Some((minute, rest)) = text.split_first_chunk()
            && let Some(seconds) = seconds(rest)
        {
            (self.text, self.millis) = (*minute, millis.checked_sub(seconds)?);
        }
        Some(millis)
    }
}

/// Parses seconds with a fraction in UTC, as the API server writes them, to milliseconds.
#[cfg(feature = "detect")]
#[inline]
fn seconds(text: &[u8]) -> Option<i64> {
    let [tens @ b'0'..=b'5', ones @ b'0'..=b'9', rest @ .., b'Z'] = text else { return None };
    let digit = |digit: u8| i64::from(digit.wrapping_sub(b'0'));
    let whole = digit(*tens).wrapping_mul(10).wrapping_add(digit(*ones)).wrapping_mul(1_000);
    let fraction = match rest {
        [] => return Some(whole),
        [b'.', fraction @ ..] if !fraction.is_empty() => fraction,
        _ => return None,
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut digits = fraction.iter().copied().chain([b'0', b'0']).map(digit);
    let mut next = || digits.next().unwrap_or(0);
    let millis = next().wrapping_mul(100).wrapping_add(next().wrapping_mul(10)).wrapping_add(next());
    Some(whole.wrapping_add(millis))
}

/// Parses a date and time with a zone (see [`Time::parse`]).
///
/// Returns milliseconds since 1970, rounded down.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.trim().as_bytes().split_first_chunk::<19>()?;
    #[rustfmt::skip]
    let [
        y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T' | b't' | b' ',
        h0, h1, b':', n0, n1, b':', s0, s1,
    ] = *date else {
        return None;
    };
    let (millis, zone) = match rest {
        [b'.', rest @ ..] => {
            let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
            let (fraction, zone) = rest.split_at_checked(length)?;
            let [first, ..] = fraction else { return None };
            let digit = |index: usize| fraction.get(index).copied().unwrap_or(b'0');
            (decimal(&[*first, digit(1), digit(2)])?, zone)
        }
        _ => (0, rest),
    };
    let civil = Civil {
        year: decimal(&[y0, y1, y2, y3])?,
        month: decimal(&[m0, m1])?,
        day: decimal(&[d0, d1])?,
        hour: decimal(&[h0, h1])?,
        minute: decimal(&[n0, n1])?,
        second: decimal(&[s0, s1])?,
        nanos: millis.checked_mul(1_000_000)?,
    };
    civil.millis()?.checked_sub(offset(zone)?)
}

/// Parses `Z`, `+00`, `+0000` or `+00:00` to milliseconds east of Greenwich.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *zone {
        [b'Z' | b'z'] => return Some(0),
        [sign, h0, h1] => (sign, [h0, h1], [b'0'; 2]),
        [sign, h0, h1, m0, m1] | [sign, h0, h1, b':', m0, m1] => (sign, [h0, h1], [m0, m1]),
        _ => return None,
    };
    let (hours, minutes) = (decimal(&hours)?, decimal(&minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let east = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60_000)?;
    match sign {
        b'+' => Some(east),
        b'-' => east.checked_neg(),
        _ => None,
    }
}

/// Parses a few decimal digits.
fn decimal(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
        sum.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Formats milliseconds since 1970 as kAudit does: `2020-03-01T15:00:00+0000`.
pub(crate) fn format(millis: i64) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = Civil::from_millis(millis);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+0000")
}

const DAY_MS: i64 = 86_400_000;

/// A Gregorian date and a time of day in UTC: the fields of Lua's date tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year; the year 0 is 1 BC.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
    /// The hour, 0 to 23.
    pub hour: i64,
    /// The minute, 0 to 59.
    pub minute: i64,
    /// The second, 0 to 60. A leap second equals the second after it.
    pub second: i64,
    /// Nanoseconds of the second.
    pub nanos: i64,
}

impl Civil {
    /// Returns the date and time of an instant in milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        let (year, month, day) = civil_from_days(millis.div_euclid(DAY_MS));
        let millis = millis.rem_euclid(DAY_MS);
        Self {
            year,
            month,
            day,
            hour: millis.div_euclid(3_600_000),
            minute: millis.div_euclid(60_000).rem_euclid(60),
            second: millis.div_euclid(1_000).rem_euclid(60),
            nanos: millis.rem_euclid(1_000).saturating_mul(1_000_000),
        }
    }

    /// Returns the instant in milliseconds since 1970, rounded down.
    ///
    /// Returns `None` if a field is out of its range.
    pub fn millis(self) -> Option<i64> {
        let Self { year, month, day, hour, minute, second, nanos } = self;
        let days = days_from_civil(year, month, day)?;
        // A day that its month does not have would be a day of the next month.
        let is_valid = civil_from_days(days) == (year, month, day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..=60).contains(&second)
            && (0..1_000_000_000).contains(&nanos);
        if !is_valid {
            return None;
        }
        let seconds = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
        days.checked_mul(DAY_MS)?
            .checked_add(seconds.checked_mul(1000)?)?
            .checked_add(nanos.div_euclid(1_000_000))
    }

    /// Returns the instant; `None` if it or a field is out of its range.
    pub fn time(self) -> Option<Time> {
        let whole = self.millis()?.checked_mul(1_000_000)?;
        whole.checked_add(self.nanos.rem_euclid(1_000_000)).map(Time)
    }
}

/// Returns the days from 1970 to a date.
///
/// Years are counted from March, so that the leap day is the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let (year, month) =
        if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let leaps = year.div_euclid(4).checked_sub(year.div_euclid(100))?.checked_add(year.div_euclid(400))?;
    let month_days = month.checked_mul(153)?.checked_add(2)?.div_euclid(5);
    year.checked_mul(365)?.checked_add(leaps)?.checked_add(month_days)?.checked_add(day)?.checked_sub(719_469)
}

/// Returns the year, month and day of a number of days since 1970.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Eras of 400 years, 146,097 days, that begin on 0000-03-01, 719,468 days before 1970.
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = day_of_era
        .saturating_sub(day_of_era.div_euclid(1_460))
        .saturating_add(day_of_era.div_euclid(36_524))
        .saturating_sub(day_of_era.div_euclid(146_096))
        .div_euclid(365);
    let before = year_of_era
        .saturating_mul(365)
        .saturating_add(year_of_era.div_euclid(4))
        .saturating_sub(year_of_era.div_euclid(100));
    let day_of_year = day_of_era.saturating_sub(before);
    let month = day_of_year.saturating_mul(5).saturating_add(2).div_euclid(153);
    let day = day_of_year
        .saturating_sub(month.saturating_mul(153).saturating_add(2).div_euclid(5))
        .saturating_add(1);
    let year = year_of_era.saturating_add(era.saturating_mul(400));
    if month < 10 {
        (year, month.saturating_add(3), day)
    } else {
        (year.saturating_add(1), month.saturating_sub(9), day)
    }
}

#[cfg(test)]
mod tests;
