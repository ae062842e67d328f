//! What a plugin says about itself in a section of its file, to be read without loading it.

/// Major version of the interface. Changes whenever a plugin of before could not work any more; part of the symbol's
/// name.
pub const ABI_MAJOR: u16 = 1;

/// Minor version of the interface. Grows with every addition.
pub const ABI_MINOR: u16 = 4;

/// The name of the ELF section of the manifest: its head and, behind it, a JSON object with `name`, `version` and
/// `components`, a list of objects with `name`, `kind` and `summary`.
pub const SECTION: &str = ".lograil";

/// The one exported function: `const lr_plugin *(const lr_host *, lr_error *)`.
pub const SYMBOL: &str = "lograil_plugin_v1";

/// The first four bytes of the section: `LRIL`.
pub const MAGIC: u32 = 0x4C49_524C;

/// Bytes of `target` in the manifest's head.
pub const TARGET_BYTES: usize = 40;

/// The head of the section that holds the manifest: see `LR_MANIFEST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct ManifestHead {
    /// `LR_MAGIC`.
    pub magic: u32,
    /// `LR_ABI_MAJOR` it was built for.
    pub abi_major: u16,
    /// Oldest `LR_ABI_MINOR` of a host that will do.
    pub abi_minor: u16,
    /// 64.
    pub pointer_bits: u32,
    /// 1: little.
    pub endian: u32,
    /// Bytes of the JSON behind the head.
    pub json_len: u32,
    /// Zero.
    pub reserved: u32,
    /// What it was built for, such as `x86_64-linux`, padded with zeros.
    pub target: [u8; TARGET_BYTES],
}

const _: () = assert!(size_of::<ManifestHead>() == 64);
