//! Reads every `[stage.NAME]`: names resolved, placeholders filled in, trials written out.

use nearside_policy::Class;
use nearside_units::{AtLeast, Bytes, Frequency, Known};

use crate::dataset::{Dataset, Model};
use crate::paths::{check_output, is_within, normal};
use crate::project_file::{Named, StageTable, in_file_order};
use crate::reader::Reader;
use crate::sites::{SitePattern, Sites, patterns};
use crate::stage::{Input, Output, Phase, Stage, Trial};
use crate::stop::Stop;
use crate::workload_spec::{self, Source, WorkloadSpec};
use crate::{Located, Network, stop, suggest, trial};

/// What the names in a stage may refer to.
pub(crate) struct Names<'a> {
    /// Every dataset.
    pub(crate) datasets: &'a [Dataset],
    /// Every model.
    pub(crate) models: &'a [Model],
    /// Every site.
    pub(crate) sites: &'a Sites,
}

/// The outputs of one stage, before its inputs are looked at.
struct Writer {
    stage: String,
    outputs: Vec<Output>,
}

/// Reads every stage in the order of the file.
pub(crate) fn read(
    reader: &mut Reader,
    tables: &Named<StageTable>,
    names: &Names<'_>,
) -> Vec<Stage> {
    let tables = in_file_order(tables);
    let mut writers: Vec<Writer> = Vec::new();
    for (name, table) in &tables {
        reader.check_name("stage", name);
        check_new(reader, name, table, &writers, names.datasets);
        let outputs = outputs(reader, name, table);
        writers.push(Writer { stage: name.value.clone(), outputs });
    }
    tables.iter().map(|(name, table)| stage(reader, name, table, &writers, names)).collect()
}

fn stage(
    reader: &mut Reader,
    name: &Located<String>,
    table: &StageTable,
    writers: &[Writer],
    names: &Names<'_>,
) -> Stage {
    let phase = phase(reader, name, table);
    let inputs = inputs(reader, name, table, writers, names.datasets);
    check_after(reader, name, table, writers);
    let mine = writers.iter().find(|writer| writer.stage == name.value);
    let sites = table.sites.as_ref().map(|sites| allowed_sites(reader, name, sites, names.sites));
    Stage {
        name: name.clone(),
        phase,
        outputs: mine.map(|writer| writer.outputs.clone()).unwrap_or_default(),
        after: others(name, &table.after),
        repeat: repeat(reader, name, table),
        trials: trials(reader, name, table, &input_bytes(&inputs, writers, names), names.models),
        stop: rule(reader, name, table),
        inputs,
        sites,
        image: table.image.as_ref().map(|image| image.value.clone()),
        network: network(reader, name, table),
        reads: Class::Public,
        relies_on: Vec::new(),
    }
}

/// The stages waited for; waiting for oneself has been reported.
fn others(name: &Located<String>, after: &[Located<String>]) -> Vec<String> {
    let others = after.iter().filter(|after| *after != name);
    others.map(|after| after.value.clone()).collect()
}

fn phase(reader: &mut Reader, name: &Located<String>, table: &StageTable) -> Phase {
    if table.run.is_none() && table.workload.is_none() {
        let message = format!("stage \"{}\" has nothing to do", name.value);
        let hint = "add run = \"a command\", or a workload".to_owned();
        reader.report(&name.span, message, Some(hint));
    }
    let mut section = reader.section(format!("stage.{}", name.value));
    let phase = section.choice("phase", table.phase.as_ref(), Phase::names());
    if table.phase.is_none() {
        let message = format!("stage \"{}\" has no phase", name.value);
        let names = Phase::names().collect::<Vec<_>>().join(", ");
        reader.report(&name.span, message, Some(format!("add phase = one of {names}")));
    }
    phase.unwrap_or(Phase::Explore)
}

fn network(reader: &mut Reader, name: &Located<String>, table: &StageTable) -> Option<Network> {
    let mut section = reader.section(format!("stage.{}", name.value));
    section.choice("network", table.network.as_ref(), Network::names())
}

/// When the trials need not all be run; a stage without trials has none to leave out.
fn rule(reader: &mut Reader, name: &Located<String>, table: &StageTable) -> Option<Stop> {
    let stated = table.stop.as_ref()?;
    if table.matrix.is_empty() {
        let message = format!("stage \"{}\" has a rule to stop but no trials", name.value);
        let hint = "add matrix = { rank = [8, 16] }, or remove stop".to_owned();
        reader.report(&stated.span, message, Some(hint));
    }
    stop::read(reader, &name.value, stated)
}

