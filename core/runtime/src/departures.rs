//! Batches on their way from a component to the edges of its consumers.
//!
//! **Invariant:** waiting for room may be broken off at any moment and taken up again, by somebody else too;
//! no batch is lost or sent twice.

use std::collections::VecDeque;
use std::sync::Arc;

use lograil_buffer::EdgeSender;
use lograil_event::{AckStatus, Batch};
use lograil_plugin::{Closed, Port};

use crate::ledger::Counts;

/// The batches, in the order in which they came out.
#[derive(Default)]
pub(crate) struct Departures {
    steps: VecDeque<Step>,
    /// Whether a consumer took its share of the batch that is being sent.
    is_taken: bool,
    /// Whether nobody took a batch.
    is_refused: bool,
}

enum Step {
    Send(EdgeSender, Batch),
    /// All consumers of a batch were offered their share.
    Count(Arc<Counts>, Port, usize),
}

impl Departures {
    pub fn to(&mut self, target: &EdgeSender, share: Batch) {
        self.steps.push_back(Step::Send(target.clone(), share));
    }

    /// The shares of a batch are all on their way; to be counted once they are there.
    pub fn counted(&mut self, counts: &Arc<Counts>, port: Port, events: usize) {
        self.steps.push_back(Step::Count(Arc::clone(counts), port, events));
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Puts what another has behind its own.
    pub fn append(&mut self, other: Self) {
        if self.steps.is_empty() {
            self.is_taken = other.is_taken;
        }
        self.is_refused |= other.is_refused;
        self.steps.extend(other.steps);
    }

    /// Gives up what is on its way; its acknowledgements say that nobody wants it any more. How many events no
    /// consumer took.
    pub fn discard(&mut self) -> usize {
        let mut events = 0;
        for step in self.steps.drain(..) {
            match step {
                Step::Send(_, mut batch) => batch.take_acks().resolve(AckStatus::Delivered),
                Step::Count(counts, port, sent) if std::mem::take(&mut self.is_taken) => {
                    counts.passed_on(port, sent);
                }
                Step::Count(_, _, unsent) => events += unsent,
            }
        }
        events
    }

    /// Sends everything, waiting for room. May be cancelled.
    ///
    /// A consumer that is gone leaves its share undelivered, which the share says when it is dropped; the
    /// others get theirs. An error means that a batch found all of them gone.
    pub async fn deliver(&mut self) -> Result<(), Closed> {
        while let Some(step) = self.steps.front() {
            let room = match step {
                Step::Send(target, batch) => target.room(batch).await,
                Step::Count(..) => None,
            };
            match self.steps.pop_front() {
                Some(Step::Send(target, batch)) => {
                    self.is_taken |= room.is_some_and(|room| target.put(batch, room).is_ok());
                }
                Some(Step::Count(counts, port, events)) => {
                    if std::mem::take(&mut self.is_taken) {
                        counts.passed_on(port, events);
                    } else {
                        self.is_refused = true;
                    }
                }
                None => {}
            }
        }
        if std::mem::take(&mut self.is_refused) { Err(Closed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use lograil_plugin::ComponentMetrics;
    use lograil_testkit::{batch_of_lines, lines_of};

    use super::*;

    #[tokio::test]
    async fn a_wait_that_is_broken_off_loses_and_doubles_nothing() {
        let counts = Counts::new(ComponentMetrics::detached());
        let (left, mut left_end) = lograil_buffer::memory(1);
        let (right, mut right_end) = lograil_buffer::memory(1);
        let mut departures = Departures::default();
        let lines = ["a", "b", "c"];
        for line in lines {
            let mut batch = batch_of_lines(&[line]);
            departures.to(&left, batch.share());
            departures.to(&right, batch);
            departures.counted(&counts, Port::MAIN, 1);
        }
        let (mut at_left, mut at_right) = (Vec::new(), Vec::new());
        while !departures.is_empty() {
            let delivered = departures.deliver().now_or_never();
            assert!(delivered.is_none_or(|taken| taken.is_ok()));
            at_right.extend(right_end.try_recv());
            at_left.extend(left_end.try_recv());
        }
        at_right.extend(right_end.try_recv());
        let text = |batches: Vec<Batch>| batches.iter().flat_map(lines_of).collect::<Vec<_>>();
        let wanted: Vec<_> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        assert_eq!((text(at_left), text(at_right)), (wanted.clone(), wanted));
        assert_eq!(counts.ledger().sent, 3);
    }
}
