//! For load balancers and operators: is the process alive, does it take new people.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};

use super::AppState;

/// Set once at shutdown.
#[derive(Debug, Default)]
pub struct Draining(AtomicBool);

impl Draining {
    pub fn start(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn started(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What newcomers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The last beat is fresh.
    pub database: bool,
    /// Without it lines come a little later, no more; `None` = a server that is alone.
    pub bus: Option<bool>,
}

/// Asked at every check.
pub type Readiness = Arc<dyn Fn() -> Ready + Send + Sync>;

pub fn routes() -> Router<AppState> {
    Router::new().route("/healthz", get(async || "ok")).route("/readyz", get(ready))
}

async fn ready(State(state): State<AppState>) -> (StatusCode, &'static str) {
    answer(state.draining.started(), (state.readiness)())
}

fn answer(draining: bool, ready: Ready) -> (StatusCode, &'static str) {
    match ready {
        _ if draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        Ready { database: false, .. } => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"),
        Ready { bus: Some(false), .. } => (StatusCode::OK, "ok, without the bus"),
        Ready { .. } => (StatusCode::OK, "ok"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_newcomers_cannot_do_without_makes_it_unready() {
        let code = |draining, database, bus| answer(draining, Ready { database, bus }).0.as_u16();
        assert_eq!(code(false, true, None), 200);
        assert_eq!(code(false, true, Some(false)), 200);
        assert_eq!(code(false, false, Some(true)), 503);
        assert_eq!(code(true, true, Some(true)), 503);
    }
}
