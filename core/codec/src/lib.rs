//! Formats: bytes to events and events to bytes, over whole batches.
//!
//! **Invariant:** plain functions over batches; no I/O, no clock, no runtime, and nothing of the plugin API.

pub mod access_log;
mod base64;
pub mod cef;
mod civil;
pub mod csv;
pub mod dissect;
mod encode_csv;
mod encode_logfmt;
mod encode_syslog;
mod encoding;
pub mod glog;
pub mod grok;
pub mod json;
pub mod key_value;
pub mod leef;
pub mod lines;
pub mod logfmt;
pub mod payload;
mod quoted;
pub mod row;
pub mod rows;
pub mod syslog;
pub mod text;
pub mod time;
mod time_format;
pub mod timestamp;
pub mod unpack;

pub use civil::Zone;
pub use encode_csv::CsvOptions;
pub use encode_syslog::SyslogOptions;
pub use encoding::{Codec, Encoder, EncodingConfig, EncodingError};
pub use quoted::Strictness;
pub use time_format::TimeFormat;

#[cfg(test)]
mod encode_tests;
#[cfg(test)]
mod row_json;
#[cfg(test)]
mod tests;
