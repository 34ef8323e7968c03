//! `nearside fit`: what would make a task fit, the most that fits, and which models run well.

use serde_json::Value;

use super::command::{Folder, list, nearside, number, root, text};

const WORKSTATION: &str = "examples/support-assistant/workstation.toml";

fn one(model: &str, rest: &[&str]) -> Value {
    let arguments = [&["fit", model, "--site", WORKSTATION, "--json"], rest].concat();
    nearside(&arguments).data()
}

#[test]
fn the_cheapest_changes_that_fit_are_told_with_their_price() {
    let data = one("llama-3.1-8b", &["--task", "lora"]);
    assert_eq!(data["tasks"][0]["verdict"], "does not fit");
    let techniques = list(&data["techniques"]);
    assert!(!techniques.is_empty());
    for technique in techniques {
        assert_eq!(technique["verdict"], "fits", "{technique}");
        assert!(number(&technique["time_ratio"]) > 0.0);
        assert!(list(&technique["steps"]).iter().all(|step| !text(&step["price"]).is_empty()));
    }
    let data = one("llama-3.1-8b", &["--task", "inference", "--sequence", "16k", "--batch", "4"]);
    let names: Vec<_> =
        list(&data["techniques"]).iter().map(|technique| text(&technique["technique"])).collect();
    assert!(names.iter().any(|name| name.contains("q8_0")), "{names:?}");
}

#[test]
fn what_a_project_can_say_of_a_recipe_flags_can_say() {
    let recipe = |rest: &[&str]| {
        let task = &one("llama-3.2-1b", &[&["--task", "lora"], rest].concat())["tasks"][0];
        (text(&task["recipe"]).to_owned(), number(&task["needed_bytes"]["likely"]))
    };
    let (plain, needed) = recipe(&[]);
    assert_eq!(plain, "bf16 weights, rank 16, adamw, fused attention");
    let (chunked, less) = recipe(&["--loss", "chunked", "--chunk", "256"]);
    assert_eq!(chunked, format!("{plain}, chunked loss"));
    assert!(less < needed);
    let (dora, more) = recipe(&["--adapter", "dora"]);
    assert!(dora.contains("DoRA, rank 16") && more > needed, "{dora}");
    let (eager, kept) = recipe(&["--attention", "eager"]);
    let (selective, fewer) = recipe(&["--attention", "eager", "--checkpointing", "selective"]);
    assert_eq!(selective, format!("{eager}, attention recomputed"));
    let (full, fewest) = recipe(&["--attention", "eager", "--checkpointing"]);
    assert_eq!(full, format!("{eager}, checkpointing"));
    assert!(kept > fewer && fewer > fewest);
    for (flags, message, hint) in [
        (["--loss", "chunkd"], "unknown loss \"chunkd\"", "did you mean chunked?"),
        (["--adapter", "dorra"], "unknown adapter \"dorra\"", "did you mean dora?"),
        (["--attention", "eagre"], "unknown attention kernel", "did you mean eager?"),
        (["--checkpointing", "ful"], "unknown checkpointing \"ful\"", "did you mean full?"),
        (["--optimizer", "adamv"], "unknown optimizer \"adamv\"", "did you mean adamw?"),
    ] {
        let arguments = [&["fit", "llama-3.2-1b", "--on", "t4", "--task", "lora"], &flags[..]];
        let run = nearside(&arguments.concat()).exits(2);
        assert!(run.stderr.contains(message), "{}", run.stderr);
        assert!(run.stderr.contains(hint), "{}", run.stderr);
    }
    let chunks = ["fit", "llama-3.2-1b", "--on", "t4", "--loss", "whole", "--chunk", "64"];
    assert!(nearside(&chunks).exits(2).stderr.contains("add --loss chunked"));
}

#[test]
fn devices_without_flash_attention_repeat_key_heads() {
    let needed = |device: &str| {
        let asked =
            ["fit", "llama-3.2-1b", "--on", device, "--task", "lora", "--batch", "4", "--json"];
        let task = nearside(&asked).data()["tasks"][0].clone();
        (text(&task["recipe"]).to_owned(), number(&task["needed_bytes"]["likely"]))
    };
    let (old, more) = needed("t4");
    let (new, less) = needed("a10");
    assert!(old.contains("efficient attention") && new.contains("fused attention"));
    assert!(more > less);
}

/// A diffusers folder as it is published, from the catalog's pipeline in one file.
fn pipeline(name: &str, without: &str) -> String {
    let folder = Folder::cleared(name);
    let models = std::fs::read_to_string(root().join("crates/nearside-catalog/data/models.json"));
    let models: Value = serde_json::from_str(&models.unwrap()).unwrap();
    let all = models.as_array().or_else(|| models["models"].as_array()).unwrap();
    let model = all.iter().find(|model| model["name"] == "stable-diffusion-1.5").unwrap();
    let fields = model.get("config").unwrap_or(model).as_object().unwrap();
    let mut index = serde_json::json!({ "_class_name": fields["_class_name"] });
    index["scheduler"] = serde_json::json!(["diffusers", "PNDMScheduler"]);
    index["safety_checker"] = serde_json::json!([null, null]);
    for (component, config) in fields.iter().filter(|(_, field)| field.is_object()) {
        index[component] = serde_json::json!([
            "diffusers",
            config["_class_name"].as_str().unwrap_or("CLIPTextModel")
        ]);
        if component != without {
            folder.write(&format!("{component}/config.json"), config.to_string());
        }
    }
    folder.write("model_index.json", index.to_string());
    folder.path().to_str().unwrap().to_owned()
}

