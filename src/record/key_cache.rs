//! Caches what the keys of a record mean, in the order in which they occur.
//!
//! Findings of one kind have the same keys in the same order. A layout is the list of keys seen in records that begin
//! with the same key, each once, in that order. A record is followed along its layout: if the bytes at its next key are
//! those of the layout's next key, one comparison finds the key's end and its meaning. As all keys of a layout differ,
//! a record that only moves forward in it has no duplicate key.
//!
//! The cache never changes an answer: a key enters it only as a slice of the record's own bytes that spells it in one
//! way (see [`RawKey`]), and equal bytes are equal keys of one encoding. A key that is spelled otherwise is looked up every time.
//!
//! Decision: with a cache that stores nothing the guard's `json-dropped` takes 13,331 instead of 3,285 instructions a
//! record, and `msgpack-dropped` 14,525 instead of 2,856.

use super::simd::{BLOCK, masked_is};

/// The number of layouts of each encoding. There are three kinds of finding, and records that contain them.
const LAYOUTS: usize = 8;

/// The number of keys in a layout. Records with more cost more per key, but not more and more.
const ROOM: usize = 64;

/// How many expected keys may be missing before the layout is searched.
const SKIPPED: usize = 2;

/// The longest key that is cached, in bytes of the record.
const LONGEST: usize = 3 * BLOCK;

/// What keys mean to the caller.
pub(crate) trait Keys {
    /// A meaning.
    type Meaning: Copy;

    /// Returns the meaning of a key, without escape sequences.
    fn meaning(&self, key: &[u8]) -> Self::Meaning;
}

/// A cache of meanings.
pub(crate) struct KeyCache<K: Keys> {
    keys: K,
    /// Those of `MessagePack` and of JSON. Bytes that are a key in one encoding are something else in the other.
    encodings: [Layouts<K::Meaning>; 2],
    enabled: bool,
}

/// The layouts of one encoding.
struct Layouts<M> {
    all: [Vec<CachedKey<M>>; LAYOUTS],
    /// The one that was replaced last.
    newest: usize,
    /// That of the last record: most likely that of the next.
    last: usize,
}

/// The position of a record in a layout.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    layout: usize,
    /// The number of the layout's keys before the position.
    passed: usize,
    /// Whether the record may have a key twice.
    pub maybe_duplicate: bool,
    json: bool,
}

/// A key with its meaning.
#[derive(Clone, Copy)]
pub(super) struct CachedKey<M> {
    key: RawKey,
    pub meaning: M,
}

/// A key's bytes in a record, with everything around it that belongs to it (quotes and colon, or its length), in three
/// blocks: the first, the second and the last. Unused bytes of a short key are zero.
///
/// The caller makes it of a slice of the record, and only if no other bytes spell the same key in that encoding, escape
/// sequences and white space left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RawKey {
    first: [u8; BLOCK],
    /// Which bits of the first block are the key's.
    mask: [u8; BLOCK],
    second: [u8; BLOCK],
    last: [u8; BLOCK],
    length: u8,
}

impl<K: Keys> KeyCache<K> {
    pub fn new(keys: K) -> Self {
        let empty = || Layouts { all: [const { Vec::new() }; LAYOUTS], newest: 0, last: 0 };
        Self { keys, encodings: [empty(), empty()], enabled: true }
    }

    /// A cache that stores nothing: what every other one has to agree with.
    #[cfg(any(test, feature = "compile"))]
    pub fn disabled(keys: K) -> Self {
        Self { enabled: false, ..Self::new(keys) }
    }

