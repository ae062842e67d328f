//! `lograil plugin new`: a project that builds and whose tests pass, to be changed into what is wanted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::args::{PluginKind, PluginLanguage, PluginNewArguments};
use crate::exit::Exit;
use crate::output;

const HEADER: &str = include_str!("../../../../abi/include/lograil_plugin.h");

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../scaffold/", $path))
    };
}

/// Longest name; it becomes part of file names.
const NAME_BYTES_MAX: usize = 64;

/// The names that stand in templates, in double braces, and what they become.
struct Names {
    component: String,
    package: String,
    library: String,
}

impl Names {
    /// `acme.redact`, `acme-redact` and `acme_redact`.
    fn new(name: &str) -> anyhow::Result<Self> {
        let is_word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_lowercase())
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let is_good =
            name.len() <= NAME_BYTES_MAX && name.contains('.') && name.split('.').all(is_word);
        if !is_good {
            bail!(
                "`{name}` is not the name of a component: write a name of yours, a dot and what it does, of \
                 small letters, digits and `_`, as in `acme.redact`"
            );
        }
        let (package, library) = (name.replace('.', "-"), name.replace('.', "_"));
        Ok(Self { component: name.to_owned(), package, library })
    }

    fn fill(&self, template: &str, more: &[(&str, &str)]) -> String {
        let mut text = template
            .replace("{{type}}", &self.component)
            .replace("{{crate}}", &self.package)
            .replace("{{lib}}", &self.library);
        for (name, value) in more {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        text
    }
}

pub(super) fn run(arguments: &PluginNewArguments) -> anyhow::Result<Exit> {
    let names = Names::new(&arguments.name)?;
    let directory = PathBuf::from(&names.package);
    let (files, next) = match arguments.lang {
        PluginLanguage::Rust => {
            (rust(&names, arguments.kind, &sdk(arguments)?), rust_steps(&names, arguments.kind))
        }
        PluginLanguage::C => (c(&names, arguments.kind), c_steps(arguments.kind)),
    };
    fs::create_dir(&directory)
        .with_context(|| format!("make the directory {}", directory.display()))?;
    for (name, text) in &files {
        let path = directory.join(name);
        let folder = path.parent().unwrap_or(&directory);
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    let list: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    output::answer(&format!(
        "{}: {}\n\ncd {}\n{next}",
        directory.display(),
        list.join(", "),
        directory.display(),
    ))?;
    Ok(Exit::Success)
}

type Files = Vec<(&'static str, String)>;

fn rust(names: &Names, kind: PluginKind, sdk: &Path) -> Files {
    let sdk = sdk.display().to_string();
    let mut dependencies = "";
    let (code, manual, topology, options) = match kind {
        PluginKind::Source => {
            dependencies = "\ntokio = { version = \"1\", features = [\"macros\"] }";
            (
                template!("rust/source.rs.txt"),
                template!("rust/source.md"),
                template!("source.toml"),
                "\ncount = 3",
            )
        }
        PluginKind::Transform => (
            template!("rust/transform.rs.txt"),
            template!("rust/transform.md"),
            template!("transform.toml"),
            "\nfield = \"greeting\"",
        ),
        PluginKind::Sink => (
            template!("rust/sink.rs.txt"),
            template!("rust/sink.md"),
            template!("sink.toml"),
            "\npath = \"out.txt\"",
        ),
    };
    let library = format!("target/release/lib{}.so", names.library);
    let topology = names.fill(topology, &[("library", &library), ("options", options)]);
    let more = [("sdk", &*sdk), ("dependencies", dependencies)];
    vec![
        ("Cargo.toml", names.fill(template!("rust/Cargo.toml.txt"), &more)),
        ("README.md", names.fill(manual, &[])),
        ("src/lib.rs", names.fill(code, &[])),
        ("try.toml", topology),
        (".gitignore", "/target\n".to_owned()),
    ]
}

fn rust_steps(names: &Names, kind: PluginKind) -> String {
    let (library, trial) = (&names.library, trial(kind));
    format!(
        "cargo test\ncargo build --release\nlograil plugin check target/release/lib{library}.so\n{trial}\n"
    )
}

/// Runs the project's topology; what has no source of its own is given an event.
fn trial(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Source => "lograil run --once try.toml",
        PluginKind::Transform | PluginKind::Sink => "echo hi | lograil run --once try.toml",
    }
}

fn c(names: &Names, kind: PluginKind) -> Files {
    let (name, code, topology) = match kind {
        PluginKind::Source => ("source.c", template!("c/source.c.txt"), template!("source.toml")),
        PluginKind::Transform => {
            ("transform.c", template!("c/transform.c.txt"), template!("transform.toml"))
        }
        PluginKind::Sink => ("sink.c", template!("c/sink.c.txt"), template!("sink.toml")),
    };
    let trial = match kind {
        PluginKind::Transform => "$(LOGRAIL) test try.toml",
        PluginKind::Source | PluginKind::Sink => "$(LOGRAIL) check try.toml",
    };
    let library = format!("{}.so", names.library);
    let topology = names.fill(topology, &[("library", &library), ("options", "")]);
    let makefile = names.fill(template!("c/Makefile.txt"), &[("trial", trial), ("code", name)]);
    vec![
        ("Makefile", makefile),
        (name, names.fill(code, &[])),
        ("lograil_plugin.h", HEADER.to_owned()),
        ("try.toml", topology),
        (".gitignore", "*.so\n".to_owned()),
    ]
}

fn c_steps(kind: PluginKind) -> String {
    format!("make\nmake test\n{}\n", trial(kind))
}

/// The checkout that a Rust project builds on.
fn sdk(arguments: &PluginNewArguments) -> anyhow::Result<PathBuf> {
    const MARK: &str = "core/plugin/Cargo.toml";
    if let Some(given) = &arguments.sdk {
        let sdk = given.canonicalize().with_context(|| format!("open {}", given.display()))?;
        if !sdk.join(MARK).is_file() {
            bail!("{} is no checkout of lograil: it has no {MARK}", given.display());
        }
        return Ok(sdk);
    }
    let places = [std::env::current_exe().ok(), std::env::current_dir().ok()];
    let found = places
        .iter()
        .flatten()
        .flat_map(|place| place.ancestors())
        .find(|dir| dir.join(MARK).is_file());
    found.map(Path::to_owned).context(
        "a Rust plugin builds on a checkout of lograil; say where it is with --sdk (plugins in C need none)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_components() {
        let names = Names::new("acme.my_redact2").unwrap();
        assert_eq!((&*names.package, &*names.library), ("acme-my_redact2", "acme_my_redact2"));
        for bad in ["", "redact", "Acme.x", "acme.", ".x", "acme..x", "acme/x.y", "acme.\"", "a.2"]
        {
            assert!(Names::new(bad).is_err(), "{bad}");
        }
    }
}
