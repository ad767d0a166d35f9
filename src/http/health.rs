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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The last beat is fresh.
    pub database: bool,
    /// Why what it acknowledges could be lost.
    pub shortfall: Option<String>,
    /// Beginnings of the codes of schools whose log does not answer: their lessons wait, all others go on.
    pub waiting: Vec<String>,
    /// Without it lines come a little later, no more; `None` = a server that is alone.
    pub bus: Option<bool>,
}

/// Asked at every check.
pub type Readiness = Arc<dyn Fn() -> Ready + Send + Sync>;

const LIVES: &str = "/healthz";
const READY: &str = "/readyz";
pub const PATHS: [&str; 2] = [LIVES, READY];

pub fn routes() -> Router<AppState> {
    Router::new().route(LIVES, get(async || "ok")).route(READY, get(ready))
}

async fn ready(State(state): State<AppState>) -> (StatusCode, String) {
    answer(state.draining.started(), (state.readiness)())
}

fn answer(draining: bool, ready: Ready) -> (StatusCode, String) {
    let unready = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, why.to_owned());
    match ready {
        _ if draining => unready("draining"),
        Ready { database: false, .. } => unready("the database does not answer"),
        Ready { shortfall: Some(why), .. } => unready(&why),
        Ready { waiting, bus, .. } => {
            let mut said = "ok".to_owned();
            if !waiting.is_empty() {
                said +=
                    &format!(", but the lessons of schools {} wait for their database", waiting.join(", "));
            }
            if bus == Some(false) {
                said += ", without the bus";
            }
            (StatusCode::OK, said)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_newcomers_cannot_do_without_makes_it_unready() {
        let asked = |draining, database, shortfall: Option<&str>, bus| {
            let (shortfall, waiting) = (shortfall.map(str::to_owned), Vec::new());
            answer(draining, Ready { database, shortfall, waiting, bus })
        };
        let code = |draining, database, bus| asked(draining, database, None, bus).0.as_u16();
        assert_eq!(code(false, true, None), 200);
        assert_eq!(code(false, true, Some(false)), 200);
        assert_eq!(code(false, false, Some(true)), 503);
        assert_eq!(code(true, true, Some(true)), 503);
        let unsafe_store = asked(false, true, Some("commits do not wait"), Some(true));
        let waiting = vec!["01".to_owned(), "02.3".to_owned()];
        let elsewhere = answer(false, Ready { database: true, shortfall: None, waiting, bus: Some(false) });
        let said = "ok, but the lessons of schools 01, 02.3 wait for their database, without the bus";
        assert_eq!(elsewhere, (StatusCode::OK, said.to_owned()));
        assert_eq!(unsafe_store, (StatusCode::SERVICE_UNAVAILABLE, "commits do not wait".to_owned()));
    }
}
