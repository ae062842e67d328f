//! The types of the language, as sets: what is known of a value before there is one.

use std::fmt;
use std::ops::BitOr;

/// A set of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(u16);

impl Kind {
    /// No type: a value that cannot exist.
    pub const NEVER: Self = Self(0);
    /// `null`, and every path that is missing.
    pub const NULL: Self = Self(1);
    /// `true` and `false`.
    pub const BOOLEAN: Self = Self(2);
    /// Whole numbers of 64 bits with sign.
    pub const INTEGER: Self = Self(4);
    /// IEEE 754 double precision numbers.
    pub const FLOAT: Self = Self(8);
    /// Text, and bytes that are not UTF-8.
    pub const STRING: Self = Self(16);
    /// Points in time.
    pub const TIMESTAMP: Self = Self(32);
    /// Regular expressions; they exist only as literals.
    pub const REGEX: Self = Self(64);
    /// Arrays.
    pub const ARRAY: Self = Self(128);
    /// Objects.
    pub const OBJECT: Self = Self(256);
    /// Integers and floats.
    pub const NUMBER: Self = Self(4 | 8);
    /// What an event's field can be.
    pub const ANY: Self = Self(1 | 2 | 4 | 8 | 16 | 32 | 128 | 256);

    const NAMES: [(Self, &'static str); 9] = [
        (Self::STRING, "string"),
        (Self::INTEGER, "integer"),
        (Self::FLOAT, "float"),
        (Self::BOOLEAN, "boolean"),
        (Self::TIMESTAMP, "timestamp"),
        (Self::REGEX, "regex"),
        (Self::ARRAY, "array"),
        (Self::OBJECT, "object"),
        (Self::NULL, "null"),
    ];

    /// Whether every type of `other` is in the set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the sets share a type.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The types in either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The types in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The set without the types of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The types of the set, one by one.
    pub fn iter(self) -> impl Iterator<Item = Self> {
        Self::NAMES.into_iter().map(|(kind, _)| kind).filter(move |kind| self.contains(*kind))
    }
}

impl BitOr for Kind {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.contains(Self::ANY) {
            return f.write_str("any");
        }
        let mut names =
            Self::NAMES.iter().filter(|(kind, _)| self.contains(*kind)).map(|(_, name)| name);
        f.write_str(names.next().unwrap_or(&"nothing"))?;
        for name in names {
            write!(f, " or {name}")?;
        }
        Ok(())
    }
}
