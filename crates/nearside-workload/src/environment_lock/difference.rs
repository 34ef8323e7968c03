//! What tells two environments apart, and what of it could change a result.

use std::collections::BTreeMap;

use nearside_units::Known;

use super::fact::ABSENT;
use super::{Effect, EnvironmentLock, Fact};

/// One part that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub name: String,
    /// How it is in the first environment; `none` where it is not there.
    pub here: String,
    /// How it is in the second one.
    pub there: String,
    /// What the difference can change.
    pub effect: Effect,
    /// How.
    pub why: &'static str,
}

/// One part of which at least one side is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCompared {
    /// What it is.
    pub name: String,
    /// Why it is not known.
    pub why: String,
    /// What a difference could change.
    pub effect: Effect,
}

/// Every difference between two environments, those that could change a result first, and what could
/// not be compared.
///
/// ```
/// use nearside_workload::environment_lock::{Effect, EnvironmentLock, compare};
/// let lock = |numpy: &str| {
///     let text = format!("version = 1\n[python]\nversion = \"3.12.3\"\n[packages]\nnumpy = \"{numpy}\"\n");
///     EnvironmentLock::parse(&text).unwrap()
/// };
/// let (differences, _) = compare(&lock("2.1.0"), &lock("2.2.0"));
/// assert_eq!(differences[0].name, "package numpy");
/// assert_eq!(differences[0].effect, Effect::Result);
/// ```
#[must_use]
pub fn compare(
    here: &EnvironmentLock,
    there: &EnvironmentLock,
) -> (Vec<Difference>, Vec<NotCompared>) {
    let (mut differences, mut not_compared) = (Vec::new(), Vec::new());
    let no_python = [&here.python, &there.python].into_iter().any(|python| python.why().is_some());
    let all = [&here.variables, &there.variables];
    let no_variables = all.into_iter().any(|variables| variables.why().is_some());
    for Pair { name, here: left, there: right } in pairs(here, there) {
        let Some(either) = left.as_ref().or(right.as_ref()) else { continue };
        // Of a Python that is not known no package is told to be missing, and so with variables.
        if no_python && is_of_python(&name) || no_variables && name.starts_with("variable ") {
            continue;
        }
        let value = |fact: &Option<Fact>| {
            fact.as_ref().map_or(Known::Value(ABSENT.to_owned()), |fact| fact.value.clone())
        };
        match value(&left).zip(value(&right)) {
            Known::Value((here, there)) if here == there => {}
            Known::Value((here, there)) => {
                let (effect, why) = (either.effect, either.why);
                differences.push(Difference { name, here, there, effect, why });
            }
            Known::Unknown(why) => {
                let (why, effect) = (why.to_string(), either.effect);
                not_compared.push(NotCompared { name, why, effect });
            }
        }
    }
    differences.sort_by_key(|difference| difference.effect);
    not_compared.sort_by_key(|part| part.effect);
    (differences, not_compared)
}

fn is_of_python(name: &str) -> bool {
    name.starts_with("package ") || ["Python's build", "PyTorch build"].contains(&name)
}

/// A fact of either side, by its name.
struct Pair {
    name: String,
    here: Option<Fact>,
    there: Option<Fact>,
}

/// The facts of both, in the order of the first, then of the second.
fn pairs(here: &EnvironmentLock, there: &EnvironmentLock) -> Vec<Pair> {
    let mut there: BTreeMap<String, Fact> = by_name(there.facts());
    let mut pairs = Vec::new();
    for fact in here.facts() {
        let other = there.remove(&fact.name);
        pairs.push(Pair { name: fact.name.clone(), here: Some(fact), there: other });
    }
    let rest = there.into_iter();
    pairs.extend(rest.map(|(name, fact)| Pair { name, here: None, there: Some(fact) }));
    pairs
}

fn by_name(facts: Vec<Fact>) -> BTreeMap<String, Fact> {
    facts.into_iter().map(|fact| (fact.name.clone(), fact)).collect()
}
