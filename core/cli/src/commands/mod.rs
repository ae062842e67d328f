//! One file a command.

pub(crate) mod check;
pub(crate) mod components;
pub(crate) mod pipe;
pub(crate) mod run;
