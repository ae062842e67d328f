//! NDJSON of about 240 bytes and 9.3 fields a line: 30 % with a nested object, 4 % with escapes, 7 % with a
//! status of 500 or more. The same seed gives the same bytes.

use std::fmt::Write;

/// Which orders of keys the lines have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shapes {
    /// One order; the nested object is there or not.
    One,
    /// Six orders in random turn.
    SixShuffled,
}

/// A small generator of pseudo-random numbers: xorshift64*.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % bound
    }

    /// One of the texts.
    pub fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

/// Number of fields that every line has.
const FIELDS: usize = 9;

/// Blocks of at most `lines` lines each, every line ended by a newline.
#[must_use]
pub fn ndjson(shapes: Shapes, blocks: usize, lines: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(0x10C5_0F11);
    let orders: Vec<[usize; FIELDS]> = (0..6).map(|_| shuffled(&mut random)).collect();
    let mut block = || {
        let mut text = String::new();
        for _ in 0..lines {
            let order = match shapes {
                Shapes::One => [0, 1, 2, 3, 4, 5, 6, 7, 8],
                Shapes::SixShuffled => orders[random.below(orders.len())],
            };
            write_line(&mut random, order, &mut text);
        }
        text.into_bytes()
    };
    (0..blocks).map(|_| block()).collect()
}

fn shuffled(random: &mut Random) -> [usize; FIELDS] {
    let mut order = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    for at in (1..FIELDS).rev() {
        order.swap(at, random.below(at + 1));
    }
    order
}

fn write_line(random: &mut Random, order: [usize; FIELDS], out: &mut String) {
    let nested_behind = (random.below(100) < 30).then(|| order[4]);
    out.push('{');
    for (position, field) in order.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_field(random, field, out);
        if nested_behind == Some(field) {
            let (method, bytes) = (random.pick(&["GET", "POST", "PUT"]), random.below(100_000));
            // Writing into a string cannot fail.
            let _ = write!(out, ",\"http\":{{\"method\":\"{method}\",\"bytes\":{bytes}}}");
        }
    }
    out.push_str("}\n");
}

fn write_field(random: &mut Random, field: usize, out: &mut String) {
    let written = match field {
        0 => {
            let (minute, second, ms) = (random.below(60), random.below(60), random.below(1000));
            write!(out, "\"timestamp\":\"2026-03-01T12:{minute:02}:{second:02}.{ms:03}Z\"")
        }
        1 => write!(out, "\"level\":\"{}\"", random.pick(&["info", "info", "warn", "error"])),
        2 => write!(out, "\"service\":\"{}\"", random.pick(&["checkout", "search", "login"])),
        3 => write!(out, "\"host\":\"web-{:02}\"", random.below(40)),
        4 => write!(out, "\"message\":\"{}\"", message(random)),
        5 => {
            let status = if random.below(100) < 7 { 500 + random.below(4) } else { 200 };
            write!(out, "\"status\":{status}")
        }
        6 => write!(out, "\"duration_ms\":{}.{:03}", random.below(900), random.below(1000)),
        7 => write!(out, "\"request_id\":\"{:016x}\"", random.below(usize::MAX)),
        _ => write!(out, "\"user\":{}", random.below(1_000_000)),
    };
    debug_assert!(written.is_ok(), "writing into a string cannot fail");
}

fn message(random: &mut Random) -> &'static str {
    if random.below(100) < 4 {
        return random
            .pick(&["cannot read \\\"cart\\\"\\n\\tat line 7", "path C:\\\\data\\u00e9 is gone"]);
    }
    random.pick(&[
        "request served from the cache",
        "order accepted for payment",
        "session of the user was renewed by token",
        "upstream took longer than usual to answer, retried",
    ])
}
