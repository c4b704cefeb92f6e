//! The view over JSON text, and the scanner below it.
//!
//! The scanner checks the full grammar (RFC 8259) as it goes, since the body leaves as it came: what a lenient scan
//! let through, Coralogix would drop. It works on an explicit stack of [`MAX_DEPTH`] bits, never by recursion.

#![expect(clippy::inline_always, reason = "a member of a record costs a call less, measured")]

use super::decimal;
use super::keys::{Encoded, Place};
use super::plain::{ascii_length, digits_length, plain_length};
use super::repeats::{Inside, Repeats, Suspicion};
use super::{
    Body, Event, KnownKeys, MAX_DEPTH, Malformed, NOT_AN_OBJECT, Name, Number, Record, Text, Value, spelled,
};

/// What [`Malformed`] says of bytes that are no text.
const NOT_UTF8: &str = "expected utf-8";

/// Numbers of more digits may be beyond every reader's range without an exponent, too.
const MANY: usize = 300;

/// One record as JSON text.
#[derive(Debug)]
pub struct Json<'a> {
    text: &'a [u8],
    body: &'a [u8],
    /// Where the text goes when it turns out not to be UTF-8.
    spare: Option<&'a mut String>,
    /// Whether the body may leave as it came, if no key stands twice in it.
    tidy: bool,
    /// Whether some key may stand twice.
    suspected: bool,
}

impl<'a> Json<'a> {
    /// A view of `text`, which may have white space around it.
    pub fn new(text: &'a str) -> Self {
        Self::over(text.as_bytes(), None)
    }

    /// A view of bytes that ought to be text: what is no UTF-8 becomes U+FFFD, in `spare`. They are looked at while the
    /// record is scanned, and not before.
    pub fn of_bytes(bytes: &'a [u8], spare: &'a mut String) -> Self {
        Self::over(bytes, Some(spare))
    }

    fn over(text: &'a [u8], spare: Option<&'a mut String>) -> Self {
        Self { text, body: text, spare, tidy: false, suspected: false }
    }

    /// The whole text, after a scan; what was no UTF-8 is U+FFFD now, unless the scan found another mistake before it.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    #[inline(never)]
    fn has_repeats(&self) -> bool {
        let mut repeats = Repeats::new();
        let mut any = false;
        // The outermost map is open from the beginning.
        let mut depth = 0_usize;
        let walked = walk(self.body, |event| match event {
            Event::Map(_) | Event::List(_) => {
                if depth > 0 {
                    repeats.open();
                }
                depth = depth.saturating_add(1);
            }
            Event::End => {
                depth = depth.saturating_sub(1);
                repeats.close();
            }
            Event::Key(key) => any |= key.bytes().is_none_or(|key| !repeats.is_new(key)),
            _ => (),
        });
        any || walked.is_err()
    }
}

