//! Mistakes: what is said, about which part of the source, and which remedy is offered.
//!
//! `errors.txt` holds sources (`> `) and, below each, what its compilation as a condition reports. A failing
//! test prints the whole file as it would have to be.

use std::fmt::Write;

use crate::{Condition, DEPTH_MAX, NODES_MAX, Program, SOURCE_BYTES_MAX};

/// Sources and reports as the file has them.
fn render(sources: &[&str]) -> String {
    let mut out = String::new();
    for source in sources {
        writeln!(out, "> {source}").unwrap();
        let errors = Condition::compile(source).err().unwrap_or_default();
        for error in errors {
            let before = source[..error.span.start].chars().count();
            let marked = source[error.span.clone()].chars().count().max(1);
            let (blank, mark) = (" ".repeat(before), "^".repeat(marked));
            writeln!(out, "  {blank}{mark} {}", error.message).unwrap();
            if let Some(help) = error.help {
                writeln!(out, "  help: {help}").unwrap();
            }
        }
    }
    out
}

#[test]
fn mistakes_are_reported_with_place_and_remedy() {
    let file = include_str!("errors.txt");
    let sources: Vec<_> = file.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert!(sources.len() > 50);
    let rendered = render(&sources);
    assert!(rendered == file, "errors.txt would have to be:\n{rendered}");
}

#[test]
fn all_mistakes_of_a_source_come_at_once_and_in_order() {
    let source = "upcase(5) == .a ||\nnofn(.b) ||\nmatch(.c, r'(') ||\n.d > ";
    let errors = Condition::compile(source).unwrap_err();
    let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`upcase` expects string as `value`, this is integer",
            "unknown function `nofn`",
            "invalid regex: unclosed group",
            "expected a value, found the end",
        ]
    );
    assert_eq!(&source[errors[2].span.clone()], "(");
}

#[test]
fn size_and_depth_are_bounded() {
    let message = |source: String| Program::compile(&source).unwrap_err()[0].message.clone();
    let too_deep = format!("the expression is nested more than {DEPTH_MAX} levels deep");
    let nested = |open: &str, close: &str| {
        format!("{}true{}", open.repeat(DEPTH_MAX + 1), close.repeat(DEPTH_MAX + 1))
    };
    assert_eq!(message(nested("(", ")")), too_deep);
    assert_eq!(message(nested("[", "]")), too_deep);
    assert_eq!(message(nested("!", "")), too_deep);
    assert_eq!(message(nested("if .a { ", "}")), too_deep);
    assert_eq!(message(format!("{}1", "1 + ".repeat(DEPTH_MAX + 1))), too_deep);
    assert_eq!(message("(".repeat(SOURCE_BYTES_MAX)), too_deep);
    assert_eq!(
        message(format!("[{}]", "1,".repeat(NODES_MAX))),
        format!("the expression has more than {NODES_MAX} parts")
    );
    assert_eq!(
        message(" ".repeat(SOURCE_BYTES_MAX + 1)),
        format!("an expression has at most {SOURCE_BYTES_MAX} bytes")
    );
}

#[test]
fn a_thousand_alternatives_are_not_deep() {
    let terms: Vec<_> = (0..1000).map(|i| format!(".a == {i}")).collect();
    assert!(Condition::compile(&terms.join(" || ")).is_ok());
}

#[test]
fn what_is_legal_but_pointless_is_a_warning() {
    let warnings = |source: &str| {
        let program = Program::compile(source).unwrap();
        program.warnings().iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(warnings(".a ?? 1"), ["this cannot fail, `??` never takes over"]);
    assert_eq!(warnings(".a == 1\n.b == 2"), ["this value is never used"]);
    assert_eq!(warnings("to_int(.a) ?? 1"), Vec::<String>::new());
    let warnings = |source: &str| {
        let script = crate::Script::compile(source).unwrap();
        script.warnings().iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    let lost = "`.` is an array here: this replaces all of its items by one object with this field";
    for source in [
        ". = [{\"a\": 1}]\n.k = 1",
        ". = unnest!(.items)\n.k.l = 1",
        ". = unnest!(.items)\n.k, err = to_int(.x)",
        ". = [1]\nif .x == null { .k = 1 }",
    ] {
        assert_eq!(warnings(source), [lost], "{source}");
    }
    for source in [
        ".k = 1\n. = [{\"a\": 1}]",
        ". = unnest!(.items)\nk = 1\n. = map_values(.) -> |item| { item.k = k; item }",
        "if .many == true { . = [1] } else { .k = 1 }\n.l = 1",
        ". = [{\"a\": 1}]\n. = {\"b\": .}\n.k = 1",
    ] {
        assert_eq!(warnings(source), Vec::<String>::new(), "{source}");
    }
}
