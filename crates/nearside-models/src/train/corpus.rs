//! Texts as tokens: most of each to learn from, the end of each held out, to say what was learned.

use rayon::prelude::*;

use super::TrainError;
use super::vocabulary::Vocabulary;
use crate::tokenizer::{AddSpecial, ControlText};

/// The part of every text that is held out.
const HELD_OUT: usize = 10;

/// Texts, cut in two.
#[derive(Clone, Debug)]
pub struct Corpus<'a> {
    /// What is learned from.
    pub learned: Vec<&'a str>,
    /// What is held out.
    pub held_out: Vec<&'a str>,
}

/// Both as tokens, texts one after the other with the end of a text after each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// What is learned from.
    pub learned: Vec<u32>,
    /// What is held out.
    pub held_out: Vec<u32>,
}

impl<'a> Corpus<'a> {
    /// Holds out the last tenth of every text, from the beginning of a line where there is one.
    #[must_use]
    pub fn of(texts: &'a [String]) -> Self {
        let (learned, held_out) = texts.iter().map(|text| cut(text)).unzip();
        Self { learned, held_out }
    }

    /// The tokens of both.
    ///
    /// # Errors
    /// When a text cannot be cut into tokens.
    pub fn tokens(&self, vocabulary: &Vocabulary) -> Result<Tokens, TrainError> {
        Ok(Tokens {
            learned: tokens(&self.learned, vocabulary)?,
            held_out: tokens(&self.held_out, vocabulary)?,
        })
    }
}

fn cut(text: &str) -> (&str, &str) {
    let mut at = text.len() - text.len() / HELD_OUT;
    while !text.is_char_boundary(at) {
        at += 1;
    }
    let line = text[at..].find('\n').map(|end| at + end + 1).filter(|line| *line < text.len());
    text.split_at(line.unwrap_or(at))
}

fn tokens(texts: &[&str], vocabulary: &Vocabulary) -> Result<Vec<u32>, TrainError> {
    let of_text = |text: &&str| {
        let mut tokens = vocabulary.tokenizer.encode(text, AddSpecial::Omit, ControlText::Plain)?;
        if !tokens.is_empty() {
            tokens.push(vocabulary.end);
        }
        Ok::<_, TrainError>(tokens)
    };
    let all: Vec<Vec<u32>> = texts.par_iter().map(of_text).collect::<Result<_, _>>()?;
    Ok(all.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_held_out_from_a_line_on() {
        let lines: String = (0..100).map(|line| format!("line {line:02}\n")).collect();
        let texts = ["é".repeat(100), String::new(), lines.clone()];
        let corpus = Corpus::of(&texts);
        assert_eq!(corpus.held_out[0], "é".repeat(10));
        assert_eq!(corpus.held_out[1], "");
        assert!(corpus.held_out[2].starts_with("line 9") && corpus.held_out[2].len() >= 64);
        for (text, (learned, held_out)) in
            texts.iter().zip(corpus.learned.iter().zip(&corpus.held_out))
        {
            assert_eq!([*learned, *held_out].concat(), *text);
        }
    }

    #[test]
    fn every_text_ends() {
        let texts = ["abc abc abc".to_owned(), "abc".to_owned(), String::new()];
        let corpus = Corpus::of(&texts);
        let vocabulary = Vocabulary::learn(&corpus.learned, 260, 8).unwrap();
        let Tokens { learned, held_out } = corpus.tokens(&vocabulary).unwrap();
        let ends = |tokens: &[u32]| tokens.iter().filter(|token| **token == vocabulary.end).count();
        assert_eq!((ends(&learned), ends(&held_out)), (2, 1));
        assert_eq!(learned.last(), Some(&vocabulary.end));
    }
}
