//! What every answer carries, and what every unsafe request must carry.

use std::sync::LazyLock;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::AppState;

/// The one inline script of the app: without it a page whose parts did not arrive would stay empty.
const FIRST_LOAD: &str = include_str!("../../web-client/src/firstLoad.js");

/// Measured with the browser app: no other inline script, no inline style, no other host, no markup from strings (CSP 3).
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(FIRST_LOAD));
    let policy = format!(
        "default-src 'self'; script-src 'self' 'sha256-{hash}'; object-src 'none'; base-uri 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    // Invariant: words, quotes and Base64 are valid in a header.
    HeaderValue::from_str(&policy).expect("ASCII")
});

const SECURITY: [(HeaderName, HeaderValue); 5] = [
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(self), microphone=(self), display-capture=(self)"),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// For a year no browser that was here comes back without TLS, whatever a network in between wants it to (RFC 6797). Those
/// that do not trust the certificate do not listen to this.
const ONLY_BY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the security headers; answers that say nothing about caching are not to be stored (people's data).
pub async fn secure(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, value);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    if state.site.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, ONLY_BY_TLS);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// HTTP/2 tells the host in `:authority` only; the handlers read one place.
pub async fn name_host(mut request: Request, next: Next) -> Response {
    let authority = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = authority {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    next.run(request).await
}

/// Refuses requests that change something and do not come from our own pages.
pub async fn own_pages_only(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || state.site.origins.allows(request.headers()) {
        next.run(request).await
    } else {
        bad_origin(request.headers())
    }
}

/// The refusal of a foreign page, for requests and sockets alike.
pub fn bad_origin(headers: &HeaderMap) -> Response {
    tracing::debug!(origin = ?headers.get(header::ORIGIN), "a foreign origin was refused");
    (StatusCode::FORBIDDEN, Json(json!({ "error": "bad_origin" }))).into_response()
}