impl<'a> Json<'a> {
    #[inline(never)]
    fn scan_text<M: Copy>(
        &mut self,
        keys: &mut KnownKeys<M>,
        take: &mut impl FnMut(M, Value<'a>),
    ) -> Result<(), Malformed> {
        let text = self.text;
        let mut tidy = true;
        let mut suspicion = Suspicion::new();
        // As good as all records begin with a key and end with the map, without white space around.
        let usual = text.strip_prefix(b"{").filter(|rest| rest.starts_with(b"\""));
        let ((start, mut ends), mut rest) = match usual {
            Some(rest) => ((0, false), rest),
            None => aside(text, text, &mut tidy, Scanner::odd_start)?,
        };
        let mut place = keys.begin(rest);
        let mut expected = keys.from(place);
        while !ends {
            let meaning;
            if let Some((known, later)) = expected.split_first()
                && let Some(after) = known.follows(rest)
            {
                (expected, rest) = (later, after);
                meaning = known.meaning;
            } else {
                place = keys.before(place, expected.len());
                ((meaning, place), rest) =
                    aside(text, rest, &mut tidy, |scanner| scanner.key_at_top(keys, place, &mut suspicion))?;
                expected = keys.from(place);
            }
            let after = if let Some((string, after)) = ascii_string(rest) {
                take(meaning, Value::Plain(string));
                after
            } else if let Some((number, after)) = plain_number(rest) {
                take(meaning, Value::Number(Number::Digits(number)));
                after
            } else if let Some((truth, after)) = truth(rest) {
                take(meaning, Value::Bool(truth));
                after
            } else {
                let (value, after) =
                    aside(text, rest, &mut tidy, |scanner| scanner.odd_value(&mut suspicion))?;
                take(meaning, value);
                after
            };
            (ends, rest) = match after.split_first() {
                Some((b',', behind)) => (false, behind),
                Some((b'}', behind)) => (true, behind),
                _ => aside(text, after, &mut tidy, Scanner::odd_end)?,
            };
        }
        self.tidy = tidy;
        self.suspected = suspicion.any();
        self.body = text;
        if start == 0 && rest.is_empty() {
            return Ok(());
        }
        self.body = text.get(start..text.len().wrapping_sub(rest.len())).unwrap_or_default();
        aside(text, rest, &mut tidy, Scanner::odd_rest).map(|_| ())
    }

    /// Puts U+FFFD in the place of what is no UTF-8.
    #[cold]
    fn mend(&mut self, spare: &'a mut String) {
        spare.clear();
        super::push_lossy(self.text, spare);
        self.text = spare.as_bytes();
    }
}

impl<'a> Record<'a> for Json<'a> {
    #[inline]
    fn scan<M: Copy>(
        &mut self,
        keys: &mut KnownKeys<M>,
        mut take: impl FnMut(M, Value<'a>),
    ) -> Result<(), Malformed> {
        loop {
            match self.scan_text(keys, &mut take) {
                // What was taken before the place that is no UTF-8 is taken once more, the same.
                Err(error) if error.what == NOT_UTF8 => {
                    let spare = self.spare.take().ok_or(error)?;
                    self.mend(spare);
                }
                scanned => return scanned,
            }
        }
    }

    #[inline]
    fn is_clean(&self) -> bool {
        self.tidy && !(self.suspected && self.has_repeats())
    }

    #[inline(always)]
    fn body(&self) -> Body<'a> {
        Body::Json(self.body)
    }

    fn lossy_text(&self) -> String {
        String::from_utf8_lossy(self.text).into_owned()
    }
}

/// Walks a value known to be valid, such as a body that was scanned.
pub(super) fn walk<'a>(text: &'a [u8], on: impl FnMut(Event<'a, Text<'a>>)) -> Result<(), Malformed> {
    let mut on = on;
    Scanner::new(text).walk_from(0, &mut on)
}

/// The value behind a key whose name ends at this byte; null if none does.
pub(super) fn behind_key(text: &[u8], end: usize) -> Value<'_> {
    let mut scanner = Scanner { at: end, ..Scanner::new(text) };
    scanner.behind_key().unwrap_or(Value::Null)
}

/// Reads what is seldom with a scanner, which there is only as long as it is asked.
#[inline(always)]
fn aside<'a, T>(
    text: &'a [u8],
    rest: &'a [u8],
    tidy: &mut bool,
    read: impl FnOnce(&mut Scanner<'a>) -> Result<T, Malformed>,
) -> Result<(T, &'a [u8]), Malformed> {
    let mut scanner = Scanner { text, at: text.len().wrapping_sub(rest.len()), tidy: *tidy };
    let seen = read(&mut scanner)?;
    *tidy = scanner.tidy;
    Ok((seen, scanner.rest()))
}

