//! Rotation of queries and keys in a decoder, in the order in which each family's modules do it.

use super::decoder::Building;
use super::{Value, ValueId};
use crate::{GroupedAttention, Operator, Turning};

/// Both in order: queries and keys.
type Both = [ValueId; 2];

impl Building<'_> {
    /// Queries and keys by their positions, and what the attention's variables keep of them.
    pub(super) fn turned_heads(
        &mut self,
        attention: &GroupedAttention,
        plain: Both,
        tables: Option<Both>,
    ) -> (Both, Vec<ValueId>) {
        let (Some(tables), false) = (tables, attention.turning == Turning::Each) else {
            let turned = plain.map(|value| self.rotated(attention, value, tables));
            self.builder.hold(&plain);
            return (turned, Vec::new());
        };
        match attention.turning {
            Turning::Wide => (self.turned_widely(plain, tables), Vec::new()),
            Turning::KeptParts => {
                let (whole, mut kept) = self.turned_parts(attention, plain, tables);
                kept.extend(plain);
                (whole, kept)
            }
            Turning::Turns => {
                let tables = tables.map(|table| self.builder.same(Operator::Copy, &[table]));
                let (whole, _) = self.turned_parts(attention, plain, tables);
                self.builder.hold(&tables);
                self.builder.hold(&plain);
                (whole, Vec::new())
            }
            Turning::Parts | Turning::Each => {
                let (whole, _) = self.turned_parts(attention, plain, tables);
                self.builder.hold(&plain);
                (whole, Vec::new())
            }
        }
    }

    /// The first part of every head, the rest beside it again; and the turned parts.
    fn turned_parts(
        &mut self,
        attention: &GroupedAttention,
        plain: Both,
        tables: Both,
    ) -> (Both, Vec<ValueId>) {
        let GroupedAttention { head_dim, rotary_dim, .. } = *attention;
        let cut = plain.map(|value| {
            let Value { rows, width } = self.builder.of(value);
            let heads = width / head_dim.max(1);
            let parts =
                [rotary_dim, head_dim - rotary_dim].map(|part| Value { rows, width: heads * part });
            let parts = self.builder.push_all(Operator::Slices, &[value], &parts);
            [parts[0], parts[1]]
        });
        let turned =
            cut.map(|[part, _]| self.builder.same(Operator::Rotary, &[part, tables[0], tables[1]]));
        let mut whole = plain;
        for ((whole, [_, passed]), turned) in whole.iter_mut().zip(cut).zip(turned) {
            let Value { rows, width } = self.builder.of(*whole);
            *whole = self.builder.push(Operator::JoinHeads, &[turned, passed], rows, width);
        }
        (whole, turned.to_vec())
    }

    fn turned_widely(&mut self, plain: Both, tables: Both) -> Both {
        let builder = &mut self.builder;
        let wide = plain.map(|value| builder.same(Operator::Widen, &[value]));
        let turned =
            wide.map(|value| builder.same(Operator::Rotary, &[value, tables[0], tables[1]]));
        let mut narrow = turned;
        for (narrow, plain) in narrow.iter_mut().zip(plain) {
            *narrow = builder.same(Operator::Alike, &[*narrow, plain]);
        }
        builder.hold(&turned);
        builder.hold(&wide);
        builder.hold(&plain);
        narrow
    }
}
