//! The C header: generated from the Rust types and their documentation; compiled as C11 and C++17, sizes and offsets
//! compared.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fmt::Write;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use lograil_abi as abi;

/// `C type: size, field offset, ...` of every struct, by Rust.
macro_rules! layouts {
    ($($c:literal $rust:ty { $($field:ident)* })*) => {{
        let mut expected = String::new();
        let mut program = String::new();
        $(
            writeln!(expected, "{} {}", $c, size_of::<$rust>()).unwrap();
            writeln!(program, "    printf(\"{} %zu\\n\", sizeof({}));", $c, $c).unwrap();
            $(
                writeln!(expected, "{}.{} {}", $c, stringify!($field), offset_of!($rust, $field)).unwrap();
                writeln!(program, "    printf(\"{}.{} %zu\\n\", offsetof({}, {}));",
                    $c, stringify!($field), $c, stringify!($field)).unwrap();
            )*
        )*
        (expected, program)
    }};
}

fn tables() -> (String, String) {
    layouts! {
        "lr_str" abi::Str { ptr len }
        "lr_error" abi::Error { size flags capacity len text }
        "lr_field" abi::Field { key tag segment flags payload }
        "lr_event" abi::Event { timestamp_ns first count capacity raw_fields raw_offset raw_len raw_segment flags reserved }
        "lr_segment" abi::Segment { ptr len stream offset flags reserved }
        "lr_view" abi::View { size layout events fields segments keys event_count field_count segment_count key_count keys_id token spare }
        "lr_position" abi::Position { stream position }
        "lr_column" abi::Column { values count key flags reserved }
        "lr_output" abi::Output { size port base events fields segments keys tokens positions event_count field_count segment_count key_count token_count position_count owner release columns kept column_count kept_count }
        "lr_rejected" abi::Rejected { event reserved reason }
        "lr_completion" abi::Completion { size status bytes retry_after_ns rejected rejected_count reserved state detail }
        "lr_start_info" abi::StartInfo { size flags id state base_dir positions_json }
        "lr_host" abi::Host { size abi_major abi_minor name version log_level log metric now_ns monotonic_ns view batch_ref batch_unref emit release discard create builder_new builder_drop builder_emit builder_key builder_event builder_set builder_set_text builder_remove builder_drop_event builder_position complete pause }
        "lr_component" abi::Component { size kind flags reserved name summary manual schema ports claims create destroy start process tick flush open write commit close reopen pull interrupt replays state traits }
        "lr_plugin" abi::Plugin { size abi_major abi_minor components component_count reserved }
        "lr_manifest_head" abi::ManifestHead { magic abi_major abi_minor pointer_bits endian json_len reserved target }
    }
}

fn numbers() -> Vec<(&'static str, i64)> {
    use abi::{change, component_flags, event_flags, kind, metric_kind, start_flags, status, tag};
    vec![
        ("LR_ABI_MAJOR", abi::ABI_MAJOR.into()),
        ("LR_ABI_MINOR", abi::ABI_MINOR.into()),
        ("LR_MAGIC", abi::MAGIC.into()),
        ("LR_LAYOUT", abi::LAYOUT.into()),
        ("LR_OK", status::OK.into()),
        ("LR_AGAIN", status::AGAIN.into()),
        ("LR_END", status::END.into()),
        ("LR_FAILED", status::FAILED.into()),
        ("LR_CONFIG", status::CONFIG.into()),
        ("LR_VERSION", status::VERSION.into()),
        ("LR_RETRY", status::RETRY.into()),
        ("LR_REJECT", status::REJECT.into()),
        ("LR_PANIC", status::PANIC.into()),
        ("LR_INVALID", status::INVALID.into()),
        ("LR_NOT_NOW", status::NOT_NOW.into()),
        ("LR_CLOSED", status::CLOSED.into()),
        ("LR_ERROR_IS_JSON", abi::ERROR_IS_JSON.into()),
        ("LR_TAG_NULL", tag::NULL.into()),
        ("LR_TAG_BOOL", tag::BOOL.into()),
        ("LR_TAG_I64", tag::I64.into()),
        ("LR_TAG_U64", tag::U64.into()),
        ("LR_TAG_F64", tag::F64.into()),
        ("LR_TAG_TIMESTAMP", tag::TIMESTAMP.into()),
        ("LR_TAG_NUMBER", tag::NUMBER.into()),
        ("LR_TAG_STR", tag::STR.into()),
        ("LR_TAG_BYTES", tag::BYTES.into()),
        ("LR_TAG_OBJECT", tag::OBJECT.into()),
        ("LR_TAG_ARRAY", tag::ARRAY.into()),
        ("LR_EVENT_RAW_JSON", event_flags::RAW_JSON.into()),
        ("LR_EVENT_CHANGED", event_flags::CHANGED.into()),
        ("LR_EVENT_RAW", event_flags::RAW.into()),
        ("LR_EVENT_TRUNCATED", event_flags::TRUNCATED.into()),
        ("LR_EVENT_RAW_DOCUMENT", event_flags::RAW_DOCUMENT.into()),
        ("LR_EVENT_PIECE", event_flags::PIECE.into()),
        ("LR_SEGMENT_HAS_ORIGIN", abi::SEGMENT_HAS_ORIGIN.into()),
        ("LR_CHANGE_KEEP", change::KEEP.into()),
        ("LR_CHANGE_SET", change::SET.into()),
        ("LR_CHANGE_REMOVE", change::REMOVE.into()),
        ("LR_COLUMN_APPENDS", abi::COLUMN_APPENDS.into()),
        ("LR_PORT_MAIN", abi::port::MAIN.into()),
        ("LR_PORT_DEAD_LETTER", abi::port::DEAD_LETTER.into()),
        ("LR_METRIC_COUNTER", metric_kind::COUNTER.into()),
        ("LR_METRIC_GAUGE", metric_kind::GAUGE.into()),
        ("LR_KIND_SOURCE", kind::SOURCE.into()),
        ("LR_KIND_TRANSFORM", kind::TRANSFORM.into()),
        ("LR_KIND_SINK", kind::SINK.into()),
        ("LR_COMPONENT_BLOCKING", component_flags::BLOCKING.into()),
        ("LR_COMPONENT_TOKENS", component_flags::TOKENS.into()),
        ("LR_START_ONCE", start_flags::ONCE.into()),
        ("LR_START_UPSTREAM_REPLAYS", start_flags::UPSTREAM_REPLAYS.into()),
    ]
}

