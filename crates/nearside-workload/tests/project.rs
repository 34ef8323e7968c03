//! Valid project files, and what they come to mean.

use nearside_policy::{Class, Clearance};
use nearside_units::{Known, Money};
use nearside_workload::{
    AdapterMethod, Checkpointing, Edge, Input, Launcher, MachineSource, ModelRef, Network,
    Ownership, Project, ProjectError, Reliance, Task, Tenure, VocabularyLoss,
};
use proptest::prelude::*;

/// The example of the design and of the README.
const EXAMPLE: &str = include_str!("data/support-assistant.toml");

fn example() -> Result<Project, Vec<ProjectError>> {
    Project::parse(EXAMPLE)
}

/// A file of which only the part after the version matters.
fn parse(rest: &str) -> Result<Project, Vec<ProjectError>> {
    Project::parse(&format!("version = 1\n{rest}"))
}

#[test]
fn the_example_means_what_it_says() {
    let project = example().unwrap();
    assert_eq!(project.name, "support-assistant");
    assert_eq!(project.dataset("tickets").unwrap().class, Class::Personal);
    assert_eq!(project.dataset("tickets").unwrap().at, "here");
    assert_eq!(project.model("base").unwrap().source.value, "llama-3.1-8b");
    let tune = project.stage("tune").unwrap();
    assert_eq!(tune.repeat.to_string(), "12.0/month");
    let runs: Vec<_> = tune.trials.iter().filter_map(|trial| trial.run.as_deref()).collect();
    assert_eq!(
        runs,
        ["python train.py --rank 8", "python train.py --rank 16", "python train.py --rank 32"]
    );
    let workload = tune.trials[0].workload.as_ref().unwrap();
    let Known::Value(Task::Lora(training, adapter)) = workload.task else { panic!("{workload:?}") };
    assert_eq!((training.tokens, training.batch, adapter.rank), (20_000_000, 8, 16));
    assert_eq!(workload.model.as_deref(), Some("base"));
    assert!(workload.stated.contains("rank") && !workload.stated.contains("precision"));
    let [here, lab] = project.sites.own.as_slice() else { panic!("two sites") };
    assert_eq!(here.machine, MachineSource::ThisMachine);
    assert_eq!((lab.machine.clone(), lab.launcher), (MachineSource::Unstated, Launcher::Slurm));
    let Tenure::Owned { price, life, .. } = &here.tenure else { panic!("owned") };
    assert_eq!(price.clone().value(), "3500 EUR".parse::<Money>().ok());
    assert_eq!(life.to_string(), "4.00 years");
    let dollars: Money = "100 USD".parse().unwrap();
    assert_eq!(project.money.exchange.convert(dollars), Ok("92 EUR".parse().unwrap()));
    assert!(project.sites.uses("aws/g5.xlarge") && !project.sites.uses("gcp/a2"));
}

#[test]
fn the_example_flows_along_its_classes() {
    let project = example().unwrap();
    assert_eq!(project.graph.order, [0, 1]);
    let carries = Some("build/tickets.clean.csv".to_owned());
    assert_eq!(project.graph.edges, [Edge { from: 0, to: 1, carries }]);
    let (anonymize, tune) = (project.stage("anonymize").unwrap(), project.stage("tune").unwrap());
    assert_eq!((anonymize.reads, tune.reads), (Class::Personal, Class::Internal));
    assert!(anonymize.relies_on.is_empty());
    let promise = Reliance {
        stage: "anonymize".to_owned(),
        output: "build/tickets.clean.csv".to_owned(),
        class: Class::Internal,
    };
    assert_eq!(tune.relies_on, std::slice::from_ref(&promise));
    assert_eq!(project.conditions(), [promise]);
    let clearance = |site, ownership| project.clearance(site, ownership);
    assert_eq!(clearance("here", Ownership::Own), Clearance(Class::Special));
    assert_eq!(clearance("aws/g5.xlarge", Ownership::Rented), Clearance(Class::Internal));
}

#[test]
fn personal_data_goes_without_a_network_unless_it_is_said() {
    let network = |class: &str, promise: &str, stated: &str| {
        let file = format!(
            r#"
            [dataset.d]
            path = "d"
            class = "{class}"
            [stage.clean]
            phase = "prepare"
            run = "x"
            inputs = ["d"]
            outputs = ["build/c"]
            promises = {{ {promise} }}
            [stage.use]
            phase = "train"
            run = "x"
            inputs = ["build/c"]
            {stated}
            "#
        );
        let stages = parse(&file).unwrap().stages;
        [stages[0].network_in_force(), stages[1].network_in_force()]
    };
    let promise = r#""build/c" = "internal""#;
    assert_eq!(network("internal", "", ""), [Network::Open, Network::Open]);
    assert_eq!(network("special", "", ""), [Network::None, Network::None]);
    assert_eq!(network("personal", promise, ""), [Network::None, Network::Open]);
    assert_eq!(network("personal", "", "network = 'open'"), [Network::None, Network::Open]);
    assert_eq!(network("public", "", "network = 'none'"), [Network::Open, Network::None]);
}

