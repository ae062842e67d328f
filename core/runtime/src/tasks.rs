//! The tasks of components: how they are started, told what to do, and how they report.
//!
//! **Invariant:** every task that was started either reports its end once or gives back what it ran.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use lograil_plugin::{Clock, Threading};
use tokio::sync::{mpsc, oneshot, watch};

use crate::crash;

/// What a task is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// To work.
    Run,
    /// It is no longer part of the topology: to work until its input ends.
    Drain,
    /// To stop between two batches and give itself back.
    Suspend,
    /// The same, also in the middle of a call that waits.
    Interrupt,
    /// To discard what it was to deliver, and end.
    GiveUp,
    /// None any more: it is giving itself back.
    Left,
}

/// Why a task stops working before its input ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It is to give itself back.
    Suspended,
    /// It is to discard what it has.
    GivenUp,
}

/// Hears what it is told.
#[derive(Debug, Clone)]
pub(crate) struct Orders(Arc<watch::Sender<Order>>);

impl Orders {
    /// Orders that never come.
    #[cfg(test)]
    pub fn none() -> Self {
        Self::given(Order::Run)
    }

    /// One order that stays.
    #[cfg(test)]
    pub fn given(order: Order) -> Self {
        Self(Arc::new(watch::channel(order).0))
    }

    /// The last order.
    pub fn now(&self) -> Order {
        *self.0.borrow()
    }

    /// Waits for an order at least as urgent as `order`.
    pub async fn at_least(&self, order: Order) {
        // The sending end is held here, so the wait cannot fail.
        let mut orders = self.0.subscribe();
        let _heard = orders.wait_for(|now| *now >= order).await;
    }

    /// Waits for an order to leave that is at least as urgent as `order`, and obeys: it cannot be withdrawn any more.
    pub async fn leave(&self, order: Order) -> Leave {
        loop {
            self.at_least(order).await;
            let mut was = Order::Run;
            self.0.send_if_modified(|now| {
                was = *now;
                if matches!(was, Order::Suspend | Order::Interrupt) {
                    *now = Order::Left;
                }
                false
            });
            match was {
                Order::Suspend | Order::Interrupt => return Leave::Suspended,
                Order::GiveUp => return Leave::GivenUp,
                // Withdrawn meanwhile.
                Order::Run | Order::Drain | Order::Left => {}
            }
        }
    }
}

/// How a task ends.
pub(crate) enum Exit<T> {
    /// It was suspended.
    Back(T),
    /// It is over.
    Over(Ended),
}

/// What a component's task reports when it ends.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Its input ended, or it was asked to stop.
    Done,
    /// A sink's reader went away.
    OutputClosed,
    /// It cannot go on.
    Failed { component: String, reason: String },
}

/// Completes when a task has ended.
pub(crate) type Ending = Shared<BoxFuture<'static, ()>>;

/// A running task.
pub(crate) struct Task<T> {
    orders: Arc<watch::Sender<Order>>,
    /// Over when the task is.
    back: oneshot::Receiver<T>,
}

/// A task that does not give itself back: it is in a call that does not return.
#[derive(Debug)]
pub(crate) struct StillAtWork;

impl<T> Task<T> {
    pub fn order(&self, order: Order) {
        self.orders.send_if_modified(|now| {
            let is_heard = *now != Order::Left;
            if is_heard {
                *now = order;
            }
            is_heard
        });
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        // It held the other end.
        Arc::strong_count(&self.orders) == 1
    }

    /// Lets a task that is no longer part of the topology end by itself; it gives up after `limit`.
    pub fn drain(self, limit: Option<Duration>, clock: &Arc<dyn Clock>) -> Ending
    where
        T: Send + 'static,
    {
        self.order(Order::Drain);
        let limit = limit.map(|limit| clock.sleep(limit));
        let orders = Arc::clone(&self.orders);
        let ending = self.ending();
        if let Some(limit) = limit {
            let over = ending.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = over => {}
                    () = limit => { orders.send_replace(Order::GiveUp); }
                }
            });
        }
        ending
    }

    /// Lets a task go on to its end.
    pub fn ending(self) -> Ending
    where
        T: Send + 'static,
    {
        self.back.map(|_| ()).boxed().shared()
    }

    /// Suspends the task, in the middle of a call if it has not given itself back within `patience`; `None` if it
    /// ended by itself. If it does neither within twice the time it goes on.
    pub async fn suspend(
        &mut self,
        patience: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<T>, StillAtWork> {
        self.order(Order::Suspend);
        for next in [Order::Interrupt, Order::Run] {
            tokio::select! {
                biased;
                back = &mut self.back => return Ok(back.ok()),
                () = clock.sleep(patience) => self.order(next),
            }
        }
        let has_left = *self.orders.borrow() == Order::Left;
        if has_left { Ok((&mut self.back).await.ok()) } else { Err(StillAtWork) }
    }
}

/// Starts tasks.
#[derive(Clone)]
pub(crate) struct Spawner {
    pub ended: mpsc::UnboundedSender<Ended>,
    pub abandon: watch::Receiver<bool>,
}

impl Spawner {
    /// Gives a component its task, on a thread of its own if it blocks. The task reports its end whatever
    /// happens, also when it panics or is abandoned.
    pub fn spawn<T: Send + 'static, F>(
        &self,
        component: &str,
        threading: Threading,
        task: impl FnOnce(Orders) -> F,
    ) -> Task<T>
    where
        F: Future<Output = Exit<T>> + Send + 'static,
    {
        let orders = Arc::new(watch::channel(Order::Run).0);
        let (give_back, back) = oneshot::channel();
        let running = task(Orders(Arc::clone(&orders)));
        let mut report =
            Report { ended: self.ended.clone(), component: Some(component.to_owned()) };
        let mut abandon = self.abandon.clone();
        let name = component.to_owned();
        let task = async move {
            let crashed = |panic: Box<dyn Any + Send>| {
                let reason = crash::reason(&*panic);
                Exit::Over(Ended::Failed { component: name, reason })
            };
            let exit = tokio::select! {
                exit = AssertUnwindSafe(running).catch_unwind() => exit.unwrap_or_else(crashed),
                _ = abandon.wait_for(|abandoned| *abandoned) => Exit::Over(Ended::Done),
            };
            match exit {
                Exit::Over(ended) => {
                    report.send(ended);
                    drop(give_back);
                }
                Exit::Back(value) => {
                    report.withdraw();
                    // Nobody waits for it only when the topology is gone.
                    let _gone = give_back.send(value);
                }
            }
        };
        match threading {
            Threading::Async => {
                tokio::spawn(task);
            }
            Threading::Blocking => {
                let runtime = tokio::runtime::Handle::current();
                let thread = std::thread::Builder::new().name(component.to_owned());
                // A thread that cannot be made drops the task, whose report then says so.
                let _detached = thread.spawn(move || runtime.block_on(task));
            }
        }
        Task { orders, back }
    }
}

/// Reports the end of a task; if the task never says how it ended, that it never ran.
struct Report {
    ended: mpsc::UnboundedSender<Ended>,
    component: Option<String>,
}

impl Report {
    /// There is nothing to report.
    fn withdraw(&mut self) {
        self.component = None;
    }

    fn send(&mut self, ended: Ended) {
        self.component = None;
        // Nobody listens any more only when the topology is gone.
        let _listening = self.ended.send(ended);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(component) = self.component.take() {
            let reason = "it was given no thread, or the runtime is gone".to_owned();
            self.send(Ended::Failed { component, reason });
        }
    }
}
