//! Caches the meanings of a record's keys, in the order of the keys.
//!
//! Findings of one kind have the same keys in the same order. A layout is the list of keys seen in records that begin
//! with the same key, each once, in that order. The reader follows the layout through a record: if the bytes at the
//! next key equal the layout's next key, one comparison yields the key's end and its meaning. All keys of a layout
//! differ, so a record that only moves forward in it has no duplicate key.
//!
//! The cache never changes an answer. A key enters it only as a slice of the record's own bytes that has one spelling
//! (see [`RawKey`]), and equal bytes are equal keys of one encoding. A key in any other spelling is looked up every
//! time.
//!
//! Decision: with a cache that stores nothing, the guard's `json-dropped` takes 13,331 instead of 3,285 instructions a
//! record, and `msgpack-dropped` 14,525 instead of 2,856.

use alloc::vec::Vec;

use super::simd::{BLOCK, masked_eq};

/// The number of layouts for each encoding.
///
/// There are three kinds of finding, and records that contain them.
const LAYOUTS: usize = 8;

/// The maximum number of keys in a layout.
///
/// It bounds the cost per key in records with more keys.
const MAX_KEYS: usize = 64;

/// The number of expected keys that may be missing before the whole layout is searched.
const MAX_SKIPPED: usize = 2;

/// The maximum length of a cached key, in bytes of the record.
const MAX_KEY_BYTES: usize = 3 * BLOCK;

/// Assigns a meaning to each key.
pub(crate) trait KeySet {
    /// The meaning of a key to the caller.
    type Meaning: Copy;

    /// Returns the meaning of a key without escape sequences.
    fn meaning(&self, key: &[u8]) -> Self::Meaning;
}

/// A cache of key meanings.
pub(crate) struct KeyCache<K: KeySet> {
    keys: K,
    /// The layouts of `MessagePack` and of JSON.
    /// The bytes of a key in one encoding are not a key in the other.
    encodings: [Layouts<K::Meaning>; 2],
    enabled: bool,
}

/// The layouts of one encoding.
struct Layouts<M> {
    all: [Vec<CachedKey<M>>; LAYOUTS],
    /// The layout that was replaced last.
    newest: usize,
    /// The layout of the last record, and most likely of the next.
    last: usize,
}

/// A record's position in a layout.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    layout: usize,
    /// The number of the layout's keys before the position.
    index: usize,
    /// Whether the record may have a duplicate key.
    pub maybe_duplicate: bool,
    json: bool,
}

/// A key and its meaning.
#[derive(Clone, Copy)]
pub(super) struct CachedKey<M> {
    key: RawKey,
    pub meaning: M,
}

/// A key's bytes in a record, with its quotes and colon or its length.
///
/// The bytes are stored in three blocks: the first, the second and the last. Unused bytes of a short key are zero.
///
/// The caller makes it from a slice of the record, and only if no other bytes spell the same key in that encoding,
/// apart from escape sequences and white space.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RawKey {
    first: [u8; BLOCK],
    /// The bits of the first block that belong to the key.
    mask: [u8; BLOCK],
    second: [u8; BLOCK],
    last: [u8; BLOCK],
    length: u8,
}

impl<K: KeySet> KeyCache<K> {
    pub fn new(keys: K) -> Self {
        let empty = || Layouts { all: [const { Vec::new() }; LAYOUTS], newest: 0, last: 0 };
        Self { keys, encodings: [empty(), empty()], enabled: true }
    }

    /// Creates a cache that stores nothing: the reference for all others.
    #[cfg(any(test, feature = "compile"))]
    pub fn disabled(keys: K) -> Self {
        Self { enabled: false, ..Self::new(keys) }
    }

    /// Returns the position at the first key of a record.
    #[inline]
    pub(super) fn start(&self, json: bool) -> Cursor {
        Cursor { layout: self.layouts(json).last, index: 0, maybe_duplicate: false, json }
    }

    #[inline]
    fn layouts(&self, json: bool) -> &Layouts<K::Meaning> {
        let [msgpack_layouts, json_layouts] = &self.encodings;
        if json { json_layouts } else { msgpack_layouts }
    }

    fn layouts_mut(&mut self, json: bool) -> &mut Layouts<K::Meaning> {
        let [msgpack_layouts, json_layouts] = &mut self.encodings;
        if json { json_layouts } else { msgpack_layouts }
    }

    /// Returns the keys expected at a position, the next one first.
    #[inline]
    pub(super) fn expected(&self, cursor: &Cursor) -> &[CachedKey<K::Meaning>] {
        let layout = self.layouts(cursor.json).all.get(cursor.layout);
        layout.and_then(|layout| layout.get(cursor.index..)).unwrap_or_default()
    }

    /// Moves to the position at which `expected` keys remain.
    pub(super) fn set_expected(&self, cursor: &mut Cursor, expected: usize) {
        let all = self.layouts(cursor.json).all.get(cursor.layout).map_or(0, Vec::len);
        cursor.index = all.saturating_sub(expected);
    }

