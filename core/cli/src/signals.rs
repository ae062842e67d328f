//! Following a running topology while listening to signals.
//!
//! **Invariant:** a signal is heard at any time, also while the topology is read again.

use std::time::Duration;

use anyhow::Context;
use lograil_runtime::{Outcome, Running};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::exit::{INTERRUPTED, UNDELIVERED};
use crate::reload::Reload;

/// Signals that come within this time of the first are the same request: `timeout` and the like signal the process
/// and its group, a terminal and a wrapper may both do it. Nobody presses Ctrl-C twice as fast.
const SAME_REQUEST: Duration = Duration::from_millis(100);

struct Signals {
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

/// Hears SIGHUP, also one that comes before anybody waits for it: it would end the program.
pub(crate) struct HangUps(Signal);

impl HangUps {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        on(SignalKind::hangup()).map(Self)
    }
}

fn on(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("listen to signals")
}

impl Signals {
    fn listen(HangUps(hangup): HangUps) -> anyhow::Result<Self> {
        let (interrupt, terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
        lograil_loader::heed_stops().context("listen to signals")?;
        Ok(Self { interrupt, terminate, hangup, hung_up: false })
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
    hang_ups: HangUps,
    mut reload: Option<Reload>,
) -> anyhow::Result<Outcome> {
    let mut signals = Signals::listen(hang_ups)?;
    let stop = loop {
        let deadline = running.plan().global.shutdown_timeout.0;
        tokio::select! {
            () = running.wait() => return Ok(running.finish().await),
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
    Ok(running.finish().await)
}

/// Reads the topology again, on a thread of its own: signals are heard although a plugin is in a call that does not
/// return. Says whether a stop was asked for meanwhile.
async fn change(
    mut running: Running,
    mut reload: Reload,
    signals: &mut Signals,
) -> (Running, Option<Reload>, Option<Stop>) {
    let (deadline, stopper) = (running.plan().global.shutdown_timeout.0, running.stopper());
    let runtime = Handle::current();
    let mut changing = tokio::task::spawn_blocking(move || {
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
            changed = &mut changing => match changed {
                Ok(changed) => break changed,
                Err(crash) => std::panic::resume_unwind(crash.into_panic()),
            },
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

/// Waits for the files of the topology to change, if they are watched.
async fn changed(reload: &mut Option<Reload>) {
    match reload {
        Some(reload) => reload.changed().await,
        None => std::future::pending().await,
    }
}
