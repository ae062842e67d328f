//! Log lines of the plugin, on their way to the host.

use std::fmt::Write;

use lograil_abi::{Host, Str};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Hands every line to the host at once; knows no spans.
struct ToHost(&'static Host);

/// From now on, lines of this library go to the host.
pub(super) fn start(host: &'static Host) {
    // A second call of the entry finds it started.
    let _started = tracing::subscriber::set_global_default(ToHost(host));
}

fn number(level: Level) -> u32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for ToHost {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // SAFETY: any thread may ask.
        metadata.is_event() && number(*metadata.level()) <= unsafe { (self.0.log_level)() }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let (level, target) = (number(*metadata.level()), Str::new(metadata.target()));
        let text = line.message + &line.fields;
        // SAFETY: any thread may log, with or without a context; the texts live until it returns.
        unsafe { (self.0.log)(std::ptr::null_mut(), level, target, Str::new(&text)) };
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string does not fail.
        let _written = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
