//! All resources under one roof, with the rules that hold for each of them.

use std::time::Duration;

use axum::{
    RequestExt as _, Router,
    extract::{DefaultBodyLimit, MatchedPath, RawPathParams, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use qism_signaling::protocol::LessonId;
use tracing::{Instrument as _, error_span, field};

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
        .layer(middleware::from_fn_with_state(state.clone(), headers::secure))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(state)
}

/// Names the pattern of the path, and of what stands in it the lesson alone. As a span of errors: lines within are told with it whatever
/// is filtered. Not for what a proxy asks twice a second: traces would hold little else.
async fn traced(mut request: Request, next: Next) -> Response {
    let lesson = lesson(&mut request).await.map(field::display);
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if health::PATHS.contains(&route) {
        return next.run(request).await;
    }
    let span = error_span!("request", method = %request.method(), route, lesson, status = field::Empty);
    let response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    response
}

async fn lesson(request: &mut Request) -> Option<LessonId> {
    let parts = request.extract_parts::<RawPathParams>().await.ok()?;
    parts.iter().find(|(name, _)| *name == "lesson")?.1.parse().ok()
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}
