//! A packet: the events of one request, which may be sent again, or in two halves.
//!
//! **Invariant:** every event of a packet is known by its place in the batches since the last commit.

use bytes::{BufMut, Bytes, BytesMut};

/// What stands around the events in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// Each event is a line, below a header.
    Lines { header: Vec<u8> },
    /// The events without their line ends.
    Around { prefix: Vec<u8>, separator: Vec<u8>, suffix: Vec<u8> },
}

/// Where an event comes from, and where its line ends in the packet's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The batch, counted from the last commit.
    pub batch: usize,
    /// The event's index in it.
    pub event: usize,
    end: usize,
}

/// Events that are sent together.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    /// The events' lines, and perhaps those of others before and behind them.
    text: Bytes,
    start: usize,
    places: Vec<Place>,
    /// The same whenever it is sent.
    pub key: String,
}

impl Packet {
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The whole body.
    pub fn body(&self, frame: &Frame) -> Bytes {
        let end = self.places.last().map_or(self.start, |place| place.end);
        match frame {
            Frame::Lines { header } if header.is_empty() => self.text.slice(self.start..end),
            Frame::Lines { header } => [header, &self.text[self.start..end]].concat().into(),
            Frame::Around { prefix, separator, suffix } => {
                let mut body =
                    BytesMut::with_capacity(end - self.start + prefix.len() + suffix.len());
                body.put_slice(prefix);
                let mut start = self.start;
                for (index, place) in self.places.iter().enumerate() {
                    if index > 0 {
                        body.put_slice(separator);
                    }
                    let line = &self.text[start..place.end];
                    body.put_slice(line.strip_suffix(b"\n").unwrap_or(line));
                    start = place.end;
                }
                body.put_slice(suffix);
                body.freeze()
            }
        }
    }

    /// Two halves, each with a key of its own; the packet itself if it is one event.
    pub fn split(self) -> Result<[Self; 2], Self> {
        if self.places.len() < 2 {
            return Err(self);
        }
        let mut first = self.places;
        let second = first.split_off(first.len() / 2);
        let middle = first.last().map_or(self.start, |place| place.end);
        Ok([
            Self {
                text: self.text.clone(),
                start: self.start,
                places: first,
                key: format!("{}a", self.key),
            },
            Self { text: self.text, start: middle, places: second, key: format!("{}b", self.key) },
        ])
    }
}

/// Fills packets.
#[derive(Debug, Default)]
pub(super) struct Builder {
    text: BytesMut,
    places: Vec<Place>,
}

impl Builder {
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether an event of this length would be too much beside those that are there.
    pub fn is_full_for(&self, bytes: usize, bytes_max: usize, events_max: usize) -> bool {
        !self.is_empty() && (self.text.len() + bytes > bytes_max || self.places.len() >= events_max)
    }

    /// Adds an event's line.
    pub fn add(&mut self, line: &[u8], batch: usize, event: usize) {
        self.text.extend_from_slice(line);
        self.places.push(Place { batch, event, end: self.text.len() });
    }

    /// What was added, as a packet.
    pub fn take(&mut self, key: String) -> Packet {
        let places = std::mem::take(&mut self.places);
        Packet { text: self.text.split().freeze(), start: 0, places, key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(lines: &[&str]) -> Packet {
        let mut builder = Builder::default();
        for (event, line) in lines.iter().enumerate() {
            builder.add(format!("{line}\n").as_bytes(), 3, event);
        }
        builder.take("k".to_owned())
    }

    #[test]
    fn bodies_are_lines_or_have_a_frame() {
        let packet = packet(&["1", "22", "333"]);
        assert_eq!(packet.body(&Frame::Lines { header: vec![] }), "1\n22\n333\n");
        assert_eq!(packet.body(&Frame::Lines { header: b"h\n".to_vec() }), "h\n1\n22\n333\n");
        let frame = Frame::Around {
            prefix: b"[".to_vec(),
            separator: b", ".to_vec(),
            suffix: b"]".to_vec(),
        };
        assert_eq!(packet.body(&frame), "[1, 22, 333]");
    }

    #[test]
    fn halves_have_all_events_once_and_keys_of_their_own() {
        let lines = Frame::Lines { header: vec![] };
        let [first, second] = packet(&["1", "22", "333"]).split().unwrap();
        assert_eq!((first.body(&lines), second.body(&lines)), ("1\n".into(), "22\n333\n".into()));
        assert_eq!((first.key.as_str(), second.key.as_str()), ("ka", "kb"));
        let [second, third] = second.split().unwrap();
        assert_eq!((second.body(&lines), third.body(&lines)), ("22\n".into(), "333\n".into()));
        assert_eq!((third.places()[0].batch, third.places()[0].event), (3, 2));
        assert!(third.split().is_err());
    }
}
