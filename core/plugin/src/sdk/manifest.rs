//! The manifest of a Rust plugin, put together by the compiler, so that it stands in the file.

use lograil_abi::{ABI_MAJOR, ABI_MINOR, MAGIC, ManifestHead, TARGET_BYTES};

use crate::spec::ComponentSpec;

/// The content of the manifest section; `N` bytes of JSON.
#[repr(C)]
pub struct Manifest<const N: usize> {
    head: ManifestHead,
    json: [u8; N],
}

impl<const N: usize> Manifest<N> {
    /// The manifest of a plugin with these components.
    #[must_use]
    pub const fn new(name: &str, version: &str, components: &[ComponentSpec]) -> Self {
        let mut out = Writer { bytes: [0; N], len: 0 };
        out.document(name, version, components);
        let head = ManifestHead {
            magic: MAGIC,
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            pointer_bits: usize::BITS,
            endian: if cfg!(target_endian = "little") { 1 } else { 2 },
            json_len: N as u32,
            reserved: 0,
            target: target(),
        };
        Self { head, json: out.bytes }
    }
}

/// Bytes of the JSON of a manifest.
#[must_use]
pub const fn json_len(name: &str, version: &str, components: &[ComponentSpec]) -> usize {
    let mut out = Writer::<0> { bytes: [], len: 0 };
    out.document(name, version, components);
    out.len
}

const TARGET: &str = if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
    "x86_64-linux"
} else if cfg!(all(target_arch = "aarch64", target_os = "linux")) {
    "aarch64-linux"
} else {
    "other"
};

const fn target() -> [u8; TARGET_BYTES] {
    let mut padded = [0; TARGET_BYTES];
    let text = TARGET.as_bytes();
    let mut at = 0;
    while at < text.len() {
        padded[at] = text[at];
        at += 1;
    }
    padded
}

/// Writes JSON, or with no room at all only counts.
struct Writer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Writer<N> {
    const fn document(&mut self, name: &str, version: &str, components: &[ComponentSpec]) {
        self.plain("{\"name\":");
        self.quoted(name);
        self.plain(",\"version\":");
        self.quoted(version);
        self.plain(",\"components\":[");
        let mut at = 0;
        while at < components.len() {
            self.plain(if at == 0 { "{\"name\":" } else { ",{\"name\":" });
            self.quoted(components[at].name);
            self.plain(",\"kind\":");
            self.quoted(components[at].kind().name());
            self.plain(",\"summary\":");
            self.quoted(components[at].summary);
            self.plain("}");
            at += 1;
        }
        self.plain("]}");
    }

    const fn plain(&mut self, text: &str) {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() {
            self.byte(text[at]);
            at += 1;
        }
    }

    const fn quoted(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let text = text.as_bytes();
        self.byte(b'"');
        let mut at = 0;
        while at < text.len() {
            match text[at] {
                byte @ (b'"' | b'\\') => {
                    self.byte(b'\\');
                    self.byte(byte);
                }
                byte @ 0..0x20 => {
                    self.plain("\\u00");
                    self.byte(HEX[(byte >> 4) as usize]);
                    self.byte(HEX[(byte & 15) as usize]);
                }
                byte => self.byte(byte),
            }
            at += 1;
        }
        self.byte(b'"');
    }

    const fn byte(&mut self, byte: u8) {
        if N > 0 {
            self.bytes[self.len] = byte;
        }
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Build, no_claims, no_ports};
    use crate::{Outputs, Threading, Transform};

    struct Pass;

    impl Transform for Pass {
        fn process(&mut self, batch: lograil_event::Batch, out: &mut Outputs) {
            out.emit(batch);
        }
    }

    const SPEC: ComponentSpec = ComponentSpec {
        name: "acme.pass",
        summary: "Says \"yes\"\n\\ to ключ.",
        manual: "",
        schema: || serde_json::json!({}),
        ports: no_ports,
        claims: no_claims,
        threading: Threading::Async,
        build: Build::Transform(&|_| Ok(Box::new(Pass))),
    };
    const SPECS: &[ComponentSpec] = &[SPEC, SPEC];
    static MANIFEST: Manifest<{ json_len("acme", "1.2.3", SPECS) }> =
        Manifest::new("acme", "1.2.3", SPECS);

    #[test]
    fn a_manifest_made_by_the_compiler_is_json() {
        let json: serde_json::Value = serde_json::from_slice(&MANIFEST.json).unwrap();
        assert_eq!(json["name"], "acme");
        assert_eq!(json["version"], "1.2.3");
        assert_eq!(json["components"][1]["name"], "acme.pass");
        assert_eq!(json["components"][1]["kind"], "transform");
        assert_eq!(json["components"][0]["summary"], SPEC.summary);
        assert_eq!(MANIFEST.head.json_len as usize, MANIFEST.json.len());
        assert_eq!(MANIFEST.head.magic.to_le_bytes(), *b"LRIL");
    }
}
