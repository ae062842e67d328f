//! Secrets and values of variables stay out of everything that is shown.

use lograil_config::render;

use crate::fake::load_files;

/// Everything that is shown of a topology that has something wrong with it.
fn shown(text: &str, sets: &[&str]) -> String {
    let loaded = load_files(&[("a.toml", text)], sets);
    assert!(!loaded.diagnostics.is_empty(), "there is nothing to show");
    let json = loaded.diagnostics.iter().map(|one| one.to_json(&loaded.files).to_string());
    let files: String = loaded.files.iter().map(|file| file.text.as_str()).collect();
    let plan = loaded.plan.map(|plan| plan.redacted_json().to_string()).unwrap_or_default();
    render(&loaded.diagnostics, &loaded.files, false) + &json.collect::<String>() + &files + &plan
}

fn sink(options: &str) -> String {
    format!(
        "[sources.app]\ntype = 'demo'\n\n[sinks.out]\ntype = 'file'\ninputs = 'app'\npath = 'x'\n{options}\n"
    )
}

#[test]
fn a_secret_is_masked_where_it_is_underlined() {
    for options in [
        "password = 's3cr3t'",
        "password = \"\"\"s3\ncr3t\"\"\"",
        "password = 's3cr3t'\npassword = 's3cr3t'",
        "password = 's3cr3t'\ncolour = 1",
        "password = ['s3cr3t']",
        "password = { a = 's3cr3t' }",
        "password = 's3cr3t' x",
        "password = 's3cr3t",
        "password = '${UNSET:-s3cr3t}'",
        "password = '${PASSWORD}'\nencoding = 'x'",
    ] {
        let shown = shown(&sink(options), &[]);
        assert!(!shown.contains("s3cr3t"), "{options}\n{shown}");
        assert!(!shown.contains("cr3t"), "{options}\n{shown}");
        assert!(!shown.contains("hunter2"), "{options}\n{shown}");
    }
}

#[test]
fn a_secret_among_the_flags_is_masked() {
    let shown = shown(&sink(""), &["sinks.out.password=s3cr3t", "sinks.out.colour=1"]);
    assert!(!shown.contains("s3cr3t") && shown.contains("colour"), "{shown}");
}

#[test]
fn a_secret_of_an_unknown_component_is_masked() {
    let text = "[sinks.x]\ntype = 'fiel'\npassword = 's3cr3t'\napi_token = 's3cr3t'\n";
    assert!(!shown(text, &[]).contains("s3cr3t"));
}

#[test]
fn the_value_of_a_variable_is_not_repeated() {
    let filter = |condition: &str| {
        format!(
            "[sources.app]\ntype = 'demo'\n[transforms.keep]\ntype = 'filter'\ninputs = 'app'\n\
             condition = {condition}\n[sinks.out]\ntype = 'null'\ninputs = ['keep', '${{WORD}}.x']\n"
        )
    };
    let shown = shown(&filter("'.a === \"${WORD}\"'"), &[]);
    assert!(!shown.contains("environment"), "{shown}");
    assert!(shown.contains("unexpected `=` in `.a === \"***\"`"), "{shown}");
}
