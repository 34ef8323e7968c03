//! Attention of a block: queries, keys and values, what the cache keeps, and what comes of it.

use crate::error::ModelError;
use crate::kernel::{Input, attend};

use super::Attention;
use super::forward::{Segment, Stream, project};
use super::rotation::Angles;

impl Attention {
    pub(super) fn forward(
        &self,
        layer: usize,
        stream: &mut Stream,
        segments: &mut [Segment<'_>],
        angles: &Angles,
    ) -> Result<(), ModelError> {
        let Stream { normed, made, queries, keys, attention_values, attended, .. } = stream;
        let input = Input::new(normed, self.query.matrix.width());
        let projections = [&self.query, &self.key, &self.value];
        project(projections, &input, [queries, keys, attention_values])?;
        if let Some(norm) = &self.query_norm {
            norm.in_place(queries);
        }
        if let Some(norm) = &self.key_norm {
            norm.in_place(keys);
        }
        self.rotation.turn(queries, self.heads.width, angles);
        self.rotation.turn(keys, self.heads.width, angles);
        attended.resize(queries.len(), 0.0);
        let (wide, narrow) =
            (self.heads.queries * self.heads.width, self.heads.keys * self.heads.width);
        let mut first = 0;
        for Segment { cache, tokens, .. } in segments {
            let end = first + tokens.len();
            let of_keys = narrow * first..narrow * end;
            cache.write(layer, &keys[of_keys.clone()], &attention_values[of_keys]);
            if let Some(kept) = cache.layer(layer) {
                let of_queries = wide * first..wide * end;
                let attended = &mut attended[of_queries.clone()];
                attend(&self.heads, &queries[of_queries], cache.length(), kept, attended);
            }
            first = end;
        }
        project([&self.output], &Input::new(attended, wide), [made])
    }
}