fn repeat(reader: &mut Reader, name: &Located<String>, table: &StageTable) -> Frequency {
    let mut section = reader.section(format!("stage.{}", name.value));
    let stated: Option<Frequency> = section.quantity("repeat", table.repeat.as_ref(), "12/month");
    if let (Some(often), Some(field)) = (stated, &table.repeat)
        && often.per_month() <= 0.0
    {
        section.error(&field.span, "repeat", "never", "remove the stage instead");
    }
    let why = "a stage runs at least once, and budgets are monthly";
    section.or_assume("repeat", stated, Frequency::MONTHLY, why)
}

/// Reports outputs that somebody else writes already, or that are data.
fn check_new(
    reader: &mut Reader,
    name: &Located<String>,
    table: &StageTable,
    earlier: &[Writer],
    datasets: &[Dataset],
) {
    let overlap = |a: &str, b: &str| is_within(a, b) || is_within(b, a);
    for (place, output) in table.outputs.iter().enumerate() {
        check_output(reader, output);
        trial::refuse(reader, output, "an output");
        let path = normal(&output.value);
        let writer = earlier
            .iter()
            .find(|writer| writer.outputs.iter().any(|theirs| overlap(&theirs.path, &path)));
        let twice = table.outputs.iter().take(place).any(|mine| normal(&mine.value) == path);
        let data = datasets.iter().find(|dataset| overlap(&normal(&dataset.path), &path));
        let other = match (writer, twice, data) {
            (Some(writer), ..) => format!("stage \"{}\"", writer.stage),
            (None, true, _) => "the same stage".to_owned(),
            (None, false, Some(dataset)) => {
                let message = format!(
                    "stage \"{}\" would overwrite dataset \"{}\" by writing \"{path}\"",
                    name.value, dataset.name.value
                );
                let hint = "write under build/, or remove the dataset".to_owned();
                reader.report(&output.span, message, Some(hint));
                continue;
            }
            (None, false, None) => continue,
        };
        let message = format!("output \"{path}\" is written by {other} already");
        reader.report(&output.span, message, Some("give each stage its own path".to_owned()));
    }
}

fn outputs(reader: &mut Reader, name: &Located<String>, table: &StageTable) -> Vec<Output> {
    let paths: Vec<String> = table.outputs.iter().map(|path| normal(&path.value)).collect();
    let known = || paths.iter().map(String::as_str).filter(|path| !path.is_empty());
    let promised = in_file_order(&table.promises);
    let sized = in_file_order(&table.sizes);
    for path in promised.iter().map(|(path, _)| path).chain(sized.iter().map(|(path, _)| path)) {
        if !paths.contains(&normal(&path.value)) {
            reader.unknown("output", path, known());
        }
    }
    let mut section = reader.section(format!("stage.{}", name.value));
    let mut output = |path: &String| {
        let promise = promised.iter().find(|(key, _)| normal(&key.value) == *path);
        let size = sized.iter().find(|(key, _)| normal(&key.value) == *path);
        let key = format!("promises.\"{path}\"");
        let promised =
            promise.and_then(|(_, class)| section.choice(&key, Some(class), crate::classes()));
        let key = format!("sizes.\"{path}\"");
        let size = section.quantity(&key, size.map(|(_, size)| *size), "2 GB");
        let why = format!("the size of output \"{path}\" is not stated");
        let size = Known::from_option(size, why);
        Output { path: path.clone(), size, promised, class: Class::Public }
    };
    paths.iter().map(&mut output).collect()
}

fn inputs(
    reader: &mut Reader,
    name: &Located<String>,
    table: &StageTable,
    writers: &[Writer],
    datasets: &[Dataset],
) -> Option<Vec<Input>> {
    let Some(texts) = &table.inputs else {
        let why = "the stage does not declare its inputs: it is taken to read everything upstream";
        let what = format!("stage.{}.inputs", name.value);
        reader.assume(what, "everything upstream".to_owned(), why);
        return None;
    };
    let mut inputs = Vec::new();
    for text in texts {
        trial::refuse(reader, text, "an input");
        match resolve_input(&text.value, writers, datasets) {
            Some(Input::Output { stage, path, .. }) if stage == name.value => {
                let message = format!("stage \"{stage}\" reads \"{path}\", which it writes itself");
                reader.report(&text.span, message, Some("read another path".to_owned()));
            }
            Some(input) => inputs.push(input),
            None => unknown_input(reader, text, writers, datasets),
        }
    }
    Some(inputs)
}

/// A dataset by name, else an output or something in it, else a dataset by path.
fn resolve_input(text: &str, writers: &[Writer], datasets: &[Dataset]) -> Option<Input> {
    let named = datasets.iter().find(|dataset| dataset.name.value == text);
    let path = normal(text);
    let written = || {
        writers.iter().find_map(|writer| {
            let output = writer.outputs.iter().find(|output| is_within(&path, &output.path))?;
            Some(Input::Output {
                stage: writer.stage.clone(),
                output: output.path.clone(),
                path: path.clone(),
            })
        })
    };
    let stored = || datasets.iter().find(|dataset| is_within(&path, &normal(&dataset.path)));
    let dataset = |dataset: &Dataset| Input::Dataset(dataset.name.value.clone());
    named.map(dataset).or_else(written).or_else(|| stored().map(dataset))
}