/// Compiles a program with the header, warnings being errors, and gives what it prints.
fn run(compiler: &str, standard: &str, extension: &str, body: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join(format!("layout.{extension}"));
    let program = directory.path().join("layout");
    let text = format!(
        "#include \"lograil_plugin.h\"\n#include \"lograil_plugin.h\"\n#include <stdio.h>\nLR_MANIFEST(\"{{}}\");\nint main(void) {{\n{body}    return 0;\n}}\n"
    );
    std::fs::write(&source, text).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let compiled = Command::new(compiler)
        .args([standard, "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(include)
        .arg("-o")
        .arg(&program)
        .arg(&source)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap()
}

#[test]
fn c_and_cpp_see_the_same_tables_and_numbers_as_rust() {
    let (mut expected, mut body) = tables();
    for (name, value) in numbers() {
        writeln!(expected, "{name} {value}").unwrap();
        writeln!(body, "    printf(\"{name} %lld\\n\", (long long)({name}));").unwrap();
    }
    for (compiler, standard, extension) in [
        ("cc", "-std=c11", "c"),
        ("g++", "-std=c++17", "cpp"),
        ("clang", "-std=c11", "c"),
        ("clang++", "-std=c++17", "cpp"),
    ] {
        match Command::new(compiler).arg("--version").output() {
            Ok(_) => assert_eq!(run(compiler, standard, extension, &body), expected, "{compiler}"),
            Err(error) => {
                assert!(
                    std::env::var_os("LOGRAIL_REQUIRE_SERVERS").is_none(),
                    "{compiler}: {error}"
                );
                eprintln!("skipped: {compiler} is not installed");
            }
        }
    }
}

/// Where this crate is.
fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The header as cbindgen makes it, in a form that is read with more ease: a comment that fits on a line is on one, and a
/// negative number is in brackets.
fn generate() -> String {
    let config = cbindgen::Config::from_file(here().join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for module in ["lib", "outcome", "batch", "host", "component", "manifest"] {
        builder = builder.with_src(here().join(format!("src/{module}.rs")));
    }
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let mut lines: Vec<String> = Vec::new();
    for line in made.lines() {
        if let (" */", [.., start, text]) = (line.trim_start_matches("    "), &lines[..])
            && start.trim() == "/**"
        {
            let one = format!("{}{} */", start.replace("/**", "/*"), &text.trim_start()[1..]);
            lines.truncate(lines.len() - 2);
            lines.push(one);
        } else if let Some((name, number)) = line.split_once(" -")
            && name.starts_with("#define ")
        {
            lines.push(format!("{name} (-{number})"));
        } else if !(line.is_empty() && lines.last().is_some_and(String::is_empty)) {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_header_is_what_is_generated() {
    let path = here().join("include/lograil_plugin.h");
    let generated = generate();
    if std::env::var_os("LOGRAIL_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    let differs = generated.lines().zip(committed.lines()).find(|(new, old)| new != old);
    assert!(
        generated == committed,
        "the header is out of date at {differs:?}: LOGRAIL_UPDATE_HEADER=1 cargo test -p lograil-abi --test header"
    );
}
