//! How well a model tells what comes next, how far another one is from it, and how fast it does so.
//!
//! A text is read in windows that overlap: each token is scored once, by the window that has most before it. Scores of a
//! few tokens are there at once, never those of the whole text.

mod divergence;
mod perplexity;
pub mod speed;
mod windows;

pub use divergence::{Comparison, Divergence, compare};
pub use perplexity::Perplexity;
pub use windows::Windows;