    /// Tries the cached keys close to the position.
    ///
    /// For a record's first key these are the first keys of all layouts, otherwise the [`MAX_SKIPPED`] keys after the
    /// next one. Returns the key's meaning and the bytes after it.
    pub(super) fn find_near<'b>(
        &mut self,
        cursor: &mut Cursor,
        bytes: &'b [u8],
    ) -> Option<(K::Meaning, &'b [u8])> {
        if cursor.index == 0 {
            let first = |layout: &Vec<CachedKey<_>>| {
                layout.first().and_then(|cached| Some((cached.meaning, cached.follow(bytes)?)))
            };
            let layouts = self.layouts_mut(cursor.json);
            let (layout, found) =
                layouts.all.iter().enumerate().find_map(|(at, layout)| Some((at, first(layout)?)))?;
            (cursor.layout, cursor.index) = (layout, 1);
            layouts.last = layout;
            return Some(found);
        }
        let near = self.expected(cursor).iter().take(MAX_SKIPPED.wrapping_add(1)).enumerate().skip(1);
        let (missing, meaning, rest) =
            near.into_iter().find_map(|(at, cached)| Some((at, cached.meaning, cached.follow(bytes)?)))?;
        cursor.index = cursor.index.wrapping_add(missing).wrapping_add(1);
        Some((meaning, rest))
    }

    /// Looks up an unexpected key, and stores it if it has only one spelling.
    #[inline(never)]
    pub(super) fn look_up(&mut self, cursor: &mut Cursor, key: &[u8], raw: Option<RawKey>) -> K::Meaning {
        let meaning = self.keys.meaning(key);
        let Some(raw) = raw.filter(|_| self.enabled) else {
            cursor.maybe_duplicate = true;
            return meaning;
        };
        let layouts = self.layouts_mut(cursor.json);
        if cursor.index == 0 {
            cursor.layout = layouts.beginning_with(raw);
            layouts.last = cursor.layout;
        }
        let Some(layout) = layouts.all.get_mut(cursor.layout) else { return meaning };
        match layout.iter().position(|cached| cached.key == raw) {
            Some(at) if at >= cursor.index => cursor.index = at.saturating_add(1),
            Some(at) => {
                // The key occurred before this position, in this record or in others. From now on it is expected here.
                cursor.maybe_duplicate = true;
                layout.get_mut(at..cursor.index).unwrap_or_default().rotate_left(1);
            }
            None if cursor.index >= MAX_KEYS => cursor.maybe_duplicate = true,
            None => {
                if layout.len() >= MAX_KEYS {
                    layout.truncate(cursor.index);
                }
                layout.insert(cursor.index, CachedKey { key: raw, meaning });
                cursor.index = cursor.index.saturating_add(1);
            }
        }
        meaning
    }
}

impl<M> Layouts<M> {
    /// Returns the layout that begins with this key, or an emptied one.
    fn beginning_with(&mut self, key: RawKey) -> usize {
        let begins = |layout: &Vec<CachedKey<_>>| layout.first().is_some_and(|cached| cached.key == key);
        self.all.iter().position(begins).unwrap_or_else(|| {
            self.newest = self.newest.wrapping_add(1) % LAYOUTS;
            self.all.get_mut(self.newest).into_iter().for_each(Vec::clear);
            self.newest
        })
    }
}

impl<M: Copy> CachedKey<M> {
    /// Returns the bytes after the key, if `bytes` begin with it.
    ///
    /// At the end of a record, where fewer bytes than a block remain, no key matches.
    #[inline(always)]
    pub(super) fn follow<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let RawKey { first, mask, second, last, length } = self.key;
        let length = usize::from(length);
        if !masked_eq(bytes.first_chunk()?, mask, first) {
            return None;
        }
        if length <= BLOCK {
            return bytes.get(length..);
        }
        let (key, rest) = bytes.split_at_checked(length)?;
        let is_last = *key.last_chunk()? == last;
        let is_second = || block(key, BLOCK) == Some(second);
        (is_last && (length <= 2 * BLOCK || is_second())).then_some(rest)
    }
}

impl RawKey {
    /// Creates a key from bytes of the record; `None` if they are too many.
    pub(super) fn new(source: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_KEY_BYTES];
        bytes.get_mut(..source.len())?.copy_from_slice(source);
        let mut mask = [0; BLOCK];
        mask.iter_mut().take(source.len()).for_each(|byte| *byte = 0xff);
        let block = |from| block(&bytes, from).unwrap_or_default();
        let last = source.len().checked_sub(BLOCK).map(block).unwrap_or_default();
        Some(Self {
            first: block(0),
            mask,
            second: block(BLOCK),
            last,
            length: u8::try_from(source.len()).ok()?,
        })
    }
}

/// Returns the block at an offset.
#[inline(always)]
fn block(bytes: &[u8], at: usize) -> Option<[u8; BLOCK]> {
    bytes.get(at..)?.first_chunk().copied()
}
