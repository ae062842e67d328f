//! Escapes of string literals, and timestamps as RFC 3339 (<https://www.rfc-editor.org/rfc/rfc3339>).

use lograil_codec::time::write_rfc3339;

use crate::error::ExprError;

/// Resolves the escapes of a `"..."` literal that starts at byte `offset` of the source.
pub(crate) fn unescape(text: &str, offset: usize) -> Result<String, ExprError> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(escape) = chars.next() else { break };
        match escape {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            '0' => out.push('\0'),
            '"' | '\'' | '\\' | '{' | '}' => out.push(escape),
            '\n' => {
                chars = chars.as_str().trim_start().chars();
            }
            'u' => {
                let rest = chars.as_str();
                let parsed = braced_hex(rest);
                let Some((code, len)) = parsed else {
                    let from = offset + text.len() - rest.len() - 2;
                    return Err(ExprError::new(from..from + 2, "not a Unicode escape")
                        .help("write the code point in hexadecimal: `\\u{1F600}`"));
                };
                out.push(code);
                chars = rest[len..].chars();
            }
            _ => {
                let from = offset + text.len() - chars.as_str().len() - escape.len_utf8() - 1;
                let span = from..from + 1 + escape.len_utf8();
                return Err(ExprError::new(span, format!("unknown escape `\\{escape}`"))
                    .help("write a backslash as `\\\\`, or use a raw string s'...'"));
            }
        }
    }
    Ok(out)
}

/// `{1F600}` at the start of `text`, and its length.
fn braced_hex(text: &str) -> Option<(char, usize)> {
    let end = text.find('}').filter(|end| (2..=7).contains(end))?;
    let digits = text.strip_prefix('{')?.get(..end - 1)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let code = u32::from_str_radix(digits, 16).ok()?;
    Some((char::from_u32(code)?, end + 1))
}

/// Raw literals know one escape: the quote.
pub(crate) fn unescape_raw(text: &str) -> String {
    text.replace("\\'", "'")
}

/// A timestamp as RFC 3339 in UTC, as JSON has it.
pub(crate) fn format_timestamp(ns: i64) -> String {
    let mut text = Vec::with_capacity(30);
    write_rfc3339(ns, &mut text);
    text.into_iter().map(char::from).collect()
}
