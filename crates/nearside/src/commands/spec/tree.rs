//! Which questions decide the machine: every combination of answers is computed, and the decision tree of
//! that table is what is shown.

use nearside_catalog::{Catalog, Condition};
use nearside_economics::requirements::{
    Asked, Case, Comfort, Compute, Found, Seller, Tree, decision_tree,
};
use nearside_estimate::Accepted;
use nearside_report::Decision;
use nearside_units::Duration;
use schemars::JsonSchema;
use serde::Serialize;

use super::Market;
use super::alternatives::without;
use super::view::{MachineView, whole};
use crate::cli::{FitTask, ModelClass, Scale, Spec};
use crate::error::CommandError;
use crate::output::Output;
use crate::wire::project::Loaded;
use crate::wire::requirements::{self, Kind, Terms, Wanted};

/// A decision tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct TreeView {
    /// Lines of text.
    pub(super) text: String,
    /// A Mermaid flow chart.
    pub(super) mermaid: String,
    /// A drawing.
    pub(super) svg: String,
    /// How many combinations of answers were computed.
    pub(super) cases: usize,
}

/// Teams that are asked about: so many times the people.
const TEAMS: [u64; 3] = [1, 2, 4];

pub(super) fn of_question(
    arguments: &Spec,
    terms: &Terms,
    (projects, peak): (&[Loaded], Option<&str>),
    catalog: &Catalog,
    output: &Output,
) -> Result<TreeView, CommandError> {
    let (asked, cases) = match (arguments.class, arguments.scale) {
        (Some(class), Some(scale)) => of_class(arguments, (class, scale), terms, catalog, output)?,
        _ => of_projects(arguments, terms, (projects, peak), catalog, output)?,
    };
    Ok(view(&asked, &cases))
}

/// The tree of a table.
pub(super) fn view(asked: &[Asked], cases: &[Case]) -> TreeView {
    let tree: Tree = decision_tree(asked, cases);
    let decision = Decision { questions: asked, tree: &tree };
    TreeView {
        text: decision.text(),
        mermaid: decision.mermaid(),
        svg: decision.svg("Which machine is the least that is enough"),
        cases: cases.len(),
    }
}

fn asked(question: &str, answers: impl IntoIterator<Item = String>) -> Asked {
    Asked { question: question.to_owned(), answers: answers.into_iter().collect() }
}

fn savings() -> Asked {
    asked("which savings may be used", Accepted::all().map(|accepted| accepted.to_string()))
}

fn parts() -> Asked {
    asked("which parts", ["new".to_owned(), "used as well".to_owned()])
}

/// Savings, parts, the number of people and where the stage runs that makes a machine large, for projects.
fn of_projects(
    arguments: &Spec,
    terms: &Terms,
    (projects, peak): (&[Loaded], Option<&str>),
    catalog: &Catalog,
    output: &Output,
) -> Result<(Vec<Asked>, Vec<Case>), CommandError> {
    let all = Terms { accepted: Accepted::AnotherMethod, ..*terms };
    let once = requirements::of_projects(projects, &all, catalog)?;
    output.progress("computing what decides the machine");
    let table = Table::of(&once, arguments, catalog)?;
    let teams = TEAMS.map(|times| once.people * times);
    let mut questions =
        vec![savings(), parts(), asked("how many people", teams.map(|people| people.to_string()))];
    questions.extend(peak.map(|stage| {
        asked(
            &format!("where does {stage} run"),
            ["here", "on a rented machine"].map(str::to_owned),
        )
    }));
    let mut cases = Vec::new();
    for (team, times) in TEAMS.into_iter().enumerate() {
        let mut wanted = once.clone();
        for work in &mut wanted.question.works {
            // Who uses a service is not the team.
            if work.up == Duration::ZERO {
                work.monthly *= times as f64;
            }
        }
        let wheres = std::iter::once(None).chain(peak.map(Some));
        for (place, rented) in wheres.enumerate() {
            for (answers, result) in table.results(&wanted, rented) {
                cases.push(Case { answers: vec![answers[0], answers[1], team, place], result });
            }
        }
    }
    Ok((questions, cases))
}