#[test]
fn every_default_of_the_example_is_recorded() {
    let assumptions = example().unwrap().assumptions;
    let lines: Vec<String> = assumptions
        .iter()
        .map(|assumption| format!("{} = {}", assumption.what, assumption.value))
        .collect();
    assert_eq!(
        lines,
        [
            "site.here.launcher = process",
            "site.here.pue = 1",
            "site.lab.life = 4.00 years",
            "site.lab.pue = 1.58",
            "sites.spot = false",
            "dataset.tickets.at = here",
            "stage.anonymize.repeat = 1.00/month",
            "stage.tune.workload.precision = bf16",
            "stage.tune.workload.optimizer = adamw",
            "stage.tune.workload.attention = fused",
            "stage.tune.workload.checkpointing = none",
            "stage.tune.workload.loss = whole",
            "stage.tune.workload.accumulation = 1",
            "stage.tune.workload.targets = linear",
            "stage.tune.workload.adapter = lora",
            "stage.anonymize.network = none",
        ]
    );
}

#[test]
fn a_recipe_names_its_loss_its_recomputation_and_its_adapter() {
    let recipe = |keys: &str| {
        let file = format!(
            r#"
            [model.base]
            source = "x"
            [stage.tune]
            phase = "train"
            workload = {{ task = "lora", model = "base", tokens = "1M", sequence = 512, batch = 1, rank = 8{keys} }}
            "#
        );
        let project = parse(&file).unwrap();
        let spec = project.stages[0].trials[0].workload.clone().expect("a workload");
        let Known::Value(Task::Lora(_, adapter)) = spec.task else { panic!("a LoRA task") };
        (spec.recipe.loss, spec.recipe.checkpointing, adapter.method)
    };
    let plain = (VocabularyLoss::Whole, Checkpointing::None, AdapterMethod::Lora);
    assert_eq!(recipe(""), plain);
    assert_eq!(
        recipe(r#", loss = "chunked", checkpointing = "selective", adapter = "dora""#),
        (VocabularyLoss::CHUNKED, Checkpointing::Attention, AdapterMethod::Dora)
    );
    let chunked = VocabularyLoss::Chunked { tokens: 256 };
    assert_eq!(recipe(r#", loss = "chunked", chunk = 256"#).0, chunked);
}

#[test]
fn a_stage_without_inputs_inherits_everything_upstream() {
    let project = parse(
        r#"
        [dataset.people]
        path = "people.csv"
        class = "personal"
        [dataset.weather]
        path = "weather.csv"
        class = "public"
        [stage.clean]
        phase = "prepare"
        run = "clean"
        inputs = ["people"]
        outputs = ["build/clean"]
        promises = { "build/clean" = "public" }
        [stage.after]
        phase = "train"
        run = "x"
        after = ["clean"]
        [stage.first]
        phase = "explore"
        run = "x"
        [stage.nothing]
        phase = "train"
        run = "x"
        inputs = []
        [stage.part]
        phase = "train"
        run = "x"
        inputs = ["weather.csv", "build/clean/part.csv"]
        outputs = ["build/model"]
        [stage.last]
        phase = "evaluate"
        run = "x"
        inputs = ["build/model"]
        "#,
    )
    .unwrap();
    let reads: Vec<Class> = project.stages.iter().map(|stage| stage.reads).collect();
    use Class::{Personal, Public};
    assert_eq!(reads, [Personal, Personal, Personal, Public, Public, Public]);
    let last = project.stage("last").unwrap();
    assert_eq!(last.relies_on.len(), 1, "a promise is carried along");
    assert_eq!(last.relies_on[0].stage, "clean");
    let part = project.stage("part").unwrap();
    let path = "build/clean/part.csv".to_owned();
    let output =
        Input::Output { stage: "clean".to_owned(), output: "build/clean".to_owned(), path };
    assert_eq!(part.inputs.as_ref().unwrap()[1], output);
}

#[test]
fn order_is_that_of_the_file_where_nothing_else_matters() {
    let stage = |name: &str, after: &str| {
        format!("[stage.{name}]\nphase = \"train\"\nrun = \"x\"\nafter = [{after}]\n")
    };
    let text = [stage("d", "\"a\""), stage("c", ""), stage("a", ""), stage("b", "\"d\"")].concat();
    let project = parse(&text).unwrap();
    let order: Vec<&str> = project
        .graph
        .order
        .iter()
        .map(|stage| project.stages[*stage].name.value.as_str())
        .collect();
    assert_eq!(order, ["c", "a", "d", "b"]);
    assert_eq!(project.graph.ancestors(3), [0, 2]);
}

#[test]
fn each_trial_has_its_own_workload() {
    let project = parse(
        r#"
        [model.base]
        source = "x"
        [stage.tune]
        phase = "tuning"
        matrix = { size = ["1", "2"], rank = [8, 16] }
        workload = { task = "qlora", model = "base", rank = "{rank}", tokens = "{size}M", sequence = 8, batch = 1 }
        "#,
    ).unwrap();
    let trials = &project.stage("tune").unwrap().trials;
    let shape = |trial: &nearside_workload::Trial| {
        let task = trial.workload.as_ref().map(|workload| workload.task.clone());
        let Some(Known::Value(Task::Qlora(training, adapter))) = task else { panic!("{trial:?}") };
        (training.tokens, adapter.rank)
    };
    let shapes: Vec<_> = trials.iter().map(shape).collect();
    assert_eq!(shapes, [(1_000_000, 8), (1_000_000, 16), (2_000_000, 8), (2_000_000, 16)]);
}

#[test]
fn the_bytes_of_a_preparation_are_those_of_its_inputs() {
    let stages = r#"
        [stage.a]
        phase = "prepare"
        inputs = ["d"]
        outputs = ["build/a"]
        sizes = { "build/a" = "2 GB" }
        workload = { task = "preparation", core_seconds_per_gb = 30 }
        [stage.b]
        phase = "features"
        inputs = ["d", "build/a"]
        workload = { task = "preparation", core_seconds_per_gb = 1.5, memory = "1 GiB" }
        "#;
    let bytes = |project: &Project, stage: &str| {
        let trial = &project.stage(stage).unwrap().trials[0];
        let workload = trial.workload.as_ref().unwrap();
        workload.resolve(None).map(|workload| match workload.task {
            Task::Preparation(preparation) => preparation.bytes.get(),
            other => panic!("{other:?}"),
        })
    };
    let known = parse(&format!("[dataset.d]\npath = \"d\"\nsize = \"1 GB\"\n{stages}")).unwrap();
    assert_eq!(bytes(&known, "a"), Known::Value(1_000_000_000));
    assert_eq!(bytes(&known, "b"), Known::Value(3_000_000_000));
    let unknown = parse(&format!("[dataset.d]\npath = \"d\"\n{stages}")).unwrap();
    assert_eq!(bytes(&unknown, "b"), Known::unknown("dataset.d.size is not stated"));
}

#[test]
fn a_workload_without_its_model_is_unknown() {
    let project = example().unwrap();
    let workload = project.stage("tune").unwrap().trials[0].workload.as_ref().unwrap();
    assert_eq!(workload.resolve(None), Known::unknown("model \"base\" is not known"));
}

#[test]
fn a_rented_box_is_a_site_too() {
    let project = parse(
        "[site.box]\nrent = \"1.20 EUR/h\"\naccelerators = [{ device = \"rtx-4090\", count = 2 }]\n\
         bought = 2026-03-01\n",
    )
    .unwrap();
    let site = project.sites.own("box").unwrap();
    assert_eq!(site.ownership(), Ownership::Rented);
    assert_eq!(project.clearance("box", site.ownership()), Clearance(Class::Internal));
    assert_eq!(project.money.exchange.currency().code(), "EUR");
    assert!(project.sites.uses("here") && project.sites.uses("box"));
}

#[test]
fn an_image_is_one_that_the_model_takes() {
    use nearside_architecture::header::config;
    let file = r#"
        [model.base]
        source = "x"
        [stage.tune]
        phase = "train"
        workload = { task = "fine-tune", model = "base", tokens = "1k", sequence = 1, batch = 1, image = 768 }
        "#;
    let project = parse(file).unwrap();
    let spec = project.stages[0].trials[0].workload.clone().expect("a workload");
    let of = |config: &[u8]| ModelRef {
        name: "base".to_owned(),
        architecture: config::parse(config).unwrap().into(),
        stored: None,
    };
    let unet = of(br#"{ "_class_name": "UNet2DConditionModel", "cross_attention_dim": 768 }"#);
    assert_eq!(spec.resolve(Some(unet)).value().unwrap().image, Some(768));
    let bert = of(br#"{ "model_type": "bert" }"#);
    let why = "image of model \"base\": it takes no image";
    assert_eq!(spec.resolve(Some(bert)), Known::unknown(why));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_mutation_of_a_valid_file_panics(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..40, "[\\[\\]{}=\"',.0-9a-z\n \\-]{0,6}|.{0,3}"), 1..5),
    ) {
        let mut letters: Vec<char> = EXAMPLE.chars().collect();
        for (place, length, text) in cuts {
            let start = place.index(letters.len() + 1);
            let end = (start + length).min(letters.len());
            letters.splice(start..end, text.chars());
        }
        let text: String = letters.into_iter().collect();
        if let Err(errors) = Project::parse(&text) {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(error.line_and_column(&text).is_some(), "{error:?}\n{text}");
            }
        }
    }

    #[test]
    fn no_swap_of_lines_panics(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let mut lines: Vec<&str> = EXAMPLE.lines().collect();
        let (from, to) = (from.index(lines.len()), to.index(lines.len()));
        lines.swap(from, to);
        let _ = Project::parse(&lines.join("\n"));
    }

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = Project::parse(&text);
        let _ = nearside_workload::SiteFile::parse(&text);
    }
}
