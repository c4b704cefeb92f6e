//! The view over JSON text, and the scanner below it.
//!
//! The scanner checks the full grammar (RFC 8259) as it goes, since the body leaves as it came: what a lenient scan
//! let through, Coralogix would drop. It works on an explicit stack of [`MAX_DEPTH`] bits, never by recursion.

#![expect(clippy::inline_always, reason = "a member of a record costs a call less, measured")]

use super::plain::plain_length;
use super::repeats::Repeats;
use super::{Body, Event, MAX_DEPTH, Malformed, NOT_AN_OBJECT, Number, Record, Text, Value};

/// One record as JSON text.
#[derive(Clone, Debug)]
pub struct Json<'a> {
    text: &'a str,
    body: &'a str,
    clean: bool,
}

impl<'a> Json<'a> {
    /// A view of `text`, which may have white space around it. A host that has bytes makes them text first
    /// (`String::from_utf8_lossy`).
    pub fn new(text: &'a str) -> Self {
        Self { text, body: text, clean: false }
    }
}

impl<'a> Record<'a> for Json<'a> {
    fn scan<M>(
        &mut self,
        means: impl Fn(Text<'a>) -> Option<M>,
        mut take: impl FnMut(M, Value<'a>),
    ) -> Result<(), Malformed> {
        let mut scanner = Scanner::new(self.text);
        scanner.space();
        scanner.tidy = true;
        let start = scanner.at();
        scanner.expect(b'{', NOT_AN_OBJECT)?;
        scanner.space();
        if scanner.peek() == Some(b'}') {
            scanner.step();
        } else {
            loop {
                match means(scanner.key()?) {
                    Some(meaning) => take(meaning, scanner.value()?),
                    None => scanner.skip()?,
                }
                scanner.space();
                match scanner.peek() {
                    Some(b',') => scanner.step(),
                    Some(b'}') => break scanner.step(),
                    _ => return Err(scanner.malformed("expected `,` or `}`")),
                }
                scanner.space();
            }
        }
        self.body = self.text.get(start..scanner.at()).unwrap_or_default();
        self.clean = scanner.tidy;
        scanner.space();
        match scanner.peek() {
            None => Ok(()),
            Some(_) => Err(scanner.malformed("expected the end of the record")),
        }
    }

    fn is_clean(&self) -> bool {
        self.clean
    }

    fn body(&self) -> Body<'a> {
        Body::Json(self.body)
    }

    fn lossy_text(&self) -> String {
        self.text.to_owned()
    }
}

/// Walks a value known to be valid, such as a body that was scanned.
pub(super) fn walk<'a>(text: &'a str, on: impl FnMut(Event<'a, Text<'a>>)) -> Result<(), Malformed> {
    let mut on = on;
    Scanner::new(text).walk_from(0, &mut on)
}

