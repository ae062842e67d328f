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
