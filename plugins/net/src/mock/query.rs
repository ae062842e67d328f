//! What a client asks for in the query of its address.

use std::time::Duration;

/// Bounds of `interval_ms`.
const INTERVAL_MS: std::ops::RangeInclusive<u64> = 10..=10_000;
/// Longest name of a service.
const SERVICE_BYTES_MAX: usize = 64;
/// Largest weight.
const WEIGHT_MAX: u32 = 1_000_000;

/// How bad an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    pub const ALL: [Self; 3] = [Self::Info, Self::Warn, Self::Error];

    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == text)
    }
}

/// A client's wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// Time between entries; random without it.
    pub interval: Option<Duration>,
    /// The service of all entries; any without it.
    pub service: Option<String>,
    /// How often each of [`Level::ALL`] comes.
    pub weights: [u32; 3],
    /// Whether the server logs each entry.
    pub debug: bool,
}

impl Default for Query {
    fn default() -> Self {
        Self { interval: None, service: None, weights: [70, 20, 10], debug: false }
    }
}

impl Query {
    /// Reads `interval_ms=100&level=ERROR`. An error says which value is wrong and what it may be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut query = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value)
                .ok_or_else(|| format!("`{name}`: `{value}` is not encoded as a URL is"))?;
            if seen.iter().any(|one| one == name) {
                return Err(format!("`{name}` is given twice"));
            }
            query.set(name, &value).map_err(|wanted| {
                if wanted.is_empty() {
                    format!(
                        "there is no parameter `{name}`; there are `interval_ms`, `service`, `level`, `level_weights`, `debug`"
                    )
                } else {
                    format!("`{name}` is {wanted}, not `{value}`")
                }
            })?;
            seen.push(name.to_owned());
        }
        let has = |name: &str| seen.iter().any(|one| one == name);
        if has("level") && has("level_weights") {
            return Err("`level` and `level_weights` exclude each other".to_owned());
        }
        Ok(query)
    }

    /// An error says what is wanted; nothing if there is no such parameter.
    fn set(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "interval_ms" => {
                let interval = value.parse().ok().filter(|ms| INTERVAL_MS.contains(ms));
                let interval = interval.ok_or("a number from 10 to 10000")?;
                self.interval = Some(Duration::from_millis(interval));
            }
            "service" => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                if value.is_empty()
                    || value.len() > SERVICE_BYTES_MAX
                    || !value.chars().all(is_name)
                {
                    return Err("a name of 1 to 64 letters, digits, `-`, `_` and `.`");
                }
                self.service = Some(value.to_owned());
            }
            "level" => {
                let level = Level::parse(value).ok_or("`INFO`, `WARN` or `ERROR`")?;
                self.weights = Level::ALL.map(|one| u32::from(one == level));
            }
            "level_weights" => {
                self.weights = weights(value)
                    .ok_or("weights such as `INFO:70,WARN:20,ERROR:10`, one above 0")?;
            }
            "debug" => {
                self.debug = match value {
                    "" | "1" | "true" => true,
                    "0" | "false" => false,
                    _ => return Err("`true` or `false`"),
                };
            }
            _ => return Err(""),
        }
        Ok(())
    }
}

/// Levels that are not named have the weight 0.
fn weights(text: &str) -> Option<[u32; 3]> {
    let mut weights = [None; 3];
    for pair in text.split(',') {
        let (level, weight) = pair.split_once(':')?;
        let level = Level::parse(level.trim())?;
        let weight = weight.trim().parse().ok().filter(|weight| *weight <= WEIGHT_MAX)?;
        let place = &mut weights[level as usize];
        if place.replace(weight).is_some() {
            return None;
        }
    }
    let weights = weights.map(Option::unwrap_or_default);
    (weights.iter().sum::<u32>() > 0).then_some(weights)
}

/// Percent signs of a URL taken back.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_read() {
        assert_eq!(Query::parse(""), Ok(Query::default()));
        let query = Query::parse(
            "interval_ms=10&service=my%2Dshop&level_weights=INFO%3A7,ERROR:1&debug=true",
        );
        let query = query.unwrap();
        assert_eq!(query.interval, Some(Duration::from_millis(10)));
        assert_eq!(query.service.as_deref(), Some("my-shop"));
        assert_eq!(query.weights, [7, 0, 1]);
        assert!(query.debug);
        assert_eq!(Query::parse("level=WARN").unwrap().weights, [0, 1, 0]);
        assert!(!Query::parse("debug=0").unwrap().debug);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("interval_ms=9", "interval_ms"),
            ("interval_ms=10001", "interval_ms"),
            ("interval_ms=fast", "interval_ms"),
            ("interval_ms=", "interval_ms"),
            ("level=info", "level"),
            ("level=DEBUG", "level"),
            ("service=", "service"),
            ("service=a%20b", "service"),
            ("service=%zz", "service"),
            ("level_weights=INFO", "level_weights"),
            ("level_weights=INFO:-1", "level_weights"),
            ("level_weights=INFO:0,WARN:0", "level_weights"),
            ("level_weights=INFO:1,INFO:2", "level_weights"),
            ("level_weights=FATAL:1", "level_weights"),
            ("debug=maybe", "debug"),
            ("levle=INFO", "levle"),
            ("level=INFO&level=WARN", "level"),
            ("level=INFO&level_weights=INFO:1", "level_weights"),
        ];
        for (query, name) in cases {
            let error = Query::parse(query).unwrap_err();
            assert!(error.contains(&format!("`{name}`")), "{query}: {error}");
        }
    }
}
