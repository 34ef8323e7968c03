//! What is wrong is said with its facts, its place and a way out, and never with a panic.

use std::path::Path;

use super::command::{Folder, Run, nearside, nearside_configured};

const USAGE: i32 = 2;
const INPUT: i32 = 3;
const WORLD: i32 = 4;

/// A project without a fault.
const PROJECT: &str = r#"version = 1
name = "small"

[dataset.raw]
path = "raw.csv"
class = "internal"
size = "1 GB"

[stage.clean]
phase = "prepare"
inputs = ["raw"]
outputs = ["clean.csv"]
sizes = { "clean.csv" = "900 MB" }
workload = { task = "preparation", core_seconds_per_gb = 600, memory = "4 GiB" }
run = "clean raw.csv"

[site.here]
cores = 8
memory = "32 GiB"
price = "1000 EUR"
power = { load = "200 W", idle = "40 W", tariff = "0.30 EUR/kWh" }
location = { country = "DE" }

[sites]
use = ["here"]

[money]
currency = "EUR"

[objective]
minimize = "cost"
deadline = "48 h"
"#;

/// Two stages that wait for each other.
const CIRCLE: &str = r#"
[stage.tune]
phase = "tuning"
inputs = ["tune.out", "raw"]
outputs = ["train.out"]
run = "tune"
[stage.train]
phase = "train"
inputs = ["train.out"]
outputs = ["tune.out"]
run = "train"

[objective]"#;

/// A project with one part replaced, and what is said about it.
struct Fault {
    name: &'static str,
    /// The part that is replaced, and by what.
    old: &'static str,
    new: &'static str,
    /// Where the caret points: the start of this, or the place of a `‸` in it.
    at: &'static str,
    says: &'static [&'static str],
}

#[rustfmt::skip]
const FAULTS: [Fault; 22] = [
    Fault { name: "unknown-key", old: "inputs =", new: "inptus =", at: "inptus",
        says: &["unknown key \"inptus\"", "hint: did you mean \"inputs\"?"] },
    Fault { name: "unknown-table", old: "[money]", new: "[mony]", at: "mony",
        says: &["unknown key \"mony\"", "hint: did you mean \"money\"?"] },
    Fault { name: "unknown-unit", old: "\"1 GB\"", new: "\"1 GX\"", at: "\"1 GX\"",
        says: &["dataset.raw.size", "unknown unit \"GX\"", "KiB", "hint: did you mean \"GB\"?"] },
    Fault { name: "bare-number", old: "\"48 h\"", new: "48", at: "48\n",
        says: &["objective.deadline", "\"48\" needs a unit", "hint: as in deadline = \"48 h\""] },
    Fault { name: "circle", old: "\n[objective]", new: CIRCLE, at: "[stage.‸tune]",
        says: &["stages wait for each other: tune -> train -> tune", "hint: remove"] },
    Fault { name: "negative-price", old: "1000 EUR", new: "-1000 EUR", at: "\"-1000 EUR\"",
        says: &["site.here.price", "-1000 EUR is negative", "hint: a price is zero or more"] },
    Fault { name: "no-number", old: "= 600", new: "= nan", at: "nan",
        says: &["core_seconds_per_gb", "NaN", "from 0 to 1000000000"] },
    Fault { name: "infinite", old: "= 600", new: "= inf", at: "inf",
        says: &["core_seconds_per_gb", "inf", "from 0 to 1000000000"] },
    Fault { name: "infinite-quantity", old: "200 W", new: "inf W", at: "\"inf W\"",
        says: &["site.here.power.load", "\"inf W\" is not a number", "hint: as in load ="] },
    Fault { name: "no-number-quantity", old: "200 W", new: "NaN W", at: "\"NaN W\"",
        says: &["site.here.power.load", "\"NaN W\" is not a number", "hint: as in load ="] },
    Fault { name: "two-currencies", old: "1000 EUR", new: "1000 USD", at: "\"1000 USD\"",
        says: &["USD", "no rate from USD to EUR", "hint: add to [money]: rates"] },
    Fault { name: "budget-in-another-currency", old: "deadline = \"48 h\"",
        new: "budget = \"9 USD/month\"", at: "\"9 USD/month\"",
        says: &["no rate from USD to EUR", "hint: add to [money]: rates"] },
    Fault { name: "unknown-task", old: "\"preparation\"", new: "\"preperation\"",
        at: "\"preperation\"",
        says: &["unknown task \"preperation\"", "hint: did you mean \"preparation\"?"] },
    Fault { name: "unknown-phase", old: "\"prepare\"", new: "\"prepair\"", at: "\"prepair\"",
        says: &["unknown phase \"prepair\"", "prepare"] },
    Fault { name: "unknown-class", old: "\"internal\"", new: "\"secret\"", at: "\"secret\"",
        says: &["\"secret\"", "personal"] },
    Fault { name: "unknown-site", old: "size = \"1 GB\"", new: "size = \"1 GB\"\nat = \"lab\"",
        at: "\"lab\"", says: &["unknown site \"lab\"", "hint: known: here"] },
    Fault { name: "promise-of-nothing", old: "run = \"clean",
        new: "promises = { \"other.csv\" = \"public\" }\nrun = \"clean", at: "\"other.csv\"",
        says: &["unknown output \"other.csv\"", "hint: known: clean.csv"] },
    Fault { name: "syntax", old: "[money]", new: "[money", at: "[money‸",
        says: &["unclosed table"] },
    Fault { name: "written-twice", old: "[money]", new: "[site.here]\n[money]",
        at: "here]\n[money]", says: &["duplicate key"] },
    Fault { name: "other-version", old: "version = 1", new: "version = 9", at: "9\n",
        says: &["version 9", "this build reads 1", "hint: write version = 1"] },
    Fault { name: "nul", old: "\"cost\"", new: "\"co\0st\"", at: "\0", says: &["invalid"] },
    Fault { name: "unknown-area", old: "[objective]",
        new: "[policy]\njurisdiction = [\"EUU\"]\n[objective]", at: "\"EUU\"",
        says: &["unknown area \"EUU\"", "EEA", "hint: as in jurisdiction"] },
];

