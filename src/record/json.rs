//! The view over JSON text, and the scanner below it.
//!
//! The scanner checks the full grammar (RFC 8259) as it goes, since the body leaves as it came: what a lenient scan
//! let through, Coralogix would drop. It works on an explicit stack of [`MAX_DEPTH`] bits, never by recursion.

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
        let start = scanner.at;
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
        self.body = self.text.get(start..scanner.at).unwrap_or_default();
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
    at: usize,
    /// Whether all that was read may leave as it is.
    tidy: bool,
    repeats: Repeats,
}

/// Where a string's inside stands.
struct Quoted {
    start: usize,
    end: usize,
    escaped: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, tidy: true, repeats: Repeats::new() }
    }

    #[cold]
    fn malformed(&self, what: &'static str) -> Malformed {
        let what = if self.at >= self.text.len() { "the record ends early" } else { what };
        Malformed { offset: self.at, what }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.skip_bytes(1);
    }

    /// A place within a text is far from the end of all numbers: nothing to check.
    #[inline]
    fn skip_bytes(&mut self, count: usize) {
        self.at = self.at.wrapping_add(count);
    }

    #[inline]
    fn space(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.spaces();
        }
    }

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
    #[inline]
    fn key(&mut self) -> Result<Text<'a>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed("expected a key"));
        }
        let key = self.quoted()?;
        // A key in escapes is legal, but hides from whoever looks for its name in the bytes.
        self.tidy = self.tidy && !key.escaped && self.repeats.is_new(self.bytes(&key));
        self.space();
        self.expect(b':', "expected `:`")?;
        self.space();
        Ok(if key.escaped {
            self.text(&key)
        } else {
            // A key is compared byte by byte; that it is whole characters is nobody's question.
            Text::Bytes(self.bytes(&key))
        })
    }

    /// One value; a nested one is checked and passed over.
    #[inline]
    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        if self.peek() == Some(b'"') {
            let text = self.quoted()?;
            return Ok(Value::Text(self.text(&text)));
        }
        self.unquoted()
    }

    /// One value that nobody wants.
    #[inline]
    fn skip(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'"') { self.quoted().map(drop) } else { self.unquoted().map(drop) }
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
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.malformed("expected a value"));
        }
        self.skip_bytes(word.len());
        Ok(event)
    }

    fn number(&mut self) -> Result<&'a str, Malformed> {
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
    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        let text = self.quoted()?;
        Ok(self.text(&text))
    }

    fn bytes(&self, quoted: &Quoted) -> &'a [u8] {
        self.text.as_bytes().get(quoted.start..quoted.end).unwrap_or_default()
    }

    fn text(&self, Quoted { start, end, escaped }: &Quoted) -> Text<'a> {
        let text = self.text.get(*start..*end).unwrap_or_default();
        if *escaped { Text::Escaped(text) } else { Text::Plain(text) }
    }

    #[inline(always)]
    fn quoted(&mut self) -> Result<Quoted, Malformed> {
        self.step();
        let start = self.at;
        self.plain();
        if self.peek() == Some(b'"') {
            let end = self.at;
            self.step();
            return Ok(Quoted { start, end, escaped: false });
        }
        let end = self.quoted_on()?;
        Ok(Quoted { start, end, escaped: true })
    }

    /// Goes to the next byte of a string that is not plain.
    #[inline]
    fn plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.skip_bytes(plain_length(rest));
    }

    /// The rest of a string that has something to look at before its end; the place of the end.
    #[inline(never)]
    fn quoted_on(&mut self) -> Result<usize, Malformed> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    let end = self.at;
                    self.step();
                    return Ok(end);
                }
                Some(b'\\') => {
                    self.step();
                    self.escape()?;
                }
                Some(_) => return Err(self.malformed("control character in a string")),
                None => return Err(self.malformed("string without an end")),
            }
            self.plain();
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
                        let paired = rest
                            .strip_prefix("\\u")
                            .and_then(hex4)
                            .is_some_and(|low| (0xDC00..=0xDFFF).contains(&low));
                        if paired {
                            self.skip_bytes(6);
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
        let code = self
            .text
            .get(self.at..)
            .and_then(hex4)
            .ok_or_else(|| self.malformed("expected four hex digits"))?;
        self.skip_bytes(4);
        Ok(code)
    }
}

/// Whether a number is within a double's range, which is as far as readers agree.
pub(super) fn is_finite(number: &str) -> bool {
    number.parse::<f64>().is_ok_and(f64::is_finite)
}

fn hex4(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    // `from_str_radix` would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

/// How many bytes stand before the first quote, backslash or control character: eight at a time.
#[inline(always)]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let mut length = 0_usize;
    let mut rest = bytes;
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let stops = stops(u64::from_le_bytes(*eight));
        if stops != 0 {
            return length.wrapping_add((stops.trailing_zeros() / 8) as usize);
        }
        length = length.wrapping_add(8);
        rest = after;
    }
    let tail = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
    length.wrapping_add(tail.unwrap_or(rest.len()))
}

/// Marks the bytes that end a plain run with their highest bit. The lowest mark is exact; those above it may be carried
/// over from it.
#[inline(always)]
fn stops(word: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    // With this bit turned, the quote and the control characters are those below 0x21.
    let quote_or_control = (word ^ each(b'"' ^ 0x20)).wrapping_sub(each(0x21));
    let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
    (quote_or_control | backslash) & !word & each(0x80)
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
    let code = hex4(text).unwrap_or(0xFFFD);
    let rest = text.get(4..).unwrap_or_default();
    if (0xD800..=0xDBFF).contains(&code) {
        let low = rest.strip_prefix("\\u").and_then(hex4).filter(|low| (0xDC00..=0xDFFF).contains(low));
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
