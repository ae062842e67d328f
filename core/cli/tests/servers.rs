//! A live nginx under load from wrk, its access log rotated by logrotate while lograil follows it and is
//! killed in the middle. nginx writes a second log that nobody rotates: it says what must come out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use support::http::{self, get, metric};
use support::{Background, Place, has, until};

/// Every so many numbered requests one fails with 503.
const FAILS_EVERY: u64 = 50;

struct Nginx {
    process: Background,
    address: SocketAddr,
    /// How often its status page was asked for, which counts as a request and is in no log.
    asked: AtomicU64,
    place: Arc<Place>,
}

fn nginx_config(place: &Place, port: u16) -> String {
    let dir = place.path("nginx").display().to_string();
    format!(
        r#"
user root;
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000;
    access_log {dir}/access.log combined;
    access_log {dir}/truth combined;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 "ok\n"; }}
        location /e/ {{ return 503 "no\n"; }}
        location = /status {{ stub_status; access_log off; }}
    }}
}}
"#
    )
}

impl Nginx {
    /// Starts it on a free port; if another program takes the port first, on the next.
    fn start(place: &Arc<Place>) -> Self {
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let config = place.write("nginx/nginx.conf", nginx_config(place, free.port()));
            let open = |name: &str| std::fs::File::create(place.path(name)).unwrap();
            let mut command = Command::new("nginx");
            command.env("PATH", path_with_sbin()).stdin(Stdio::null());
            command.arg("-p").arg(place.path("nginx")).arg("-c").arg(config);
            command.stdout(open("nginx/stdout")).stderr(open("nginx/stderr"));
            let mut process = Background(command.spawn().unwrap());
            let mut is_listening = false;
            until("nginx listens or gives up", || {
                is_listening = TcpStream::connect(free).is_ok();
                is_listening || !process.is_running()
            });
            // Who listens may be another program, which took the port first.
            if is_listening
                && process.is_running()
                && get(free, "/status").body.contains("requests")
            {
                let place = Arc::clone(place);
                return Self { process, address: free, asked: AtomicU64::new(1), place };
            }
        }
        panic!("nginx does not start:\n{}", place.read("nginx/error.log"));
    }

    /// Requests that it has begun to serve, without those for this number.
    fn requests(&self) -> u64 {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let page = get(self.address, "/status").body;
        let numbers = page.lines().nth(2).unwrap().split_whitespace();
        numbers.last().unwrap().parse::<u64>().unwrap() - asked
    }

    fn truth(&self) -> Vec<String> {
        self.place.read("nginx/truth").lines().map(str::to_owned).collect()
    }

    /// Waits until all that was asked is answered and in the log; only then nobody writes.
    fn wait_until_idle(&self) {
        until("nginx has logged all requests", || self.truth().len() as u64 == self.requests());
    }

    fn logrotate(&self, mode: &str) {
        let dir = self.place.path("nginx").display().to_string();
        let rotation = match mode {
            "create" => format!(
                "create 0600\n    postrotate\n        kill -USR1 {}\n    endscript",
                self.process.0.id()
            ),
            _ => mode.to_owned(),
        };
        let text =
            format!("{dir}/access.log {{\n    rotate 100\n    missingok\n    {rotation}\n}}\n");
        let config = self.place.write("logrotate.conf", text);
        let status = Command::new("logrotate")
            .env("PATH", path_with_sbin())
            .arg("-f")
            .arg("-s")
            .arg(self.place.path("logrotate.state"))
            .arg(config)
            .stdin(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    }

    fn rotations(&self) -> usize {
        (1..).take_while(|n| self.place.path(&format!("nginx/access.log.{n}")).exists()).count()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its worker only if it is asked to end, not if it is killed.
        if self.process.is_running() {
            self.process.signal("TERM");
            self.process.wait();
        }
    }
}

fn path_with_sbin() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// A client that asks for `/n/0`, `/n/1` and so on, one after the other, until it is stopped.
struct Numbered {
    next: Arc<AtomicU64>,
    is_stopped: Arc<AtomicBool>,
    client: JoinHandle<()>,
}

