//! `lograil pipe`: what goes through, what does not, and that nothing is lost on the way.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use support::Place;

#[test]
fn filters_parsed_lines_and_leaves_untouched_ones_as_they_were() {
    let input = concat!(
        "{\"status\":200, \"a\":1.0}\n",
        "{ \"status\" : 503 , \"n\":1e400, \"s\":\"\\u00e9\" }\n",
        "{\"status\":500,\"big\":123456789012345678901234567890}\n",
    );
    let ran = Place::new().run_with(
        &["pipe", "--parse", "json", "--where", ".status >= 500", "--format", "json"],
        input.as_bytes(),
    );
    let wanted: String = input.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert_eq!(ran.assert_success().stdout(), wanted);
}

#[test]
fn lines_that_cannot_be_parsed_go_to_stderr_with_the_reason() {
    let ran =
        Place::new().run_with(&["pipe", "--parse", "json"], b"{\"a\":1}\n{\"a\":\n{\"a\":2}\n");
    assert_eq!(ran.assert_success().stdout(), "{\"a\":1}\n{\"a\":2}\n");
    let letter: serde_json::Value = serde_json::from_str(ran.stderr().trim()).unwrap();
    assert_eq!(letter["message"], "{\"a\":");
    assert!(letter["dead_letter"]["reason"].is_string(), "{letter}");
    let passed = Place::new().run_with(
        &["pipe", "--parse", "json", "--on-error", "pass", "--format", "raw"],
        b"{\"a\":1}\nx\n",
    );
    assert_eq!(passed.assert_success().stdout(), "{\"a\":1}\nx\n");
}

/// Without flags every byte comes out as it went in, whatever it is.
#[test]
fn passes_any_bytes_through() {
    let mut input =
        b"plain\n\nnul \0 nul\ninvalid \xff\xfe utf-8\ncr only\r in the middle\n".to_vec();
    input.extend_from_slice("ключ and \u{1F980}\n".as_bytes());
    input.extend(std::iter::repeat_n(b'x', 300_000));
    input.push(b'\n');
    let ran = Place::new().run_with(&["pipe"], &input);
    assert_eq!(ran.assert_success().0.stdout, input);
}

/// Nothing is cut off without a word, and a flag helps.
#[test]
fn a_line_that_is_too_long_is_cut_off_and_told_of_once() {
    let mut input = vec![b'x'; (2 << 20) + 1];
    input.push(b'\n');
    let input = input.repeat(2);
    let ran = Place::new().run_with(&["pipe"], &input);
    assert_eq!(ran.assert_success().0.stdout.len(), 2 * ((1 << 20) + 1));
    let told = ran.stderr();
    assert_eq!(told.matches("longer than `max_line_bytes` (1048576 bytes)").count(), 1, "{told}");
    let ran = Place::new().run_with(&["pipe", "--max-line-bytes", "3MiB"], &input);
    assert_eq!(ran.assert_success().0.stdout, input);
    assert_eq!(ran.stderr(), "");
    let ran = Place::new().run_with(&["pipe", "--max-line-bytes", "65MiB"], b"");
    assert!(ran.stderr().contains("max_line_bytes"), "{}", ran.stderr());
}

#[test]
fn a_last_line_without_newline_counts_and_crlf_is_one_line_end() {
    let ran = Place::new().run_with(&["pipe"], b"a\r\nb\r\nc");
    assert_eq!(ran.assert_success().stdout(), "a\nb\nc\n");
    let ran = Place::new().run_with(&["pipe"], b"");
    assert_eq!(ran.assert_success().stdout(), "");
}

#[test]
fn bytes_that_are_not_utf8_survive_as_json() {
    let ran = Place::new().run_with(&["pipe", "--format", "json"], b"caf\xe9\n");
    let event: serde_json::Value = serde_json::from_str(&ran.assert_success().stdout()).unwrap();
    assert_eq!(event["message"]["$bytes"], "Y2Fm6Q==");
}

#[test]
fn keeps_the_order_of_many_lines() {
    let input: String = (0..200_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let ran =
        Place::new().run_with(&["pipe", "--parse", "json", "--where", ".n >= 0"], input.as_bytes());
    assert_eq!(ran.assert_success().stdout(), input);
}

#[test]
fn text_and_regex() {
    let ran = Place::new().run_with(
        &[
            "pipe",
            "--parse",
            "regex",
            "--pattern",
            r"^(?P<ip>\S+) \[(?P<time>[^\]]+)\] (?P<code>\d+)$",
            "--where",
            ".code == \"404\"",
            "--text",
            "{time}: {ip} {{{code}}}",
        ],
        b"10.0.0.1 [now] 404\n10.0.0.2 [then] 200\n",
    );
    assert_eq!(ran.assert_success().stdout(), "now: 10.0.0.1 {404}\n");
}

#[test]
fn mistakes_in_flags_are_shown_where_they_are() {
    let ran = Place::new().run_with(&["pipe", "--where", ".status >> 5"], b"");
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains(".status >> 5"), "{}", ran.stderr());
    let program = ".a = match(string!(.a), r'x')\n.b = upcas(.a)";
    let ran = Place::new().run_with(&["pipe", "--set", program], b"");
    assert!(ran.stderr().contains("| .b = upcas(.a)\n"), "{}", ran.stderr());
    let ran = Place::new().run_with(&["pipe", "--parse", "jsn"], b"");
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains("json"), "{}", ran.stderr());
}

