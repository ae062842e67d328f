//! Who may ask, and what browsers may do with the answer.
//!
//! A web page of another site can make a browser send requests here. So: a `Host` that is a name nobody gave
//! this server is refused (DNS rebinding), an `Origin` that is not this server is refused (cross-site
//! requests), and with a token configured everything but the page itself and the probes needs it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use lograil_plugin::Secret;

use crate::problem::Problem;

/// For everything but the API's manual: what a page from here may load.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// Swagger UI writes style elements and shows images out of its style sheet.
const MANUAL_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                             object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What a request is held against.
#[derive(Clone)]
pub(crate) struct Access {
    pub address: SocketAddr,
    pub token: Option<Arc<Secret>>,
}

pub(crate) async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let policy = if path.starts_with("/docs") { MANUAL_POLICY } else { POLICY };
    let mut response = match access.refusal(request.headers(), path) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// What is answered without a token: the page, which holds no data, and what probes ask for.
fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/health" | "/ready" | "/openapi.json" | "/docs" | "/favicon.ico")
        || path.starts_with("/docs/")
        || path.starts_with("/ui/")
}

/// What changes something although it is read: pages embed such addresses as pictures.
fn changes_by_get(path: &str) -> bool {
    path == "/send"
}

/// Whether a request without an `Origin` is none that a page of another site made. Browsers say so, but older ones do not,
/// and none does to a server elsewhere without TLS; all of them say that they are browsers, which no page can change.
fn is_own_wish<'h>(header: &impl Fn(&str) -> Option<&'h str>) -> bool {
    match header("sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => !header("user-agent").is_some_and(|agent| agent.starts_with("Mozilla/")),
    }
}

impl Access {
    fn refusal(&self, headers: &HeaderMap, path: &str) -> Option<Problem> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text("host");
        if self.address.ip().is_loopback() && host.is_some_and(|host| !is_local(host)) {
            let detail = "ask by IP address or as localhost";
            return Some(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        let origin = text("origin").map(|origin| origin.split_once("://").map(|(_, at)| at));
        if origin.is_some_and(|origin| origin.is_none() || origin != host) {
            let detail = "a page of another site may not ask; the `Origin` is not this server";
            return Some(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        if changes_by_get(path) && self.token.is_none() && !is_own_wish(&text) {
            let detail = "a page of another site may not send events, and this browser does not say that it is none; \
                          use another program such as curl, or configure a token";
            return Some(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        let wanted = self.token.as_ref().filter(|_| !is_open(path))?;
        let given = text("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        if given.is_some_and(|given| is_equal(given.as_bytes(), wanted.expose().as_bytes())) {
            return None;
        }
        let detail = "send the token of `[admin]` as `Authorization: Bearer TOKEN`";
        Some(Problem::new(StatusCode::UNAUTHORIZED, detail))
    }
}

/// Compares in a time that does not tell how much of it is right.
fn is_equal(given: &[u8], wanted: &[u8]) -> bool {
    let differs = given.iter().zip(wanted).fold(0, |differs, (a, b)| differs | (a ^ b));
    given.len() == wanted.len() && std::hint::black_box(differs) == 0
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_and_localhost_and_no_other_name() {
        for host in
            ["127.0.0.1:9598", "localhost", "LOCALHOST:1", "[::1]:9598", "[::1]", "10.0.0.1"]
        {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "evil.example:9598", "localhost.evil.example:80", ""] {
            assert!(!is_local(host), "{host}");
        }
    }

    fn refused(token: Option<&str>, headers: &[(&'static str, &str)], path: &str) -> bool {
        let secret = |token: &str| serde_json::from_value(token.into()).unwrap();
        let address = ([127, 0, 0, 1], 9598).into();
        let access = Access { address, token: token.map(|token| Arc::new(secret(token))) };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        access.refusal(&map, path).is_some()
    }

    #[test]
    fn another_origin_is_refused_and_this_one_is_not() {
        let host = ("host", "127.0.0.1:9598");
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost:9598"]
        {
            assert!(refused(None, &[host, ("origin", origin)], "/logs"), "{origin}");
        }
        assert!(!refused(None, &[host, ("origin", "http://127.0.0.1:9598")], "/logs"));
        assert!(!refused(None, &[host], "/logs"));
    }

    #[test]
    fn what_another_site_embeds_sends_nothing() {
        for site in ["cross-site", "same-site", "?"] {
            assert!(refused(None, &[("sec-fetch-site", site)], "/send"), "{site}");
            assert!(!refused(None, &[("sec-fetch-site", site)], "/"), "{site}");
        }
        for site in ["same-origin", "none"] {
            assert!(!refused(None, &[("sec-fetch-site", site)], "/send"), "{site}");
        }
        assert!(!refused(None, &[], "/send"), "no browser");
        assert!(!refused(None, &[("user-agent", "curl/8.14.1")], "/send"));
        let browser = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:89.0) Gecko/20100101");
        assert!(refused(None, &[browser], "/send"), "it does not say who asks");
        assert!(!refused(None, &[browser], "/logs"));
        assert!(!refused(None, &[browser, ("sec-fetch-site", "none")], "/send"));
        let token = ("authorization", "Bearer s3cret");
        assert!(!refused(Some("s3cret"), &[browser, token], "/send"));
        assert!(refused(Some("s3cret"), &[browser], "/send"));
    }

    #[test]
    fn with_a_token_only_the_page_and_the_probes_are_free() {
        let ask = |value, path| refused(Some("s3cret"), &[("authorization", value)], path);
        for wrong in
            ["", "s3cret", "Basic s3cret", "Bearer s3cre", "Bearer s3crets", "Bearer S3CRET"]
        {
            assert!(ask(wrong, "/topology"), "{wrong}");
        }
        assert!(!ask("Bearer s3cret", "/topology") && !ask("bearer s3cret", "/topology"));
        for path in ["/", "/health", "/ready", "/ui/app.js", "/docs/swagger-ui.css"] {
            assert!(!ask("", path), "{path}");
        }
    }
}
