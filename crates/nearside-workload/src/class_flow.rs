//! How sensitive the data of each stage is: class flows along inputs, and promises lower it.

use nearside_policy::{Class, flow};

use crate::dataset::Dataset;
use crate::graph::StageGraph;
use crate::stage::{Input, Reliance, Stage};

/// Gives each stage the class of what it reads and the promises that rests on, and each output its
/// class. A stage that does not declare its inputs reads everything upstream of it: what the
/// stages upstream read and write, and where there are none, every dataset.
pub(crate) fn assign(stages: &mut [Stage], datasets: &[Dataset], graph: &StageGraph) {
    for number in graph.order.iter().copied() {
        let (reads, relies_on) = match stages.get(number).map(|stage| &stage.inputs) {
            Some(Some(inputs)) => declared(inputs, stages, datasets),
            Some(None) => (undeclared(number, stages, datasets, graph), Vec::new()),
            None => continue,
        };
        let Some(stage) = stages.get_mut(number) else { continue };
        stage.reads = reads;
        stage.relies_on = relies_on;
        for output in &mut stage.outputs {
            output.class = flow([reads], output.promised);
        }
    }
}

/// The highest class of declared inputs, and the promises it rests on.
fn declared(inputs: &[Input], stages: &[Stage], datasets: &[Dataset]) -> (Class, Vec<Reliance>) {
    let mut classes = Vec::new();
    let mut relies_on: Vec<Reliance> = Vec::new();
    for input in inputs {
        match input {
            Input::Dataset(name) => {
                let named = datasets.iter().find(|dataset| dataset.name.value == *name);
                classes.extend(named.map(|dataset| dataset.class));
            }
            Input::Output { stage, output, .. } => {
                let from = stages.iter().find(|candidate| candidate.name.value == *stage);
                let Some(from) = from else { continue };
                classes.extend(from.output(output).map(|output| output.class));
                for reliance in reliances(from, output) {
                    if !relies_on.contains(&reliance) {
                        relies_on.push(reliance);
                    }
                }
            }
        }
    }
    (flow(classes, None), relies_on)
}

/// What the class of an output rests on: its own promise where that lowers it, else whatever the
/// class of the stage's inputs rests on.
fn reliances(stage: &Stage, path: &str) -> Vec<Reliance> {
    let promised = stage.output(path).and_then(|output| output.promised);
    match promised.filter(|promised| *promised < stage.reads) {
        Some(class) => {
            vec![Reliance { stage: stage.name.value.clone(), output: path.to_owned(), class }]
        }
        None => stage.relies_on.clone(),
    }
}

/// The highest class upstream. It rests on no promise: what a promise lowers was read upstream too.
fn undeclared(number: usize, stages: &[Stage], datasets: &[Dataset], graph: &StageGraph) -> Class {
    let ancestors = graph.ancestors(number);
    if ancestors.is_empty() {
        return flow(datasets.iter().map(|dataset| dataset.class), None);
    }
    let upstream = ancestors.iter().filter_map(|ancestor| stages.get(*ancestor));
    let classes = upstream
        .flat_map(|stage| stage.outputs.iter().map(|output| output.class).chain([stage.reads]));
    flow(classes, None)
}
