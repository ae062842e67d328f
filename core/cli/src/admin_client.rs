//! Asking the admin server of a running lograil.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::args::AdminArguments;

/// How long connecting, and an answer that has an end, may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes that may wait for the end of one server-sent event.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// The admin server of a running lograil.
#[derive(Clone)]
pub(crate) struct AdminClient {
    address: String,
    token: Option<String>,
}

/// One server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerEvent {
    pub name: String,
    pub data: String,
    pub id: String,
}

impl AdminClient {
    pub fn new(arguments: &AdminArguments) -> Self {
        let address = arguments.admin.trim_start_matches("http://").trim_end_matches('/');
        Self { address: address.to_owned(), token: arguments.token.clone() }
    }

    /// The JSON that is at a path.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = async {
            let response = self.ask(Method::GET, path).await?;
            anyhow::Ok(response.into_body().collect().await?.to_bytes())
        };
        let body = tokio::time::timeout(TIMEOUT, answer)
            .await
            .with_context(|| format!("wait for {}", self.address))??;
        serde_json::from_slice(&body).context("read the answer")
    }

    /// What comes of a change, however long it takes.
    pub async fn post(&self, path: &str) -> anyhow::Result<Value> {
        let response = self.ask(Method::POST, path).await?;
        let body = response.into_body().collect().await.context("read the answer")?.to_bytes();
        serde_json::from_slice(&body).context("read the answer")
    }

    /// The server-sent events of a path.
    pub async fn listen(&self, path: &str) -> anyhow::Result<ServerEvents> {
        let response = tokio::time::timeout(TIMEOUT, self.ask(Method::GET, path))
            .await
            .with_context(|| format!("wait for {}", self.address))??;
        Ok(ServerEvents { body: response.into_body(), rest: Vec::new() })
    }

    /// Asks; an answer that tells of a problem is an error.
    async fn ask(&self, method: Method, path: &str) -> anyhow::Result<Response<Incoming>> {
        let stream = TcpStream::connect(&self.address)
            .await
            .with_context(|| format!("connect to the admin server on {}", self.address))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .context("talk to the admin server")?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.address);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::<Bytes>::new()).context("write the request")?;
        let response = sender.send_request(request).await.context("ask the admin server")?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.into_body().collect().await.context("read the answer")?.to_bytes();
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        match problem["detail"].as_str() {
            Some(detail) => bail!("{detail}"),
            None => bail!("the admin server answered {status}"),
        }
    }
}

/// Events as the server sends them.
pub(crate) struct ServerEvents {
    body: Incoming,
    rest: Vec<u8>,
}

impl ServerEvents {
    /// The next event; `None` when the server ends it.
    pub async fn next(&mut self) -> anyhow::Result<Option<ServerEvent>> {
        loop {
            if let Some(end) = self.rest.windows(2).position(|window| window == b"\n\n") {
                let block: Vec<u8> = self.rest.drain(..end + 2).collect();
                match parse(&String::from_utf8_lossy(&block)) {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            if self.rest.len() > EVENT_BYTES_MAX {
                bail!("an event of the admin server has no end");
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Some(data) = frame.context("read from the admin server")?.data_ref() {
                self.rest.extend_from_slice(data);
            }
        }
    }
}

/// An event out of its lines; none in a block that only keeps the connection alive.
fn parse(block: &str) -> Option<ServerEvent> {
    let mut event = ServerEvent::default();
    let mut data = Vec::new();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut event.name),
            "id" => value.clone_into(&mut event.id),
            "data" => data.push(value),
            _ => {}
        }
    }
    event.data = data.join("\n");
    (!data.is_empty()).then_some(event)
}

/// The path of a tap, its parameters encoded.
pub(crate) fn tap_path(component: &str, parameters: &[(&str, String)]) -> String {
    with_parameters(&format!("/tap/{}", encode(component)), parameters)
}

/// A path with parameters, these encoded.
pub(crate) fn with_parameters(path: &str, parameters: &[(&str, String)]) -> String {
    let mut path = path.to_owned();
    for (at, (name, value)) in parameters.iter().enumerate() {
        path.push(if at == 0 { '?' } else { '&' });
        path.push_str(name);
        path.push('=');
        path.push_str(&encode(value));
    }
    path
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_events_and_passes_over_what_keeps_the_connection_alive() {
        let event = parse("event: event\nid: errors\ndata: a\ndata: b\n\n").unwrap();
        assert_eq!((event.name.as_str(), event.id.as_str()), ("event", "errors"));
        assert_eq!(event.data, "a\nb");
        assert_eq!(parse(":\n\n"), None);
    }

    #[test]
    fn a_condition_travels_in_a_path() {
        let path =
            tap_path("a b", &[("where", ".a == \"ü\"".to_owned()), ("rate", "5".to_owned())]);
        assert_eq!(path, "/tap/a%20b?where=.a%20%3D%3D%20%22%C3%BC%22&rate=5");
    }
}
