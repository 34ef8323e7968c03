//! What `nearside privacy release` answers.

use nearside_ledger::ReleaseRow;
use nearside_privacy::release::{
    Answer, Budget, Labels, Left, Mechanism, Noise, Number, Plan, Privacy,
};
use nearside_workload::PrivacyBudget;
use schemars::JsonSchema;
use serde::Serialize;

/// The answer of `nearside privacy release`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ReleaseAnswer {
    /// The dataset.
    pub(super) dataset: String,
    /// What became of the question; nothing where none was asked.
    pub(super) decision: Option<Decision>,
    /// What it spends, in pure differential privacy.
    pub(super) epsilon: Option<f64>,
    /// What it spends, in zero-concentrated differential privacy.
    pub(super) rho: Option<f64>,
    /// The noise of its numbers: of a mean, that of the sum and of the count; of synthetic rows, that of the counts of
    /// columns and of pairs. Quantiles are chosen, and have none.
    pub(super) noise: Vec<NoiseView>,
    /// The answer.
    pub(super) answer: Option<AnswerView>,
    /// How many rows in their order quantiles may be off, 19 times in 20; nothing where nothing can be said.
    pub(super) ranks: Vec<Option<f64>>,
    /// What may be spent, and what is left.
    pub(super) budget: BudgetView,
    /// What was asked so far, where nothing else is asked.
    pub(super) past: Vec<PastView>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Decision {
    /// Nothing was read or spent.
    Planned,
    /// It was answered.
    Released,
    /// It would have spent more than is left.
    Refused,
}

/// Noise.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct NoiseView {
    /// `discrete-laplace` or `discrete-gaussian`.
    pub(super) mechanism: &'static str,
    /// Its scale.
    pub(super) scale: f64,
    /// 19 in 20 answers are at most so far off.
    pub(super) error: f64,
}

/// What may be spent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct BudgetView {
    pub(super) epsilon: f64,
    pub(super) delta: f64,
    /// The most rows of one person.
    pub(super) rows_per_person: u32,
    /// The column that says whose a row is.
    pub(super) person: Option<String>,
    /// The most that one more answer may spend in pure differential privacy; nothing where more is asked for than
    /// there is.
    pub(super) left_epsilon: Option<f64>,
    /// The same in zero-concentrated differential privacy.
    pub(super) left_rho: Option<f64>,
}

/// A question of before.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct PastView {
    pub(super) at: String,
    /// What was asked, as JSON.
    pub(super) asked: String,
    /// `released` or `refused`.
    pub(super) decision: String,
    pub(super) epsilon: Option<f64>,
    pub(super) rho: Option<f64>,
}

/// An answer; what it has not is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct AnswerView {
    /// Numbers: one of a count, a sum or a mean, several of quantiles.
    pub(super) numbers: Vec<NumberView>,
    /// Columns of counts or synthetic rows.
    pub(super) columns: Vec<String>,
    /// How many rows have each combination of labels.
    pub(super) cells: Vec<CellView>,
    /// Synthetic rows.
    pub(super) rows: Option<u64>,
    /// Pairs of columns that go together in them.
    pub(super) pairs: Vec<[String; 2]>,
}

/// A number.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct NumberView {
    /// What it is: `count`, `sum`, `mean`, or the part of a quantile.
    pub(super) what: String,
    pub(super) value: f64,
    /// The same as an exact decimal.
    pub(super) text: String,
    /// 19 in 20 answers are at most so far off; of a quantile, so many rows. Nothing where nothing can be said.
    pub(super) error: Option<f64>,
}

/// A count.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct CellView {
    /// A label of each column.
    pub(super) labels: Vec<String>,
    /// How many rows have them; noise may put it below 0.
    pub(super) count: i64,
}

impl ReleaseAnswer {
    pub(super) fn about(dataset: &str, budget: BudgetView) -> Self {
        let (dataset, noise, past, ranks) =
            (dataset.to_owned(), Vec::new(), Vec::new(), Vec::new());
        let (decision, epsilon, rho, answer) = (None, None, None, None);
        Self { dataset, decision, epsilon, rho, noise, answer, ranks, budget, past }
    }

    pub(super) fn decided(self, decision: Decision, privacy: Privacy) -> Self {
        let (epsilon, rho) = match privacy {
            Privacy::Pure { epsilon } => (Some(epsilon.value()), None),
            Privacy::Concentrated { rho } => (None, Some(rho.value())),
        };
        Self { decision: Some(decision), epsilon, rho, ..self }
    }

    pub(super) fn with_noise(self, plan: &Plan<'_>) -> Self {
        let view = |noise: &Noise| NoiseView {
            mechanism: match noise.mechanism() {
                Mechanism::DiscreteLaplace => "discrete-laplace",
                Mechanism::DiscreteGaussian => "discrete-gaussian",
            },
            scale: noise.scale(),
            error: noise.error().value(),
        };
        let noise = plan.noises().iter().map(view).collect();
        let ranks = plan.ranks().iter().map(|ranks| Some(*ranks).filter(|it| it.is_finite()));
        Self { noise, ranks: ranks.collect(), ..self }
    }

