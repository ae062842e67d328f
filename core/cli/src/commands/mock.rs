//! `lograil mock`: a made-up log stream by websocket until it is stopped.

use anyhow::Context;
use lograil_plugin::ShutdownTrigger;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::MockArguments;
use crate::exit::Exit;

pub(crate) fn run(arguments: &MockArguments) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let listen = arguments.listen;
        let bind = || format!("listen on {listen}");
        let listener = TcpListener::bind(listen).await.with_context(bind)?;
        let address = listener.local_addr().with_context(bind)?;
        tracing::info!("log stream on ws://{address}{}", lograil_net::mock::PATH);
        let (trigger, shutdown) = ShutdownTrigger::new();
        let serving = tokio::spawn(lograil_net::mock::serve(listener, shutdown));
        let mut terminate = signal(SignalKind::terminate()).context("listen to signals")?;
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => stopped.context("listen to signals")?,
            _ = terminate.recv() => {}
        }
        trigger.request();
        serving.await.context("serve clients")?;
        Ok(Exit::Success)
    })
}
