//! The admin server: what runs, what it did, and what the stores hold, over HTTP.
//!
//! Every operation is a [`route::Route`]: the router, the check of its parameters and the OpenAPI document at
//! `/openapi.json` follow from it.
//!
//! **Invariant:** reads the topology, and puts events into it, through the runtime's observer, and reads stores through
//! the trait `Store`; never holds either up. Knows no component by name. Refuses what a web page elsewhere could send through the user's
//! browser.

mod access;
mod admin;
mod body;
mod dead_letters;
mod listener;
mod openapi;
mod page;
mod parameter;
mod problem;
mod question;
mod route;
mod routes;
mod timing;

pub use admin::{
    AdminState, AttachedStore, Described, IngestSource, PluginInfo, PluginMistake, ReloadReport,
    listen,
};
