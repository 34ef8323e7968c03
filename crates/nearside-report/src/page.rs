//! The answer as one page: in a sentence, in tables, and in charts, each of which stands as a table as well.

mod charts;
mod tables;

use nearside_economics::{Unit, Value};

use crate::figure::figure;
use crate::findings::{Findings, one_line};
use crate::html::{Page, Section};
use crate::notes::NOTES;

/// The findings as HTML that needs nothing else: no script, no request.
#[must_use]
pub fn page(findings: &Findings) -> String {
    let seen = Seen {
        findings,
        names: findings.alternatives(),
        values: findings.roi.sheet.values(),
        currency: findings.currency.code(),
    };
    let mut sections = vec![Section::Lead(seen.answer())];
    let warnings: Vec<String> = findings.warnings.iter().map(|text| one_line(text)).collect();
    if !warnings.is_empty() {
        sections.push(Section::Heading("To be known first".to_owned()));
        sections.push(Section::List(warnings));
    }
    sections.extend(tables::options(&seen));
    sections.extend(charts::all(&seen));
    sections.extend(tables::assumptions(&seen));
    for (heading, lines) in NOTES.iter().skip(1) {
        sections.push(Section::Heading((*heading).to_owned()));
        sections.push(Section::List(lines.iter().map(|line| (*line).to_owned()).collect()));
    }
    let title = format!("Does the machine pay? {}", findings.shown_title());
    let foot = format!("nearside, {}; amounts in {}", findings.date, seen.currency);
    Page { title, foot, sections }.html()
}

/// What all parts of the page look at.
struct Seen<'a> {
    findings: &'a Findings,
    names: Vec<String>,
    values: nearside_economics::Values,
    currency: &'a str,
}

impl Seen<'_> {
    fn number(&self, id: nearside_economics::Id) -> f64 {
        self.values.of(id).number().unwrap_or(0.0)
    }

    fn figure(&self, id: nearside_economics::Id) -> String {
        figure(self.values.of(id), self.findings.roi.sheet.cell(id).unit, self.currency)
    }

    /// The alternative that costs least a month: whatever pays against it pays against all.
    fn strongest(&self) -> Option<usize> {
        let far = &self.findings.roi.far;
        (0..far.len()).min_by(|one, other| {
            self.number(far[*one].month).total_cmp(&self.number(far[*other].month))
        })
    }

    /// The sentence that matters.
    fn answer(&self) -> String {
        let roi = &self.findings.roi;
        let Some(place) = self.strongest() else {
            return format!(
                "Owning costs {} in all; nothing is stated that it could be held against.",
                self.figure(roi.near.month_full)
            );
        };
        let (far, name) = (&roi.far[place], &self.names[place]);
        let years = self.figure(roi.near.life);
        let worth = self.number(far.worth);
        let amount = figure(Value::Number(worth.abs()), Unit::Money, self.currency);
        let verdict = match (worth > 0.0, self.values.of(far.payback)) {
            (true, Value::Number(_)) => format!(
                "Yes: against \"{name}\", the cheapest alternative, the machine has paid for itself after {} \
                 and brings {amount} of today's money over its {years}.",
                self.figure(far.payback),
            ),
            (true, Value::Nothing(_)) => format!(
                "Yes: against \"{name}\", the cheapest alternative, the machine brings {amount} of today's \
                 money over its {years}, though only by what is left of it or by tax."
            ),
            (false, _) => format!(
                "No: against \"{name}\", the cheapest alternative, the machine loses {amount} of today's \
                 money over its {years}."
            ),
        };
        match self.findings.drawn.get(place) {
            Some(drawn) => {
                let gains = (1.0 - drawn.worth.share_up_to(0.0)) * 100.0;
                format!(
                    "{verdict} It pays in {gains:.0} % of the random draws of what is uncertain."
                )
            }
            None => verdict,
        }
    }
}
