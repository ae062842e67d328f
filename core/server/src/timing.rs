//! Where the time of an answer went: told in the header `Server-Timing` (W3C Server Timing), which browsers show beside a
//! request.

use std::cell::RefCell;
use std::fmt::Write;
use std::time::{Duration, Instant};

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

const HEADER: HeaderName = HeaderName::from_static("server-timing");

tokio::task_local! {
    static SPANS: RefCell<Vec<(&'static str, Duration)>>;
}

/// Waits for an answer, and says in it how long it took as a whole and what was noted meanwhile.
pub(crate) async fn measured(answer: impl Future<Output = Response>) -> Response {
    let start = Instant::now();
    let noted = async {
        let answer = answer.await;
        (answer, SPANS.with(RefCell::take))
    };
    let (mut answer, mut spans) = SPANS.scope(RefCell::default(), noted).await;
    spans.push(("total", start.elapsed()));
    let mut text = String::new();
    for (name, time) in spans {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _infallible = write!(text, "{separator}{name};dur={:.1}", time.as_secs_f64() * 1e3);
    }
    if let Ok(value) = HeaderValue::from_str(&text) {
        answer.headers_mut().insert(HEADER, value);
    }
    answer
}

/// Notes a part of the time of the answer that this task makes.
pub(crate) fn note(name: &'static str, time: Duration) {
    // Outside of an answer nobody wants to know.
    let _outside = SPANS.try_with(|spans| spans.borrow_mut().push((name, time)));
}
