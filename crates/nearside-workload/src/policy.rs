//! `[policy]`: which sites may hold which class of data, and where data must stay.

use nearside_policy::{Area, Class, Clearance, Policy};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::named::named;
use crate::project_file::PolicyTable;
use crate::reader::Reader;
use crate::site::{Ownership, Site};
use crate::sites::{SitePattern, patterns};

/// What becomes of a stage that reads data about people where the system refuses to cut it off the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// It runs, and a warning says so.
    #[default]
    WherePossible,
    /// It does not run.
    Required,
}

impl Sandbox {
    const NAMES: [(Self, &'static str); 2] =
        [(Self::WherePossible, "where-possible"), (Self::Required, "required")];
}
named!(Sandbox, "sandbox");

/// What the project says about where data may be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectPolicy {
    /// The areas that data which is not public must stay in.
    pub rules: Policy,
    /// The sites that may hold internal data, where stated.
    pub internal: Option<Vec<SitePattern>>,
    /// The sites that may hold personal data, where stated.
    pub personal: Option<Vec<SitePattern>>,
    /// The sites that may hold special categories of data, where stated.
    pub special: Option<Vec<SitePattern>>,
    /// Whether stages on data about people have to be cut off the network.
    pub sandbox: Sandbox,
    /// What is said of the processing as such.
    pub record: ProcessingRecord,
}

/// What a record of processing activities needs and no program can find out (GDPR articles 30 and 35).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessingRecord {
    /// Who is responsible, with how to reach them.
    pub controller: Option<String>,
    /// Their representative or others who are responsible with them.
    pub representative: Option<String>,
    /// Their data protection officer.
    pub officer: Option<String>,
    /// What the data is processed for.
    pub purposes: Vec<String>,
    /// On which legal basis.
    pub legal_basis: Option<String>,
    /// Whom the data is about, as in ["customers"].
    pub people: Vec<String>,
    /// After which time which data is erased.
    pub retention: Option<String>,
    /// Measures of security besides those that nearside takes.
    pub measures: Vec<String>,
    /// Why the processing is necessary and in proportion.
    pub necessity: Option<String>,
}

impl ProjectPolicy {
    /// What a site is cleared for.
    ///
    /// A class list names exactly the sites that may hold that class; a site that may hold a class
    /// may hold what is less sensitive. Without a list for a class, an own site may hold it up to
    /// its own `clearance` (special when not stated), a rented one up to internal. A list for
    /// personal data without one for special data leaves special data to the own sites in it.
    #[must_use]
    pub fn clearance(&self, site: &str, ownership: Ownership, stated: Option<Class>) -> Clearance {
        let default = stated.unwrap_or(match ownership {
            Ownership::Own => Class::Special,
            Ownership::Rented => Class::Internal,
        });
        let by_default = |class: Class| match class {
            Class::Special if self.personal.is_some() => {
                default == Class::Special && self.names(Class::Personal, site)
            }
            class => class <= default,
        };
        let may_hold = |class: &Class| {
            self.names(*class, site) || (self.list(*class).is_none() && by_default(*class))
        };
        Clearance(Class::ALL.into_iter().take_while(may_hold).last().unwrap_or(Class::Public))
    }

    /// Whether a list for that class, or for a more sensitive one, names the site.
    fn names(&self, class: Class, site: &str) -> bool {
        let listed = |class: Class| self.list(class).is_some_and(|list| covers(list, site));
        Class::ALL.into_iter().any(|listed_class| listed_class >= class && listed(listed_class))
    }

    /// The sites that may hold a class, where the project lists them.
    #[must_use]
    pub fn list(&self, class: Class) -> Option<&[SitePattern]> {
        match class {
            Class::Public => None,
            Class::Internal => self.internal.as_deref(),
            Class::Personal => self.personal.as_deref(),
            Class::Special => self.special.as_deref(),
        }
    }
}

fn covers(list: &[SitePattern], site: &str) -> bool {
    list.iter().any(|pattern| pattern.matches(site))
}

/// Reads `[policy]`.
pub(crate) fn read(reader: &mut Reader, table: &PolicyTable, own: &[Site]) -> ProjectPolicy {
    let names: Vec<&str> = own.iter().map(|site| site.name.as_str()).collect();
    let mut list =
        |list: &Option<Vec<_>>| list.as_ref().map(|texts| patterns(reader, texts, &names));
    let (internal, personal, special) =
        (list(&table.internal), list(&table.personal), list(&table.special));
    let mut jurisdiction = Vec::new();
    for area in &table.jurisdiction {
        match area.value.parse::<Area>() {
            Ok(area) => jurisdiction.push(area),
            Err(error) => {
                let hint = Some("as in jurisdiction = [\"EU\"]".to_owned());
                reader.report(&area.span, format!("policy.jurisdiction: {error}"), hint);
            }
        }
    }
    let mut section = reader.section("policy");
    let stated = section.choice("sandbox", table.sandbox.as_ref(), Sandbox::names());
    let (rules, sandbox) = (Policy { jurisdiction }, stated.unwrap_or_default());
    let record = table.record.clone();
    let policy = ProjectPolicy { rules, internal, personal, special, sandbox, record };
    for site in own {
        check_agreement(reader, &policy, site);
    }
    policy
}

/// A list and a site's own clearance must not contradict each other.
fn check_agreement(reader: &mut Reader, policy: &ProjectPolicy, site: &Site) {
    let Some(stated) = site.clearance else { return };
    for class in Class::ALL {
        let agree = policy.names(class, &site.name) == (class <= stated);
        if agree || policy.list(class).is_none() {
            continue;
        }
        let verb = if class <= stated { "leaves it out" } else { "names it" };
        let message = format!(
            "site \"{}\" is cleared for {stated} data, but policy.{class} {verb}",
            site.name
        );
        reader.report(&site.span, message, Some("say it in one of the two places".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(internal: &[&str], personal: &[&str], special: &[&str]) -> ProjectPolicy {
        let list = |names: &[&str]| {
            let patterns: Vec<_> = names.iter().map(|name| SitePattern::new(name)).collect();
            (!patterns.is_empty()).then_some(patterns)
        };
        let rules = Policy::default();
        let (internal, personal, special) = (list(internal), list(personal), list(special));
        ProjectPolicy { rules, internal, personal, special, ..ProjectPolicy::default() }
    }

    #[test]
    fn clearances_follow_the_lists() {
        use Class::{Internal, Personal, Public, Special};
        use Ownership::{Own, Rented};
        let none = policy(&[], &[], &[]);
        let personal = policy(&[], &["here", "aws/eu*"], &[]);
        let special = policy(&[], &["here", "lab"], &["lab"]);
        let internal = policy(&["lab"], &[], &[]);
        let both = policy(&["lab"], &["here"], &[]);
        for (policy, site, ownership, expected) in [
            (&none, "here", Own, Special),
            (&none, "aws/x", Rented, Internal),
            (&personal, "here", Own, Special),
            (&personal, "lab", Own, Internal),
            (&personal, "aws/eu-west-1", Rented, Personal),
            (&special, "here", Own, Personal),
            (&special, "lab", Own, Special),
            (&internal, "here", Own, Public),
            (&internal, "aws/x", Rented, Public),
            (&internal, "lab", Own, Special),
            (&both, "here", Own, Special),
        ] {
            assert_eq!(policy.clearance(site, ownership, None).0, expected, "{site} {policy:?}");
        }
        assert_eq!(none.clearance("here", Own, Some(Internal)).0, Internal);
        assert_eq!(none.clearance("box", Rented, Some(Personal)).0, Personal);
    }
}
