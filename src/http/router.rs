//! All resources under one roof, with the rules that hold for each of them.

use std::time::Duration;

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use tracing::{Instrument as _, field, info_span};

use super::{AppState, assets, check, fleet, headers, health, lessons, people, reports, session, ws};

/// Bodies of requests; the network check's upload sets its own.
const BODY_BYTES: usize = 64 * 1024;
/// A request, its body included, is answered within this. Upgraded sockets and streamed answers are not counted.
const REQUEST: Duration = Duration::from_secs(60);

/// The whole HTTP surface.
pub fn router(state: AppState) -> Router {
    Router::new()
        .merge(health::routes())
        .merge(session::routes())
        .merge(lessons::routes())
        .merge(reports::routes())
        .merge(people::routes())
        .merge(fleet::routes())
        .merge(check::routes())
        .merge(ws::routes())
        .fallback(assets::serve)
        .layer(middleware::from_fn_with_state(state.clone(), headers::own_pages_only))
        .layer(middleware::from_fn(headers::name_host))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn(traced))
        .layer(middleware::from_fn(headers::secure))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(state)
}

/// Names the pattern of the path, never what stands in it.
async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let span = info_span!("request", method = %request.method(), route, status = field::Empty);
    let response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    response
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}