    /// The position at the first key of a record, which is JSON or `MessagePack`.
    #[inline]
    pub(super) fn start(&self, json: bool) -> Cursor {
        Cursor { layout: self.layouts(json).last, passed: 0, maybe_duplicate: false, json }
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

    /// The keys that are expected at a position, the next one first.
    #[inline]
    pub(super) fn expected(&self, cursor: &Cursor) -> &[CachedKey<K::Meaning>] {
        let layout = self.layouts(cursor.json).all.get(cursor.layout);
        layout.and_then(|layout| layout.get(cursor.passed..)).unwrap_or_default()
    }

    /// Moves the position to where so many keys are expected.
    pub(super) fn set_expected(&self, cursor: &mut Cursor, expected: usize) {
        let all = self.layouts(cursor.json).all.get(cursor.layout).map_or(0, Vec::len);
        cursor.passed = all.saturating_sub(expected);
    }

    /// Tries the cached keys that are close to the position: the first of another layout for a record's first key, the
    /// next but one or two for another. Returns the key's meaning and the bytes after it.
    pub(super) fn near<'b>(
        &mut self,
        cursor: &mut Cursor,
        bytes: &'b [u8],
    ) -> Option<(K::Meaning, &'b [u8])> {
        if cursor.passed == 0 {
            let first = |layout: &Vec<CachedKey<_>>| {
                layout.first().and_then(|cached| Some((cached.meaning, cached.follow(bytes)?)))
            };
            let layouts = self.layouts_mut(cursor.json);
            let (layout, found) =
                layouts.all.iter().enumerate().find_map(|(at, layout)| Some((at, first(layout)?)))?;
            (cursor.layout, cursor.passed) = (layout, 1);
            layouts.last = layout;
            return Some(found);
        }
        let near = self.expected(cursor).iter().take(SKIPPED.wrapping_add(1)).enumerate().skip(1);
        let (missing, meaning, rest) =
            near.into_iter().find_map(|(at, cached)| Some((at, cached.meaning, cached.follow(bytes)?)))?;
        cursor.passed = cursor.passed.wrapping_add(missing).wrapping_add(1);
        Some((meaning, rest))
    }

    /// Looks up a key that was not expected, and stores it if it has one spelling only.
    #[inline(never)]
    pub(super) fn find(&mut self, cursor: &mut Cursor, key: &[u8], raw: Option<RawKey>) -> K::Meaning {
        let meaning = self.keys.meaning(key);
        let Some(raw) = raw.filter(|_| self.enabled) else {
            cursor.maybe_duplicate = true;
            return meaning;
        };
        let layouts = self.layouts_mut(cursor.json);
        if cursor.passed == 0 {
            cursor.layout = layouts.beginning_with(raw);
            layouts.last = cursor.layout;
        }
        let Some(layout) = layouts.all.get_mut(cursor.layout) else { return meaning };
        match layout.iter().position(|cached| cached.key == raw) {
            Some(at) if at >= cursor.passed => cursor.passed = at.saturating_add(1),
            Some(at) => {
                // It occurred before the position, in this record or in others; from now on it is expected here.
                cursor.maybe_duplicate = true;
                layout.get_mut(at..cursor.passed).unwrap_or_default().rotate_left(1);
            }
            None if cursor.passed >= ROOM => cursor.maybe_duplicate = true,
            None => {
                if layout.len() >= ROOM {
                    layout.truncate(cursor.passed);
                }
                layout.insert(cursor.passed, CachedKey { key: raw, meaning });
                cursor.passed = cursor.passed.saturating_add(1);
            }
        }
        meaning
    }
}

impl<M> Layouts<M> {
    /// The layout of records that begin with this key; if there is none, an emptied one.
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
    /// The bytes after the key, if `bytes` begin with it. At the end of a record, where less than a block is left, it is
    /// not recognised.
    #[inline(always)]
    pub(super) fn follow<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let RawKey { first, mask, second, last, length } = self.key;
        let length = usize::from(length);
        if !masked_is(bytes.first_chunk()?, mask, first) {
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
    /// A key of these bytes of the record; `None` if they are too many.
    pub(super) fn new(source: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
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

/// The block at an offset.
#[inline(always)]
fn block(bytes: &[u8], at: usize) -> Option<[u8; BLOCK]> {
    bytes.get(at..)?.first_chunk().copied()
}