/// Where the caret should point, as `LINE:COLUMN` from 1, and the line as it is shown.
fn place(text: &str, at: &str) -> (String, String) {
    let (before, after) = at.split_once('‸').unwrap_or(("", at));
    let part = format!("{before}{after}");
    let start = text.find(&part).unwrap_or_else(|| panic!("no {part:?} in\n{text}"));
    let above = &text[..start + before.len()];
    let number = above.matches('\n').count() + 1;
    let column = above.rsplit('\n').next().unwrap_or(above).chars().count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or("").replace('\0', "␀");
    (format!("{number}:{column}"), format!("{number} | {line}"))
}

/// Checks what a failed command says: nothing on stdout, an error with these parts on stderr.
#[track_caller]
fn check(run: Run, code: i32, says: &[&str]) {
    let run = run.exits(code);
    assert_eq!(run.stdout, "", "{}", run.line);
    assert!(run.stderr.starts_with("error: "), "{}\n{}", run.line, run.stderr);
    for part in says {
        assert!(run.stderr.contains(part), "{}: no {part:?} in\n{}", run.line, run.stderr);
    }
}

/// The project with one part replaced.
fn edited(old: &str, new: &str) -> String {
    assert!(PROJECT.contains(old), "the project has no {old:?}");
    PROJECT.replacen(old, new, 1)
}

#[test]
fn the_project_without_a_fault_is_planned() {
    let file = Folder::cleared("without-a-fault").write("nearside.toml", PROJECT);
    nearside(&["plan", &file]).exits(0);
}

#[test]
fn a_faulty_project_file_is_shown_at_the_fault() {
    let folder = Folder::cleared("faulty-projects");
    for fault in &FAULTS {
        let text = edited(fault.old, fault.new);
        let file = folder.write(&format!("{}/nearside.toml", fault.name), &text);
        let (place, line) = place(&text, fault.at);
        let mut says = vec![format!("--> {file}:{place}\n"), line];
        says.extend(fault.says.iter().map(|part| (*part).to_owned()));
        let says: Vec<&str> = says.iter().map(String::as_str).collect();
        check(nearside(&["plan", &file]), INPUT, &says);
    }
}

