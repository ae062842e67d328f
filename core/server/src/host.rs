//! The check of the `Host` header.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Lets a request pass whose `Host` is an IP address or `localhost`: a page of another site that was
/// re-bound to this address still says its own name.
pub(crate) async fn check(
    State(address): State<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if !address.ip().is_loopback() || host.is_none_or(is_local) {
        return next.run(request).await;
    }
    let detail = "ask by IP address or as localhost";
    let problem = json!({ "type": "about:blank", "title": "Forbidden host", "status": 403, "detail": detail });
    (StatusCode::FORBIDDEN, Json(problem)).into_response()
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
    use super::is_local;

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
}
