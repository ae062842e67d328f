//! The stores of a topology: those of its sinks that can be asked.

use lograil_config::{Plan, PlannedComponent};
use lograil_plugin::StoreSpec;
use lograil_server::AttachedStore;

/// Every kind of sink that can be asked.
const SPECS: &[&[StoreSpec]] = &[lograil_sqlite::STORES];

/// The stores of the sinks of a plan.
pub(crate) fn attach(plan: &Plan) -> Vec<AttachedStore> {
    let open = |component: &PlannedComponent| {
        let spec = SPECS.iter().copied().flatten().find(|spec| spec.sink == component.spec.name)?;
        match (spec.open)(&component.options, &plan.base_dir) {
            Ok(store) => Some(AttachedStore { id: component.id.clone(), store }),
            Err(error) => {
                tracing::warn!(component_id = %component.id, "open its store: {error}");
                None
            }
        }
    };
    plan.components.iter().filter_map(open).collect()
}
