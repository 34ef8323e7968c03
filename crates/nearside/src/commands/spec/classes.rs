//! The least machines for every kind of model, scale and task, as one table.

use std::fmt::Write as _;

use nearside_catalog::Catalog;
use nearside_economics::requirements::{Asked, Case, Comfort, Compute, Found, Machine};
use nearside_estimate::Accepted;
use nearside_units::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::Market;
use super::tree::{TreeView, view};
use super::view::MachineView;
use crate::cli::{ModelClass, Scale, Spec, TreeForm};
use crate::environment;
use crate::error::CommandError;
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::wire::requirements::{Kind, Terms, allowed, kinds, of_kind, only};

/// The answer of `nearside spec --classes`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ClassesAnswer {
    /// A row for every kind and task.
    rows: Vec<KindRow>,
    /// The decision tree, where it was asked for.
    tree: Option<TreeView>,
}

/// A kind of model, what is done with it, and the machines for it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct KindRow {
    /// cnn, transformer or diffusion.
    class: String,
    /// small, medium or large.
    scale: String,
    /// The model that stands for it.
    model: String,
    /// What is done with it.
    task: String,
    /// How fast is enough.
    enough: String,
    /// The least machine with what gives the same result.
    same_result: Least,
    /// The least machine with what costs some accuracy as well.
    some_loss: Least,
    /// A comfortable machine, with what gives the same result.
    comfortable: Least,
}

/// A machine, or what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct Least {
    /// The least memory that any accepted way needs on each of its accelerators, in bytes.
    needed_bytes: Option<u64>,
    /// The cheapest machine, or the smallest without a price.
    machine: Option<MachineView>,
    /// Whether it has a price.
    priced: bool,
    /// Why there is none.
    nothing: Option<String>,
}

pub(super) fn run(
    arguments: &Spec,
    terms: &Terms,
    catalog: &Catalog,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let kinds: Vec<Kind> = kinds().collect();
    let mut rows = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        output.progress(&format!("computing machines ({} of {})", at + 1, kinds.len()));
        rows.push(row(*kind, arguments, terms, catalog)?);
    }
    let tree = arguments.tree.map(|_| tree(&rows));
    let answer = ClassesAnswer { rows, tree };
    if output.form == Form::Json {
        let envelope = Answer {
            schema: "nearside/spec-classes/1",
            data: &answer,
            warnings: &[],
            sources: &[],
        };
        output.json(&envelope, environment::today());
        return Ok(Outcome::Done);
    }
    match (&answer.tree, arguments.tree) {
        (Some(tree), Some(TreeForm::Mermaid)) => output.text(&tree.mermaid),
        (Some(tree), _) => output.text(&format!("{}\n\n{}", text(&answer), tree.text)),
        _ if arguments.markdown => output.text(&markdown(&answer)),
        _ => output.text(&text(&answer)),
    }
    Ok(Outcome::Done)
}

fn row(
    kind: Kind,
    arguments: &Spec,
    terms: &Terms,
    catalog: &Catalog,
) -> Result<KindRow, CommandError> {
    let terms = Terms { accepted: Accepted::SomeLoss, ..*terms };
    let wanted = of_kind(kind, &terms, catalog)?;
    let market = Market::of(&wanted, arguments, catalog)?;
    let found = |accepted: Accepted, comfort: Comfort| {
        let allowed = allowed(&wanted.question.works, accepted);
        let only = |computes: Vec<Compute>| only(&computes, &allowed);
        let found = market.least(&wanted.question, comfort, &market.shelf, only);
        let view = |machine: &Machine| {
            (MachineView::of(&wanted, comfort, machine, market.shelf.currency()), machine.clone())
        };
        let found_machine = match &found {
            Found::Cheapest(machine) => Some(view(machine)),
            Found::Unpriced(machines) => machines.first().map(view),
            Found::Nothing(_) => None,
        };
        let nothing = match &found {
            Found::Nothing(why) => why.first().map(|(_, why)| why.to_string()),
            _ => None,
        };
        let needed = found_machine.as_ref().and_then(|(_, machine)| {
            market.needed.borrow().least_accelerator_memory(machine.accelerators.as_ref(), &allowed)
        });
        Least {
            needed_bytes: needed.map(Bytes::get),
            priced: found.cheapest().is_some(),
            machine: found_machine.map(|(view, _)| view),
            nothing,
        }
    };
    Ok(KindRow {
        class: name(kind.class).to_owned(),
        scale: scale(kind.scale).to_owned(),
        model: kind.model().to_owned(),
        task: kind.task.name().to_owned(),
        enough: kind.enough().to_owned(),
        same_result: found(Accepted::SameResult, Comfort::Minimum),
        some_loss: found(Accepted::SomeLoss, Comfort::Minimum),
        comfortable: found(Accepted::SameResult, Comfort::Comfortable),
    })
}

