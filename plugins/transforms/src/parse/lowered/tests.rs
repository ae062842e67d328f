//! Lowered patterns against the regex they came from.

use proptest::prelude::*;
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::primitives::NonMaxUsize;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use super::*;

const NGINX: &str = r#"(?P<remote_addr>\S+) - (?P<remote_user>\S+) \[(?P<time_local>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d{3}) (?P<body_bytes_sent>\d+) "(?P<http_referer>[^"]*)" "(?P<http_user_agent>[^"]*)""#;

const LINE: &str = r#"203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "GET /a/b?c=d HTTP/1.1" 200 2326 "https://example.org/" "Mozilla/5.0 (X11; Linux x86_64)""#;

fn hir(pattern: &str) -> Hir {
    ParserBuilder::new().utf8(false).build().parse(pattern).unwrap()
}

fn regex_slots(regex: &Regex, text: &[u8], slots: usize) -> Option<Vec<u32>> {
    let mut found: Vec<Option<NonMaxUsize>> = vec![None; slots];
    regex.search_slots(&Input::new(text), &mut found)?;
    Some(found.iter().map(|slot| slot.map_or(ABSENT, |at| at.get() as u32)).collect())
}

/// Asserts that an answer of `lowered` is that of `regex`. Whether there was one.
fn check(lowered: &mut Lowered, regex: &Regex, pattern: &str, text: &str) -> bool {
    let expected = regex_slots(regex, text.as_bytes(), lowered.slots().len());
    match lowered.search(text.as_bytes()) {
        Outcome::Unknown => return false,
        Outcome::NoMatch { .. } => assert_eq!(None, expected, "{pattern} on {text:?}"),
        Outcome::Match => {
            let expected = expected.unwrap_or_else(|| panic!("{pattern} must not match {text:?}"));
            assert_eq!(lowered.slots()[2..], expected[2..], "{pattern} on {text:?}");
        }
    }
    true
}

fn compile(pattern: &str) -> (Lowered, Regex) {
    let hir = hir(pattern);
    let regex =
        Regex::builder().configure(Regex::config().utf8_empty(false)).build_from_hir(&hir).unwrap();
    (Lowered::compile(&hir).unwrap_or_else(|why| panic!("{pattern}: {why}")), regex)
}

