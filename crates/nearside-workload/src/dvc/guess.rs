//! The phase that a stage most likely belongs to, by its name and then by its command.

use crate::stage::Phase;

/// How words of a stage's name begin; the first row that fits the first such word counts.
const WORDS: [(&str, Phase); 36] = [
    ("split", Phase::Prepare),
    ("prepar", Phase::Prepare),
    ("preproc", Phase::Prepare),
    ("process", Phase::Prepare),
    ("clean", Phase::Prepare),
    ("load", Phase::Prepare),
    ("download", Phase::Prepare),
    ("fetch", Phase::Prepare),
    ("get", Phase::Prepare),
    ("ingest", Phase::Prepare),
    ("extract", Phase::Prepare),
    ("convert", Phase::Prepare),
    ("data", Phase::Prepare),
    ("feat", Phase::Features),
    ("vector", Phase::Features),
    ("embed", Phase::Features),
    ("token", Phase::Features),
    ("tun", Phase::Tuning),
    ("search", Phase::Tuning),
    ("sweep", Phase::Tuning),
    ("train", Phase::Train),
    ("fit", Phase::Train),
    ("finetune", Phase::Train),
    ("fine", Phase::Train),
    ("eval", Phase::Evaluate),
    ("test", Phase::Evaluate),
    ("valid", Phase::Evaluate),
    ("score", Phase::Evaluate),
    ("metric", Phase::Evaluate),
    ("report", Phase::Evaluate),
    ("predict", Phase::Evaluate),
    ("deploy", Phase::Deploy),
    ("serve", Phase::Deploy),
    ("export", Phase::Deploy),
    ("publish", Phase::Deploy),
    ("explor", Phase::Explore),
];

/// The phase of a stage; nothing where neither name nor command speak of one.
pub(super) fn phase(name: &str, command: &str) -> Option<Phase> {
    by_words(name).or_else(|| by_words(command))
}

fn by_words(text: &str) -> Option<Phase> {
    let text = text.to_lowercase();
    // To split into train and test is to prepare.
    if text.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == "split") {
        return Some(Phase::Prepare);
    }
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    let phase = |word: &str| {
        let row = WORDS.iter().find(|(begin, _)| word.starts_with(begin));
        row.map(|(_, phase)| *phase)
    };
    words.into_iter().find_map(phase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_speak_first() {
        for (name, command, expected) in [
            ("train@a", "x", Some(Phase::Train)),
            ("train_test_split", "x", Some(Phase::Prepare)),
            ("step2", "python src/evaluate.py", Some(Phase::Evaluate)),
            ("featurize", "python train.py", Some(Phase::Features)),
            ("a", "b", None),
        ] {
            assert_eq!(phase(name, command), expected, "{name}");
        }
    }
}
