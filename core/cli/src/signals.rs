//! Following a running topology while listening to signals.

use std::time::Duration;

use anyhow::Context;
use lograil_runtime::{Outcome, Running};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::INTERRUPTED;

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

enum Heard {
    Stop,
    Reopen,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("listen to signals");
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.interrupt.recv() => Heard::Stop,
            _ = self.terminate.recv() => Heard::Stop,
            _ = self.hangup.recv() => Heard::Reopen,
        }
    }
}

/// Follows a topology to its end: the first SIGINT or SIGTERM drains it until `deadline`, the second ends
/// the program at once, SIGHUP opens the files of sinks anew.
pub(crate) async fn follow(mut running: Running, deadline: Duration) -> anyhow::Result<Outcome> {
    let mut signals = Signals::listen()?;
    loop {
        tokio::select! {
            () = running.wait() => return Ok(running.finish().await),
            heard = signals.next() => match heard {
                Heard::Reopen => running.reopen(),
                Heard::Stop => break,
            },
        }
    }
    tracing::info!("stopping: delivering what was read; a second signal ends at once");
    running.stop();
    let timeout = tokio::time::sleep(deadline);
    tokio::pin!(timeout);
    loop {
        tokio::select! {
            () = running.wait() => break,
            () = &mut timeout => {
                tracing::error!("not everything could be delivered within {deadline:?}; giving up");
                running.abandon();
                break;
            }
            heard = signals.next() => if matches!(heard, Heard::Stop) {
                std::process::exit(INTERRUPTED);
            },
        }
    }
    Ok(running.finish().await)
}
