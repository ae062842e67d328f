//! As much of the ELF format as finding one section takes, and what of a file is loaded. Every offset is checked: the file
//! may be anything.

use std::ops::Range;

/// What the header of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elf<'a> {
    file: &'a [u8],
    /// `e_machine`.
    pub machine: u16,
}

const IDENTITY_64_LITTLE: &[u8] = b"\x7fELF\x02\x01";
const SHARED_OBJECT: u16 = 3;
const NO_CONTENT: u32 = 8;
const LOADED_SEGMENT: u32 = 1;
const SECTION_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(file.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(file.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn offset_at(file: &[u8], at: usize) -> Option<usize> {
    let bytes = file.get(at..at.checked_add(8)?)?.try_into().ok()?;
    usize::try_from(u64::from_le_bytes(bytes)).ok()
}

impl<'a> Elf<'a> {
    /// The header, or what is wrong with it.
    pub fn parse(file: &'a [u8]) -> Result<Self, &'static str> {
        if !file.starts_with(b"\x7fELF") {
            return Err("it is no ELF file");
        }
        if !file.starts_with(IDENTITY_64_LITTLE) {
            return Err("it is no 64-bit little-endian ELF file");
        }
        if u16_at(file, 16) != Some(SHARED_OBJECT) {
            return Err("it is no shared library");
        }
        let machine = u16_at(file, 18).ok_or("it is cut short")?;
        Ok(Self { file, machine })
    }

    /// The name of the machine it was built for.
    pub fn machine_name(&self) -> String {
        match self.machine {
            3 => "x86".to_owned(),
            40 => "arm".to_owned(),
            62 => "x86_64".to_owned(),
            183 => "aarch64".to_owned(),
            243 => "riscv".to_owned(),
            other => format!("machine {other}"),
        }
    }

    /// The content of a section.
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.file.get(self.section_range(name)?)
    }

    /// Where in the file a section is.
    pub fn section_range(&self, name: &str) -> Option<Range<usize>> {
        let sections = self.sections()?;
        let names = self.file.get(self.range_at(sections.entry(sections.names)?)?)?;
        (0..sections.count).find_map(|index| {
            let entry = sections.entry(index)?;
            let at = u32_at(self.file, entry)? as usize;
            let found = names.get(at..)?.split(|byte| *byte == 0).next()?;
            if found == name.as_bytes() { self.range_at(entry) } else { None }
        })
    }

    fn sections(&self) -> Option<Table> {
        let names = usize::from(u16_at(self.file, 62)?);
        Table::read(self.file, 40, 58, SECTION_BYTES).map(|table| Table { names, ..table })
    }

    /// The content of the section of this entry.
    fn range_at(&self, entry: usize) -> Option<Range<usize>> {
        if u32_at(self.file, entry.checked_add(4)?)? == NO_CONTENT {
            return None;
        }
        let offset = offset_at(self.file, entry.checked_add(24)?)?;
        let len = offset_at(self.file, entry.checked_add(32)?)?;
        Some(offset..offset.checked_add(len)?)
    }

    /// The list of sections, of a file of which only the header may be there.
    pub fn section_table(&self) -> Option<Range<usize>> {
        self.sections()?.range()
    }

    /// The names of the sections, of a file of which only the header and the list of sections may be there.
    pub fn section_names(&self) -> Option<Range<usize>> {
        let sections = self.sections()?;
        self.range_at(sections.entry(sections.names)?)
    }

    /// The list of segments, of a file of which only the header may be there.
    pub fn segment_table(&self) -> Option<Range<usize>> {
        Table::read(self.file, 32, 54, SEGMENT_BYTES)?.range()
    }

    /// What the system's loader maps, of a file of which only the header and the list of segments may be there.
    pub fn segments(&self) -> Option<Vec<Range<usize>>> {
        let table = Table::read(self.file, 32, 54, SEGMENT_BYTES)?;
        let mut loaded = Vec::new();
        for index in 0..table.count {
            let entry = table.entry(index)?;
            let offset = offset_at(self.file, entry.checked_add(8)?)?;
            let len = offset_at(self.file, entry.checked_add(32)?)?;
            // Others lie within those that are loaded, or are read by nobody.
            if u32_at(self.file, entry)? == LOADED_SEGMENT {
                loaded.push(offset..offset.checked_add(len)?);
            }
        }
        Some(loaded)
    }
}

/// A list of entries of one length.
struct Table {
    first: usize,
    entry_bytes: usize,
    count: usize,
    /// The entry of the section that holds the names of all.
    names: usize,
}

impl Table {
    /// `at` is where its place stands in the header, `sizes` where the length of an entry and their number do.
    fn read(file: &[u8], at: usize, sizes: usize, entry_bytes_min: usize) -> Option<Self> {
        let first = offset_at(file, at)?;
        let entry_bytes = usize::from(u16_at(file, sizes)?);
        let count = usize::from(u16_at(file, sizes + 2)?);
        (entry_bytes >= entry_bytes_min).then_some(Self { first, entry_bytes, count, names: 0 })
    }

    fn entry(&self, index: usize) -> Option<usize> {
        self.first.checked_add(index.checked_mul(self.entry_bytes)?)
    }

    fn range(&self) -> Option<Range<usize>> {
        Some(self.first..self.entry(self.count)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn finds_the_sections_of_this_very_test() {
        let file = own();
        let elf = Elf::parse(&file).unwrap();
        assert_eq!(elf.machine_name(), std::env::consts::ARCH);
        assert!(!elf.section(".text").unwrap().is_empty());
        assert!(elf.section(".absent").is_none());
        assert!(elf.section(".bss").is_none());
        let is_loaded = |name: &str| {
            let section = elf.section_range(name).unwrap();
            let segments = elf.segments().unwrap();
            segments.iter().any(|one| one.start <= section.start && section.end <= one.end)
        };
        assert!(is_loaded(".text") && is_loaded(".rodata") && !is_loaded(".symtab"));
        let (table, names) = (elf.section_table().unwrap(), elf.section_names().unwrap());
        assert!(table.end <= file.len() && file[names].windows(6).any(|name| name == b".text\0"));
    }

    #[test]
    fn damaged_files_are_refused_or_read_but_never_crash() {
        let whole = own();
        let (headers, table) = (64, offset_at(&whole, 40).unwrap());
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let mut file = whole.clone();
        for _ in 0..20_000 {
            let at =
                if random(2) == 0 { random(headers) } else { table + random(whole.len() - table) };
            let before = file[at];
            file[at] = random(256) as u8;
            if let Ok(elf) = Elf::parse(&file) {
                let _found = elf.section(".text");
                let _more = (elf.segments(), elf.section_table(), elf.section_names());
            }
            file[at] = before;
        }
        for len in (0..200).chain([table, table + 100]) {
            if let Ok(elf) = Elf::parse(&whole[..len]) {
                assert!(elf.section(".text").is_none(), "{len}");
            }
        }
    }
}
