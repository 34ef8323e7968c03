//! Feed-forward of a block: one network for all tokens.

use nearside_architecture::Activation;

use super::block::{Kept, Work};
use crate::train::TrainError;
use crate::train::operator::gate::{self, Gated};
use crate::train::operator::linear::Linear;
use crate::train::parameter::Parameters;
use crate::train::product::Onto;

/// One network.
#[derive(Debug)]
pub(super) struct FeedForward {
    pub(super) activation: Activation,
    /// The gate; without one, the nonlinearity is on `up` itself.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

impl FeedForward {
    /// From `work.normed` to what is kept.
    pub(super) fn begin(
        &self,
        parameters: &Parameters,
        kept: &mut Kept,
        work: &Work,
    ) -> Result<(), TrainError> {
        match &self.gate {
            Some(gate) => {
                gate.forward(parameters, &work.normed, &mut kept.gates)?;
                self.up.forward(parameters, &work.normed, &mut kept.ups)
            }
            None => self.up.forward(parameters, &work.normed, &mut kept.gates),
        }
    }

    /// From what is kept to `work.made`.
    pub(super) fn finish(
        &self,
        parameters: &Parameters,
        kept: &Kept,
        work: &mut Work,
    ) -> Result<(), TrainError> {
        self.activate(kept, work);
        self.down.forward(parameters, &work.activated, &mut work.made)
    }

    fn activate(&self, kept: &Kept, work: &mut Work) {
        let ups = self.gate.is_some().then_some(kept.ups.as_slice());
        gate::forward(self.activation, &kept.gates, ups, &mut work.activated);
    }

    /// From `work.made_gradient` to `work.normed_gradient`, where `work.normed` is what went in.
    pub(super) fn backward(
        &self,
        parameters: &mut Parameters,
        kept: &Kept,
        work: &mut Work,
    ) -> Result<(), TrainError> {
        self.activate(kept, work);
        let Work { normed, normed_gradient, made_gradient, activated, .. } = work;
        let Work { gates_gradient, ups_gradient, .. } = work;
        self.down.learn(parameters, activated, made_gradient)?;
        ups_gradient.resize(activated.len(), 0.0);
        self.down.backward(parameters, made_gradient, ups_gradient, Onto::Replace)?;
        gates_gradient.resize(activated.len(), 0.0);
        let ups = self.gate.is_some().then_some(kept.ups.as_slice());
        let gated = Gated { gates: &kept.gates, gates_gradient: &mut *gates_gradient, ups };
        gate::backward(self.activation, gated, ups_gradient);
        normed_gradient.resize(normed.len(), 0.0);
        let Some(gate) = &self.gate else {
            self.up.learn(parameters, normed, gates_gradient)?;
            return self.up.backward(parameters, gates_gradient, normed_gradient, Onto::Replace);
        };
        gate.learn(parameters, normed, gates_gradient)?;
        self.up.learn(parameters, normed, ups_gradient)?;
        gate.backward(parameters, gates_gradient, normed_gradient, Onto::Replace)?;
        self.up.backward(parameters, ups_gradient, normed_gradient, Onto::Add)
    }
}
