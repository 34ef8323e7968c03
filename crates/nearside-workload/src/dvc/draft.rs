//! The stages of a pipeline as text of a project file.

use super::{DvcPipeline, DvcStage};
use crate::draft::{Draft, list, quoted};
use crate::stage::Phase;
use crate::template::DraftDataset;

impl Draft {
    /// Every stage, after what could not be carried over.
    pub(crate) fn pipeline(&mut self, pipeline: &DvcPipeline, datasets: &[DraftDataset]) {
        self.text.push('\n');
        self.comment("The stages of dvc.yaml.");
        for lost in &pipeline.lost {
            self.comment(&format!("not carried over: {lost}"));
        }
        for stage in &pipeline.stages {
            match stage.frozen {
                false => self.dvc_stage(stage, datasets),
                true => self.frozen_stage(stage, datasets),
            }
        }
    }

    /// A stage that is not run, for people who want it back.
    fn frozen_stage(&mut self, stage: &DvcStage, datasets: &[DraftDataset]) {
        let mut apart = Self::default();
        apart.dvc_stage(stage, datasets);
        self.text.push('\n');
        self.comment("frozen: what it wrote is among the datasets");
        for line in apart.text.trim().lines() {
            self.comment(line);
        }
    }

    fn dvc_stage(&mut self, stage: &DvcStage, datasets: &[DraftDataset]) {
        self.table(&format!("stage.{}", key(&stage.name)));
        for note in &stage.notes {
            self.comment(note);
        }
        match stage.phase {
            Some(phase) => self.assumed("phase", quoted(phase.name()), "from its name"),
            None => self.assumed("phase", quoted(Phase::Prepare.name()), "its name says nothing"),
        }
        self.stated("inputs", list(stage.reads.iter().map(|path| input(path, datasets))));
        if !stage.writes.is_empty() {
            self.stated("outputs", list(stage.writes.iter().map(String::as_str)));
        }
        if !stage.matrix.is_empty() {
            let axis = |(name, values): &(String, Vec<String>)| {
                let values: Vec<_> = values.iter().map(|value| number_or_text(value)).collect();
                format!("{} = [{}]", key(name), values.join(", "))
            };
            let axes: Vec<_> = stage.matrix.iter().map(axis).collect();
            self.stated("matrix", format!("{{ {} }}", axes.join(", ")));
        }
        self.stated("run", quoted(&stage.command));
        self.comment("no workload: the plan cannot estimate this stage");
    }
}

/// The name of the dataset at a path, else the path, which some stage writes.
fn input<'a>(path: &'a str, datasets: &'a [DraftDataset]) -> &'a str {
    let dataset = datasets.iter().find(|dataset| dataset.path == path);
    dataset.map_or(path, |dataset| &dataset.name)
}

/// A TOML key, with quotes where it needs them.
fn key(name: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    match !name.is_empty() && name.chars().all(bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// Whole numbers as they are, anything else as the text that it is in a command.
fn number_or_text(value: &str) -> String {
    match value.parse::<i64>() {
        Ok(number) if number.to_string() == value => value.to_owned(),
        _ => quoted(value),
    }
}
