//! What a reload changes: each component of the new plan against the one that runs under its id.
//!
//! **Invariant:** looks at plans only; what runs is told to it.

use lograil_config::{Plan, PlannedComponent};
use lograil_plugin::{Build, ComponentSpec};

/// What becomes of a component of the new plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on as it is, whatever its inputs are now.
    Kept,
    /// A new instance takes over what waits for the old one, and what it knew.
    Changed,
    /// Nothing runs under its id that it could take over.
    New,
}

/// The fate of a component, and of what runs under its id: `is_over` if that has ended, or is about to.
pub(crate) fn fate(old: Option<&PlannedComponent>, new: &PlannedComponent, is_over: bool) -> Fate {
    match old.filter(|old| old.kind == new.kind && !is_over) {
        None => Fate::New,
        Some(old) if is_same_type(&old.spec, &new.spec) && old.options.0 == new.options.0 => {
            Fate::Kept
        }
        Some(_) => Fate::Changed,
    }
}

/// Whether two specs make the same component. Two generations of a plugin have the same names, but not the same
/// code: they are built by different functions.
fn is_same_type(old: &ComponentSpec, new: &ComponentSpec) -> bool {
    let address = |spec: &ComponentSpec| match spec.build {
        Build::Source(build) => std::ptr::from_ref(build).cast::<()>(),
        Build::Transform(build) => std::ptr::from_ref(build).cast::<()>(),
        Build::Sink(build) => std::ptr::from_ref(build).cast::<()>(),
    };
    old.kind() == new.kind() && old.name == new.name && address(old) == address(new)
}

/// What of the whole process a reload cannot change, as sentences.
pub(crate) fn refused(old: &Plan, new: &Plan) -> Vec<String> {
    let (old, new) = (&old.global, &new.global);
    let mut refused = Vec::new();
    let mut check = |is_same: bool, what: &str| {
        if !is_same {
            refused.push(format!("{what} cannot change while the program runs: start it anew"));
        }
    };
    check(old.admin == new.admin, "[admin]");
    check(old.data_dir == new.data_dir, "data_dir");
    check(old.buffer == new.buffer, "[buffer]");
    refused
}
