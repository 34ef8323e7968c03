//! The answer of `nearside doctor --emit` as text.

use std::fmt::Write as _;

use super::constraints;
use super::folder::CONSTRAINTS;
use super::view::{EmitAnswer, FileResult, FileView};

/// What was found, and what became of each file.
pub(super) fn of(answer: &EmitAnswer) -> String {
    let python = answer.python.as_ref().zip(answer.packages).map_or_else(
        || "no Python".to_owned(),
        |(version, packages)| format!("Python {version}, {packages} packages"),
    );
    let torch = answer.torch.as_ref().map(|torch| format!(", PyTorch for {torch}"));
    let mut text = format!(
        "environment  {python}{} (digest {})\nimage        on {}\n",
        torch.unwrap_or_default(),
        answer.digest.get(..12).unwrap_or_default(),
        answer.base_image,
    );
    for file in &answer.files {
        let _ = write!(text, "\n{:11}  {}", word(file.result), file.path);
        for remark in &file.remarks {
            let _ = write!(text, "\n             {remark}");
        }
    }
    text
}

fn word(result: FileResult) -> &'static str {
    match result {
        FileResult::Written => "written",
        FileResult::New => "new",
        FileResult::Same => "the same",
        FileResult::Added => "added to",
        FileResult::Lacks => "to add to",
        FileResult::Kept => "kept",
        FileResult::Differs => "differs",
        FileResult::Contradicts => "contradicts",
    }
}

/// The same, and the text of every file.
pub(super) fn in_full(answer: &EmitAnswer) -> String {
    let mut text = of(answer);
    for FileView { path, text: content, .. } in &answer.files {
        let _ = write!(text, "\n\n--- {path}\n{}", content.trim_end());
    }
    text
}

/// What to do next.
pub(super) fn hint(answer: &EmitAnswer, dry_run: bool) -> Option<String> {
    let any = |result| answer.files.iter().any(|file| file.result == result);
    let wrote = any(FileResult::Written) || any(FileResult::Added);
    if !wrote && (any(FileResult::Differs) || any(FileResult::Contradicts)) {
        return Some(format!("nothing was written: {}", in_the_way(answer)));
    }
    let constrained = answer.files.iter().any(|file| file.path == CONSTRAINTS);
    let install = if constrained { constraints::WITH_UV } else { "uv sync" };
    (wrote && !dry_run).then(|| {
        format!(
            "commit them; elsewhere `{install}` or `podman build .` rebuilds it, and \
             `nearside doctor --compare nearside.lock` says what is different there"
        )
    })
}

/// Every file that keeps the others from being written, and what can be done about each.
fn in_the_way(answer: &EmitAnswer) -> String {
    let named = |result| {
        let files = answer.files.iter().filter(|file| file.result == result);
        files.map(|file| file.path.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (differs, contradicts) = (named(FileResult::Differs), named(FileResult::Contradicts));
    match (differs.as_str(), contradicts.as_str()) {
        (_, "") => format!("--force writes over {differs}, --dry-run shows what with"),
        ("", _) => {
            format!("correct {contradicts}, which stays as it is; --force writes all the others")
        }
        _ => format!(
            "--force writes over {differs}, --dry-run shows what with; correct {contradicts}, which stays \
             as it is"
        ),
    }
}
