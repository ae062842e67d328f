//! Sending one packet and reading the answer.
//!
//! **Invariant:** whatever the peer does, a verdict is there within the request's timeout, or a few seconds after the
//! head of the answer, and little of the answer is kept.
//! Once a status has come it decides.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use hyper::{Request, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lograil_plugin::Clock;
use rustls::ClientConfig;

use super::options::{Compression, Target};
use super::packet::{Frame, Packet};
use super::verdict::Verdict;
use crate::tls;

/// Bytes of an answer that are read; a connection with more is not used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long the body of an answer is waited for, if the request's timeout is not shorter.
const BODY_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of an answer that are told to people.
const TOLD_BYTES_MAX: usize = 300;
/// The level of zstd: its default.
const ZSTD_LEVEL: i32 = 3;
/// How long a connection that nobody uses is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Sends packets.
pub(super) struct Sender {
    pub target: Target,
    pub frame: Frame,
    pub clock: Arc<dyn Clock>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Sender {
    pub fn new(
        target: Target,
        frame: Frame,
        clock: Arc<dyn Clock>,
        connect_timeout: Duration,
        trust: Arc<ClientConfig>,
    ) -> Self {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(connect_timeout));
        http.set_nodelay(true);
        http.enforce_http(false);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config((*trust).clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Self { target, frame, clock, client }
    }

    /// Sends a packet and says what became of it.
    pub async fn send(&self, packet: &Packet) -> Verdict {
        let request = match self.request(packet) {
            Ok(request) => request,
            Err(reason) => return Verdict::Refused(reason),
        };
        let answer = self.client.request(request);
        match tokio::time::timeout(self.target.request_timeout, answer).await {
            Ok(Ok(answer)) => self.judge(answer).await,
            Ok(Err(error)) => Verdict::later(causes(&error)),
            Err(_) => Verdict::later("the answer takes longer than `request_timeout`"),
        }
    }

    fn request(&self, packet: &Packet) -> Result<Request<Full<Bytes>>, String> {
        let body = packet.body(&self.frame);
        let (body, encoding) = match self.target.compression {
            Compression::None => (body, None),
            Compression::Gzip => (gzip(&body).map_err(|e| e.to_string())?, Some("gzip")),
            Compression::Zstd => {
                let packed = zstd::bulk::compress(&body, ZSTD_LEVEL).map_err(|e| e.to_string())?;
                (packed.into(), Some("zstd"))
            }
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = self.target.method.clone();
        *request.uri_mut() = self.target.uri.clone();
        let headers = request.headers_mut();
        for (name, value) in &self.target.headers {
            headers.insert(name, value.clone());
        }
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        if let Some(name) = &self.target.idempotency_header
            && let Ok(key) = HeaderValue::from_str(&packet.key)
        {
            headers.insert(name, key);
        }
        Ok(request)
    }

    async fn judge(&self, answer: Response<Incoming>) -> Verdict {
        let (head, mut body) = answer.into_parts();
        let mut said = Vec::new();
        let reading = async {
            while said.len() < ANSWER_BYTES_MAX
                && let Some(Ok(frame)) = body.frame().await
            {
                said.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            }
        };
        // The status has come; what else the peer had to say may be lost.
        let _elapsed =
            tokio::time::timeout(self.target.request_timeout.min(BODY_TIMEOUT), reading).await;
        said.truncate(TOLD_BYTES_MAX);
        let said = String::from_utf8_lossy(&said);
        Verdict::of(head.status, &head.headers, &said, self.clock.now_ns())
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body)?;
    encoder.finish().map(Bytes::from)
}

/// An error and what it comes from: the outer one alone says little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(cause) = inner {
        text = format!("{text}: {cause}");
        inner = cause.source();
    }
    tls::with_remedy(text)
}
