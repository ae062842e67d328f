//! Expressions and what they give.

use super::events::{batch, run};
use crate::{Condition, EvalError};

#[test]
fn condition_holds_over_a_batch() {
    let condition = Condition::compile(r#".status >= 500 && starts_with(.path, "/api")"#).unwrap();
    let batch = batch(&[
        r#"{"status":503,"path":"/api/v1"}"#,
        r#"{"status":200,"path":"/api/v1"}"#,
        r#"{"status":500,"path":"/index"}"#,
        r#"{"path":"/api"}"#,
    ]);
    let mut bound = condition.bind(&batch);
    let results: Vec<_> = batch.iter().map(|event| bound.test(event)).collect();
    assert_eq!(results[..3], [Ok(true), Ok(false), Ok(false)]);
    assert!(matches!(results[3], Err(EvalError::Compare { op: ">=", .. })));
}

#[test]
fn first_table() {
    let event =
        r#"{"a":1,"b":"x","n":{"k":[1,{"q":"e\"f"}]},"big":{"$number":"18446744073709551616"}}"#;
    for (source, expected) in [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 / 4", "2.5"),
        (".a == 1", "true"),
        ("1 == .a", "true"),
        ("2 > .a", "true"),
        (".b == \"x\"", "true"),
        (".n.k[1].q", r#""e\"f""#),
        (".n.k[-2] == 1", "true"),
        (".missing", "null"),
        (".missing == null", "true"),
        (".missing > 1", "error: cannot compare null > integer"),
        ("(.missing > 1) ?? false", "false"),
        (".missing > 1 ?? true", "true"),
        (".big > 1", "true"),
        ("if .a == 1 { \"one\" } else { \"more\" }", r#""one""#),
        ("!(.a == 2)", "true"),
        ("\"a\" > 5", "refused: cannot compare string > integer"),
        ("upcas(.b)", "refused: unknown function `upcas`"),
        (". == {\"a\": 1}", "false"),
    ] {
        assert_eq!(run(source, event), expected, "{source}");
    }
}
