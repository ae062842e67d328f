//! What the sinks of this crate share around the codec: its errors as mistakes in the topology, and buffers
//! that do not keep the size of the largest batch for ever.

use lograil_codec::{Encoder, EncodingConfig};
use lograil_plugin::ConfigError;

/// Capacity a buffer may keep from one batch to the next.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// The encoder of the table `encoding`.
pub(crate) fn encoder(config: &EncodingConfig) -> Result<Encoder, ConfigError> {
    config.build().map_err(|error| {
        let path = std::iter::once("encoding".to_owned()).chain(error.option);
        let mistake = ConfigError::new(path, error.message);
        match error.within {
            Some(range) => mistake.within(range),
            None => mistake,
        }
    })
}

/// Gives memory back after a batch that was unusually large.
pub(crate) fn shrink(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_BYTES_MAX {
        buffer.clear();
        buffer.shrink_to(KEPT_BYTES_MAX);
    }
}
