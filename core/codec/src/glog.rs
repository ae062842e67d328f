//! The log format of Google's libraries (glog, klog): `I0102 15:04:05.678901   12345 main.go:23] text`:
//! <https://pkg.go.dev/k8s.io/klog/v2>.

use crate::civil::{Civil, Zone, read_clock, read_pair};
use crate::quoted::{find_byte, read_number, skip};
use crate::row::{Expected, Part, Row, RowParser, Value, names};

const WORDS: &[u8] = b"infowarningerrorfatal";

/// The parser of glog.
#[derive(Debug)]
pub struct Glog {
    zone: Zone,
    columns: Vec<String>,
}

impl Glog {
    /// A parser; the lines do not name their zone.
    #[must_use]
    pub fn new(zone: Zone) -> Self {
        Self { zone, columns: names(&["level", "timestamp", "id", "file", "line", "message"]) }
    }

    /// The time that starts at `at`, with a year or without; and the position behind it.
    fn read_time(&self, text: &[u8], at: usize, now_ns: i64) -> Option<(i64, usize)> {
        let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (year, date) = match digits {
            4 => (None, at),
            8 => (Some(read_number(&text[..at + 4], at, 4, 4)?.0), at + 4),
            _ => return None,
        };
        let (month, day) = (read_pair(text, date)?, read_pair(text, date + 2)?);
        let clock = (text.get(date + 4) == Some(&b' ')).then_some(date + 5)?;
        let ([hour, minute, second, nanos], end) = read_clock(text, clock)?;
        let civil =
            Civil { year: year.unwrap_or_default(), month, day, hour, minute, second, nanos };
        let instant = match year {
            Some(_) => self.zone.instant(civil),
            None => self.zone.instant_near(civil, now_ns),
        };
        Some((instant?, end))
    }
}

impl RowParser for Glog {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn words(&self) -> &'static [u8] {
        WORDS
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        let level = match text.first() {
            Some(b'I') => Part::word(0, 4),
            Some(b'W') => Part::word(4, 11),
            Some(b'E') => Part::word(11, 16),
            Some(b'F') => Part::word(16, 21),
            _ => return Err(Expected::new("`I`, `W`, `E` or `F`", 0)),
        };
        row.push(0, Value::Text(level));
        let time = self.read_time(text, 1, row.now_ns);
        let (instant, end) = time.ok_or(Expected::new("a time as `0102 15:04:05.678901`", 1))?;
        row.timestamp_ns = Some(instant);
        row.push(1, Value::Text(Part::source(1, end).clean()));
        let at = skip(text, end, b' ');
        let id = read_number(text, at, 1, 18).ok_or(Expected::new("the number of a thread", at))?;
        row.push(2, Value::Int(id.0));
        let file_at = skip(text, id.1, b' ');
        let end = find_byte(text, file_at, b']');
        let colon = memchr::memrchr(b':', &text[file_at..end]).map(|offset| file_at + offset);
        let colon = colon.ok_or(Expected::new("a file, `:`, a line and `]`", file_at))?;
        let line = read_number(text, colon + 1, 1, 18).filter(|(_, last)| *last == end);
        let line = line.ok_or(Expected::new("the number of a line", colon + 1))?.0;
        if end == text.len() {
            return Err(Expected::new("`]`", end));
        }
        row.push_text(3, file_at, colon);
        row.push(4, Value::Int(line));
        let start = end + 1 + usize::from(text.get(end + 1) == Some(&b' '));
        row.push_text(5, start, text.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
