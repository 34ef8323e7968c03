//! The model that a row is about: from the catalog, a configuration or the header of a GGUF file.

use std::path::{Path, PathBuf};

use nearside_architecture::header::gguf::{self, GgufHeader};
use nearside_architecture::{Architecture, header};
use nearside_catalog::{Catalog, Model};

use crate::row::{Reason, Row};

/// Where files lie that a row names without their folder and ending, from the file of the row on.
const FOLDERS: [&str; 3] = ["", "gguf", "configs"];

/// Where the project itself keeps configurations that the catalog has no room for.
const OWN: [&str; 1] = ["bench/accuracy/configs"];

/// A model.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// Its parts and shapes.
    Architecture(Box<Architecture>),
    /// Every tensor of its file.
    File(Box<GgufHeader>),
}

impl Subject {
    /// The model of a row.
    pub(crate) fn of(row: &Row, catalog: &Catalog) -> Result<Self, Reason> {
        match (file(row), row.cell("model")) {
            (_, "") => Err("no model is named".to_owned()),
            (Some(path), _) => read(&path),
            (None, name) => {
                let model = find(catalog, name)?;
                let architecture = model.architecture().map_err(|error| error.to_string())?;
                Ok(Self::Architecture(Box::new(named(name, architecture))))
            }
        }
    }

    /// Its parts and shapes.
    pub(crate) fn architecture(&self) -> Result<Architecture, Reason> {
        match self {
            Self::Architecture(architecture) => Ok((**architecture).clone()),
            Self::File(header) => header.decoder().map_err(|error| error.to_string()),
        }
    }
}

/// Of a pipeline, the U-Net alone where a row names that.
fn named(name: &str, architecture: Architecture) -> Architecture {
    match architecture {
        Architecture::Pipeline(pipeline) if name.starts_with("unet") => {
            let mut components = pipeline.components.clone().into_iter();
            let unet = components.find(|component| component.name == "unet");
            unet.map_or(Architecture::Pipeline(pipeline), |unet| unet.architecture)
        }
        architecture => architecture,
    }
}

/// The file that a row names: relative to its own, or whole.
fn file(row: &Row) -> Option<PathBuf> {
    let (name, quant) = (row.cell("model"), row.cell("quant"));
    let beside = row.file.parent().unwrap_or(Path::new("."));
    let names = [
        name.to_owned(),
        format!("{name}-{quant}.gguf"),
        format!("{name}.gguf"),
        format!("{name}.json"),
        format!("{name}/model_index.json"),
        format!("{name}/config.json"),
    ];
    let paths = names.iter().flat_map(|name| FOLDERS.map(|folder| beside.join(folder).join(name)));
    let own = OWN.iter().map(|folder| crate::root().join(folder).join(format!("{name}.json")));
    paths.chain(own).find(|path| path.is_file())
}

fn read(path: &Path) -> Result<Subject, Reason> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let bytes = std::fs::read(path).map_err(|error| format!("{name}: {error}"))?;
    match name.ends_with(".gguf") {
        true => gguf::parse(&bytes, None)
            .map(|header| Subject::File(Box::new(header)))
            .map_err(|error| error.in_file(&name)),
        false => header::config::parse(&bytes)
            .map(|architecture| Subject::Architecture(Box::new(architecture)))
            .map_err(|error| error.in_file(&name)),
    }
}

/// A model of the catalog: by its name, an alias, or the end of one, as in `gemma-3-12b-it`.
fn find<'catalog>(catalog: &'catalog Catalog, name: &str) -> Result<&'catalog Model, Reason> {
    let error = match catalog.model(name) {
        Ok(model) => return Ok(model),
        Err(error) => error.to_string(),
    };
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '.', ' '], "-");
    // Releases are dated at the end; their shapes are those of the model.
    let wanted = plain(name);
    let wanted = [wanted.as_str(), wanted.trim_end_matches("-2507")];
    let is_called = |model: &&Model| {
        let mut ends = model.names().map(|known| plain(known.rsplit('/').next().unwrap_or(known)));
        ends.any(|end| wanted.iter().any(|wanted| end == *wanted))
    };
    let dated = |model: &&Model| {
        let base = wanted[1].trim_end_matches("-instruct");
        model.names().any(|known| plain(known) == base)
    };
    catalog.models().find(is_called).or_else(|| catalog.models().find(dated)).ok_or(error)
}
