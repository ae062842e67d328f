//! The transform `parse`: the text of a field becomes fields. A file per format.

mod auto;
mod convert;
mod finish;
mod formats;
mod grok;
mod json;
mod lag;
mod lowered;
mod options;
mod regex;

use std::sync::Arc;

use lograil_codec::row::RowParser;
use lograil_codec::rows::Rows;
use lograil_event::Batch;
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentMetrics, ComponentSpec, ConfigErrors, Outputs, Threading, Transform,
    TransformContext, TransformError,
};

use finish::Finish;
use lag::Lag;
use options::{OnError, ParseOptions};

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "parse",
    summary: "Turns the text of a field into fields: JSON, CSV, logfmt, syslog, access logs, a pattern and others.",
    manual: include_str!("README.md"),
    schema: schema_of::<ParseOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Parse::new(ParseOptions::new(options)?)?))),
};

/// A format: what one value of `format` does.
trait Format: Send {
    /// Called once before the first batch.
    fn start(&mut self, _id: &str, _metrics: &ComponentMetrics) {}

    /// Called before each batch with the time, which completes dates without a year.
    fn set_now(&mut self, _now_ns: i64) {}

    /// Parses every event. One that cannot be parsed stays as it is; its index is added to `failed`, in
    /// rising order.
    fn parse(&mut self, batch: &mut Batch, failed: &mut Vec<usize>);

    /// How many events of the last batch were header lines, which the format has taken out.
    fn headers(&self) -> usize {
        0
    }

    /// Why the `nth` failed event of the last batch could not be parsed: what was expected and where, but
    /// never the text itself.
    fn reason(&self, nth: usize) -> String;
}

impl<P: RowParser> Format for Rows<P> {
    fn set_now(&mut self, now_ns: i64) {
        Rows::set_now(self, now_ns);
    }

    fn parse(&mut self, batch: &mut Batch, failed: &mut Vec<usize>) {
        self.parse_others(batch, failed, &[]);
    }

    fn headers(&self) -> usize {
        Rows::headers(self)
    }

    fn reason(&self, nth: usize) -> String {
        Rows::reason(self, nth)
    }
}

struct Parse {
    format: Box<dyn Format>,
    finish: Finish,
    /// Whether the format finds the time of events by itself.
    finds_times: bool,
    lag: Lag,
    clock: Option<Arc<dyn Clock>>,
    on_error: OnError,
    /// Events of the current batch that could not be parsed.
    failed: Vec<usize>,
    failures: Option<prometheus::IntCounter>,
}

impl Parse {
    fn new(options: ParseOptions) -> Result<Self, ConfigErrors> {
        let finish = Finish::new(&options)?;
        Ok(Self {
            format: formats::build(&options)?,
            finish,
            finds_times: options.format.finds_times(),
            lag: Lag::default(),
            clock: None,
            on_error: options.on_error,
            failed: Vec::new(),
            failures: None,
        })
    }

    fn take_failed(&self, batch: &mut Batch, out: &mut Outputs) {
        let mut next = self.failed.iter().copied().peekable();
        let mut is_failed = |event: usize| next.next_if_eq(&event).is_some();
        match self.on_error {
            OnError::Pass => {}
            OnError::Drop => out.discard("parse_error", batch.retain(|event| !is_failed(event))),
            OnError::DeadLetter => {
                if let Some(letters) = batch.split_off_where(is_failed) {
                    out.dead_letter(letters, |nth| self.format.reason(nth));
                }
            }
        }
    }
}

impl Transform for Parse {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        let help = "Events that could not be parsed.";
        self.failures = Some(context.metrics.counter("parse_failures", help));
        self.finish.start(&context.metrics);
        self.format.start(&context.id, &context.metrics);
        self.clock = Some(context.clock);
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        self.failed.clear();
        let now_ns = self.clock.as_ref().map_or(0, |clock| clock.now_ns());
        self.format.set_now(now_ns);
        if self.finds_times {
            self.lag.before(&batch);
        }
        self.format.parse(&mut batch, &mut self.failed);
        out.discard("header", self.format.headers());
        if !self.finds_times && self.finish.finds_times() {
            self.lag.before(&batch);
        }
        self.finish.run(&mut batch, &self.failed, now_ns);
        if self.finds_times || self.finish.finds_times() {
            self.lag.after(&mut batch, now_ns);
        }
        if !self.failed.is_empty() {
            if let Some(failures) = &self.failures {
                failures.inc_by(self.failed.len() as u64);
            }
            self.take_failed(&mut batch, out);
        }
        out.emit(batch);
    }
}

#[cfg(test)]
mod manual;
#[cfg(test)]
mod rows_tests;
#[cfg(test)]
mod tests;
