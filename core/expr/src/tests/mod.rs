//! The language as a whole: values, mistakes, examples, properties, the manual.

mod events;
mod examples;
mod values;
