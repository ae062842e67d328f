//! Formats: bytes to events and events to bytes, over whole batches.
//!
//! **Invariant:** plain functions over batches; no I/O, no clock, no runtime, and nothing of the plugin API.

mod base64;
mod encoding;
pub mod json;
pub mod lines;
pub mod text;
pub mod time;
pub mod timestamp;

pub use encoding::{Codec, Encoder, EncodingConfig, EncodingError};

#[cfg(test)]
mod tests;
