//! Topologies as users write them: what they become, and what is said about their mistakes.

mod fake;
mod mistakes;
mod mutation;
mod plan;
mod secrecy;
