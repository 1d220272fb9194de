//! Serves the page: its files are part of the program. Browsers request them again each time (`no-cache`).

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};

use super::error::ApiError;

/// The files of the page, served unchanged.
static ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/serve/assets");

pub(super) async fn page() -> Result<Response, ApiError> {
    file("index.html")
}

pub(super) async fn asset(Path(path): Path<String>) -> Result<Response, ApiError> {
    file(&path)
}

fn file(path: &str) -> Result<Response, ApiError> {
    let file = ASSETS.get_file(path);
    let file = file.ok_or_else(|| ApiError::NotFound("there is no such file".to_owned()))?;
    let kind = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    };
    // Another version of the program has different files under the same names.
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, file.contents()).into_response())
}
