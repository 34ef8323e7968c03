//! What a person writes to name a model: where its repository is, at which revision, and which of its files.
//!
//! ```text
//! org/name                      what the repository has, safetensors before GGUF
//! org/name@revision             at a branch, a tag or a commit
//! org/name:Q4_K_M               one quantization of a GGUF repository
//! org/name/folder/file.gguf     one file
//! hf://..., https://huggingface.co/org/name[/tree/REV | /blob/REV/FILE | /resolve/REV/FILE]
//! ```

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::names::{RepoPath, Repository, Revision, quoted};

/// Bytes of a reference that is read at all.
const LONGEST: usize = 4096;
/// Hosts whose addresses name models.
const HOSTS: [&str; 3] = ["huggingface.co", "www.huggingface.co", "hf.co"];
/// What a hub has besides models.
const NOT_MODELS: [&str; 5] = ["datasets", "spaces", "kernels", "buckets", "collections"];

/// A model: its repository, the revision and which of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelReference {
    /// The repository.
    pub repository: Repository,
    /// The revision, `main` where none is written.
    pub revision: Revision,
    /// Which of its files.
    pub choice: Choice,
}

/// Which files of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What makes the model: safetensors, or else the only GGUF.
    Usual,
    /// The GGUF of this quantization.
    Quantization(String),
    /// This file, with all parts of it.
    File(RepoPath),
}

/// Why something names no model, and what may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} names no model: {why}")]
pub struct ReferenceError {
    /// What was written, without signs that a terminal would obey.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
    /// The nearest that can be written.
    pub instead: Option<String>,
}

impl ModelReference {
    /// The same model at another revision.
    #[must_use]
    pub fn at(self, revision: Revision) -> Self {
        Self { revision, ..self }
    }
}

impl FromStr for ModelReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = |problem: Problem| ReferenceError {
            text: text.chars().filter(|sign| !sign.is_control()).take(200).collect(),
            why: problem.why,
            instead: problem.instead,
        };
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(wrong(problem("it is too long or has control characters")));
        }
        let text = text.trim();
        let parsed = match text.split_once("://") {
            Some(("hf", rest)) => plain(not_another_kind(rest).map_err(wrong)?),
            Some(("https" | "http", rest)) => address(rest),
            Some((scheme, _)) => {
                Err(problem(format!("{scheme}:// is nothing that models are fetched by")))
            }
            None => plain(text),
        };
        parsed.map_err(wrong)
    }
}

/// As it is written shortest.
impl fmt::Display for ModelReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(formatter)?;
        if self.revision != Revision::main() {
            write!(formatter, "@{}", quoted_revision(&self.revision))?;
        }
        match &self.choice {
            Choice::Usual => Ok(()),
            Choice::Quantization(name) => write!(formatter, ":{name}"),
            Choice::File(path) => write!(formatter, "/{path}"),
        }
    }
}

/// A revision such that what follows is not taken for a part of it, nor a part of it for what follows.
fn quoted_revision(revision: &Revision) -> String {
    let name = revision.as_str();
    let kept = if name.starts_with("refs/") && name.split('/').count() == 3 { "/" } else { "" };
    quoted(name, kept)
}

/// What is wrong, and what may have been meant.
struct Problem {
    why: String,
    instead: Option<String>,
}

fn problem(why: impl Into<String>) -> Problem {
    Problem { why: why.into(), instead: None }
}

impl From<super::NameError> for Problem {
    fn from(error: super::NameError) -> Self {
        problem(error.to_string())
    }
}

