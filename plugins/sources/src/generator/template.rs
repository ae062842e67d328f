//! Message templates: text with placeholders, compiled once and filled without allocating.

use super::random::Random;

const ITEMS: [&str; 6] = [
    "USB-C cable, 2 m",
    "Monitor 27\" IPS",
    "Desk lamp",
    "Notebook, A5, \"dotted\"",
    "Keyboard",
    "Headphones, wireless",
];
const PATHS: [&str; 6] =
    ["/api/users", "/api/orders", "/api/cart", "/api/search", "/login", "/health"];
const HOSTS: [&str; 4] = ["db-1", "db-2", "cache-1", "queue-1"];

/// The values an event has that its message may repeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    /// Number of the user.
    pub(super) user: u32,
    /// How long the operation took.
    pub(super) duration_ms: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Text(&'static str),
    User,
    DurationMs,
    /// A number from the first to below the second.
    Number(u32, u32),
    Money,
    Ip,
    Item,
    Path,
    Host,
}

/// A message with placeholders.
#[derive(Debug, Clone)]
pub(super) struct Template(Vec<Part>);

impl Template {
    /// Compiles a text; a placeholder is a known name in braces, anything else stands for itself.
    pub(super) fn compile(mut text: &'static str) -> Self {
        let mut parts = Vec::new();
        while let Some((before, after)) = text.split_once('{') {
            let Some((name, rest)) = after.split_once('}') else { break };
            if !before.is_empty() {
                parts.push(Part::Text(before));
            }
            parts.push(placeholder(name).unwrap_or(Part::Text(name)));
            text = rest;
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Self(parts)
    }

    /// Whether a placeholder has this name.
    #[cfg(test)]
    pub(super) fn knows(name: &str) -> bool {
        placeholder(name).is_some()
    }

    /// Appends the message.
    pub(super) fn render(&self, random: &mut Random, values: Values, out: &mut Vec<u8>) {
        for part in &self.0 {
            match *part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::User => write_number(values.user, out),
                Part::DurationMs => write_number(values.duration_ms, out),
                Part::Number(first, end) => write_number(first + random.below(end - first), out),
                Part::Money => {
                    write_number(1 + random.below(500), out);
                    out.push(b'.');
                    out.extend_from_slice(&digits::<2>(random.below(100)));
                }
                Part::Ip => write_ip(random, out),
                Part::Item => out.extend_from_slice(random.pick(&ITEMS).as_bytes()),
                Part::Path => out.extend_from_slice(random.pick(&PATHS).as_bytes()),
                Part::Host => out.extend_from_slice(random.pick(&HOSTS).as_bytes()),
            }
        }
    }
}

fn placeholder(name: &str) -> Option<Part> {
    Some(match name {
        "user" => Part::User,
        "ms" => Part::DurationMs,
        "few" => Part::Number(2, 6),
        "percent" => Part::Number(60, 100),
        "count" => Part::Number(10, 1000),
        "order" => Part::Number(100_000, 1_000_000),
        "money" => Part::Money,
        "ip" => Part::Ip,
        "item" => Part::Item,
        "path" => Part::Path,
        "host" => Part::Host,
        _ => return None,
    })
}

/// An address of the private network 10.0.0.0/8, which belongs to nobody.
fn write_ip(random: &mut Random, out: &mut Vec<u8>) {
    let bits = random.bits();
    out.extend_from_slice(b"10");
    for shift in [0, 8, 16] {
        out.push(b'.');
        write_number((bits >> shift) as u32 & 0xFF, out);
    }
}

/// Appends a number in decimal.
#[inline]
pub(super) fn write_number(number: u32, out: &mut Vec<u8>) {
    let text = digits::<10>(number);
    let len = number.checked_ilog10().unwrap_or(0) as usize + 1;
    out.extend_from_slice(&text[10 - len..]);
}

/// The last `N` decimal digits of a number.
#[inline]
pub(super) fn digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut text = [b'0'; N];
    for digit in text.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &'static str) -> String {
        let values = Values { user: 67890, duration_ms: 142 };
        let mut out = Vec::new();
        Template::compile(text).render(&mut Random::new(1), values, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn placeholders_are_filled_and_other_text_stays() {
        assert_eq!(render("User {user} took {ms}ms"), "User 67890 took 142ms");
        assert_eq!(render("no placeholder"), "no placeholder");
        assert_eq!(render("open { brace"), "open { brace");
        let few = render("{few}");
        assert!((2..6).contains(&few.parse::<u32>().unwrap()), "{few}");
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 9, 10, 12_345, u32::MAX] {
            let mut out = Vec::new();
            write_number(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
        assert_eq!(&digits::<5>(42), b"00042");
    }
}