/// What is wrong with the last of these is an offer, not a line of the project.
const RATE: &str = "offer-without-a-rate";
/// Names that only the catalog or the disk can resolve: what replaces what, and what is said.
const UNRESOLVED: [(&str, &str, &str, &[&str]); 6] = [
    (
        "misspelt-model",
        "[site.here]",
        "[model.base]\nsource = \"llama-3.1-8bb\"\n[site.here]",
        &["\"llama-3.1-8bb\"", "did you mean llama-3.1-8b"],
    ),
    (
        "absent-model-file",
        "[site.here]",
        "[model.base]\nsource = \"./no.gguf\"\n[site.here]",
        &["no.gguf", "hint: name a folder"],
    ),
    (
        "absent-machine-file",
        "cores = 8\nmemory = \"32 GiB\"",
        "machine = \"none.toml\"",
        &["none.toml"],
    ),
    (
        "misspelt-device",
        "cores = 8",
        "cores = 8\naccelerators = [{ device = \"rtx-4900\", count = 1 }]",
        &["\"rtx-4900\"", "did you mean rtx-4090"],
    ),
    (
        "misspelt-provider",
        "[\"here\"]",
        "[\"here\", \"awz/*\"]",
        &["\"awz/*\"", "did you mean aws/*"],
    ),
    (
        RATE,
        "[\"here\"]",
        "[\"here\", \"lambda/gpu_1x_a6000@europe-central-1\"]",
        &[
            "priced in USD",
            "no exchange rate from USD to EUR",
            "hint: add a rate to the project: [money]",
        ],
    ),
];

#[test]
fn names_that_resolve_to_nothing_are_said() {
    let folder = Folder::cleared("unresolved");
    for (name, old, new, says) in UNRESOLVED {
        let file = folder.write(&format!("{name}/nearside.toml"), edited(old, new));
        check(nearside(&["plan", &file]), INPUT, says);
    }
}

#[test]
fn names_that_resolve_to_nothing_are_shown_in_the_file() {
    let folder = Folder::cleared("unresolved-places");
    for (name, old, new, _) in UNRESOLVED.into_iter().filter(|case| case.0 != RATE) {
        let file = folder.write(&format!("{name}/nearside.toml"), edited(old, new));
        check(nearside(&["plan", &file]), INPUT, &[&format!("--> {file}:")]);
    }
}

#[test]
fn a_project_that_is_no_text_or_not_there_is_refused() {
    let folder = Folder::cleared("no-projects");
    let project =
        |name: &str, content: &[u8]| folder.write(&format!("{name}/nearside.toml"), content);
    let binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
    let deep = format!("version = 1\nx = {}{}", "[".repeat(50_000), "]".repeat(50_000));
    std::fs::create_dir_all(folder.path().join("folder/nearside.toml")).unwrap();
    std::fs::create_dir_all(folder.path().join("nothing")).unwrap();
    let at = |name: &str| folder.path().join(name).to_str().expect("a UTF-8 path").to_owned();
    for (path, says) in [
        (project("empty", b""), "hint: write version = 1"),
        (project("latin", b"version = 1\nname = \"caf\xe9\"\n"), "UTF-8"),
        (project("binary", &binary), "UTF-8"),
        (project("deep", deep.as_bytes()), "recurs"),
        (project("no-stages", b"version = 1\n"), "no stages to place"),
        (at("folder"), "no project file"),
        (at("nothing"), "hint: write one with `nearside init"),
        (at("nowhere"), "no project file"),
    ] {
        check(nearside(&["plan", &path]), INPUT, &[says]);
        if !path.contains("no-stages") {
            check(nearside(&["config", "show", &path]), INPUT, &[says]);
        }
    }
    check(nearside(&["init", &at("nowhere")]), INPUT, &["is no folder"]);
}

/// A GGUF file that begins with so many tensors and keys.
fn gguf(version: u32, tensors: u64, keys: u64, rest: &[u8]) -> Vec<u8> {
    let (version, tensors, keys) =
        (version.to_le_bytes(), tensors.to_le_bytes(), keys.to_le_bytes());
    [b"GGUF", &version[..], &tensors, &keys, rest].concat()
}

/// A key of one letter whose value is an array of so many elements of a type.
fn gguf_array(kind: u32, count: u64) -> Vec<u8> {
    let key = [&1u64.to_le_bytes()[..], b"a", &9u32.to_le_bytes()].concat();
    [key, kind.to_le_bytes().to_vec(), count.to_le_bytes().to_vec()].concat()
}

fn safetensors(length: u64, header: &str, body: usize) -> Vec<u8> {
    [&length.to_le_bytes()[..], header.as_bytes(), &vec![0; body]].concat()
}

/// A safetensors file with an honest length.
fn tensors(header: &str, body: usize) -> Vec<u8> {
    safetensors(header.len() as u64, header, body)
}

