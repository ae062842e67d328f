//! The table of routes: one file a noun.

mod components;
mod dead_letters;
mod facets;
mod ingest;
mod logs;
mod row;
mod server;
mod stats;
mod tap;
mod templates;
mod topology;

use crate::route::Route;

/// Every route there is.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    let tables = [
        logs::ROUTES,
        facets::ROUTES,
        stats::ROUTES,
        templates::ROUTES,
        topology::ROUTES,
        dead_letters::ROUTES,
        ingest::ROUTES,
        components::ROUTES,
        tap::ROUTES,
        server::ROUTES,
    ];
    tables.into_iter().flatten()
}
