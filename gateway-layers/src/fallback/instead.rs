use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use gateway_core::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use tower_service::Service;

/// An answer that is always the same.
#[derive(Clone, Debug)]
pub struct Instead {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Instead {
    /// An answer with this status, no headers and no body.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// 200 with a JSON document.
    #[must_use]
    pub fn json(document: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(document)
    }

    /// A header of it.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The body of it.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The status of it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// The other service of a layer that has none.
#[derive(Clone, Copy, Debug)]
pub enum Nobody {}

impl Service<Request<Body>> for Nobody {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match *self {}
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        match *self {}
    }
}