#[test]
fn hostile_model_files_are_refused() {
    let folder = Folder::cleared("hostile-models");
    let nested: Vec<u8> = gguf_array(9, 1)
        .into_iter()
        .chain([9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0].repeat(9999))
        .collect();
    let two = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}"#;
    let one = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
    let vast = r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}"#;
    let files: [(&str, Vec<u8>, &str); 14] = [
        ("empty.gguf", Vec::new(), "truncated"),
        ("truncated.gguf", gguf(3, 2, 3, &[1, 0]), "truncated: needs 8 bytes at offset 24"),
        ("no.gguf", b"GGML0000000000000000000000".to_vec(), "does not begin with GGUF"),
        ("version.gguf", gguf(99, 0, 0, &[]), "version 99"),
        ("tensors.gguf", gguf(3, 1 << 63, 0, &[]), "9223372036854775808 tensors"),
        ("keys.gguf", gguf(3, 0, u64::MAX, &[]), "18446744073709551615"),
        ("array.gguf", gguf(3, 0, 1, &gguf_array(4, 1 << 62)), "truncated"),
        ("nested.gguf", gguf(3, 0, 1, &nested), "deep"),
        ("overlap.safetensors", tensors(two, 24), "tensor \"b\": overlaps"),
        ("beyond.safetensors", tensors(one, 4), "16 bytes, the file has 4"),
        ("vast.safetensors", tensors(vast, 16), "tensor \"a\""),
        ("header.safetensors", safetensors(1 << 40, "{}", 0), "1099511627776 bytes, at most"),
        ("longest.safetensors", safetensors(u64::MAX, "{}", 0), "18446744073709551615 bytes"),
        ("syntax.safetensors", tensors("{\"a\":", 0), "invalid JSON"),
    ];
    for (name, content, says) in files {
        let file = folder.write(name, content);
        let run = nearside(&["fit", &file, "--on", "rtx-4090"]);
        check(run, INPUT, &[name, says, "hint: the file is damaged"]);
    }
}

/// The configuration of a small Llama, one line per field.
const CONFIG: &str = r#"{
  "model_type": "llama",
  "hidden_size": 64,
  "intermediate_size": 128,
  "num_hidden_layers": 2,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "vocab_size": 1000,
  "max_position_embeddings": 2048
}
"#;

#[test]
fn a_malformed_config_is_shown_at_the_fault() {
    let folder = Folder::cleared("malformed-configs");
    let good = folder.write("good/config.json", CONFIG);
    nearside(&["fit", &good, "--on", "rtx-4090"]).exits(0);
    for (name, old, new, at, says) in [
        ("syntax", "64,", "64,,", "\"hidden_size\": 64,‸,", "invalid JSON"),
        ("word", "64", "\"many\"", "\"many\"", "field \"hidden_size\": expected a whole number"),
        ("fraction", "64", "64.5", "64.5", "found 64.5"),
        ("negative", ": 2,", ": -2,", "-2,", "field \"num_hidden_layers\""),
        ("layers", ": 2,", ": 1000000000,", "1000000000", "found 1000000000"),
        ("wide", "64", "4611686018427387904", "4611686018427387904", "from 1 to 1048576"),
        ("no-heads", ": 4,", ": 0,", "0,\n  \"num_key", "field \"num_attention_heads\""),
        ("list", CONFIG, "[1, 2]\n", "[1, 2]", "expected a map"),
        ("nothing", CONFIG, "", "", "EOF"),
        ("family", CONFIG, "{\"a\": 1}\n", "{", "\"model_type\""),
    ] {
        let text = CONFIG.replacen(old, new, 1);
        let file = folder.write(&format!("{name}/config.json"), &text);
        let (place, line) = place(&text, at);
        let run = nearside(&["fit", &file, "--on", "rtx-4090"]);
        check(run, INPUT, &[&format!("--> {file}:{place}\n"), line.trim_end(), says]);
    }
}

/// A configuration folder with one overlay of the catalog.
fn overlaid(name: &str, file: &str, content: impl AsRef<[u8]>) -> Folder {
    let folder = Folder::cleared(&format!("overlays/{name}"));
    folder.write(&format!("catalog/{file}"), content);
    folder
}

