//! TLS of clients: whom to trust, and who we are; and what is in the files of both sides.
//!
//! **Invariant:** a server's certificate is always checked.

use std::path::PathBuf;
use std::sync::Arc;

use lograil_plugin::ConfigError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, crypto};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::server_tls::ServerTlsOptions;

/// A connection, with TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Reads files on a thread of its own: whoever waits for them hears of other things although a disk does not answer.
pub(crate) async fn aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|error| Err(format!("read the files of `tls`: {error}")))
}

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
    pub(crate) async fn load_for(
        &self,
        uri: &hyper::Uri,
    ) -> Result<Option<Arc<ClientConfig>>, String> {
        if !matches!(uri.scheme_str(), Some("https" | "wss")) {
            return Ok(None);
        }
        let options = self.clone();
        aside(move || options.load()).await.map(Some)
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

/// An error of a handshake, with what to do where its text does not say so.
pub(crate) fn with_remedy(error: String) -> String {
    // What `openssl req -x509` makes unless it is told otherwise.
    if error.contains("CaUsedAsEndEntity") {
        let remedy = "the server shows the certificate of an authority as its own; \
                      make one for it with `basicConstraints=CA:FALSE`";
        return format!("{error}: {remedy}");
    }
    error
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    let provider = Arc::new(crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
}

/// The authorities of a file.
pub(crate) fn authorities(file: &PathBuf) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| format!("use {}: {error}", file.display()))?;
    }
    Ok(roots)
}

/// The certificates of a file, at least one.
pub(crate) fn certificates(file: &PathBuf) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error| format!("read {}: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let certificates = read.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate in PEM", file.display()));
    }
    Ok(certificates)
}

/// The key of a file.
pub(crate) fn private_key(file: &PathBuf) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| format!("read {}: {error}", file.display()))
}
