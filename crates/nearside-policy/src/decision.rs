//! May this place hold that data? The answer, with its reason.

use std::fmt;

use nearside_units::Known;

use crate::{Area, Class, Clearance, Country};

/// What a decision needs to know of a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The highest class it may hold.
    pub clearance: Clearance,
    /// The country it is in.
    pub country: Known<Country>,
}

/// The rules of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Where data that is not public may be; empty means anywhere.
    pub jurisdiction: Vec<Area>,
}

/// Yes, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The place may hold the data.
    Allowed,
    /// It may not.
    Refused(Refusal),
}

/// Why a place may not hold data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The data is more sensitive than the place is cleared for.
    Clearance {
        /// The class of the data.
        class: Class,
        /// What the place is cleared for.
        clearance: Clearance,
    },
    /// The place is outside the allowed areas.
    Jurisdiction {
        /// Where it is.
        country: Country,
        /// Where it would have to be.
        allowed: Vec<Area>,
    },
    /// Nobody says where the place is.
    UnknownJurisdiction {
        /// Where it would have to be.
        allowed: Vec<Area>,
    },
}

impl Policy {
    /// Whether a place may hold data of that class. Clearance is asked first; jurisdiction binds
    /// everything that is not public; a place of unknown country is outside every area.
    ///
    /// ```
    /// use nearside_policy::{Class, Clearance, Decision, Place, Policy};
    /// use nearside_units::Known;
    /// let policy = Policy { jurisdiction: vec!["EU".parse().unwrap()] };
    /// let virginia = Place {
    ///     clearance: Clearance(Class::Internal),
    ///     country: Known::Value("US".parse().unwrap()),
    /// };
    /// assert_eq!(policy.decide(Class::Public, &virginia), Decision::Allowed);
    /// assert!(matches!(policy.decide(Class::Internal, &virginia), Decision::Refused(_)));
    /// ```
    #[must_use]
    pub fn decide(&self, class: Class, place: &Place) -> Decision {
        if !place.clearance.covers(class) {
            let clearance = place.clearance;
            return Decision::Refused(Refusal::Clearance { class, clearance });
        }
        if class == Class::Public || self.jurisdiction.is_empty() {
            return Decision::Allowed;
        }
        let allowed = || self.jurisdiction.clone();
        match place.country {
            Known::Unknown(_) => {
                Decision::Refused(Refusal::UnknownJurisdiction { allowed: allowed() })
            }
            Known::Value(country) => {
                match self.jurisdiction.iter().any(|area| area.contains(country)) {
                    true => Decision::Allowed,
                    false => {
                        Decision::Refused(Refusal::Jurisdiction { country, allowed: allowed() })
                    }
                }
            }
        }
    }
}

fn listed(areas: &[Area]) -> String {
    areas.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clearance { class, clearance } => {
                write!(formatter, "cleared for {} data, this is {class}", clearance.0)
            }
            Self::Jurisdiction { country, allowed } => {
                write!(formatter, "in {country}, data must stay in {}", listed(allowed))
            }
            Self::UnknownJurisdiction { allowed } => {
                write!(formatter, "country unknown, data must stay in {}", listed(allowed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(clearance: Class, country: &str) -> Place {
        let country = Known::from_option(country.parse().ok(), "not stated");
        Place { clearance: Clearance(clearance), country }
    }

    #[test]
    fn clearance_is_asked_before_jurisdiction() {
        let policy = Policy { jurisdiction: vec![Area::EuropeanUnion] };
        let refused = policy.decide(Class::Personal, &place(Class::Internal, "US"));
        assert!(matches!(refused, Decision::Refused(Refusal::Clearance { .. })));
    }

    #[test]
    fn an_unknown_country_is_outside() {
        let policy = Policy { jurisdiction: vec![Area::EuropeanUnion] };
        let Decision::Refused(refusal) = policy.decide(Class::Internal, &place(Class::Special, ""))
        else {
            panic!("must refuse")
        };
        assert_eq!(refusal.to_string(), "country unknown, data must stay in EU");
        let anywhere = Policy::default();
        assert_eq!(anywhere.decide(Class::Special, &place(Class::Special, "")), Decision::Allowed);
    }
}