struct Scanner<'a> {
    text: &'a [u8],
    /// Where the next byte to be read stands.
    at: usize,
    /// Whether all that was read may leave as it is.
    tidy: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, tidy: true }
    }

    #[cold]
    fn malformed(&self, what: &'static str) -> Malformed {
        let what = if self.at >= self.text.len() { "the record ends early" } else { what };
        Malformed { offset: self.at.min(self.text.len()), what }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn step(&mut self) {
        self.at = self.at.wrapping_add(1);
    }

    #[inline]
    fn space(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.spaces();
        }
    }

    #[inline(never)]
    fn spaces(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            // An entry is one line; a body with a line break between its tokens is written anew.
            self.tidy &= !matches!(byte, b'\n' | b'\r');
            self.step();
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(self.malformed(what));
        }
        self.step();
        Ok(())
    }

    /// What is still to be read.
    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes to where only this is still to be read.
    #[inline(always)]
    fn back_to(&mut self, rest: &[u8]) {
        self.at = self.text.len().wrapping_sub(rest.len());
    }

    /// A key without escapes and its colon, without space between: itself, and what follows it.
    #[inline(always)]
    fn plain_key(&self) -> Option<(&'a [u8], &'a [u8])> {
        match ascii_string(self.rest())? {
            (key, [b':', rest @ ..]) => Some((key, rest)),
            _ => None,
        }
    }

    /// Any key and its colon.
    fn key(&mut self) -> Result<Text<'a>, Malformed> {
        if let Some((key, rest)) = self.plain_key() {
            self.back_to(rest);
            self.space();
            return Ok(Text::Bytes(key));
        }
        self.odd_key()
    }

    /// A key with escapes in it or space behind it, or none.
    #[inline(never)]
    fn odd_key(&mut self) -> Result<Text<'a>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed("expected a key"));
        }
        let key = self.string()?;
        // A key in escapes is legal, but hides from whoever looks for its name in the bytes.
        self.tidy &= !matches!(key, Text::Escaped(_));
        self.space();
        self.expect(b':', "expected `:`")?;
        self.space();
        Ok(key)
    }

    /// The beginning of a record that does not begin with its first key: where its map begins, and whether that is
    /// empty.
    #[inline(never)]
    fn odd_start(&mut self) -> Result<(usize, bool), Malformed> {
        self.space();
        self.tidy = true;
        let start = self.at;
        self.expect(b'{', NOT_AN_OBJECT)?;
        self.space();
        let empty = self.peek() == Some(b'}');
        if empty {
            self.step();
        }
        Ok((start, empty))
    }

    /// A key of the top level that was not the next of this place: what it means, and the place behind it.
    #[inline(never)]
    fn key_at_top<M: Copy>(
        &mut self,
        keys: &mut KnownKeys<M>,
        place: Place,
        suspicion: &mut Suspicion,
    ) -> Result<(M, Place), Malformed> {
        if let Some((meaning, place, rest)) = keys.skip(place, self.rest()) {
            self.back_to(rest);
            return Ok((meaning, place));
        }
        self.space();
        let mut scratch = String::new();
        let key = self.key()?;
        let key = match key.bytes() {
            Some(key) => key,
            None => key.decode(&mut scratch).as_bytes(),
        };
        Ok(keys.find(place, &Name::of(key), Encoded::of([b"\"", key, b"\":"]), suspicion))
    }

    /// One value of the top level other than a string without escapes; a nested one is checked and passed over.
    #[inline(never)]
    fn odd_value(&mut self, suspicion: &mut Suspicion) -> Result<Value<'a>, Malformed> {
        self.space();
        Ok(match self.peek() {
            Some(b'"') => match self.string()? {
                Text::Bytes(ascii) => Value::Plain(ascii),
                text => text.into(),
            },
            Some(b'{') => {
                self.nested(&mut suspicion.inside())?;
                Value::Map
            }
            Some(b'[') => {
                self.nested(&mut suspicion.inside())?;
                Value::List
            }
            _ => match self.scalar()? {
                Event::Number(number) => Value::Number(number),
                Event::Bool(value) => Value::Bool(value),
                _ => Value::Null,
            },
        })
    }

    fn nested(&mut self, keys: &mut Inside<'_>) -> Result<(), Malformed> {
        self.walk_from(1, &mut |event| match event {
            Event::Map(_) | Event::List(_) => keys.open(),
            Event::End => keys.close(),
            // A key in escapes is seen by the second look, which an untidy record takes anyway.
            Event::Key(key) => key.bytes().into_iter().for_each(|key| keys.take(key)),
            _ => (),
        })
    }

    /// The value of a key, from behind the key's name; what is in a nested one is not looked at.
    fn behind_key(&mut self) -> Result<Value<'a>, Malformed> {
        self.expect(b'"', "expected the end of a key")?;
        self.space();
        self.expect(b':', "expected `:`")?;
        self.space();
        Ok(match self.peek() {
            Some(b'{') => Value::Map,
            Some(b'[') => Value::List,
            Some(b'"') => self.string()?.into(),
            _ => match self.scalar()? {
                Event::Number(number) => Value::Number(number),
                _ => Value::Null,
            },
        })
    }

    /// What stands behind a member and white space: whether the map ends, or a comma and another member follow.
    #[inline(never)]
    fn odd_end(&mut self) -> Result<bool, Malformed> {
        self.space();
        let ends = match self.peek() {
            Some(b',') => false,
            Some(b'}') => true,
            _ => return Err(self.malformed("expected `,` or `}`")),
        };
        self.step();
        Ok(ends)
    }

    /// What stands behind the record: white space.
    fn odd_rest(&mut self) -> Result<(), Malformed> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.malformed("expected the end of the record")),
        }
    }

    /// One value that stands `depth` levels down, event by event. The counts of maps and lists are not known yet and given as 0.
    fn walk_from(&mut self, depth: usize, on: &mut impl FnMut(Event<'a, Text<'a>>)) -> Result<(), Malformed> {
        let mut stack = Stack { maps: 0, depth, floor: depth };
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.open(&mut stack, true)?;
                    on(Event::Map(0));
                    if self.peek() != Some(b'}') {
                        on(Event::Key(self.key()?));
                        continue;
                    }
                }
                Some(b'[') => {
                    self.open(&mut stack, false)?;
                    on(Event::List(0));
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                Some(b'"') => on(Event::Str(self.string()?)),
                _ => on(self.scalar()?),
            }
            loop {
                let Some(in_map) = stack.top() else { return Ok(()) };
                self.space();
                match (self.peek(), in_map) {
                    (Some(b','), _) => {
                        self.step();
                        self.space();
                        if in_map {
                            on(Event::Key(self.key()?));
                        }
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.step();
                        stack.pop();
                        on(Event::End);
                    }
                    (_, true) => return Err(self.malformed("expected `,` or `}`")),
                    (_, false) => return Err(self.malformed("expected `,` or `]`")),
                }
            }
        }
    }

    fn open(&mut self, stack: &mut Stack, map: bool) -> Result<(), Malformed> {
        if !stack.push(map) {
            return Err(self.malformed("nested too deep"));
        }
        self.step();
        self.space();
        Ok(())
    }

    fn scalar(&mut self) -> Result<Event<'a, Text<'a>>, Malformed> {
        match self.peek() {
            Some(b't') => self.literal("true", Event::Bool(true)),
            Some(b'f') => self.literal("false", Event::Bool(false)),
            Some(b'n') => self.literal("null", Event::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Event::Number(Number::Raw(self.number()?))),
            _ => Err(self.malformed("expected a value")),
        }
    }

    fn literal(&mut self, word: &str, event: Event<'a, Text<'a>>) -> Result<Event<'a, Text<'a>>, Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.malformed("expected a value"));
        }
        self.at = self.at.wrapping_add(word.len());
        Ok(event)
    }

    fn number(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.step();
        }
        if self.peek() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        let mut exponent = false;
        if let Some(b'e' | b'E') = self.peek() {
            exponent = true;
            self.step();
            if let Some(b'+' | b'-') = self.peek() {
                self.step();
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if exponent || text.len() > MANY {
            self.tidy &= decimal::is_finite(spelled(text));
        }
        Ok(text)
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let count = digits_length(self.rest());
        if count == 0 {
            return Err(self.malformed("expected a digit"));
        }
        self.at = self.at.wrapping_add(count);
        Ok(())
    }

    /// A string, from its opening quote to behind its closing one.
    #[inline]
    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        if let Some((text, rest)) = ascii_string(self.rest()) {
            self.back_to(rest);
            return Ok(Text::Bytes(text));
        }
        self.odd_string()
    }

    /// A string with escapes or other characters than ASCII's in it, or none, from its opening quote.
    #[inline(never)]
    fn odd_string(&mut self) -> Result<Text<'a>, Malformed> {
        self.step();
        let start = self.at;
        let mut escapes = false;
        loop {
            self.at = self.at.wrapping_add(plain_length(self.rest()));
            match self.peek() {
                Some(b'"') => {
                    let bytes = self.text.get(start..self.at).unwrap_or_default();
                    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| self.malformed(NOT_UTF8))?;
                    self.step();
                    return Ok(if escapes { Text::Escaped(text) } else { Text::Plain(text) });
                }
                Some(b'\\') => {
                    escapes = true;
                    self.step();
                    self.escape()?;
                }
                Some(_) => return Err(self.malformed("control character in a string")),
                None => return Err(self.malformed("string without an end")),
            }
        }
    }

    /// One escape, from behind its backslash.
    fn escape(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.step(),
            Some(b'u') => {
                self.step();
                match self.hex()? {
                    0xD800..=0xDBFF => {
                        let rest = self.text.get(self.at..).unwrap_or_default();
                        let low = rest.strip_prefix(b"\\u").and_then(hex4);
                        if low.is_some_and(|low| (0xDC00..=0xDFFF).contains(&low)) {
                            self.at = self.at.wrapping_add(6);
                        } else {
                            self.tidy = false;
                        }
                    }
                    0xDC00..=0xDFFF => self.tidy = false,
                    _ => (),
                }
            }
            _ => return Err(self.malformed("unknown escape")),
        }
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let code = hex4(rest).ok_or_else(|| self.malformed("expected four hex digits"))?;
        self.at = self.at.wrapping_add(4);
        Ok(code)
    }
}

