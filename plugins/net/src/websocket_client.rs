//! Connecting to a websocket server: by TCP, with TLS for `wss://`.
//!
//! **Invariant:** knows nothing of what is sent.

use std::sync::Arc;

use hyper::Uri;
use hyper::header::{self, HeaderName, HeaderValue};
use lograil_plugin::ConfigError;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, protocol::WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::tls::{self, Stream};

/// A client's connection.
pub(crate) type Connected = WebSocketStream<Box<dyn Stream>>;

/// Where to connect to, and what to say.
pub(crate) struct Target {
    pub uri: Uri,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub subprotocol: Option<String>,
    /// For `wss://`.
    pub tls: Option<Arc<ClientConfig>>,
    pub config: WebSocketConfig,
}

impl Target {
    /// Connects. An error says what failed, in one clause.
    pub async fn connect(&self) -> Result<Connected, String> {
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = self.uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let tcp = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
        // Messages are small and wanted at once; a failure to say so changes nothing else.
        let _no_delay = tcp.set_nodelay(true);
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
                let connector = TlsConnector::from(Arc::clone(tls));
                let stream = connector.connect(name, tcp).await;
                Box::new(stream.map_err(|error| tls::with_remedy(format!("TLS: {error}")))?)
            }
        };
        let mut request =
            self.uri.clone().into_client_request().map_err(|error| error.to_string())?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        if let Some(Ok(name)) = self.subprotocol.as_deref().map(HeaderValue::from_str) {
            request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
        }
        let connected = client_async_with_config(request, stream, Some(self.config)).await;
        connected.map(|(socket, _)| socket).map_err(|error| match error {
            Error::Http(answer) => format!("the server answered {}", answer.status()),
            other => other.to_string(),
        })
    }
}

/// The address that the option `url` says.
pub(crate) fn websocket_uri(url: &str, errors: &mut Vec<ConfigError>) -> Option<Uri> {
    let uri = url
        .parse::<Uri>()
        .ok()
        .filter(|uri| matches!(uri.scheme_str(), Some("ws" | "wss")) && uri.host().is_some());
    if uri.is_none() {
        let error = ConfigError::new(["url"], format!("`{url}` is no address of a websocket"));
        errors
            .push(error.help("such as `ws://127.0.0.1:8080/ws/logs` or `wss://logs.example.com/`"));
    }
    uri
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lograil_plugin::{ComponentMetrics, SystemClock};
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use tokio::net::TcpListener;

    use super::*;
    use crate::server_tls::{ServerTls, ServerTlsOptions};
    use crate::tls::ClientTlsOptions;

    #[tokio::test]
    async fn a_server_that_shows_the_certificate_of_an_authority_is_told_how_to_make_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let (cert_file, key_file) =
            (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        std::fs::write(&cert_file, params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let trust = ClientTlsOptions { ca_file: Some(cert_file.clone()), ..Default::default() };
        let options = ServerTlsOptions { cert_file, key_file, client_ca_file: None };
        let clock: Arc<dyn lograil_plugin::Clock> = Arc::new(SystemClock::default());
        let metrics = ComponentMetrics::detached();
        let server = ServerTls::load(Some(&options), &"in".into(), &clock, &metrics).await.unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            server.begin(stream, Duration::from_secs(60)).await.map(|_| ())
        });
        let uri: Uri = format!("wss://127.0.0.1:{port}/").parse().unwrap();
        let target = Target {
            tls: trust.load_for(&uri).await.unwrap(),
            uri,
            headers: Vec::new(),
            subprotocol: None,
            config: WebSocketConfig::default(),
        };
        let error = target.connect().await.err().unwrap();
        assert!(error.contains("CA:FALSE"), "{error}");
    }
}
