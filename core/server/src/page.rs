//! The page and the manual of the API: files inside the program, compressed.
//!
//! **Invariant:** nothing here is loaded from another host, and nothing holds data: all of it comes from the API.

use std::io::Read;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::read::GzDecoder;

/// A file of the page.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    /// Changes with the content.
    tag: &'static str,
    compressed: &'static [u8],
}

const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Adds the files of the page to a router.
pub(crate) fn serve(mut router: Router) -> Router {
    for asset in ASSETS {
        router = router.route(
            asset.path,
            get(move |headers: HeaderMap| async move { asset.answer(&headers) }),
        );
    }
    router
}

impl Asset {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let has = |name, what: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|text| text.contains(what))
        };
        // A browser asks each time whether it is still the same: after an update it must not mix versions.
        let kept = [(header::ETAG, self.tag), (header::CACHE_CONTROL, "no-cache")];
        if has(header::IF_NONE_MATCH, self.tag) {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        let kind = [(header::CONTENT_TYPE, self.media_type), (header::VARY, "Accept-Encoding")];
        if has(header::ACCEPT_ENCODING, "gzip") {
            return (kept, kind, [(header::CONTENT_ENCODING, "gzip")], self.compressed)
                .into_response();
        }
        let mut content = Vec::new();
        match GzDecoder::new(self.compressed).read_to_end(&mut content) {
            Ok(_) => (kept, kind, content).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}
