//! The first project file: written from what a folder holds, with every guess marked as one.

use nearside_architecture::Dtype;
use nearside_policy::Class;
use nearside_units::{Bytes, Count, Watts};

use crate::draft::{Draft, list, quoted};
use crate::folder::{DataFile, FolderFacts, MachineFacts};
use crate::paths::{is_within, normal};
use crate::stage::Phase;

/// Where stages of a first project file write.
const BUILD: &str = "build";
/// The most datasets that a first project file lists.
const MOST_DATASETS: usize = 40;
/// Bytes of text per token of the usual tokenizers.
const BYTES_PER_TOKEN: u64 = 4;

/// What scripts are usually called, in the order of the phases.
const SCRIPTS: [(Phase, &[&str]); 7] = [
    (Phase::Explore, &["explore", "analyze"]),
    (Phase::Prepare, &["prepare", "preprocess", "clean"]),
    (Phase::Features, &["features", "featurize"]),
    (Phase::Tuning, &["tune", "search", "sweep"]),
    (Phase::Train, &["train", "finetune", "fine_tune"]),
    (Phase::Evaluate, &["evaluate", "eval"]),
    (Phase::Deploy, &["serve", "server", "app", "deploy"]),
];

/// Parts of file names that speak of people.
const PERSONAL: [&str; 8] =
    ["ticket", "customer", "user", "people", "person", "employee", "contact", "mail"];
/// Parts of file names that speak of special categories of data.
const SPECIAL: [&str; 5] = ["patient", "health", "medical", "diagnos", "genom"];

/// Writes a first `nearside.toml`. The same facts give the same text, and the text is a valid
/// project file.
///
/// ```
/// use nearside_workload::{FolderFacts, Project, init};
/// let facts = FolderFacts { name: "demo".to_owned(), ..FolderFacts::default() };
/// assert_eq!(Project::parse(&init(&facts)).unwrap().name, "demo");
/// ```
#[must_use]
pub fn init(folder: &FolderFacts) -> String {
    let mut draft = Draft::default();
    draft.comment("Written by `nearside init`. What is marked \"assumed\" is a guess: check it.");
    draft.stated("version", crate::FORMAT_VERSION);
    draft.stated("name", quoted(&folder.name));
    if let Some(requirements) = &folder.requirements {
        draft.comment(&format!("packages: {requirements}"));
    }
    let datasets = datasets(folder);
    draft.datasets(&datasets, folder);
    let models = draft.models(folder);
    match &folder.pipeline {
        Some(pipeline) => draft.pipeline(pipeline, &datasets),
        None => draft.stages(folder, &datasets, &models),
    }
    draft.here(&folder.machine);
    draft.rest(folder, &datasets);
    draft.text
}

/// A dataset of the first project file.
pub(crate) struct DraftDataset {
    pub(crate) name: String,
    pub(crate) path: String,
    size: Bytes,
    class: Class,
}

/// The data files, named and classed, in the order of their paths; what lies where stages write
/// is no data. Of a pipeline all are named, none like an output.
fn datasets(folder: &FolderFacts) -> Vec<DraftDataset> {
    let mut files: Vec<&DataFile> = folder.data.iter().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut datasets: Vec<DraftDataset> = Vec::new();
    for file in files {
        let path = normal(&file.path);
        let is_built = is_within(&path, BUILD) || is_within(BUILD, &path);
        if path.is_empty() || (folder.pipeline.is_none() && is_built) {
            continue;
        }
        let is_output =
            |name: &String| folder.pipeline.as_ref().is_some_and(|pipeline| pipeline.writes(name));
        let taken =
            |name: &String| datasets.iter().any(|other| other.name == *name) || is_output(name);
        let base = table_name(stem(&path), "data");
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        let name = names.find(|name| !taken(name)).unwrap_or_default();
        datasets.push(DraftDataset { name, class: likely_class(&path), path, size: file.size });
        if datasets.len() == MOST_DATASETS && folder.pipeline.is_none() {
            break;
        }
    }
    datasets
}

fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file)
}

/// A bare TOML key made of a file name.
fn table_name(stem: &str, otherwise: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let name: String = stem.to_lowercase().chars().map(plain).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { otherwise.to_owned() } else { name.to_owned() }
}

fn likely_class(path: &str) -> Class {
    let path = path.to_lowercase();
    let speaks_of = |words: &[&str]| words.iter().any(|word| path.contains(word));
    match (speaks_of(&SPECIAL), speaks_of(&PERSONAL)) {
        (true, _) => Class::Special,
        (false, true) => Class::Personal,
        (false, false) => Class::Internal,
    }
}

/// A word of a shell command.
fn shell_word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

impl Draft {
    fn datasets(&mut self, datasets: &[DraftDataset], folder: &FolderFacts) {
        for dataset in datasets {
            self.table(&format!("dataset.{}", dataset.name));
            self.stated("path", quoted(&dataset.path));
            match dataset.size {
                Bytes::ZERO => self.comment("size: it is empty or not there"),
                size => self.stated("size", quoted(&size.si())),
            }
            let why = match dataset.class {
                Class::Public | Class::Internal => "public, internal, personal or special",
                Class::Personal | Class::Special => "its name speaks of people",
            };
            self.assumed("class", quoted(dataset.class.name()), why);
        }
        if folder.data.len() > datasets.len() && datasets.len() == MOST_DATASETS {
            self.comment(&format!(
                "{} data files were found, not all are listed",
                folder.data.len()
            ));
        }
    }

    /// Writes the models and returns them: name in the file, source.
    fn models(&mut self, folder: &FolderFacts) -> Vec<(String, String)> {
        let mut sources: Vec<&String> = folder.models.iter().collect();
        sources.sort();
        sources.dedup();
        let mut models: Vec<(String, String)> = Vec::new();
        for source in sources {
            let base = table_name(stem(source), "base");
            let name = match models.iter().filter(|(name, _)| name.starts_with(&base)).count() {
                0 => base,
                others => format!("{base}-{}", others + 1),
            };
            if models.iter().any(|(other, _)| *other == name) {
                continue;
            }
            self.table(&format!("model.{name}"));
            self.stated("source", quoted(source));
            models.push((name, source.clone()));
        }
        if models.is_empty() {
            self.text.push('\n');
            self.comment("[model.base]");
            self.comment("source = \"llama-3.1-8b\"   # a catalog name, a folder or a file");
        }
        models
    }

    /// One stage per script whose name says what it does, each reading what the last one wrote.
    fn stages(&mut self, folder: &FolderFacts, data: &[DraftDataset], models: &[(String, String)]) {
        let mut scripts: Vec<&String> = folder.scripts.iter().collect();
        scripts.sort_by_key(|path| (path.matches('/').count(), path.as_str()));
        let mut inputs: Vec<String> = data.iter().map(|dataset| dataset.name.clone()).collect();
        let mut found = 0;
        for (phase, names) in SCRIPTS {
            let is_one = |path: &&&String| names.contains(&stem(path)) && !path.contains('{');
            let Some(script) = scripts.iter().find(is_one) else { continue };
            found += 1;
            self.table(&format!("stage.{phase}"));
            self.stated("phase", quoted(phase.name()));
            let why = "what the stage before it wrote, else all data";
            self.assumed("inputs", list(inputs.iter().map(String::as_str)), why);
            if !matches!(phase, Phase::Explore | Phase::Evaluate | Phase::Deploy) {
                let output = format!("{BUILD}/{phase}");
                let why = "nearside cannot see what a script writes";
                self.assumed("outputs", list([output.as_str()]), why);
                inputs = vec![output];
            }
            self.stated("run", quoted(&format!("python {}", shell_word(script))));
            self.workload(phase, data, models);
        }
        if found == 0 {
            self.text.push('\n');
            self.comment("[stage.train]");
            self.comment("phase = \"train\"");
            self.comment("run = \"python train.py\"");
        }
    }

