//! What a plugin says about itself, read from its file without loading it.

use std::path::Path;

use lograil_abi::{ABI_MAJOR, ABI_MINOR, MAGIC, ManifestHead, SECTION};
use serde::Deserialize;

use crate::elf::Elf;
use crate::error::PluginError;

const HEAD_BYTES: usize = size_of::<ManifestHead>();

/// What a plugin says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its component types.
    pub components: Vec<ComponentSummary>,
    /// What it was built for, such as `x86_64-linux`.
    #[serde(skip)]
    pub target: String,
    /// The version of the interface it needs: major, and the oldest minor.
    #[serde(skip)]
    pub abi: (u16, u16),
}

/// A component type of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ComponentSummary {
    /// What `type = "..."` says.
    pub name: String,
    /// `source`, `transform` or `sink`.
    pub kind: String,
    /// One sentence.
    #[serde(default)]
    pub summary: String,
}

/// Reads the manifest of a file and checks that this program could load it. Runs none of its code.
pub fn inspect(path: &Path) -> Result<Manifest, PluginError> {
    let file = std::fs::read(path)
        .map_err(|source| PluginError::Read { path: path.to_owned(), source })?;
    parse(path, &file)
}

pub(crate) fn parse(path: &Path, file: &[u8]) -> Result<Manifest, PluginError> {
    let not_a_plugin =
        |why: &str| PluginError::NotAPlugin { path: path.to_owned(), why: why.to_owned() };
    let elf = Elf::parse(file).map_err(not_a_plugin)?;
    if elf.machine_name() != std::env::consts::ARCH {
        let (path, found) = (path.to_owned(), elf.machine_name());
        return Err(PluginError::Architecture { path, found, expected: std::env::consts::ARCH });
    }
    let section = elf.section(SECTION);
    let section = section.ok_or_else(|| not_a_plugin("it has no section `.lograil`"))?;
    let head = head(section).ok_or_else(|| not_a_plugin("its manifest has no head"))?;
    if head.magic != MAGIC {
        return Err(not_a_plugin("its manifest does not begin with `LRIL`"));
    }
    if head.abi_major != ABI_MAJOR || head.abi_minor > ABI_MINOR {
        return Err(PluginError::Abi {
            path: path.to_owned(),
            found: format!("{}.{}", head.abi_major, head.abi_minor),
            offered: format!("{ABI_MAJOR}.{ABI_MINOR}"),
        });
    }
    let json = section.get(HEAD_BYTES..).and_then(|rest| rest.get(..head.json_len as usize));
    let json = json.ok_or_else(|| not_a_plugin("its manifest is cut short"))?;
    let mut manifest: Manifest = serde_json::from_slice(json)
        .map_err(|error| not_a_plugin(&format!("its manifest cannot be read: {error}")))?;
    let target = head.target.split(|byte| *byte == 0).next().unwrap_or_default();
    manifest.target = String::from_utf8_lossy(target).into_owned();
    manifest.abi = (head.abi_major, head.abi_minor);
    Ok(manifest)
}

fn head(section: &[u8]) -> Option<ManifestHead> {
    let bytes = section.get(..HEAD_BYTES)?;
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    Some(ManifestHead {
        magic: u32_at(0)?,
        abi_major: u16_at(4)?,
        abi_minor: u16_at(6)?,
        pointer_bits: u32_at(8)?,
        endian: u32_at(12)?,
        json_len: u32_at(16)?,
        reserved: u32_at(20)?,
        target: bytes.get(24..)?.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lograil_plugin::spec::{no_claims, no_ports};
    use lograil_plugin::{Build, ComponentSpec, Outputs, Threading, Transform};
    use lograil_testkit::Dice;

    struct Pass;

    impl Transform for Pass {
        fn process(&mut self, batch: lograil_event::Batch, out: &mut Outputs) {
            out.emit(batch);
        }
    }

    const SPEC: ComponentSpec = ComponentSpec {
        name: "acme.pass",
        summary: "Passes.",
        manual: "# acme.pass",
        schema: || serde_json::json!({}),
        ports: no_ports,
        claims: no_claims,
        threading: Threading::Async,
        build: Build::Transform(&|_| Ok(Box::new(Pass))),
    };

    // So that this very test is an ELF file with a manifest.
    lograil_plugin::export_plugin! { name: "acme", version: "1.2.3", components: [SPEC] }

    fn parse_bytes(file: &[u8]) -> Result<Manifest, PluginError> {
        parse(Path::new("mutated.so"), file)
    }

    #[test]
    fn no_mutation_of_a_plugin_makes_the_reader_panic() {
        let mut file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let whole = parse_bytes(&file).unwrap();
        assert_eq!((&*whole.name, &*whole.version), ("acme", "1.2.3"));
        let table = u64::from_le_bytes(file[40..48].try_into().unwrap()) as usize;
        let section = Elf::parse(&file).unwrap().section(SECTION).unwrap();
        let section = section.as_ptr() as usize - file.as_ptr() as usize..;
        let mut dice = Dice::new(4);
        let (mut refused, mut read) = (0, 0);
        for _ in 0..20_000 {
            let at = match dice.below(3) {
                0 => dice.below(64),
                1 => table + dice.below(file.len() - table - 8),
                _ => section.start + dice.below(HEAD_BYTES + 100),
            };
            let before: [u8; 8] = file[at..at + 8].try_into().unwrap();
            let odd = [0, 1, u64::MAX, i64::MAX as u64, file.len() as u64, dice.roll()];
            let value = odd[dice.below(odd.len())].to_le_bytes();
            let len = 1 << dice.below(4);
            file[at..at + len].copy_from_slice(&value[..len]);
            match parse_bytes(&file) {
                Ok(_) => read += 1,
                Err(error) => {
                    assert!(error.to_string().contains("mutated.so"), "{error}");
                    refused += 1;
                }
            }
            file[at..at + 8].copy_from_slice(&before);
        }
        assert!(refused > 1_000 && read > 1_000, "{refused} {read}");
        for len in (0..2_000).chain([table, table + 70, section.start + 64, section.start + 70]) {
            assert!(parse_bytes(&file[..len]).is_err(), "{len}");
        }
    }
}
