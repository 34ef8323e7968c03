//! What `nearside.toml` says, checked: the one value that every command starts from.

use nearside_policy::{Class, Clearance};
use nearside_units::{Bytes, Known};

use crate::class_flow;
use crate::dataset::{self, Dataset, Model};
use crate::graph::{Cycle, StageGraph};
use crate::money::{self, Rates, Team};
use crate::objective::{self, Objective};
use crate::policy::{self, ProjectPolicy};
use crate::project_file::ProjectFile;
use crate::reader::Reader;
use crate::roi::StatedInputs;
use crate::site::Ownership;
use crate::sites::{self, Sites};
use crate::stage::{Reliance, Stage};
use crate::stage_table::{self, Names};
use crate::structure;
use crate::{Assumption, ProjectError, network};

/// What a project file says, checked: every name in it resolves within it, every quantity is in
/// range, the stages can be put in order. Names of the catalog are not looked up yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Data, in the order of the file.
    pub datasets: Vec<Dataset>,
    /// Models, in the order of the file.
    pub models: Vec<Model>,
    /// Stages, in the order of the file.
    pub stages: Vec<Stage>,
    /// Which stage waits for which, and the order to take them in.
    pub graph: StageGraph,
    /// One's own sites, and which sites a plan may use.
    pub sites: Sites,
    /// The currency, and what others are worth in it.
    pub money: Rates,
    /// Who works on it.
    pub team: Team,
    /// What is stated for the question whether a machine pays.
    pub roi: StatedInputs,
    /// Where data may be.
    pub policy: ProjectPolicy,
    /// What a good plan is.
    pub objective: Objective,
    /// What the file does not say and was assumed.
    pub assumptions: Vec<Assumption>,
}

impl Project {
    /// Reads a project file.
    ///
    /// ```
    /// use nearside_workload::Project;
    /// let project = Project::parse("version = 1\nname = \"demo\"\n").unwrap();
    /// assert_eq!(project.sites.own[0].name, "here");
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file: first syntax, then unknown keys
    /// and wrong types, then meaning.
    pub fn parse(text: &str) -> Result<Self, Vec<ProjectError>> {
        Self::parse_beside(text, &|_| None)
    }

    /// Reads a project file whose data lies beside it: `size_of` tells the size of a path, relative to
    /// the project. It is only asked for datasets of unstated size that a stage with a workload reads.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_beside(
        text: &str,
        size_of: &dyn Fn(&str) -> Option<Bytes>,
    ) -> Result<Self, Vec<ProjectError>> {
        let document = structure::document(text)?;
        let file: ProjectFile = structure::tables(document, text)?;
        let mut reader = Reader::default();
        let mut project = read(&mut reader, &file, size_of);
        project.graph = order(&mut reader, &project.stages);
        class_flow::assign(&mut project.stages, &project.datasets, &project.graph);
        network::assume(&mut reader, &project.stages);
        project.assumptions = reader.finish()?;
        Ok(project)
    }

    /// A stage by its name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name.value == name)
    }

    /// A dataset by its name.
    #[must_use]
    pub fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.name.value == name)
    }

    /// A model by its name.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name.value == name)
    }

    /// What a site is cleared for, an own one or one of the catalog; see
    /// [`ProjectPolicy::clearance`].
    #[must_use]
    pub fn clearance(&self, site: &str, ownership: Ownership) -> Clearance {
        let stated: Option<Class> = self.sites.own(site).and_then(|site| site.clearance);
        self.policy.clearance(site, ownership, stated)
    }

    /// Every promise that lowers a class: a plan is conditional on their certificates.
    #[must_use]
    pub fn conditions(&self) -> Vec<Reliance> {
        let lowered = |stage: &Stage| -> Vec<Reliance> {
            let lower = |class: &Class| *class < stage.reads;
            let outputs = stage.outputs.iter();
            let promised = outputs.filter_map(|output| {
                let class = output.promised.filter(lower)?;
                let (stage, output) = (stage.name.value.clone(), output.path.clone());
                Some(Reliance { stage, output, class })
            });
            promised.collect()
        };
        self.stages.iter().flat_map(lowered).collect()
    }
}

/// Everything but the order of the stages. Money comes last: it checks every currency seen.
fn read(
    reader: &mut Reader,
    file: &ProjectFile,
    size_of: &dyn Fn(&str) -> Option<Bytes>,
) -> Project {
    let name = match &file.name {
        Some(name) => name.value.clone(),
        None => {
            let why = "the file does not name the project";
            reader.assume("name".to_owned(), "\"project\"".to_owned(), why);
            "project".to_owned()
        }
    };
    let sites = sites::read(reader, &file.site, &file.sites);
    // Data is where work may run, unless the file says otherwise.
    let (used, unused): (Vec<_>, Vec<_>) =
        sites.own.iter().map(|site| site.name.as_str()).partition(|name| sites.uses(name));
    let own: Vec<&str> = used.into_iter().chain(unused).collect();
    let mut datasets = dataset::read(reader, &file.dataset, &own);
    for dataset in datasets.iter_mut().filter(|dataset| is_worked_on(file, dataset)) {
        if let (Known::Unknown(_), Some(size)) = (&dataset.size, size_of(&dataset.path)) {
            dataset.size = Known::Value(size);
        }
    }
    let models = dataset::read_models(reader, &file.model);
    let names = Names { datasets: &datasets, models: &models, sites: &sites };
    let stages = stage_table::read(reader, &file.stage, &names);
    let policy = policy::read(reader, &file.policy, &sites.own);
    let team = money::read_team(reader, &file.team);
    let objective = objective::read(reader, &file.objective);
    let money = money::read(reader, &file.money);
    Project {
        name,
        datasets,
        models,
        stages,
        graph: StageGraph::default(),
        sites,
        money,
        team,
        roi: StatedInputs::read(&file.roi),
        policy,
        objective,
        assumptions: Vec::new(),
    }
}

/// Whether a stage with a workload reads a dataset; one without inputs may read everything.
fn is_worked_on(file: &ProjectFile, dataset: &Dataset) -> bool {
    let name = &dataset.name.value;
    file.stage.values().filter(|stage| stage.workload.is_some()).any(|stage| match &stage.inputs {
        Some(inputs) => inputs.iter().any(|input| input.value == *name),
        None => true,
    })
}

/// The stages in order, or an error that names the cycle.
fn order(reader: &mut Reader, stages: &[Stage]) -> StageGraph {
    match StageGraph::new(stages) {
        Ok(graph) => graph,
        Err(Cycle(cycle)) => {
            let on_cycle = cycle.iter().filter_map(|stage| stages.get(*stage));
            let names: Vec<&str> = on_cycle.map(|stage| stage.name.value.as_str()).collect();
            let first = cycle.first().and_then(|stage| stages.get(*stage));
            let message = format!("stages wait for each other: {}", names.join(" -> "));
            let hint = "remove one of these inputs or one of these after entries".to_owned();
            let span = first.map(|stage| stage.name.span.clone()).unwrap_or_default();
            reader.report(&span, message, Some(hint));
            StageGraph::default()
        }
    }
}
