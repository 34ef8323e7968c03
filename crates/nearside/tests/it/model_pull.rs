//! `nearside model pull` and `nearside model list` against a hub on this machine, and beside the real
//! `huggingface_hub` in one cache.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, list, root, text};
use crate::hub::{COMMIT, Hub, Repo, Trouble, sha256};

/// The real `huggingface_hub`, as `cargo xtask setup` installs it.
const PYTHON: &str = "target/engines/hub/bin/python";
/// What nobody but the hub may see.
const TOKEN: &str = "hf_ThisMustNeverBeSeen";
/// Bytes of the large file.
const LARGE: usize = 3_000_000;

/// A hub with a model, and the folder of a person who pulls from it.
struct Desk {
    hub: Hub,
    folder: Folder,
}

impl Desk {
    fn new(name: &str) -> Self {
        let small = [
            ("README.md", "# A model\n"),
            ("config.json", r#"{"architectures": ["LlamaForCausalLM"]}"#),
            ("tokenizer.json", "{}"),
            ("model.safetensors.index.json", INDEX),
        ];
        let small = |names: &[&str]| {
            let files = small.into_iter().filter(|(name, _)| names.contains(name));
            files.map(|(name, text)| (name, text.as_bytes().to_vec())).collect::<BTreeMap<_, _>>()
        };
        let model = Repo {
            small: small(&["README.md", "config.json", "tokenizer.json"]),
            large: BTreeMap::from([
                ("model.safetensors", noise(1)),
                ("pytorch_model.bin", noise(2)[..1000].to_vec()),
            ]),
            gate: None,
            names_only: false,
        };
        let gguf = |sizes: &[(&'static str, usize)]| Repo {
            small: small(&["README.md", "config.json"]),
            large: sizes.iter().map(|(name, size)| (*name, noise(3)[..*size].to_vec())).collect(),
            gate: None,
            names_only: false,
        };
        let hub = Hub::new(vec![
            ("org/model", model.clone()),
            ("org/mirrored", Repo { names_only: true, ..model.clone() }),
            ("org/gated", Repo { gate: Some(TOKEN), ..model.clone() }),
            (
                "org/pickle",
                Repo { large: BTreeMap::from([("pytorch_model.bin", noise(2))]), ..model },
            ),
            (
                "org/parts",
                Repo {
                    small: small(&["config.json", "model.safetensors.index.json"]),
                    large: BTreeMap::from([("model-00001-of-00002.safetensors", noise(4))]),
                    gate: None,
                    names_only: false,
                },
            ),
            (
                "org/quants",
                gguf(&[
                    ("m-Q4_K_M.gguf", 400_000),
                    ("m-Q8_0-00001-of-00002.gguf", 500_000),
                    ("m-Q8_0-00002-of-00002.gguf", 300_000),
                ]),
            ),
        ]);
        Self { hub, folder: Folder::cleared(&format!("pull-{name}")) }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    fn blob(&self, repository: &str, content: &[u8]) -> PathBuf {
        let folder = format!("models--{}", repository.replace('/', "--"));
        self.cache().join(folder).join("blobs").join(sha256(content))
    }

    fn snapshot(&self, repository: &str) -> PathBuf {
        let folder = format!("models--{}", repository.replace('/', "--"));
        self.cache().join(folder).join("snapshots").join(COMMIT)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&[&["model"], arguments].concat());
        self.surround(&mut command);
        command
    }

    /// Holds everything fixed that a hub's client looks at.
    fn surround(&self, command: &mut Command) {
        let ours = [
            "HF_TOKEN",
            "HF_HUB_OFFLINE",
            "HUGGINGFACE_HUB_CACHE",
            "HF_TOKEN_PATH",
            "HUGGING_FACE_HUB_TOKEN",
            "TRANSFORMERS_OFFLINE",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
            "HTTPS_PROXY",
            "https_proxy",
        ];
        for name in ours {
            command.env_remove(name);
        }
        command
            .env("HF_ENDPOINT", &self.hub.url)
            .env("HF_HOME", self.folder.path().join("home"))
            .env("HF_HUB_CACHE", self.cache())
            .env("HF_HUB_DISABLE_XET", "1")
            .env("HF_HUB_DISABLE_TELEMETRY", "1");
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments), arguments)
    }

