//! What was written, and what it costs.

use std::collections::BTreeMap;
use std::path::Path;

use nearside_models::evaluate::Divergence;
use nearside_models::quantize::{Plan, QuantizeError, Source};
use nearside_probe::this_machine;
use nearside_units::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::compared::Bench;
use crate::cli::ModelQuantize;
use crate::output::{Align, Outcome, table};

/// How much higher than the source's a perplexity may be.
const ALLOWED: f64 = 1.01;
/// Of what the machine has, what weights may take: caches and other programs need the rest.
const PART_OF_MEMORY: f64 = 0.8;

/// The answer of `nearside model quantize`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct QuantizeAnswer {
    /// The model.
    model: String,
    /// What was added to it first.
    adapter: Option<String>,
    /// The file that was written; in a dry run, that would be.
    output: Option<String>,
    /// Whether nothing was written.
    dry_run: bool,
    /// What the models were compared on.
    compared_on: Option<String>,
    /// Bytes that this machine's memory gives in a second, all cores reading.
    memory_bytes_per_second: Option<f64>,
    /// The model as it is.
    pub(super) source: Side,
    /// What it was made into, in the order of asking.
    pub(super) formats: Vec<FormatView>,
    /// The format that was kept, of several.
    kept: Option<String>,
    /// Why that one.
    rule: Option<String>,
    /// Whether any of several was within the rule.
    within_rule: Option<bool>,
    /// Whether formats are compared on a text of the person's.
    #[serde(skip)]
    of_text: bool,
    /// Whether it was ended before all was said.
    #[serde(skip)]
    pub(super) interrupted: bool,
    #[serde(skip)]
    pub(super) warnings: Vec<String>,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Side {
    /// Bytes of its tensors.
    pub(super) bytes: u64,
    /// Bits for each of its numbers.
    pub(super) bits_per_weight: f64,
    /// What it costs, where it was run.
    pub(super) costs: Option<Costs>,
}

/// A model in a format.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct FormatView {
    /// The format.
    format: String,
    /// Bytes of its tensors.
    bytes: u64,
    /// Bits for each of its numbers.
    bits_per_weight: f64,
    /// How many tensors are of each type.
    types: BTreeMap<String, usize>,
    /// Tensors whose rows are no whole blocks of the type that the format has for them.
    fallbacks: Vec<String>,
    /// What it costs, where it was run.
    pub(super) costs: Option<Costs>,
    /// How far it is from the model, where both were run.
    pub(super) divergence: Option<DivergenceView>,
}

/// What a model makes of a text, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Costs {
    /// Perplexity of the text.
    pub(super) perplexity: f64,
    /// Its standard error.
    pub(super) perplexity_standard_error: f64,
    /// Tokens a second, one at a time, measured.
    pub(super) tokens_per_second: Option<f64>,
    /// Bytes of weights that a token reads.
    pub(super) bytes_per_token: u64,
    /// Tokens a second if reading weights is all that takes time.
    pub(super) predicted_tokens_per_second: f64,
}

/// How far probabilities are from the model's: Kullback-Leibler divergence of each token, in nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct DivergenceView {
    /// The mean.
    mean: f64,
    /// The median.
    median: f64,
    /// What 99 of 100 tokens do not exceed.
    percentile_99: f64,
    /// The part of tokens where both find the same word most likely.
    same_top: f64,
}

impl QuantizeAnswer {
    pub(super) fn of(arguments: &ModelQuantize, model: &Path, source: &Source) -> Self {
        let (bytes, parameters) = (source.bytes(), source.parameters().max(1));
        let bits_per_weight = bytes as f64 * 8.0 / parameters as f64;
        Self {
            model: model.display().to_string(),
            adapter: arguments.adapter.as_ref().map(|path| path.display().to_string()),
            output: arguments.output.as_ref().map(|path| path.display().to_string()),
            dry_run: arguments.dry_run,
            compared_on: None,
            memory_bytes_per_second: None,
            source: Side { bytes, bits_per_weight, costs: None },
            formats: Vec::new(),
            kept: None,
            rule: None,
            within_rule: None,
            of_text: false,
            interrupted: false,
            warnings: source.left_out.clone(),
        }
    }

    pub(super) fn compared_on(&mut self, bench: &Bench) {
        self.compared_on = Some(bench.what.clone());
        self.of_text = bench.of_text;
        self.memory_bytes_per_second = Some(bench.bandwidth);
    }

    /// The file, if there is one.
    pub(super) fn written(&self) -> Option<&str> {
        self.output.as_deref().filter(|_| !self.dry_run)
    }

