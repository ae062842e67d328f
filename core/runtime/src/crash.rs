//! What is said of a component that panicked. Its input and output end as those of one that failed do; the
//! rest of the topology drains.

use std::any::Any;

/// The reason to give for a panic.
pub(crate) fn reason(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    match message {
        Some(message) => format!("the component crashed, which is a bug in it: {message}"),
        None => "the component crashed, which is a bug in it".to_owned(),
    }
}
