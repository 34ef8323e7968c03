//! GGUF files of a repository: which parts belong together, and which quantization each is.
//!
//! Parts are named `NAME-00001-of-00003.gguf`. Names of quantizations stand at the end of a file's name
//! (`name-Q4_K_M.gguf`, `name.q8_0.gguf`) or are the name of its folder. Source: `llama.cpp`, `gguf-split` and
//! `docs/development/` on naming (`ggml` docs, `gguf.md`, "GGUF naming convention").

use nearside_units::Bytes;

use super::Candidate;
use crate::hub::error::{GgufChoice, HubError};
use crate::hub::names::{RepoPath, Repository};

/// A model in one or several GGUF files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    /// Its path without the number of the part and without the ending.
    stem: String,
    /// How many parts it says it has.
    stated: u32,
    /// Its files.
    parts: Vec<String>,
    bytes: Bytes,
}

impl Model {
    /// The models of a repository, in the order of their paths. Projectors of pictures and matrices of importance
    /// are no models by themselves.
    pub(crate) fn all(files: &[Candidate]) -> Vec<Self> {
        let mut models: Vec<Self> = Vec::new();
        for file in files {
            let name = file.path.file_name().to_ascii_lowercase();
            let Some((stem, stated)) = split(file.path.as_str()) else { continue };
            if name.starts_with("mmproj") || name.contains("imatrix") {
                continue;
            }
            let at = models.iter().position(|model| model.stem == stem && model.stated == stated);
            let path = file.path.to_string();
            match at.and_then(|at| models.get_mut(at)) {
                Some(model) => {
                    model.parts.push(path);
                    model.bytes = model.bytes.checked_add(file.bytes).unwrap_or(model.bytes);
                }
                None => models.push(Self {
                    stem: stem.to_owned(),
                    stated,
                    parts: vec![path],
                    bytes: file.bytes,
                }),
            }
        }
        models
    }

    /// The files, if all parts are there.
    fn whole(self, repository: &Repository) -> Result<Vec<String>, HubError> {
        match self.parts.len() == self.stated as usize {
            true => Ok(self.parts),
            false => Err(HubError::Incomplete {
                repository: repository.clone(),
                what: format!("{} has {} of {} parts", self.stem, self.parts.len(), self.stated),
            }),
        }
    }

    fn choice(&self) -> GgufChoice {
        let file = self.parts.first().cloned().unwrap_or_default();
        GgufChoice { file, quantization: quantization(&self.stem), bytes: self.bytes }
    }
}

/// The only model, if there is any.
pub(super) fn only(
    repository: &Repository,
    files: &[Candidate],
) -> Result<Option<Vec<String>>, HubError> {
    let mut models = Model::all(files);
    match (models.pop(), models.is_empty()) {
        (None, _) => Ok(None),
        (Some(only), true) => only.whole(repository).map(Some),
        (Some(last), false) => {
            models.push(last);
            let choices = models.iter().map(Model::choice).collect();
            Err(HubError::Several { repository: repository.clone(), choices })
        }
    }
}

/// The model of a quantization.
pub(super) fn of_quantization(
    repository: &Repository,
    files: &[Candidate],
    wanted: &str,
) -> Result<Vec<String>, HubError> {
    let models = Model::all(files);
    let choices = || models.iter().map(Model::choice).collect();
    let exact = |model: &&Model| {
        quantization(&model.stem).is_some_and(|name| name.eq_ignore_ascii_case(wanted))
    };
    let mut matching: Vec<&Model> = models.iter().filter(exact).collect();
    if matching.is_empty() {
        matching = models.iter().filter(|model| names(&model.stem, wanted)).collect();
    }
    match matching[..] {
        [] => Err(HubError::NoQuantization {
            repository: repository.clone(),
            wanted: wanted.to_owned(),
            choices: choices(),
        }),
        [one] => one.clone().whole(repository),
        _ => Err(HubError::Several {
            repository: repository.clone(),
            choices: matching.iter().map(|model| model.choice()).collect(),
        }),
    }
}

/// Every part of the model that a file is of; none where it is no GGUF.
pub(super) fn all_parts(
    repository: &Repository,
    files: &[Candidate],
    path: &RepoPath,
) -> Result<Vec<String>, HubError> {
    let path = path.as_str();
    let model =
        Model::all(files).into_iter().find(|model| model.parts.iter().any(|own| own == path));
    model.map_or_else(|| Ok(Vec::new()), |model| model.whole(repository))
}

/// A path without its part's number and ending, and how many parts there are. None where it is no GGUF.
fn split(path: &str) -> Option<(&str, u32)> {
    let stem = path.strip_suffix(".gguf").or_else(|| path.strip_suffix(".GGUF"))?;
    let five = |text: &str| text.len() == 5 && text.bytes().all(|sign| sign.is_ascii_digit());
    let parts = stem.rsplit_once("-of-").filter(|(_, all)| five(all));
    let numbered = parts.and_then(|(rest, all)| Some((rest.rsplit_once('-')?, all)));
    match numbered {
        Some(((rest, one), all)) if five(one) => Some((rest, all.parse().ok()?)),
        _ => Some((stem, 1)),
    }
}

