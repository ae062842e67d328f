//! What was expected against what came.

use lograil_config::TestOutput;
use lograil_expr::Condition;
use serde_json::Value;

use super::events;

/// What is wrong with what came out of one output.
pub(super) fn output(expected: &TestOutput, came: &[Value]) -> Vec<String> {
    let mut failures = Vec::new();
    if let Some(wanted) = &expected.events {
        match wanted.iter().map(events::written).collect::<Result<Vec<_>, _>>() {
            Ok(wanted) if wanted == came => {}
            Ok(wanted) => failures.push(difference(&expected.extract_from, &wanted, came)),
            Err(reason) => failures.push(format!("  {}: {reason}", expected.extract_from)),
        }
    }
    if !expected.conditions.is_empty() && came.is_empty() {
        failures.push(format!("  {}: no event came", expected.extract_from));
    }
    for condition in &expected.conditions {
        failures.extend(unmet(condition, &expected.extract_from, came));
    }
    failures
}

/// What is wrong if anything came out of an output that should stay silent.
pub(super) fn silent(output: &str, came: &[Value]) -> Option<String> {
    let first = came.first()?;
    Some(format!("  {output}: nothing should come, {} came:\n    + {first}", came.len()))
}

/// Expected events with `-`, those that came with `+`, common ones plain; the longest common part stays.
fn difference(output: &str, wanted: &[Value], came: &[Value]) -> String {
    let mut text = format!("  {output}: expected {} events, {} came", wanted.len(), came.len());
    let start = wanted.iter().zip(came).take_while(|(a, b)| a == b).count();
    let rest = wanted[start..].iter().rev().zip(came[start..].iter().rev());
    let end = rest.take_while(|(a, b)| a == b).count();
    let mut line = |sign: char, event: &Value| text.push_str(&format!("\n    {sign} {event}"));
    wanted[..start].iter().for_each(|event| line(' ', event));
    wanted[start..wanted.len() - end].iter().for_each(|event| line('-', event));
    came[start..came.len() - end].iter().for_each(|event| line('+', event));
    wanted[wanted.len() - end..].iter().for_each(|event| line(' ', event));
    text
}

/// The events that do not meet a condition.
fn unmet(condition: &str, output: &str, came: &[Value]) -> Vec<String> {
    let compiled = match Condition::compile(condition) {
        Ok(compiled) => compiled,
        Err(errors) => {
            let reasons: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
            return vec![format!("  {output}: condition `{condition}`: {}", reasons.join("; "))];
        }
    };
    let batch = match events::of_objects(came) {
        Ok(batch) => batch,
        Err(reason) => return vec![format!("  {output}: {reason}")],
    };
    let mut bound = compiled.bind(&batch);
    let mut unmet = Vec::new();
    for (event, shown) in batch.iter().zip(came) {
        match bound.test(event) {
            Ok(true) => {}
            Ok(false) => {
                unmet.push(format!("  {output}: `{condition}` is not met by\n    + {shown}"))
            }
            Err(error) => {
                unmet.push(format!("  {output}: `{condition}` fails ({error}) on\n    + {shown}"));
            }
        }
    }
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_shows_only_what_differs_between_what_agrees() {
        let wanted = [json!({"a":1}), json!({"a":2}), json!({"a":3})];
        let came = [json!({"a":1}), json!({"a":4}), json!({"a":5}), json!({"a":3})];
        let shown = difference("out", &wanted, &came);
        let lines: Vec<&str> = shown.lines().skip(1).map(str::trim_start).collect();
        assert_eq!(lines, ["{\"a\":1}", "- {\"a\":2}", "+ {\"a\":4}", "+ {\"a\":5}", "{\"a\":3}"]);
    }

    #[test]
    fn a_condition_must_hold_for_every_event_and_there_must_be_one() {
        let expected = TestOutput {
            extract_from: "x".into(),
            events: None,
            conditions: vec![".a > 1".into()],
        };
        assert!(output(&expected, &[json!({"a":2})]).is_empty());
        assert_eq!(output(&expected, &[json!({"a":2}), json!({"a":1})]).len(), 1);
        assert_eq!(output(&expected, &[]).len(), 1);
    }
}
