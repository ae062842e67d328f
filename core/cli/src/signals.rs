//! Following a running topology while listening to signals.
//!
//! **Invariant:** a signal is heard at any time, also while the topology starts or is read again.

use std::time::Duration;

use anyhow::Context;
use lograil_runtime::{Outcome, Running};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::exit::{INTERRUPTED, UNDELIVERED};
use crate::reload::Reload;

/// Signals that come within this time of the first are the same request: `timeout` and the like signal the process
/// and its group, a terminal and a wrapper may both do it. Nobody presses Ctrl-C twice as fast.
const SAME_REQUEST: Duration = Duration::from_millis(100);

/// Hears signals from its making on: also those that come before anybody waits for them, which would end the program.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// A hang-up that came while another was dealt with.
    hung_up: bool,
}

enum Heard {
    Stop,
    HangUp,
}

fn on(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("listen to signals")
}

impl Signals {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let (interrupt, terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
        let hangup = on(SignalKind::hangup())?;
        lograil_loader::heed_stops().context("listen to signals")?;
        Ok(Self { interrupt, terminate, hangup, hung_up: false })
    }

    /// Waits for what starts a topology; `None` if a stop is asked for before it is done. A hang-up waits its turn.
    ///
    /// It is done on a thread of its own: a component may be in a call that does not return.
    pub(crate) async fn unless_stopped<T: Send + 'static>(
        &mut self,
        start: impl FnOnce(Handle) -> T + Send + 'static,
    ) -> Option<T> {
        let mut starting = aside(start);
        tokio::select! {
            biased;
            started = &mut starting => Some(returned(started)),
            _ = self.interrupt.recv() => None,
            _ = self.terminate.recv() => None,
        }
    }

    async fn next(&mut self) -> Heard {
        if std::mem::take(&mut self.hung_up) {
            return Heard::HangUp;
        }
        tokio::select! {
            _ = self.interrupt.recv() => Heard::Stop,
            _ = self.terminate.recv() => Heard::Stop,
            _ = self.hangup.recv() => Heard::HangUp,
        }
    }
}

/// When a stop was asked for, and until when it may take.
#[derive(Clone, Copy)]
struct Stop {
    asked: Instant,
    deadline: Duration,
}

impl Stop {
    fn now(deadline: Duration) -> Self {
        tracing::info!("stopping: delivering what was read; a second signal ends at once");
        Self { asked: Instant::now(), deadline }
    }

    /// A second request ends the program.
    fn ask_again(self) {
        if self.asked.elapsed() > SAME_REQUEST {
            std::process::exit(INTERRUPTED);
        }
    }

    async fn is_due(self) {
        tokio::time::sleep_until(self.asked + self.deadline).await;
        tracing::error!("not everything could be delivered within {:?}; giving up", self.deadline);
    }
}

/// Follows a topology to its end: the first SIGINT or SIGTERM drains it for `shutdown_timeout`, a second one ends
/// the program at once, SIGHUP opens the files of sinks anew and reads the topology again.
pub(crate) async fn follow(
    mut running: Running,
    mut signals: Signals,
    mut reload: Option<Reload>,
) -> Outcome {
    let stop = loop {
        let deadline = running.plan().global.shutdown_timeout.0;
        tokio::select! {
            () = running.wait() => return running.finish().await,
            heard = signals.next() => match heard {
                Heard::HangUp => running.reopen(),
                Heard::Stop => break Stop::now(deadline),
            },
            () = changed(&mut reload) => {}
        }
        if let Some(given) = reload.take() {
            let stop;
            (running, reload, stop) = change(running, given, &mut signals).await;
            if let Some(stop) = stop {
                break stop;
            }
        }
    };
    running.stop();
    loop {
        tokio::select! {
            () = running.wait() => break,
            () = stop.is_due() => {
                running.abandon();
                break;
            }
            heard = signals.next() => if matches!(heard, Heard::Stop) {
                stop.ask_again();
            },
        }
    }
    running.finish().await
}

/// Reads the topology again, on a thread of its own: signals are heard although a plugin is in a call that does not
/// return. Says whether a stop was asked for meanwhile.
async fn change(
    mut running: Running,
    mut reload: Reload,
    signals: &mut Signals,
) -> (Running, Option<Reload>, Option<Stop>) {
    let (deadline, stopper) = (running.plan().global.shutdown_timeout.0, running.stopper());
    let mut changing = aside(move |runtime| {
        runtime.block_on(reload.run(&mut running));
        (running, reload)
    });
    let (mut stop, mut hung_up): (Option<Stop>, bool) = (None, false);
    let (running, reload) = loop {
        let is_due = async move {
            match stop {
                Some(stop) => stop.is_due().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = &mut changing => break returned(changed),
            // What is not acknowledged is read again.
            () = is_due => std::process::exit(UNDELIVERED.into()),
            heard = signals.next() => match (heard, stop) {
                (Heard::HangUp, _) => hung_up = true,
                (Heard::Stop, Some(stop)) => stop.ask_again(),
                (Heard::Stop, None) => {
                    stop = Some(Stop::now(deadline));
                    stopper.request();
                }
            },
        }
    };
    signals.hung_up = hung_up;
    (running, Some(reload), stop)
}

/// Does something on a thread of its own.
fn aside<T: Send + 'static>(call: impl FnOnce(Handle) -> T + Send + 'static) -> JoinHandle<T> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || call(runtime))
}

/// What a thread came to; if it crashed, so does whoever waited for it.
fn returned<T>(ended: Result<T, JoinError>) -> T {
    ended.unwrap_or_else(|crash| std::panic::resume_unwind(crash.into_panic()))
}

/// Waits for the files of the topology to change, if they are watched.
async fn changed(reload: &mut Option<Reload>) {
    match reload {
        Some(reload) => reload.changed().await,
        None => std::future::pending().await,
    }
}
