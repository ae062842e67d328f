//! Running a source: its batches are numbered, counted and passed on.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use lograil_event::{Acks, Batch};
use lograil_plugin::{
    BatchSender, Closed, Port, PositionUpdate, Source, SourceContext, SourceOutput,
};

use crate::checkpoint::Tracker;
use crate::departures::Departures;
use crate::ledger::Counts;
use crate::outlet::Outlet;
use crate::tasks::{Ended, Exit, Order, Orders};

/// What a source that was stopped in a reload leaves behind: batches that are numbered and not yet sent.
pub(crate) type LeftBehind = Arc<Mutex<Departures>>;

/// The runtime's end of a source's output.
pub(crate) struct SourceSender {
    pub number: u32,
    pub tracker: Arc<Tracker>,
    pub outlet: Arc<Outlet>,
    pub counts: Arc<Counts>,
    pub orders: Orders,
    pub departures: Departures,
    pub left: LeftBehind,
}

impl BatchSender for SourceSender {
    fn send<'a>(
        &'a mut self,
        port: Port,
        mut batch: Batch,
        positions: Vec<PositionUpdate>,
    ) -> BoxFuture<'a, Result<(), Closed>> {
        Box::pin(async move {
            if self.orders.now() >= Order::Interrupt {
                // Its successor may be reading the same already.
                return Err(Closed);
            }
            self.counts.received(batch.len());
            self.counts.received_bytes(raw_bytes(&batch));
            batch.add_acks(Acks::from(self.tracker.begin(self.number, positions)));
            self.outlet.depart(port, batch, &mut self.departures);
            // A source that is to stop must not wait for room; its successor does.
            if self.orders.now() < Order::Suspend {
                tokio::select! {
                    biased;
                    delivered = self.departures.deliver() => return delivered,
                    () = self.orders.at_least(Order::Suspend) => {}
                }
            }
            self.leave_behind();
            Ok(())
        })
    }
}

impl SourceSender {
    /// Leaves what could not be sent to the successor, which may come before this source has ended.
    fn leave_behind(&mut self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.append(std::mem::take(&mut self.departures));
    }
}

impl Drop for SourceSender {
    fn drop(&mut self) {
        self.leave_behind();
    }
}

/// Sends what a predecessor left behind, then runs the source. Gives itself back when it is suspended: then the
/// source has stopped, by itself or because it was interrupted.
pub(crate) async fn run(
    source: Box<dyn Source>,
    mut sender: SourceSender,
    id: String,
    context: impl FnOnce(SourceOutput) -> SourceContext,
) -> Exit<()> {
    let orders = sender.orders.clone();
    let started = tokio::select! {
        biased;
        // Whether anybody takes it is not the source's affair.
        _ = sender.departures.deliver() => true,
        () = orders.at_least(Order::Suspend) => false,
    };
    if !started {
        return Exit::Back(());
    }
    let running = source.run(context(SourceOutput::new(Box::new(sender))));
    let ended = tokio::select! {
        biased;
        ended = running => ended,
        () = orders.at_least(Order::Interrupt) => Ok(()),
    };
    match ended {
        _ if orders.now() >= Order::Suspend => Exit::Back(()),
        Ok(()) => Exit::Over(Ended::Done),
        Err(error) => Exit::Over(Ended::Failed { component: id, reason: error.to_string() }),
    }
}

/// Bytes the events of a source's batch were read from. A source's events lie in their segments in order,
/// so that the first and the last of a segment tell without a look at those between.
pub(crate) fn raw_bytes(batch: &Batch) -> u64 {
    let mut records = batch.records();
    let mut bytes = 0;
    while let Some(first) = records.first().and_then(lograil_event::EventRecord::raw) {
        let same = |record: &lograil_event::EventRecord| {
            record.raw().is_some_and(|raw| raw.segment == first.segment)
        };
        let count = records.partition_point(same).max(1);
        let last = records[count - 1].raw().unwrap_or(first);
        bytes += u64::from(last.offset + last.len).saturating_sub(u64::from(first.offset));
        records = &records[count..];
    }
    bytes
}

#[cfg(test)]
mod tests {
    use lograil_plugin::ComponentMetrics;
    use lograil_testkit::batch_of_lines;

    use super::*;
    use crate::checkpoint::Snapshot;

    /// The successor may start before the source has ended: what waits for room is its to send.
    #[tokio::test]
    async fn what_a_source_that_is_to_stop_cannot_send_is_left_behind_at_once() {
        let (edge, mut end) = lograil_buffer::memory(0);
        edge.send(batch_of_lines(&["before"])).await.unwrap();
        let (tracker, left) = (Tracker::new(Snapshot::default()), LeftBehind::default());
        let counts = Counts::new(ComponentMetrics::detached());
        let mut sender = SourceSender {
            number: tracker.source("in"),
            tracker,
            outlet: Outlet::new(vec![(Port::MAIN, vec![edge])], Arc::clone(&counts)),
            counts,
            orders: Orders::given(Order::Suspend),
            departures: Departures::default(),
            left: Arc::clone(&left),
        };
        for line in ["a", "b"] {
            sender.send(Port::MAIN, batch_of_lines(&[line]), Vec::new()).await.unwrap();
        }
        let mut departures = std::mem::take(&mut *left.lock().unwrap());
        assert!(!departures.is_empty());
        let deliver = async { departures.deliver().await };
        let read = async {
            let mut seen = Vec::new();
            for _ in 0..3 {
                let batch = end.recv().await.unwrap();
                seen.extend(lograil_testkit::lines_of(&batch));
            }
            seen
        };
        let (sent, seen) = tokio::join!(deliver, read);
        assert!(sent.is_ok());
        assert_eq!(seen, [b"before".to_vec(), b"a".to_vec(), b"b".to_vec()]);
        drop(sender);
    }
}
