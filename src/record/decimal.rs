//! Numbers in JSON's spelling, read without floating point: the conversion is the largest piece of code that a WASM guest
//! would have for the rarest of its values.

/// A number taken apart: `0.d₁d₂d₃… × 10^point`, with a sign.
struct Decimal<'a> {
    negative: bool,
    /// The digits before the point, and those behind it.
    digits: [&'a str; 2],
    /// Where the point stands, counted from the first digit of both.
    point: i64,
}

impl<'a> Decimal<'a> {
    /// Takes apart what the grammar of JSON allows.
    fn of(text: &'a str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        // An exponent of more digits than these is far out of any range, as the greatest of them is.
        let (sign, exponent) = match exponent.as_bytes() {
            [b'-', ..] => (-1, exponent.get(1..)?),
            [b'+', ..] => (1, exponent.get(1..)?),
            _ => (1, exponent),
        };
        let exponent = if all_digits(exponent) { exponent.trim_start_matches('0') } else { return None };
        let exponent: i64 = if exponent.is_empty() { 0 } else { exponent.parse().unwrap_or(i64::MAX / 4) };
        let shift = exponent.min(i64::MAX / 4).saturating_mul(sign);
        let length = i64::try_from(whole.len()).ok()?;
        Some(Self { negative, digits: [whole, fraction], point: length.saturating_add(shift) })
    }

    /// The digits behind leading zeros.
    fn significant(&self) -> impl Iterator<Item = u8> + '_ {
        self.digits.iter().flat_map(|digits| digits.bytes()).skip_while(|digit| *digit == b'0')
    }

    /// How many digits the whole part has; at most zero of a number below 1, `None` of zero.
    fn places(&self) -> Option<i64> {
        let zeros = self.digits.iter().flat_map(|digits| digits.bytes()).position(|digit| digit != b'0')?;
        Some(self.point.saturating_sub(i64::try_from(zeros).ok()?))
    }
}

/// The number with its fraction cut off; `None` beyond 2^53, up to where readers agree, and of what is no number.
pub(super) fn whole(text: &str) -> Option<i64> {
    const EXACT: i64 = 1 << 53;
    let decimal = Decimal::of(text)?;
    let places = match decimal.places() {
        Some(17..) => return None,
        Some(places) => usize::try_from(places).unwrap_or(0),
        None => 0,
    };
    let digits = decimal.significant().chain(core::iter::repeat(b'0')).take(places);
    let value = digits
        .fold(0_i64, |value, digit| value.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0'))));
    let value = if decimal.negative { value.wrapping_neg() } else { value };
    (value.abs() <= EXACT).then_some(value)
}

/// Whether a number is within a double's range, which is as far as readers agree.
pub(super) fn is_finite(text: &str) -> bool {
    /// The greatest double has so many digits before its point, and begins with these.
    const PLACES: i64 = 309;
    const GREATEST: &[u8] = b"17976931348623157";
    let Some(decimal) = Decimal::of(text) else { return false };
    match decimal.places() {
        Some(PLACES) => decimal.significant().take(GREATEST.len()).le(GREATEST.iter().copied()),
        Some(places) => places < PLACES,
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_end_where_they_should() {
        for (text, number, finite) in [
            ("0", Some(0), true),
            ("-0.0e99999999999999999999", Some(0), true),
            ("1.9", Some(1), true),
            ("-1.9e0", Some(-1), true),
            ("1583073360000.5", Some(1_583_073_360_000), true),
            ("1.583e12", Some(1_583_000_000_000), true),
            ("1583e-3", Some(1), true),
            ("0.00012E+5", Some(12), true),
            ("9007199254740992.9", Some(9_007_199_254_740_992), true),
            ("9007199254740993.0", None, true),
            ("1e16", None, true),
            ("1e17", None, true),
            ("1e-99999999999999999999", Some(0), true),
            ("1e99999999999999999999", None, false),
            ("1.7976931348623157e308", None, true),
            ("-1.7976931348623157e308", None, true),
            ("1.7976931348623158e308", None, false),
            ("17976931348623157e292", None, true),
            ("0.1e309", None, true),
            ("0.1e310", None, false),
            ("", None, false),
            ("-", None, false),
            ("nan", None, false),
            ("1e", Some(1), true),
        ] {
            assert_eq!((whole(text), is_finite(text)), (number, finite), "{text}");
        }
        assert!(is_finite(&"9".repeat(308)) && !is_finite(&"9".repeat(309)));
    }

    proptest! {
        #[test]
        fn a_number_is_what_floating_point_makes_of_it(text in r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,3})?") {
            let float: f64 = text.parse().unwrap();
            prop_assert_eq!(is_finite(&text), float.is_finite(), "{}", text);
            // What floating point rounds up to the next whole number is not.
            match whole(&text) {
                Some(number) => {
                    #[expect(clippy::cast_precision_loss, reason = "what is told as a whole number has 53 bits")]
                    let number = number as f64;
                    prop_assert!((number - float.trunc()).abs() <= 1.0, "{}: {}", text, number);
                }
                None => prop_assert!(float.abs() > 9e15, "{}", text),
            }
        }
    }
}
