//! A decision tree as lines of text, as a Mermaid flow chart and as a drawing.

use std::fmt::Write as _;

use nearside_economics::requirements::{Asked, Tree};

use crate::html::escaped;

/// A tree with its questions in words.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// What can be asked, in the order that the tree counts in.
    pub questions: &'a [Asked],
    /// The tree.
    pub tree: &'a Tree,
}

/// Letters in a line of a box.
const LINE: usize = 30;
/// Width of a box, and of the room between two of them, where the answer stands.
const BOX: f64 = 250.0;
const GAP: f64 = 190.0;
const LETTERS_OF_GAP: usize = 24;
const LINE_HEIGHT: f64 = 18.0;
const BETWEEN: f64 = 14.0;

impl Decision<'_> {
    fn question(&self, question: usize) -> &str {
        self.questions.get(question).map_or("", |asked| &asked.question)
    }

    /// The answers that lead to one branch, in words.
    fn answers(&self, question: usize, answers: &[usize]) -> String {
        let Some(asked) = self.questions.get(question) else { return String::new() };
        let words = answers.iter().filter_map(|answer| asked.answers.get(*answer));
        words.map(String::as_str).collect::<Vec<_>>().join(" or ")
    }

    /// One line for each question and each result, indented.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.lines(self.tree, 0, &mut text);
        text.trim_end().to_owned()
    }

    fn lines(&self, tree: &Tree, depth: usize, text: &mut String) {
        let indent = "  ".repeat(depth);
        match tree {
            // Writing to a string cannot fail.
            Tree::Result(result) => {
                let _ = writeln!(text, "{indent}-> {result}");
            }
            Tree::Ask { question, branches } => {
                let _ = writeln!(text, "{indent}{}?", self.question(*question));
                for (answers, branch) in branches {
                    let answers = self.answers(*question, answers);
                    match branch {
                        Tree::Result(result) => {
                            let _ = writeln!(text, "{indent}  {answers} -> {result}");
                        }
                        Tree::Ask { .. } => {
                            let _ = writeln!(text, "{indent}  {answers}:");
                            self.lines(branch, depth + 2, text);
                        }
                    }
                }
            }
        }
    }

    /// A flow chart in Mermaid's language.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        let mut next = 0;
        self.nodes(self.tree, &mut next, &mut text);
        text.trim_end().to_owned()
    }

    fn nodes(&self, tree: &Tree, next: &mut usize, text: &mut String) -> usize {
        let own = *next;
        *next += 1;
        match tree {
            Tree::Result(result) => {
                let _ = writeln!(text, "  n{own}[\"{}\"]", quoted(result));
            }
            Tree::Ask { question, branches } => {
                let _ = writeln!(text, "  n{own}{{\"{}?\"}}", quoted(self.question(*question)));
                for (answers, branch) in branches {
                    let child = self.nodes(branch, next, text);
                    let answers = quoted(&self.answers(*question, answers));
                    let _ = writeln!(text, "  n{own} -->|\"{answers}\"| n{child}");
                }
            }
        }
        own
    }

    /// A drawing from left to right.
    #[must_use]
    pub fn svg(&self, title: &str) -> String {
        let mut body = String::new();
        let mut bottom = BETWEEN;
        self.drawn(self.tree, 0.0, &mut bottom, &mut body);
        let width = BOX + self.tree.depth() as f64 * (BOX + GAP);
        let (title, description) = (escaped(title), escaped(&self.text()));
        format!(
            "<svg class=\"dense\" viewBox=\"0 0 {width:.0} {bottom:.0}\" role=\"img\" \
             aria-labelledby=\"tree-title tree-desc\"><title id=\"tree-title\">{title}</title>\
             <desc id=\"tree-desc\">{description}</desc>\n{body}</svg>"
        )
    }

    /// Draws a tree below `bottom` and answers where its first box has its middle.
    fn drawn(&self, tree: &Tree, x: f64, bottom: &mut f64, svg: &mut String) -> f64 {
        match tree {
            Tree::Result(result) => {
                let lines = wrapped(result, LINE);
                let height = lines.len() as f64 * LINE_HEIGHT + 10.0;
                let middle = *bottom + height / 2.0;
                boxed(svg, (x, middle, height), &lines, 4.0);
                *bottom += height + BETWEEN;
                middle
            }
            Tree::Ask { question, branches } => {
                let lines = wrapped(&format!("{}?", self.question(*question)), LINE);
                let height = lines.len() as f64 * LINE_HEIGHT + 10.0;
                let child = x + BOX + GAP;
                let middles: Vec<f64> = branches
                    .iter()
                    .map(|(_, branch)| self.drawn(branch, child, bottom, svg))
                    .collect();
                let (first, last) = (middles.first().copied(), middles.last().copied());
                let middle = (first.unwrap_or(0.0) + last.unwrap_or(0.0)) / 2.0;
                for ((answers, _), to) in branches.iter().zip(&middles) {
                    let answers = self.answers(*question, answers);
                    edge(svg, (x + BOX, middle), (child, *to), &answers);
                }
                boxed(svg, (x, middle, height), &lines, height / 2.0);
                middle
            }
        }
    }
}

