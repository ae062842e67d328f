//! The language as a whole: values, mistakes, examples, properties, the manual, the cost.

mod cost;
mod errors;
mod events;
mod examples;
mod manual;
mod operators;
mod properties;
mod scripts;
mod values;
