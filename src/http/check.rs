//! `/api/check`: the device check's five-second network test. Only for people who are signed in: it costs bandwidth.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Query, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use futures_util::StreamExt as _;
use serde::Deserialize;

use super::{AppState, Refusal, cookie::SignedInPerson};

/// Each way.
const MOST_BYTES: usize = 4 * 1024 * 1024;
const PIECE_BYTES: usize = 16 * 1024;
/// Zeros: nothing on the way compresses TLS, and we speak no compression here.
static PIECE: [u8; PIECE_BYTES] = [0; PIECE_BYTES];

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/check/ping", get(ping))
        .route("/api/check/download", get(download))
        .route("/api/check/upload", post(upload).layer(DefaultBodyLimit::max(MOST_BYTES)))
}

async fn ping(_: SignedInPerson) -> StatusCode {
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Wish {
    bytes: usize,
}

async fn download(_: SignedInPerson, Query(wish): Query<Wish>) -> impl IntoResponse {
    let total = wish.bytes.min(MOST_BYTES);
    let pieces = (0..total).step_by(PIECE_BYTES).map(move |at| {
        Ok::<_, std::convert::Infallible>(Bytes::from_static(&PIECE[..PIECE_BYTES.min(total - at)]))
    });
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    ([(header::CONTENT_TYPE, "application/octet-stream")], body)
}

/// Counts and forgets, piece by piece.
async fn upload(State(_): State<AppState>, _: SignedInPerson, body: Body) -> Result<StatusCode, Refusal> {
    let mut pieces = body.into_data_stream();
    let mut total = 0;
    while let Some(piece) = pieces.next().await {
        total += piece.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "malformed"))?.len();
        if total > MOST_BYTES {
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
