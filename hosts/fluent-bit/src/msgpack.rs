//! The parts of `MessagePack` that events consist of: heads of maps and strings, and the members of a map.

use kaudit_filter::entry::Out;
use kaudit_filter::record::Record;

/// Writes the head of a map.
pub fn map(count: usize, out: &mut impl Out) {
    match (u8::try_from(count), u16::try_from(count)) {
        (Ok(count @ 0..=15), _) => out.put(&[0x80 | count]),
        (_, Ok(count)) => head(0xde, &count.to_be_bytes(), out),
        _ => head(0xdf, &u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes(), out),
    }
}

/// Writes a string.
pub fn text(text: &str, out: &mut impl Out) {
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(length @ 0..=31), _) => out.put(&[0xa0 | length]),
        (Ok(length), _) => out.put(&[0xd9, length]),
        (_, Ok(length)) => head(0xda, &length.to_be_bytes(), out),
        _ => head(0xdb, &u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes(), out),
    }
    out.put(text.as_bytes());
}

/// Writes a positive integer in the longest form.
pub fn uint(number: u64, out: &mut impl Out) {
    head(0xcf, &number.to_be_bytes(), out);
}

fn head(kind: u8, bytes: &[u8], out: &mut impl Out) {
    out.put(&[kind]);
    out.put(bytes);
}

/// Returns the contents of a list of two elements.
pub fn pair(bytes: &[u8]) -> Option<&[u8]> {
    let heads: [&[u8]; 3] = [&[0x92], &[0xdc, 0, 2], &[0xdd, 0, 0, 0, 2]];
    heads.iter().find_map(|head| bytes.strip_prefix(*head))
}

/// The members of a map, each as the bytes of its key and of its value.
#[derive(Clone, Debug, Default)]
pub struct Members<'a> {
    left: u32,
    rest: &'a [u8],
}

impl<'a> Members<'a> {
    /// Returns the members of a map; any other value has none.
    pub fn of(map: &'a [u8]) -> Self {
        let (left, rest) = match map {
            [head @ 0x80..=0x8f, rest @ ..] => (u32::from(head & 0x0f), rest),
            [0xde, a, b, rest @ ..] => (u32::from(u16::from_be_bytes([*a, *b])), rest),
            [0xdf, a, b, c, d, rest @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]), rest),
            _ => (0, map),
        };
        Self { left, rest }
    }

    /// Returns the number of members.
    pub fn len(&self) -> usize {
        self.left as usize
    }

    /// Returns the bytes of all members.
    pub fn bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns the value of a member.
    pub fn get(mut self, key: &str) -> Option<&'a [u8]> {
        self.find(|(name, _)| string(name) == Some(key.as_bytes())).map(|(_, value)| value)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (key, rest) = Record::split_msgpack(self.rest).ok()?;
        let (value, rest) = Record::split_msgpack(rest).ok()?;
        self.rest = rest;
        Some((key, value))
    }
}

/// Returns whether a value may contain an integer above 2^63−1. Text with the same two bytes has none.
pub fn may_have_large(value: &[u8]) -> bool {
    // The search for one byte is the fast one.
    value.contains(&0xcf) && value.windows(2).any(is_large)
}

/// Returns whether these bytes begin with an integer above 2^63−1.
fn is_large(bytes: &[u8]) -> bool {
    matches!(bytes, [0xcf, 0x80..=0xff, ..])
}

/// Writes a value with its integers above 2^63−1 as strings.
pub fn large_as_text(value: &[u8], out: &mut impl Out) {
    let mut rest = value;
    while !rest.is_empty() {
        let (token, after) = rest.split_at(length(rest).min(rest.len()));
        match token {
            [0xcf, number @ ..] if is_large(token) => {
                let number = number.try_into().map_or(0, u64::from_be_bytes);
                text(&number.to_string(), out);
            }
            _ => out.put(token),
        }
        rest = after;
    }
}