/// Text between the quotes of Mermaid.
fn quoted(text: &str) -> String {
    text.replace('"', "#quot;").replace('\n', " ")
}

/// Lines of whole words of at most so many letters; a longer word has a line of its own.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn boxed(svg: &mut String, (x, middle, height): (f64, f64, f64), lines: &[String], round: f64) {
    let top = middle - height / 2.0;
    let _ = writeln!(
        svg,
        "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\" \
         fill=\"none\" stroke=\"currentColor\"/>",
        x + 1.0,
        BOX - 2.0
    );
    for (at, line) in lines.iter().enumerate() {
        let y = top + 18.0 + at as f64 * LINE_HEIGHT;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"14\" text-anchor=\"middle\">{}</text>",
            x + BOX / 2.0,
            escaped(line)
        );
    }
}

/// From a question to what its answer leads to.
fn edge(svg: &mut String, from: (f64, f64), to: (f64, f64), answer: &str) {
    let turn = from.0 + 16.0;
    let _ = writeln!(
        svg,
        "<path d=\"M{:.1} {:.1}H{turn:.1}V{:.1}H{:.1}\" fill=\"none\" stroke=\"currentColor\" \
         class=\"grid\"/>",
        from.0, from.1, to.1, to.0
    );
    let lines = wrapped(answer, LETTERS_OF_GAP);
    for (at, line) in lines.iter().rev().enumerate() {
        let y = to.1 - 5.0 - at as f64 * 15.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"13\">{}</text>",
            turn + 6.0,
            escaped(line)
        );
    }
}

#[cfg(test)]
mod tests {
    use nearside_economics::requirements::{Case, decision_tree};

    use super::*;

    fn asked(question: &str, answers: &[&str]) -> Asked {
        let answers = answers.iter().map(|answer| (*answer).to_owned()).collect();
        Asked { question: question.to_owned(), answers }
    }

    fn questions() -> Vec<Asked> {
        vec![asked("which savings", &["none", "some", "all"]), asked("who", &["\"one\"", "<many>"])]
    }

    fn tree() -> Tree {
        let case =
            |one, two, result: &str| Case { answers: vec![one, two], result: result.to_owned() };
        let cases = [
            case(0, 0, "large"),
            case(0, 1, "larger"),
            case(1, 0, "small"),
            case(1, 1, "small"),
            case(2, 0, "small"),
            case(2, 1, "small"),
        ];
        decision_tree(&questions(), &cases)
    }

    #[test]
    fn lines_tell_what_leads_where() {
        let (questions, tree) = (questions(), tree());
        let text = Decision { questions: &questions, tree: &tree }.text();
        let expected = "which savings?\n  none:\n    who?\n      \"one\" -> large\n      <many> -> larger\n  \
                        some or all -> small";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_flow_chart_has_a_node_for_each_and_no_loose_quote() {
        let (questions, tree) = (questions(), tree());
        let chart = Decision { questions: &questions, tree: &tree }.mermaid();
        assert!(chart.starts_with("flowchart LR\n  n0{\"which savings?\"}"), "{chart}");
        assert!(chart.contains("n1 -->|\"#quot;one#quot;\"| n2"), "{chart}");
        assert_eq!(chart.matches("-->").count(), 4);
    }

    #[test]
    fn a_drawing_is_safe_and_tells_itself_in_words() {
        let (questions, tree) = (questions(), tree());
        let svg = Decision { questions: &questions, tree: &tree }.svg("a & b");
        assert!(svg.contains("<title id=\"tree-title\">a &amp; b</title>"), "{svg}");
        assert!(svg.contains("&lt;many&gt; -&gt; larger") && !svg.contains("<many>"), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 5);
        assert_eq!(svg.matches("<path").count(), 4);
    }

    #[test]
    fn words_are_not_cut() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensibilities so", 5), ["incomprehensibilities", "so"]);
    }
}
