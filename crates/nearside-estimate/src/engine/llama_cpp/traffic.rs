//! What llama.cpp reads to write one token: every tensor of the model once, but for rows of the
//! embedding table and experts that the token was not routed to.

use nearside_architecture::FeedForward;
use nearside_units::Bytes;

use super::Model;

/// Weights that one token needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Their bytes.
    pub bytes: Bytes,
    /// How many there are.
    pub elements: u64,
}

impl Model {
    /// All its tensors.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        let bytes =
            |tensor: &super::model::Stored| tensor.dtype.bytes(tensor.extents.iter().product());
        self.tensors.values().map(bytes).sum()
    }

    /// Weights that are read to write one token.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic_of(|_| true)
    }

    /// Those of the first `layers` blocks.
    #[must_use]
    pub fn traffic_of_first(&self, layers: u64) -> Traffic {
        self.traffic_of(|name| {
            let number = name.strip_prefix("blk.").and_then(|rest| rest.split('.').next());
            number.and_then(|number| number.parse().ok()).is_some_and(|block: u64| block < layers)
        })
    }

    fn traffic_of(&self, counts: impl Fn(&str) -> bool) -> Traffic {
        let tied = !self.tensors.contains_key("output.weight");
        let (active, count) = self
            .decoder
            .layers
            .iter()
            .find_map(|layer| match &layer.feed_forward {
                FeedForward::Experts(experts) => Some((experts.active, experts.count.max(1))),
                FeedForward::Dense(_) | FeedForward::Absent => None,
            })
            .unwrap_or((1, 1));
        let mut traffic = Traffic { bytes: Bytes::ZERO, elements: 0 };
        for (name, tensor) in self.tensors.iter().filter(|(name, _)| counts(name)) {
            if name == "token_embd.weight" && !tied {
                continue;
            }
            let elements: u64 = tensor.extents.iter().product();
            let elements = match name.contains("_exps.") {
                true => elements / count * active,
                false => elements,
            };
            traffic.elements += elements;
            traffic.bytes += tensor.dtype.bytes(elements);
        }
        traffic
    }
}