/// What a file's name ends with that is the name of a quantization or of a type: `Q4_K_M`, `IQ2_XXS`, `BF16`.
fn quantization(stem: &str) -> Option<String> {
    let words = stem.rsplit(['/', '-', '.']).take(4);
    let mut found = words.filter(|word| is_quantization(word));
    let name = found.next()?;
    // Of two makers' ways to the same type, one says so in front: UD-Q4_K_XL.
    let before = stem.strip_suffix(name).and_then(|rest| rest.strip_suffix('-'));
    let dynamic = before.is_some_and(|before| before == "UD" || before.ends_with("-UD"));
    Some(if dynamic { format!("UD-{name}") } else { name.to_owned() })
}

fn is_quantization(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    if ["F32", "F16", "BF16", "FP16", "FP32"].contains(&word.as_str()) {
        return true;
    }
    let rest = ["IQ", "TQ", "Q", "MXFP", "NVFP"].iter().find_map(|begin| word.strip_prefix(begin));
    rest.is_some_and(|rest| {
        rest.starts_with(|sign: char| sign.is_ascii_digit())
            && rest.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'_')
    })
}

/// Whether a word stands by itself in a file's name.
fn names(stem: &str, word: &str) -> bool {
    let (stem, word) = (stem.to_ascii_lowercase(), word.to_ascii_lowercase());
    let joins =
        |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    stem.match_indices(&word).any(|(at, _)| {
        let before = stem[..at].chars().next_back();
        let after = stem[at + word.len()..].chars().next();
        // Some makers write name_Q4_K_M; nothing goes on after a quantization.
        !before.is_some_and(|sign| sign.is_ascii_alphanumeric()) && !joins(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(names: &[&str]) -> Vec<Candidate> {
        let one = |name: &&str| Candidate { path: name.parse().unwrap(), bytes: Bytes::new(7) };
        names.iter().map(one).collect()
    }

    fn repository() -> Repository {
        "org/name".parse().unwrap()
    }

    fn chosen(names: &[&str], wanted: &str) -> Result<Vec<String>, HubError> {
        of_quantization(&repository(), &candidates(names), wanted)
    }

    #[test]
    fn names_say_their_quantization() {
        for (stem, name) in [
            ("llama-3.2-1b-instruct-Q4_K_M", Some("Q4_K_M")),
            ("llama-3.2-1b.q8_0", Some("q8_0")),
            ("q4/model", Some("q4")),
            ("model", None),
            ("Q4_K_M/model", Some("Q4_K_M")),
            ("model-UD-IQ2_XXS", Some("UD-IQ2_XXS")),
            ("model-BF16", Some("BF16")),
            ("Qwen3-0.6B", None),
        ] {
            assert_eq!(quantization(stem).as_deref(), name, "{stem}");
        }
    }

    #[test]
    fn a_quantization_is_chosen_by_its_whole_name() {
        let files = [
            "a-Q4_K.gguf",
            "a-Q4_K_M.gguf",
            "a-Q8_0.gguf",
            "a-UD-Q4_K_M.gguf",
            "mmproj-a-Q8_0.gguf",
        ];
        assert_eq!(chosen(&files, "q4_k_m").unwrap(), ["a-Q4_K_M.gguf"]);
        assert_eq!(chosen(&files, "Q4_K").unwrap(), ["a-Q4_K.gguf"]);
        assert_eq!(chosen(&files, "UD-Q4_K_M").unwrap(), ["a-UD-Q4_K_M.gguf"]);
        let error = chosen(&files, "Q5_K").unwrap_err();
        assert!(matches!(&error, HubError::NoQuantization { choices, .. } if choices.len() == 4));
        assert_eq!(
            chosen(&["a_Q4_K_M.gguf", "a_Q4_K_S.gguf"], "Q4_K_M").unwrap(),
            ["a_Q4_K_M.gguf"]
        );
    }

    #[test]
    fn parts_belong_together_and_must_all_be_there() {
        let files =
            ["Q4/a-00001-of-00002.gguf", "Q4/a-00002-of-00002.gguf", "Q8/a-00001-of-00002.gguf"];
        assert_eq!(chosen(&files, "Q4").unwrap(), files[..2]);
        let error = chosen(&files, "Q8").unwrap_err().to_string();
        assert!(error.contains("has 1 of 2 parts"), "{error}");
        let one = files[1].parse().unwrap();
        assert_eq!(all_parts(&repository(), &candidates(&files), &one).unwrap(), files[..2]);
    }

    #[test]
    fn several_are_listed_with_their_sizes() {
        let files = candidates(&[
            "a-Q4_K_M.gguf",
            "a-Q8_0-00001-of-00002.gguf",
            "a-Q8_0-00002-of-00002.gguf",
        ]);
        let Err(HubError::Several { choices, .. }) = only(&repository(), &files) else {
            panic!("there are two")
        };
        let told: Vec<_> =
            choices.iter().map(|it| (it.quantization.as_deref(), it.bytes.get())).collect();
        assert_eq!(told, [(Some("Q4_K_M"), 7), (Some("Q8_0"), 14)]);
        assert_eq!(only(&repository(), &candidates(&["a.gguf"])).unwrap().unwrap(), ["a.gguf"]);
        assert_eq!(only(&repository(), &candidates(&["a.bin"])).unwrap(), None);
    }
}