/// Scale, task, savings and parts, for a class of models.
fn of_class(
    arguments: &Spec,
    (class, _): (ModelClass, Scale),
    terms: &Terms,
    catalog: &Catalog,
    output: &Output,
) -> Result<(Vec<Asked>, Vec<Case>), CommandError> {
    let all = Terms { accepted: Accepted::AnotherMethod, ..*terms };
    let scales = [Scale::Small, Scale::Medium, Scale::Large];
    let kinds: Vec<Kind> = requirements::kinds().filter(|kind| kind.class == class).collect();
    let mut tasks: Vec<FitTask> = kinds.iter().map(|kind| kind.task).collect();
    tasks.dedup();
    tasks.truncate(kinds.len() / scales.len());
    let models = scales.map(|scale| Kind { class, scale, task: FitTask::Inference }.model());
    let asked = vec![
        asked("how large is the model", models.map(|model| format!("like {model}"))),
        asked("what is done with it", tasks.iter().map(|task| task.name().to_owned())),
        savings(),
        parts(),
    ];
    let mut cases = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        output.progress(&format!(
            "computing what decides the machine ({} of {})",
            at + 1,
            kinds.len()
        ));
        let scale = scales.iter().position(|scale| *scale == kind.scale).unwrap_or(0);
        let task = tasks.iter().position(|task| *task == kind.task).unwrap_or(0);
        let wanted = requirements::of_kind(*kind, &all, catalog)?;
        let table = Table::of(&wanted, arguments, catalog)?;
        for (answers, result) in table.results(&wanted, None) {
            cases.push(Case { answers: vec![scale, task, answers[0], answers[1]], result });
        }
    }
    Ok((asked, cases))
}

/// What all savings and parts together need and sell, of which answers leave some.
struct Table {
    market: Market,
}

impl Table {
    fn of(wanted: &Wanted, arguments: &Spec, catalog: &Catalog) -> Result<Self, CommandError> {
        Ok(Self { market: Market::of(wanted, arguments, catalog)? })
    }

    /// The least machine for every saving and kind of parts, in a few words; without a stage that is rented.
    fn results(&self, wanted: &Wanted, rented: Option<&str>) -> Vec<([usize; 2], String)> {
        let works = &wanted.question.works;
        let mut found = Vec::new();
        for (saving, accepted) in Accepted::all().enumerate() {
            let allowed = requirements::allowed(works, accepted);
            for (part, new_only) in [(0, true), (1, false)] {
                let accepted = |computes: Vec<Compute>| {
                    let mut computes = requirements::only(&computes, &allowed);
                    computes.retain(|compute| !new_only || is_new(compute));
                    computes
                };
                let result = match rented {
                    None => self.result(wanted, accepted),
                    Some(stage) => {
                        let (question, without) = without(&wanted.question, stage);
                        let wanted = Wanted { question, ..wanted.clone() };
                        self.result(&wanted, |computes| without(accepted(computes)))
                    }
                };
                found.push(([saving, part], result));
            }
        }
        found
    }

    fn result(&self, wanted: &Wanted, accepted: impl Fn(Vec<Compute>) -> Vec<Compute>) -> String {
        let market = &self.market;
        let currency = market.all.currency();
        let view = |machine| MachineView::of(wanted, Comfort::Minimum, machine, currency);
        match market.least(&wanted.question, Comfort::Minimum, &market.all, accepted) {
            Found::Cheapest(machine) => {
                let machine = view(&machine);
                let total = &machine.total;
                format!("{}: {} {}", machine.short(), whole(&total.amount), total.currency)
            }
            Found::Unpriced(machines) => {
                let short = machines.first().map(|machine| view(machine).short());
                format!("{}: no price known", short.unwrap_or_default())
            }
            Found::Nothing(_) => "nothing on the shelf is enough".to_owned(),
        }
    }
}

/// Whether nobody had it before.
fn is_new(compute: &Compute) -> bool {
    match &compute.seller {
        Seller::Nobody => true,
        Seller::Card { condition, .. } => *condition == Condition::New,
        Seller::System(system, _) => system.condition == Condition::New,
    }
}
