//! The numbers that a network computes with, each tensor by the name that files have for it.

use super::TrainError;

/// A tensor of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name that files have for it.
    pub name: String,
    /// Its dimensions, outermost first.
    pub shape: Vec<u64>,
    /// Its numbers.
    pub values: Vec<f32>,
    /// How the loss changes with each of them, summed up since it was last cleared; empty for a tensor that is not
    /// trained.
    pub gradient: Vec<f32>,
}

/// Whether a tensor is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learns {
    /// It is.
    Trained,
    /// It stays as it is.
    Frozen,
}

/// All tensors of a network.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    all: Vec<Parameter>,
}

/// The place of a tensor; only [`Parameters::add`] makes one, and none is ever taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParameterId(usize);

impl Parameters {
    /// Takes a tensor in; one of that name that is there already is the same.
    pub(super) fn add(
        &mut self,
        name: String,
        shape: Vec<u64>,
        values: Vec<f32>,
        learns: Learns,
    ) -> ParameterId {
        if let Some(at) = self.all.iter().position(|parameter| parameter.name == name) {
            return ParameterId(at);
        }
        let gradient = match learns {
            Learns::Trained => vec![0.0; values.len()],
            Learns::Frozen => Vec::new(),
        };
        self.all.push(Parameter { name, shape, values, gradient });
        ParameterId(self.all.len() - 1)
    }

    pub(super) fn values(&self, id: ParameterId) -> &[f32] {
        &self.all[id.0].values
    }

    /// Where the gradient of a tensor is summed up; `None` for one that is not trained.
    pub(super) fn gradient(&mut self, id: ParameterId) -> Option<&mut [f32]> {
        let gradient = self.all[id.0].gradient.as_mut_slice();
        (!gradient.is_empty()).then_some(gradient)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Parameter] {
        &self.all
    }

    /// Those that are trained.
    pub fn trained(&self) -> impl Iterator<Item = &Parameter> {
        self.all.iter().filter(|parameter| parameter.is_trained())
    }

    /// Those that are trained, to be changed.
    pub fn trained_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        self.all.iter_mut().filter(|parameter| parameter.is_trained())
    }

    /// Sets all gradients to zero.
    pub fn clear_gradients(&mut self) {
        self.trained_mut().for_each(|parameter| parameter.gradient.fill(0.0));
    }

    /// An error for the first trained tensor that the loss does not depend on at all: something was forgotten. Only
    /// between a pass backwards and the next clearing.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_gradients(&self) -> Result<(), TrainError> {
        let untouched = |parameter: &&Parameter| {
            parameter.gradient.iter().all(|number| number.to_bits() << 1 == 0)
        };
        match self.trained().find(untouched) {
            None => Ok(()),
            Some(parameter) => Err(TrainError::NoGradient { name: parameter.name.clone() }),
        }
    }
}

impl Parameter {
    /// Whether it is trained.
    #[must_use]
    pub const fn is_trained(&self) -> bool {
        !self.gradient.is_empty()
    }

    /// Whether it is a matrix, and not a row of scales or biases.
    #[must_use]
    pub const fn is_matrix(&self) -> bool {
        self.shape.len() > 1
    }
}
