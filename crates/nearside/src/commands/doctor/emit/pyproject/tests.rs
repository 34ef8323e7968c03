//! What is written for a project, and what becomes of the file that one has already.

use nearside_workload::EnvironmentLock;

use super::*;
use crate::commands::doctor::emit::choice::{Base, Reach};

const LOCK: &str = "version = 1
[system]
architecture = \"x86_64\"
[python]
version = \"3.12.3\"
torch = \"cuda 12.6\"
[packages]
mine = { version = \"0.1\", from = \"local\" }
numpy = \"2.1.0\"
odd = \"unknown\"
requests = { version = \"2.28.1\", from = \"system\" }
tool = { version = \"1.0\", from = \"https://example.org/tool.whl\", hash = \"sha256:00\" }
torch = \"2.9.1+cu126\"
torchvision = \"0.24.1\"
";

fn emission(lock: &str) -> Emission {
    let lock = EnvironmentLock::parse(lock).unwrap();
    let torch = TorchBuild::of_label("cu126").as_ref().map(TorchIndex::of);
    let base = Base { image: "base".to_owned(), reach: Reach::Cuda, python: None };
    Emission { name: "demo".to_owned(), lock, base, torch }
}

#[test]
fn a_new_file_holds_exact_versions_and_one_index_for_pytorch() {
    let text = whole(&emission(LOCK));
    let table: Table = text.parse().unwrap();
    assert_eq!(table["project"]["requires-python"].as_str(), Some("==3.12.*"));
    let pins: Vec<_> = table["project"]["dependencies"].as_array().unwrap().iter().collect();
    let pins: Vec<_> = pins.iter().map(|pin| pin.as_str().unwrap()).collect();
    let tool = "tool @ https://example.org/tool.whl#sha256=00";
    assert_eq!(pins, ["numpy==2.1.0", tool, "torch==2.9.1", "torchvision==0.24.1"]);
    let uv = &table["tool"]["uv"];
    let sources: Vec<_> = uv["sources"].as_table().unwrap().keys().collect();
    assert_eq!(sources, ["torch", "torchvision"]);
    assert_eq!(uv["sources"]["torch"][0]["index"].as_str(), Some("pytorch-cu126"));
    assert_eq!(uv["index"][0]["explicit"].as_bool(), Some(true));
    let url = "https://download.pytorch.org/whl/cu126";
    assert_eq!(uv["index"][0]["url"].as_str(), Some(url));
    let left: Vec<_> = left_out(&emission(LOCK)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, ["mine", "odd", "requests"]);
    // Written again it is the same, and after a change another one.
    assert_eq!(merged(&text, &emission(LOCK)), Ok(Merged::Same));
    let changed = emission(&LOCK.replace("2.1.0", "2.2.0"));
    assert!(matches!(merged(&text, &changed), Ok(Merged::Anew(_))));
}

#[test]
fn another_build_brings_its_own_libraries() {
    let pinned = |lock: &str| pins(&emission(lock)).join(" ");
    let libraries = "nvidia-cublas-cu12 = \"12.8.4.1\"\nnvidia-ml-py = \"13.580.82\"\n\
                     nvidia-nccl-cu12 = \"2.28.9\"\ntorch = \"2.9.1+cu128\"\n\
                     triton = \"3.5.1\"\n";
    let lock = LOCK.replace("torch = \"2.9.1+cu126\"\n", libraries);
    let lock = lock.replace("\"0.24.1\"", "\"0.24.1+cu128\"");
    // cu128 was found and cu126 is taken: its index knows no +cu128.
    let other = lock.replace("cuda 12.6", "cuda 12.8");
    let pins = pinned(&other);
    assert!(
        pins.ends_with(
            "nvidia-ml-py==13.580.82 tool @ https://example.org/tool.whl#sha256=00 \
                            torch==2.9.1 torchvision==0.24.1"
        ),
        "{pins}"
    );
    let left = left_out(&emission(&other));
    let left: Vec<_> = left.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        left,
        ["mine", "nvidia-cublas-cu12", "nvidia-nccl-cu12", "odd", "requests", "triton"]
    );
    // Where the build stays, they do.
    let pins = pinned(&lock);
    assert!(pins.contains("nvidia-nccl-cu12==2.28.9") && pins.contains("triton==3.5.1"), "{pins}");
}

#[test]
fn without_pytorch_there_is_no_index() {
    let lock = "version = 1\n[python]\nversion = \"3.12.3\"\n[packages]\nnumpy = \"2.1.0\"\n";
    let text = whole(&emission(lock));
    assert!(!text.contains("index") && text.contains("numpy==2.1.0"), "{text}");
    let own = "[project]\nname = \"mine\"\nversion = \"1\"\n";
    assert_eq!(merged(own, &emission(lock)), Ok(Merged::Same));
    // Unless a person's project asks for it: it is not installed yet.
    for asks in ["dependencies = [\"torch>=2.9\"]", "optional-dependencies = { gpu = [\"torch\"] }"]
    {
        let asking = format!("{own}{asks}\n");
        assert!(matches!(merged(&asking, &emission(lock)), Ok(Merged::Added(_))), "{asking}");
    }
    let asking = format!("{own}dependencies = [\"torchmetrics\"]\n");
    assert_eq!(merged(&asking, &emission(lock)), Ok(Merged::Same));
}

#[test]
fn a_person_s_file_keeps_every_byte() {
    let check = |own: &str| {
        let Ok(Merged::Added(text)) = merged(own, &emission(LOCK)) else { panic!("{own}") };
        assert!(text.starts_with(own), "{text}");
        let table: Table = text.parse().unwrap();
        let source = &table["tool"]["uv"]["sources"]["torchvision"][0];
        assert_eq!(source["index"].as_str(), Some("pytorch-cu126"), "{text}");
        assert_eq!(merged(&text, &emission(LOCK)), Ok(Merged::Same), "{text}");
    };
    let project =
        "# mine\n[project]\nname = \"mine\"\nversion = \"1\"\ndependencies = [\"torch\"]\n";
    check(project);
    check(project.trim_end());
    check(&format!("{project}[tool.uv]\ndev-dependencies = []\n"));
    check(&format!("{project}[tool.uv.sources]\nother = {{ path = \"../other\" }}\n"));
    check(&format!("{project}[[tool.uv.index]]\nname = \"own\"\nurl = \"https://example.org\"\n"));
    // One that is no project yet becomes one.
    check("[tool.ruff]\nline-length = 100\n");
}

#[test]
fn what_speaks_against_it_is_named() {
    let project = "[project]\nname = \"mine\"\nversion = \"1\"\n";
    let check = |more: &str, expect: &str| {
        let found = merged(&format!("{project}{more}"), &emission(LOCK));
        let Ok(Merged::Contradicts(why)) = found else { panic!("{found:?}") };
        assert!(why[0].contains(expect), "{why:?}");
    };
    check("[tool.uv.sources]\ntorch = { index = \"cpu\" }\n", "tool.uv.sources.torch is");
    let other = "[[tool.uv.index]]\nname = \"pytorch-cu126\"\nurl = \"https://example.org\"\n";
    check(other, "tool.uv.index pytorch-cu126 is not https://download.pytorch.org/whl/cu126");
    check("[tool.uv]\nsources = {}\n", "in another form");
    assert!(merged("[project", &emission(LOCK)).is_err());
}

#[test]
fn folders_of_any_name_are_projects() {
    for (folder, expect) in [
        ("Support Assistant", "support-assistant"),
        ("..", "environment"),
        ("größe_2", "gr-e-2"),
        ("", "environment"),
    ] {
        assert_eq!(name(folder), expect);
    }
}