    /// No format of several may be within the rule.
    pub(super) fn outcome(&self) -> Outcome {
        match self.within_rule {
            _ if self.interrupted => Outcome::Partly,
            Some(false) => Outcome::Negative,
            _ => Outcome::Done,
        }
    }

    /// Which of the formats is to be kept, and why: states it.
    pub(super) fn choose(&mut self) -> usize {
        let memory = this_machine().ok().and_then(|found| found.memory.usable().value());
        let room = memory.map(|memory| memory.scaled(PART_OF_MEMORY).get());
        let measure = if self.of_text { Measure::Perplexity } else { Measure::Divergence };
        let (best, within) = best(&self.source, &self.formats, room, measure);
        self.kept = self.formats.get(best).map(|format| format.format.clone());
        self.within_rule = Some(within);
        let room = room.map_or_else(String::new, |room| {
            format!(" and that fit into {} (80 % of this machine's memory)", Bytes::new(room).si())
        });
        let rule = format!(
            "of the formats whose {}{room}, the one of which a token reads the fewest bytes",
            measure.rule()
        );
        self.rule = Some(match within {
            true => rule,
            false => format!("{rule}; there is none, so the one with the least divergence is kept"),
        });
        best
    }

    pub(super) fn text(&self) -> String {
        let mut parts = vec![self.sizes()];
        parts.extend(self.costs());
        if let (Some(kept), Some(rule)) = (&self.kept, &self.rule) {
            parts.push(format!("{kept} is kept: {rule}"));
        }
        for format in self.formats.iter().filter(|format| !format.fallbacks.is_empty()) {
            let count = format.fallbacks.len();
            parts.push(format!(
                "{}: rows of {count} tensors are no whole blocks, they take another type: {}",
                format.format,
                shortened(&format.fallbacks)
            ));
        }
        parts.extend(self.written().map(|path| format!("in {path}")));
        parts.join("\n\n")
    }

    fn sizes(&self) -> String {
        let heads = [
            ("format", Align::Left),
            ("size", Align::Right),
            ("bits per weight", Align::Right),
            ("tensors", Align::Left),
        ];
        let row = |name: &str, bytes: u64, bits: f64, types: String| {
            vec![name.to_owned(), Bytes::new(bytes).si(), format!("{bits:.2}"), types]
        };
        let source = row("(model)", self.source.bytes, self.source.bits_per_weight, String::new());
        let formats = self.formats.iter().map(|format| {
            let types = format.types.iter().map(|(dtype, count)| format!("{count} {dtype}"));
            let types = types.collect::<Vec<_>>().join(", ");
            row(&format.format, format.bytes, format.bits_per_weight, types)
        });
        table(&heads, std::iter::once(source).chain(formats).collect())
    }

    /// What the models make of the text, where they were run.
    fn costs(&self) -> Option<String> {
        let source = self.source.costs.as_ref()?;
        let heads = [
            ("format", Align::Left),
            ("perplexity", Align::Right),
            ("KL mean", Align::Right),
            ("median", Align::Right),
            ("99 %", Align::Right),
            ("same top", Align::Right),
            ("tokens/s", Align::Right),
            ("predicted", Align::Right),
        ];
        let row = |name: &str, costs: &Costs, divergence: Option<&DivergenceView>| {
            let error = costs.perplexity_standard_error;
            let number = |of: fn(&DivergenceView) -> f64| {
                divergence.map_or_else(|| "-".to_owned(), |found| format!("{:.4}", of(found)))
            };
            vec![
                name.to_owned(),
                format!("{:.4} ± {error:.4}", costs.perplexity),
                number(|found| found.mean),
                number(|found| found.median),
                number(|found| found.percentile_99),
                divergence.map_or_else(
                    || "-".to_owned(),
                    |found| format!("{:.1} %", found.same_top * 100.0),
                ),
                costs.tokens_per_second.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}")),
                format!("{:.1}", costs.predicted_tokens_per_second),
            ]
        };
        let formats = self.formats.iter().filter_map(|format| {
            Some(row(&format.format, format.costs.as_ref()?, format.divergence.as_ref()))
        });
        let rows = std::iter::once(row("(model)", source, None)).chain(formats);
        let table = table(&heads, rows.collect());
        let rate = Bytes::new(self.memory_bytes_per_second.unwrap_or(0.0) as u64).si();
        let on = self.compared_on.as_deref().unwrap_or_default();
        Some(format!(
            "{table}\n\ncompared on {on}\npredicted: {rate}/s that memory gives, over the bytes of weights that a token reads"
        ))
    }
}

