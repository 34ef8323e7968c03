//! Closed enums that are written by name in project files.

/// Gives an enum with a table `NAMES` its names, both ways.
macro_rules! named {
    ($type:ident, $what:literal) => {
        impl $type {
            /// Its name in project files.
            #[must_use]
            pub fn name(self) -> &'static str {
                Self::NAMES.iter().find(|(value, _)| *value == self).map_or("", |(_, name)| name)
            }

            /// Every name, in a fixed order.
            pub fn names() -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().map(|(_, name)| *name)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::NAMES.iter().find(|(_, name)| *name == text);
                found.map(|(value, _)| *value).ok_or_else(|| {
                    let names: Vec<_> = Self::names().collect();
                    format!("unknown {} \"{text}\": use {}", $what, names.join(", "))
                })
            }
        }
    };
}

pub(crate) use named;
