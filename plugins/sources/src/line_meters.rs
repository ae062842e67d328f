//! What is counted of lines, whatever they are read from.
//!
//! **Invariant:** a line never loses bytes without a word: the first of each way is told in the log, all are counted.

use std::sync::Arc;

use lograil_plugin::ComponentMetrics;
use prometheus::IntCounter;

use crate::line_blocks::{LineBatcher, Oversized};

/// The metrics of lines, and the warnings that go with them.
pub struct LineMeters {
    id: Arc<str>,
    oversized: IntCounter,
    damaged: IntCounter,
    has_told_of_oversized: bool,
    has_told_of_damaged: bool,
}

impl LineMeters {
    /// Resolves the handles.
    #[must_use]
    pub fn new(metrics: &ComponentMetrics, id: &Arc<str>) -> Self {
        Self {
            id: Arc::clone(id),
            oversized: metrics
                .counter("oversized_lines", "Lines over max_line_bytes, truncated or refused."),
            damaged: metrics.counter(
                "undecodable_lines",
                "Lines with bytes that mean nothing in the charset, replaced by U+FFFD.",
            ),
            has_told_of_oversized: false,
            has_told_of_damaged: false,
        }
    }

    /// Counts what `lines` met since it was last asked.
    pub fn count(&mut self, lines: &mut LineBatcher) {
        let (oversized, damaged) = (lines.take_oversized(), lines.take_damaged());
        if oversized > 0 {
            self.oversized.inc_by(oversized);
            if !std::mem::replace(&mut self.has_told_of_oversized, true) {
                self.tell_of_oversized(lines);
            }
        }
        if damaged > 0 {
            self.damaged.inc_by(damaged);
            if !std::mem::replace(&mut self.has_told_of_damaged, true) {
                tracing::warn!(
                    component_id = %self.id,
                    "a line has bytes that mean nothing in the charset: they became U+FFFD. Further \
                     ones are counted in lograil_component_undecodable_lines_total"
                );
            }
        }
    }

    fn tell_of_oversized(&self, lines: &LineBatcher) {
        let format = lines.format();
        let (fate, remedy) = match format.oversized {
            Oversized::Truncate => {
                ("cut off there", "raise the option, or set `oversized = \"dead_letter\"`")
            }
            Oversized::DeadLetter => ("refused", "raise the option"),
        };
        tracing::warn!(
            component_id = %self.id,
            "a line is longer than `max_line_bytes` ({} bytes) and was {fate}: {remedy}. Further ones are \
             counted in lograil_component_oversized_lines_total",
            format.line_bytes_max
        );
    }
}
