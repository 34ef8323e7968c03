//! Rows of a table by tokens: `y = s E[token]`, and `dE[token] += s dy`.

use crate::error::ModelError;
use crate::kernel::add_share;
use crate::train::TrainError;
use crate::train::parameter::{ParameterId, Parameters};

/// The table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embedding {
    /// Its rows.
    pub(crate) table: ParameterId,
    /// How wide they are.
    pub(crate) width: usize,
    /// What they are multiplied with.
    pub(crate) scale: f32,
}

impl Embedding {
    pub(crate) fn forward(
        &self,
        parameters: &Parameters,
        tokens: &[u32],
        output: &mut Vec<f32>,
    ) -> Result<(), TrainError> {
        let table = parameters.values(self.table);
        let vocabulary = table.len() / self.width;
        output.clear();
        for token in tokens {
            let row = usize::try_from(*token).ok().filter(|row| *row < vocabulary);
            let row = row.ok_or(ModelError::Token { token: *token, vocabulary })?;
            let numbers = &table[row * self.width..(row + 1) * self.width];
            output.extend(numbers.iter().map(|number| number * self.scale));
        }
        Ok(())
    }

    /// Adds to the gradient of the table. Tokens one after the other: many are the same.
    pub(crate) fn learn(&self, parameters: &mut Parameters, tokens: &[u32], gradient: &[f32]) {
        let Some(sums) = parameters.gradient(self.table) else { return };
        for (token, row) in tokens.iter().zip(gradient.chunks_exact(self.width)) {
            let first = *token as usize * self.width;
            if let Some(sums) = sums.get_mut(first..first + self.width) {
                add_share(sums, row, self.scale);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::operator::differences::{Check, numbers};
    use crate::train::parameter::Learns;

    #[test]
    fn gradients_are_differences_where_tokens_repeat() {
        let mut parameters = Parameters::default();
        let table = parameters.add("e".to_owned(), vec![5, 3], numbers(15, 1), Learns::Trained);
        let embedding = Embedding { table, width: 3, scale: 1.7 };
        let tokens = [4, 0, 4, 2];
        Check {
            parameters,
            inputs: Vec::new(),
            forward: &|parameters, _| {
                let mut output = Vec::new();
                embedding.forward(parameters, &tokens, &mut output).unwrap();
                output
            },
            backward: &|parameters, _, gradient| {
                embedding.learn(parameters, &tokens, gradient);
                Vec::new()
            },
        }
        .run();
    }

    #[test]
    fn a_token_beyond_the_vocabulary_is_an_error() {
        let mut parameters = Parameters::default();
        let table = parameters.add("e".to_owned(), vec![5, 3], numbers(15, 1), Learns::Trained);
        let embedding = Embedding { table, width: 3, scale: 1.0 };
        let wrong = embedding.forward(&parameters, &[5], &mut Vec::new());
        let vocabulary = 5;
        assert!(matches!(
            wrong,
            Err(TrainError::Model(ModelError::Token { token: 5, vocabulary: found })) if found == vocabulary
        ));
    }
}
