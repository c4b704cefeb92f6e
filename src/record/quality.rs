//! Properties of a body that decide whether its bytes may be copied into an entry unchanged.

/// A set of such properties. The default is empty: nothing prevents a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality(u8);

impl Quality {
    /// A key is spelled with escape sequences, which a search for its name in the bytes does not find.
    pub const ESCAPED_KEY: Self = Self(1);
    /// There is a line break between tokens; an entry is one line.
    pub const LINE_BREAK: Self = Self(1 << 1);
    /// A string has half of a surrogate pair, which many readers refuse.
    pub const LONE_SURROGATE: Self = Self(1 << 2);
    /// A number is beyond the range of a 64-bit float.
    pub const NUMBER_RANGE: Self = Self(1 << 3);
    /// A string is not UTF-8.
    pub const NOT_UTF8: Self = Self(1 << 4);
    /// A map has a key twice. Readers differ: Elasticsearch refuses such an object, others take the first or the last.
    pub const DUPLICATE_KEY: Self = Self(1 << 5);
    /// JSON has no such value: binary data, an extension type, a key that is not a string.
    pub const NO_JSON_TYPE: Self = Self(1 << 6);
    /// A map may have a key twice: the cheap filter could not rule it out. Replaced by [`Self::DUPLICATE_KEY`] or
    /// removed by the exact check, which only bodies that are kept get.
    pub(super) const MAYBE_DUPLICATE: Self = Self(1 << 7);

    /// Adds the properties of `other`.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// These properties and those of `other`.
    #[cfg(feature = "msgpack")]
    pub(super) fn and(mut self, other: Self) -> Self {
        self.add(other);
        self
    }

    /// Removes the properties of `other`.
    pub(super) fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    /// Whether it has any of the properties of `other`.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the body may be copied unchanged.
    pub fn verbatim(self) -> bool {
        self.0 == 0
    }
}
