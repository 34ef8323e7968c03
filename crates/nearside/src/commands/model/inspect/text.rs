//! What is known of a model, for people. What files say is shown without what could steer a terminal.

use nearside_report::grouped;
use nearside_units::{Bytes, Count, Range as MemoryRange, significant};

use super::InspectAnswer;
use super::adapter::AdapterView;
use super::files::FileView;
use super::needs::NeedsView;
use super::sizes::{PositionsView, SizesView};
use super::speech::{TemplateView, TokenView, TokenizerView};
use super::weights::{TensorView, TypeView};
use crate::commands::fit::inputs_table;
use crate::output::{Align, Detail, table};
use crate::view::{Figure, Range};

/// Columns of the names of lines.
const NAMES: usize = 15;
/// Columns of all of a line, where its words allow it.
const COLUMNS: usize = 80;
/// The most of one text of a file that is shown, in characters.
const MOST_SHOWN: usize = 300;
/// The same of a sample of a template.
const MOST_SAMPLE: usize = 160;
/// Files that are named; the others are counted.
const MOST_FILES: usize = 4;
/// Digits of a commit that tell it from others for people.
const COMMIT_DIGITS: usize = 12;

/// Lines of a name and what it is.
#[derive(Default)]
struct Lines(Vec<String>);

pub(super) fn text(answer: &InspectAnswer, detail: Detail) -> String {
    let mut sections = vec![identity(answer), sizes(answer), speech(answer)];
    sections.push(needs(&answer.needs, answer.sizes.as_ref().and_then(|sizes| sizes.context)));
    sections.push(types(answer));
    sections.extend(answer.tensors.as_deref().map(tensors));
    if detail == Detail::Explained {
        sections.push(format!("basis of what it needs\n{}", inputs_table(&answer.needs.inputs)));
    }
    sections.retain(|section| !section.is_empty());
    sections.join("\n\n")
}

/// A text of a file without control characters and marks that turn or hide what is around them.
pub(super) fn plain(text: &str) -> String {
    let hides = |sign: char| {
        sign.is_control()
            || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let clean = |sign: char| if hides(sign) { char::REPLACEMENT_CHARACTER } else { sign };
    shortened(text, MOST_SHOWN).chars().map(clean).collect()
}

fn shortened(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        short.push_str("...");
    }
    short
}

impl Lines {
    /// A line, or several: one that is too long goes on below its beginning.
    fn put(&mut self, name: &str, value: &str) {
        let mut line = format!("{name:NAMES$}");
        let mut begun = false;
        for word in value.split(' ') {
            if begun && line.chars().count() + 1 + word.chars().count() > COLUMNS {
                self.0.push(std::mem::replace(&mut line, " ".repeat(NAMES)));
                begun = false;
            }
            if begun {
                line.push(' ');
            }
            line.push_str(word);
            begun = true;
        }
        self.0.push(line);
    }

    /// What a file states, or that it does not.
    fn stated(&mut self, name: &str, value: Option<&String>) {
        self.put(name, &value.map_or_else(|| "not stated".to_owned(), |value| plain(value)));
    }

