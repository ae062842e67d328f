//! Running a source: its batches are numbered, counted and passed on.

use std::sync::Arc;

use futures::future::BoxFuture;
use lograil_event::{Acks, Batch};
use lograil_plugin::{BatchSender, Closed, Port, PositionUpdate};

use crate::checkpoint::Tracker;
use crate::ledger::Counts;
use crate::outlet::Outlet;

/// The runtime's end of a source's output.
pub(crate) struct SourceSender {
    pub number: u32,
    pub tracker: Arc<Tracker>,
    pub outlet: Outlet,
    pub counts: Arc<Counts>,
}

impl BatchSender for SourceSender {
    fn send<'a>(
        &'a mut self,
        port: Port,
        mut batch: Batch,
        positions: Vec<PositionUpdate>,
    ) -> BoxFuture<'a, Result<(), Closed>> {
        Box::pin(async move {
            self.counts.received(batch.len());
            self.counts.received_bytes(raw_bytes(&batch));
            batch.add_acks(Acks::from(self.tracker.begin(self.number, positions)));
            self.outlet.send(port, batch).await
        })
    }
}

/// Bytes the events of a source's batch were read from. A source's events lie in their segments in order,
/// so that the first and the last of a segment tell without a look at those between.
fn raw_bytes(batch: &Batch) -> u64 {
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