/// Returns the length of the scalar, or of the head of the map or list, at the beginning.
fn length(bytes: &[u8]) -> usize {
    let number = |digits: usize| {
        let digits = bytes.get(1..=digits).unwrap_or_default();
        digits.iter().fold(0, |number: usize, digit| number << 8 | usize::from(*digit))
    };
    match bytes.first().copied().unwrap_or_default() {
        head @ 0xa0..=0xbf => 1 + usize::from(head & 0x1f),
        0xc4 | 0xd9 => 2 + number(1),
        0xc5 | 0xda => 3 + number(2),
        0xc6 | 0xdb => 5 + number(4),
        0xc7 => 3 + number(1),
        0xc8 => 4 + number(2),
        0xc9 => 6 + number(4),
        0xcc | 0xd0 => 2,
        0xcd | 0xd1 | 0xd4 | 0xdc | 0xde => 3,
        0xd5 => 4,
        0xca | 0xce | 0xd2 | 0xdd | 0xdf => 5,
        0xd6 => 6,
        0xcb | 0xcf | 0xd3 => 9,
        0xd7 => 10,
        0xd8 => 18,
        _ => 1,
    }
}

/// Returns the content of a string; `None`: the value is no string.
pub fn string(value: &[u8]) -> Option<&[u8]> {
    match value {
        [0xa0..=0xbf, text @ ..]
        | [0xd9, _, text @ ..]
        | [0xda, _, _, text @ ..]
        | [0xdb, _, _, _, _, text @ ..] => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_maps_of_every_length() {
        for count in [0, 1, 15, 16, 70_000] {
            let mut bytes = Vec::new();
            map(count, &mut bytes);
            for number in 0..count {
                text(&"k".repeat(number % 300), &mut bytes);
                uint(number as u64, &mut bytes);
            }
            assert_eq!(Members::of(&bytes).count(), count);
            let second = Members::of(&bytes).get("k").map(|value| value[8]);
            assert_eq!(second, (count > 1).then_some(1), "{count}");
        }
        assert_eq!(Members::of(b"\x93\x01\x02\x03").count(), 0, "a list has no members");
        assert_eq!(Members::of(b"\x82\xa1a").count(), 0, "a map without its end");
    }

    #[test]
    fn large_integers_are_strings() {
        for length in [0, 31, 32, 255, 256, 65_536] {
            let any = "π".repeat(length);
            let scalars: [&[u8]; 16] = [
                &[0x7f],
                &[0xc0],
                &[0xc3],
                &[0xca; 5],
                &[0xcb; 9],
                &[0xcc, 1],
                &[0xcd; 3],
                &[0xce; 5],
                &[0xcf, 0x7f, 1, 1, 1, 1, 1, 1, 1],
                &[0xd0; 2],
                &[0xd1; 3],
                &[0xd2; 5],
                &[0xd3; 9],
                &[0xff],
                &[0xd7; 10],
                &[0xc4, 2, 0xcf, 0xff],
            ];
            let (mut before, mut expected) = (Vec::new(), Vec::new());
            for out in [&mut before, &mut expected] {
                map(scalars.len() + 2, out);
                for scalar in &scalars {
                    text(&any, out);
                    out.put(scalar);
                }
                text("list", out);
                out.put(&[0x91, 0xde, 0, 1, 0xa0]);
            }
            uint(u64::MAX, &mut before);
            text("18446744073709551615", &mut expected);
            uint(1 << 63, &mut before);
            text("9223372036854775808", &mut expected);
            assert!(may_have_large(&before));
            let mut after = Vec::new();
            large_as_text(&before, &mut after);
            assert_eq!(after, expected);
        }
        assert!(!may_have_large(&[0xcf, 0x7f, 0xff]));
    }

    #[test]
    fn strings_of_every_length() {
        for length in [0, 31, 32, 255, 256, 65_536] {
            let expected = "x".repeat(length);
            let mut bytes = Vec::new();
            text(&expected, &mut bytes);
            assert_eq!(string(&bytes), Some(expected.as_bytes()));
        }
        assert_eq!(string(&[0xc4, 1, b'x']), None, "bytes");
    }
}
