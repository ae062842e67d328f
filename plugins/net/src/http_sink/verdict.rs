//! What an answer means for the events of its request.
//!
//! **Invariant:** an event is refused for good only where the answer is about the request's content; what another
//! token, another server or another moment could change is tried again.

use std::time::{Duration, UNIX_EPOCH};

use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its events are delivered.
    Delivered,
    /// Its content is refused.
    Refused(String),
    /// It is to be sent again, not before a time if the peer asked for that.
    Later { reason: String, after: Option<Duration> },
}

impl Verdict {
    pub fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), after: None }
    }

    /// The meaning of an answer; `said` is the start of its body.
    pub fn of(status: StatusCode, headers: &HeaderMap, said: &str, now_ns: i64) -> Self {
        let answered = || match said.trim() {
            "" => format!("answered {status}"),
            said => format!("answered {status}: {said}"),
        };
        match status.as_u16() {
            200..=299 => Self::Delivered,
            // About us, the address or the moment: the token, the path, the encoding, a proxy, a limit.
            401..=408 | 411 | 415 | 421 | 423 | 425 | 426 | 429 => {
                Self::Later { reason: answered(), after: retry_after(headers, now_ns) }
            }
            400..=499 => Self::Refused(answered()),
            _ => Self::Later { reason: answered(), after: retry_after(headers, now_ns) },
        }
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now_ns: i64) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let now = Duration::from_nanos(u64::try_from(now_ns).unwrap_or(0));
    Some(at.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, retry_after: Option<&str>) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
        }
        let now_ns = 1_445_412_470_000_000_000;
        Verdict::of(StatusCode::from_u16(status).unwrap(), &headers, " why\n", now_ns)
    }

    #[test]
    fn statuses_are_told_apart() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(of(status, None), Verdict::Delivered);
        }
        for status in [400, 409, 410, 413, 422, 431, 499] {
            assert!(matches!(of(status, None), Verdict::Refused(_)), "{status}");
        }
        for status in [301, 307, 401, 403, 404, 407, 408, 415, 425, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(of(status, None), Verdict::Later { .. }), "{status}");
        }
        let reason = "answered 422 Unprocessable Entity: why".to_owned();
        assert_eq!(of(422, None), Verdict::Refused(reason));
    }

    #[test]
    fn the_peer_says_when_to_come_again() {
        let after = |status, value| match of(status, value) {
            Verdict::Later { after, .. } => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(after(429, None), None);
        assert_eq!(after(429, Some("120")), Some(120));
        assert_eq!(after(503, Some("Wed, 21 Oct 2015 07:28:00 GMT")), Some(10));
        assert_eq!(after(503, Some("Wed, 21 Oct 2015 07:20:00 GMT")), Some(0));
        assert_eq!(after(503, Some("soon")), None);
    }
}