impl FormatView {
    pub(super) fn planned(plan: &Plan<'_>) -> Result<Self, QuantizeError> {
        let mut types = BTreeMap::new();
        for tensor in &plan.tensors {
            *types.entry(tensor.dtype.to_string()).or_insert(0) += 1;
        }
        let fallback = |(name, dtype): &(String, _)| format!("{name} (not {dtype})");
        Ok(Self {
            format: plan.mix().to_string(),
            bytes: plan.bytes()?,
            bits_per_weight: plan.bits_per_weight()?,
            types,
            fallbacks: plan.instead_of.iter().map(fallback).collect(),
            costs: None,
            divergence: None,
        })
    }
}

impl DivergenceView {
    pub(super) const fn of(found: &Divergence) -> Self {
        let Divergence { mean, median, percentile_99, same_top } = *found;
        Self { mean, median, percentile_99, same_top }
    }
}

/// What a format is judged by.
#[derive(Clone, Copy)]
enum Measure {
    /// Perplexity of a text, beside the model's.
    Perplexity,
    /// How far it is from the model: a sample without meaning has no perplexity worth the name. The exponential of the
    /// divergence is what perplexity would grow by on texts that the model itself writes.
    Divergence,
}

impl Measure {
    const fn rule(self) -> &'static str {
        match self {
            Self::Perplexity => "perplexity is at most 1 % above the model's",
            Self::Divergence => "divergence from the model is at most ln 1.01",
        }
    }
}

/// The format to keep, and whether it is within the rule.
fn best(
    source: &Side,
    formats: &[FormatView],
    room: Option<u64>,
    measure: Measure,
) -> (usize, bool) {
    let fits = |format: &FormatView| room.is_none_or(|room| format.bytes <= room);
    let good = |format: &FormatView| {
        let both = format.costs.as_ref().zip(source.costs.as_ref());
        match measure {
            Measure::Perplexity => {
                both.is_some_and(|(costs, source)| costs.perplexity <= source.perplexity * ALLOWED)
            }
            Measure::Divergence => format.divergence.is_some_and(|far| far.mean <= ALLOWED.ln()),
        }
    };
    let read = |format: &FormatView| {
        format.costs.as_ref().map_or(format.bytes, |costs| costs.bytes_per_token)
    };
    let all = || formats.iter().enumerate();
    let within = all().filter(|(_, format)| fits(format) && good(format));
    if let Some((at, _)) = within.min_by_key(|(_, format)| read(format)) {
        return (at, true);
    }
    let divergence =
        |format: &FormatView| format.divergence.map_or(f64::INFINITY, |found| found.mean);
    let far = |format: &FormatView| (!fits(format), divergence(format), u64::MAX - format.bytes);
    let nearest = all().min_by(|(_, one), (_, other)| {
        let ((a, b, c), (d, e, f)) = (far(one), far(other));
        a.cmp(&d).then(b.total_cmp(&e)).then(c.cmp(&f))
    });
    (nearest.map_or(0, |(at, _)| at), false)
}

/// The first few names.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown}, ...") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(bytes: u64, perplexity: Option<f64>) -> FormatView {
        let costs = perplexity.map(|perplexity| Costs {
            perplexity,
            perplexity_standard_error: 0.1,
            tokens_per_second: None,
            bytes_per_token: bytes,
            predicted_tokens_per_second: 1.0,
        });
        let divergence = perplexity.map(|perplexity| DivergenceView {
            mean: perplexity / 100.0,
            median: 0.0,
            percentile_99: 0.0,
            same_top: 1.0,
        });
        FormatView {
            format: String::new(),
            bytes,
            bits_per_weight: 4.0,
            types: BTreeMap::new(),
            fallbacks: Vec::new(),
            costs,
            divergence,
        }
    }

    #[test]
    fn the_smallest_within_one_percent_that_fits_is_kept() {
        let source = format(160, Some(10.0));
        let source = Side { bytes: 160, bits_per_weight: 16.0, costs: source.costs };
        let formats = [
            format(80, Some(10.01)),
            format(50, Some(10.09)),
            format(40, Some(10.2)),
            format(30, None),
        ];
        let best = |formats, room| best(&source, formats, room, Measure::Perplexity);
        assert_eq!(best(&formats, None), (1, true));
        assert_eq!(best(&formats[2..], None), (0, false));
        assert_eq!(best(&formats, Some(45)), (2, false));
        assert_eq!(best(&formats[..1], Some(45)), (0, false));
    }

    #[test]
    fn without_a_text_divergence_decides() {
        let source = Side { bytes: 160, bits_per_weight: 16.0, costs: None };
        // Divergences of 0.009 and 0.02: the second one is within a perplexity that means nothing.
        let formats = [format(80, Some(0.9)), format(50, Some(2.0))];
        assert_eq!(best(&source, &formats, None, Measure::Divergence), (0, true));
        assert_eq!(best(&source, &formats[1..], None, Measure::Divergence), (0, false));
    }
}
