//! Following a running topology while listening to signals.

use std::time::Duration;

use anyhow::Context;
use lograil_runtime::{Outcome, Running};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::exit::INTERRUPTED;
use crate::reload::Reload;

/// Signals that come within this time of the first are the same request: `timeout` and the like signal the process
/// and its group, a terminal and a wrapper may both do it. Nobody presses Ctrl-C twice as fast.
const SAME_REQUEST: Duration = Duration::from_millis(100);

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
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
        Ok(Self { interrupt, terminate, hangup })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.interrupt.recv() => Heard::Stop,
            _ = self.terminate.recv() => Heard::Stop,
            _ = self.hangup.recv() => Heard::HangUp,
        }
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
    loop {
        tokio::select! {
            () = running.wait() => return Ok(running.finish().await),
            heard = signals.next() => match heard {
                Heard::HangUp => running.reopen(),
                Heard::Stop => break,
            },
            () = changed(&mut reload) => {}
        }
        if let Some(reload) = &mut reload {
            reload.run(&mut running).await;
        }
    }
    let deadline = running.plan().global.shutdown_timeout.0;
    tracing::info!("stopping: delivering what was read; a second signal ends at once");
    running.stop();
    let asked = Instant::now();
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
            heard = signals.next() => if matches!(heard, Heard::Stop) && asked.elapsed() > SAME_REQUEST {
                std::process::exit(INTERRUPTED);
            },
        }
    }
    Ok(running.finish().await)
}

/// Waits for the files of the topology to change, if they are watched.
async fn changed(reload: &mut Option<Reload>) {
    match reload {
        Some(reload) => reload.changed().await,
        None => std::future::pending().await,
    }
}
