//! TLS: of clients, whom to trust, and who we are; of servers, who we are.
//!
//! **Invariant:** a server's certificate is always checked.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier, crypto};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

/// The options of the table `tls` of a client.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientTlsOptions {
    /// Certificates of authorities to trust (PEM) instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate and those that lead to an authority (PEM).
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

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let Some(file) = &self.ca_file else {
            // Some that cannot be read do not matter while there are others.
            let (found, _) =
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if found == 0 {
                return Err("the system has no certificates to trust; set `tls.ca_file`".to_owned());
            }
            return Ok(roots);
        };
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|error| format!("use {}: {error}", file.display()))?;
        }
        Ok(roots)
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
}

impl ServerTlsOptions {
    /// Reads the files. An error says what could not be read, in one clause.
    pub(crate) fn load(&self) -> Result<TlsAcceptor, String> {
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(certificates(&self.cert_file)?, private_key(&self.key_file)?)
            .map_err(|error| format!("use {}: {error}", self.cert_file.display()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
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
