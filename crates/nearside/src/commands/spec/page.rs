//! The answer of `nearside spec` as a page.

use nearside_report::{Page, Section};
use nearside_units::Date;

use super::text;
use super::view::{
    AlternativeView, Level, MachineView, PartView, ShareView, SpecAnswer, WorkView, price,
};

pub(super) fn of(answer: &SpecAnswer, notes: &[String], today: Date) -> String {
    let foot = format!("nearside {}, {today}", env!("CARGO_PKG_VERSION"));
    let mut sections = Vec::new();
    let lead = match answer.least() {
        Some(machine) => format!("{} is enough: {}.", machine.short(), machine.total.text()),
        None => "No machine with a price is enough.".to_owned(),
    };
    sections.push(Section::Lead(lead));
    sections.push(Section::Text(format!(
        "For {}, with these savings: {}; a machine works at most {:.0} hours a month.",
        text::people(answer.people),
        answer.accepted,
        answer.hours_per_month
    )));
    if let Some(deadline) = answer.deadline_seconds {
        let deadline = crate::view::seconds(deadline);
        sections.push(Section::Text(format!("The deadline of one pass is {deadline}.")));
    }
    sections.extend(answer.assumed.iter().map(|it| Section::Text(format!("Assumed: {it}."))));
    sections.push(Section::Heading("Machines".to_owned()));
    sections.push(machines(answer));
    if let Some(machine) = answer.least() {
        sections.extend(least(machine));
    }
    if !answer.alternatives.is_empty() {
        sections.push(Section::Heading("Instead".to_owned()));
        let line = |it: &AlternativeView| {
            let machine = it.machine.as_ref();
            let machine = machine.map(|it| format!("{}: {}, ", it.short(), it.total.text()));
            format!("{}: {}{}", it.name, machine.unwrap_or_default(), it.sentence)
        };
        sections.push(Section::List(answer.alternatives.iter().map(line).collect()));
    }
    if let Some(tree) = &answer.tree {
        sections.push(Section::Heading("What decides it".to_owned()));
        let text = format!("Of {} combinations, each computed.", tree.cases);
        sections.push(Section::Text(text));
        sections.push(Section::Drawing(tree.svg.clone()));
    }
    if !notes.is_empty() {
        sections.push(Section::Heading("To beware of".to_owned()));
        sections.push(Section::List(notes.to_vec()));
    }
    Page { title: format!("The smallest machine for {}", answer.name), foot, sections }.html()
}

fn heads<const N: usize>(heads: [&str; N]) -> Vec<String> {
    heads.map(str::to_owned).to_vec()
}

fn machines(answer: &SpecAnswer) -> Section {
    let row = |level: &Level| {
        let mut row = vec![level.comfort.clone()];
        match &level.machine {
            Some(machine) => row.extend(text::cells(machine)),
            None => row.push("none with a price".to_owned()),
        }
        row.resize(7, String::new());
        row
    };
    let heads =
        heads(["machine", "price", "accelerators", "main memory", "cores", "disk", "supply"]);
    Section::Table(heads, answer.machines.iter().map(row).collect())
}

fn least(machine: &MachineView) -> Vec<Section> {
    let part = |part: &PartView| {
        let source = part.origin().unwrap_or_default();
        vec![
            part.role.clone(),
            format!("{}x {} ({})", part.count, part.title, part.condition),
            price(&part.price, &machine.each.currency),
            source,
        ]
    };
    let work = |work: &WorkView| {
        let model = work.model.clone().unwrap_or_default();
        vec![
            work.stage.clone(),
            format!("{} {model}", work.task),
            text::how(work),
            crate::view::seconds(work.run_seconds),
            text::hours(work),
        ]
    };
    vec![
        Section::Heading("The minimum, part by part".to_owned()),
        Section::Table(
            heads(["part", "what", "price", "source"]),
            machine.parts.iter().map(part).collect(),
        ),
        Section::Heading("What demands it, and what is left unused".to_owned()),
        Section::Table(
            heads(["part", "demanded by", "needed", "unused"]),
            machine.shares.iter().map(ShareView::row).collect(),
        ),
        Section::Heading("How the work is done".to_owned()),
        Section::Table(
            heads(["stage", "work", "how", "one run", "h/month"]),
            machine.work.iter().map(work).collect(),
        ),
    ]
}
