use std::error::Error;

use gateway_core::{Refusal, UpstreamError, error::ErrorKind};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Response, StatusCode, response::Parts};

use super::Outcome;

/// What an answer or an error says about the upstream. Closures are classifiers:
///
/// ```
/// use gateway_layers::circuit_breaker::{CircuitBreakerLayer, Classify, Head, HttpFailures, Outcome};
/// use http::StatusCode;
///
/// let layer = CircuitBreakerLayer::default().classify(|answer: Result<Head<'_>, &_>| match answer {
///     Ok(head) if head.status == StatusCode::TOO_MANY_REQUESTS => Outcome::Failure,
///     answer => HttpFailures.classify(answer),
/// });
/// # let _ = layer;
/// ```
pub trait Classify: Send + Sync {
    /// Judges the head of an answer, or the error that came instead.
    fn classify(&self, answer: Result<Head<'_>, &(dyn Error + 'static)>) -> Outcome;
}

impl<F> Classify for F
where
    F: Fn(Result<Head<'_>, &(dyn Error + 'static)>) -> Outcome + Send + Sync,
{
    fn classify(&self, answer: Result<Head<'_>, &(dyn Error + 'static)>) -> Outcome {
        self(answer)
    }
}

/// What a classifier sees of an answer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Head<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// What layers inside left there, such as a [`Refusal`].
    pub extensions: &'a Extensions,
}

impl<'a> Head<'a> {
    /// The head of this answer. Taking an answer apart instead would cost 20 ns.
    pub fn of<B>(answer: &'a Response<B>) -> Self {
        Self { status: answer.status(), headers: answer.headers(), extensions: answer.extensions() }
    }
}

impl<'a> From<&'a Parts> for Head<'a> {
    fn from(head: &'a Parts) -> Self {
        Self { status: head.status, headers: &head.headers, extensions: &head.extensions }
    }
}

/// The default [`Classify`].
///
/// | what came | counts as | because |
/// | --- | --- | --- |
/// | 500, 502, 503, 504 | failure | the upstream broke, or says that it is overloaded or waits in vain itself |
/// | `grpc-status` 4, 13, 14 in the head | failure | the same in gRPC: deadline, internal, unavailable |
/// | 501, 505 and other 5xx | success | it understood and will not; another time changes nothing |
/// | 429 and other 4xx | success | it works, and says no to this caller |
/// | no connection, no answer in time, a broken or invalid answer | failure | |
/// | the request's body broke off | ignored | the client's doing |
/// | no endpoint was there to try | ignored | nothing was asked |
/// | a [`Refusal`] of a layer inside | ignored | the upstream never saw it |
/// | an error of a stranger | failure | |
///
/// An answer that a layer inside made of a failure, as `timeout` does in axum, counts as that failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpFailures;

impl Classify for HttpFailures {
    fn classify(&self, answer: Result<Head<'_>, &(dyn Error + 'static)>) -> Outcome {
        match answer {
            Ok(head) => of_answer(head),
            Err(error) => of_error(error),
        }
    }
}

fn of_answer(head: Head<'_>) -> Outcome {
    match head.extensions.get::<Refusal>() {
        Some(refusal) if FAILURES.iter().any(|kind| kind.code() == refusal.code()) => Outcome::Failure,
        Some(_) => Outcome::Ignored,
        None if is_failure(head) => Outcome::Failure,
        None => Outcome::Success,
    }
}

fn is_failure(head: Head<'_>) -> bool {
    match head.status {
        StatusCode::OK => {
            let grpc = head.headers.get(&GRPC_STATUS).map(HeaderValue::as_bytes);
            matches!(grpc, Some(b"4" | b"13" | b"14"))
        }
        status => matches!(status.as_u16(), 500 | 502..=504),
    }
}

fn of_error(error: &(dyn Error + 'static)) -> Outcome {
    let chain = || std::iter::successors(Some(error), |&error| error.source());
    if chain().any(<dyn Error>::is::<Refusal>) {
        return Outcome::Ignored;
    }
    match chain().find_map(|error| error.downcast_ref::<UpstreamError>()) {
        Some(error) if !FAILURES.contains(&error.kind()) => Outcome::Ignored,
        _ => Outcome::Failure,
    }
}

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const FAILURES: [ErrorKind; 5] =
    [ErrorKind::Connect, ErrorKind::Timeout, ErrorKind::Reset, ErrorKind::Protocol, ErrorKind::Truncated];

#[cfg(test)]
mod tests {
    use gateway_core::{BoxError, Failure, refusal::Asked};
    use http::Request;

    use super::*;

    #[test]
    fn judges_answers_as_its_table_says() {
        let of = |answer: Response<()>| HttpFailures.classify(Ok(Head::of(&answer)));
        let status = |status: u16| of(Response::builder().status(status).body(()).unwrap());
        assert!([500, 502, 503, 504].iter().all(|&code| status(code) == Outcome::Failure));
        assert!([200, 304, 404, 429, 499, 501, 505].iter().all(|&code| status(code) == Outcome::Success));
        let grpc = |code: &str| of(Response::builder().header("grpc-status", code).body(()).unwrap());
        assert_eq!(["14", "0", "7"].map(grpc), [Outcome::Failure, Outcome::Success, Outcome::Success]);
    }

    #[test]
    fn what_a_layer_inside_said_is_ignored_unless_it_tells_a_failure() {
        let asked = Asked::of_request(&Request::new(()));
        let full = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "bulkhead_full", "full");
        let answer: Response<gateway_core::Body> = full.clone().into_response(&asked);
        assert_eq!(HttpFailures.classify(Ok(Head::of(&answer))), Outcome::Ignored);
        let timeout = UpstreamError::new(ErrorKind::Timeout);
        let answer = <std::convert::Infallible as Failure>::outcome::<gateway_core::Body>(timeout, &asked);
        assert_eq!(HttpFailures.classify(Ok(Head::of(&answer.unwrap()))), Outcome::Failure);
        let broken = UpstreamError::because(ErrorKind::Reset, full);
        assert_eq!(HttpFailures.classify(Err(&broken)), Outcome::Ignored);
    }

    #[test]
    fn judges_errors_by_what_is_in_their_chain() {
        let of = |error: BoxError| HttpFailures.classify(Err(&*error));
        assert_eq!(of(UpstreamError::new(ErrorKind::Connect).into()), Outcome::Failure);
        assert_eq!(of(UpstreamError::new(ErrorKind::RequestBody).into()), Outcome::Ignored);
        assert_eq!(of(UpstreamError::new(ErrorKind::NoEndpoint).into()), Outcome::Ignored);
        assert_eq!(of("something else".into()), Outcome::Failure);
        let wrapped = std::io::Error::other(UpstreamError::new(ErrorKind::RequestBody));
        // An io::Error shows what is inside its custom error as its source, not the custom error itself.
        assert_eq!(of(UpstreamError::because(ErrorKind::RequestBody, wrapped).into()), Outcome::Ignored);
    }
}
