//! Laws of a component's options.

use crate::{Build, ComponentSpec, ConfigErrors, Options};
use serde_json::Value;

use super::schema::Schema;

/// Builds a component and drops it.
pub(super) fn build(spec: &ComponentSpec, options: &Value) -> Result<(), ConfigErrors> {
    let options = Options(options.clone());
    match spec.build {
        Build::Source(build) => build(&options).map(drop),
        Build::Transform(build) => build(&options).map(drop),
        Build::Sink(build) => build(&options).map(drop),
    }
}

/// The schema describes every option and forbids others; `example` satisfies it and builds; an unknown
/// option is refused, also by the component itself; an error says something.
pub fn options(spec: &ComponentSpec, example: &Value) {
    let root = (spec.schema)();
    let schema = Schema::new(&root);
    assert_eq!(root["type"], "object", "{spec:?}: the options are a table");
    let undescribed = schema.undescribed();
    assert!(undescribed.is_empty(), "{spec:?}: every option has a doc comment: {undescribed:?}");
    let unknown = schema.unknown_in(example);
    assert!(unknown.is_empty(), "{spec:?}: the example has options not in the schema: {unknown:?}");
    if let Err(errors) = build(spec, example) {
        panic!("{spec:?}: the example builds: {errors:?}");
    }
    let mut wrong = example.clone();
    wrong["no_such_option"] = Value::from(1);
    assert_eq!(
        schema.unknown_in(&wrong),
        ["no_such_option"],
        "{spec:?}: the schema forbids unknown options (deny_unknown_fields)"
    );
    let Err(ConfigErrors(errors)) = build(spec, &wrong) else {
        panic!("{spec:?}: an unknown option is refused");
    };
    assert!(!errors.is_empty(), "{spec:?}: a refusal has an error");
    assert!(errors.iter().all(|error| !error.message.is_empty()), "{spec:?}: an error has a text");
    // Whatever else is given (a topology is checked against the schema first) does not panic.
    for wrong in [Value::Null, Value::from(1), Value::from("x"), Value::Array(Vec::new())] {
        let _refused = build(spec, &wrong);
    }
}
