//! Which files of a repository make the model.
//!
//! Weights are safetensors, or one GGUF with all its parts. Pickles (`.bin`, `.pt` and others) are never taken:
//! loading one runs whatever its maker put in it. With the weights come the files that say what they are, how text is
//! cut, and what may be done with them.

mod gguf;

use nearside_units::Bytes;

use super::error::HubError;
use super::names::{RepoPath, Repository};
use super::reference::Choice;

/// Endings of files that hold programs.
const PICKLES: [&str; 7] = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npz"];
/// What says what weights are and how text is cut.
const COMPANIONS: [&str; 19] = [
    "config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
    "adapter_config.json",
    "model_index.json",
    "modules.json",
    "scheduler_config.json",
    "README.md",
];
/// Files of a pickle-only repository that are named.
const SHOWN: usize = 3;
/// Conversions for other programs, beside the model itself.
const CONVERSIONS: [&str; 5] = ["onnx/", "openvino/", "coreml/", "original/", "flax/"];

/// A file that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) path: RepoPath,
    pub(super) bytes: Bytes,
}

/// The files of a repository that make the model, in the order of the list.
pub(super) fn select(
    repository: &Repository,
    files: &[Candidate],
    choice: &Choice,
) -> Result<Vec<RepoPath>, HubError> {
    let weights = match choice {
        Choice::Usual => usual(repository, files)?,
        Choice::Quantization(wanted) => gguf::of_quantization(repository, files, wanted)?,
        Choice::File(path) => return one_file(repository, files, path),
    };
    // Beside weights in folders stand configurations in folders.
    let deep = weights.iter().all(|path| path.contains('/'));
    let is_gguf = weights.iter().all(|path| path.ends_with(".gguf"));
    let beside = |path: &RepoPath| {
        is_companion(path, is_gguf) && (path.is_at_root() || deep && !is_conversion(path))
    };
    let chosen = files.iter().map(|file| &file.path);
    let chosen =
        chosen.filter(|path| weights.iter().any(|own| own == path.as_str()) || beside(path));
    Ok(chosen.cloned().collect())
}

/// Whether a file holds a program.
pub(crate) fn is_pickle(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PICKLES.iter().any(|ending| name.ends_with(ending))
}

/// Safetensors, or else the only GGUF.
fn usual(repository: &Repository, files: &[Candidate]) -> Result<Vec<String>, HubError> {
    let weights = safetensors(files);
    if !weights.is_empty() {
        return Ok(weights);
    }
    if let Some(weights) = gguf::only(repository, files)? {
        return Ok(weights);
    }
    let pickles = files.iter().filter(|file| is_pickle(file.path.as_str()));
    let pickles: Vec<_> = pickles.map(|file| file.path.to_string()).take(SHOWN).collect();
    let repository = repository.clone();
    Err(match pickles.is_empty() {
        true => HubError::NoWeights { repository },
        false => HubError::PickleOnly { repository, files: pickles },
    })
}

/// The safetensors that make the model: the one file, or the parts of one, or all there are; with their indices.
fn safetensors(files: &[Candidate]) -> Vec<String> {
    let names = files.iter().map(|file| file.path.as_str());
    let all: Vec<&str> = names
        .filter(|name| name.ends_with(".safetensors"))
        .filter(|name| !CONVERSIONS.iter().any(|folder| name.starts_with(folder)))
        .collect();
    let at_root: Vec<&str> = all.iter().copied().filter(|name| !name.contains('/')).collect();
    if at_root.contains(&"model.safetensors") {
        return vec!["model.safetensors".to_owned()];
    }
    // Beside a model in parts often stands the same in one file, for its makers' own programs.
    let parts: Vec<&str> = at_root.iter().copied().filter(|name| is_part(name)).collect();
    match (parts.is_empty(), at_root.is_empty()) {
        (false, _) => with_indices(files, &parts),
        (true, false) => with_indices(files, &at_root),
        (true, true) => with_indices(files, &all),
    }
}

/// Weights, and the indices in their folders.
fn with_indices(files: &[Candidate], weights: &[&str]) -> Vec<String> {
    let folder = |name: &str| name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let is_beside = |index: &str| weights.iter().any(|weight| folder(weight) == folder(index));
    let names = files.iter().map(|file| file.path.as_str());
    let indices = names
        .filter(|name| name.ends_with(".safetensors.index.json"))
        .filter(|name| is_beside(name));
    weights.iter().copied().chain(indices).map(str::to_owned).collect()
}

