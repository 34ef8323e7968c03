//! The machine held against every rule: what `nearside doctor` looks at, and the answer as data.

pub(super) mod report;
pub(super) mod text;

use std::path::{Path, PathBuf};

use nearside_catalog::{Catalog, TorchWheel};
use nearside_policy::Class;
use nearside_probe::doctor::{
    Check, DataKind, Facts, Identity, Place, Reference, Section, Status, checks, facts, is_system,
};
use nearside_units::{Date, Known};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Doctor;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::Outcome;
use crate::view::Figure;
use crate::wire;
use crate::wire::project::{PROJECT_FILE, file, folder};

/// Newer builds of PyTorch whose refusal is told.
const MOST_REFUSED: usize = 4;

/// What was found out about a machine.
pub(super) struct Examined {
    /// Checks by section.
    pub(super) sections: Vec<SectionView>,
    /// The build of PyTorch that fits.
    pub(super) torch: Figure<TorchView>,
    /// What a report leaves out.
    pub(super) identity: Identity,
    /// What could not be taken into account.
    pub(super) notes: Vec<String>,
}

impl Examined {
    /// A standing fault is a negative finding.
    pub(super) fn outcome(&self) -> Outcome {
        let fault = self.sections.iter().any(|section| section.status == StatusView::Fault);
        if fault { Outcome::Negative } else { Outcome::Done }
    }
}

/// One section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct SectionView {
    /// Its name.
    pub(super) section: String,
    /// The worst of its checks.
    pub(super) status: StatusView,
    /// Its checks.
    pub(super) checks: Vec<CheckView>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StatusView {
    /// There is nothing that it could be about.
    NotApplicable,
    /// What must hold holds.
    Ok,
    /// It could not be found out.
    Unknown,
    /// Work runs, but slower, later or less safely than it could.
    Warning,
    /// Work fails, or will.
    Fault,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct CheckView {
    /// Its name; it stays the same.
    pub(super) id: String,
    /// Which of several things of its kind: a device, an environment, a folder.
    pub(super) about: Option<String>,
    /// How it ended.
    pub(super) status: StatusView,
    /// What was found.
    pub(super) title: String,
    /// What was read, and where.
    pub(super) evidence: Vec<String>,
    /// What must hold.
    pub(super) rule: String,
    /// Who says so.
    pub(super) source: String,
    /// Commands that repair it; a line that begins with # explains.
    pub(super) fix: Vec<String>,
}

/// A build of PyTorch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct TorchView {
    /// `torch 2.14+cu126`.
    pub(super) build: String,
    /// The command that installs it with pip.
    pub(super) pip: String,
    /// The command that installs it with uv.
    pub(super) uv: String,
    /// The oldest driver that runs it; none is needed by number for AMD devices.
    pub(super) driver_floor: Option<String>,
    /// Newer builds that do not run here, and why.
    pub(super) refused: Vec<String>,
    /// Who says what it holds code for.
    pub(super) source: String,
}

/// Looks at the machine that is asked for.
pub(super) fn examine(
    arguments: &Doctor,
    catalog: &Catalog,
    today: Date,
) -> Result<Examined, CommandError> {
    let mut notes = Vec::new();
    let root = arguments.root.as_deref().unwrap_or(Path::new("/"));
    let project = project(arguments)?;
    let variables = match arguments.root {
        None => Some(environment::variables().into_iter().collect()),
        Some(_) => None,
    };
    let place = Place { root, project: project.as_deref(), variables };
    let stated = match (&arguments.root, &arguments.path) {
        (Some(root), path) => path.as_ref().map(|path| beneath(root, path)),
        (None, _) => Some(arguments.project().to_path_buf()),
    };
    let data = stated.map_or(DataKind::Other, |path| data_kind(&path, &mut notes));
    let facts = facts(&place);
    let reference = Reference { catalog, today, data };
    Ok(Examined {
        sections: sections(&checks(&facts, &reference)),
        torch: torch(&facts, catalog),
        identity: facts.identity(),
        notes,
    })
}

