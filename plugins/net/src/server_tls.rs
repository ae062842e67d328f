//! TLS of servers: who we are, whom we let in, and who was not.
//!
//! **Invariant:** a certificate that cannot be used takes the place of none that can.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};

use lograil_plugin::{Clock, ComponentMetrics, SourceError, SourceStart};
use prometheus::IntCounter;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, crypto};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::tls::{Stream, aside, authorities, certificates, private_key};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often a handshake that failed is told of; the others are only counted.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The options of the table `tls` of a server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsOptions {
    /// The certificate and those that lead to an authority (PEM). What changes in it is used within seconds.
    pub cert_file: PathBuf,
    /// The key of `cert_file` (PEM).
    pub key_file: PathBuf,
    /// Only clients with a certificate of one of these authorities (PEM) come in.
    pub client_ca_file: Option<PathBuf>,
}

/// By what a file that was changed or replaced is known: its inode, length and time of change.
type Stamp = Option<(u64, u64, SystemTime)>;

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

    fn stamps(&self) -> [Stamp; 3] {
        let ca = self.client_ca_file.as_deref();
        [Some(&*self.cert_file), Some(&*self.key_file), ca].map(|file| file.and_then(stamp))
    }
}

/// `None` if the file cannot be looked at.
fn stamp(file: &Path) -> Stamp {
    let metadata = std::fs::metadata(file).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some((inode, metadata.len(), metadata.modified().ok()?))
}

/// What a server speaks with its clients: TLS, if it has a certificate.
#[derive(Clone)]
pub(crate) struct ServerTls(Option<Arc<Identity>>);

/// What is known of the files of a certificate.
struct Files {
    /// Their stamps when what is used was read.
    used: [Stamp; 3],
    /// Their stamps when it was told last that they cannot be used.
    told: Option<[Stamp; 3]>,
}

/// The certificate that is used, and what is known of its files.
struct Identity {
    options: ServerTlsOptions,
    acceptor: RwLock<TlsAcceptor>,
    files: Mutex<Files>,
    id: Arc<str>,
    clock: Arc<dyn Clock>,
    refused: [(Reason, IntCounter); Reason::ALL.len()],
    /// When a failed handshake was told of, and how many others there were since.
    told: Mutex<(Option<Duration>, u64)>,
}

impl ServerTls {
    /// No TLS.
    pub(crate) const NONE: Self = Self(None);

    /// Reads the files, and from then on looks whether they change. An error says what could not be read, in one clause.
    pub(crate) async fn load(
        options: Option<&ServerTlsOptions>,
        id: &Arc<str>,
        clock: &Arc<dyn Clock>,
        metrics: &ComponentMetrics,
    ) -> Result<Self, String> {
        let Some(options) = options else { return Ok(Self::NONE) };
        let read = options.clone();
        // The stamps before the files are read, so that no change is missed.
        let (used, acceptor) = aside(move || Ok((read.stamps(), read.load()?))).await?;
        let help = "Clients that came without being able to agree on TLS.";
        let counter = |reason: Reason| {
            metrics.counter_by("refused_tls_handshakes", help, ("reason", reason.as_str()))
        };
        let identity = Arc::new(Identity {
            acceptor: RwLock::new(acceptor),
            options: options.clone(),
            files: Mutex::new(Files { used, told: None }),
            id: Arc::clone(id),
            clock: Arc::clone(clock),
            refused: Reason::ALL.map(|reason| (reason, counter(reason))),
            told: Mutex::default(),
        });
        tokio::spawn(watch(Arc::downgrade(&identity), Arc::clone(clock)));
        Ok(Self(Some(identity)))
    }

    /// The same for a source that starts.
    pub(crate) async fn of_source(
        options: Option<&ServerTlsOptions>,
        start: &SourceStart,
    ) -> Result<Self, SourceError> {
        let SourceStart { id, clock, metrics, .. } = start;
        Self::load(options, id, clock, metrics).await.map_err(SourceError::Failed)
    }

    /// The scheme of an address: `plain`, or that of TLS.
    pub(crate) fn scheme(&self, plain: &'static str, tls: &'static str) -> &'static str {
        if self.0.is_some() { tls } else { plain }
    }

    /// What is spoken on a connection, once the client has shown in this time that it can. One that cannot is counted.
    pub(crate) async fn begin(
        &self,
        stream: TcpStream,
        within: Duration,
    ) -> Option<Box<dyn Stream>> {
        let Some(identity) = &self.0 else { return Some(Box::new(stream)) };
        let peer = stream.peer_addr().map(|peer| peer.to_string()).unwrap_or_default();
        let acceptor = identity.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone();
        let begun = timeout(within, acceptor.accept(stream)).await;
        match begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => Some(Box::new(stream)),
            Err(error) => {
                identity.refuse(&error, &peer);
                None
            }
        }
    }
}

