//! The header lines that options ask for in a client's requests.
//!
//! **Invariant:** a value never prints.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use hyper::header::{HeaderName, HeaderValue};
use lograil_plugin::{ConfigError, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// The header lines of a client's request, the token's among them.
pub(crate) fn client_headers(
    headers: &BTreeMap<String, Secret>,
    token: Option<&Secret>,
    errors: &mut Vec<ConfigError>,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        match (HeaderName::try_from(name), HeaderValue::from_str(value.expose())) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                lines.push((name, value));
            }
            _ => errors.push(ConfigError::new(["headers", name], "is no header line")),
        }
    }
    if let Some(token) = token {
        match HeaderValue::from_str(&format!("Bearer {}", token.expose())) {
            Ok(mut value) => {
                value.set_sensitive(true);
                lines.push((hyper::header::AUTHORIZATION, value));
            }
            Err(_) => errors.push(ConfigError::new(["token"], "has characters no header has")),
        }
    }
    lines
}

/// A name and a password (RFC 7617).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicOptions {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl BasicOptions {
    /// The value of `Authorization`.
    pub(crate) fn header(&self) -> HeaderValue {
        let pair = BASE64.encode(format!("{}:{}", self.user, self.password.expose()).as_bytes());
        // Base64 has no character that a header may not have.
        let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
            .unwrap_or_else(|_| HeaderValue::from_static("Basic"));
        value.set_sensitive(true);
        value
    }
}