    pub(super) fn with_answer(self, answer: AnswerView) -> Self {
        Self { answer: Some(answer), ..self }
    }

    pub(super) fn with_past(self, past: &[ReleaseRow]) -> Self {
        let view = |row: &ReleaseRow| PastView {
            at: row.at.to_string(),
            asked: row.query_json.clone(),
            decision: row.decision.to_string(),
            epsilon: row.epsilon,
            rho: row.rho,
        };
        Self { past: past.iter().map(view).collect(), ..self }
    }

    /// Whether it is about synthetic rows.
    pub(super) fn is_rows(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.rows.is_some())
    }
}

impl BudgetView {
    pub(super) fn of(stated: &PrivacyBudget, budget: &Budget, left: Option<Left>) -> Self {
        Self {
            epsilon: budget.epsilon().value(),
            delta: stated.delta,
            rows_per_person: stated.rows_per_person.get(),
            person: stated.person.clone(),
            left_epsilon: left.map(|left| left.epsilon.value()),
            left_rho: left.filter(|_| stated.delta > 0.0).map(|left| left.rho.value()),
        }
    }
}

impl AnswerView {
    pub(super) fn of(answer: &Answer) -> Self {
        let number = |what: &str, Number { value, noise }: &Number| NumberView {
            what: what.to_owned(),
            value: value.value(),
            text: value.to_string(),
            error: Some(noise.error().value()),
        };
        let none = Self::default();
        match answer {
            Answer::Number(found) => Self { numbers: vec![number("value", found)], ..none },
            Answer::Mean { value, error, sum, count } => {
                let mean = NumberView {
                    what: "mean".to_owned(),
                    value: value.value(),
                    text: value.to_string(),
                    error: Some(error.value()),
                };
                let parts = [("sum of distances to the middle", sum), ("count", count)];
                let parts = parts.iter().map(|(what, found)| number(what, found));
                Self { numbers: [mean].into_iter().chain(parts).collect(), ..none }
            }
            Answer::Quantiles(found) => {
                let view = |it: &nearside_privacy::release::Quantile| NumberView {
                    what: format!("{}", f64::from(it.at.part()) / f64::from(it.at.whole())),
                    value: it.value.value(),
                    text: it.value.to_string(),
                    error: Some(it.ranks).filter(|ranks| ranks.is_finite()),
                };
                Self { numbers: found.iter().map(view).collect(), ..none }
            }
            Answer::Cells { columns, counts, .. } => Self {
                columns: names(columns),
                cells: combinations(columns)
                    .zip(counts)
                    .map(|(labels, count)| CellView {
                        labels,
                        count: i64::try_from(*count).unwrap_or(i64::MAX),
                    })
                    .collect(),
                ..none
            },
            Answer::Synthetic(found) => {
                let name = |at: usize| found.columns.get(at).map(|it| it.name.clone());
                let pair = |(one, other): &(usize, usize)| Some([name(*one)?, name(*other)?]);
                Self {
                    columns: names(&found.columns),
                    rows: Some(found.codes.first().map_or(0, |codes| codes.len() as u64)),
                    pairs: found.pairs.iter().filter_map(pair).collect(),
                    ..none
                }
            }
        }
    }
}

fn names(columns: &[Labels]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

/// Every combination of labels, the last column's next to each other.
fn combinations(columns: &[Labels]) -> impl Iterator<Item = Vec<String>> + '_ {
    let count: usize = columns.iter().map(|column| column.labels.len()).product();
    (0..count).map(move |mut number| {
        let mut labels: Vec<String> = Vec::new();
        for column in columns.iter().rev() {
            let label = column.labels.get(number % column.labels.len());
            labels.push(label.cloned().unwrap_or_default());
            number /= column.labels.len();
        }
        labels.reverse();
        labels
    })
}

/// Counts or synthetic rows as CSV; nothing of other answers.
pub(super) fn csv(answer: &Answer) -> Result<Option<Vec<u8>>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    match answer {
        Answer::Cells { columns, counts, .. } => {
            writer.write_record(names(columns).iter().map(String::as_str).chain(["count"]))?;
            for (labels, count) in combinations(columns).zip(counts) {
                writer.write_record(labels.into_iter().chain([count.to_string()]))?;
            }
        }
        Answer::Synthetic(found) => {
            writer.write_record(names(&found.columns))?;
            for row in 0..found.codes.first().map_or(0, Vec::len) {
                for (column, codes) in found.columns.iter().zip(&found.codes) {
                    let code = codes.get(row).copied().unwrap_or(0) as usize;
                    writer.write_field(column.labels.get(code).map_or("", String::as_str))?;
                }
                writer.write_record(None::<&[u8]>)?;
            }
        }
        Answer::Number(_) | Answer::Mean { .. } | Answer::Quantiles(_) => return Ok(None),
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(Some(bytes))
}
