//! The language as a whole: values, mistakes, examples, properties, the two ways to run a program, the manual, the cost.

mod columns;
mod cost;
mod errors;
pub(crate) mod events;
mod examples;
mod manual;
mod nested_text;
mod operators;
mod programs;
mod properties;
mod scripts;
mod values;