#[test]
fn a_diffusers_folder_is_what_its_components_are() {
    let needed = |model: &str| {
        let asked = ["fit", model, "--on", "rtx-4090", "--task", "inference", "--json"];
        nearside(&asked).exits(0).data()["tasks"][0]["needed_bytes"].clone()
    };
    let folder = pipeline("pipeline", "");
    let known = needed("stable-diffusion-1.5");
    assert_eq!(needed(&folder), known);
    assert_eq!(needed(&format!("{folder}/model_index.json")), known);
    let broken = pipeline("pipeline-without-vae", "vae");
    let run = nearside(&["fit", &broken, "--on", "rtx-4090"]).exits(3);
    assert!(run.stderr.contains("vae/config.json"), "{}", run.stderr);
    Folder::new("pipeline-without-vae").write("vae/config.json", "{ \"sample_size\": \"x\" ");
    let run = nearside(&["fit", &broken, "--on", "rtx-4090"]).exits(3);
    assert!(run.stderr.contains("vae/config.json:1:"), "{}", run.stderr);
}

#[test]
fn the_size_of_an_image_is_what_was_asked_for() {
    let asked = |model: &str, side: &str| {
        nearside(&["fit", model, "--on", "rtx-4090", "--task", "inference", "--image", side])
    };
    let shown = asked("stable-diffusion-1.5", "768").exits(0).stdout;
    assert!(shown.contains("1 image of 768 x 768 pixels"), "{shown}");
    for (model, side, why) in [
        ("llama-3.2-1b", "512", "it takes no image"),
        ("stable-diffusion-1.5", "500", "do not divide by 16"),
        ("resnet50", "8", "not from 32 to 16384"),
        ("vit_b_16", "448", "the size that it was made for"),
    ] {
        let run = asked(model, side).exits(2);
        assert!(run.stderr.contains(why), "{}", run.stderr);
    }
}

#[test]
fn the_limits_are_the_last_that_fit() {
    let inference = ["--task", "inference"];
    let limits = one("llama-3.1-8b", &inference)["limits"].clone();
    for (option, limit) in [("--batch", "batch"), ("--sequence", "sequence")] {
        let most = number(&limits[limit]) as u64;
        for (size, fits) in [(most, true), (most + 1, false)] {
            let size = size.to_string();
            let asked = one("llama-3.1-8b", &[&inference[..], &[option, &size]].concat());
            let verdict = &asked["tasks"][0]["verdict"];
            assert_eq!(verdict == "fits", fits, "{option} {size}: {verdict}");
        }
    }
    assert!(number(&limits["concurrency"]) >= number(&limits["batch"]));
    assert_eq!(one("llama-3.1-8b", &["--task", "lora"])["limits"]["batch"], 0);
}

#[test]
fn models_that_run_well_are_ranked() {
    let run = nearside(&["fit", "--site", WORKSTATION, "--limit", "100", "--json"]).exits(0);
    let data = run.data();
    let enough = number(&data["fast_tokens_per_second"]);
    let models = list(&data["models"]);
    let speed = |model: &Value| number(&model["tokens_per_second"]["likely"]);
    let fast: Vec<_> = models.iter().take_while(|model| speed(model) >= enough).collect();
    assert!(fast.len() > 20);
    assert!(fast.is_sorted_by(|a, b| number(&a["parameters"]) >= number(&b["parameters"])));
    assert!(models[fast.len()..].iter().all(|model| speed(model) < enough));
    for model in models {
        let (needs, has) = (&model["needed_bytes"]["high"], &model["available_bytes"]["low"]);
        assert!(number(needs) <= number(has), "{model}");
    }
    let misses = list(&data["out_of_reach"]);
    assert!(misses.is_sorted_by(|a, b| number(&a["short_bytes"]) <= number(&b["short_bytes"])));
    assert!(misses.iter().all(|miss| number(&miss["short_bytes"]) > 0.0));
}

#[test]
fn filters_choose_models() {
    let listed = |rest: &[&str]| {
        let arguments = [&["fit", "--on", "rtx-4090", "--limit", "100", "--json"], rest].concat();
        let data = nearside(&arguments).exits(0).data();
        list(&data["models"]).to_vec()
    };
    let small = listed(&["--size", "1B..4B"]);
    let size = |model: &Value| number(&model["parameters"]);
    assert!(!small.is_empty() && small.iter().all(|model| (1e9..=4e9).contains(&size(model))));
    let open = listed(&["--licence", "apache"]);
    assert!(open.iter().all(|model| model["open_licence"] == true));
    assert!(open.iter().any(|model| model["model"] == "qwen2.5-7b"));
    let none = nearside(&["fit", "--on", "t4", "--licence", "no such licence"]).exits(2);
    assert!(none.stderr.contains("catalog list models"), "{}", none.stderr);
}

#[test]
fn lines_stay_within_80_columns() {
    for arguments in [
        &["fit", "--on", "rtx-4090"][..],
        &["fit", "--on", "t4", "--task", "fine-tune"],
        &["fit", "--site", WORKSTATION, "--task", "qlora", "--size", "10B.."],
    ] {
        let run = nearside(arguments).exits(0);
        for line in run.stdout.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", run.line);
        }
    }
}
