//! A web server that behaves as a test tells it to, request by request.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the peer does with a request it has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers with this status and these header lines; 2xx means that it took the events.
    Answer(u16, &'static str),
    /// Answers with this status and a body that starts and does not end; 2xx means that it took the events.
    Endless(u16),
    /// Never answers.
    Hang,
    /// Breaks the connection.
    Reset,
    /// Takes the events and breaks the connection before it says so.
    TakeAndReset,
    /// Closes the connection without an answer.
    Close,
    /// Answers so slowly that nobody waits for it.
    Trickle,
}

/// A request, read to its end and unpacked.
#[derive(Debug, Clone)]
pub struct Request {
    pub number: usize,
    /// In small letters, but for the values.
    pub head: String,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.map(str::trim)
    }

    pub fn key(&self) -> String {
        self.header("idempotency-key").unwrap_or_default().to_owned()
    }

    /// The numbers of the events in it.
    pub fn events(&self) -> impl Iterator<Item = u64> {
        let pieces = self.body.split("\"n\":").skip(1);
        pieces.map(|piece| piece.split('}').next().unwrap().parse().unwrap())
    }
}

struct Shared {
    behave: Box<dyn Fn(&Request) -> Behaviour + Send + Sync>,
    requests: Mutex<Vec<Request>>,
    taken: Mutex<BTreeSet<u64>>,
    next: AtomicUsize,
    tls: Option<Arc<ServerConfig>>,
}

/// The peer.
pub struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Peer {
    pub fn start(behave: impl Fn(&Request) -> Behaviour + Send + Sync + 'static) -> Self {
        Self::start_with(behave, None)
    }

    pub fn start_with(
        behave: impl Fn(&Request) -> Behaviour + Send + Sync + 'static,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            behave: Box::new(behave),
            requests: Mutex::default(),
            taken: Mutex::default(),
            next: AtomicUsize::new(0),
            tls,
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, stream) = (Arc::clone(&own), stream.unwrap());
                std::thread::spawn(move || serve(&shared, stream));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        match self.shared.tls {
            Some(_) => format!("https://localhost:{}/in", self.address.port()),
            None => format!("http://{}/in", self.address),
        }
    }

    /// All requests that were read to their end.
    pub fn requests(&self) -> Vec<Request> {
        let mut requests = self.shared.requests.lock().unwrap().clone();
        requests.sort_by_key(|request| request.number);
        requests
    }

    /// The numbers of all events that were taken.
    pub fn taken(&self) -> BTreeSet<u64> {
        self.shared.taken.lock().unwrap().clone()
    }
}

fn serve(shared: &Shared, tcp: TcpStream) {
    let own = tcp.try_clone().unwrap();
    let result = match &shared.tls {
        None => talk(shared, tcp, &own),
        Some(config) => {
            let connection = ServerConnection::new(Arc::clone(config)).unwrap();
            talk(shared, StreamOwned::new(connection, tcp), &own)
        }
    };
    // The sink may go away at any time.
    drop(result);
}

fn talk(shared: &Shared, mut stream: impl Read + Write, tcp: &TcpStream) -> io::Result<()> {
    while let Some((head, body)) = read_request(&mut stream)? {
        let number = shared.next.fetch_add(1, Ordering::SeqCst);
        let request = Request { number, head, body };
        shared.requests.lock().unwrap().push(request.clone());
        let take = || shared.taken.lock().unwrap().extend(request.events());
        match (shared.behave)(&request) {
            Behaviour::Answer(status, headers) => {
                if status < 300 {
                    take();
                }
                let length = if status == 204 { "" } else { "Content-Length: 0\r\n" };
                write!(stream, "HTTP/1.1 {status} Said\r\n{length}{headers}\r\n")?;
                stream.flush()?;
            }
            Behaviour::Endless(status) => {
                if status < 300 {
                    take();
                }
                let head = format!("HTTP/1.1 {status} Said\r\nTransfer-Encoding: chunked\r\n\r\n");
                write!(stream, "{head}3\r\nwhy\r\n")?;
                stream.flush()?;
                std::thread::sleep(Duration::from_secs(3600));
            }
            Behaviour::Hang => std::thread::sleep(Duration::from_secs(3600)),
            Behaviour::Close => return tcp.shutdown(std::net::Shutdown::Both),
            Behaviour::Reset => return reset(tcp),
            Behaviour::TakeAndReset => {
                take();
                return reset(tcp);
            }
            Behaviour::Trickle => {
                for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".iter().cycle() {
                    stream.write_all(&[*byte])?;
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        }
    }
    Ok(())
}

fn reset(tcp: &TcpStream) -> io::Result<()> {
    let socket = socket2::SockRef::from(tcp);
    socket.set_linger(Some(Duration::ZERO))?;
    // The descriptor is closed when the last handle goes; this breaks it off at once.
    socket.shutdown(std::net::Shutdown::Both)
}

fn read_request(stream: &mut impl Read) -> io::Result<Option<(String, String)>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}\n", name.to_ascii_lowercase()),
        None => format!("{line}\n"),
    });
    let request = Request { number: 0, head: lines.collect(), body: String::new() };
    let mut body = vec![0; request.header("content-length").map_or(0, |len| len.parse().unwrap())];
    stream.read_exact(&mut body)?;
    let body = match request.header("content-encoding") {
        None => body,
        Some("gzip") => {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain)?;
            plain
        }
        Some("zstd") => zstd::decode_all(&body[..])?,
        Some(other) => panic!("the encoding {other}"),
    };
    Ok(Some((request.head, String::from_utf8(body).unwrap())))
}

/// A server's TLS, and the certificate to trust.
pub fn tls() -> (ServerConfig, String) {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    (config, own.cert.pem())
}