#[test]
fn a_bad_overlay_names_file_line_and_cell() {
    let head = "provider,instance,region,on_demand\n";
    let rows = |rows: &str| format!("{head}{rows}").into_bytes();
    let cases: [(&str, &str, Vec<u8>, &[&str]); 6] = [
        (
            "cell",
            "offers.csv",
            rows("aws,a,us-east-1,1 USD/h\naws,b,us-east-1,cheap\n"),
            &["offers.csv:3:", "\"on_demand\"", "\"cheap\""],
        ),
        ("number", "offers.csv", rows("aws,a,us-east-1,0.30\n"), &["offers.csv:2:", "\"0.30\""]),
        ("short", "offers.csv", rows("aws,a,us-east-1\n"), &["offers.csv:2:", "3 fields"]),
        (
            "column",
            "offers.csv",
            b"provider,instance,regoin\naws,a,b\n".to_vec(),
            &["offers.csv:1:", "\"regoin\"", "did you mean region"],
        ),
        ("bytes", "offers.csv", vec![0xff, 0xfe], &["offers.csv", "UTF-8"]),
        ("table", "offer.csv", rows(""), &["offer.csv", "did you mean offers.csv"]),
    ];
    for (name, file, content, says) in cases {
        let folder = overlaid(name, file, content);
        let arguments = ["catalog", "list", "models"];
        check(nearside_configured(folder.path(), &arguments), INPUT, says);
    }
}

#[test]
fn every_command_that_uses_facts_reads_the_overlays() {
    let folder =
        overlaid("used", "offers.csv", "provider,instance,region,on_demand\na,b,c,cheap\n");
    for arguments in [
        &["plan", "examples/support-assistant", "--json"][..],
        &["fit", "llama-3.1-8b", "--on", "rtx-4090"],
        &["config", "show", "examples/support-assistant"],
        &["catalog", "check"],
    ] {
        check(
            nearside_configured(folder.path(), arguments),
            INPUT,
            &["offers.csv:2:", "\"cheap\""],
        );
    }
}

#[test]
fn a_negative_price_in_an_overlay_is_a_finding() {
    let rows = "provider,instance,region,on_demand\naws,odd,us-east-1,-1 USD/h\n";
    let folder = overlaid("negative", "offers.csv", rows);
    let run = nearside_configured(folder.path(), &["catalog", "check"]).exits(1);
    let line = run.stdout.lines().find(|line| line.contains("price below zero")).unwrap_or("");
    assert!(line.contains("aws/odd@us-east-1") && line.contains("offers.csv:2"), "{line}");
}

#[test]
fn a_negative_price_is_not_planned_with() {
    let rows = "provider,instance,region,vcpus,memory,on_demand\n\
                aws,odd,us-east-1,16,64 GiB,-1 EUR/h\n";
    let folder = overlaid("negative-plan", "offers.csv", rows);
    let text = edited("[\"here\"]", "[\"here\", \"aws/odd\"]");
    let file = folder.write("project/nearside.toml", text);
    let run = nearside_configured(folder.path(), &["plan", &file]);
    check(run, INPUT, &["offers.csv:2", "-1"]);
}

