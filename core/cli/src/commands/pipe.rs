//! `lograil pipe`: a topology in flags, from stdin to stdout.

use std::fmt::Write;

use lograil_config::SourceFile;
use lograil_runtime::RunOptions;
use serde_json::json;

use crate::args::PipeArguments;
use crate::commands::run::{Summary, start};
use crate::exit::Exit;
use crate::{dead_letters, output, topology};

pub(crate) fn run(arguments: &PipeArguments) -> anyhow::Result<Exit> {
    let text = write_topology(arguments)?;
    if arguments.print {
        output::answer(&text)?;
        return Ok(Exit::Success);
    }
    let file = SourceFile { name: "pipe".to_owned(), text };
    let loaded = topology::check(vec![file], Vec::new())?;
    topology::report(&loaded);
    let Some(mut plan) = loaded.plan else { return Ok(Exit::Failed) };
    dead_letters::add_sink(&mut plan, "stdout", json!({ "target": "stderr" }));
    start(plan, RunOptions { once: true, data_dir: None }, Summary::None, None)
}

/// The topology the flags stand for.
fn write_topology(arguments: &PipeArguments) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    write_source(&mut text, arguments)?;
    let mut last = "in".to_owned();
    if let Some(format) = &arguments.parse {
        write!(text, "\n[transforms.parse]\ntype = \"parse\"\ninputs = [\"{last}\"]\n")?;
        writeln!(text, "format = {}", quote(format))?;
        if let Some(pattern) = &arguments.pattern {
            writeln!(text, "pattern = {}", quote(pattern))?;
        }
        if let Some(on_error) = &arguments.on_error {
            writeln!(text, "on_error = {}", quote(&on_error.replace('-', "_")))?;
        }
        "parse".clone_into(&mut last);
    }
    for (index, condition) in arguments.conditions.iter().enumerate() {
        let id = format!("where{}", index + 1);
        write!(text, "\n[transforms.{id}]\ntype = \"filter\"\ninputs = [\"{last}\"]\n")?;
        writeln!(text, "condition = {}", quote(condition))?;
        last = id;
    }
    let deletions = arguments.deletions.iter().map(|path| format!("del({path})"));
    let program: Vec<String> = arguments.assignments.iter().cloned().chain(deletions).collect();
    if !program.is_empty() {
        write!(text, "\n[transforms.change]\ntype = \"remap\"\ninputs = [\"{last}\"]\n")?;
        let lines = program.join("\n");
        // The quotes that close several lines have one of their own.
        let end = if lines.contains('\n') { "\n" } else { "" };
        writeln!(text, "source = {}", quote(&format!("{lines}{end}")))?;
        "change".clone_into(&mut last);
    }
    if let Some(rate) = arguments.sample {
        write!(text, "\n[transforms.sample]\ntype = \"sample\"\ninputs = [\"{last}\"]\n")?;
        writeln!(text, "rate = {rate}\nsample_rate_key = \"\"")?;
        "sample".clone_into(&mut last);
    }
    write!(text, "\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"{last}\"]\n")?;
    let is_plain = arguments.parse.is_none() && program.is_empty();
    let default = match (is_plain, &arguments.charset) {
        (false, _) => "json",
        (true, None) => "raw",
        (true, Some(_)) => "text",
    };
    match &arguments.text {
        Some(template) => {
            writeln!(text, "encoding.codec = \"text\"\nencoding.format = {}", quote(template))?;
        }
        None => {
            let codec = arguments.format.as_deref().unwrap_or(default);
            writeln!(text, "encoding.codec = {}", quote(codec))?;
            if !arguments.columns.is_empty() {
                let columns: Vec<String> = arguments.columns.iter().map(|c| quote(c)).collect();
                writeln!(text, "encoding.csv.fields = [{}]", columns.join(", "))?;
            }
        }
    }
    Ok(text)
}

fn write_source(text: &mut String, arguments: &PipeArguments) -> std::fmt::Result {
    text.push_str("[sources.in]\ntype = \"stdin\"\n");
    if let Some(charset) = &arguments.charset {
        writeln!(text, "charset = {}", quote(charset))?;
    }
    if let Some(size) = &arguments.max_line_bytes {
        writeln!(text, "max_line_bytes = {}", quote(size))?;
    }
    if let Some(rule) = &arguments.multiline {
        // A word that is no preset is one that was misspelt; the message about it lists them.
        let is_word = rule.bytes().all(|byte| byte.is_ascii_alphabetic());
        let option = if is_word { "preset" } else { "start_pattern" };
        writeln!(text, "multiline.{option} = {}", quote(rule))?;
    }
    Ok(())
}

/// A TOML string: literal where possible, so that a message about a place inside it points at that place.
fn quote(text: &str) -> String {
    let is_plain = !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n'));
    if is_plain && !text.contains(['\'', '\n']) {
        return format!("'{text}'");
    }
    if is_plain && !text.contains("'''") && !text.ends_with('\'') {
        return format!("'''\n{text}'''");
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                // Writing to a string does not fail.
                let _written = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_toml_reads_back() {
        for text in [
            ".a == 'x'",
            "plain",
            "a\"b\\c'd",
            "line\nbreak",
            "\n\n",
            "'''a",
            "a\n'",
            "\u{1}'",
            "ключ",
        ] {
            let document: serde_json::Value =
                toml::from_str(&format!("v = {}", quote(text))).unwrap();
            assert_eq!(document["v"], text);
        }
    }
}