const fn name(class: ModelClass) -> &'static str {
    match class {
        ModelClass::Cnn => "cnn",
        ModelClass::Transformer => "transformer",
        ModelClass::Diffusion => "diffusion",
    }
}

const fn scale(scale: Scale) -> &'static str {
    match scale {
        Scale::Small => "small",
        Scale::Medium => "medium",
        Scale::Large => "large",
    }
}

impl Least {
    fn short(&self) -> String {
        self.machine.as_ref().map_or("nothing on the shelf".to_owned(), |machine| {
            let accelerators = machine.accelerators.as_deref().unwrap_or("no accelerator");
            format!("{accelerators}, {}", Bytes::new(machine.memory_bytes))
        })
    }

    fn price(&self) -> String {
        match (&self.machine, self.priced) {
            (Some(machine), true) => machine.total.text(),
            _ => "unknown".to_owned(),
        }
    }

    fn needed(&self) -> String {
        self.needed_bytes.map_or("-".to_owned(), |bytes| Bytes::new(bytes).to_string())
    }
}

const HEADS: [&str; 10] = [
    "class",
    "model",
    "task",
    "enough",
    "same result needs",
    "least machine",
    "price",
    "some loss needs",
    "least machine",
    "price",
];

fn cells(row: &KindRow) -> Vec<String> {
    vec![
        format!("{} {}", row.scale, row.class),
        row.model.clone(),
        row.task.clone(),
        row.enough.clone(),
        row.same_result.needed(),
        row.same_result.short(),
        row.same_result.price(),
        row.some_loss.needed(),
        row.some_loss.short(),
        row.some_loss.price(),
    ]
}

fn text(answer: &ClassesAnswer) -> String {
    let align = |(at, head): (usize, &&'static str)| {
        let number = [4, 6, 7, 9].contains(&at);
        (*head, if number { Align::Right } else { Align::Left })
    };
    let heads: Vec<_> = HEADS.iter().enumerate().map(align).collect();
    table(&heads, answer.rows.iter().map(cells).collect())
}

fn markdown(answer: &ClassesAnswer) -> String {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let heads: Vec<String> =
        HEADS.iter().chain(&["comfortable", "price"]).map(|head| (*head).to_owned()).collect();
    let mut text = line(&heads);
    let _ = write!(text, "\n|{}", " --- |".repeat(heads.len()));
    for row in &answer.rows {
        let mut cells = cells(row);
        cells.extend([row.comfortable.short(), row.comfortable.price()]);
        let _ = write!(text, "\n{}", line(&cells));
    }
    text
}

/// Which of class, scale, task and savings decide the accelerators.
fn tree(rows: &[KindRow]) -> TreeView {
    let distinct = |of: fn(&KindRow) -> &String| {
        let mut found: Vec<String> = Vec::new();
        for row in rows {
            if !found.contains(of(row)) {
                found.push(of(row).clone());
            }
        }
        found
    };
    let (classes, scales, tasks) =
        (distinct(|row| &row.class), distinct(|row| &row.scale), distinct(|row| &row.task));
    let mut cases = Vec::new();
    for row in rows {
        let place = |among: &[String], what: &String| {
            among.iter().position(|it| it == what).unwrap_or_default()
        };
        for (savings, least) in [(0, &row.same_result), (1, &row.some_loss)] {
            let answers = vec![
                place(&classes, &row.class),
                place(&scales, &row.scale),
                place(&tasks, &row.task),
                savings,
            ];
            let unpriced = if least.priced { "" } else { " (no price known)" };
            cases.push(Case { answers, result: format!("{}{unpriced}", least.short()) });
        }
    }
    let asked =
        |question: &str, answers: Vec<String>| Asked { question: question.to_owned(), answers };
    let savings = vec![Accepted::SameResult.to_string(), Accepted::SomeLoss.to_string()];
    view(
        &[
            asked("which class of model", classes),
            asked("how large", scales),
            asked("what is done with it", tasks),
            asked("which savings may be used", savings),
        ],
        &cases,
    )
}
