//! Every documented example of every function gives what is documented.

use super::events::{run, run_script};
use crate::functions;

#[test]
fn every_function_has_examples_and_they_hold() {
    let mut count = 0;
    for function in functions() {
        assert!(!function.examples.is_empty(), "{} has no example", function.name);
        assert!(function.doc.ends_with('.'), "{}", function.name);
        for example in function.examples {
            let expected = match example.result {
                Ok(value) => value.to_owned(),
                Err(message) => format!("error: {message}"),
            };
            let found = run(example.source, example.event);
            // What changes the event, or handles its errors with `!`, is a program.
            let found =
                if found == expected { found } else { run_script(example.source, example.event) };
            assert_eq!(found, expected, "{}", example.source);
            assert!(example.source.contains(function.name), "{}", example.source);
            count += 1;
        }
    }
    assert!(count > 40);
}

#[test]
fn names_are_unique_and_required_parameters_come_first() {
    let mut names: Vec<_> = functions().map(|function| function.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    for function in functions() {
        assert!(function.parameters.is_sorted_by_key(|parameter| !parameter.required));
    }
}
