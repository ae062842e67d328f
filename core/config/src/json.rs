//! From the document's tree to JSON, for the component and for people.

use serde_json::{Map, Number, Value as Json};

use crate::document::{Node, Table, Value};

/// The options as the component gets them.
pub(crate) fn options(table: &Table) -> Json {
    object(table, &plain)
}

/// The options as people may see them: secrets as `***`, variables as they were written.
pub(crate) fn redacted(table: &Table) -> Json {
    object(table, &masked)
}

fn object(table: &Table, convert: &dyn Fn(&Node) -> Json) -> Json {
    let entries = table.entries.iter();
    Json::Object(
        entries.map(|entry| (entry.key.clone(), convert(&entry.node))).collect::<Map<_, _>>(),
    )
}

fn plain(node: &Node) -> Json {
    match &node.value {
        Value::String(text) => Json::String(text.value.clone()),
        Value::Array(nodes) => Json::Array(nodes.iter().map(plain).collect()),
        Value::Table(table) => object(table, &plain),
        _ => scalar(node),
    }
}

fn masked(node: &Node) -> Json {
    if node.secret {
        return Json::String("***".to_owned());
    }
    match &node.value {
        Value::String(text) => {
            let written = text.replaced.as_ref().map(|replaced| &replaced.written);
            Json::String(written.unwrap_or(&text.value).clone())
        }
        Value::Array(nodes) => Json::Array(nodes.iter().map(masked).collect()),
        Value::Table(table) => object(table, &masked),
        _ => scalar(node),
    }
}

fn scalar(node: &Node) -> Json {
    match &node.value {
        Value::Integer(number) => i64::try_from(*number)
            .map(Json::from)
            .or_else(|_| u64::try_from(*number).map(Json::from))
            .unwrap_or(Json::Null),
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Boolean(boolean) => Json::Bool(*boolean),
        Value::Datetime(datetime) => Json::String(datetime.clone()),
        _ => Json::Null,
    }
}
