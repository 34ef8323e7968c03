//! The matrices of a model that adapters change: those of attention and of feed-forward.

use nearside_architecture::{Decoder, FeedForward, Mixer, Packing};

use crate::stored::{Naming, Part};

use super::Place;

/// A matrix.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) place: Place,
    /// Rows and columns.
    pub(super) shape: [usize; 2],
    /// Rows of a head, of queries and keys.
    pub(super) head: Option<usize>,
    /// How many experts share one tensor of GGUF files; 0 where there are none.
    pub(super) experts: usize,
}

impl Target {
    /// Names of its module in transformers, from the word `layers` on.
    pub(super) fn modules(&self) -> Vec<String> {
        let Place { layer, part, expert } = self.place;
        let naming = Naming::HuggingFace { prefix: String::new() };
        let names = match expert {
            Some(expert) => naming.expert_names(part, layer, expert),
            None => vec![naming.name(part, Some(layer))],
        };
        let module = |name: String| name.strip_suffix(".weight").map(str::to_owned);
        names.into_iter().filter_map(module).collect()
    }

    /// Its name in GGUF files, which several experts share.
    pub(super) fn gguf(&self) -> String {
        Naming::Gguf.name(self.place.part, Some(self.place.layer))
    }
}

/// All of a decoder.
pub(super) fn of(decoder: &Decoder) -> Vec<Target> {
    let hidden = decoder.hidden as usize;
    let mut targets = Vec::new();
    for (layer, sizes) in decoder.layers.iter().enumerate() {
        let place = |part| Place { layer, part, expert: None };
        let mut add = |part, shape, head| {
            targets.push(Target { place: place(part), shape, head, experts: 0 });
        };
        if let Mixer::Grouped(attention) = &sizes.mixer {
            let [queries, keys, width] =
                [attention.heads, attention.key_value_heads, attention.head_dim]
                    .map(|size| size as usize);
            let (wide, narrow) = (queries * width, keys * width);
            match attention.packing {
                Packing::Apart => {
                    add(Part::Query, [wide, hidden], Some(width));
                    add(Part::Key, [narrow, hidden], Some(width));
                    add(Part::Value, [narrow, hidden], None);
                }
                _ => add(Part::Packed, [wide + 2 * narrow, hidden], None),
            }
            add(Part::AttentionOutput, [hidden, wide], None);
        }
        match &sizes.feed_forward {
            FeedForward::Dense(dense) => {
                let inner = dense.intermediate as usize;
                if dense.packed {
                    add(Part::PackedUp, [2 * inner, hidden], None);
                } else {
                    if dense.gated {
                        add(Part::Gate, [inner, hidden], None);
                    }
                    add(Part::Up, [inner, hidden], None);
                }
                add(Part::Down, [hidden, inner], None);
            }
            FeedForward::Experts(experts) => {
                if let Some(shared) = &experts.shared {
                    let inner = shared.intermediate as usize;
                    add(Part::SharedGate, [inner, hidden], None);
                    add(Part::SharedUp, [inner, hidden], None);
                    add(Part::SharedDown, [hidden, inner], None);
                }
                let (count, inner) = (experts.count as usize, experts.expert.intermediate as usize);
                targets.extend(
                    (0..count).flat_map(|expert| of_expert(layer, expert, [count, inner, hidden])),
                );
            }
            FeedForward::Absent => {}
        }
    }
    targets
}

fn of_expert(
    layer: usize,
    expert: usize,
    [experts, inner, hidden]: [usize; 3],
) -> impl Iterator<Item = Target> {
    let parts = [
        (Part::ExpertGates, [inner, hidden]),
        (Part::ExpertUps, [inner, hidden]),
        (Part::ExpertDowns, [hidden, inner]),
    ];
    parts.into_iter().map(move |(part, shape)| {
        let place = Place { layer, part, expert: Some(expert) };
        Target { place, shape, head: None, experts }
    })
}
