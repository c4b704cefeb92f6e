//! Syntax errors of records.

use core::fmt;

/// An error in a record's encoding, and its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The kind of error.
    pub kind: SyntaxErrorKind,
    /// The offset, in bytes, at which reading stopped.
    pub offset: usize,
}

macro_rules! kinds {
    ($($variant:ident $message:literal,)*) => {
        /// The kinds of syntax errors in both encodings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum SyntaxErrorKind {
            $(#[doc = $message] $variant,)*
        }

        impl SyntaxErrorKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the kind as a message: lower case, one line.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }
        }
    };
}

kinds! {
    NotAnObject "expected an object",
    EndsEarly "the record ends early",
    TooDeep "nested too deep",
    ExpectedKey "expected a key",
    ExpectedColon "expected `:`",
    ExpectedValue "expected a value",
    ExpectedDigit "expected a digit",
    ExpectedMapEnd "expected `,` or `}`",
    ExpectedListEnd "expected `,` or `]`",
    TrailingBytes "expected the end of the record",
    ControlCharacter "control character in a string",
    UnknownEscape "unknown escape sequence",
    ExpectedHex "expected four hex digits",
    UnusedByte "unused byte 0xc1",
    ContainerKey "a key that is a map or list",
    NotAnEvent "expected an event",
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.message(), self.offset)
    }
}
