//! `format = "json"`: one JSON document an event, strictly RFC 8259.

use lograil_codec::json::{JsonError, ParseOptions as JsonOptions, Parser};
use lograil_event::Batch;

use super::Format;
use super::options::ParseOptions;

/// The format's state: the parser, which learns the shapes of the stream's objects.
pub(super) struct Json {
    field: String,
    target: Option<String>,
    keep_field: bool,
    parser: Parser,
    failures: Vec<(usize, JsonError)>,
}

impl Json {
    pub(super) fn new(options: &ParseOptions) -> Self {
        let (field, target) = (options.field.clone(), options.target.clone());
        let keep_field = options.keep_field;
        Self { field, target, keep_field, parser: Parser::new(), failures: Vec::new() }
    }
}

impl Format for Json {
    fn parse(&mut self, batch: &mut Batch, failed: &mut Vec<usize>) {
        self.failures.clear();
        let options = JsonOptions { target: self.target.as_deref(), keep_source: self.keep_field };
        self.parser.parse_batch(batch, &self.field, options, &mut self.failures);
        failed.extend(self.failures.iter().map(|(event, _)| *event));
    }

    fn reason(&self, nth: usize) -> String {
        let error = self.failures.get(nth).map(|(_, error)| error.to_string());
        format!("`{}`: {}", self.field, error.unwrap_or_default())
    }
}
