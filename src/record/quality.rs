//! Properties of a body that prevent it from being copied into an entry unchanged.

/// A set of properties that prevent a body from being copied. The default is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality(u8);

impl Quality {
    /// A key has escape sequences. A search for its name in the bytes misses it.
    pub const ESCAPED_KEY: Self = Self(1);
    /// There is a line break between tokens. An entry has to be one line.
    pub const LINE_BREAK: Self = Self(1 << 1);
    /// A string contains half of a surrogate pair, which many readers reject.
    pub const LONE_SURROGATE: Self = Self(1 << 2);
    /// A number is beyond the range of a 64-bit float.
    pub const NUMBER_RANGE: Self = Self(1 << 3);
    /// A string is not UTF-8.
    pub const NOT_UTF8: Self = Self(1 << 4);
    /// A map has a duplicate key.
    ///
    /// Readers differ: Elasticsearch rejects such an object, others take the first or the last value.
    pub const DUPLICATE_KEY: Self = Self(1 << 5);
    /// A value has no JSON type.
    ///
    /// Such values are binary data, extension types, and keys that are not strings.
    pub const NO_JSON_TYPE: Self = Self(1 << 6);
    /// A map may have a duplicate key, which the cheap filter could not rule out.
    ///
    /// The exact check, which only kept bodies get, replaces it by [`Self::DUPLICATE_KEY`] or removes it.
    pub(super) const MAYBE_DUPLICATE: Self = Self(1 << 7);

    /// Adds the properties of `other`.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Returns these properties and those in `other`.
    #[cfg(feature = "msgpack")]
    pub(super) fn and(mut self, other: Self) -> Self {
        self.add(other);
        self
    }

    /// Removes the properties of `other`.
    pub(super) fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    /// Returns whether the set contains any property of `other`.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns whether the body may be copied unchanged.
    pub fn verbatim(self) -> bool {
        self.0 == 0
    }
}
