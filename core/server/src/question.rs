//! Asking a store: on a thread that may block, a few at a time, until a deadline.

use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use lograil_plugin::store::QueryControl;
use lograil_plugin::{Store, StoreError};

use crate::admin::Shared;
use crate::parameter::{Parameter, ParameterKind, Parameters};
use crate::problem::{Mistake, Problem};
use crate::timing;

/// Which store is asked.
pub(crate) const STORE: Parameter = Parameter::query(
    "store",
    ParameterKind::Text { bytes_max: 256 },
    "The id of the sink whose store is asked; the first that can be asked without it.",
);

/// Statuses of the problems of a store.
pub(crate) const PROBLEMS: &[u16] = &[404, 500, 503, 504];

/// Ends the question when its asker goes away.
struct Guard(QueryControl);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Asks the store that the parameters name.
pub(crate) async fn ask<T: Send + 'static>(
    shared: &Shared,
    parameters: &Parameters,
    question: impl FnOnce(&dyn Store, &QueryControl) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    ask_this(shared, store(shared, parameters)?, question).await
}

/// Asks this store.
pub(crate) async fn ask_this<T: Send + 'static>(
    shared: &Shared,
    store: Arc<dyn Store>,
    question: impl FnOnce(&dyn Store, &QueryControl) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let arrived = Instant::now();
    let control = QueryControl::within(shared.state.query_timeout);
    let _guard = Guard(control.clone());
    let waiting = Arc::clone(&shared.questions).acquire_owned();
    let permit = tokio::time::timeout(shared.state.query_timeout, waiting)
        .await
        .map_err(|_| problem(StoreError::DeadlineExceeded))?;
    let asked = tokio::task::spawn_blocking(move || {
        let begin = Instant::now();
        let answer = question(&*store, &control);
        // Held until the store is done, also where nobody waits for it any more.
        drop(permit);
        (answer, begin, begin.elapsed())
    });
    match asked.await {
        Ok((answer, begin, took)) => {
            timing::note("wait", begin - arrived);
            timing::note("store", took);
            answer.map_err(problem)
        }
        Err(crash) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, crash.to_string())),
    }
}

fn store(shared: &Shared, parameters: &Parameters) -> Result<Arc<dyn Store>, Problem> {
    let described = shared.described();
    let stores = &described.stores;
    let found = match parameters.text("store") {
        Some(id) => stores.iter().find(|attached| attached.id == id),
        None => stores.first(),
    };
    if let Some(attached) = found {
        return Ok(Arc::clone(&attached.store));
    }
    let ids: Vec<&str> = stores.iter().map(|attached| attached.id.as_str()).collect();
    Err(Problem::not_found(match ids.as_slice() {
        [] => "no sink of the topology can be asked; add one of the type `sqlite`".to_owned(),
        ids => format!("no such store; there are {}", ids.join(", ")),
    }))
}

/// What a store's error is for the asker.
fn problem(error: StoreError) -> Problem {
    let status = match &error {
        StoreError::Invalid { parameter, within, message, help } => {
            let help = help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            let mut mistake = Mistake::new("query", parameter, format!("{message}{help}"));
            mistake.start = within.as_ref().map(|range| range.start);
            mistake.end = within.as_ref().map(|range| range.end);
            return Problem::mistakes(vec![mistake]);
        }
        StoreError::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        StoreError::Cancelled | StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        StoreError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::new(status, error.to_string())
}
