//! Elasticsearch's `_bulk`: actions and documents by turns
//! (<https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>).
//!
//! **Invariant:** an action takes exactly its own lines; what is no action refuses the whole body, because nobody can
//! tell where the next one starts.

use std::ops::Range;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use crate::http_server::{self, Answer};

/// A document of the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// Its line.
    pub range: Range<usize>,
    action: &'static str,
    index: Option<String>,
    id: Option<String>,
}

impl Document {
    /// What the answer says of it.
    pub fn answer(&self, is_refused: bool) -> Value {
        let status = if is_refused { 400 } else { 201 };
        let mut item = json!({
            "_index": self.index.as_deref().unwrap_or("logs"),
            "_id": self.id,
            "status": status,
        });
        if is_refused {
            item["error"] = json!({ "type": "document_parsing_exception", "reason": "no JSON" });
        } else {
            item["result"] = json!("created");
        }
        json!({ self.action: item })
    }
}

/// The answer to a body.
pub(super) fn answer(documents: &[Document], refused: &[usize]) -> Value {
    let is_refused = |at: usize| refused.binary_search(&at).is_ok();
    let items = documents.iter().enumerate().map(|(at, one)| one.answer(is_refused(at)));
    json!({ "took": 0, "errors": !refused.is_empty(), "items": items.collect::<Vec<_>>() })
}

/// What clients look for before they send: the version of the protocol, and who answers.
pub(super) fn greeting() -> Answer {
    let about = json!({
        "name": "lograil",
        "version": { "number": "8.0.0", "build_flavor": "default" },
        "tagline": "You Know, for Search",
    });
    let mut greeting = http_server::answer(StatusCode::OK, &about);
    let product = HeaderValue::from_static("Elasticsearch");
    greeting.headers_mut().insert("x-elastic-product", product);
    greeting
}

/// Where the documents are. `path_index` is the index that the path names. An error says what is wrong and where.
pub(super) fn documents(body: &[u8], path_index: Option<&str>) -> Result<Vec<Document>, String> {
    let (mut documents, mut at, mut line) = (Vec::new(), 0, 0);
    while let Some(action_range) = next_line(body, &mut at, &mut line) {
        if body[action_range.clone()].trim_ascii().is_empty() {
            continue;
        }
        let (action, meta) = action(&body[action_range])
            .ok_or_else(|| format!("line {line}: expected an action: `index` or `create`"))?;
        let range = next_line(body, &mut at, &mut line)
            .ok_or_else(|| format!("line {line}: a document is missing behind the last action"))?;
        let text = |name: &str| meta.get(name).and_then(Value::as_str).map(str::to_owned);
        let index = text("_index").or_else(|| path_index.map(str::to_owned));
        documents.push(Document { range, action, index, id: text("_id") });
    }
    Ok(documents)
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
        let documents = documents(body, Some("path")).unwrap();
        let texts: Vec<&[u8]> = documents.iter().map(|one| &body[one.range.clone()]).collect();
        assert_eq!(texts, [b"{\"n\":1}", b"{\"n\":2}"]);
        assert_eq!(
            documents[0].answer(false),
            json!({ "index": { "_index": "a", "_id": "1", "status": 201, "result": "created" } })
        );
        assert_eq!(documents[1].answer(true)["create"]["_index"], "path");
        assert_eq!(documents[1].answer(true)["create"]["status"], 400);
    }

    #[test]
    fn what_is_no_action_is_named_by_its_line() {
        for (body, said) in [
            ("{\"n\":1}\n{}\n", "line 1: expected an action"),
            ("{\"index\":{}}\n{}\n{\"delete\":{}}\n", "line 3: expected an action"),
            ("{\"index\":{},\"create\":{}}\n{}\n", "line 1: expected an action"),
            ("{\"index\":{}}\n", "line 1: a document is missing"),
        ] {
            let error = documents(body.as_bytes(), None).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
