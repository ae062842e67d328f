//! The options of the sink `http`.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Uri};
use lograil_codec::{Codec, Encoder, EncodingConfig};
use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Period, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use super::packet::Frame;
use crate::request_headers::{BasicOptions, client_headers};
use crate::tls::ClientTlsOptions;

/// Largest limit for a body before it is compressed.
const BATCH_BYTES_MAX: u64 = 256 << 20;
/// Most requests at the same time.
const CONCURRENCY_MAX: usize = 256;

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequestMethod {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
}

/// What stands around the events in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyFraming {
    /// Each event is a line.
    #[default]
    Newline,
    /// The events are the elements of a JSON array.
    JsonArray,
    /// `prefix`, the events with `separator` between them, `suffix`.
    Custom,
}

/// How bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// As gzip.
    Gzip,
    /// As zstd.
    Zstd,
}

/// How many events are sent at a time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchOptions {
    /// Most bytes of a body before it is compressed; one event may be longer.
    pub max_bytes: ByteSize,
    /// Most events of a body.
    pub max_events: usize,
    /// How long events wait for others.
    pub timeout: Period,
}

impl Default for BatchOptions {
    fn default() -> Self {
        let timeout = Period(Duration::from_secs(1));
        Self { max_bytes: ByteSize(1 << 20), max_events: 1000, timeout }
    }
}

/// The options as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpOptions {
    /// Where to send: `http://` or `https://`.
    pub url: String,
    /// `POST` or `PUT`.
    #[serde(default)]
    pub method: RequestMethod,
    /// How an event is written.
    #[serde(default)]
    pub encoding: EncodingConfig,
    /// What stands around the events in a body: `newline`, `json_array` or `custom`.
    #[serde(default)]
    pub framing: BodyFraming,
    /// With `framing = "custom"`: what a body begins with.
    pub prefix: Option<String>,
    /// With `framing = "custom"`: what stands between two events.
    pub separator: Option<String>,
    /// With `framing = "custom"`: what a body ends with.
    pub suffix: Option<String>,
    /// How bodies are compressed: `none`, `gzip` or `zstd`.
    #[serde(default)]
    pub compression: Compression,
    /// The `Content-Type`, if not that of the framing and the codec.
    pub content_type: Option<String>,
    /// Header lines of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Sent as `Authorization: Bearer TOKEN`.
    pub token: Option<Secret>,
    /// Sent as `Authorization: Basic ...`.
    pub basic: Option<BasicOptions>,
    /// The header with a key that is the same whenever a body is sent again; empty for none.
    #[serde(default = "default_idempotency_header")]
    pub idempotency_header: String,
    /// How many events are sent at a time.
    #[serde(default)]
    pub batch: BatchOptions,
    /// Requests at the same time. With 1 the order of events is kept.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// How long connecting may take.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: Period,
    /// How long a request may take until the head of its answer is there.
    #[serde(default = "default_request_timeout")]
    pub request_timeout: Period,
    /// With a `url` of `https://`: whom to trust, and who we are.
    #[serde(default)]
    pub tls: ClientTlsOptions,
}

fn default_idempotency_header() -> String {
    "Idempotency-Key".to_owned()
}

fn default_concurrency() -> usize {
    4
}

fn default_connect_timeout() -> Period {
    Period(Duration::from_secs(10))
}

fn default_request_timeout() -> Period {
    Period(Duration::from_secs(30))
}

/// The options once they are known to be right.
pub(super) struct Settings {
    pub target: Target,
    pub frame: Frame,
    pub batch_bytes_max: usize,
    pub batch_events_max: usize,
    pub batch_timeout: Duration,
    pub concurrency: usize,
    pub connect_timeout: Duration,
    pub tls: ClientTlsOptions,
}

/// What every request needs.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub uri: Uri,
    pub method: Method,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub idempotency_header: Option<HeaderName>,
    pub compression: Compression,
    pub request_timeout: Duration,
}

