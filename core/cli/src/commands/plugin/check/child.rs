//! The child: loads the plugin and runs the checks, one after the other, on its main thread.

use std::collections::BTreeMap;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use anyhow::{Context, bail};
use lograil_loader::{LoadedPlugin, Trust};
use lograil_plugin::testing::conformance;
use lograil_plugin::{ComponentSpec, Kind};
use serde_json::{Value, json};

use super::report::{Line, Verdict};
use super::subject::{Check, Subject};
use super::{sink, source, subject, transform};
use crate::args::PluginCheckChildArguments;
use crate::exit::Exit;

pub(in crate::commands::plugin) fn run(
    arguments: &PluginCheckChildArguments,
) -> anyhow::Result<Exit> {
    // A broken law is a panic of ours; the parent prints it.
    std::panic::set_hook(Box::new(|_| {}));
    let mut number = 0;
    let is_due = |number: usize| number >= arguments.first;
    if is_due(0) {
        tell(&begin("", "load"))?;
    }
    // A call that hangs is named, and ends with this process: it is not left behind.
    let timeout = Duration::from_secs(arguments.timeout);
    lograil_loader::set_hang_after(timeout / 2);
    lograil_loader::set_preparation_limit(Some(timeout * 2));
    let given = given_options(&arguments.options)?;
    let loaded = lograil_loader::load(&arguments.file, &Trust::default());
    let verdict = match (&loaded, given.keys().find(|name| !knows(&loaded, name))) {
        (Err(error), _) => Verdict::Failed(error.to_string()),
        (_, Some(name)) => Verdict::Failed(format!("--options: there is no component `{name}`")),
        _ => Verdict::Passed,
    };
    if is_due(0) {
        tell(&Line::End { verdict })?;
    }
    for spec in loaded.iter().flat_map(|plugin| &plugin.components) {
        let subject = subject_of(*spec, &loaded, &given);
        let label = format!("{} {}", spec.kind().name(), spec.name);
        for check in checks_of(&subject) {
            number += 1;
            if is_due(number) {
                tell(&begin(&label, &check.name))?;
                let verdict = if check.needs_instances && arguments.without.contains(&label) {
                    without_instances()
                } else {
                    carry_out(&check, &subject)
                };
                tell(&Line::End { verdict })?;
            }
        }
    }
    tell(&Line::Done)?;
    Ok(Exit::Success)
}

fn knows<E>(loaded: &Result<LoadedPlugin, E>, name: &str) -> bool {
    loaded.iter().flat_map(|plugin| &plugin.components).any(|spec| spec.name == name)
}

fn begin(component: &str, check: &str) -> Line {
    Line::Begin { component: component.to_owned(), check: check.to_owned() }
}

/// A line to the parent, on a line of its own whatever the plugin writes.
fn tell(line: &Line) -> anyhow::Result<()> {
    let text = serde_json::to_string(line).context("describe a check")?;
    let mut out = std::io::stdout().lock();
    write!(out, "\n{text}\n").and_then(|()| out.flush()).context("tell of a check")
}

/// Options by the name of the component, from `TYPE=JSON`.
fn given_options(given: &[String]) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut options = BTreeMap::new();
    for one in given {
        let Some((name, text)) = one.split_once('=') else {
            bail!(
                "--options {one}: write it as TYPE=JSON, such as acme.redact='{{\"fields\":[\"a\"]}}'"
            );
        };
        let value = serde_json::from_str(text).with_context(|| format!("--options {one}"))?;
        options.insert(name.to_owned(), value);
    }
    Ok(options)
}

fn subject_of<E>(
    spec: ComponentSpec,
    loaded: &Result<LoadedPlugin, E>,
    given: &BTreeMap<String, Value>,
) -> Subject {
    let from_manual = || conformance::examples(&spec).into_iter().next();
    let options = given.get(spec.name).cloned().or_else(from_manual).unwrap_or_else(|| json!({}));
    let plugin = loaded.as_ref().map(|plugin| plugin.manifest.name.clone()).unwrap_or_default();
    Subject { plugin, spec, options }
}

fn checks_of(subject: &Subject) -> Vec<Check> {
    let mut checks = subject::checks();
    checks.extend(match subject.spec.kind() {
        Kind::Source => source::checks(),
        Kind::Transform => transform::checks(&subject.options),
        Kind::Sink => sink::checks(&subject.options),
    });
    checks
}

fn without_instances() -> Verdict {
    Verdict::Skipped("no instance can be made".to_owned())
}

fn carry_out(check: &Check, subject: &Subject) -> Verdict {
    let run = || {
        let is_idle = check.needs_instances && subject.build(&subject.options).is_err();
        if is_idle { without_instances() } else { (check.run)(subject) }
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        Verdict::Failed(words.unwrap_or("it panicked").to_owned())
    })
}
