//! What is odd about a model's files.

use nearside_models::StoredModel;
use nearside_report::grouped;
use nearside_units::Bytes;

use super::InspectAnswer;
use crate::view::Figure;

/// Names of tensors that are told; the others are counted.
const NAMED: usize = 4;
/// Files that hold weights as programs, which are not run.
const PICKLES: [&str; 4] = [".bin", ".pt", ".pth", ".ckpt"];

/// What is odd, in sentences.
pub(super) fn of(answer: &InspectAnswer, stored: &StoredModel) -> Vec<String> {
    let found = [
        no_tensors(stored),
        tensors_left_out(stored),
        unused(answer),
        tokens_without_rows(answer),
        template(answer),
        pickles(answer),
    ];
    found.into_iter().flatten().collect()
}

fn no_tensors(stored: &StoredModel) -> Option<String> {
    let none = stored.tensors.is_empty();
    none.then(|| "its files have no tensors: what it needs is that of weights in bf16".to_owned())
}

/// A model in several files says how many tensors all of them have.
fn tensors_left_out(stored: &StoredModel) -> Option<String> {
    let (header, _) = stored.gguf.as_ref()?;
    let stated = header.split()?.tensors?;
    let found = stored.tensors.len() as u64;
    (found != stated).then(|| {
        format!(
            "its files have {found} tensors together, and the first says that there are {stated}"
        )
    })
}

fn unused(answer: &InspectAnswer) -> Option<String> {
    let unused = answer.unused.as_ref().filter(|unused| !unused.tensors.is_empty())?;
    let mut names: Vec<_> = unused.tensors.iter().take(NAMED).cloned().collect();
    if let more @ 1.. = unused.tensors.len().saturating_sub(NAMED) {
        names.push(format!("and {more} more"));
    }
    let (count, size) = (unused.tensors.len(), Bytes::new(unused.bytes).si());
    let tensors =
        if count == 1 { "1 tensor is".to_owned() } else { format!("{count} tensors are") };
    Some(format!("{tensors} not computed with ({size}): {}", names.join(", ")))
}

/// More rows than tokens are usual, and never looked up; more tokens than rows cannot be read.
fn tokens_without_rows(answer: &InspectAnswer) -> Option<String> {
    let (Figure::Value(tokenizer), Some(sizes)) = (&answer.tokenizer, &answer.sizes) else {
        return None;
    };
    let (tokens, rows) = (u64::from(tokenizer.size), sizes.vocabulary);
    (tokens > rows).then(|| {
        let [tokens, rows] = [tokens, rows].map(grouped);
        format!("its tokenizer has {tokens} tokens and its embedding {rows} rows: the last tokens cannot be read")
    })
}

fn template(answer: &InspectAnswer) -> Option<String> {
    match &answer.chat_template {
        Figure::Value(template) => match &template.sample {
            Figure::Unknown { unknown } => {
                Some(format!("its chat template makes no text of a question: {unknown}"))
            }
            Figure::Value(_) => None,
        },
        Figure::Unknown { .. } => None,
    }
}

fn pickles(answer: &InspectAnswer) -> Option<String> {
    let is_pickle = |name: &str| PICKLES.iter().any(|end| name.ends_with(end));
    let mut pickles = answer.files.iter().filter(|file| is_pickle(&file.name));
    let first = pickles.next()?;
    let others = match pickles.count() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    Some(format!(
        "{}{others} beside the safetensors may be a pickle, which can run any program: it was not opened",
        first.name
    ))
}
