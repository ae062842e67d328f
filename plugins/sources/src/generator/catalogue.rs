//! What the generated application says: its levels, its services, and each one's messages and durations.

use super::random::{Random, scale};
use super::template::{Template, Values};

/// How serious an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    /// All levels, the least serious first.
    pub(super) const ALL: [Self; 5] =
        [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The name as it is written in a line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }

    /// The level of a name in any case; `WARN` is a warning.
    pub(super) fn find(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("warn") {
            return Some(Self::Warning);
        }
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// From and below how many milliseconds an operation takes that ends in such an event.
    const fn duration_ms(self) -> (u32, u32) {
        match self {
            Self::Debug => (1, 60),
            Self::Info => (4, 450),
            Self::Warning => (180, 2_500),
            Self::Error => (300, 8_000),
            Self::Critical => (1_000, 30_000),
        }
    }

    /// A plausible duration: short ones are more frequent than long ones.
    pub(super) fn draw_duration_ms(self, random: &mut Random) -> u32 {
        let (first, end) = self.duration_ms();
        let bits = random.bits();
        first + scale(bits as u32, scale((bits >> 32) as u32, end - first))
    }
}

type Messages = [&'static [&'static str]; Level::ALL.len()];

/// Services with their messages, in the order of [`Level::ALL`].
const SERVICES: [(&str, Messages); 5] = [
    (
        "user-service",
        [
            &["Session cache hit for user {user}", "Loaded {few} roles, {count} permissions"],
            &[
                "User login successful",
                "User logout",
                "Profile of user {user} updated",
                "Password changed, {few} other sessions ended",
                "User \"guest-{user}\" registered",
            ],
            &[
                "Login from a new address {ip}",
                "Failed login attempt {few} for user {user}",
                "Session lookup took {ms}ms, expected below 150ms",
            ],
            &[
                "Login failed: invalid credentials for user {user}",
                "Profile of user {user} not saved: connection to {host} refused",
            ],
            &["User store unavailable, {few} of {few} replicas down"],
        ],
    ),
    (
        "auth-service",
        [
            &["Token cache has {count} entries", "Verifying signature with key \"k{few}\""],
            &[
                "Token issued for user {user}",
                "Token refreshed",
                "Access to {path} granted",
                "Signing keys rotated, {few} keys active",
            ],
            &[
                "Token of user {user} expires in {percent} seconds",
                "Rate limit at {percent}% for {ip}",
                "Clock differs from {host} by {ms}ms",
            ],
            &[
                "Token rejected: signature does not match",
                "Access to {path} denied: role \"admin\" required, user has \"viewer\"",
            ],
            &["Signing key \"k{few}\" is missing, no token can be issued"],
        ],
    ),
    (
        "order-service",
        [
            &["Cart of user {user} has {few} items", "Price rules evaluated in {ms}ms"],
            &[
                "Order {order} placed, total {money} EUR",
                "Order {order} shipped",
                "Added \"{item}\" to the cart",
                "Order {order} confirmed by the warehouse",
            ],
            &[
                "Order {order} waits for payment for {percent} minutes",
                "Only {few} left of \"{item}\"",
                "Slow query on {host}: {ms}ms",
            ],
            &[
                "Order {order} failed: \"{item}\" is out of stock",
                "Timeout after {ms}ms, request to {host} given up",
            ],
            &["Order queue full, {count} orders refused"],
        ],
    ),
    (
        "payment-service",
        [
            &["Gateway answered in {ms}ms, body of {count} bytes", "Exchange rates are current"],
            &[
                "Payment of {money} EUR accepted for order {order}",
                "Refund of {money} EUR issued",
                "Invoice for order {order} sent",
            ],
            &[
                "Gateway is slow: {ms}ms, attempt {few} of 5",
                "Payment of {money} EUR needs a review, score {percent}",
            ],
            &[
                "Payment declined: \"insufficient funds\", order {order}",
                "Gateway error: status 502, retried {few} times",
            ],
            &["Circuit breaker open, payments are refused"],
        ],
    ),
    (
        "inventory-service",
        [
            &["Stock of \"{item}\" read from {host}", "Cache refreshed, {count} products"],
            &[
                "Stock of \"{item}\" is {count}",
                "Delivery of {count} items booked",
                "Reserved {few} items for order {order}",
            ],
            &[
                "Stock of \"{item}\" below {percent}",
                "Replica {host} lags by {ms}ms",
                "Disk usage at {percent}% on {host}",
            ],
            &[
                "Stock update lost: deadlock on {host}",
                "Import stopped at row {order}: bad quantity",
            ],
            &["Database {host} is read-only, stock cannot be changed"],
        ],
    ),
];

struct Service {
    name: &'static str,
    messages: [Vec<Template>; Level::ALL.len()],
}

/// All services with their messages, compiled.
pub(super) struct Catalogue(Vec<Service>);

impl Catalogue {
    /// The built-in catalogue.
    pub(super) fn new() -> Self {
        let compile = |texts: &'static [&'static str]| {
            texts.iter().map(|text| Template::compile(text)).collect()
        };
        let services = SERVICES
            .iter()
            .map(|(name, messages)| Service { name, messages: messages.map(compile) });
        Self(services.collect())
    }

    /// Picks a service and one of its messages for the level, which is appended to `message`.
    pub(super) fn draw(
        &self,
        level: Level,
        random: &mut Random,
        values: Values,
        message: &mut Vec<u8>,
    ) -> &'static str {
        let service = random.pick(&self.0);
        random.pick(&service.messages[level as usize]).render(random, values, message);
        service.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_messages_for_every_level_and_knows_every_placeholder() {
        let mut random = Random::new(3);
        let values = Values { user: 12345, duration_ms: 17 };
        for service in &Catalogue::new().0 {
            for messages in &service.messages {
                assert!(!messages.is_empty(), "{}", service.name);
                for template in messages {
                    let mut out = Vec::new();
                    template.render(&mut random, values, &mut out);
                    let text = String::from_utf8(out).unwrap();
                    assert!(!text.contains(['{', '}', '\n', '\\']), "{text}");
                }
            }
        }
        let texts = SERVICES.iter().flat_map(|(_, messages)| messages.iter().copied().flatten());
        for text in texts {
            for name in text.split('{').skip(1).filter_map(|after| after.split_once('}')) {
                assert!(Template::knows(name.0), "{text}");
            }
        }
    }

    #[test]
    fn levels_are_found_in_any_case() {
        assert_eq!(Level::find("info"), Some(Level::Info));
        assert_eq!(Level::find("Warn"), Some(Level::Warning));
        assert_eq!(Level::find("verbose"), None);
    }

    #[test]
    fn durations_grow_with_the_level_and_stay_in_their_range() {
        let mut random = Random::new(5);
        let mut mean = |level: Level| {
            let (first, end) = level.duration_ms();
            let draws: Vec<u32> =
                (0..10_000).map(|_| level.draw_duration_ms(&mut random)).collect();
            assert!(draws.iter().all(|ms| (first..end).contains(ms)));
            draws.iter().sum::<u32>() / 10_000
        };
        let means = Level::ALL.map(&mut mean);
        assert!(means.is_sorted(), "{means:?}");
    }
}
