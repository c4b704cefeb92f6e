//! The names of an enumeration's values in a configuration.

/// Implements the names of an enumeration's values in a configuration; further names of a value are aliases.
macro_rules! names {
    ($type:ident: $($variant:ident $name:literal $($alias:literal)*,)*) => {
        impl $type {
            /// The name of every value.
            pub const NAMES: &[&str] = &[$($name,)*];
            /// Further names that are accepted.
            pub const ALIASES: &[&str] = &[$($($alias,)*)*];

            /// Returns the value with this name or alias.
            pub fn of(name: &str) -> Option<Self> {
                match name {
                    $($name $(| $alias)* => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns the value's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

pub(super) use names;
