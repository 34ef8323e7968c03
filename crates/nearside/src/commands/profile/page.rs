//! The answer of `nearside profile` as a page.

use nearside_probe::verdict::Share;
use nearside_report::{Page, Section, Stacked};
use nearside_units::Date;

use super::text::{change, command, summary, usage_cells};
use super::view::{Found, ProfileAnswer};

pub(super) fn of(answer: &ProfileAnswer, today: Date) -> String {
    let sections = answer.found.as_ref().map(|found| sections(answer, found)).unwrap_or_default();
    let foot = format!("nearside {}, {today}", env!("CARGO_PKG_VERSION"));
    Page { title: "What held this command back".to_owned(), foot, sections }.html()
}

fn sections(answer: &ProfileAnswer, found: &Found) -> Vec<Section> {
    let mut sections = vec![
        Section::Code(command(answer)),
        Section::Lead(found.sentence.clone()),
        Section::Text(summary(answer, found)),
        Section::Heading("Where the time went".to_owned()),
        Section::Drawing(chart(found).svg()),
    ];
    let mut list = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            sections.push(Section::Heading(heading.to_owned()));
            sections.push(Section::List(lines));
        }
    };
    list("Because", found.because.clone());
    list("Worth trying", found.changes.iter().map(change).collect());
    let heads = ["resource", "utilisation", "used", "waiting threads", "errors"];
    sections.push(Section::Heading("Resources".to_owned()));
    sections.push(Section::Table(
        heads.map(str::to_owned).to_vec(),
        found.usage.iter().map(usage_cells).collect(),
    ));
    if !found.unseen.is_empty() {
        sections.push(Section::Heading("Not seen".to_owned()));
        sections.push(Section::List(found.unseen.clone()));
    }
    sections
}

fn chart(found: &Found) -> Stacked {
    Stacked {
        title: "Shares of the time, over time".to_owned(),
        bands: Share::ALL.map(|share| share.title().to_owned()).to_vec(),
        stretches: found
            .over_time
            .iter()
            .map(|stretch| (stretch.seconds, stretch.shares.to_vec()))
            .collect(),
    }
}