impl Numbered {
    fn start(address: SocketAddr, first: u64) -> Self {
        let next = Arc::new(AtomicU64::new(first));
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (counter, stop) = (Arc::clone(&next), Arc::clone(&is_stopped));
        let client = std::thread::spawn(move || {
            let mut stream = http::connect(address);
            stream.set_nodelay(true).unwrap();
            while !stop.load(Ordering::SeqCst) {
                let seq = counter.load(Ordering::SeqCst);
                ask(&mut stream, &numbered_path(seq));
                counter.store(seq + 1, Ordering::SeqCst);
            }
        });
        Self { next, is_stopped, client }
    }

    fn wait_for(&self, more: u64) {
        let wanted = self.next.load(Ordering::SeqCst) + more;
        until("requests are answered", || self.next.load(Ordering::SeqCst) >= wanted);
    }

    /// Stops; gives the number of the request that would be next.
    fn stop(self) -> u64 {
        self.is_stopped.store(true, Ordering::SeqCst);
        self.client.join().unwrap();
        self.next.load(Ordering::SeqCst)
    }
}

fn numbered_path(seq: u64) -> String {
    format!("{}{seq}", if seq % FAILS_EVERY == FAILS_EVERY - 1 { "/e/" } else { "/n/" })
}

fn ask(stream: &mut TcpStream, path: &str) {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: numbered \"1\"\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    while !(received.ends_with(b"\r\n\r\nok\n") || received.ends_with(b"\r\n\r\nno\n")) {
        let mut block = [0; 1024];
        let count = stream.read(&mut block).unwrap();
        assert!(count > 0, "nginx closed the connection");
        received.extend_from_slice(&block[..count]);
    }
}

/// Load beside the numbered requests; ends by itself.
struct Wrk(Background);

impl Wrk {
    fn start(address: SocketAddr, seconds: u32) -> Self {
        let duration = format!("-d{seconds}s");
        let url = format!("http://{address}/wrk");
        let mut command = Command::new("wrk");
        command.args(["-t1", "-c4", &duration, &url]).stdin(Stdio::null()).stdout(Stdio::piped());
        Self(Background(command.spawn().unwrap()))
    }