    fn workload(&mut self, phase: Phase, data: &[DraftDataset], models: &[(String, String)]) {
        let is_packed = |source: &str| source.ends_with(".gguf");
        let trainable = models.iter().find(|(_, source)| !is_packed(source));
        let table = format!("stage.{phase}.workload");
        match (phase, trainable, models.first()) {
            (Phase::Prepare | Phase::Features, ..) if !data.is_empty() => {
                self.table(&table);
                self.assumed("task", quoted("preparation"), "reads all of its input once");
                self.assumed("core_seconds_per_gb", 60, "a script that parses text");
            }
            (Phase::Train | Phase::Tuning, Some((model, _)), _) => {
                self.table(&table);
                self.assumed("task", quoted("lora"), "adapters, the usual way to tune a model");
                self.assumed("model", quoted(model), "the model found in the folder");
                let bytes = data.iter().fold(0u64, |sum, set| sum.saturating_add(set.size.get()));
                let tokens = (bytes / BYTES_PER_TOKEN).clamp(1_000_000, 1_000_000_000);
                let why = "all data once, 4 bytes per token, 1M to 1B";
                self.assumed("tokens", quoted(&Count::new(tokens).to_string()), why);
                self.assumed("sequence", 2048, "a common length");
                self.assumed("batch", 4, "a small one fits more machines");
                self.assumed("rank", 16, "a common choice");
            }
            (Phase::Evaluate | Phase::Deploy, _, Some((model, source))) => {
                self.table(&table);
                let is_service = phase == Phase::Deploy;
                let task = if is_service { "inference" } else { "evaluation" };
                self.assumed("task", quoted(task), "from the name of the script");
                self.assumed("model", quoted(model), "the model found in the folder");
                let (requests, why) =
                    if is_service { ("10k", "per month") } else { ("1k", "questions in one run") };
                self.assumed("requests", quoted(requests), why);
                self.assumed("prompt", 512, "tokens read per request");
                self.assumed("output", 128, "tokens written per request");
                if let Some(dtype) = stored_type(source).filter(|_| is_packed(source)) {
                    self.assumed("weights", quoted(dtype), "from the name of the file");
                }
            }
            _ => self.comment("no workload: the plan cannot estimate this stage"),
        }
    }

    fn here(&mut self, machine: &MachineFacts) {
        self.table("site.here");
        for fact in &machine.summary {
            self.comment(fact);
        }
        self.comment("price  = \"3500 EUR\"     # what it cost, to compare with renting");
        self.comment("bought = \"2026-03\"");
        self.assumed("life", quoted("4 years"), "a common depreciation period");
        let watts = |watts: Watts| quoted(&watts.to_string());
        let load = machine.load.map(|load| format!("load = {}", watts(load)));
        let idle = machine.idle.filter(|idle| machine.load.is_none_or(|load| *idle <= load));
        let idle = idle.map(|idle| format!("idle = {}", watts(idle)));
        let power: Vec<String> = [load, idle].into_iter().flatten().collect();
        if !power.is_empty() {
            let table = format!("{{ {} }}", power.join(", "));
            self.assumed("power", table, "from its parts; add tariff = \"0.31 EUR/kWh\"");
        }
        if let Some(country) = machine.country {
            let table = format!("{{ country = {} }}", quoted(country.code()));
            self.assumed("location", table, "from the settings of this machine");
        }
        self.comment("uplink = \"40 Mbit/s\"");
    }

