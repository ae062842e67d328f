//! `oracle stream=app seq=42 pad=xxxxx sum=0123456789abcdef`: plain ASCII that needs no escape in any
//! encoding, so that a line is found again inside JSON or behind a prefix.

const START: &[u8] = b"oracle stream=";
const SUM: &[u8] = b" sum=";
const SUM_LEN: usize = 16;
/// Longest padding; lines differ in length so that blocks end at every place of a line.
const PAD_MAX: u64 = 160;

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Which writer wrote it.
    pub stream: &'a str,
    /// Its number, from 0.
    pub seq: u64,
}

/// FNV-1a, 64 bits.
fn sum_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Appends line `seq` of a stream, with its newline. A stream's name is ASCII without spaces.
pub fn write_line(out: &mut Vec<u8>, stream: &str, seq: u64) {
    let start = out.len();
    out.extend_from_slice(START);
    out.extend_from_slice(format!("{stream} seq={seq} pad=").as_bytes());
    let pad = sum_of(&seq.to_le_bytes());
    let letters = (0..pad % PAD_MAX).map(|index| b'a' + ((pad >> (index % 32)) & 15) as u8);
    out.extend(letters);
    let sum = sum_of(&out[start..]);
    out.extend_from_slice(SUM);
    out.extend_from_slice(format!("{sum:016x}\n").as_bytes());
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The one whole line inside `bytes`; `None` if there is none, a damaged one, or more than one.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Line<'_>> {
    let bytes = &bytes[find(bytes, START)?..];
    let body_len = find(bytes, SUM)?;
    let sum = bytes.get(body_len + SUM.len()..)?.get(..SUM_LEN)?;
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    let rest = &bytes[body_len + SUM.len() + SUM_LEN..];
    if sum != sum_of(&bytes[..body_len]) || find(rest, b"oracle").is_some() {
        return None;
    }
    let body = std::str::from_utf8(&bytes[START.len()..body_len]).ok()?;
    let (stream, rest) = body.split_once(" seq=")?;
    let (seq, _) = rest.split_once(" pad=")?;
    Some(Line { stream, seq: seq.parse().ok()? })
}
