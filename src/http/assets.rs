//! The browser app: files inside the program (release), live from `web-client/dist` (debug), or from a chosen folder.

use std::{
    borrow::Cow,
    path::{Component, Path, PathBuf},
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use super::AppState;

/// Empty where the app was not built: the server must build and run without Node.
#[derive(RustEmbed)]
#[folder = "web-client/dist"]
#[allow_missing = true]
struct Embedded;

/// Where the files come from.
#[derive(Clone, Debug)]
pub enum Assets {
    Embedded,
    Folder(PathBuf),
}

const INDEX: &str = "index.html";
/// File names there carry a hash of their content.
const HASHED: &str = "assets/";
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");
/// Precompressed twins, best first: (token of Accept-Encoding, suffix).
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Everything that is no resource: a file of the app, or `index.html` for the app's own addresses.
pub async fn serve(State(state): State<AppState>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if path.starts_with("api/") {
        return (StatusCode::NOT_FOUND, axum::Json(serde_json::json!({ "error": "no_such_resource" })))
            .into_response();
    }
    let name = if is_file_name(path) { path } else { INDEX };
    match state.assets.answer(name, request.headers()).await {
        Some(response) => response,
        None if name == INDEX => not_built(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Assets {
    async fn answer(&self, name: &str, asked: &HeaderMap) -> Option<Response> {
        let accepted =
            asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        for (token, suffix) in ENCODINGS {
            if accepts(accepted, token)
                && let Some(bytes) = self.read(&format!("{name}{suffix}")).await
            {
                return Some(respond(name, bytes, Some(token), asked));
            }
        }
        self.read(name).await.map(|bytes| respond(name, bytes, None, asked))
    }

    async fn read(&self, name: &str) -> Option<Cow<'static, [u8]>> {
        if !is_inside(name) {
            return None;
        }
        match self {
            Self::Embedded => Embedded::get(name).map(|file| file.data),
            Self::Folder(folder) => tokio::fs::read(folder.join(name)).await.ok().map(Cow::Owned),
        }
    }
}

fn respond(
    name: &str,
    bytes: Cow<'static, [u8]>,
    encoding: Option<&'static str>,
    asked: &HeaderMap,
) -> Response {
    let tag = etag(&bytes);
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|value| value == tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = match bytes {
            Cow::Borrowed(bytes) => Body::from(bytes),
            Cow::Owned(bytes) => Body::from(bytes),
        };
        Response::new(body)
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    headers.insert(header::CACHE_CONTROL, if name.starts_with(HASHED) { FOREVER } else { ASK_EACH_TIME });
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::ETAG, tag);
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// Differs per encoding, as RFC 9110 section 8.8.3 asks of a strong tag.
fn etag(bytes: &[u8]) -> HeaderValue {
    let hash = Sha256::digest(bytes);
    let digits: String = hash[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    // Invariant: quotes and hexadecimal digits are valid in a header.
    HeaderValue::from_str(&format!("\"{digits}\"")).expect("ASCII")
}

/// `token` is listed in an Accept-Encoding header and not switched off by `q=0`.
fn accepts(header: &str, token: &str) -> bool {
    header.split(',').any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let weight = weight.trim().trim_start_matches("q=");
        name.trim().eq_ignore_ascii_case(token) && !(weight.starts_with('0') && weight.parse() == Ok(0.0))
    })
}

/// The app's own addresses (`/lesson/…`) have no dot in the last part.
fn is_file_name(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| last.contains('.'))
}

/// No way out of the folder.
fn is_inside(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) && !name.contains('\0')
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wav" => "audio/wav",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The server runs, but was built without the app.
fn not_built() -> Response {
    let page = include_str!("not_built.html");
    let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    (StatusCode::SERVICE_UNAVAILABLE, [kind], page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_taken_when_listed_and_not_switched_off() {
        assert!(
            accepts("gzip, deflate, br", "br") && accepts("BR;q=0.5", "br") && accepts("gzip;q=1", "gzip")
        );
        assert!(!accepts("gzip", "br") && !accepts("br;q=0, gzip", "br") && !accepts("", "gzip"));
        assert!(!accepts("br;q=0.000", "br"));
    }

    #[test]
    fn the_apps_own_addresses_have_no_dot_in_the_last_part() {
        assert!(is_file_name("assets/app-1a2b.js") && is_file_name("sw.js"));
        assert!(!is_file_name("") && !is_file_name("lesson/1") && !is_file_name("v1.2/lesson"));
    }

    #[tokio::test]
    async fn nothing_outside_the_folder_is_served() {
        let outer = tempfile::tempdir().expect("temporary folder");
        std::fs::write(outer.path().join("secret.txt"), "s").expect("written");
        std::fs::create_dir(outer.path().join("web")).expect("made");
        std::fs::write(outer.path().join("web/app.js"), "a").expect("written");
        let assets = Assets::Folder(outer.path().join("web"));
        assert!(assets.read("app.js").await.is_some());
        for out in ["../secret.txt", "/etc/passwd", "x/../../secret.txt", "./../secret.txt", "a\0.js"] {
            assert!(assets.read(out).await.is_none(), "{out}");
        }
    }

    #[tokio::test]
    async fn a_compressed_twin_has_its_own_tag_and_the_files_type() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(folder.path().join("assets")).expect("made");
        std::fs::write(folder.path().join("assets/a-1.js"), "plain").expect("written");
        std::fs::write(folder.path().join("assets/a-1.js.br"), "small").expect("written");
        let assets = Assets::Folder(folder.path().to_owned());
        let mut asked = HeaderMap::new();
        let plain = assets.answer("assets/a-1.js", &asked).await.expect("there");
        asked.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("br"));
        let small = assets.answer("assets/a-1.js", &asked).await.expect("there");
        assert_eq!(small.headers()[header::CONTENT_ENCODING], "br");
        assert_eq!(small.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(small.headers()[header::CACHE_CONTROL], FOREVER);
        assert_ne!(small.headers()[header::ETAG], plain.headers()[header::ETAG]);
        asked.insert(header::IF_NONE_MATCH, small.headers()[header::ETAG].clone());
        let again = assets.answer("assets/a-1.js", &asked).await.expect("there");
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
}
