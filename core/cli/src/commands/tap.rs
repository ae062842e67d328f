//! `lograil tap`: live events of a component of a running lograil.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::admin_client::{AdminClient, ServerEvents, tap_path};
use crate::args::TapArguments;
use crate::exit::Exit;
use crate::output;

/// How often it is told at most how many events were left out.
const TELL_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &TapArguments) -> anyhow::Result<Exit> {
    let client = AdminClient::new(&arguments.admin);
    let path = tap_path(&arguments.component, &parameters(arguments));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let events = client.listen(&path).await?;
        tokio::select! {
            printed = print(events) => printed,
            interrupted = tokio::signal::ctrl_c() => interrupted.context("listen to signals"),
        }
    })?;
    Ok(Exit::Success)
}

fn parameters(arguments: &TapArguments) -> Vec<(&'static str, String)> {
    let mut parameters =
        vec![("rate", arguments.rate.to_string()), ("sample", arguments.sample.to_string())];
    let optional = [
        ("where", arguments.condition.clone()),
        ("limit", arguments.limit.map(|limit| limit.to_string())),
    ];
    parameters.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    match &arguments.text {
        Some(text) => {
            parameters.extend([("format", "text".to_owned()), ("text", text.clone())]);
        }
        None => parameters.push(("format", arguments.format.name().to_owned())),
    }
    parameters
}

/// Prints events to their end, or until nobody reads any more; what is left out is told on stderr.
async fn print(mut events: ServerEvents) -> anyhow::Result<()> {
    let mut left_out = LeftOut::default();
    while let Some(event) = events.next().await? {
        let count = || event.data.parse().unwrap_or(0_u64);
        match event.name.as_str() {
            "event" => {
                let mut out = std::io::stdout().lock();
                match writeln!(out, "{}", event.data).and_then(|()| out.flush()) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                    printed => printed.context("write to stdout")?,
                }
            }
            "missed" => left_out.missed += count(),
            "failed" => left_out.failed += count(),
            _ => {}
        }
        if left_out.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            left_out.tell();
        }
    }
    left_out.tell();
    Ok(())
}

/// Events that are not printed, since it was told last.
#[derive(Default)]
struct LeftOut {
    missed: u64,
    failed: u64,
    told: Option<Instant>,
}

impl LeftOut {
    fn tell(&mut self) {
        if self.missed > 0 {
            output::error(&format!(
                "{} not shown: there are more than `--rate`, or they come too fast",
                output::counted(self.missed, "event was", "events were")
            ));
        }
        if self.failed > 0 {
            let events = output::counted(self.failed, "event", "events");
            output::error(&format!("the condition has no value for {events}"));
        }
        if self.missed > 0 || self.failed > 0 {
            *self = Self { told: Some(Instant::now()), ..Self::default() };
        }
    }
}
