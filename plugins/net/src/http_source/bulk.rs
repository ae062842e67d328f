//! Elasticsearch's `_bulk`: actions and documents by turns
//! (<https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>).
//!
//! **Invariant:** an action takes exactly its own lines; what is no action refuses the whole body, because nobody can
//! tell where the next one starts.

use std::ops::Range;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use lograil_codec::json::encode_value;
use lograil_event::ValueRef;
use serde_json::{Value, json};

use crate::http_server::{self, Answer, Refusal};
use crate::payload::EVENT_BYTES;

/// Bytes that the name of an index may have, as in Elasticsearch.
const INDEX_BYTES_MAX: usize = 255;
/// The index in the answer where neither the action nor the path names one.
const INDEX: &str = "logs";
/// Bytes that an answer has for a document at most, beside the index and the id.
const ITEM_BYTES: usize = 144;

/// A document of the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// Its line.
    pub range: Range<usize>,
    action: &'static str,
    /// The index that the action names.
    index: Option<String>,
    id: Option<String>,
}

impl Document {
    /// Bytes that it takes: what is kept of it, its event, and what the answer says of it.
    fn size(&self, index: &str) -> usize {
        let texts = [self.index.as_deref(), self.id.as_deref(), self.id.as_deref(), Some(index)];
        let texts: usize = texts.into_iter().flatten().map(str::len).sum();
        EVENT_BYTES + size_of::<Self>() + ITEM_BYTES + texts
    }

    /// What the answer says of it.
    fn write_item(&self, is_refused: bool, path_index: Option<&str>, out: &mut Vec<u8>) {
        let index = self.index.as_deref().or(path_index).unwrap_or(INDEX);
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(self.action.as_bytes());
        out.extend_from_slice(b"\":{\"_index\":");
        encode_value(ValueRef::str(index), out);
        out.extend_from_slice(b",\"_id\":");
        match &self.id {
            Some(id) => encode_value(ValueRef::str(id), out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(if is_refused {
            br#","status":400,"error":{"type":"document_parsing_exception","reason":"no JSON"}}}"#
        } else {
            br#","status":201,"result":"created"}}"#
        });
    }
}

/// The answer to a body, as text: a tree of it would take many times the memory.
pub(super) fn answer(
    documents: &[Document],
    refused: &[usize],
    path_index: Option<&str>,
) -> Vec<u8> {
    let mut out =
        format!("{{\"took\":0,\"errors\":{},\"items\":[", !refused.is_empty()).into_bytes();
    for (at, document) in documents.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        document.write_item(refused.binary_search(&at).is_ok(), path_index, &mut out);
    }
    out.extend_from_slice(b"]}\n");
    out
}

/// What clients look for before they send: the version of the protocol, and who answers.
pub(super) fn greeting() -> Answer {
    let about = json!({
        "name": "lograil",
        "version": { "number": "8.0.0", "build_flavor": "default" },
        "tagline": "You Know, for Search",
    });
    of_product(http_server::answer(StatusCode::OK, &about))
}

/// The answer with what clients look for in every one, and without which they take none.
pub(super) fn of_product(mut answer: Answer) -> Answer {
    let product = HeaderValue::from_static("Elasticsearch");
    answer.headers_mut().insert("x-elastic-product", product);
    answer
}

/// Where the documents are. `path_index` is the index that the path names; `pay` pays for what is kept of each. A refusal
/// says what is wrong and where.
pub(super) fn documents(
    body: &[u8],
    path_index: Option<&str>,
    mut pay: impl FnMut(usize) -> Result<(), Refusal>,
) -> Result<Vec<Document>, Refusal> {
    if path_index.is_some_and(|index| index.len() > INDEX_BYTES_MAX) {
        return Err(Refusal::bad(too_long("the path")));
    }
    let (mut documents, mut at, mut line) = (Vec::new(), 0, 0);
    while let Some(action_range) = next_line(body, &mut at, &mut line) {
        if body[action_range.clone()].trim_ascii().is_empty() {
            continue;
        }
        let (action, meta) = action(&body[action_range]).ok_or_else(|| {
            Refusal::bad(format!("line {line}: expected an action: `index` or `create`"))
        })?;
        let text = |name: &str| meta.get(name).and_then(Value::as_str).map(str::to_owned);
        let (index, id) = (text("_index"), text("_id"));
        if index.as_ref().is_some_and(|index| index.len() > INDEX_BYTES_MAX) {
            return Err(Refusal::bad(too_long(&format!("line {line}"))));
        }
        let range = next_line(body, &mut at, &mut line).ok_or_else(|| {
            Refusal::bad(format!("line {line}: a document is missing behind the last action"))
        })?;
        let document = Document { range, action, index, id };
        let index = document.index.as_deref().or(path_index).unwrap_or(INDEX);
        pay(document.size(index))?;
        documents.push(document);
    }
    Ok(documents)
}

fn too_long(place: &str) -> String {
    format!("{place}: the name of an index has at most {INDEX_BYTES_MAX} bytes")
}

/// `{"index": {..}}`, and what it says. Documents are never changed or deleted here.
fn action(line: &[u8]) -> Option<(&'static str, Value)> {
    let Value::Object(members) = serde_json::from_slice(line).ok()? else { return None };
    let mut members = members.into_iter();
    let (name, meta) = members.next()?;
    let name = ["index", "create"].into_iter().find(|known| *known == name)?;
    members.next().is_none().then_some((name, meta))
}

fn next_line(body: &[u8], at: &mut usize, line: &mut usize) -> Option<Range<usize>> {
    if *at >= body.len() {
        return None;
    }
    let start = *at;
    let end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |end| start + end);
    *at = end + 1;
    *line += 1;
    let is_crlf = body[start..end].ends_with(b"\r");
    Some(start..end - usize::from(is_crlf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_documents_alternate() {
        let body = b"{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"n\":1}\n\n{\"create\":{}}\r\n{\"n\":2}\r\n";
        let mut paid = 0;
        let documents = documents(body, Some("path"), |bytes| {
            paid += bytes;
            Ok(())
        })
        .unwrap();
        let texts: Vec<&[u8]> = documents.iter().map(|one| &body[one.range.clone()]).collect();
        assert_eq!(texts, [b"{\"n\":1}", b"{\"n\":2}"]);
        let said = answer(&documents, &[1], Some("path"));
        assert!(said.len() + 2 * (EVENT_BYTES + size_of::<Document>()) <= paid);
        let said: Value = serde_json::from_slice(&said).unwrap();
        let error = json!({ "type": "document_parsing_exception", "reason": "no JSON" });
        let items = json!([
            { "index": { "_index": "a", "_id": "1", "status": 201, "result": "created" } },
            { "create": { "_index": "path", "_id": null, "status": 400, "error": error } },
        ]);
        assert_eq!(said, json!({ "took": 0, "errors": true, "items": items }));
    }

    #[test]
    fn what_is_no_action_is_named_by_its_line() {
        for (body, said) in [
            ("{\"n\":1}\n{}\n", "line 1: expected an action"),
            ("{\"index\":{}}\n{}\n{\"delete\":{}}\n", "line 3: expected an action"),
            ("{\"index\":{},\"create\":{}}\n{}\n", "line 1: expected an action"),
            ("{\"index\":{}}\n", "line 1: a document is missing"),
        ] {
            let error = documents(body.as_bytes(), None, |_| Ok(())).unwrap_err();
            assert!(format!("{error:?}").contains(said), "{error:?}");
        }
    }
}
