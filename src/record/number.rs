//! Numbers in the form of their encoding.

use core::fmt;

/// A number in the form of its encoding.
#[derive(Clone, Copy, Debug)]
pub enum Number<'a> {
    /// An integer.
    Int(i64),
    /// An integer above the range of `Int`.
    Uint(u64),
    /// A float.
    #[cfg(feature = "msgpack")]
    Float(f64),
    /// The JSON spelling of a number, unchanged.
    Raw(&'a [u8]),
}

impl<'a> Number<'a> {
    /// Returns the number as an integer, its fraction truncated.
    ///
    /// Returns `None` outside the range of an `i64`, for a spelling with an exponent, and for a float beyond 2^53,
    /// where floats do not represent every integer.
    #[inline]
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Uint(value) => i64::try_from(value).ok(),
            #[cfg(feature = "msgpack")]
            Self::Float(value) => truncate(value),
            Self::Raw(text) => self.digits().or_else(|| Self::parse_integer_part(text)),
        }
    }

    /// Parses a spelling of up to 18 digits and nothing else, as times and counts have.
    #[inline]
    pub(crate) fn digits(self) -> Option<i64> {
        let Self::Raw(text) = self else { return None };
        let mut number = 0_i64;
        let mut is_digits = (1..=18).contains(&text.len());
        for byte in text {
            let digit = byte.wrapping_sub(b'0');
            is_digits &= digit < 10;
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
        }
        is_digits.then_some(number)
    }

    #[inline(never)]
    fn parse_integer_part(text: &[u8]) -> Option<i64> {
        let text = number_text(text);
        text.parse()
            .ok()
            .or_else(|| text.split_once('.')?.0.parse().ok().filter(|_| !text.contains(['e', 'E'])))
    }

    /// Returns the JSON spelling of the number, if it was kept.
    pub(crate) fn raw(self) -> Option<&'a str> {
        match self {
            Self::Raw(text) => Some(number_text(text)),
            _ => None,
        }
    }

    /// Whether every reader accepts the number: it is finite or below 10^308.
    ///
    /// Decision: no float parser. The standard library's accepts numbers up to 1.8 × 10^308, and with it
    /// `kaudit-base.wasm` has 280,092 bytes instead of 265,747, 5 % more.
    pub(crate) fn is_finite(self) -> bool {
        match self {
            Self::Int(_) | Self::Uint(_) => true,
            #[cfg(feature = "msgpack")]
            Self::Float(value) => value.is_finite(),
            // A number without an exponent needs 309 digits to be too large.
            Self::Raw(text) => {
                (text.len() < 300 && !text.iter().any(|byte| matches!(byte, b'e' | b'E')))
                    || magnitude(number_text(text)).is_none_or(|power| power < 308)
            }
        }
    }
}

/// Returns the power of ten of a decimal's first digit that is not zero.
///
/// It is 3 for `1234.5` and -2 for `0.05`; `None` for zero.
fn magnitude(number: &str) -> Option<i64> {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    let first = |digits: &str| digits.find(|digit| digit != '0').and_then(|at| i64::try_from(at).ok());
    let places = i64::try_from(whole.len()).ok()?;
    let power = match first(whole) {
        Some(at) => places.saturating_sub(at).saturating_sub(1),
        None => first(fraction)?.saturating_add(1).saturating_neg(),
    };
    // An exponent beyond an `i64` is beyond every range.
    let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(power.saturating_add(exponent.parse().unwrap_or(beyond)))
}

#[cfg(feature = "msgpack")]
fn truncate(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked, and the fraction is cut off")]
    (value.abs() <= EXACT).then_some(value as i64)
}

/// Returns a number's spelling, which is ASCII, as text.
fn number_text(number: &[u8]) -> &str {
    core::str::from_utf8(number).unwrap_or_default()
}

impl fmt::Display for Number<'_> {
    /// Writes the number as JSON does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Uint(value) => write!(f, "{value}"),
            // `{:?}` is the shortest spelling that parses to the same float, with an exponent where that is shorter.
            #[cfg(feature = "msgpack")]
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Raw(text) => f.write_str(number_text(text)),
        }
    }
}
