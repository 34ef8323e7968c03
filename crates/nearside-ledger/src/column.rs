//! Columns: what a row type holds, said once for SQL, hashes, CSV and JSON.
//!
//! `row!` makes a row type whose fields are the columns of its table, in order and by name; `words!`
//! makes a type with a closed set of words. A `Cell` is what one field keeps in one column.

use nearside_units::{Currency, ParseError};
use rusqlite::types::Value;

use crate::amount::Amount;
use crate::error::CellError;
use crate::project::Table;
use crate::timestamp::Timestamp;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A moment in UTC, kept as text.
    Moment,
    /// A whole number.
    Integer,
    /// A number.
    Real,
}

impl Kind {
    /// Its type in a strict table of SQLite.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Text | Self::Moment => "TEXT",
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, with the unit where it holds a quantity.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is null where something is not known.
    pub nullable: bool,
}

/// The cells of a row type; only row types of this crate have them.
pub trait Cells: Sized {
    /// Its table.
    const TABLE: Table;
    /// Its columns, in order.
    const COLUMNS: &'static [Column];

    /// What it keeps in each column.
    ///
    /// # Errors
    /// The column whose value cannot be kept, and why.
    fn put(&self) -> Result<Vec<Value>, (&'static str, CellError)>;

    /// The row from what is kept in each column.
    ///
    /// # Errors
    /// The column whose value is not what it should hold, and why.
    fn take(cells: impl IntoIterator<Item = Value>) -> Result<Self, (&'static str, CellError)>;
}

/// What one field keeps in one column.
pub(crate) trait Cell: Sized {
    const KIND: Kind;
    const NULLABLE: bool = false;
    fn put(&self) -> Result<Value, CellError>;
    fn take(value: Value) -> Result<Self, CellError>;
}

impl Cell for String {
    const KIND: Kind = Kind::Text;
    fn put(&self) -> Result<Value, CellError> {
        Ok(Value::Text(self.clone()))
    }
    fn take(value: Value) -> Result<Self, CellError> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(CellError::OtherType),
        }
    }
}

impl Cell for i64 {
    const KIND: Kind = Kind::Integer;
    fn put(&self) -> Result<Value, CellError> {
        Ok(Value::Integer(*self))
    }
    fn take(value: Value) -> Result<Self, CellError> {
        match value {
            Value::Integer(number) => Ok(number),
            _ => Err(CellError::OtherType),
        }
    }
}

impl Cell for u64 {
    const KIND: Kind = Kind::Integer;
    fn put(&self) -> Result<Value, CellError> {
        let number = i64::try_from(*self).map_err(|_too_large| CellError::OutOfRange)?;
        Ok(Value::Integer(number))
    }
    fn take(value: Value) -> Result<Self, CellError> {
        Self::try_from(i64::take(value)?).map_err(|_negative| CellError::OutOfRange)
    }
}

impl Cell for f64 {
    const KIND: Kind = Kind::Real;
    fn put(&self) -> Result<Value, CellError> {
        // SQLite keeps no NaN and no sign of zero: both would come back as something else.
        self.is_finite().then_some(Value::Real(*self + 0.0)).ok_or(CellError::NotFinite)
    }
    fn take(value: Value) -> Result<Self, CellError> {
        match value {
            Value::Real(number) if number.is_finite() => Ok(number),
            Value::Real(_) => Err(CellError::NotFinite),
            _ => Err(CellError::OtherType),
        }
    }
}

impl<T: Cell> Cell for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    fn put(&self) -> Result<Value, CellError> {
        self.as_ref().map_or(Ok(Value::Null), T::put)
    }
    fn take(value: Value) -> Result<Self, CellError> {
        match value {
            Value::Null => Ok(None),
            value => T::take(value).map(Some),
        }
    }
}

/// Types that are kept as their text.
macro_rules! cells_of_text {
    ($kind:ident: $($type:ty),+) => {$(
        impl $crate::column::Cell for $type {
            const KIND: $crate::column::Kind = $crate::column::Kind::$kind;
            fn put(&self) -> Result<rusqlite::types::Value, $crate::error::CellError> {
                Ok(rusqlite::types::Value::Text(self.to_string()))
            }
            fn take(value: rusqlite::types::Value) -> Result<Self, $crate::error::CellError> {
                Ok(<String as $crate::column::Cell>::take(value)?.parse::<Self>()?)
            }
        }
    )+};
}
pub(crate) use cells_of_text;

cells_of_text!(Moment: Timestamp);
cells_of_text!(Text: Amount, Currency);

/// A word of a closed set, or an error that lists them.
pub(crate) fn word<T: Copy>(
    text: &str,
    words: &[(T, &'static str)],
    expected: &'static str,
) -> Result<T, ParseError> {
    let found = words.iter().find(|(_, word)| *word == text).map(|(value, _)| *value);
    found.ok_or_else(|| ParseError::Malformed { text: text.to_owned(), expected })
}

/// A type with a closed set of words.
macro_rules! words {
    (
        $(#[$about:meta])*
        $name:ident, $expected:literal {
            $( $(#[$what:meta])* $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[$what])* $variant, )+
        }

        impl $name {
            /// Each value with its word.
            pub const WORDS: &'static [(Self, &'static str)] =
                &[$( (Self::$variant, $word), )+];

            /// Its word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = nearside_units::ParseError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::column::word(text, Self::WORDS, $expected)
            }
        }

        $crate::column::cells_of_text!(Text: $name);
    };
}
pub(crate) use words;

/// A row type whose fields are the columns of its table.
macro_rules! row {
    (
        $(#[$about:meta])*
        $name:ident in $table:ident {
            $( $(#[$what:meta])* $field:ident: $type:ty, )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[$what])* pub $field: $type, )+
        }

        impl $crate::column::Cells for $name {
            const TABLE: $crate::project::Table = $crate::project::Table::$table;
            const COLUMNS: &'static [$crate::column::Column] = &[$(
                $crate::column::Column {
                    name: stringify!($field),
                    kind: <$type as $crate::column::Cell>::KIND,
                    nullable: <$type as $crate::column::Cell>::NULLABLE,
                },
            )+];

            fn put(
                &self,
            ) -> Result<Vec<rusqlite::types::Value>, (&'static str, $crate::error::CellError)> {
                Ok(vec![$(
                    $crate::column::Cell::put(&self.$field)
                        .map_err(|error| (stringify!($field), error))?,
                )+])
            }

            fn take(
                cells: impl IntoIterator<Item = rusqlite::types::Value>,
            ) -> Result<Self, (&'static str, $crate::error::CellError)> {
                let mut cells = cells.into_iter();
                Ok(Self {$(
                    $field: cells
                        .next()
                        .ok_or($crate::error::CellError::OtherType)
                        .and_then(<$type as $crate::column::Cell>::take)
                        .map_err(|error| (stringify!($field), error))?,
                )+})
            }
        }
    };
}
pub(crate) use row;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_would_change_is_refused_or_settled() {
        assert_eq!(f64::NAN.put(), Err(CellError::NotFinite));
        assert_eq!(f64::NEG_INFINITY.put(), Err(CellError::NotFinite));
        assert_eq!((-0.0_f64).put().map(|zero| format!("{zero:?}")), Ok("Real(0.0)".to_owned()));
        assert_eq!(u64::MAX.put(), Err(CellError::OutOfRange));
        assert_eq!(u64::take(Value::Integer(-1)), Err(CellError::OutOfRange));
        assert_eq!(None::<f64>.put(), Ok(Value::Null));
        assert_eq!(String::take(Value::Null), Err(CellError::OtherType));
    }
}