/// A string of ASCII without escapes, from its opening quote, and what follows it.
#[inline(always)]
fn ascii_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (b'"', inside) = bytes.split_first()? else { return None };
    let length = ascii_length(inside);
    let b'"' = inside.get(length)? else { return None };
    Some((inside.get(..length)?, inside.get(length.wrapping_add(1)..)?))
}

/// What most values other than strings are, a whole number without a sign, and what follows it.
#[inline(always)]
fn plain_number(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = digits_length(bytes);
    let is_plain = (1..=MANY).contains(&length) && bytes.first()? != &b'0';
    bytes.split_at_checked(length).filter(|(_, after)| is_plain && matches!(after, [b',' | b'}', ..]))
}

/// A truth value, and what follows it.
#[inline(always)]
fn truth(bytes: &[u8]) -> Option<(bool, &[u8])> {
    let is_true = bytes.first()? == &b't';
    Some((is_true, bytes.strip_prefix(if is_true { b"true".as_slice() } else { b"false" })?))
}

fn hex4(text: &[u8]) -> Option<u32> {
    let digits = text.first_chunk::<4>()?;
    digits.iter().try_fold(0_u32, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
}

/// Appends a checked string's inside with its escapes resolved; a lone surrogate becomes U+FFFD.
pub(super) fn unescape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some((plain, from)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = from.chars();
        let simple = match chars.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                rest = unescape_unicode(chars.as_str(), out);
                continue;
            }
            Some(same) => same,
            None => break,
        };
        out.push(simple);
        rest = chars.as_str();
    }
    out.push_str(rest);
}

fn unescape_unicode<'a>(text: &'a str, out: &mut String) -> &'a str {
    let code = hex4(text.as_bytes()).unwrap_or(0xFFFD);
    let rest = text.get(4..).unwrap_or_default();
    if (0xD800..=0xDBFF).contains(&code) {
        let low =
            rest.as_bytes().strip_prefix(b"\\u").and_then(hex4).filter(|low| (0xDC00..=0xDFFF).contains(low));
        if let Some(low) = low {
            let pair = ((code & 0x3FF) << 10 | (low & 0x3FF)).wrapping_add(0x1_0000);
            out.push(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
            return rest.get(6..).unwrap_or_default();
        }
    }
    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    rest
}

/// Whether each open container is a map, innermost in the lowest bit.
struct Stack {
    maps: u64,
    depth: usize,
    /// The depth at which the walk began.
    floor: usize,
}

impl Stack {
    fn push(&mut self, map: bool) -> bool {
        self.depth = self.depth.saturating_add(1);
        self.maps = self.maps << 1 | u64::from(map);
        self.depth <= MAX_DEPTH
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.maps >>= 1;
    }

    fn top(&self) -> Option<bool> {
        (self.depth > self.floor).then_some(self.maps & 1 == 1)
    }
}