impl HttpOptions {
    /// Checks what the schema cannot.
    pub(super) fn resolve(self) -> Result<(Settings, Encoder), ConfigErrors> {
        let mut errors = Vec::new();
        let encoder = self.encoding.build().map_err(|error| {
            let path = std::iter::once("encoding".to_owned()).chain(error.option);
            let mut wrong = ConfigError::new(path, error.message);
            wrong.within = error.within;
            errors.push(wrong);
        });
        let frame = self.frame(encoder.as_ref().map_or(&[][..], Encoder::header), &mut errors);
        let headers = self.headers(&mut errors);
        let idempotency_header = self.idempotency_header(&mut errors);
        self.check_numbers(&mut errors);
        let uri = self.url.parse::<Uri>().ok().filter(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
        });
        if uri.is_none() {
            let message = format!("`{}` is no address of a web server", self.url);
            let help = "such as `http://127.0.0.1:8080/` or `https://logs.example.com/ingest`";
            errors.push(ConfigError::new(["url"], message).help(help));
        }
        let (Some(uri), Ok(encoder), true) = (uri, encoder, errors.is_empty()) else {
            return Err(ConfigErrors(errors));
        };
        let method = match self.method {
            RequestMethod::Post => Method::POST,
            RequestMethod::Put => Method::PUT,
        };
        let target = Target {
            uri,
            method,
            headers,
            idempotency_header,
            compression: self.compression,
            request_timeout: self.request_timeout.0,
        };
        let settings = Settings {
            target,
            frame,
            batch_bytes_max: self.batch.max_bytes.0 as usize,
            batch_events_max: self.batch.max_events,
            batch_timeout: self.batch.timeout.0,
            concurrency: self.concurrency,
            connect_timeout: self.connect_timeout.0,
            tls: self.tls,
        };
        Ok((settings, encoder))
    }

    fn frame(&self, header: &[u8], errors: &mut Vec<ConfigError>) -> Frame {
        let own =
            [("prefix", &self.prefix), ("separator", &self.separator), ("suffix", &self.suffix)];
        if self.framing != BodyFraming::Custom {
            for (name, value) in own {
                if value.is_some() {
                    let error =
                        ConfigError::new([name], "means nothing without a framing of your own");
                    errors.push(error.help("set `framing = \"custom\"`"));
                }
            }
        }
        if self.framing == BodyFraming::JsonArray && self.encoding.codec != Codec::Json {
            let message =
                "the elements of a JSON array are JSON: it needs `encoding.codec = \"json\"`";
            errors.push(ConfigError::new(["framing"], message));
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_default().into_bytes();
        match self.framing {
            BodyFraming::Newline => Frame::Lines { header: header.to_vec() },
            BodyFraming::JsonArray => Frame::Around {
                prefix: b"[".to_vec(),
                separator: b",".to_vec(),
                suffix: b"]".to_vec(),
            },
            BodyFraming::Custom => Frame::Around {
                prefix: text(&self.prefix),
                separator: text(&self.separator),
                suffix: text(&self.suffix),
            },
        }
    }

    fn headers(&self, errors: &mut Vec<ConfigError>) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = client_headers(&self.headers, self.token.as_ref(), errors);
        if let Some(basic) = &self.basic {
            if self.token.is_some() {
                errors.push(ConfigError::new(["basic"], "excludes `token`"));
            }
            if basic.user.contains(':') {
                errors.push(ConfigError::new(["basic", "user"], "has no `:` in it"));
            }
            headers.push((hyper::header::AUTHORIZATION, basic.header()));
        }
        let content_type =
            self.content_type.as_deref().unwrap_or(match (self.framing, self.encoding.codec) {
                (BodyFraming::Newline, Codec::Json) => "application/x-ndjson",
                (BodyFraming::JsonArray, _) | (BodyFraming::Custom, Codec::Json) => {
                    "application/json"
                }
                (_, Codec::Csv) => "text/csv; charset=utf-8",
                _ => "text/plain; charset=utf-8",
            });
        match HeaderValue::from_str(content_type) {
            Ok(value) => headers.push((hyper::header::CONTENT_TYPE, value)),
            Err(_) => errors.push(ConfigError::new(["content_type"], "is no value of a header")),
        }
        headers
    }

    fn idempotency_header(&self, errors: &mut Vec<ConfigError>) -> Option<HeaderName> {
        if self.idempotency_header.is_empty() {
            return None;
        }
        let name = HeaderName::try_from(&self.idempotency_header).ok();
        if name.is_none() {
            errors.push(ConfigError::new(["idempotency_header"], "is no name of a header"));
        }
        name
    }

    fn check_numbers(&self, errors: &mut Vec<ConfigError>) {
        if !(1..=BATCH_BYTES_MAX).contains(&self.batch.max_bytes.0) {
            errors.push(ConfigError::new(["batch", "max_bytes"], "must be from 1 byte to 256 MiB"));
        }
        if !(1..=1_000_000).contains(&self.batch.max_events) {
            errors.push(ConfigError::new(["batch", "max_events"], "must be from 1 to 1000000"));
        }
        if !(1..=CONCURRENCY_MAX).contains(&self.concurrency) {
            let message = format!("must be from 1 to {CONCURRENCY_MAX}");
            errors.push(ConfigError::new(["concurrency"], message));
        }
        let periods =
            [("connect_timeout", self.connect_timeout), ("request_timeout", self.request_timeout)];
        for (name, period) in periods {
            if period.0.is_zero() {
                errors.push(ConfigError::new([name], "must be longer than nothing"));
            }
        }
    }
}
