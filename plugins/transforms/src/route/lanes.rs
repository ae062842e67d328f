//! The table `route`: names and conditions in the order of the file, which decides where routes are exclusive.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use lograil_plugin::schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Names and conditions.
#[derive(Debug)]
pub(super) struct Lanes(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Lanes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Lanes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of names and conditions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lanes, A::Error> {
                let mut lanes = Vec::new();
                while let Some(lane) = map.next_entry()? {
                    lanes.push(lane);
                }
                Ok(Lanes(lanes))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl JsonSchema for Lanes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Lanes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, String>::json_schema(generator)
    }
}
