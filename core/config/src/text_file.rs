//! Options whose text may stand in a file of its own, such as the program of `remap`: where the topology names the
//! file, the component gets its text, and mistakes in it are shown where they stand in that file.
//!
//! **Invariant:** what a component is built from is the text that was read here, once; a file that changes is a
//! topology that changes.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lograil_plugin::Catalogue;
use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::document::{Entry, Node, Notation, Span, Table, Text, Value};
use crate::topology::Declared;

/// In the schema of an option: the option that names a file with its text instead.
const ANNOTATION: &str = "x-lograil-file";
/// Most bytes of such a file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A file whose text is part of the topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it held when it was read; none where it could not be.
    pub content: Option<Vec<u8>>,
}

impl TextFile {
    /// Reads a file. One that is too long is an error, and so is a pipe, which might never be written.
    pub fn read(path: &Path) -> io::Result<Vec<u8>> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut content = Vec::new();
        std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
        if content.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        Ok(content)
    }
}

/// Puts the texts of files in place of their names. The files that could be read are added to `files`.
pub(crate) fn read_all(
    declared: &mut [Declared],
    catalogue: &Catalogue,
    base_dir: &Path,
    files: &mut Vec<SourceFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<TextFile> {
    let mut found = Vec::new();
    for component in declared {
        let name = component.name();
        let type_name = component.table.get("type").and_then(|entry| entry.node.as_text());
        let Some(type_name) = type_name else { continue };
        let Some(spec) = catalogue.find(component.kind, &type_name.value) else { continue };
        for (option, file_option) in annotated(&(spec.schema)()) {
            let table = &mut component.table;
            let Some(given) = table.get(&file_option).cloned() else { continue };
            if let Some(text) = table.get(&option) {
                diagnostics.push(
                    Diagnostic::error(
                        "conflict",
                        format!("{name} has `{option}` and `{file_option}`"),
                    )
                    .at(given.key_span, "given as a file here")
                    .at(text.key_span, "and as a text here")
                    .help("remove one of them"),
                );
                continue;
            }
            let Some(path) = given.node.as_text() else {
                // Of the wrong type, which the schema says; the option that is missing would only confuse.
                put(table, &option, &given, Value::Invalid, given.node.span);
                continue;
            };
            let (path, shown) = places(path, given.node.span.file, base_dir, files);
            let content = TextFile::read(&path);
            found.push(TextFile { path, content: content.as_ref().ok().cloned() });
            let text = content.map_err(|error| error.to_string()).and_then(|content| {
                String::from_utf8(content).map_err(|error| {
                    format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to())
                })
            });
            match text {
                Ok(text) => {
                    let span = Span { file: files.len(), start: 0, end: text.len() };
                    files.push(SourceFile { name: shown, text: text.clone() });
                    let text = Text { value: text, notation: Notation::File, replaced: None };
                    put(table, &option, &given, Value::String(text), span);
                }
                Err(error) => {
                    diagnostics.push(
                        Diagnostic::error("file", format!("{name} cannot read {shown}: {error}"))
                            .at(given.node.span, "named here")
                            .help(
                                "a relative path starts at the directory of the file that says it",
                            ),
                    );
                    put(table, &option, &given, Value::Invalid, given.node.span);
                }
            }
        }
    }
    found
}

/// The options of a schema that may stand in a file, and the options that name it.
fn annotated(schema: &Json) -> Vec<(String, String)> {
    let options = schema.get("properties").and_then(Json::as_object).into_iter().flatten();
    options
        .filter_map(|(option, about)| {
            Some((option.clone(), about.get(ANNOTATION)?.as_str()?.to_owned()))
        })
        .collect()
}

/// Where a file is, and what diagnostics call it: as it was written, without the values of variables.
fn places(path: &Text, file: usize, base_dir: &Path, files: &[SourceFile]) -> (PathBuf, String) {
    // What is no file (`--set`, standard input) has no directory: then it is that of the process.
    let directory = files.get(file).and_then(|file| Path::new(&file.name).parent());
    let directory = directory.unwrap_or(Path::new(""));
    let written = path.replaced.as_ref().map_or(&path.value, |replaced| &replaced.written);
    let shown = directory.join(written).display().to_string();
    (base_dir.join(directory).join(&path.value), shown)
}

fn put(table: &mut Table, option: &str, given: &Entry, value: Value, span: Span) {
    let node = Node::new(span, value);
    table.entries.push(Entry { key: option.to_owned(), key_span: given.key_span, node });
}
