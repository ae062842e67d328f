//! As much of the ELF format as finding one section takes. Every offset is checked: the file may be anything.

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
        let table = offset_at(self.file, 40)?;
        let entry_size = usize::from(u16_at(self.file, 58)?);
        let count = usize::from(u16_at(self.file, 60)?);
        let names_index = usize::from(u16_at(self.file, 62)?);
        if entry_size < 64 {
            return None;
        }
        let header = |index: usize| table.checked_add(index.checked_mul(entry_size)?);
        let content = |index: usize| -> Option<&'a [u8]> {
            let at = header(index)?;
            if u32_at(self.file, at.checked_add(4)?)? == NO_CONTENT {
                return None;
            }
            let offset = offset_at(self.file, at.checked_add(24)?)?;
            let len = offset_at(self.file, at.checked_add(32)?)?;
            self.file.get(offset..offset.checked_add(len)?)
        };
        let names = content(names_index)?;
        (0..count).find_map(|index| {
            let at = u32_at(self.file, header(index)?)? as usize;
            let found = names.get(at..)?.split(|byte| *byte == 0).next()?;
            if found == name.as_bytes() { content(index) } else { None }
        })
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
