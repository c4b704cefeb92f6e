//! Logarithms and powers in fixed-point integers, which are equal on every target.

/// The number of fractional bits of a level.
pub(super) const LEVEL_BITS: u32 = 8;

/// One, with 32 fractional bits.
const ONE: u64 = 1 << 32;

/// Returns the level of a count: `log2(1 + count)` with [`LEVEL_BITS`] fractional bits, rounded down.
pub(super) fn level(count: u32) -> u32 {
    let value = u64::from(count).saturating_add(1);
    let whole = value.checked_ilog2().unwrap_or(0);
    // Between 1 and 2, with 31 fractional bits.
    let mut mantissa = value.wrapping_shl(63_u32.wrapping_sub(whole)) >> 32;
    let mut level = whole;
    for _ in 0..LEVEL_BITS {
        mantissa = mantissa.wrapping_mul(mantissa) >> 31;
        let bit = mantissa >> 32;
        mantissa >>= bit;
        level = level << 1 | u32::from(bit == 1);
    }
    level
}

/// Returns the greatest count whose level is at most this one.
pub(super) fn count_of(most: u32) -> u32 {
    let (mut low, mut high) = (0, u32::MAX);
    while low < high {
        let middle = high.wrapping_sub(high.wrapping_sub(low) >> 1);
        if level(middle) <= most {
            low = middle;
        } else {
            high = middle.wrapping_sub(1);
        }
    }
    low
}

/// A factor between 0 and 1, with 32 fractional bits.
#[derive(Clone, Copy)]
pub(super) struct Factor(u64);

impl Factor {
    /// Returns the power of a base with 32 fractional bits.
    pub fn power(base: u32, exponent: u32) -> Self {
        let (mut result, mut factor, mut exponent) = (ONE, u64::from(base), exponent);
        // The result is at most one and the factor below one, so no product overflows.
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result.wrapping_mul(factor) >> 32;
            }
            factor = factor.wrapping_mul(factor) >> 32;
            exponent >>= 1;
        }
        Self(result)
    }

    /// Returns the product with a value, rounded down.
    pub fn of(self, value: u32) -> u32 {
        // Not greater than the value.
        u32::try_from(u64::from(value).wrapping_mul(self.0) >> 32).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_logarithms() {
        for (count, expected) in
            [(0, 0), (1, 256), (3, 512), (7, 768), (2, 405), (4, 594), (5, 661), (6, 718), (9, 850)]
        {
            assert_eq!(level(count), expected, "{count}");
            assert_eq!(count_of(expected), count, "{count}");
        }
        assert_eq!(level(u32::MAX), 32 << LEVEL_BITS);
        for count in (0..100_000).chain((0..32).map(|bits| 1_u32 << bits)) {
            let exact = f64::from(count).ln_1p() / core::f64::consts::LN_2 * 256.0;
            let error = exact - f64::from(level(count));
            assert!((-0.001..1.001).contains(&error), "{count}: {exact}");
        }
    }

    #[test]
    fn powers_decay() {
        let half = 1 << 31;
        for (exponent, expected) in [(0, 1000), (1, 500), (3, 125), (10, 0), (u32::MAX, 0)] {
            assert_eq!(Factor::power(half, exponent).of(1000), expected, "{exponent}");
        }
        assert_eq!(Factor::power(half, 0).of(u32::MAX), u32::MAX);
        let slow = Factor::power(u32::MAX, 1).of(u32::MAX);
        assert_eq!(slow, u32::MAX - 1);
    }
}