    /// Waits for its end; gives the number of answers it got.
    fn finish(mut self) -> u64 {
        assert!(self.0.wait().success());
        let mut report = String::new();
        self.0.0.stdout.take().unwrap().read_to_string(&mut report).unwrap();
        let line = report
            .lines()
            .find(|line| line.contains(" requests in "))
            .unwrap_or_else(|| panic!("{report}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

/// lograil with `configs/tail-nginx.toml`, which may be killed and started again.
struct Follower {
    place: Arc<Place>,
    running: Option<Background>,
    starts: usize,
    address: SocketAddr,
}

impl Follower {
    fn start(place: &Arc<Place>) -> Self {
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut follower =
            Self { place: Arc::clone(place), running: None, starts: 0, address: unknown };
        follower.restart();
        follower
    }

    fn restart(&mut self) {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/tail-nginx.toml");
        let open = |name| {
            let mut options = std::fs::OpenOptions::new();
            options.append(true).create(true).open(self.place.path(name)).unwrap()
        };
        let mut command = self.place.lograil(&["run", config.to_str().unwrap()]);
        command
            .env("ACCESS_LOG", self.place.path("nginx/access.log*"))
            .env("OUTPUT_FILE", self.place.path("out/requests.ndjson"))
            .env("DATA_DIR", self.place.path("data"))
            .env("ADMIN_LISTEN", "127.0.0.1:0")
            .stdout(open("stdout"))
            .stderr(open("stderr"));
        self.running = Some(Background(command.spawn().unwrap()));
        self.starts += 1;
        self.address = http::last_admin_address(&self.place, self.starts);
    }

    /// `kill -9`, at work: something was delivered, and not everything.
    fn kill(&mut self, nginx: &Nginx) {
        until("something is delivered", || output_lines(&self.place) > 0);
        self.running.take().unwrap().kill();
        let (delivered, logged) = (output_lines(&self.place), nginx.truth().len());
        eprintln!("killed with {delivered} of {logged} lines delivered");
    }

    /// The routes answer while it works.
    fn scrape(&self) {
        assert_eq!(get(self.address, "/health").status, 200);
        assert_eq!(get(self.address, "/ready").status, 200);
        http::assert_ledgers_balance(&get(self.address, "/topology").json());
        promtool(&get(self.address, "/metrics").body);
    }

    /// Waits until everything nginx has logged is out, looks at it from outside, and ends it.
    fn finish(mut self, nginx: &Nginx) {
        let logged = nginx.truth().len();
        until("everything is delivered and acknowledged", || {
            let is_out = output_lines(&self.place) >= logged;
            let topology = get(self.address, "/topology").json();
            let components = topology["components"].as_array().unwrap();
            let in_flight = components.iter().any(|component| component["in_flight_events"] != 0);
            is_out && !in_flight && topology["in_flight_batches"] == 0
        });
        until("it sees that nothing is left to read", || {
            let samples = http::samples(&get(self.address, "/metrics").body);
            metric(&samples, "lograil_component_lag_bytes", "access") == 0.0
        });
        self.scrape();
        let status = self.running.take().unwrap().stop();
        assert_eq!(status.code(), Some(0), "{}", self.place.read("stderr"));
    }
}

fn promtool(metrics: &str) {
    let mut command = Command::new("promtool");
    command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.trim().is_empty(), "{told}\n{metrics}");
}

/// The sink's files, the oldest first.
fn outputs(place: &Place) -> Vec<PathBuf> {
    let backup = |n: usize| place.path(&format!("out/requests.ndjson.{n}"));
    let mut paths: Vec<_> = (1..).map(backup).take_while(|path| path.exists()).collect();
    paths.reverse();
    paths.extend(Some(place.path("out/requests.ndjson")).filter(|path| path.exists()));
    paths
}

fn output_lines(place: &Place) -> usize {
    let count = |path: PathBuf| {
        let content = std::fs::read_to_string(path).unwrap_or_default();
        content.matches('\n').count()
    };
    outputs(place).into_iter().map(count).sum()
}

/// The log line a delivered event was made from.
fn line_of(event: &str) -> String {
    let event: serde_json::Value =
        serde_json::from_str(event).unwrap_or_else(|error| panic!("{error}: {event}"));
    let text = |key: &str| event[key].as_str().unwrap_or_else(|| panic!("{key}: {event}"));
    let number = |key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{key}: {event}"));
    assert_eq!(event.as_object().unwrap().len(), 8, "{event}");
    format!(
        "{} - {} [{}] \"{}\" {} {} \"{}\" \"{}\"",
        text("remote_addr"),
        text("remote_user"),
        text("time_local"),
        text("request"),
        number("status"),
        number("body_bytes_sent"),
        text("http_referer"),
        text("http_user_agent"),
    )
}

/// The first numbered request of each of nginx's log files, in the order of the numbers.
fn first_numbers(place: &Place) -> Vec<u64> {
    let names = (1..).map(|n| format!("nginx/access.log.{n}"));
    let backups = names.take_while(|name| place.path(name).exists());
    let first = |name: String| {
        let content = place.read(&name);
        let line = content.lines().find(|line| is_numbered(line))?;
        number_of(line.split(' ').nth(6).unwrap())
    };
    let names = backups.chain(Some("nginx/access.log".to_owned()));
    let mut numbers: Vec<u64> = names.filter_map(first).collect();
    numbers.sort_unstable();
    numbers
}

fn is_numbered(line: &str) -> bool {
    line.contains("GET /n/") || line.contains("GET /e/")
}

fn number_of(path: &str) -> Option<u64> {
    path.get(3..)?.parse().ok()
}

/// Every request exactly once, byte for byte, and those of one log file in the order nginx served them.
fn assert_exact(place: &Place, nginx: &Nginx, numbered: u64) {
    let truth = nginx.truth();
    let contents: Vec<String> =
        outputs(place).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let delivered: Vec<String> =
        contents.iter().flat_map(|content| content.lines()).map(line_of).collect();
    let mut wanted: Vec<_> = truth.iter().collect();
    let mut found: Vec<_> = delivered.iter().collect();
    wanted.sort();
    found.sort();
    let first = wanted.iter().zip(&found).find(|(wanted, found)| wanted != found);
    assert!(
        wanted == found,
        "{} lines were logged, {} delivered; the first that differ: {first:?}",
        truth.len(),
        delivered.len()
    );
    let paths = delivered.iter().filter(|line| is_numbered(line));
    let paths: Vec<&str> = paths.map(|line| line.split(' ').nth(6).unwrap()).collect();
    assert_eq!(paths.len() as u64, numbered);
    let starts = first_numbers(place);
    assert_eq!(starts[0], 0);
    let ends = starts.iter().skip(1).copied().chain(Some(numbered));
    for (start, end) in starts.iter().copied().zip(ends) {
        let is_inside = |path: &&str| number_of(path).is_some_and(|n| (start..end).contains(&n));
        let inside: Vec<&str> = paths.iter().copied().filter(is_inside).collect();
        let is_wanted = |at: usize| inside[at] == numbered_path(start + at as u64);
        if let Some(at) = (0..inside.len()).find(|at| !is_wanted(*at)) {
            let around = &inside[at.saturating_sub(3)..(at + 3).min(inside.len())];
            panic!("order differs {at} requests behind {start}: {around:?}");
        }
    }
    let screen = place.read("stdout");
    let failed = (0..numbered).filter(|seq| seq % FAILS_EVERY == FAILS_EVERY - 1);
    for seq in failed {
        assert!(
            screen.contains(&format!("GET /e/{seq} ")),
            "request {seq} failed and is not shown"
        );
    }
    assert!(
        !place.path("data/dead-letters.ndjson").metadata().is_ok_and(|metadata| metadata.len() > 0)
    );
}

/// The place, with nginx and lograil at work; none if a program is missing.
fn start() -> Option<(Arc<Place>, Nginx, Follower)> {
    let programs = ["nginx", "wrk", "logrotate", "promtool"];
    if !programs.map(has).iter().all(|found| *found) {
        return None;
    }
    let place = Arc::new(Place::new());
    let nginx = Nginx::start(&place);
    let follower = Follower::start(&place);
    Some((place, nginx, follower))
}

/// logrotate's `create`: the load never pauses.
#[test]
fn nginx_under_load_rotated_by_create_and_a_kill_lose_and_double_nothing() {
    let Some((place, nginx, mut follower)) = start() else { return };
    let wrk = Wrk::start(nginx.address, 3);
    let numbered = Numbered::start(nginx.address, 0);
    for round in 0..8 {
        numbered.wait_for(200);
        follower.scrape();
        if round == 4 {
            follower.kill(&nginx);
            numbered.wait_for(100);
            nginx.logrotate("create");
            numbered.wait_for(100);
            follower.restart();
        }
        nginx.logrotate("create");
    }
    let answered = wrk.finish();
    numbered.wait_for(100);
    let numbered = numbered.stop();
    nginx.wait_until_idle();
    let logged = nginx.truth().len() as u64;
    eprintln!(
        "{logged} requests, {numbered} of them numbered, {answered} of wrk, {} rotations",
        nginx.rotations()
    );
    assert!(logged >= answered + numbered && answered > 100, "{logged} {answered} {numbered}");
    assert_eq!(nginx.rotations(), 9);
    follower.finish(&nginx);
    assert_exact(&place, &nginx, numbered);
}

/// logrotate's `copytruncate` loses what nginx writes between its copy and its truncation, so the load pauses
/// around it. lograil may still be behind.
#[test]
fn nginx_rotated_by_copytruncate_and_a_kill_lose_and_double_nothing() {
    let Some((place, nginx, mut follower)) = start() else { return };
    let (mut next, mut answered) = (0, 0);
    for round in 0..4 {
        let wrk = Wrk::start(nginx.address, 1);
        let numbered = Numbered::start(nginx.address, next);
        numbered.wait_for(100);
        follower.scrape();
        if round == 2 {
            follower.kill(&nginx);
        }
        numbered.wait_for(100);
        if round == 1 {
            follower.kill(&nginx);
            numbered.wait_for(20);
            follower.restart();
        }
        answered += wrk.finish();
        next = numbered.stop();
        nginx.wait_until_idle();
        nginx.logrotate("copytruncate");
        if round == 2 {
            follower.restart();
        }
    }
    let numbered = Numbered::start(nginx.address, next);
    numbered.wait_for(100);
    next = numbered.stop();
    nginx.wait_until_idle();
    let logged = nginx.truth().len() as u64;
    eprintln!(
        "{logged} requests, {next} of them numbered, {answered} of wrk, {} rotations",
        nginx.rotations()
    );
    assert!(logged >= answered + next && answered > 100, "{logged} {answered} {next}");
    assert_eq!(nginx.rotations(), 4);
    follower.finish(&nginx);
    assert_exact(&place, &nginx, next);
}
