//! A decision tree from a table of answers: which questions, asked in which order, tell a case's result.
//!
//! Nothing is typed in: the table holds what was computed for every case, and the tree reproduces every row
//! of it. The question that tells most about the result is asked first (information gain; of equal ones the
//! first), and answers that lead to the same are told together.

use std::collections::BTreeMap;

/// A case: an answer to every question, and the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Which answer, for each question in order.
    pub answers: Vec<usize>,
    /// What came of it.
    pub result: String,
}

/// A question with its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The question.
    pub question: String,
    /// Every answer to it.
    pub answers: Vec<String>,
}

/// A decision tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// The result, whatever else is answered.
    Result(String),
    /// What to ask next.
    Ask {
        /// Which question, in the order of the list.
        question: usize,
        /// Which answers lead where; every answer that a case has stands in one of them.
        branches: Vec<(Vec<usize>, Self)>,
    },
}

/// The tree of a table. Cases with equal answers must have equal results: of several the first counts.
///
/// ```
/// use nearside_economics::requirements::{Asked, Case, Tree, decision_tree};
/// let asked = |question: &str, answers: &[&str]| Asked {
///     question: question.to_owned(),
///     answers: answers.iter().map(|it| (*it).to_owned()).collect(),
/// };
/// let questions = [asked("colour", &["red", "blue"]), asked("size", &["small", "large"])];
/// let case = |colour, size, result: &str| Case { answers: vec![colour, size], result: result.to_owned() };
/// let cases = [case(0, 0, "a"), case(1, 0, "a"), case(0, 1, "b"), case(1, 1, "b")];
/// let Tree::Ask { question, .. } = decision_tree(&questions, &cases) else { panic!() };
/// assert_eq!(question, 1); // the colour tells nothing
/// ```
#[must_use]
pub fn decision_tree(questions: &[Asked], cases: &[Case]) -> Tree {
    let cases: Vec<&Case> = cases.iter().collect();
    grown(&(0..questions.len()).collect::<Vec<_>>(), &cases)
}

fn grown(questions: &[usize], cases: &[&Case]) -> Tree {
    let first = cases.first().map(|case| case.result.clone()).unwrap_or_default();
    if cases.iter().all(|case| case.result == first) {
        return Tree::Result(first);
    }
    let telling = questions.iter().copied().filter(|question| split(*question, cases).len() > 1);
    let best = telling.reduce(|best, next| {
        // A gain that is larger only by rounding is none.
        if remaining(next, cases) < remaining(best, cases) - 1e-9 { next } else { best }
    });
    let Some(question) = best else { return Tree::Result(first) };
    let others: Vec<usize> = questions.iter().copied().filter(|it| *it != question).collect();
    let mut branches: Vec<(Vec<usize>, Tree)> = Vec::new();
    for (answer, cases) in split(question, cases) {
        let tree = grown(&others, &cases);
        match branches.iter_mut().find(|(_, known)| *known == tree) {
            Some((answers, _)) => answers.push(answer),
            None => branches.push((vec![answer], tree)),
        }
    }
    // Answers that all lead to the same make no question.
    match branches.len() {
        1 => branches.remove(0).1,
        _ => Tree::Ask { question, branches },
    }
}

/// The cases by their answer to a question.
fn split<'a>(question: usize, cases: &[&'a Case]) -> BTreeMap<usize, Vec<&'a Case>> {
    let mut by_answer: BTreeMap<usize, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        let answer = case.answers.get(question).copied().unwrap_or_default();
        by_answer.entry(answer).or_default().push(case);
    }
    by_answer
}

/// Entropy of the results that is left once a question is answered, in bits times cases.
fn remaining(question: usize, cases: &[&Case]) -> f64 {
    split(question, cases).values().map(|cases| entropy(cases) * cases.len() as f64).sum()
}

fn entropy(cases: &[&Case]) -> f64 {
    let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
    for case in cases {
        *counts.entry(&case.result).or_default() += 1.0;
    }
    let all = cases.len() as f64;
    counts.values().map(|count| -(count / all) * (count / all).log2()).sum()
}

impl Tree {
    /// The result for one case.
    #[must_use]
    pub fn result(&self, answers: &[usize]) -> Option<&str> {
        match self {
            Self::Result(result) => Some(result),
            Self::Ask { question, branches } => {
                let answer = answers.get(*question)?;
                let branch = branches.iter().find(|(answers, _)| answers.contains(answer));
                branch.and_then(|(_, tree)| tree.result(answers))
            }
        }
    }

    /// How many questions are asked at the most.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::Result(_) => 0,
            Self::Ask { branches, .. } => {
                1 + branches.iter().map(|(_, tree)| tree.depth()).max().unwrap_or(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn questions(answers: &[usize]) -> Vec<Asked> {
        let asked = |(at, count): (usize, &usize)| Asked {
            question: format!("q{at}"),
            answers: (0..*count).map(|answer| format!("a{answer}")).collect(),
        };
        answers.iter().enumerate().map(asked).collect()
    }

    #[test]
    fn one_result_asks_nothing() {
        let cases = [0, 1].map(|answer| Case { answers: vec![answer], result: "same".to_owned() });
        assert_eq!(decision_tree(&questions(&[2]), &cases), Tree::Result("same".to_owned()));
    }

    proptest! {
        /// The tree says of every case what the table does, and asks no question twice on one way down.
        #[test]
        fn a_tree_reproduces_its_table(results in proptest::collection::vec(0u8..4, 24)) {
            let shape = [3, 2, 4];
            let mut cases = Vec::new();
            for (at, result) in results.iter().enumerate() {
                let answers = vec![at % 3, at / 3 % 2, at / 6];
                cases.push(Case { answers, result: result.to_string() });
            }
            let tree = decision_tree(&questions(&shape), &cases);
            for case in &cases {
                prop_assert_eq!(tree.result(&case.answers), Some(case.result.as_str()));
            }
            prop_assert!(tree.depth() <= shape.len());
        }
    }
}