/// Whether a name is that of a part, as `model-00001-of-00002.safetensors`.
fn is_part(name: &str) -> bool {
    let stem = name.strip_suffix(".safetensors").and_then(|stem| stem.strip_prefix("model-"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|sign| sign.is_ascii_digit());
    stem.and_then(|stem| stem.split_once("-of-"))
        .is_some_and(|(one, all)| digits(one) && digits(all))
}

fn is_companion(path: &RepoPath, gguf: bool) -> bool {
    let name = path.file_name();
    let licence =
        path.is_at_root() && name.to_ascii_uppercase().starts_with("LICEN") && !is_pickle(name);
    let tokenizer = name.starts_with("tokenizer") && name.ends_with(".json");
    match gguf {
        // A GGUF holds all the rest itself.
        true => licence || name == "README.md" && path.is_at_root(),
        false => licence || tokenizer || COMPANIONS.contains(&name),
    }
}

fn is_conversion(path: &RepoPath) -> bool {
    CONVERSIONS.iter().any(|folder| path.as_str().starts_with(folder))
}

/// One file, with all its parts if it is one of several.
fn one_file(
    repository: &Repository,
    files: &[Candidate],
    path: &RepoPath,
) -> Result<Vec<RepoPath>, HubError> {
    if is_pickle(path.as_str()) {
        return Err(HubError::Pickle { file: path.to_string() });
    }
    if files.iter().any(|file| file.path == *path) {
        let parts = gguf::all_parts(repository, files, path)?;
        let chosen = files.iter().map(|file| &file.path);
        return Ok(chosen
            .filter(|own| *own == path || parts.contains(&own.to_string()))
            .cloned()
            .collect());
    }
    let same = |file: &&Candidate| file.path.as_str().eq_ignore_ascii_case(path.as_str());
    let named = |file: &&Candidate| file.path.file_name().eq_ignore_ascii_case(path.file_name());
    let near = files.iter().find(same).or_else(|| files.iter().find(named));
    Err(HubError::NoFile {
        repository: repository.clone(),
        file: path.to_string(),
        near: near.map(|file| file.path.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(files: &[&str], choice: &Choice) -> Result<Vec<String>, HubError> {
        let files: Vec<_> = files
            .iter()
            .map(|name| Candidate { path: name.parse().unwrap(), bytes: Bytes::new(10) })
            .collect();
        let chosen = select(&"org/name".parse().unwrap(), &files, choice)?;
        Ok(chosen.iter().map(ToString::to_string).collect())
    }

    fn usually(files: &[&str]) -> Vec<String> {
        chosen(files, &Choice::Usual).unwrap()
    }

    #[test]
    fn safetensors_come_with_what_explains_them() {
        let wanted = [
            "LICENSE.txt",
            "README.md",
            "chat_template.jinja",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "special_tokens_map.json",
            "tokenizer.json",
            "tokenizer.model",
            "tokenizer_config.json",
        ];
        let others = [
            ".gitattributes",
            "model.gguf",
            "onnx/config.json",
            "onnx/model.onnx",
            "original/x.safetensors",
            "pytorch_model.bin",
            "training_args.bin",
            "tf_model.h5",
            "model.fp16.safetensors",
            "consolidated.safetensors",
        ];
        let mut all = [&wanted[..], &others[..]].concat();
        all.sort_unstable();
        assert_eq!(usually(&all), wanted);
    }

    #[test]
    fn parts_come_with_their_index_and_without_the_whole() {
        let files = [
            "config.json",
            "consolidated.safetensors",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
        ];
        let wanted: Vec<_> = files.into_iter().filter(|name| !name.starts_with("cons")).collect();
        assert_eq!(usually(&files), wanted);
    }

    #[test]
    fn adapters_and_pipelines_are_models_too() {
        let adapter = ["README.md", "adapter_config.json", "adapter_model.safetensors"];
        assert_eq!(usually(&adapter), adapter);
        let pipeline = [
            "model_index.json",
            "scheduler/scheduler_config.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ];
        assert_eq!(usually(&pipeline), pipeline);
    }

    #[test]
    fn pickles_are_never_taken() {
        let error = chosen(&["config.json", "pytorch_model.bin"], &Choice::Usual).unwrap_err();
        assert!(
            matches!(&error, HubError::PickleOnly { files, .. } if files == &["pytorch_model.bin"])
        );
        let file = Choice::File("pytorch_model.bin".parse().unwrap());
        assert!(matches!(chosen(&["pytorch_model.bin"], &file), Err(HubError::Pickle { .. })));
        let error = chosen(&["README.md"], &Choice::Usual).unwrap_err();
        assert!(matches!(error, HubError::NoWeights { .. }));
    }

    #[test]
    fn a_file_that_is_not_there_is_told_with_the_nearest() {
        let file = Choice::File("Model.gguf".parse().unwrap());
        let error = chosen(&["q4/model.gguf"], &file).unwrap_err();
        assert!(
            matches!(&error, HubError::NoFile { near: Some(near), .. } if near == "q4/model.gguf")
        );
    }
}
