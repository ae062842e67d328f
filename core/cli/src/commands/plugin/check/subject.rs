//! What is checked: one component with its options; and the checks that are the same for every kind.

use std::time::{Duration, Instant};

use lograil_plugin::{Build, ComponentSpec, ConfigErrors, Options};
use serde_json::{Value, json};

use super::report::Verdict;

/// Instances that are made and ended.
const INSTANCES: usize = 100;

/// How long threads may take to end after their instance.
const THREADS_PATIENCE: Duration = Duration::from_secs(5);

/// One component, and the options it is tried with.
pub(super) struct Subject {
    pub plugin: String,
    pub spec: ComponentSpec,
    pub options: Value,
}

/// A check: what it is called, and what it does.
pub(super) struct Check {
    pub name: String,
    /// Whether it says nothing where no instance can be made, which is another check's to say.
    pub needs_instances: bool,
    pub run: Box<dyn Fn(&Subject) -> Verdict>,
}

impl Check {
    pub fn new(name: impl Into<String>, run: impl Fn(&Subject) -> Verdict + 'static) -> Self {
        Self { name: name.into(), needs_instances: true, run: Box::new(run) }
    }

    fn without_instances(name: &str, run: impl Fn(&Subject) -> Verdict + 'static) -> Self {
        Self { needs_instances: false, ..Self::new(name, run) }
    }
}

/// The checks of every component.
pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::without_instances("name, summary, manual and schema", describes_itself),
        Check::without_instances("wrong options are an error, not a crash", refuses_wrong_options),
        Check::new(format!("create and destroy, {INSTANCES} times"), comes_and_goes),
    ]
}

impl Subject {
    /// Makes an instance and ends it.
    pub fn build(&self, options: &Value) -> Result<(), ConfigErrors> {
        let options = Options(options.clone());
        match self.spec.build {
            Build::Source(build) => build(&options).map(drop),
            Build::Transform(build) => build(&options).map(drop),
            Build::Sink(build) => build(&options).map(drop),
        }
    }
}

/// What failed: the words of all mistakes.
pub(super) fn words(errors: &ConfigErrors) -> String {
    errors.0.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")
}

fn describes_itself(subject: &Subject) -> Verdict {
    let spec = &subject.spec;
    let schema = (spec.schema)();
    let mut missing = Vec::new();
    if !spec.name.contains('.') {
        missing.push("the name begins with a name of yours and a dot, as in acme.redact");
    }
    if spec.summary.trim().is_empty() {
        missing.push("the summary is one sentence");
    }
    if !spec.manual.starts_with("# ") {
        missing.push("the manual is Markdown that starts with `# `");
    }
    if schema["type"] != "object" || schema["additionalProperties"] != json!(false) {
        missing.push("the schema is that of an object and forbids unknown options");
    }
    let outputs = (spec.ports)(&subject.options);
    let is_new = |at: usize| !outputs[at].is_empty() && !outputs[..at].contains(&outputs[at]);
    if !(0..outputs.len()).all(is_new) {
        missing.push("each output of `ports` has a name of its own");
    }
    let _called = (spec.claims)(&subject.options);
    if missing.is_empty() { Verdict::Passed } else { Verdict::Failed(missing.join("; ")) }
}

fn refuses_wrong_options(subject: &Subject) -> Verdict {
    if let Err(errors) = subject.build(&subject.options) {
        return Verdict::Failed(format!(
            "the options {} are refused: {}; give others with --options",
            subject.options,
            words(&errors)
        ));
    }
    for wrong in wrong_options(subject) {
        if let Err(ConfigErrors(errors)) = subject.build(&wrong)
            && errors.iter().any(|error| error.message.trim().is_empty())
        {
            return Verdict::Failed(format!("{wrong} is refused without a reason"));
        }
    }
    Verdict::Passed
}

/// Options of other shapes and types; also those that the schema would keep away.
fn wrong_options(subject: &Subject) -> Vec<Value> {
    let odd = [
        Value::Null,
        json!(-1),
        json!(1e300),
        json!("\0"),
        json!("x".repeat(1 << 16)),
        json!([[]]),
        json!({}),
    ];
    let mut all = odd.to_vec();
    let schema = (subject.spec.schema)();
    let known =
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    for name in known.chain(["no_such_option"]) {
        for value in &odd {
            let mut options = subject.options.clone();
            options[name] = value.clone();
            all.push(options);
        }
    }
    all
}

fn comes_and_goes(subject: &Subject) -> Verdict {
    // What is made once for all instances is there after the first.
    leaves_no_threads(1, INSTANCES, || subject.build(&subject.options).map_err(|e| words(&e)))
}

/// Does something, `before` times and then `times` more, and looks whether threads or open files of it stay.
pub(super) fn leaves_no_threads(
    before: usize,
    times: usize,
    mut what: impl FnMut() -> Result<(), String>,
) -> Verdict {
    let mut work = |times: usize| (0..times).try_for_each(|_| what());
    if let Err(why) = work(before) {
        return Verdict::Failed(why);
    }
    let (threads, files) = (entries("task"), entries("fd"));
    if let Err(why) = work(times) {
        return Verdict::Failed(why);
    }
    let start = Instant::now();
    while entries("task") > threads && start.elapsed() < THREADS_PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
    let more = |name: &str, before: usize| entries(name).saturating_sub(before);
    match (more("task", threads), more("fd", files)) {
        (0, 0) => Verdict::Passed,
        (0, files) => Verdict::Failed(format!("{files} files stay open after {times} instances")),
        (threads, _) => Verdict::Failed(format!("{threads} threads stay after {times} instances")),
    }
}

/// How many threads or open files this process has.
fn entries(name: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{name}")).map_or(0, Iterator::count)
}