    fn text(self) -> String {
        let lines = self.0.iter().map(|line| line.trim_end().replace('\u{a0}', " "));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn identity(answer: &InspectAnswer) -> String {
    let mut lines = Lines::default();
    lines.stated("model", answer.name.as_ref());
    if let Some(origin) = &answer.origin {
        let commit: String = origin.commit.chars().take(COMMIT_DIGITS).collect();
        lines.put("from", &plain(&format!("{} at {commit}", origin.repository)));
    }
    lines.put("path", &plain(&answer.path));
    lines.put("files", &files(&answer.files));
    let tensors = Bytes::new(answer.bytes).si();
    lines.put("format", &format!("{}, {tensors} of tensors", answer.format));
    lines.stated("made by", answer.made_by.as_ref());
    lines.stated("licence", answer.licence.as_ref());
    lines.stated("architecture", answer.family.as_ref());
    lines.put("parameters", &parameters(answer));
    lines.text()
}

fn parameters(answer: &InspectAnswer) -> String {
    let Some(bits) = answer.bits_per_weight else {
        return "none: its files have no tensors".to_owned();
    };
    let (all, short) = (grouped(answer.parameters), Count::new(answer.parameters));
    let all = if answer.parameters < 1000 { all } else { format!("{short} ({all})") };
    format!("{all}, {bits:.2} bits per weight")
}

/// Words between which no line ends.
fn together(words: &str) -> String {
    words.replace(' ', "\u{a0}")
}

/// The largest files by name.
fn files(files: &[FileView]) -> String {
    let mut by_size: Vec<_> = files.iter().collect();
    by_size.sort_by_key(|file| std::cmp::Reverse(file.bytes));
    let size = |bytes: u64| together(&format!("({})", Bytes::new(bytes).si()));
    let name = |file: &&FileView| format!("{} {}", plain(&file.name), size(file.bytes));
    let mut words: Vec<_> = by_size.iter().take(MOST_FILES).map(name).collect();
    if let more @ 1.. = files.len().saturating_sub(MOST_FILES) {
        let bytes = by_size.iter().skip(MOST_FILES).map(|file| file.bytes).sum();
        words.push(format!("{more} more {}", size(bytes)));
    }
    words.join(", ")
}

fn sizes(answer: &InspectAnswer) -> String {
    let mut lines = Lines::default();
    let Some(sizes) = &answer.sizes else { return String::new() };
    let mixers = sizes.mixers.iter().map(|(mixer, count)| format!("{count} of {mixer}"));
    let mixers: Vec<_> = mixers.collect();
    lines.put("layers", &format!("{}, {} wide", mixers.join(", "), grouped(sizes.hidden)));
    lines.put("feed-forward", &feed_forward(sizes));
    if let Some(heads) = heads(sizes) {
        lines.put("heads", &heads);
    }
    if let Some(window) = sizes.sliding_window {
        let (some, all) = (sizes.windowed_layers, sizes.layers);
        lines.put("window", &format!("{} tokens, in {some} of {all} layers", grouped(window)));
    }
    lines.put("positions", &positions(&sizes.positions, sizes.head_dim));
    let context = sizes.context.map(|context| format!("{} tokens", grouped(context)));
    lines.stated("context", context.as_ref());
    lines.put("vocabulary", &vocabulary(sizes, &answer.tokenizer));
    lines.text()
}

fn feed_forward(sizes: &SizesView) -> String {
    let width = sizes.feed_forward.map(|width| format!("{} wide", grouped(width)));
    match (sizes.experts, sizes.active_experts, width) {
        (Some(experts), Some(active), Some(width)) => {
            format!("{experts} experts, {active} for each token, each {width}")
        }
        (_, _, Some(width)) => width,
        (_, _, None) => "none".to_owned(),
    }
}

fn heads(sizes: &SizesView) -> Option<String> {
    let (heads, width) = (sizes.heads?, sizes.head_dim?);
    let keys = sizes.key_value_heads.map(|keys| format!("; {keys} of keys and values"));
    Some(format!("{heads}, {width} wide{}", keys.unwrap_or_default()))
}

fn positions(positions: &PositionsView, head: Option<u64>) -> String {
    let number = |number: f64| match number {
        whole if (0.0..1e15).contains(&whole) && whole.fract().abs() < 1e-9 => {
            grouped(whole as u64)
        }
        other => significant(other),
    };
    let mut words = vec![positions.kind.clone()];
    let part = positions.rotated.filter(|rotated| Some(*rotated) != head);
    words.extend(part.map(|rotated| format!("{rotated} of each head")));
    words.extend(positions.base.map(|base| format!("base {}", number(base))));
    words.extend(positions.window_base.map(|base| format!("{} in windows", number(base))));
    if let Some(scaling) = &positions.scaling {
        let by = positions.factor.map(|factor| format!(" by {}", number(factor)));
        let from = positions.original_context.map(|from| format!(" from {} tokens", number(from)));
        let (by, from) = (by.unwrap_or_default(), from.unwrap_or_default());
        words.push(match scaling.as_str() {
            "divided" | "by pair" => format!("stretched{from}, each pair by a number of its own"),
            scaling => format!("stretched{by}{from} ({scaling})"),
        });
    }
    words.join(", ")
}

fn vocabulary(sizes: &SizesView, tokenizer: &Figure<TokenizerView>) -> String {
    let mut words = vec![format!("{} rows", grouped(sizes.vocabulary))];
    if let Figure::Value(TokenizerView { size, .. }) = tokenizer
        && let empty @ 1.. = sizes.vocabulary.saturating_sub(u64::from(*size))
    {
        words.push(format!("{} of them without a token", grouped(empty)));
    }
    words.push(match sizes.tied_embeddings {
        true => "the output shares them".to_owned(),
        false => "the output has its own".to_owned(),
    });
    words.join("; ")
}

fn speech(answer: &InspectAnswer) -> String {
    let mut lines = Lines::default();
    match &answer.tokenizer {
        Figure::Value(tokenizer) => {
            let size = grouped(u64::from(tokenizer.size));
            lines.put("tokenizer", &format!("{size} tokens, {}", tokenizer.method));
            lines.put("special tokens", &special(tokenizer));
        }
        Figure::Unknown { unknown } => {
            lines.put("tokenizer", &format!("not read: {}", plain(unknown)));
        }
    }
    match &answer.chat_template {
        Figure::Value(template) => template_lines(&mut lines, template),
        Figure::Unknown { unknown } => lines.put("chat template", &plain(unknown)),
    }
    let computed = match &answer.not_computed {
        None => "yes".to_owned(),
        Some(why) => format!("no: {}", plain(why)),
    };
    lines.put("runs here", &computed);
    if let Some(adapter) = &answer.adapter {
        lines.put("adapter", &adapter_text(adapter));
    }
    lines.text()
}

fn adapter_text(adapter: &AdapterView) -> String {
    let AdapterView { base, matrices, ranks, parameters } = adapter;
    let ranks: Vec<_> = ranks.iter().map(usize::to_string).collect();
    let made_for = base.as_ref().map(|base| format!(", made for {}", plain(base)));
    let (made_for, parameters) = (made_for.unwrap_or_default(), grouped(*parameters as u64));
    format!("{matrices} matrices by rank {}, {parameters} parameters{made_for}", ranks.join(", "))
}

fn special(tokenizer: &TokenizerView) -> String {
    let one = |token: &TokenView| format!("{} ({})", plain(&token.text), token.id);
    let ends: Vec<_> = tokenizer.ends.iter().map(one).collect();
    let parts = [
        ("begins", tokenizer.begin.as_ref().map(one)),
        ("ends", (!ends.is_empty()).then(|| ends.join(" "))),
        ("unknown", tokenizer.unknown.as_ref().map(one)),
        ("padding", tokenizer.padding.as_ref().map(one)),
    ];
    let named = |(name, token): (&str, Option<String>)| Some(format!("{name} {}", token?));
    let parts: Vec<_> = parts.into_iter().filter_map(named).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn template_lines(lines: &mut Lines, template: &TemplateView) {
    let names: Vec<_> = template.names.iter().map(|name| plain(name)).collect();
    let sample = match &template.sample {
        Figure::Value(sample) => sample,
        Figure::Unknown { unknown } => {
            return lines.put("chat template", &format!("fails: {}", plain(unknown)));
        }
    };
    let can = |can: bool, what: &str| if can { what.to_owned() } else { format!("no {what}") };
    let can = [can(template.takes_system, "system message"), can(template.shows_tools, "tools")];
    lines.put("chat template", &format!("{}; {}", names.join(", "), can.join(", ")));
    lines.put("it makes", &together(&format!("{:?}", shortened(sample, MOST_SAMPLE))));
}

fn needs(needs: &NeedsView, made_for: Option<u64>) -> String {
    let mut lines = Lines::default();
    let context = grouped(needs.context);
    lines.put("needs", &format!("on {}, with a context of {context} tokens", needs.title));
    lines.put("", &format!("{}: {}", needs.verdict.to_uppercase(), needs.why));
    let memory = |bytes: Option<u64>| {
        bytes.map_or_else(|| "not known".to_owned(), |bytes| Bytes::new(bytes).to_string())
    };
    if let Some(Range { low, high, .. }) = needs.memory_bytes {
        lines.put("weights", &format!("{} on the {}", memory(needs.weights_bytes), needs.device));
        let each = memory(needs.cache_bytes_per_1000_tokens);
        let cache = format!("{}; {each} for 1,000 tokens", memory(needs.cache_bytes));
        lines.put("keys, values", &cache);
        let [low, high] = [low, high].map(|bytes| Bytes::new(bytes as u64));
        let all = if low == high { low.to_string() } else { MemoryRange { low, high }.to_string() };
        lines.put("in all", &all);
    }
    lines.put("speed", &speed(needs));
    lines.put("fits up to", &longest(&needs.largest_context, made_for));
    lines.text()
}

fn speed(needs: &NeedsView) -> String {
    let limit = match &needs.limited_by {
        Figure::Value(limit) => format!(", limited by {limit}"),
        Figure::Unknown { .. } => String::new(),
    };
    let read = match &needs.prompt_tokens_per_second {
        Some(read) => format!("prompts read at {}", span(read.low, read.high)),
        None => format!("{} being read before", grouped(needs.context / 2)),
    };
    match &needs.tokens_per_second {
        Figure::Value(Range { low, high, .. }) => {
            format!("{} tokens/s written, {read}{limit}", span(*low, *high))
        }
        Figure::Unknown { unknown } => format!("not known: {unknown}"),
    }
}

/// How large a context surely fits.
fn longest(longest: &Figure<u64>, made_for: Option<u64>) -> String {
    match longest {
        Figure::Value(most) if made_for == Some(*most) => {
            format!("all {} tokens that it was made for", grouped(*most))
        }
        Figure::Value(most) => format!("{} tokens, surely", grouped(*most)),
        Figure::Unknown { unknown } => format!("not known: {unknown}"),
    }
}

/// Both ends of a range, or the one that both are.
fn span(low: f64, high: f64) -> String {
    match (significant(low), significant(high)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low}-{high}"),
    }
}

/// What each type takes.
fn types(answer: &InspectAnswer) -> String {
    if answer.types.is_empty() {
        return String::new();
    }
    let row = |of_type: &TypeView| {
        let share = 100.0 * of_type.bytes as f64 / answer.bytes.max(1) as f64;
        let share = if share < 0.05 { "<0.1".to_owned() } else { format!("{share:.1}") };
        let bits = of_type.bits_per_weight.map_or("-".to_owned(), |bits| format!("{bits:.2}"));
        let size = Bytes::new(of_type.bytes).si();
        vec![of_type.r#type.clone(), of_type.tensors.to_string(), bits, size, share]
    };
    let heads = [
        ("type", Align::Left),
        ("tensors", Align::Right),
        ("bits per weight", Align::Right),
        ("size", Align::Right),
        ("share [%]", Align::Right),
    ];
    table(&heads, answer.types.iter().map(row).collect())
}

/// Every tensor.
fn tensors(tensors: &[TensorView]) -> String {
    let heads = [
        ("tensor", Align::Left),
        ("type", Align::Left),
        ("shape", Align::Right),
        ("size", Align::Right),
    ];
    let row = |tensor: &TensorView| {
        let shape: Vec<_> = tensor.shape.iter().map(u64::to_string).collect();
        let size = Bytes::new(tensor.bytes).si();
        vec![plain(&tensor.name), tensor.r#type.clone(), shape.join(" x "), size]
    };
    table(&heads, tensors.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_terminals_is_not_shown() {
        assert_eq!(plain("a\u{1b}[31mb\n\u{202e}c"), "a\u{fffd}[31mb\u{fffd}\u{fffd}c");
        assert_eq!(plain("<\u{ff5c}end\u{2581}of｜>"), "<\u{ff5c}end\u{2581}of｜>");
        assert_eq!(plain(&"a".repeat(1000)).chars().count(), MOST_SHOWN + 3);
    }

    #[test]
    fn long_lines_go_on_below_their_beginning() {
        let mut lines = Lines::default();
        lines.put("name", &"word ".repeat(20));
        let text = lines.text();
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("               word")), "{text}");
    }
}