/// The project folder as the machine names it: here the one that is named, or where we are.
fn project(arguments: &Doctor) -> Result<Option<PathBuf>, CommandError> {
    let refused = |path: &Path| {
        let message = format!("{} is no folder", path.display());
        Err(CommandError::new(Fault::Input, message)
            .hint("name the folder of a project, or its nearside.toml"))
    };
    match (&arguments.root, &arguments.path) {
        (Some(root), _) if !root.is_dir() => refused(root),
        (Some(root), _) if !is_system(root) => {
            let message =
                format!("{} holds no system: no etc, proc, sys, usr or System", root.display());
            Err(CommandError::new(Fault::Input, message)
                .hint("name the root of a mounted disk or of a recorded machine"))
        }
        (Some(_), None) => Ok(None),
        (Some(root), Some(path)) => {
            let stated = beneath(root, path);
            let folder = folder(&stated);
            match folder.is_dir() {
                true => Ok(Some(Path::new("/").join(folder.strip_prefix(root).unwrap_or(folder)))),
                false => refused(folder),
            }
        }
        (None, _) => {
            let path = folder(arguments.project());
            if !path.is_dir() {
                return refused(path);
            }
            // A path with links in it would be above another disk than the files are.
            Ok(Some(path.canonicalize().unwrap_or_else(|_| path.to_path_buf())))
        }
    }
}

/// A path of another machine below its root.
fn beneath(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// What the project file says of its data, if there is one.
fn data_kind(project: &Path, notes: &mut Vec<String>) -> DataKind {
    if !file(project).is_file() {
        return DataKind::Other;
    }
    match wire::project::load(project, &[]) {
        Ok(loaded) => {
            let mut datasets = loaded.project.datasets.iter();
            let personal = datasets.any(|dataset| dataset.class >= Class::Personal);
            if personal { DataKind::Personal } else { DataKind::Other }
        }
        Err(_) => {
            notes.push(format!(
                "{PROJECT_FILE} cannot be read, so its data counts as not personal: `nearside plan` says why"
            ));
            DataKind::Other
        }
    }
}

fn sections(checks: &[Check]) -> Vec<SectionView> {
    let of = |section: Section| {
        let own = checks.iter().filter(|check| check.rule.section == section);
        let checks: Vec<CheckView> = own.map(CheckView::of).collect();
        let worst = checks.iter().map(|check| check.status).max();
        SectionView {
            section: section.to_string(),
            status: worst.unwrap_or(StatusView::NotApplicable),
            checks,
        }
    };
    Section::ALL.map(of).into()
}

fn torch(facts: &Facts, catalog: &Catalog) -> Figure<TorchView> {
    let view = |wheel: &TorchWheel| TorchView {
        build: wheel.to_string(),
        pip: wheel.pip(),
        uv: wheel.uv(),
        driver_floor: None,
        refused: Vec::new(),
        source: format!("{} ({})", wheel.origin.source, wheel.origin.as_of),
    };
    match facts.torch_that_fits(catalog) {
        Known::Value(choice) => Figure::Value(TorchView {
            driver_floor: choice.driver_floor.value().map(|version| version.to_string()),
            refused: choice
                .refused
                .iter()
                .take(MOST_REFUSED)
                .map(|(wheel, refusal)| format!("{wheel} {refusal}"))
                .collect(),
            ..view(&choice.wheel)
        }),
        nvidia @ Known::Unknown(_) => match facts.rocm_that_fits(catalog) {
            Known::Value(wheel) => Figure::Value(view(&wheel)),
            Known::Unknown(amd) => {
                let why = match facts.has_rocm() {
                    true => amd.to_string(),
                    false => nvidia.why().unwrap_or_default().to_owned(),
                };
                Figure::Unknown { unknown: why }
            }
        },
    }
}

impl StatusView {
    const fn of(status: Status) -> Self {
        match status {
            Status::Ok => Self::Ok,
            Status::NotApplicable => Self::NotApplicable,
            Status::Unknown => Self::Unknown,
            Status::Warning => Self::Warning,
            Status::Fault => Self::Fault,
        }
    }

    /// As it is shown.
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotApplicable => "not applicable",
            Self::Unknown => "unknown",
            Self::Warning => "WARNING",
            Self::Fault => "FAULT",
        }
    }

    /// Whether something is to be done about it.
    const fn is_problem(self) -> bool {
        matches!(self, Self::Warning | Self::Fault)
    }
}

impl CheckView {
    fn of(check: &Check) -> Self {
        Self {
            id: check.rule.id.to_owned(),
            about: check.about.clone(),
            status: StatusView::of(check.status),
            title: check.title.clone(),
            evidence: check.evidence.clone(),
            rule: check.rule.says.to_owned(),
            source: check.rule.source.to_owned(),
            fix: check.fix.clone(),
        }
    }

    /// What was found and of what.
    fn headline(&self) -> String {
        match &self.about {
            Some(about) => format!("{about}: {}", self.title),
            None => self.title.clone(),
        }
    }
}
