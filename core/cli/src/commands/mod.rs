//! One file a command.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod components;
pub(crate) mod dead_letters;
pub(crate) mod graph;
pub(crate) mod mock;
pub(crate) mod pipe;
pub(crate) mod plugin;
pub(crate) mod query;
pub(crate) mod run;
pub(crate) mod tap;
pub(crate) mod test;
pub(crate) mod top;
