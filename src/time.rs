//! Points in time, and kAudit's spelling of them.

/// A point in time: nanoseconds since 1970 (UTC), which reaches from 1677 to 2262. Always an argument, never read from
/// a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// From nanoseconds since 1970.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since 1970; what is beyond the range becomes its nearest end.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Reads RFC 3339 and kAudit's own `2020-03-01T14:36:00+0000`, to the millisecond.
    pub fn parse(text: &str) -> Option<Self> {
        parse(text).map(Self::from_millis)
    }

    /// Nanoseconds since 1970.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

const DAY_MS: i64 = 86_400_000;

/// Reads `2020-03-01T14:36:00+0000` (kAudit's own, which is not RFC 3339) and RFC 3339; milliseconds since 1970.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.trim().split_once(['T', ' '])?;
    let mut parts = date.splitn(3, '-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.splitn(3, ':');
    let (hour, minute, second) =
        (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let days = days_from_civil(year, month, day)?;
    // A day that its month does not have would be one of the next month.
    let valid = civil_from_days(days) == (year, month, day) && hour < 24 && minute < 60 && second <= 60;
    if !valid {
        return None;
    }
    let seconds = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    days.checked_mul(DAY_MS)?
        .checked_add(seconds.checked_mul(1000)?)?
        .checked_add(millis(fraction)?)?
        .checked_sub(offset(zone)?)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn millis(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    fraction
        .bytes()
        .chain(*b"00")
        .take(3)
        .try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit).checked_sub(48)?))
}

/// `Z`, `+0000` or `+00:00`, as milliseconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, clock) = zone.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':').or_else(|| clock.split_at_checked(2))?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let east = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60_000)?;
    if sign == "-" { east.checked_neg() } else { Some(east) }
}

/// Days since 1970 of a date of the Gregorian calendar, counted in years that begin in March, so that the leap day is
/// the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let (year, month) =
        if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let leaps = year.div_euclid(4).checked_sub(year.div_euclid(100))?.checked_add(year.div_euclid(400))?;
    let month_days = month.checked_mul(153)?.checked_add(2)?.div_euclid(5);
    year.checked_mul(365)?.checked_add(leaps)?.checked_add(month_days)?.checked_add(day)?.checked_sub(719_469)
}

/// Writes milliseconds since 1970 as kAudit does: `2020-03-01T15:00:00+0000`.
pub(crate) fn format(millis: i64) -> String {
    let days = millis.div_euclid(DAY_MS);
    let second_of_day = millis.rem_euclid(DAY_MS).div_euclid(1000);
    let (year, month, day) = civil_from_days(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}+0000",
        second_of_day.div_euclid(3600),
        second_of_day.div_euclid(60).rem_euclid(60),
        second_of_day.rem_euclid(60)
    )
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
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
mod tests {
    #[test]
    fn reads_and_writes_times() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2020-03-01T14:36:00+0000", Some(1_583_073_360_000)),
            ("2020-03-01T15:36:00.25+01:00", Some(1_583_073_360_250)),
            ("2020-02-29T23:59:59-0000", Some(1_583_020_799_000)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("2000-02-29 00:00:00Z", Some(951_782_400_000)),
            ("2020-13-01T00:00:00Z", None),
            ("2020-00-01T00:00:00Z", None),
            ("2020-01-00T00:00:00Z", None),
            ("2020-02-30T00:00:00Z", None),
            ("2019-02-29T00:00:00Z", None),
            ("2020-03-01T14:36:00", None),
            ("2020-03-01", None),
            ("", None),
            ("+020-03-01T14:36:00Z", None),
        ] {
            assert_eq!(super::parse(text), millis, "{text}");
        }
        for millis in [
            0,
            951_782_400_000,
            951_868_800_000,
            1_583_020_799_000,
            1_583_073_360_000,
            4_107_542_400_000,
            -86_400_000,
        ] {
            assert_eq!(super::parse(&super::format(millis)), Some(millis));
        }
    }
}