/// `org/name`, with what may follow it.
fn plain(text: &str) -> Result<ModelReference, Problem> {
    if text.starts_with(['/', '.', '~']) || text.contains('\\') {
        return Err(path(text));
    }
    let (organization, rest) = text.split_once('/').ok_or_else(|| no_organization(text))?;
    let end = rest.find(['@', ':', '/']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let repository = repository(organization, name)?;
    let (revision, rest) = match rest.strip_prefix('@') {
        Some(rest) => revision(rest)?,
        None => (Revision::main(), rest),
    };
    let choice = match (rest.strip_prefix(':'), rest.trim_end_matches('/').strip_prefix('/')) {
        (Some(name), _) => quantization(name)?,
        (None, Some(file)) => Choice::File(file.parse()?),
        (None, None) => Choice::Usual,
    };
    Ok(ModelReference { repository, revision, choice })
}

/// What follows on `https://`.
fn address(rest: &str) -> Result<ModelReference, Problem> {
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !HOSTS.contains(&host.to_ascii_lowercase().as_str()) {
        return Err(Problem {
            why: format!("{host} is not the hub; another one is set by HF_ENDPOINT"),
            instead: None,
        });
    }
    let path = not_another_kind(path)?.trim_end_matches('/');
    let mut parts = path.splitn(4, '/');
    let (organization, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let repository = repository(organization, name)?;
    let usual = |revision| ModelReference {
        repository: repository.clone(),
        revision,
        choice: Choice::Usual,
    };
    match (parts.next(), parts.next()) {
        (None, _) => Ok(usual(Revision::main())),
        (Some("tree"), Some(rest)) => match revision(rest)? {
            (revision, "") => Ok(usual(revision)),
            (revision, _) => Err(Problem {
                why: "it is a folder of a repository".to_owned(),
                instead: Some(usual(revision).to_string()),
            }),
        },
        (Some("blob" | "resolve" | "raw"), Some(rest)) => {
            let (revision, file) = revision(rest)?;
            let file =
                decoded(file.trim_start_matches('/')).ok_or_else(|| problem("it is no address"))?;
            Ok(ModelReference { choice: Choice::File(file.parse()?), ..usual(revision) })
        }
        _ => Err(Problem {
            why: "it is a page about a model".to_owned(),
            instead: Some(repository.to_string()),
        }),
    }
}

/// An error where a path is of something else than models.
fn not_another_kind(path: &str) -> Result<&str, Problem> {
    let kind = path.split('/').next().unwrap_or("");
    match NOT_MODELS.contains(&kind) {
        true => Err(problem(format!("it is of {kind}, not of models"))),
        false => Ok(path.strip_prefix("models/").unwrap_or(path)),
    }
}

fn repository(organization: &str, name: &str) -> Result<Repository, Problem> {
    let text = format!("{organization}/{name}");
    text.parse().map_err(|error: super::NameError| {
        let sign = |sign: char| match sign.is_ascii_alphanumeric() || "-_./".contains(sign) {
            true => sign,
            false => '-',
        };
        let mended: String = text.trim().chars().map(sign).collect();
        let mended: Option<Repository> = mended.parse().ok();
        Problem { why: error.why.to_owned(), instead: mended.map(|it| it.to_string()) }
    })
}

/// A revision at the beginning of a text, and what follows it. Those below `refs/` have slashes.
fn revision(text: &str) -> Result<(Revision, &str), Problem> {
    let parts = match text.starts_with("refs/") {
        true => 3,
        false => 1,
    };
    let slash = text.match_indices('/').nth(parts - 1).map_or(text.len(), |(at, _)| at);
    let colon = text.find(':').unwrap_or(text.len());
    let (revision, rest) = text.split_at(slash.min(colon));
    let revision = decoded(revision).ok_or_else(|| problem("its revision is none"))?;
    Ok((revision.parse()?, rest))
}

fn quantization(name: &str) -> Result<Choice, Problem> {
    let sign = |sign: u8| sign.is_ascii_alphanumeric() || b"_-.".contains(&sign);
    match !name.is_empty() && name.len() <= 64 && name.bytes().all(sign) {
        true => Ok(Choice::Quantization(name.to_owned())),
        false => Err(problem(format!("{name:?} is no quantization, such as Q4_K_M"))),
    }
}

/// A path of this machine, or something like it.
fn path(text: &str) -> Problem {
    let forward = text.trim_start_matches("./").replace('\\', "/");
    let meant = plain_again(&forward);
    Problem { why: "it is a path: what is here need not be fetched".to_owned(), instead: meant }
}

fn no_organization(text: &str) -> Problem {
    let why = "it says not whose it is: write ORGANISATION/NAME".to_owned();
    Problem { why, instead: None.filter(|_: &String| !text.is_empty()) }
}

/// What a text is in its shortest form, if it is a reference now.
fn plain_again(text: &str) -> Option<String> {
    if text.starts_with(['/', '.', '~']) || text.contains('\\') {
        return None;
    }
    plain(text).ok().map(|reference| reference.to_string())
}

/// The text with its numbers made signs again (`%2F` is a slash).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let pair = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(pair, 16).ok()?);
        rest = rest.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        text.parse::<ModelReference>().map_or_else(|error| error.to_string(), |it| it.to_string())
    }

    #[test]
    fn every_way_of_writing_is_read() {
        for (text, short) in [
            ("org/name", "org/name"),
            (" org/name ", "org/name"),
            ("org/name/", "org/name"),
            ("org/name@main", "org/name"),
            ("org/name@v1.0", "org/name@v1.0"),
            ("org/name@refs/pr/1", "org/name@refs/pr/1"),
            ("org/name@refs%2Fpr%2F1", "org/name@refs/pr/1"),
            ("org/name:Q4_K_M", "org/name:Q4_K_M"),
            ("org/name@v1:Q4_K_M", "org/name@v1:Q4_K_M"),
            ("org/name/model.gguf", "org/name/model.gguf"),
            ("org/name/q4/model.gguf", "org/name/q4/model.gguf"),
            ("org/name@v1/model.gguf", "org/name@v1/model.gguf"),
            ("hf://org/name@v1/model.gguf", "org/name@v1/model.gguf"),
            ("hf://models/org/name", "org/name"),
            ("https://huggingface.co/org/name", "org/name"),
            ("https://hf.co/org/name/", "org/name"),
            ("https://huggingface.co/org/name?library=transformers", "org/name"),
            ("https://huggingface.co/org/name/tree/main", "org/name"),
            ("https://huggingface.co/org/name/tree/refs%2Fpr%2F2", "org/name@refs/pr/2"),
            ("https://huggingface.co/org/name/tree/a%2Fb", "org/name@a%2Fb"),
            ("https://huggingface.co/org/name/blob/v1/a/b%20c.gguf", "org/name@v1/a/b c.gguf"),
            (
                "https://huggingface.co/org/name/resolve/main/b.gguf?download=true",
                "org/name/b.gguf",
            ),
        ] {
            assert_eq!(written(text), short, "{text}");
            assert_eq!(written(&written(text)), short, "{text} twice");
        }
    }

    #[test]
    fn what_names_no_model_is_told_with_what_was_meant() {
        let meant = |text: &str| text.parse::<ModelReference>().unwrap_err().instead;
        for text in [
            "",
            "llama",
            "llama3:8b",
            "org/name:",
            "org/name:a b",
            "org/name@",
            "org/name@a b",
            "org/name/../x",
            "org/name/..\\x",
            "org/na\nme",
            "org/../name",
            "ftp://a/b",
            "https://example.org/org/name",
            "hf://datasets/org/name",
            "https://huggingface.co/spaces/a/b",
            "https://huggingface.co/org/name/blob/main/%2e%2e/%2e%2e/x",
            "/etc/passwd",
            "org/name@%zz",
            "https://huggingface.co/org/name/blob/main/%00",
            "~/x/y",
        ] {
            assert!(text.parse::<ModelReference>().is_err(), "{text:?}");
        }
        assert_eq!(meant("org\\name").as_deref(), Some("org/name"));
        assert_eq!(meant("./org/name").as_deref(), Some("org/name"));
        assert_eq!(meant("my org/name").as_deref(), Some("my-org/name"));
        assert_eq!(
            meant("https://huggingface.co/org/name/discussions/1").as_deref(),
            Some("org/name")
        );
        assert_eq!(
            meant("https://huggingface.co/org/name/tree/v1/q4").as_deref(),
            Some("org/name@v1")
        );
    }

    proptest! {
        #[test]
        fn no_reference_panics_or_leads_out(text in "(https://huggingface.co/|hf://|)[a-z./@:%\\\\0-9-]{0,30}") {
            if let Ok(reference) = text.parse::<ModelReference>() {
                prop_assert!(!reference.repository.folder().contains(['/', '\\']));
                for text in [reference.repository.folder(), reference.revision.to_string()] {
                    prop_assert!(text.split('/').all(|part| !part.is_empty() && part != ".."));
                }
                if let Choice::File(path) = &reference.choice {
                    prop_assert!(path.as_str().split('/').all(|part| !part.is_empty() && part != ".."));
                }
                let again: ModelReference = reference.to_string().parse().unwrap();
                prop_assert_eq!(again, reference);
            }
        }

        #[test]
        fn what_is_written_is_read_again(
            revision in "[a-z0-9%/.+-]{1,12}", file in "[ a-z0-9%@.-]{0,12}", begin in "(refs/pr/|)"
        ) {
            let parsed = format!("{begin}{revision}").parse().map(|revision| {
                let repository = "org/name".parse().unwrap();
                let choice = file.parse().map_or(Choice::Usual, Choice::File);
                ModelReference { repository, revision, choice }
            });
            if let Ok(reference) = parsed && file.trim() == file {
                let again: ModelReference = reference.to_string().parse().unwrap();
                prop_assert_eq!(again, reference);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = text.parse::<ModelReference>();
        }
    }
}