fn unknown_input(
    reader: &mut Reader,
    text: &Located<String>,
    writers: &[Writer],
    datasets: &[Dataset],
) {
    let outputs = writers.iter().flat_map(|writer| &writer.outputs);
    let known = datasets
        .iter()
        .flat_map(|dataset| [dataset.name.value.as_str(), dataset.path.as_str()])
        .chain(outputs.map(|output| output.path.as_str()));
    let hint = match suggest::nearest(&text.value, known) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("add a [dataset.NAME] with path = \"{}\"", text.value),
    };
    let message = format!("input \"{}\" is neither a dataset nor an output of a stage", text.value);
    reader.report(&text.span, message, Some(hint));
}

fn check_after(
    reader: &mut Reader,
    name: &Located<String>,
    table: &StageTable,
    writers: &[Writer],
) {
    let known: Vec<&str> = writers.iter().map(|writer| writer.stage.as_str()).collect();
    for after in &table.after {
        if after.value == name.value {
            let message = format!("stage \"{}\" waits for itself", name.value);
            reader.report(&after.span, message, Some("remove it from after".to_owned()));
        } else if !known.contains(&after.value.as_str()) {
            reader.unknown("stage", after, known.iter().copied());
        }
    }
}

/// The sites a stage is restricted to; an own site that the project does not use is an error.
fn allowed_sites(
    reader: &mut Reader,
    name: &Located<String>,
    texts: &[Located<String>],
    sites: &Sites,
) -> Vec<SitePattern> {
    let own: Vec<&str> = sites.own.iter().map(|site| site.name.as_str()).collect();
    let allowed = patterns(reader, texts, &own);
    for pattern in &allowed {
        let is_own = own.contains(&pattern.text.as_str());
        if is_own && !sites.uses(&pattern.text) {
            let message = format!(
                "stage \"{}\" may run on \"{}\", which sites.use leaves out",
                name.value, pattern.text
            );
            let hint = format!("add \"{}\" to sites.use", pattern.text);
            reader.report(&pattern.span, message, Some(hint));
        }
    }
    allowed
}

/// The size of everything that a stage reads.
fn input_bytes(inputs: &Option<Vec<Input>>, writers: &[Writer], names: &Names<'_>) -> Known<Bytes> {
    let Some(inputs) = inputs.as_ref().filter(|inputs| !inputs.is_empty()) else {
        return Known::unknown("the stage declares no inputs to take the size of");
    };
    let mut sum = AtLeast::new(Bytes::ZERO);
    for input in inputs {
        let size = match input {
            Input::Dataset(name) => {
                let mut datasets = names.datasets.iter();
                datasets.find(|dataset| dataset.name.value == *name).map(|found| found.size.clone())
            }
            Input::Output { stage, output, .. } => writers
                .iter()
                .find(|writer| writer.stage == *stage)
                .and_then(|writer| writer.outputs.iter().find(|mine| mine.path == *output))
                .map(|output| output.size.clone()),
        };
        let size = size.unwrap_or_else(|| Known::unknown("an input is unknown"));
        sum.add(size, |sum, part| sum.checked_add(part).unwrap_or(Bytes::MAX));
    }
    match sum.missing.first() {
        None => Known::Value(sum.total),
        Some(why) => Known::Unknown(why.clone()),
    }
}

fn trials(
    reader: &mut Reader,
    name: &Located<String>,
    table: &StageTable,
    input_bytes: &Known<Bytes>,
    models: &[Model],
) -> Vec<Trial> {
    let path = format!("stage.{}", name.value);
    let axes = trial::axes(reader, &path, &table.matrix);
    let models: Vec<&str> = models.iter().map(|model| model.name.value.as_str()).collect();
    let mut trials = Vec::new();
    for values in trial::combinations(&axes) {
        let run = table.run.as_ref().and_then(|run| trial::fill(reader, run, &values));
        let workload = table.workload.as_ref().and_then(|workload| -> Option<WorkloadSpec> {
            let fields = trial::fill_table(reader, &workload.value.0, &values)?;
            let source = Source {
                path: format!("{path}.workload"),
                span: workload.span.clone(),
                fields: &fields,
                models: &models,
                input_bytes,
            };
            workload_spec::read(reader, &source)
        });
        let metric = stop::file(reader, table.stop.as_ref(), &values);
        let values = values.into_iter().map(|(axis, value)| (axis, value.value.to_string()));
        trials.push(Trial { values: values.collect(), run, workload, metric });
    }
    trials
}
