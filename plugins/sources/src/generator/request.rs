//! HTTP requests to the services: method, path, status, size, client.

use super::catalogue::Level;
use super::random::Random;
use super::template::{Template, Values, write_number};

/// Services with the requests they take.
const ENDPOINTS: [(&str, &[(&str, &str)]); 5] = [
    (
        "user-service",
        &[
            ("GET", "/api/users/{user}"),
            ("GET", "/api/users/{user}/orders?page={few}"),
            ("POST", "/api/users"),
            ("PATCH", "/api/users/{user}"),
            ("DELETE", "/api/users/{user}/sessions/{order}"),
        ],
    ),
    (
        "auth-service",
        &[
            ("POST", "/api/login"),
            ("POST", "/api/logout"),
            ("POST", "/api/tokens/refresh"),
            ("GET", "/api/tokens/{order}"),
        ],
    ),
    (
        "order-service",
        &[
            ("GET", "/api/orders/{order}"),
            ("GET", "/api/orders?limit={count}"),
            ("POST", "/api/orders"),
            ("PUT", "/api/cart/{user}"),
        ],
    ),
    (
        "payment-service",
        &[
            ("POST", "/api/payments"),
            ("GET", "/api/payments/{order}"),
            ("POST", "/api/payments/{order}/refund"),
        ],
    ),
    (
        "inventory-service",
        &[
            ("GET", "/api/products/{count}"),
            ("GET", "/api/products?page={few}&size={percent}"),
            ("PUT", "/api/stock/{count}"),
            ("HEAD", "/health"),
        ],
    ),
];

const USER_AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "curl/8.5.0",
    "okhttp/4.12.0",
];
const REFERERS: [&str; 5] = [
    "-",
    "-",
    "https://shop.example/",
    "https://shop.example/cart",
    "https://search.example/?q=lamp",
];

/// How requests of a level end.
const fn statuses(level: Level) -> &'static [u32] {
    match level {
        Level::Debug => &[200, 304],
        Level::Info => &[200, 200, 200, 200, 201, 204, 302],
        Level::Warning => &[400, 401, 403, 404, 404, 409, 429],
        Level::Error => &[500, 500, 502, 504],
        Level::Critical => &[503],
    }
}

/// The request of one event.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: &'static str,
    /// With its query.
    pub(super) path: Vec<u8>,
    pub(super) status: u32,
    /// Length of the answer.
    pub(super) bytes: u32,
    /// In the private network 10.0.0.0/8, which belongs to nobody.
    client: u32,
    /// `-` if the client told none.
    pub(super) referer: &'static str,
    pub(super) user_agent: &'static str,
}

impl Request {
    /// Appends the client's address.
    pub(super) fn write_client_ip(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"10");
        for shift in [16, 8, 0] {
            out.push(b'.');
            write_number((self.client >> shift) & 0xFF, out);
        }
    }
}

struct Endpoint {
    method: &'static str,
    path: Template,
}

/// Draws requests.
pub(super) struct Requests {
    services: Vec<(&'static str, Vec<Endpoint>)>,
    request: Request,
}

impl Requests {
    /// The built-in services.
    pub(super) fn new() -> Self {
        let compile = |(method, path): &(&'static str, &'static str)| Endpoint {
            method,
            path: Template::compile(path),
        };
        let services =
            ENDPOINTS.iter().map(|(name, list)| (*name, list.iter().map(compile).collect()));
        Self { services: services.collect(), request: Request::default() }
    }

    /// Draws a request that ends in an event of the level, and appends what there is to say about it.
    pub(super) fn draw(
        &mut self,
        level: Level,
        random: &mut Random,
        values: Values,
        message: &mut Vec<u8>,
    ) -> (&'static str, &Request) {
        let (service, endpoints) = random.pick(&self.services);
        let endpoint = random.pick(endpoints);
        let request = &mut self.request;
        request.method = endpoint.method;
        request.path.clear();
        endpoint.path.render(random, values, &mut request.path);
        request.status = *random.pick(statuses(level));
        request.bytes = match request.status {
            204 | 304 => 0,
            _ if request.method == "HEAD" => 0,
            200 => {
                // Most answers are small, some are large.
                let end = 1 + random.below(60_000);
                120 + random.below(end)
            }
            _ => 40 + random.below(200),
        };
        request.client = random.bits() as u32 & 0xFF_FFFF;
        request.referer = *random.pick(&REFERERS);
        request.user_agent = *random.pick(&USER_AGENTS);
        message.extend_from_slice(request.method.as_bytes());
        message.push(b' ');
        message.extend_from_slice(&request.path);
        message.push(b' ');
        write_number(request.status, message);
        (service, request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_requests_whose_status_tells_it() {
        let mut random = Random::new(2);
        let mut requests = Requests::new();
        let values = Values { user: 12345, duration_ms: 7 };
        let mut services = std::collections::BTreeSet::new();
        for level in Level::ALL {
            for _ in 0..300 {
                let mut message = Vec::new();
                let (service, request) = requests.draw(level, &mut random, values, &mut message);
                services.insert(service);
                let class = match level {
                    Level::Debug | Level::Info => 200..400,
                    Level::Warning => 400..500,
                    Level::Error | Level::Critical => 500..600,
                };
                assert!(class.contains(&request.status));
                let path = std::str::from_utf8(&request.path).unwrap();
                assert!(path.starts_with('/') && !path.contains(['{', '}', ' ', '"']), "{path}");
                let said = format!("{} {path} {}", request.method, request.status);
                assert_eq!(message, said.as_bytes());
                let mut ip = Vec::new();
                request.write_client_ip(&mut ip);
                let ip: std::net::Ipv4Addr = std::str::from_utf8(&ip).unwrap().parse().unwrap();
                assert!(ip.is_private());
            }
        }
        assert_eq!(services.len(), 5, "five services");
    }
}
