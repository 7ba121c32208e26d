use std::task::{Context, Poll};

use gateway_core::{Body, BoxError, Explanation, Refusal, Verdict, explain::Explain, refusal::Asked};
use http::{Request, Response, StatusCode, request::Parts};
use tower_service::Service;

/// The service behind all rules of a gateway: 404 `no_route`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotFound;

impl<B> Service<Request<B>> for NotFound {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, _) = request.into_parts();
        let refusal =
            Refusal::new(StatusCode::NOT_FOUND, "no_route", "nothing is served at this host and path");
        std::future::ready(Ok(refusal.into_response(&Asked::of(&head))))
    }
}

impl Explain for NotFound {
    fn explain(&self, _: &Parts, say: &mut Vec<Explanation>) {
        say.push(Explanation::new(
            "routing",
            Verdict::Refuse,
            "404: nothing is served at this host and path",
        ));
    }
}
