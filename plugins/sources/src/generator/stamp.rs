//! A timestamp as text, in UTC: the date and time are formatted once a second, the milliseconds patched in.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::template::digits;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// `2025-05-14T10:23:45.042Z`, kept up to date.
pub(super) struct Stamp {
    text: [u8; 24],
    /// The second the text stands for.
    second: i64,
}

impl Stamp {
    /// A stamp with `separator` between date and time, at the Unix epoch.
    pub(super) fn new(separator: u8) -> Self {
        let mut text = *b"1970-01-01T00:00:00.000Z";
        text[10] = separator;
        Self { text, second: 0 }
    }

    /// Sets the time.
    #[inline]
    pub(super) fn set(&mut self, time_ns: i64) {
        let second = time_ns.div_euclid(1_000_000_000);
        if second != self.second {
            self.format(second);
        }
        let ms = time_ns.rem_euclid(1_000_000_000) as u32 / 1_000_000;
        self.text[20..23].copy_from_slice(&digits::<3>(ms));
    }

    #[cold]
    fn format(&mut self, second: i64) {
        self.second = second;
        // Nanoseconds in 64 bits end in 2262, far within what jiff knows.
        let time = Timestamp::from_second(second).unwrap_or_default();
        let time = TimeZone::UTC.to_datetime(time);
        self.text[..4].copy_from_slice(&digits::<4>(time.year().unsigned_abs().into()));
        for (at, value) in [
            (5, time.month()),
            (8, time.day()),
            (11, time.hour()),
            (14, time.minute()),
            (17, time.second()),
        ] {
            self.text[at..at + 2].copy_from_slice(&digits::<2>(value.unsigned_abs().into()));
        }
    }

    /// `2025-05-14T10:23:45`.
    #[inline]
    pub(super) fn to_seconds(&self) -> &[u8; 19] {
        self.text.first_chunk().unwrap_or(b"1970-01-01T00:00:00")
    }

    /// `2025-05-14T10:23:45.042Z`.
    #[inline]
    pub(super) fn to_milliseconds(&self) -> &[u8; 24] {
        &self.text
    }

    /// `14/May/2025:10:23:45 +0000`, as web servers write it.
    pub(super) fn to_access(&self) -> [u8; 26] {
        let mut access = *b"01/Jan/1970:00:00:00 +0000";
        access[..2].copy_from_slice(&self.text[8..10]);
        let month = usize::from(self.text[5] - b'0') * 10 + usize::from(self.text[6] - b'0');
        access[3..6].copy_from_slice(MONTHS[month.clamp(1, 12) - 1]);
        access[7..11].copy_from_slice(&self.text[..4]);
        access[12..20].copy_from_slice(&self.text[11..19]);
        access
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_time_forwards_and_backwards() {
        let mut stamp = Stamp::new(b'T');
        for (time_ns, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_747_218_225_042_999_999, "2025-05-14T10:23:45.042Z"),
            (1_747_218_225_999_000_000, "2025-05-14T10:23:45.999Z"),
            (1_747_218_226_000_000_000, "2025-05-14T10:23:46.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MAX, "2262-04-11T23:47:16.854Z"),
        ] {
            stamp.set(time_ns);
            assert_eq!(stamp.to_milliseconds(), text.as_bytes());
            assert_eq!(stamp.to_seconds(), &text.as_bytes()[..19]);
        }
    }

    #[test]
    fn web_servers_write_it_with_the_name_of_the_month() {
        let mut stamp = Stamp::new(b'T');
        stamp.set(1_747_218_225_042_999_999);
        assert_eq!(&stamp.to_access(), b"14/May/2025:10:23:45 +0000");
        stamp.set(-1);
        assert_eq!(&stamp.to_access(), b"31/Dec/1969:23:59:59 +0000");
    }
}
