//! TLS: of clients, whom to trust, and who we are; of servers, who we are.
//!
//! **Invariant:** a server's certificate is always checked, a client's where there are authorities for it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::ConfigError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier, crypto};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// A connection, with TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The options of the table `tls` of a client.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientTlsOptions {
    /// Certificates of authorities to trust (PEM) instead of the system's; of a server, those of its clients.
    pub ca_file: Option<PathBuf>,
    /// Its own certificate and those that lead to an authority (PEM).
    pub cert_file: Option<PathBuf>,
    /// The key of `cert_file` (PEM).
    pub key_file: Option<PathBuf>,
}

impl ClientTlsOptions {
    /// For what is spoken at `uri`; `None` without TLS, where nobody has to be trusted.
    pub(crate) fn load_for(&self, uri: &hyper::Uri) -> Result<Option<Arc<ClientConfig>>, String> {
        matches!(uri.scheme_str(), Some("https" | "wss")).then(|| self.load()).transpose()
    }

    /// Reads the files. An error says what could not be read, in one clause.
    fn load(&self) -> Result<Arc<ClientConfig>, String> {
        let builder = builder()?.with_root_certificates(self.roots()?);
        let config = match (&self.cert_file, &self.key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(certificates(cert)?, private_key(key)?)
                .map_err(|error| format!("use {}: {error}", cert.display()))?,
            _ => return Err("`tls.cert_file` and `tls.key_file` belong together".to_owned()),
        };
        Ok(Arc::new(config))
    }

    /// The same for a component that may be a server instead; `None` without TLS.
    pub(crate) fn of_server(&self, errors: &mut Vec<ConfigError>) -> Option<ServerTlsOptions> {
        let client_ca_file = self.ca_file.clone();
        match (self.cert_file.clone(), self.key_file.clone()) {
            (Some(cert_file), Some(key_file)) => {
                return Some(ServerTlsOptions { cert_file, key_file, client_ca_file });
            }
            (None, None) if client_ca_file.is_none() => {}
            _ => {
                let message = "a server needs `cert_file` and `key_file`";
                errors.push(ConfigError::new(["tls"], message));
            }
        }
        None
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let Some(file) = &self.ca_file else {
            let mut roots = RootCertStore::empty();
            // Some that cannot be read do not matter while there are others.
            let (found, _) =
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if found == 0 {
                return Err("the system has no certificates to trust; set `tls.ca_file`".to_owned());
            }
            return Ok(roots);
        };
        authorities(file)
    }
}

/// A client that trusts nobody, where TLS is not spoken.
pub(crate) fn of_nobody() -> Result<Arc<ClientConfig>, String> {
    let builder = builder()?.with_root_certificates(RootCertStore::empty());
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    let provider = Arc::new(crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
}

/// The options of the table `tls` of a server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsOptions {
    /// The certificate and those that lead to an authority (PEM).
    pub cert_file: PathBuf,
    /// The key of `cert_file` (PEM).
    pub key_file: PathBuf,
    /// Only clients with a certificate of one of these authorities (PEM) come in.
    pub client_ca_file: Option<PathBuf>,
}

impl ServerTlsOptions {
    /// Reads the files. An error says what could not be read, in one clause.
    fn load(&self) -> Result<TlsAcceptor, String> {
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &self.client_ca_file {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let roots = Arc::new(authorities(file)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|error| format!("use {}: {error}", file.display()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder
            .with_single_cert(certificates(&self.cert_file)?, private_key(&self.key_file)?)
            .map_err(|error| format!("use {}: {error}", self.cert_file.display()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// What a server speaks with its clients: TLS, if it has a certificate.
#[derive(Clone)]
pub(crate) struct ServerTls(Option<TlsAcceptor>);

impl ServerTls {
    /// No TLS.
    pub(crate) const NONE: Self = Self(None);

    /// Reads the files. An error says what could not be read, in one clause.
    pub(crate) fn load(options: Option<&ServerTlsOptions>) -> Result<Self, String> {
        options.map(ServerTlsOptions::load).transpose().map(Self)
    }

    /// The scheme of an address: `plain`, or that of TLS.
    pub(crate) fn scheme(&self, plain: &'static str, tls: &'static str) -> &'static str {
        if self.0.is_some() { tls } else { plain }
    }

    /// What is spoken on a connection, once the client has shown in this time that it can.
    pub(crate) async fn begin(
        &self,
        stream: TcpStream,
        within: Duration,
    ) -> io::Result<Box<dyn Stream>> {
        let Some(tls) = &self.0 else { return Ok(Box::new(stream)) };
        let begun = timeout(within, tls.accept(stream)).await;
        Ok(Box::new(begun.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??))
    }
}

fn authorities(file: &PathBuf) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| format!("use {}: {error}", file.display()))?;
    }
    Ok(roots)
}

fn certificates(file: &PathBuf) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error| format!("read {}: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let certificates = read.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate in PEM", file.display()));
    }
    Ok(certificates)
}

fn private_key(file: &PathBuf) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| format!("read {}: {error}", file.display()))
}
