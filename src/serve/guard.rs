//! Checks on every request: the bearer token, the Host (against DNS rebinding), the Origin (cross-origin requests of
//! other pages get 403; there are no CORS headers), the page's content security policy, and limits: body size, requests
//! in progress and answers that take too long (503). Also compresses answers.

use std::sync::Arc;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{BoxError, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::error::ApiError;
use super::shop::Shop;

/// Allows only the page's own files and its own API; it must not be framed. Pictures alone may come from elsewhere: a
/// catalog names whatever hosts its shop has. `http:` is among them because the server itself speaks it: a page on
/// this machine or in a private network may show a shop that has no TLS either. On a page that a proxy serves by HTTPS,
/// browsers load no picture without TLS, whatever is allowed here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https: http:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Streams stay open until the client disconnects: they have no timeout, and do not count as active requests.
pub(super) const STREAMS: &str = "/api/v1/events";
/// Open to everyone: the page, which contains no data, and the health check.
const OPEN: [&str; 2] = ["/", "/api/v1/health"];
const OPEN_FOLDER: &str = "/assets/";

/// Wraps the routes in all guards.
pub(super) fn around(routes: Router, shop: &Arc<Shop>) -> Router {
    let limits = &shop.options.limits;
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
    };
    let at_work = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_: BoxError| ApiError::Overloaded))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(limits.requests));
    // The last layer is the first to see a request.
    routes
        .layer(at_work)
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(RequestBodyTimeoutLayer::new(limits.client))
        .layer(from_fn_with_state(shop.clone(), in_time))
        .layer(CatchPanicLayer::custom(|_| {
            ApiError::Internal("internal error; the server's log has the details".to_owned()).into_response()
        }))
        .layer(from_fn_with_state(shop.clone(), admit))
        .layer(CompressionLayer::new())
        .layer(header(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ))
        .layer(header(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ))
}

/// Aborts answers that take too long.
async fn in_time(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    if request.uri().path() == STREAMS {
        return next.run(request).await;
    }
    match tokio::time::timeout(shop.options.limits.answer, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::TooLong.into_response(),
    }
}

/// Admits requests that address the server by one of its names, come from its own page or from no page, and present the
/// token if there is one.
async fn admit(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let refused = |status, message, help| ApiError::Refused(status, message, help).into_response();
    // Against DNS rebinding: a foreign page whose name was made to resolve to this server still sends its own name.
    if !is_ours(&shop, request.headers()) {
        return refused(
            StatusCode::MISDIRECTED_REQUEST,
            "the server does not answer under this host name",
            "use the server's address, or start it with --host NAME",
        );
    }
    if !same_origin(request.headers()) {
        return refused(
            StatusCode::FORBIDDEN,
            "requests from other pages are not allowed",
            "open the server's own page, or send the request without a browser",
        );
    }
    let path = request.uri().path();
    let is_open = request.method() == Method::GET && (OPEN.contains(&path) || path.starts_with(OPEN_FOLDER));
    if !is_open && !has_token(&shop, request.headers()) {
        return refused(
            StatusCode::UNAUTHORIZED,
            "a token is required",
            "send the header Authorization: Bearer TOKEN",
        );
    }
    next.run(request).await
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_ours(shop: &Shop, headers: &HeaderMap) -> bool {
    let Some(host) = text(headers, header::HOST) else {
        return false;
    };
    let address = shop.options.address;
    let name = host.strip_suffix(&format!(":{}", address.port())).unwrap_or(host);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if shop.options.hosts.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
        return true;
    }
    // An IP address cannot be made to resolve elsewhere.
    match bare.parse::<std::net::IpAddr>() {
        Ok(ip) => {
            ip == address.ip() || address.ip().is_unspecified() || (ip.is_loopback() && address.ip().is_loopback())
        }
        Err(_) => bare.eq_ignore_ascii_case("localhost") && address.ip().is_loopback(),
    }
}

/// Browsers send the page's origin if it is a different one.
fn same_origin(headers: &HeaderMap) -> bool {
    let site = text(headers, HeaderName::from_static("sec-fetch-site"));
    if matches!(site, Some("cross-site" | "same-site"))
        && text(headers, HeaderName::from_static("sec-fetch-mode")) != Some("navigate")
    {
        return false;
    }
    match (headers.get(header::ORIGIN), text(headers, header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.to_str().is_ok_and(|origin| {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
        }),
        (Some(_), None) => false,
    }
}

fn has_token(shop: &Shop, headers: &HeaderMap) -> bool {
    let Some(token) = &shop.options.token else { return true };
    let shown = text(headers, header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    // Compared in constant time.
    shown.is_some_and(|shown| shown.as_bytes().ct_eq(token.reveal().as_bytes()).into())
}
