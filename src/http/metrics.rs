//! `/metrics`, on a listener of its own that only the operator's network reaches.

use std::{io, sync::Arc};

use axum::{Router, http::header, routing::get};
use tokio::net::TcpListener;

/// The page, made when it is asked for.
pub type Page = Arc<dyn Fn() -> String + Send + Sync>;

/// Until it is aborted.
pub async fn serve(listener: TcpListener, page: Page) -> io::Result<()> {
    let answer = move || {
        let text = page();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
    };
    axum::serve(listener, Router::new().route("/metrics", get(answer))).await
}
