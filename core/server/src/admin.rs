//! What the server answers from, and how it starts.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, RawPathParams, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use axum::{Router, middleware};
use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{Catalogue, MetricsRegistry, Secret, Store};
use lograil_runtime::Observer;
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::access::{self, Access};
use crate::body;
use crate::parameter::{Parameters, Place};
use crate::problem::Problem;
use crate::route::{Asked, Route};
use crate::{listener, page, routes, timing};

/// Listeners to components at the same time.
const TAPS_MAX: usize = 16;

/// Questions to stores that are worked on at the same time.
const QUESTIONS_MAX: usize = 4;

/// What the routes answer from.
pub struct AdminState {
    /// The running topology.
    pub observer: Observer,
    /// What `/metrics` gathers.
    pub metrics: MetricsRegistry,
    /// What follows from the topology file; sent anew when another one runs.
    pub described: watch::Receiver<Arc<Described>>,
    /// What everything but the page and the probes asks for.
    pub token: Option<Secret>,
    /// How long a question to a store may take.
    pub query_timeout: Duration,
}

/// What follows from a topology file.
#[derive(Clone)]
pub struct Described {
    /// The running configuration, secrets redacted.
    pub configuration: Value,
    /// The component types that a topology may name.
    pub catalogue: Catalogue,
    /// The plugins that are loaded.
    pub plugins: Vec<PluginInfo>,
    /// The last time that the topology was read again, if it was.
    pub reload: Option<ReloadReport>,
    /// The stores of the topology's sinks, in the order of the sinks.
    pub stores: Vec<AttachedStore>,
    /// The sources as which the server takes events.
    pub ingest: Vec<IngestSource>,
    /// The file of the dead letters that the topology does not read itself.
    pub dead_letters: Option<PathBuf>,
}

/// A sink that can be asked.
#[derive(Clone)]
pub struct AttachedStore {
    /// The sink's id.
    pub id: String,
    /// What it keeps.
    pub store: Arc<dyn Store>,
}

/// A source as which the server takes events.
#[derive(Clone)]
pub struct IngestSource {
    /// Its id.
    pub id: String,
    /// Its type.
    pub component_type: &'static str,
    /// How long events may be held back behind it, and by which transform; `None` if none does.
    pub held_behind: Option<(String, Duration)>,
}

/// A plugin that is loaded.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub struct PluginInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of the plugin interface it was built for.
    pub abi: String,
    /// The name of its file.
    pub file: String,
    /// The hash of the file, in hexadecimal.
    pub sha256: String,
    /// Its components, as `kind name`.
    pub components: Vec<String>,
    /// Which exchange of its file this is: 1 for the one that was there at the start.
    pub generation: u64,
    /// Since when, RFC 3339 in UTC.
    pub loaded_at: String,
    /// The last time that an exchange of it was refused.
    pub last_error: Option<PluginMistake>,
    /// How many instances of the plugin of a name hang now.
    #[serde(skip)]
    #[schemars(skip)]
    pub left_behind: fn(&str) -> usize,
}

/// Why a plugin was not exchanged.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub struct PluginMistake {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What was wrong.
    pub message: String,
}

/// How reading the topology again went.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub struct ReloadReport {
    /// Times it was read again.
    pub count: u64,
    /// When it was last, RFC 3339 in UTC.
    pub at: String,
    /// Whether that changed nothing because of a mistake.
    pub is_refused: bool,
    /// What was changed, or what was wrong.
    pub messages: Vec<String>,
}

/// The state, and what bounds the work on it.
pub(crate) struct Shared {
    pub state: AdminState,
    pub taps: Arc<Semaphore>,
    pub questions: Arc<Semaphore>,
    /// What bounds the requests with a body.
    pub bodies: Arc<Semaphore>,
    /// Held by whoever replays or drops dead letters.
    pub letters: Arc<tokio::sync::Mutex<()>>,
}

impl Shared {
    /// What follows from the topology that runs now.
    pub fn described(&self) -> Arc<Described> {
        Arc::clone(&self.state.described.borrow())
    }
}

/// Starts serving on `address`; gives the address it really has, for port 0.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn listen(address: SocketAddr, state: AdminState) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let access = Access { address, token: state.token.clone().map(Arc::new) };
    let shared = Shared {
        state,
        taps: Arc::new(Semaphore::new(TAPS_MAX)),
        questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        bodies: Arc::new(Semaphore::new(body::BODIES_MAX)),
        letters: Arc::default(),
    };
    tokio::spawn(listener::accept(listener, router(Arc::new(shared), access)));
    Ok(address)
}

fn router(shared: Arc<Shared>, access: Access) -> Router {
    let mut router = Router::new();
    for route in routes::all() {
        let shared = Arc::clone(&shared);
        let method = MethodFilter::from(route.method);
        let serve = move |path: RawPathParams, request: Request| {
            let shared = Arc::clone(&shared);
            async move {
                let answer = async { answer(route, shared, &path, request).await.into_response() };
                timing::measured(answer).await
            }
        };
        router = router.route(route.path, on(method, serve));
    }
    page::serve(router)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(access, access::check))
}

/// Checks the parameters of a request and asks its route.
async fn answer(
    route: &'static Route,
    shared: Arc<Shared>,
    path: &RawPathParams,
    request: Request,
) -> Result<Response, Problem> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(request.uri())
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let own = |place| move |(name, text): (&str, &str)| (place, name.to_owned(), text.to_owned());
    let in_path = path.iter().map(own(Place::Path));
    let in_query = pairs.0.into_iter().map(|(name, text)| (Place::Query, name, text));
    let given: Vec<_> = in_path.chain(in_query).collect();
    let parameters = Parameters::check(route.parameters, &given, now_ns())?;
    let body = match &route.body {
        Some(body) => Some(body.receive(request, &shared.bodies).await?),
        None => None,
    };
    (route.handler)(Asked { shared, parameters, body }).await
}

pub(crate) fn now_ns() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

async fn unknown() -> Problem {
    let mut paths: Vec<&str> = routes::all().map(|route| route.path).collect();
    paths.dedup();
    Problem::not_found(format!("there are {}", paths.join(", ")))
}

async fn wrong_method() -> Problem {
    let detail = "the path takes other methods; see /openapi.json";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
