//! Streams and their records.

use super::*;

/// Returns the bytes in pieces of a fixed size, as a pipe may.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(self.0.len()).min(into.len());
        into[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// Returns every record as `line|text` or `line|text|fault`, and the last error.
fn read(source: impl Read, limit: usize) -> Vec<String> {
    let mut records = Records::new(source);
    records.limit = limit;
    let mut found = Vec::new();
    loop {
        match records.next() {
            Ok(Some(Piece { line, bytes, fault })) => {
                let mut parts = vec![line.to_string(), String::from_utf8_lossy(bytes).into_owned()];
                parts.extend(fault);
                found.push(parts.join("|"));
            }
            Ok(None) => return found,
            Err(error) => {
                found.push(format!("{}: {error}", error.line().unwrap_or_default()));
                return found;
            }
        }
    }
}

/// A name, the stream, and the expected records.
type Case = (&'static str, &'static str, &'static [&'static str]);

const RECORDS: &[Case] = &[
    ("nothing", "", &[]),
    ("blank lines", "\n \r\n\t", &[]),
    ("lines", "{\"a\":1}\n{\"b\":2}\n", &["1|{\"a\":1}", "2|{\"b\":2}"]),
    ("no last newline", "{}\r\n{\"b\":2}", &["1|{}", "2|{\"b\":2}"]),
    ("byte order mark", "\u{feff}{\"a\":1}", &["1|{\"a\":1}"]),
    ("concatenated", "{\"a\":1}{\"b\":2} {}", &["1|{\"a\":1}", "1|{\"b\":2}", "1|{}"]),
    ("commas between", "{},\n{},\n", &["1|{}", "2|{}"]),
    (
        "over lines",
        "{\n \"a\": {\n  \"b\": []\n }\n}\n{\n}",
        &["1|{\n \"a\": {\n  \"b\": []\n }\n}", "6|{\n}"],
    ),
    ("brackets in a string", "{\"a\":\"}]\\\"{\"}{}", &["1|{\"a\":\"}]\\\"{\"}", "1|{}"]),
    ("array", "[{\"a\":1},{\"b\":[2]}]", &["1|{\"a\":1}", "1|{\"b\":[2]}"]),
    (
        "array over lines",
        "[\n  {\n    \"a\": 1\n  },\n  {}\n]\n{}",
        &["2|{\n    \"a\": 1\n  }", "5|{}", "7|{}"],
    ),
    ("empty arrays", "[] [ ]\n[\n]{}", &["3|{}"]),
    ("byte order mark before an array", "\u{feff}[{\"a\":1},{}]", &["1|{\"a\":1}", "1|{}"]),
    ("NUL bytes before a record", "\0\0\0{\"a\":1}\n{}", &["1|{\"a\":1}", "2|{}"]),
    ("byte order mark and NUL bytes before an array", "\u{feff}\0\0[{}]", &["1|{}"]),
    ("NUL bytes after a record", "{\"a\":1}\0\0\n{} \0", &["1|{\"a\":1}", "2|{}"]),
    ("array of no records", "[1,[2]]\n{}", &["1|[1,[2]]", "2|{}"]),
    ("array within an array", "[{},[{}]]", &["1|{}", "1|[{}]"]),
];