/// Looks at the files now and then, as long as somebody uses them.
async fn watch(identity: Weak<Identity>, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(LOOK_EVERY).await;
        let Some(identity) = identity.upgrade() else { return };
        // The thread cannot fail, and a runtime that ends has no use for it.
        let _looked = tokio::task::spawn_blocking(move || identity.look()).await;
    }
}

impl Identity {
    /// Reads the files if they are others than those that are used, each time until they can be used: what hinders it may
    /// pass without a trace in them, such as a key that nobody may read yet. That is told once for each state of them.
    fn look(&self) {
        let stamps = self.options.stamps();
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.used == stamps {
            return;
        }
        let (id, file) = (&self.id, self.options.cert_file.display());
        match self.options.load() {
            Ok(acceptor) => {
                *files = Files { used: stamps, told: None };
                *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
                tracing::info!(component_id = %id, "{file} has changed: new connections get what it holds now");
            }
            // Or one file of two is new yet: then the other follows, which is a change again.
            Err(error) => {
                if files.told.replace(stamps) != Some(stamps) {
                    tracing::warn!(
                        component_id = %id,
                        "{error}; goes on with the certificate it has, until the files can be used"
                    );
                }
            }
        }
    }

    /// Counts a client that could not come in, and tells of one now and then.
    fn refuse(&self, error: &io::Error, peer: &str) {
        let reason = Reason::of(error);
        if let Some((_, counter)) = self.refused.iter().find(|(one, _)| *one == reason) {
            counter.inc();
        }
        let id = &self.id;
        if reason == Reason::Closed {
            // What asks whether a port is open does this all day.
            tracing::debug!(component_id = %id, peer, "a client has gone before TLS began: {error}");
            return;
        }
        let now = self.clock.monotonic();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0.is_some_and(|last| now.saturating_sub(last) < TELL_EVERY) {
            told.1 += 1;
            return;
        }
        let others = std::mem::replace(&mut *told, (Some(now), 0)).1;
        tracing::warn!(
            component_id = %id, peer, others_before = others,
            "a TLS handshake failed ({}): {error}", reason.as_str()
        );
    }
}

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Timeout,
    Closed,
    NoTls,
    NoCertificate,
    BadCertificate,
    Incompatible,
    Alert,
    Other,
}

impl Reason {
    const ALL: [Self; 8] = [
        Self::Timeout,
        Self::Closed,
        Self::NoTls,
        Self::NoCertificate,
        Self::BadCertificate,
        Self::Incompatible,
        Self::Alert,
        Self::Other,
    ];

