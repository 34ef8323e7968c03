//! `[sites]`: which places a plan may use, by name or by pattern.

use std::ops::Range;

use crate::Located;
use crate::project_file::{Named, SiteTable, SitesTable, in_file_order};
use crate::reader::Reader;
use crate::site::{self, HERE, Site};

/// The places a plan may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Sites {
    /// One's own, in the order of the file; `here` comes first where the file does not place it.
    pub own: Vec<Site>,
    /// What may be used.
    pub used: Vec<SitePattern>,
    /// What may not, whatever `used` says.
    pub never: Vec<SitePattern>,
    /// Whether rented machines may be interruptible ones.
    pub spot: Spot,
}

/// Whether rented machines may be interruptible ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// They may.
    Allowed,
    /// They may not.
    Refused,
}

/// The name of a site, or a pattern of names in which `*` stands for anything, as in `aws/*`.
/// A pattern must cover the whole name.
///
/// ```
/// use nearside_workload::SitePattern;
/// let pattern = SitePattern::new("aws/g5.*");
/// assert!(pattern.matches("aws/g5.xlarge"));
/// assert!(!pattern.matches("aws/p5.48xlarge"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePattern {
    /// As written.
    pub text: String,
    /// Where it stands in the file.
    pub span: Range<usize>,
}

impl SitePattern {
    /// A pattern that stands in no file.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), span: 0..0 }
    }

    /// Whether it can only be the name of an own site.
    #[must_use]
    pub fn is_name(&self) -> bool {
        !self.text.contains(['/', '*'])
    }

    /// Whether it covers that site.
    #[must_use]
    pub fn matches(&self, site: &str) -> bool {
        matches(&self.text, site)
    }
}

impl From<&Located<String>> for SitePattern {
    fn from(text: &Located<String>) -> Self {
        Self { text: text.value.clone(), span: text.span.clone() }
    }
}

/// Whether a text is covered: the pieces between stars occur in it in order, the first at its start
/// and the last at its end.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = text.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    text.ends_with(last)
}

impl Sites {
    /// An own site by its name.
    #[must_use]
    pub fn own(&self, name: &str) -> Option<&Site> {
        self.own.iter().find(|site| site.name == name)
    }

    /// Whether a plan may use that site.
    #[must_use]
    pub fn uses(&self, name: &str) -> bool {
        let any = |patterns: &[SitePattern]| patterns.iter().any(|pattern| pattern.matches(name));
        any(&self.used) && !any(&self.never)
    }
}

/// Reads every `[site.NAME]` and `[sites]`.
pub(crate) fn read(reader: &mut Reader, tables: &Named<SiteTable>, rules: &SitesTable) -> Sites {
    let mut own: Vec<Site> = Vec::new();
    for (name, table) in in_file_order(tables) {
        reader.check_name("site", name);
        own.push(site::read(reader, name, table));
    }
    if own.iter().all(|site| site.name != HERE) {
        let name = Located::new(HERE.to_owned(), 0..0);
        own.insert(0, site::read(reader, &name, &SiteTable::default()));
    }
    let names: Vec<&str> = own.iter().map(|site| site.name.as_str()).collect();
    let used = rules.used.as_ref().map(|used| patterns(reader, used, &names));
    let never = patterns(reader, &rules.never, &names);
    let used = used.unwrap_or_else(|| {
        let why = "one's own machines; rented ones are used when sites.use names them";
        reader.assume("sites.use".to_owned(), format!("{names:?}"), why);
        names.iter().map(|name| SitePattern::new(name)).collect()
    });
    let spot = rules.spot.unwrap_or_else(|| {
        let why = "work that cannot resume would be lost when the provider interrupts it";
        reader.assume("sites.spot".to_owned(), "false".to_owned(), why);
        false
    });
    let spot = if spot { Spot::Allowed } else { Spot::Refused };
    Sites { own, used, never, spot }
}

/// Names and patterns of sites; a plain name that is no own site is an error.
pub(crate) fn patterns(
    reader: &mut Reader,
    texts: &[Located<String>],
    own: &[&str],
) -> Vec<SitePattern> {
    for text in texts {
        let pattern = SitePattern::from(text);
        if pattern.is_name() && !own.contains(&text.value.as_str()) {
            let message = format!("unknown site \"{}\"", text.value);
            reader.report(&text.span, message, Some(unknown_site_hint(&text.value, own)));
        }
    }
    texts.iter().map(SitePattern::from).collect()
}

/// What to do about a site that is neither an own one nor a pattern of rented ones.
fn unknown_site_hint(name: &str, own: &[&str]) -> String {
    match crate::suggest::nearest(name, own.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("add a table [site.{name}], or write \"{name}/*\" for rented machines"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_names() {
        for (pattern, site, covered) in [
            ("here", "here", true),
            ("here", "there", false),
            ("aws/*", "aws/g5.xlarge", true),
            ("aws/*", "aws", false),
            ("*/g5.*large", "aws/g5.xlarge", true),
            ("*/g5.*large", "aws/g5.metal", false),
            ("a*a", "a", false),
            ("*", "anything", true),
        ] {
            assert_eq!(SitePattern::new(pattern).matches(site), covered, "{pattern} {site}");
        }
    }
}
