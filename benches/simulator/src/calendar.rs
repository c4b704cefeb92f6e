//! Times of simulated events: microseconds since 1970, in UTC.

/// A microsecond is 1.
pub const SECOND: i64 = 1_000_000;
/// A minute in microseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// An hour in microseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// A day in microseconds.
pub const DAY: i64 = 24 * HOUR;

/// The first instant of a simulation: 2026-03-02T00:00:00Z, a Monday.
pub const START: i64 = (kaudit_measure::records::START_MS + 86_400_000) * 1000;

/// Returns the day of the week, Monday is 0.
pub fn weekday(time: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (time.div_euclid(DAY) + 3).rem_euclid(7)
}

/// Returns the hour of the day.
pub fn hour(time: i64) -> i64 {
    time.rem_euclid(DAY) / HOUR
}

/// Appends a time as the API server writes it: RFC 3339 with six digits of the second.
pub fn write_rfc3339(time: i64, text: &mut String) {
    let (year, month, day) = civil(time.div_euclid(DAY));
    let within = time.rem_euclid(DAY);
    for (number, width, end) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (within / HOUR, 2, ':'),
        (within / MINUTE % 60, 2, ':'),
        (within / SECOND % 60, 2, '.'),
        (within % SECOND, 6, 'Z'),
    ] {
        let mut divisor = 10_i64.pow(width - 1);
        while divisor > 0 {
            text.push(char::from(b'0' + u8::try_from(number / divisor % 10).unwrap_or_default()));
            divisor /= 10;
        }
        text.push(end);
    }
}

/// Returns year, month and day of a number of days since 1970; Hinnant's algorithm, public domain.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_like_the_api_server_writes_them() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (START, "2026-03-02T00:00:00.000000Z"),
            (START + 30 * DAY + 5 * HOUR + 7 * MINUTE + 9 * SECOND + 42, "2026-04-01T05:07:09.000042Z"),
            (1_709_164_800 * SECOND, "2024-02-29T00:00:00.000000Z"),
        ] {
            let mut written = String::new();
            write_rfc3339(time, &mut written);
            assert_eq!(written, text);
        }
        assert_eq!((weekday(START), weekday(START - 1), hour(START - 1)), (0, 6, 23));
    }
}