struct Scanner<'a> {
    text: &'a str,
    /// What is still to be read: the end of `text`.
    rest: &'a [u8],
    /// Whether all that was read may leave as it is.
    tidy: bool,
    repeats: Repeats,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, rest: text.as_bytes(), tidy: true, repeats: Repeats::new() }
    }

    fn at(&self) -> usize {
        self.text.len().wrapping_sub(self.rest.len())
    }

    #[cold]
    fn malformed(&self, what: &'static str) -> Malformed {
        let what = if self.rest.is_empty() { "the record ends early" } else { what };
        Malformed { offset: self.at(), what }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline]
    fn step(&mut self) {
        self.advance(1);
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
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

    /// A key and its colon.
    #[inline(always)]
    fn key(&mut self) -> Result<Text<'a>, Malformed> {
        if let [b'"', inside @ ..] = self.rest
            && let Some((key, [b':', rest @ ..])) = plain_string(inside)
        {
            self.rest = rest;
            self.space();
            self.tidy = self.tidy && self.repeats.is_new(key);
            // Whether it is whole characters is nobody's question: it is only compared.
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
        self.tidy = self.tidy && matches!(key, Text::Plain(key) if self.repeats.is_new(key.as_bytes()));
        self.space();
        self.expect(b':', "expected `:`")?;
        self.space();
        Ok(key)
    }

    /// One value; a nested one is checked and passed over.
    #[inline(always)]
    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        if self.peek() == Some(b'"') { Ok(Value::Text(self.string()?)) } else { self.unquoted() }
    }

    /// One value that nobody wants.
    #[inline(always)]
    fn skip(&mut self) -> Result<(), Malformed> {
        if let [b'"', inside @ ..] = self.rest
            && let Some((_, rest)) = plain_string(inside)
        {
            self.rest = rest;
            return Ok(());
        }
        self.odd_skip()
    }

    #[inline(never)]
    fn odd_skip(&mut self) -> Result<(), Malformed> {
        self.value().map(drop)
    }

    /// One value other than a string.
    #[inline(never)]
    fn unquoted(&mut self) -> Result<Value<'a>, Malformed> {
        Ok(match self.peek() {
            Some(b'{') => {
                self.walk_from(1, &mut |_| ())?;
                Value::Map
            }
            Some(b'[') => {
                self.walk_from(1, &mut |_| ())?;
                Value::List
            }
            _ => match self.scalar()? {
                Event::Number(number) => Value::Number(number),
                Event::Bool(value) => Value::Bool(value),
                _ => Value::Null,
            },
        })
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
                        self.repeats.close();
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
        self.repeats.open();
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
        self.rest =
            self.rest.strip_prefix(word.as_bytes()).ok_or_else(|| self.malformed("expected a value"))?;
        Ok(event)
    }

    fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at();
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
        let text = self.text.get(start..self.at()).unwrap_or_default();
        // Some 300 digits without an exponent are beyond every reader's range, too.
        if exponent || text.len() > 300 {
            self.tidy &= is_finite(text);
        }
        Ok(text)
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.malformed("expected a digit"));
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.step();
        }
        Ok(())
    }

    /// A string, from its opening quote to behind its closing one.
    #[inline(always)]
    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        self.step();
        let start = self.at();
        if let Some((inside, rest)) = plain_string(self.rest) {
            self.rest = rest;
            let end = start.wrapping_add(inside.len());
            return Ok(Text::Plain(self.text.get(start..end).unwrap_or_default()));
        }
        self.odd_string()
    }

    /// A string with escapes in it, or none, from behind its opening quote.
    #[inline(never)]
    fn odd_string(&mut self) -> Result<Text<'a>, Malformed> {
        let start = self.at();
        loop {
            self.advance(plain_length(self.rest));
            match self.peek() {
                Some(b'"') => {
                    let text = self.text.get(start..self.at()).unwrap_or_default();
                    self.step();
                    return Ok(Text::Escaped(text));
                }
                Some(b'\\') => {
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
                        let paired = self
                            .rest
                            .strip_prefix(b"\\u")
                            .and_then(hex4)
                            .is_some_and(|low| (0xDC00..=0xDFFF).contains(&low));
                        if paired {
                            self.advance(6);
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
        let code = hex4(self.rest).ok_or_else(|| self.malformed("expected four hex digits"))?;
        self.advance(4);
        Ok(code)
    }
}

/// Whether a number is within a double's range, which is as far as readers agree.
pub(super) fn is_finite(number: &str) -> bool {
    number.parse::<f64>().is_ok_and(f64::is_finite)
}

fn hex4(text: &[u8]) -> Option<u32> {
    let digits = text.first_chunk::<4>()?;
    digits.iter().try_fold(0_u32, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
}

/// A string without escapes, from behind its opening quote: its inside, and what follows its closing quote.
#[inline(always)]
fn plain_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (inside, rest) = bytes.split_at_checked(plain_length(bytes))?;
    Some((inside, rest.strip_prefix(b"\"")?))
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