const FAULTS: &[Case] = &[
    ("text", "panic!\n{}", &["1|panic!|not a JSON object", "2|{}"]),
    ("text in brackets", "[2020/03/01] up\n{}", &["1|[2020/03/01] up|expected `,` or `]` at byte 6", "2|{}"]),
    ("text after a record", "{} tail {}\n{}", &["1|{}", "1|tail {}|not a JSON object", "2|{}"]),
    ("a brace too many", "{}}\n{}", &["1|{}", "1|}|not a JSON object", "2|{}"]),
    ("a bracket too many", "{}]\n{}", &["1|{}", "1|]|not a JSON object", "2|{}"]),
    ("a number in an array", "[{}, 12, {}]", &["1|{}", "1|12|not a JSON object", "1|{}"]),
    ("NUL bytes alone", "\0\0\n{}", &["1|\0\0|not a JSON object", "2|{}"]),
    ("NUL bytes before text", "\0up\n{}", &["1|\0up|not a JSON object", "2|{}"]),
    (
        "half of a surrogate pair in an array",
        "[{\"a\":\"\\ud83d\"},{\"b\":1}]",
        &["1|{\"a\":\"\\ud83d\"}|unexpected end of hex escape at byte 13", "1|{\"b\":1}"],
    ),
    (
        "half of a surrogate pair, and another record on the line",
        "{\"a\":\"\\ud83dx\"}{}",
        &["1|{\"a\":\"\\ud83dx\"}|unexpected end of hex escape at byte 13", "1|{}"],
    ),
    (
        "a number out of range in an array",
        "[{\"a\":1},{\"a\":1e400,\"b\":[{}]},{}]\n{}",
        &["1|{\"a\":1}", "1|{\"a\":1e400,\"b\":[{}]}|number out of range at byte 10", "1|{}", "2|{}"],
    ),
    (
        "a malformed element of an array",
        "[{\"a\":tru,\"b\":[{},{}]},{\"b\":1}]{}",
        &["1|{\"a\":tru,\"b\":[{},{}]}|expected ident at byte 9", "1|{\"b\":1}", "1|{}"],
    ),
    (
        "an element of an array that is truncated",
        "[{\"a\":1,\"b\":,{\"b\":1} , {}]\n{}",
        &["1|{\"a\":1,\"b\":|expected value at byte 12", "1|{\"b\":1}", "1|{}", "2|{}"],
    ),
    (
        "an element of an array that is truncated in a string",
        "[{\"a\":\"b,{\"b\":1},{}]\n{}",
        &["1|{\"a\":\"b|expected `,` or `}` at byte 11", "1|{\"b\":1}", "1|{}", "2|{}"],
    ),
    (
        "array not closed",
        "{}\n[{},\n",
        &["1|{}", "2|{}", "2: the array that begins here is not closed; the file may be truncated"],
    ),
    ("truncated in a string", "{\"a\":\"b\n{}", &["1|{\"a\":\"b|a string does not end on line 1", "2|{}"]),
    (
        "truncated at a key",
        "{\"a\":1,\n{}\n",
        &["1|{\"a\":1,|key must be a string at byte 1 of line 2", "2|{}"],
    ),
    (
        "truncated at a value, which the next line could contain",
        "{\"a\":\n{}\n{}",
        &["1|{\"a\":|expected `,` or `}` at byte 1 of line 3", "2|{}", "3|{}"],
    ),
    ("truncated at the end", "{}\n{\"a\":[{}", &["1|{}", "2|{\"a\":[{}|the record is truncated"]),
    (
        "truncated in a list, to which all following lines could belong",
        "{\"a\":[\n{},\n{}",
        &["1|{\"a\":[|the record is truncated", "2|{}", "3|{}"],
    ),
    (
        "malformed over lines",
        "{\n \"a\": x,\n \"b\": {\n }\n}\n{}",
        &["1|{\n \"a\": x,\n \"b\": {\n }\n}|expected value at byte 7 of line 2", "6|{}"],
    ),
    (
        "malformed over lines in an array",
        "[\n  {\n    \"a\": x,\n    \"b\": [\n      {}\n    ]\n  },\n  {}\n]\n{}",
        &[
            "2|{\n    \"a\": x,\n    \"b\": [\n      {}\n    ]\n  },|expected value at byte 10 of line 3",
            "8|{}",
            "10|{}",
        ],
    ),
    (
        "malformed over lines at an array's end",
        "[\n  {\n    \"a\": x\n  }\n]\n{}",
        &["2|{\n    \"a\": x\n  }|expected value at byte 10 of line 3", "6|{}"],
    ),
    (
        "larger than the limit of 80 bytes",
        "{}\n{\"a\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345\"}\n{}",
        &["1|{}", "2: record too large: the limit is 80 bytes; the rest of the file is not read"],
    ),
];

#[test]
fn records_do_not_depend_on_the_size_of_reads() {
    for (name, input, expected) in RECORDS.iter().chain(FAULTS) {
        for size in [1, 2, 3, 7, 4096] {
            assert_eq!(
                read(Trickle(input.as_bytes(), size), 80),
                *expected,
                "{name}, {size} bytes at a time"
            );
        }
    }
}

#[test]
fn bytes_that_are_not_utf8_have_a_fault_and_an_end() {
    assert_eq!(
        read(&b"{\"a\":\"\xff\"}\n{}"[..], MAX_RECORD),
        ["1|{\"a\":\"\u{fffd}\"}|invalid unicode code point at byte 7", "2|{}"]
    );
    assert_eq!(
        read(&b"[{\"a\":\"\xff\"},{}]\n{\"b\":\"\xff\",\"c\":[\n{}]}"[..], MAX_RECORD),
        [
            "1|{\"a\":\"\u{fffd}\"}|invalid unicode code point at byte 7",
            "1|{}",
            "2|{\"b\":\"\u{fffd}\",\"c\":[|invalid unicode code point at byte 7",
            "3|{}",
            "3|]}|not a JSON object",
        ]
    );
}

#[test]
fn a_stream_of_opening_brackets_takes_linear_time() {
    let found = read("{\"a\":[\n".repeat(1000).as_bytes(), MAX_RECORD);
    assert_eq!(found.len(), 1000);
    for (at, record) in found.iter().enumerate().take(900) {
        assert_eq!(
            *record,
            format!("{line}|{{\"a\":[|nested too deeply at byte 6 of line {}", at + 64, line = at + 1)
        );
    }
}
