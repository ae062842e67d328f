//! Compresses the files of the page and lists them, so that the program carries them inside.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Folders of the page, and where the server has them.
const FOLDERS: [(&str, &str); 2] = [("page/ui", "/ui"), ("page/docs", "/docs")];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=page");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    let out = Path::new(&out);
    let mut table = String::from("&[\n");
    add(Path::new("page/index.html"), "/", out, &mut table)?;
    for (folder, path) in FOLDERS {
        let mut files: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        for file in files {
            let name = file.file_name().to_string_lossy().into_owned();
            let path =
                if name == "index.html" { path.to_owned() } else { format!("{path}/{name}") };
            add(&file.path(), &path, out, &mut table)?;
        }
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table)
}

fn add(file: &Path, path: &str, out: &Path, table: &mut String) -> io::Result<()> {
    let content = fs::read(file)?;
    let mut checksum = flate2::Crc::new();
    checksum.update(&content);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&content)?;
    let compressed = out.join(format!("{}.gz", path.replace('/', "_")));
    fs::write(&compressed, encoder.finish()?)?;
    let media_type = match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        other => return Err(io::Error::other(format!("{}: what is {other:?}?", file.display()))),
    };
    let tag = format!("\"{:08x}{:x}\"", checksum.sum(), content.len());
    writeln!(
        table,
        "Asset {{ path: {path:?}, media_type: {media_type:?}, tag: {tag:?}, compressed: include_bytes!({compressed:?}) }},"
    )
    .map_err(io::Error::other)
}