    #[track_caller]
    fn with(&self, variable: (&str, &str), arguments: &[&str]) -> Run {
        let mut command = self.command(arguments);
        command.env(variable.0, variable.1);
        Run::of(command, arguments)
    }

    #[track_caller]
    fn pulled(&self, reference: &str) -> Value {
        let answer = self.run(&["pull", reference, "--json", "--no-progress"]).exits(0).data();
        check_schema("model-pull", &answer);
        answer
    }

    /// Runs the real `huggingface_hub`; says aloud if there is none.
    fn python(&self, script: &str) -> Option<Value> {
        let python = root().join(PYTHON);
        if !python.is_file() {
            eprintln!("SKIPPED: no huggingface_hub in {PYTHON}; remedy: cargo xtask setup");
            return None;
        }
        let mut command = Command::new(python);
        self.surround(&mut command);
        let output = command.args(["-c", script]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }
}

const INDEX: &str = r#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;

/// Bytes that nothing compresses, the same every time.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..LARGE).map(|_| next()).collect()
}

/// Files of a folder and their digests.
fn content(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, sha256(&fs::read(path).unwrap()))
        })
        .collect()
}

#[test]
fn a_model_is_pulled_once() {
    let desk = Desk::new("once");
    let dry = desk.run(&["pull", "org/model", "--dry-run"]).exits(0);
    assert!(
        dry.stdout.contains("to fetch") && dry.stdout.contains("3.00 MB to come"),
        "{}",
        dry.stdout
    );
    assert!(!desk.cache().exists(), "a dry run writes nothing");

    let run = desk.run(&["pull", "org/model"]).exits(0);
    assert!(run.stdout.contains("4 files, 3.00 MB; 3.00 MB came"), "{}", run.stdout);
    assert!(run.stdout.contains(desk.snapshot("org/model").to_str().unwrap()), "{}", run.stdout);
    assert!(run.stderr.contains("hint: nearside fit "), "{}", run.stderr);
    assert_eq!(desk.hub.sent(), LARGE as u64);
    let there = content(&desk.snapshot("org/model"));
    let names: Vec<_> = there.keys().map(String::as_str).collect();
    assert_eq!(names, ["README.md", "config.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(there["model.safetensors"], sha256(&noise(1)));
    let link = fs::read_link(desk.snapshot("org/model").join("model.safetensors")).unwrap();
    assert_eq!(link, Path::new("../../blobs").join(sha256(&noise(1))));

    let asked = desk.hub.asked().len();
    let again = desk.pulled("org/model");
    assert_eq!((desk.hub.sent(), desk.hub.asked().len()), (0, asked + 1), "one question, no file");
    assert_eq!(again["transferred_bytes"], 0);
    assert!(list(&again["files"]).iter().all(|file| file["state"] == "present"));
    assert_eq!(desk.pulled(&format!("org/model@{COMMIT}"))["transferred_bytes"], 0);

    let listed = desk.run(&["list"]).exits(0).stdout;
    assert!(listed.contains("org/model") && listed.contains("safetensors"), "{listed}");
    let listed = desk.run(&["list", "--json"]).exits(0).data();
    check_schema("model-list", &listed);
    let model = &list(&listed["models"])[0];
    assert_eq!((&model["files"], text(&model["revisions"][0])), (&Value::from(4), "main"));
    assert!(list(&listed["unfinished"]).is_empty());
}

#[test]
fn offline_the_cache_answers_and_nobody_is_asked() {
    let desk = Desk::new("offline");
    let offline = |reference: &str| desk.with(("HF_HUB_OFFLINE", "1"), &["pull", reference]);
    let absent = offline("org/model").exits(4);
    assert!(
        absent.stderr.contains("not whole in the cache")
            && absent.stderr.contains("HF_HUB_OFFLINE")
    );
    desk.pulled("org/model");
    desk.pulled("org/quants:Q4_K_M");
    let asked = desk.hub.asked().len();
    let run = offline("org/model").exits(0);
    assert!(run.stdout.contains("everything is here"), "{}", run.stdout);
    offline("org/quants:Q4_K_M").exits(0);
    offline("org/quants:Q8_0").exits(3);
    assert_eq!(desk.hub.asked().len(), asked);
}

#[test]
fn a_killed_pull_goes_on_where_it_was() {
    let desk = Desk::new("killed");
    desk.hub.trouble(Trouble::Slow(40));
    let mut child = desk
        .command(&["pull", "org/model"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut partial = desk.blob("org/model", &noise(1)).into_os_string();
    partial.push(".incomplete");
    let there = || fs::metadata(&partial).map_or(0, |it| it.len());
    let begin = Instant::now();
    while there() < 500_000 {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing comes");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = there();
    assert!((500_000..LARGE as u64).contains(&kept), "{kept}");
    let unfinished = desk.run(&["list", "--json"]).exits(0).data();
    assert_eq!(unfinished["unfinished"][0]["bytes"], kept);
    let offline = desk.with(("HF_HUB_OFFLINE", "1"), &["pull", "org/model"]);
    assert_eq!(offline.code, 4, "half a model is none");

    std::thread::sleep(Duration::from_millis(200));
    desk.hub.trouble(Trouble::None);
    desk.hub.sent();
    let answer = desk.pulled("org/model");
    assert_eq!(desk.hub.sent(), LARGE as u64 - kept, "only the rest");
    assert_eq!(answer["transferred_bytes"], LARGE as u64 - kept);
    assert_eq!(content(&desk.snapshot("org/model"))["model.safetensors"], sha256(&noise(1)));
}

#[test]
fn ctrl_c_keeps_what_came() {
    let desk = Desk::new("interrupted");
    desk.hub.trouble(Trouble::Slow(40));
    let mut pull = desk.command(&["pull", "org/model", "--no-progress"]);
    let child = pull.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    while desk.hub.sent_so_far() < 500_000 {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing comes");
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = child.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(5), "{stdout}{stderr}");
    assert!(stdout.contains("interrupted"), "{stdout}");
    assert!(stderr.contains("hint: nearside model pull org/model goes on"), "{stderr}");
    assert!(!desk.blob("org/model", &noise(1)).exists());
}

#[test]
fn lost_connections_and_servers_without_ranges_are_lived_with() {
    for (name, trouble, more) in [
        ("cut", Trouble::Cut(1_000_000, 2), 0),
        ("no-ranges", Trouble::NoRanges, 0),
        ("cut-once", Trouble::Cut(2_000_000, 1), 0),
    ] {
        let desk = Desk::new(name);
        desk.hub.trouble(trouble);
        desk.pulled("org/model");
        assert_eq!(desk.hub.sent(), LARGE as u64 + more, "{name}");
        assert_eq!(content(&desk.snapshot("org/model"))["model.safetensors"], sha256(&noise(1)));
    }
}

#[test]
fn what_is_not_what_it_should_be_is_thrown_away() {
    let desk = Desk::new("wrong");
    desk.hub.trouble(Trouble::Wrong);
    let run = desk.run(&["pull", "org/model"]).exits(4);
    assert!(run.stderr.contains(&sha256(&noise(1))), "{}", run.stderr);
    assert!(run.stderr.contains("nothing of it is kept") && !run.stderr.contains("came is kept"));
    let blob = desk.blob("org/model", &noise(1));
    let left =
        fs::read_dir(blob.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    let of_it = |name: &std::ffi::OsString| {
        name.to_str().unwrap().starts_with(blob.file_name().unwrap().to_str().unwrap())
    };
    assert_eq!(left.filter(of_it).count(), 0, "neither the file nor a part of it");
    assert!(!desk.snapshot("org/model").join("model.safetensors").exists());
    assert!(!desk.cache().join("models--org--model/refs").exists(), "no name for half a model");
    desk.hub.trouble(Trouble::None);
    desk.pulled("org/model");
}

#[test]
fn what_cannot_be_pulled_is_told_with_what_to_do() {
    let desk = Desk::new("refused");
    let says = |reference: &str, code: i32, words: &[&str]| {
        let run = desk.run(&["pull", reference]).exits(code);
        for word in words {
            assert!(run.stderr.contains(word), "{reference}: {word}\n{}", run.stderr);
        }
    };
    says("org/none", 4, &["no such model, or it is private", "HF_TOKEN"]);
    says("org/model@v9", 4, &["no revision v9"]);
    says("org/gated", 4, &["accepted their terms", "accept the licence at", "HF_TOKEN"]);
    says("org/pickle", 3, &["pickles only (pytorch_model.bin)", "refs/pr/1"]);
    says("org/model/pytorch_model.bin", 3, &["a pickle runs"]);
    says(
        "org/quants",
        3,
        &[
            "has 2 GGUF files",
            "Q4_K_M",
            "400 kB",
            "800 kB",
            "nearside model pull org/quants:Q4_K_M",
        ],
    );
    says("org/quants:Q5_0", 3, &["no GGUF of Q5_0", "Q8_0"]);
    says(
        "org/model/Config.json",
        3,
        &["no file Config.json", "nearside model pull org/model/config.json"],
    );
    says("org/parts", 4, &["model-00002-of-00002.safetensors"]);
    says("llama3:8b", 3, &["whose it is", "ORG/NAME"]);
    says("org\\model", 3, &["hint: nearside model pull org/model"]);
    says("../../etc/passwd", 3, &["names no model"]);
    let run = desk.run(&["pull", "org/model", "--revision", "../x"]).exits(3);
    assert!(run.stderr.contains("leads out of its folder"), "{}", run.stderr);
    let run = desk.with(("HF_ENDPOINT", "http://example.org"), &["pull", "org/model"]).exits(4);
    assert!(run.stderr.contains("only https"), "{}", run.stderr);
    assert_eq!(desk.hub.sent(), 3_000_000, "but for the part that is there of org/parts");
}

#[test]
fn a_quantization_is_pulled_with_all_its_parts() {
    let desk = Desk::new("quantization");
    desk.pulled("org/quants:q8_0");
    let names: Vec<_> = content(&desk.snapshot("org/quants")).into_keys().collect();
    assert_eq!(names, ["README.md", "m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf"]);
    assert_eq!(desk.hub.sent(), 800_000);
    let answer = desk.pulled("org/quants/m-Q4_K_M.gguf");
    assert_eq!(answer["transferred_bytes"], 400_000);
}

#[test]
fn a_hub_that_lists_names_alone_is_asked_for_the_rest() {
    let desk = Desk::new("mirrored");
    desk.pulled("org/mirrored");
    let there = content(&desk.snapshot("org/mirrored"));
    assert_eq!((there.len(), &there["model.safetensors"]), (4, &sha256(&noise(1))));
    let heads = desk.hub.asked().iter().filter(|it| it.starts_with("head ")).count();
    assert_eq!(heads, 4, "one for each file");
    assert_eq!(desk.pulled("org/mirrored")["transferred_bytes"], 0);
}

#[test]
fn a_token_is_seen_by_the_hub_alone() {
    let desk = Desk::new("token");
    let mut runs = vec![
        desk.with(("HF_TOKEN", TOKEN), &["pull", "org/gated"]).exits(0),
        desk.with(("HF_TOKEN", TOKEN), &["pull", "org/none"]).exits(4),
        desk.with(("HF_TOKEN", TOKEN), &["pull", "org/gated", "--json", "--explain"]).exits(0),
        desk.with(("HF_TOKEN", "hf_ThisMustNeverBeSeen too"), &["pull", "org/gated"]).exits(3),
    ];
    desk.hub.trouble(Trouble::Wrong);
    fs::remove_dir_all(desk.cache()).unwrap();
    desk.folder.write("home/token", format!("{TOKEN}\n"));
    runs.push(desk.run(&["pull", "org/gated"]).exits(4));
    for run in runs {
        for stream in [&run.stdout, &run.stderr] {
            assert!(!stream.contains("MustNever") && !stream.contains("opensesame"), "{stream}");
        }
    }
    let token = TOKEN.to_lowercase();
    assert!(desk.hub.asked().iter().filter(|it| it.contains(&token)).count() > 4);
    let elsewhere = desk.hub.asked_elsewhere();
    assert!(!elsewhere.is_empty());
    assert!(elsewhere.iter().all(|it| !it.contains(&token) && !it.contains("authorization")));
}

#[test]
fn two_pulls_at_once_fetch_one_model() {
    let desk = Desk::new("two");
    desk.hub.trouble(Trouble::Slow(5));
    let pull = || {
        let mut pull = desk.command(&["pull", "org/model", "--json", "--no-progress"]);
        pull.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [pull(), pull()].map(|child| child.wait_with_output().unwrap());
    for output in &both {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(desk.hub.sent(), LARGE as u64);
    assert_eq!(content(&desk.snapshot("org/model"))["model.safetensors"], sha256(&noise(1)));
}

#[test]
fn huggingface_hub_reads_what_was_pulled() {
    let desk = Desk::new("read-by-python");
    desk.pulled("org/model");
    desk.pulled("org/quants:Q8_0");
    let asked = desk.hub.asked().len();
    let script = "
import json, os
from huggingface_hub import scan_cache_dir, snapshot_download
folder = snapshot_download('org/model', local_files_only=True)
found = scan_cache_dir()
print(json.dumps({
    'folder': folder,
    'files': {name: os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)},
    'warnings': [str(warning) for warning in found.warnings],
    'repos': {repo.repo_id: [repo.size_on_disk, repo.nb_files, sorted(repo.refs)] for repo in found.repos},
}))
";
    let Some(told) = desk.python(script) else { return };
    assert_eq!(
        text(&told["folder"]),
        desk.snapshot("org/model").canonicalize().unwrap().to_str().unwrap()
    );
    assert_eq!(told["files"]["model.safetensors"], LARGE);
    assert_eq!(told["files"].as_object().unwrap().len(), 4);
    assert!(list(&told["warnings"]).is_empty(), "{told}");
    assert_eq!(told["repos"]["org/quants"][0], 800_000 + "# A model\n".len());
    assert_eq!(told["repos"]["org/model"][2][0], "main");
    // Online, it finds that nothing is missing but what is never pulled.
    let script = "
import json
from huggingface_hub import snapshot_download
print(json.dumps(snapshot_download('org/model', ignore_patterns=['*.bin'])))
";
    desk.hub.sent();
    desk.python(script);
    assert_eq!(desk.hub.sent(), 0, "huggingface_hub fetches nothing again");
    assert!(desk.hub.asked().len() > asked, "it was asked");
}

#[test]
fn what_huggingface_hub_fetched_is_not_fetched_again() {
    let desk = Desk::new("written-by-python");
    let script = "
import json
from huggingface_hub import snapshot_download
print(json.dumps(snapshot_download('org/model')))
";
    if desk.python(script).is_none() {
        return;
    }
    assert_eq!(desk.hub.sent(), LARGE as u64 + 1000);
    let answer = desk.pulled("org/model");
    assert_eq!((&answer["transferred_bytes"], desk.hub.sent()), (&Value::from(0), 0));
    assert_eq!(list(&answer["files"]).len(), 4);
    desk.with(("HF_HUB_OFFLINE", "1"), &["pull", "org/model"]).exits(0);
    let listed = desk.run(&["list", "--json"]).exits(0).data();
    assert_eq!(list(&listed["models"][0]["formats"]), ["safetensors", "pickle"]);
}
