//! `http`: a server that takes events in the bodies of requests and answers once they are delivered.
//!
//! **Invariant:** with `acknowledge = "delivered"` a request is answered 2xx only after every event of it is
//! acknowledged by every sink, or is a dead letter that is.

mod body;
mod bulk;
mod options;
mod server;
#[cfg(test)]
mod tests;

use futures::future::BoxFuture;
use lograil_plugin::spec::{no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigErrors, DeliveryWait, Options, Source, SourceContext, SourceError,
    SourceStart, Threading,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::server_tls::ServerTls;
use crate::{listen, submission};
use options::{Acknowledge, HttpOptions, Settings};
use server::Server;

/// The spec of `http`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "http",
    summary: "Takes events by HTTP and answers once they are delivered.",
    manual: include_str!("README.md"),
    schema: schema_of::<HttpOptions>,
    ports: no_ports,
    claims,
    threading: Threading::Async,
    build: Build::Source(&build),
};

struct HttpSource {
    settings: Settings,
    /// From its start on.
    listening: Option<(TcpListener, ServerTls)>,
}

fn build(options: &Options) -> Result<Box<dyn Source>, ConfigErrors> {
    let settings = options.parse::<HttpOptions>()?.resolve()?;
    Ok(Box::new(HttpSource { settings, listening: None }))
}

/// The address, unless the system chooses the port.
fn claims(options: &Value) -> Vec<String> {
    let listen = options.get("listen").and_then(Value::as_str).unwrap_or(options::LISTEN);
    listen::claim("tcp", listen)
}

impl Source for HttpSource {
    fn delivery_wait(&self) -> Option<DeliveryWait> {
        let is_delivered = self.settings.acknowledge == Acknowledge::Delivered;
        is_delivered.then_some(DeliveryWait {
            within: self.settings.request_timeout,
            remedy: "set `request_timeout` of the source above that time if its clients wait for so long, or \
                     `acknowledge = \"accepted\"` if what is in memory may be lost in a crash"
                .into(),
        })
    }

    fn start<'a>(&'a mut self, start: &'a SourceStart) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            let tls = ServerTls::of_source(self.settings.tls.as_ref(), start).await?;
            self.listening = Some((listen::tcp(self.settings.listen).await?, tls));
            Ok(())
        })
    }

    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let Some((listener, tls)) = self.listening else { return Ok(()) };
            let (scheme, address) = (tls.scheme("http", "https"), listener.local_addr());
            let address = address.unwrap_or(self.settings.listen);
            tracing::info!(component_id = %context.id, "taking events on {scheme}://{address}");
            run_on(listener, tls, self.settings, context).await;
            Ok(())
        })
    }
}

/// Serves until it is asked to stop and what was begun is answered.
async fn run_on(listener: TcpListener, tls: ServerTls, settings: Settings, context: SourceContext) {
    let SourceContext { id, output, shutdown, clock, .. } = context;
    let (submitter, submissions) = submission::channel(&id, SPEC.name);
    let server = Server::new(settings, id, clock, submitter);
    // Ends with this function, whatever ends it.
    let mut serving = JoinSet::new();
    serving.spawn(server.accept(listener, tls, shutdown));
    submissions.forward(output).await;
}
