//! Perplexity: among how many words, on average, a model is undecided.
//!
//! ```text
//! perplexity = exp(mean of -ln p(token | those before it))
//! standard error = perplexity * deviation of -ln p / sqrt(tokens)
//! ```
//!
//! Jelinek, Mercer, Bahl and Baker, "Perplexity - a measure of the difficulty of speech recognition tasks" (1977).

/// Perplexity of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perplexity {
    /// The perplexity.
    pub value: f64,
    /// How far that of another text of this kind and length would be off; 0 for a single token.
    pub standard_error: f64,
    /// How many tokens were scored.
    pub tokens: usize,
}

impl Perplexity {
    /// Of natural logarithms of probabilities; `None` of none.
    ///
    /// ```
    /// use nearside_models::evaluate::Perplexity;
    /// let undecided = Perplexity::of(&[0.25_f64.ln(), 0.25_f64.ln()]).unwrap();
    /// assert!((undecided.value - 4.0).abs() < 1e-12 && undecided.standard_error < 1e-6);
    /// ```
    #[must_use]
    pub fn of(logarithms: &[f64]) -> Option<Self> {
        let tokens = logarithms.len();
        if tokens == 0 {
            return None;
        }
        let mean = -logarithms.iter().sum::<f64>() / tokens as f64;
        let squares: f64 = logarithms.iter().map(|logarithm| (logarithm + mean).powi(2)).sum();
        let deviation = (squares / (tokens.max(2) - 1) as f64).sqrt();
        let value = mean.exp();
        Some(Self { value, standard_error: value * deviation / (tokens as f64).sqrt(), tokens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_shrinks_with_the_root_of_the_number_of_tokens() {
        assert_eq!(Perplexity::of(&[]), None);
        let few = Perplexity::of(&[-1.0, -3.0]).unwrap();
        assert!((few.value - 2.0_f64.exp()).abs() < 1e-12);
        assert!((few.standard_error - few.value * 2.0_f64.sqrt() / 2.0_f64.sqrt()).abs() < 1e-12);
        let many = Perplexity::of(&[-1.0, -3.0].repeat(200)).unwrap();
        assert!(many.standard_error < few.standard_error / 14.0);
    }
}
