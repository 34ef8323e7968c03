//! The runbook as a document.

use nearside_report::{Page, Section};

use super::view::{
    EnvironmentView, FaultView, MachineView, MaintenanceView, RunbookAnswer, StageView,
};
use crate::view::{Figure, Range, seconds_range};

pub(super) fn of(answer: &RunbookAnswer) -> Page {
    let mut sections = vec![Section::Lead(lead(answer))];
    sections.extend(machines(answer));
    sections.extend(environments(&answer.environments));
    sections.extend(stages(answer));
    sections.extend(faults(&answer.faults));
    sections.extend(maintenance(&answer.maintenance));
    Page {
        title: format!("Runbook of {}", answer.project),
        foot: format!(
            "nearside report --runbook, {}: every line is from a file, a measurement or the ledger",
            answer.written_on
        ),
        sections,
    }
}

fn lead(answer: &RunbookAnswer) -> String {
    let due = answer.maintenance.iter().filter(|item| item.status == "due").count();
    let failing = answer.faults.iter().filter(|fault| fault.afterwards.contains("not ended well"));
    let failing = failing.count();
    let (stages, machines) = (answer.stages.len(), answer.machines.len());
    let counted = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    format!(
        "{} on {}; {} that nobody has got past; {} to look after now.",
        counted(stages, "stage", "stages"),
        counted(machines, "machine", "machines"),
        counted(failing, "failure", "failures"),
        counted(due, "thing", "things")
    )
}

fn heading(text: &str) -> Section {
    Section::Heading(text.to_owned())
}

fn heads<const N: usize>(heads: [&str; N]) -> Vec<String> {
    heads.map(str::to_owned).to_vec()
}

fn machines(answer: &RunbookAnswer) -> Vec<Section> {
    let mut sections = vec![heading("Machines")];
    if let Some(why) = &answer.no_plan {
        sections.push(Section::Text(format!("There is no plan, so no machine has a role: {why}.")));
        return sections;
    }
    let row = |machine: &MachineView| {
        let none = || "none".to_owned();
        vec![
            machine.name.clone(),
            machine.whose.clone(),
            machine.what.clone(),
            machine.country.clone().unwrap_or_else(|| "-".to_owned()),
            machine.holds_up_to.clone(),
            if machine.stages.is_empty() { none() } else { machine.stages.join(", ") },
        ]
    };
    let titles = heads(["machine", "whose", "what", "in", "data up to", "stages by the plan"]);
    sections.push(Section::Table(titles, answer.machines.iter().map(row).collect()));
    sections.push(Section::Text("Why each stage goes there: `nearside plan`.".to_owned()));
    sections
}

fn environments(environments: &[EnvironmentView]) -> Vec<Section> {
    let mut sections = vec![heading("Rebuilding the environments")];
    match environments {
        [] => sections.push(Section::Text(
            "The project has no file that an environment could be rebuilt from.".to_owned(),
        )),
        found => {
            let row = |it: &EnvironmentView| {
                vec![it.from.clone(), it.what.clone(), format!("`{}`", it.command)]
            };
            let titles = heads(["from", "what it is", "command"]);
            sections.push(Section::Table(titles, found.iter().map(row).collect()));
        }
    }
    sections
}

fn stages(answer: &RunbookAnswer) -> Vec<Section> {
    let mut sections = vec![
        heading("Running the stages"),
        Section::Code("nearside run                 # what is not computed yet, in order\nnearside why STAGE           # why one would run again\nnearside run --from STAGE    # one and all that wait for it".to_owned()),
    ];
    let row = |stage: &StageView| {
        vec![
            stage.stage.clone(),
            stage.phase.clone(),
            words(&stage.site),
            words(&stage.needs),
            hours(&stage.hours),
            format!("{}/month", nearside_units::significant(stage.runs_per_month)),
            stage.last_ended_well.clone().unwrap_or_else(|| "never".to_owned()),
        ]
    };
    let titles =
        heads(["stage", "phase", "goes to", "needs", "a run takes", "runs", "last ended well"]);
    sections.push(Section::Table(titles, answer.stages.iter().map(row).collect()));
    let row = |stage: &StageView| {
        let list = |items: &[String]| match items {
            [] => "-".to_owned(),
            items => items.join(", "),
        };
        let command =
            stage.command.as_ref().map_or_else(|| "-".to_owned(), |run| format!("`{run}`"));
        vec![
            stage.stage.clone(),
            command,
            list(&stage.inputs),
            list(&stage.outputs),
            stage.reads.clone(),
        ]
    };
    let titles = heads(["stage", "command", "reads", "writes", "class of what it reads"]);
    let rows = answer.stages.iter().map(row).collect();
    sections.push(Section::Folded("Commands and files".to_owned(), titles, rows));
    sections
}

fn faults(faults: &[FaultView]) -> Vec<Section> {
    let mut sections = vec![heading("What has failed")];
    if faults.is_empty() {
        sections.push(Section::Text("The ledger has no failure.".to_owned()));
        return sections;
    }
    let row = |fault: &FaultView| {
        vec![
            fault.stage.clone(),
            fault.said.clone(),
            fault.times.to_string(),
            fault.last.clone(),
            fault.afterwards.clone(),
            fault.remedy.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let titles = heads(["stage", "what it said", "times", "last", "afterwards", "worth trying"]);
    sections.push(Section::Table(titles, faults.iter().map(row).collect()));
    sections
}

fn maintenance(items: &[MaintenanceView]) -> Vec<Section> {
    let row = |item: &MaintenanceView| {
        vec![item.what.clone(), item.status.clone(), words(&item.state), item.action.clone()]
    };
    let titles = heads(["what", "status", "how it stands", "what to do"]);
    vec![heading("Maintenance"), Section::Table(titles, items.iter().map(row).collect())]
}

fn words(figure: &Figure<String>) -> String {
    match figure {
        Figure::Value(text) => text.clone(),
        Figure::Unknown { unknown } => format!("not known: {unknown}"),
    }
}

fn hours(figure: &Figure<Range>) -> String {
    match figure {
        Figure::Value(range) => seconds_range(range.low * 3600.0, range.high * 3600.0),
        Figure::Unknown { .. } => "not known".to_owned(),
    }
}
