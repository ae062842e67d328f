//! For tests: the output of a source, which keeps what it is sent and resolves acknowledgements as it is told.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use lograil_event::{AckStatus, Batch};
use lograil_plugin::{
    BatchSender, Closed, ComponentMetrics, Port, PositionUpdate, Shutdown, ShutdownTrigger,
    SourceContext, SourceOutput, SourceStart, SystemClock,
};
use lograil_testkit::{SimFiles, events_of};
use serde_json::Value;
use tokio::sync::watch;

/// What a source sent, and the means to stop it.
pub(crate) struct Captured {
    sent: watch::Sender<Vec<(Port, Arc<Batch>)>>,
    held: Arc<Mutex<Vec<Batch>>>,
    is_open: watch::Sender<bool>,
    fate: Option<AckStatus>,
    pub trigger: ShutdownTrigger,
    shutdown: Shutdown,
}

impl Captured {
    /// Every batch has the same fate; `None` holds it for ever.
    pub fn new(fate: Option<AckStatus>) -> Self {
        let (trigger, shutdown) = ShutdownTrigger::new();
        Self {
            sent: watch::Sender::default(),
            held: Arc::default(),
            is_open: watch::Sender::new(true),
            fate,
            trigger,
            shutdown,
        }
    }

    /// While it is closed, sends wait as they do at full edges.
    pub fn set_open(&self, is_open: bool) {
        self.is_open.send_replace(is_open);
    }

    pub fn start(&self) -> SourceStart {
        SourceStart {
            id: "in".into(),
            clock: Arc::new(SystemClock::default()),
            files: SimFiles::new().shared(),
            positions: Default::default(),
            once: false,
            metrics: ComponentMetrics::detached(),
        }
    }

    /// What a source runs with that was started with `start`.
    pub fn run_with(&self, start: SourceStart) -> SourceContext {
        let output = Output {
            sent: self.sent.clone(),
            held: Arc::clone(&self.held),
            is_open: self.is_open.subscribe(),
            fate: self.fate,
        };
        start.run_with(SourceOutput::new(Box::new(output)), self.shutdown.clone())
    }

    /// The raw bytes of all events of each batch.
    pub fn raw(&self) -> Vec<(Port, Vec<Vec<u8>>)> {
        let raw = |batch: &Batch| batch.iter().map(|event| event.raw().unwrap().to_vec()).collect();
        self.sent.borrow().iter().map(|(port, batch)| (*port, raw(batch))).collect()
    }

    /// All events sent to a port, as JSON.
    pub fn events(&self, port: Port) -> Vec<Value> {
        let sent = self.sent.borrow();
        sent.iter().filter(|(to, _)| *to == port).flat_map(|(_, batch)| events_of(batch)).collect()
    }

    /// Waits until this many events were sent to a port, and gives all of them.
    pub async fn wait_for(&self, port: Port, count: usize) -> Vec<Value> {
        let mut sent = self.sent.subscribe();
        let is_there = |sent: &Vec<(Port, Arc<Batch>)>| {
            let of_port = sent.iter().filter(|(to, _)| *to == port);
            of_port.map(|(_, batch)| batch.len()).sum::<usize>() >= count
        };
        let waited = sent.wait_for(is_there);
        let patience = std::time::Duration::from_secs(60);
        drop(tokio::time::timeout(patience, waited).await.expect("events are sent").unwrap());
        self.events(port)
    }
}

struct Output {
    sent: watch::Sender<Vec<(Port, Arc<Batch>)>>,
    held: Arc<Mutex<Vec<Batch>>>,
    is_open: watch::Receiver<bool>,
    fate: Option<AckStatus>,
}

impl BatchSender for Output {
    fn send<'a>(
        &'a mut self,
        port: Port,
        mut batch: Batch,
        _: Vec<PositionUpdate>,
    ) -> BoxFuture<'a, Result<(), Closed>> {
        Box::pin(async move {
            drop(self.is_open.wait_for(|is_open| *is_open).await.map_err(|_| Closed)?);
            let acks = batch.take_acks();
            match self.fate {
                Some(fate) => acks.resolve(fate),
                None => {
                    let mut held = Batch::new();
                    held.add_acks(acks);
                    self.held.lock().unwrap().push(held);
                }
            }
            batch.freeze();
            self.sent.send_modify(|sent| sent.push((port, Arc::new(batch))));
            Ok(())
        })
    }
}
