//! How a refusal is told: a status, a stable code, sometimes when to come again.

use std::{fmt::Display, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// The answer to a request that is not granted: `{"error": "<snake_code>", "retry_after_s": n?}`.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    retry_after: Option<Duration>,
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
}

impl Refusal {
    pub const fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, retry_after: None }
    }

    pub const fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    pub const fn signed_out() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "signed_out")
    }

    /// Nobody's fault who asks. The detail goes to the log, here and only here.
    pub fn broken(error: &dyn Display) -> Self {
        tracing::error!(%error, "a request could not be served");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable").after(Duration::from_secs(5))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Rounded up: who comes a moment too early is refused again.
        let seconds = self.retry_after.map(|wait| wait.as_millis().div_ceil(1_000) as u64);
        let mut response =
            (self.status, Json(Body { error: self.code, retry_after_s: seconds })).into_response();
        if let Some(seconds) = seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