    fn rest(&mut self, folder: &FolderFacts, datasets: &[DraftDataset]) {
        let places = std::iter::once(crate::HERE);
        let offers = folder.offers.iter().map(String::as_str);
        let offers = offers.filter(|pattern| pattern.contains(['/', '*']));
        self.table("sites");
        self.assumed("use", list(places.chain(offers)), "where work may run");
        self.assumed("spot", false, "interruptible machines need work that can resume");
        self.table("money");
        self.assumed("currency", quoted("USD"), "most offers are priced in it");
        self.table("team");
        self.assumed("people", 1, "nobody else is known");
        if datasets.iter().any(|dataset| dataset.class >= Class::Personal) {
            self.table("policy");
            self.assumed("personal", list([crate::HERE]), "personal data stays on this machine");
        }
        self.table("objective");
        self.assumed("minimize", quoted("cost"), "cost, time or carbon");
        self.comment("deadline = \"48 h\"");
        self.comment("budget = \"400 USD/month\"");
    }
}

/// The number type that a GGUF file's name speaks of.
fn stored_type(source: &str) -> Option<&'static str> {
    let source = source.to_lowercase();
    Dtype::all().map(Dtype::name).filter(|name| source.contains(name)).max_by_key(|name| name.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Project;
    use proptest::prelude::*;

    fn folder() -> FolderFacts {
        let file = |path: &str, size| DataFile { path: path.to_owned(), size: Bytes::new(size) };
        FolderFacts {
            name: "support-assistant".to_owned(),
            data: vec![
                file("data/tickets.csv", 2_400_000_000),
                file("data/docs.jsonl", 80_000_000),
            ],
            scripts: ["serve.py", "train.py", "src/prepare.py", "plot.py", "evaluate.py"]
                .map(str::to_owned)
                .to_vec(),
            requirements: Some("requirements.txt".to_owned()),
            models: vec!["models/tiny".to_owned(), "models/llama-q4_k_m.gguf".to_owned()],
            machine: MachineFacts {
                summary: vec!["AMD Ryzen 9 7950X, 16 cores".to_owned()],
                load: Some(Watts::constant(550.0)),
                idle: Some(Watts::constant(100.0)),
                country: "DE".parse().ok(),
            },
            pipeline: None,
            offers: vec!["aws/*".to_owned(), "lambda/*".to_owned()],
        }
    }

    #[test]
    fn a_folder_becomes_a_valid_project() {
        let text = init(&folder());
        let project = Project::parse(&text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        let names: Vec<_> = project.stages.iter().map(|stage| stage.name.value.as_str()).collect();
        assert_eq!(names, ["prepare", "train", "evaluate", "deploy"]);
        assert_eq!(project.dataset("tickets").unwrap().class, Class::Personal);
        assert_eq!(project.graph.order, [0, 1, 2, 3]);
        let run = project.stages[0].trials[0].run.as_deref();
        assert_eq!(run, Some("python src/prepare.py"));
        let deploy = project.stages[3].trials[0].workload.as_ref().unwrap();
        assert_eq!(deploy.recipe.weights, Dtype::Q4K);
        assert_eq!(text, init(&folder()));
        let unmarked = text.lines().filter(|line| line.starts_with("class = "));
        assert!(unmarked.clone().all(|line| line.contains("# assumed: ")), "{text}");
    }

    proptest! {
        #[test]
        fn any_folder_becomes_a_valid_project(
            name in ".{0,20}",
            paths in proptest::collection::vec(".{0,20}|[a-c]{1,2}\\.csv|build/x|build", 0..8),
            scripts in proptest::collection::vec("(.{0,8}/)?(train|prepare|serve|eval)\\.py", 0..6),
            models in proptest::collection::vec(".{0,12}|[ab]|[ab]\\.gguf", 0..5),
            summary in proptest::collection::vec(".{0,30}", 0..3),
            sizes in any::<u64>(),
        ) {
            let facts = FolderFacts {
                name,
                data: paths.into_iter()
                    .map(|path| DataFile { path, size: Bytes::new(sizes) }).collect(),
                scripts,
                models,
                machine: MachineFacts { summary, ..MachineFacts::default() },
                ..FolderFacts::default()
            };
            let text = init(&facts);
            let project = Project::parse(&text);
            prop_assert!(project.is_ok(), "{:?}\n{}", project.unwrap_err(), text);
        }
    }
}
