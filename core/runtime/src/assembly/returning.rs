//! A source that a change has stopped, and that could not start again when the change was refused.
//!
//! **Invariant:** what hinders it for a while, such as a port that somebody else has, does not end the topology.

use std::sync::Arc;
use std::time::Duration;

use lograil_config::PlannedComponent;
use lograil_plugin::{
    Backoff, BoxFuture, Clock, Shutdown, Source, SourceContext, SourceError, SourceStart,
};

use super::next::{Built, build};
use crate::error::RuntimeError;

/// How long an instance may take to start while what runs waits for it.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How long it is tried to bring a source back.
const RETURN_PATIENCE: Duration = Duration::from_secs(300);

/// In place of the source: starts it as soon as that can be done, then is what it is.
pub(super) struct Returning {
    pub component: PlannedComponent,
    pub start: SourceStart,
    /// Why it could not start at once.
    pub hindrance: RuntimeError,
}

impl Source for Returning {
    fn run(
        self: Box<Self>,
        mut context: SourceContext,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            match self.returned(&mut context.shutdown).await? {
                Some(source) => source.run(context).await,
                None => Ok(()),
            }
        })
    }
}

impl Returning {
    /// The source once it has started; `None` if it is to stop before.
    async fn returned(
        self,
        shutdown: &mut Shutdown,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        let Self { component, start, mut hindrance } = self;
        let mut backoff = Backoff::default();
        let until = start.clock.monotonic() + RETURN_PATIENCE;
        while start.clock.monotonic() < until {
            let wait = backoff.next(None);
            tracing::warn!(
                component_id = %component.id, tries = backoff.tries(),
                "go back to what it was: {hindrance}; trying again in {wait:?}"
            );
            let again = async {
                start.clock.sleep(wait).await;
                instance(&component, &start).await
            };
            let made = tokio::select! {
                biased;
                () = shutdown.requested() => return Ok(None),
                made = again => made,
            };
            match made {
                Ok(source) => {
                    tracing::info!(component_id = %component.id, "goes on as it was");
                    return Ok(Some(source));
                }
                Err(error) => hindrance = error,
            }
        }
        let seconds = RETURN_PATIENCE.as_secs();
        Err(SourceError::Failed(format!("{hindrance}; tried again for {seconds} s")))
    }
}

/// A new instance of a source, started.
pub(super) async fn instance(
    component: &PlannedComponent,
    start: &SourceStart,
) -> Result<Box<dyn Source>, RuntimeError> {
    let cannot = |message: String| RuntimeError::Start { component: component.id.clone(), message };
    let Built::Source(mut source) = build(component)? else {
        return Err(cannot("it is no source".to_owned()));
    };
    let started = in_time(&start.clock, source.start(start)).await;
    started.map_err(|error| cannot(error.to_string()))?;
    Ok(source)
}

/// What runs waits for a source, but not for ever.
pub(super) async fn in_time(
    clock: &Arc<dyn Clock>,
    starting: BoxFuture<'_, Result<(), SourceError>>,
) -> Result<(), SourceError> {
    tokio::select! {
        biased;
        started = starting => started,
        () = clock.sleep(START_PATIENCE) => {
            let seconds = START_PATIENCE.as_secs();
            Err(SourceError::Failed(format!("it has not started within {seconds} s")))
        }
    }
}