#[test]
fn a_wrong_command_line_says_what_is_right() {
    let example = "examples/support-assistant";
    let on = |rest: &[&'static str]| [&["fit", "llama-3.1-8b", "--on", "rtx-4090"], rest].concat();
    let plan = |rest: &[&'static str]| [&["plan", example], rest].concat();
    let cases: [(Vec<&str>, &[&str]); 17] = [
        (vec!["plam"], &["plam", "plan"]),
        (vec!["fit", "--size", "4B"], &["4B", "write MIN..MAX"]),
        (plan(&["--bogus"]), &["--bogus", "Usage:"]),
        (plan(&["extra"]), &["extra", "Usage:"]),
        (
            plan(&["--stage", "trian"]),
            &["no stage \"trian\"", "hint: the stages are explore", "train"],
        ),
        (
            plan(&["--what-if", "deadline"]),
            &["\"deadline\" is no KEY=VALUE", "hint: write --what-if"],
        ),
        (plan(&["--what-if", ".a=1"]), &["\".a\" is no key", "hint: write --what-if"]),
        (plan(&["--what-if", "name.x=1"]), &["\"name\" in \"name.x\"", "hint: write --what-if"]),
        (plan(&["--pareto", "--what-if", "a=b"]), &["--pareto", "cannot be used with"]),
        (on(&["--task", "dance"]), &["dance", "possible values: inference"]),
        (on(&["--optimizer", "q9"]), &["unknown optimizer \"q9\": use adamw"]),
        (on(&["--weights", "q99"]), &["\"q99\""]),
        (on(&["--batch", "0"]), &["0 is not in 1..=65536"]),
        (on(&["--site", "x.toml"]), &["cannot be used with"]),
        (
            vec!["catalog", "check", "--older-than", "soon"],
            &["\"soon\" is not a number with a unit"],
        ),
        (vec!["catalog", "check", "--today", "never"], &["\"never\" is not a date, as in"]),
        (vec!["completions", "tcsh"], &["tcsh", "possible values: bash"]),
    ];
    for (arguments, says) in cases {
        check(nearside(&arguments), USAGE, says);
    }
}

#[test]
fn what_if_says_what_is_wrong_with_a_value() {
    for (change, says) in [
        ("objective.minimize=beauty", &["\"beauty\"", "use cost, time, carbon"][..]),
        ("objective.deadline=48", &["\"48\" needs a unit", "hint: as in deadline"]),
        ("objective.budgit=1", &["\"budgit\"", "did you mean \"budget\"?"]),
        ("version=9", &["version 9"]),
    ] {
        let run = nearside(&["plan", "examples/support-assistant", "--what-if", change]);
        let code = run.code;
        assert!(matches!(code, USAGE | INPUT), "{} exits {code}", run.line);
        check(run, code, says);
    }
}

#[test]
fn unknown_and_ambiguous_names_are_answered_with_the_near_ones() {
    for (arguments, says) in [
        (&["fit", "llama-3.1-8bb"][..], &["\"llama-3.1-8bb\"", "llama-3.1-8b"][..]),
        (&["fit", "./llama-3.1-8b"], &["no model at", "hint: name a folder"]),
        (&["fit", "tests"], &["\"tests\""]),
        (&["fit", "examples"], &["no config.json, model_index.json or .gguf file in"]),
        (&["fit", "llama-3.1-8b", "--on", "rtx-4900"], &["\"rtx-4900\"", "rtx-4090"]),
        (&["fit", "llama-3.1-8b", "--on", "RTX 5060 Ti"], &["rtx-5060-ti-16gb or rtx-5060-ti-8gb"]),
        (&["fit", "llama-3.1-8b", "--on", ""], &["no device is called"]),
        (&["catalog", "show", "nothing"], &["\"nothing\"", "hint: `nearside catalog list"]),
        (&["catalog", "show", "aws/nothing"], &["\"aws/nothing\""]),
        (&["catalog", "list", "offers", "awz/*"], &["\"awz/*\"", "did you mean aws/*?"]),
        (&["fit", "llama-3.1-8b", "--site", "no.toml"], &["cannot read", "no.toml"]),
    ] {
        check(nearside(arguments), INPUT, says);
    }
}

#[test]
fn a_pipeline_without_a_component_names_the_file() {
    let folder = Folder::cleared("pipeline");
    let index =
        r#"{"_class_name": "StableDiffusionPipeline", "vae": ["diffusers", "AutoencoderKL"]}"#;
    let file = folder.write("model_index.json", index);
    let missing = file.replace("model_index.json", "vae/config.json");
    let says = ["names vae: no file", &missing, "hint: fetch the config.json"];
    check(nearside(&["fit", &file]), INPUT, &says);
    check(nearside(&["fit", file.trim_end_matches("/model_index.json")]), INPUT, &says);
}

#[test]
fn a_machine_file_is_checked_like_a_project_file() {
    let folder = Folder::cleared("machine-files");
    let text = "version = 1\nname = \"box\"\nmemmory = \"64 GiB\"\n";
    let file = folder.write("box.toml", text);
    let place = format!("--> {file}:3:1\n");
    let says = ["\"memmory\"", &place, "3 | memmory", "hint: did you mean \"memory\"?"];
    check(nearside(&["fit", "llama-3.1-8b", "--site", &file]), INPUT, &says);
}

#[test]
fn the_world_outside_is_not_the_persons_fault() {
    let folder = Folder::cleared("outside");
    std::fs::create_dir_all(folder.path().join("nearside.toml")).unwrap();
    let path = folder.path().to_str().expect("a UTF-8 path");
    check(nearside(&["init", path, "--force"]), WORLD, &["cannot write", "nearside.toml"]);
    check(nearside(&["fit", "llama-3.1-8b", "--site", path]), WORLD, &["cannot read", path]);
}

#[test]
fn a_wrong_what_if_is_a_wrong_command_line() {
    let change = "objective.minimize=beauty";
    let run = nearside(&["plan", "examples/support-assistant", "--what-if", change]).exits(USAGE);
    assert!(!run.stderr.contains("--> examples/support-assistant/nearside.toml"), "{}", run.stderr);
}

#[test]
fn a_full_disk_is_not_success() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open(Path::new("/dev/full")) else {
        return;
    };
    let arguments = ["catalog", "list", "models"];
    let mut command = super::command::command(&arguments);
    let status = command.stdout(full).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(WORLD));
}
