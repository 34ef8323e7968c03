//! Autoencoders at work (`AutoencoderKL` of diffusers 0.42, without slices and tiles). A row is a
//! place of the picture at the size it has there.

use super::image::{self, Window};
use super::{Builder, Graph, Loss, Shape, Value, ValueId};
use crate::{AttentionShape, Coding, Operator, Projection, Vae};

impl Graph {
    /// An autoencoder at work on pictures of [`Shape::image`] pixels; the weights of the other way
    /// are loaded as well.
    #[must_use]
    pub fn of_vae(vae: &Vae, coding: Coding, shape: Shape) -> Self {
        let mut building = Building::new(vae, coding, shape);
        let other = match coding {
            Coding::Encode => Coding::Decode,
            Coding::Decode => Coding::Encode,
        };
        let idle = Building::new(vae, other, Shape::images(1, Some(1))).built();
        let idle = idle.parameters().map(|(_, parameter)| parameter.elements).collect();
        building.builder.push_all(Operator::Idle(idle), &[], &[]);
        building.built()
    }
}

struct Building<'a> {
    vae: &'a Vae,
    builder: Builder,
    coding: Coding,
    /// Side of the image where the work is.
    side: u64,
    /// Stretches so far that can be recomputed.
    stretches: usize,
}

impl<'a> Building<'a> {
    fn new(vae: &'a Vae, coding: Coding, shape: Shape) -> Self {
        let pixels = shape.image.unwrap_or(vae.side);
        let (side, width) = match coding {
            Coding::Encode => (pixels, vae.input),
            Coding::Decode => (pixels >> vae.widths.len().saturating_sub(1), vae.latent),
        };
        let side = side.max(1);
        let builder = Builder::new(shape.batch, side * side, width);
        Self { vae, builder, coding, side, stretches: 0 }
    }

    fn built(mut self) -> Graph {
        match self.coding {
            Coding::Encode => self.encode(),
            Coding::Decode => self.decode(),
        }
        self.builder.finish(Loss::MeanSquare)
    }

    fn encode(&mut self) {
        let vae = self.vae;
        let first = vae.widths.first().copied().unwrap_or(vae.input);
        let input = self.builder.input();
        let mut stream = image::convolution(&mut self.builder, input, first, Window::Three);
        for (index, width) in vae.widths.iter().enumerate() {
            let before = stream;
            self.enter_stretch();
            for _ in 0..vae.networks {
                stream = self.network(*width, stream);
            }
            if index + 1 < vae.widths.len() {
                stream = self.smaller(stream);
            }
            self.leave_stretch(before);
        }
        stream = self.middle(stream);
        let normed = image::normed(&mut self.builder, stream, vae.groups);
        let moments = 2 * vae.latent;
        let output = image::convolution(&mut self.builder, normed, moments, Window::Three);
        if vae.after_encoder {
            image::convolution(&mut self.builder, output, moments, Window::One);
            self.builder.hold(&[output]);
        }
    }

    fn decode(&mut self) {
        let vae = self.vae;
        let last = vae.widths.last().copied().unwrap_or(vae.latent);
        let input = self.builder.input();
        let latent = match vae.before_decoder {
            true => image::convolution(&mut self.builder, input, vae.latent, Window::One),
            false => input,
        };
        let mut stream = image::convolution(&mut self.builder, latent, last, Window::Three);
        stream = self.middle(stream);
        for (index, width) in vae.widths.iter().enumerate().rev() {
            let before = stream;
            self.enter_stretch();
            for _ in 0..=vae.networks {
                stream = self.network(*width, stream);
            }
            if index > 0 {
                stream = self.larger(stream);
            }
            self.leave_stretch(before);
        }
        let normed = image::normed(&mut self.builder, stream, vae.groups);
        image::convolution(&mut self.builder, normed, vae.output, Window::Three);
        self.builder.hold(&[latent]);
    }

    fn enter_stretch(&mut self) {
        self.builder.enter_block(Some(self.stretches));
        self.stretches += 1;
    }

    fn leave_stretch(&mut self, input: ValueId) {
        self.builder.enter_block(None);
        self.builder.hold(&[input]);
    }

    fn network(&mut self, width: u64, input: ValueId) -> ValueId {
        let widths = [width, self.vae.groups];
        let output = image::residual(&mut self.builder, input, widths, None);
        self.builder.hold(&[input]);
        output
    }

    /// Half the side; the image is padded on two sides first.
    fn smaller(&mut self, input: ValueId) -> ValueId {
        let batch = self.builder.batch();
        let padded = batch * (self.side + 1) * (self.side + 1);
        self.side = (self.side / 2).max(1);
        let width = self.builder.of(input).width;
        let padded = self.builder.push(Operator::Pad, &[input], padded, width);
        let output = image::resizing(&mut self.builder, padded, batch * self.side * self.side);
        self.builder.hold(&[padded, input]);
        output
    }

    /// Twice the side.
    fn larger(&mut self, input: ValueId) -> ValueId {
        self.side *= 2;
        let rows = self.builder.batch() * self.side * self.side;
        let width = self.builder.of(input).width;
        let larger = self.builder.push(Operator::Resample, &[input], rows, width);
        let output = image::resizing(&mut self.builder, larger, rows);
        self.builder.hold(&[larger, input]);
        output
    }

    fn middle(&mut self, input: ValueId) -> ValueId {
        let width = self.builder.of(input).width;
        self.enter_stretch();
        let first = image::residual(&mut self.builder, input, [width, self.vae.groups], None);
        let seen = self.attention(first);
        self.builder.hold(&[first]);
        let second = self.network(width, seen);
        self.leave_stretch(input);
        second
    }

    /// One head over all places (`AttnProcessor2_0.__call__`).
    fn attention(&mut self, input: ValueId) -> ValueId {
        let builder = &mut self.builder;
        let Value { rows, width } = builder.of(input);
        let sequences = builder.batch();
        let places = rows / sequences.max(1);
        let normed = image::group_norm(builder, input, self.vae.groups);
        let mut project = |role| {
            // Places come in the order of an image; a product of several images copies them.
            let tokens = match sequences > 1 {
                true => builder.same(Operator::Copy, &[normed]),
                false => normed,
            };
            builder.linear(tokens, width, true, role)
        };
        let query = project(Projection::Query);
        let key = project(Projection::Key);
        let value = project(Projection::Value);
        let shape = AttentionShape::among(sequences, places, [1, width]);
        let mixed = builder.push(Operator::Attention(shape), &[query, key, value], rows, width);
        let output = builder.linear(mixed, width, true, Projection::AttentionOutput);
        let output = builder.same(Operator::Transpose, &[output]);
        let sum = builder.same(Operator::Add, &[output, input]);
        let output = builder.same(Operator::Scale, &[sum]);
        builder.hold(&[normed, query, key, value]);
        output
    }
}