#[test]
fn access_log_patterns_lower_and_answer_without_the_regex() {
    let inner = NGINX;
    let request = r#""(?P<request>[^"]*)""#;
    let patterns = [
        format!("^{inner}$"),
        inner.to_owned(),
        format!("^{inner}"),
        format!("^{inner}(?: (?P<rt>[\\d.]+))?$"),
        format!("^{inner}(?P<rest>.*)$"),
        format!("^{inner}.*"),
        format!("^{inner}(?: \"(?P<xff>[^\"]*)\")?"),
        inner.replace(request, r#""(?P<method>\S+) (?P<path>\S+) (?P<protocol>\S+)""#),
        inner.replace(request, r#""(?P<method>[A-Z]+) (?P<path>[^ "]+)(?: HTTP/(?P<v>[\d.]+))?""#),
        inner.replace(request, r#""(?P<method>(?i)GET|POST) (?P<path>[^ "]+) (?P<p>[^"]+)""#),
        inner.replace(r"(?P<body_bytes_sent>\d+)", r"(?P<body_bytes_sent>\d+|-)"),
        inner.replace(r"(?P<remote_addr>\S+)", r"(?P<ip>(?:\d{1,3}\.){3}\d{1,3})"),
        inner.replace(r"[^\]]+", r".+?").replace("[^\"]*", ".*?"),
        format!("^{}", inner.replace(' ', r" +")),
        format!("^{}", inner.replace(' ', r"\s")),
        format!("^{}", inner.replace(r"\d", "[0-9]")),
        format!("^{}", inner.replace(r"\S", "(?-u:[!-~])")),
    ];
    for pattern in &patterns {
        let (mut lowered, regex) = compile(pattern);
        assert!(check(&mut lowered, &regex, pattern, LINE), "{pattern} asks the regex");
        assert_eq!(lowered.search(LINE.as_bytes()), Outcome::Match, "{pattern}");
        check(&mut lowered, &regex, pattern, &format!("{LINE} 0.003"));
        check(&mut lowered, &regex, pattern, &format!("{LINE} \"10.0.0.1\""));
        for cut in 0..LINE.len() {
            check(&mut lowered, &regex, pattern, &LINE[..cut]);
            check(&mut lowered, &regex, pattern, &LINE[cut..]);
            check(&mut lowered, &regex, pattern, &format!("{}{}", &LINE[..cut], &LINE[cut + 1..]));
            for insert in ["\"", " ", "é", "\n", "]", "\u{a0}", "٣", "-", "4"] {
                let text = format!("{}{insert}{}", &LINE[..cut], &LINE[cut..]);
                check(&mut lowered, &regex, pattern, &text);
            }
        }
    }
}

#[test]
fn other_log_patterns_lower() {
    let cases = [
        (r"^\[(?P<ts>[^\]]+)\] (?P<level>[A-Z]+): (?P<msg>.*)$", "[now] ERROR: disk full"),
        (r"level=(?P<level>\w+) msg=(?P<msg>.*)", "ts=1 level=warn msg=a b"),
        (r"^(?P<a>\d+)-(?P<b>\d+)-(?P<c>\d+)(?: (?P<rest>.+))?", "2025-10-01 ok"),
        (r"(?P<k>[a-z]+)=(?P<v>[^,]*)(?:,(?P<k2>[a-z]+)=(?P<v2>[^,]*))?", "a=1,b=2"),
        (r"^(?P<x>[a-z]*)(?P<y>[-+]?)(?P<z>\d{2})$", "ab+42"),
        (r#"^"(?P<q>(?:[^"])*)" (?P<rest>\S*)$"#, "\"a b\" c"),
        (r"^(?P<all>(?P<user>[^@]+)@(?P<host>[^@]+))$", "a@b"),
    ];
    for (pattern, text) in cases {
        let (mut lowered, regex) = compile(pattern);
        assert!(check(&mut lowered, &regex, pattern, text), "{pattern} asks the regex");
        assert_eq!(lowered.search(text.as_bytes()), Outcome::Match, "{pattern}");
    }
}

#[test]
fn patterns_with_a_choice_are_left_to_the_regex() {
    let cases = [
        (r"^(?P<a>\S+)(?P<b>\S+)$", Obstacle::Run),
        (r"^(?P<a>.*) (?P<b>\d+)$", Obstacle::Run),
        (r"^(?P<a>\w+)(?: (?P<b>x))? (?P<c>y)$", Obstacle::Optional),
        (r"^(?P<a>a|ab)c$", Obstacle::Alternation),
        (r"^(?:(?P<a>\d+),)*$", Obstacle::Repetition),
        (r"\b(?P<a>\d+)", Obstacle::Look),
        (r"(?m)^(?P<a>\d+)$", Obstacle::Look),
        (r"(?-u)(?P<a>[^ ]+) ", Obstacle::NotUtf8),
    ];
    for (pattern, expected) in cases {
        match Lowered::compile(&hir(pattern)) {
            Ok(_) => panic!("{pattern} was lowered"),
            Err(why) => assert_eq!(why, expected, "{pattern}"),
        }
    }
}

#[test]
fn a_byte_beyond_ascii_in_a_unicode_class_is_left_to_the_regex() {
    for (pattern, text) in [
        (r"^(?P<a>\d+)$", "12٣"),
        (r"^(?P<a>\S+) b$", "a\u{a0} b"),
        (r"^(?P<a>[^ ]{3})$", "aéb"),
        (r"^(?P<a>\d)?x$", "٣x"),
    ] {
        let (mut lowered, _) = compile(pattern);
        assert_eq!(lowered.search(text.as_bytes()), Outcome::Unknown, "{pattern}");
    }
    let (mut lowered, _) = compile(r"^(?P<a>[^ ]+) (?P<b>.*)$");
    assert_eq!(lowered.search("ключ значение".as_bytes()), Outcome::Match);
    let gap = r"^[^ \x{80}-\x{87F}]+$";
    let (mut lowered, regex) = compile(gap);
    assert!(!check(&mut lowered, &regex, gap, "aé"));
}

#[test]
fn a_lazy_run_whose_first_end_is_wrong_is_left_to_the_regex() {
    let pattern = r"^(?P<a>.*?) (?P<b>\d+)$";
    let (mut lowered, regex) = compile(pattern);
    assert!(check(&mut lowered, &regex, pattern, "word 12"));
    assert!(!check(&mut lowered, &regex, pattern, "two words 12"));
}

/// A random piece of a pattern, most of which lower next to most others.
fn piece() -> impl Strategy<Value = String> {
    let class = prop::sample::select(vec![
        r"\S",
        r"\d",
        r"\w",
        ".",
        "[^ ]",
        "[^\"]",
        r"[^\]]",
        "[a-c]",
        "[^,;]",
        "[ab]",
        "[^a]",
        r"\s",
        "(?-u:[a-z])",
        "(?i:k)",
        "[é-ю]",
        "[^é]",
        "a",
    ]);
    let count =
        prop::sample::select(vec!["*", "+", "", "{2}", "{1,3}", "?", "*?", "+?", "{2,}", "??"]);
    let literal =
        prop::sample::select(vec![" ", "\"", "a", "b", ", ", " - ", "\\]", "é", "ab", ";", "\" "]);
    let run = (class, count).prop_map(|(class, count)| format!("{class}{count}"));
    let leaf = prop_oneof![3 => run, 3 => literal.prop_map(str::to_owned)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let concat = prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat());
        prop_oneof![
            4 => concat.clone().prop_map(|sub| format!("({sub})")),
            2 => concat.clone().prop_map(|sub| format!("(?:{sub})?")),
            1 => (concat.clone(), concat.clone()).prop_map(|(a, b)| format!("(?:{a}|({b}))")),
            1 => concat.clone().prop_map(|sub| format!("(?:{sub}){{2}}")),
            2 => concat,
        ]
    })
}

fn pattern() -> impl Strategy<Value = String> {
    (any::<bool>(), prop::collection::vec(piece(), 1..7), any::<bool>()).prop_map(
        |(start, parts, end)| {
            let (start, end) = (if start { "^" } else { "" }, if end { "$" } else { "" });
            format!("{start}{}{end}", parts.concat())
        },
    )
}

fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a", "b", "c", "ab", " ", "\"", "]", ",", ", ", " - ", "\" ", "1", "12", "é", "ю", "\n",
        "k", "\u{212a}", "\u{a0}", ";", "abc", "٣", "x",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_global_rejects: 1 << 20, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_is_always_that_of_the_regex(
        pattern in pattern(),
        texts in prop::collection::vec(text(), 24),
    ) {
        let hir = hir(&pattern);
        let lowered = Lowered::compile(&hir);
        prop_assume!(lowered.is_ok());
        let mut lowered = lowered.unwrap();
        let regex =
            Regex::builder().configure(Regex::config().utf8_empty(false)).build_from_hir(&hir).unwrap();
        for text in &texts {
            check(&mut lowered, &regex, &pattern, text);
        }
    }
}

#[test]
fn random_patterns_lower_and_answer_often_enough_to_prove_something() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut lowered_patterns, mut matches, mut refusals) = (0, 0, 0);
    for _ in 0..2000 {
        let pattern = pattern().new_tree(&mut runner).unwrap().current();
        let Ok(mut lowered) = Lowered::compile(&hir(&pattern)) else { continue };
        lowered_patterns += 1;
        for _ in 0..8 {
            let text = text().new_tree(&mut runner).unwrap().current();
            match lowered.search(text.as_bytes()) {
                Outcome::Match => matches += 1,
                Outcome::NoMatch { .. } => refusals += 1,
                Outcome::Unknown => {}
            }
        }
    }
    assert!(lowered_patterns > 300, "{lowered_patterns} of 2000 patterns were lowered");
    assert!(matches > 300 && refusals > 1000, "{matches} matches, {refusals} refusals");
}
