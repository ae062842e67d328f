//! Which events a client wants: the query of its address.

use super::frames::Frames;
use crate::mock::decode;

/// Longest query.
const QUERY_BYTES_MAX: usize = 4096;

/// For each filter field the values that are wanted; none for any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter(Vec<Vec<String>>);

impl Filter {
    /// Reads `level=ERROR,WARN&service=orders`. An error says what is wrong.
    pub fn parse(query: &str, fields: &[String]) -> Result<Self, String> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(format!("the query is longer than {QUERY_BYTES_MAX} bytes"));
        }
        let mut wanted = vec![Vec::new(); fields.len()];
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(field) = fields.iter().position(|field| field == name) else {
                let fields = fields.join("`, `");
                return Err(format!("events are not chosen by `{name}`, but by `{fields}`"));
            };
            for value in value.split(',') {
                let value = decode(value)
                    .ok_or_else(|| format!("`{name}`: `{value}` is not encoded as a URL is"))?;
                wanted[field].push(value);
            }
        }
        Ok(Self(wanted))
    }

    /// Whether an event is wanted.
    pub fn wants(&self, frames: &Frames, event: usize) -> bool {
        self.0.iter().enumerate().all(|(field, wanted)| {
            wanted.is_empty()
                || wanted.iter().any(|value| value.as_bytes() == frames.value(event, field))
        })
    }
}