#[test]
fn print_shows_a_topology_that_runs() {
    let place = Place::new();
    let printed = place.run(&["pipe", "--parse", "json", "--where", ".a == 'x\ny'", "--print"]);
    place.write("t.toml", printed.assert_success().stdout());
    place.run(&["check", "t.toml"]);
}

#[test]
fn lines_that_belong_together_are_one_event() {
    let trace = "java.io.IOException: refused\n\tat a.B.c(B.java:1)\n";
    let input = format!("1 ok\n2 failed\n{trace}3 ok\n");
    let condition = "contains(.message, \"IOException\")";
    let wanted = format!("2 failed\n{trace}");
    for rule in ["java", "any", "^[0-9]+ "] {
        let ran = Place::new()
            .run_with(&["pipe", "--multiline", rule, "--where", condition], input.as_bytes());
        assert_eq!(ran.assert_success().stdout(), wanted, "{rule}");
    }
    let ran = Place::new().run_with(&["pipe", "--multiline", "jva"], b"");
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains("python"), "{}", ran.stderr());
    let ran = Place::new().run_with(&["pipe", "--multiline", "^(\\d"], b"");
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains("start_pattern"), "{}", ran.stderr());
}

#[test]
fn changes_removes_samples_and_writes_other_formats() {
    let input = b"level=info pid=7 msg=\"a b\"\nlevel=error pid=8 msg=c\n";
    let ran = Place::new().run_with(
        &[
            "pipe",
            "--parse",
            "auto",
            "--set",
            ".team = \"core\"",
            "--del",
            ".pid",
            "--where",
            ".level == \"ERROR\"",
            "--format",
            "logfmt",
        ],
        input,
    );
    let out = ran.assert_success().stdout();
    assert!(
        out.contains("team=core") && out.contains("level=ERROR") && !out.contains("pid"),
        "{out}"
    );
    assert_eq!(out.lines().count(), 1);
    let csv = b"{\"a\":1,\"b\":\"x,y\"}\n{\"b\":2}\n";
    let ran = Place::new()
        .run_with(&["pipe", "--parse", "json", "--format", "csv", "--columns", "a,b"], csv);
    assert_eq!(ran.assert_success().stdout(), "a,b\n1,\"x,y\"\n,2\n");
    let many: String = (0..1000).map(|n| format!("{n}\n")).collect();
    let ran = Place::new().run_with(&["pipe", "--sample", "10"], many.as_bytes());
    assert_eq!(ran.assert_success().stdout().lines().count(), 100);
}

#[test]
fn a_charset_is_decoded_and_comes_out_as_utf8() {
    let input: Vec<u8> =
        "\u{FEFF}naïve 10 €\r\nnext\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let ran = Place::new().run_with(&["pipe", "--charset", "utf-16le"], &input);
    assert_eq!(ran.stdout(), "naïve 10 €\nnext\n", "{}", ran.stderr());
    let arguments = ["pipe", "--charset", "latin1", "--where", ".message == \"é\""];
    assert_eq!(Place::new().run_with(&arguments, b"\xE9\n\xE8\n").stdout(), "é\n");
    let ran = Place::new().run_with(&["pipe", "--charset", "utf-7"], b"");
    assert!(ran.stderr().contains("unknown charset \"utf-7\""), "{}", ran.stderr());
}

#[test]
fn one_event_becomes_several_and_the_count_adds_up() {
    let topology = "[sources.in]\ntype = \"stdin\"\n\
        [transforms.each]\ntype = \"remap\"\ninputs = [\"in\"]\nsource = '. = split(string!(.message), \",\")'\n\
        [sinks.out]\ntype = \"stdout\"\ninputs = [\"each\"]\nencoding.codec = \"text\"\nencoding.format = \"{message}\"\n";
    let place = Place::new();
    place.write("t.toml", topology);
    let ran = place.run_with(&["run", "t.toml"], b"a,b,c\nd\ne,f\n");
    assert_eq!(ran.assert_success().stdout().lines().collect::<String>(), "abcdef");
    let told = ran.stderr();
    let line = "transform each: 3 in, 3 created, 6 out, 0 discarded, 0 dead-lettered";
    assert!(told.contains(line), "{told}");
}