    /// The value of the metric's label.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::NoTls => "no_tls",
            Self::NoCertificate => "no_client_certificate",
            Self::BadCertificate => "bad_client_certificate",
            Self::Incompatible => "incompatible",
            Self::Alert => "refused_by_client",
            Self::Other => "other",
        }
    }

    fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match (error.kind(), inner) {
            (_, Some(rustls::Error::NoCertificatesPresented)) => Self::NoCertificate,
            (_, Some(rustls::Error::InvalidCertificate(_))) => Self::BadCertificate,
            (_, Some(rustls::Error::PeerIncompatible(_))) => Self::Incompatible,
            (_, Some(rustls::Error::AlertReceived(_))) => Self::Alert,
            (_, Some(rustls::Error::InvalidMessage(_))) => Self::NoTls,
            (_, Some(_)) => Self::Other,
            (io::ErrorKind::TimedOut, None) => Self::Timeout,
            (
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe,
                None,
            ) => Self::Closed,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lograil_plugin::SystemClock;
    use rustls::pki_types::ServerName;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;

    use crate::tls::ClientTlsOptions;

    struct Place {
        directory: tempfile::TempDir,
        tls: ServerTls,
    }

    /// A certificate of its own, whose copy `NAME.ca` clients may trust.
    fn write_certificate(directory: &Path, name: &str) {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(directory.join("cert.pem"), own.cert.pem()).unwrap();
        std::fs::write(directory.join("key.pem"), own.signing_key.serialize_pem()).unwrap();
        std::fs::write(directory.join(name), own.cert.pem()).unwrap();
    }

    impl Place {
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            write_certificate(directory.path(), "first.ca");
            let options = ServerTlsOptions {
                cert_file: directory.path().join("cert.pem"),
                key_file: directory.path().join("key.pem"),
                client_ca_file: None,
            };
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
            let metrics = ComponentMetrics::detached();
            let tls = ServerTls::load(Some(&options), &"in".into(), &clock, &metrics).await;
            let tls = tls.unwrap();
            Self { directory, tls }
        }

        /// Whether a client comes in that trusts one certificate.
        async fn is_trusted(&self, ca: &str) -> bool {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let ca_file = Some(self.directory.path().join(ca));
            let trust = ClientTlsOptions { ca_file, ..Default::default() };
            let uri = "https://localhost/".parse().unwrap();
            let config = trust.load_for(&uri).await.unwrap().unwrap();
            let client = async {
                let stream = TcpStream::connect(address).await.unwrap();
                let name = ServerName::try_from("localhost").unwrap();
                TlsConnector::from(config).connect(name, stream).await.is_ok()
            };
            let server = async {
                let (stream, _) = listener.accept().await.unwrap();
                self.tls.begin(stream, Duration::from_secs(30)).await.is_some()
            };
            let (client, server) = tokio::join!(client, server);
            client && server
        }

        fn look(&self) {
            self.tls.0.as_ref().unwrap().look();
        }

        fn refused(&self, reason: Reason) -> u64 {
            let refused = &self.tls.0.as_ref().unwrap().refused;
            refused.iter().find(|(one, _)| *one == reason).unwrap().1.get()
        }
    }

    #[tokio::test]
    async fn a_new_certificate_is_used_and_a_broken_one_is_not() {
        let place = Place::new().await;
        assert!(place.is_trusted("first.ca").await);
        write_certificate(place.directory.path(), "second.ca");
        place.look();
        assert!(place.is_trusted("second.ca").await);
        assert!(!place.is_trusted("first.ca").await);
        assert_eq!(place.refused(Reason::Alert), 1);

        // Of a new pair one file is there, then the other.
        let key = std::fs::read(place.directory.path().join("key.pem")).unwrap();
        write_certificate(place.directory.path(), "third.ca");
        let third_key = std::fs::read(place.directory.path().join("key.pem")).unwrap();
        std::fs::write(place.directory.path().join("key.pem"), key).unwrap();
        place.look();
        assert!(place.is_trusted("second.ca").await);
        std::fs::write(place.directory.path().join("key.pem"), third_key).unwrap();
        place.look();
        assert!(place.is_trusted("third.ca").await);

        std::fs::remove_file(place.directory.path().join("cert.pem")).unwrap();
        place.look();
        assert!(place.is_trusted("third.ca").await);
    }

    #[tokio::test]
    async fn files_that_can_be_read_only_later_are_used_though_they_look_the_same() {
        let place = Place::new().await;
        write_certificate(place.directory.path(), "second.ca");
        let path = place.directory.path().join("key.pem");
        let key = std::fs::read(&path).unwrap();
        // In place of a key that may not be read: its stamp is the same when it may be.
        std::fs::write(&path, vec![b'x'; key.len()]).unwrap();
        let before = stamp(&path);
        place.look();
        place.look();
        assert!(place.is_trusted("first.ca").await);
        std::fs::write(&path, key).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(before.unwrap().2).unwrap();
        assert_eq!(stamp(&path), before);
        place.look();
        assert!(place.is_trusted("second.ca").await);
    }

    #[tokio::test]
    async fn clients_that_cannot_come_in_are_counted_by_what_was_wrong() {
        let place = Place::new().await;
        let say = async |what: &[u8], wait: Duration| {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            client.write_all(what).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let client = (!wait.is_zero()).then_some(client);
            let begun = place.tls.begin(stream, wait.max(Duration::from_secs(1))).await;
            drop(client);
            assert!(begun.is_none());
        };
        say(b"GET / HTTP/1.1\r\n\r\n", Duration::from_secs(30)).await;
        assert_eq!(place.refused(Reason::NoTls), 1);
        say(b"", Duration::ZERO).await;
        assert_eq!(place.refused(Reason::Closed), 1);
        say(b"", Duration::from_millis(1)).await;
        assert_eq!(place.refused(Reason::Timeout), 1);
    }
}
