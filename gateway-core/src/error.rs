//! [`UpstreamError`]: how something fails, and [`Failure`]: how a layer passes a failure on.

use std::{convert::Infallible, error::Error, fmt};

use http::{Response, StatusCode};

use crate::{BoxError, Refusal, body::AnswerBody, refusal::Asked};

/// A failure behind the gateway. Failures travel as errors; [`rescue`](crate::rescue) turns them into answers.
#[derive(Debug)]
pub struct UpstreamError {
    kind: ErrorKind,
    source: Option<BoxError>,
    unsent: bool,
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection came about. Nothing was sent. 502.
    Connect,
    /// No endpoint is there to be tried. 503.
    NoEndpoint,
    /// The deadline passed before the response head arrived. 504.
    Timeout,
    /// The connection broke before the response head arrived. 502.
    Reset,
    /// The answer was not HTTP, or broke its rules. 502.
    Protocol,
    /// The response body broke off. The head is gone already, so the transfer is broken visibly.
    Truncated,
    /// The request body could not be read to its end; mostly the client left. 400.
    RequestBody,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::NoEndpoint,
        Self::Timeout,
        Self::Reset,
        Self::Protocol,
        Self::Truncated,
        Self::RequestBody,
    ];

    /// The kind with this code: where errors cannot travel, a failure is answered as a [`Refusal`] with its code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The stable code in answers, logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Connect => "upstream_connect",
            Self::NoEndpoint => "no_endpoint",
            Self::Timeout => "upstream_timeout",
            Self::Reset => "upstream_reset",
            Self::Protocol => "upstream_protocol",
            Self::Truncated => "upstream_truncated",
            Self::RequestBody => "request_body",
        }
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Connect | Self::Reset | Self::Protocol | Self::Truncated => StatusCode::BAD_GATEWAY,
            Self::NoEndpoint => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::RequestBody => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether this says by itself that nothing was sent.
    #[must_use]
    pub const fn is_unsent(self) -> bool {
        matches!(self, Self::Connect | Self::NoEndpoint)
    }

    const fn detail(self) -> &'static str {
        match self {
            Self::Connect => "the upstream could not be reached",
            Self::NoEndpoint => "no endpoint of the upstream is available",
            Self::Timeout => "the upstream did not answer in time",
            Self::Reset => "the upstream closed the connection before it answered",
            Self::Protocol => "the upstream's answer was not valid HTTP",
            Self::Truncated => "the upstream's answer broke off",
            Self::RequestBody => "the request body could not be read to its end",
        }
    }
}

impl UpstreamError {
    /// A failure without a deeper cause.
    #[must_use]
    pub const fn new(kind: ErrorKind) -> Self {
        Self { kind, source: None, unsent: false }
    }

    /// A failure with what caused it.
    pub fn because(kind: ErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: Some(source.into()), unsent: false }
    }

    /// What failed.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same, for a request of which provably not a byte was sent.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.unsent = true;
        self
    }

    /// Whether provably nothing of the request was sent, so that sending it again does nothing twice.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        self.unsent || self.kind.is_unsent()
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.detail())
    }
}

impl Error for UpstreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The refusal that answers this error: the one in its chain of causes, or the one of the [`UpstreamError`] in
/// it, or a plain 500 for an error of a stranger. The whole chain goes into [`Refusal::cause`].
#[must_use]
pub fn refusal_for(error: &(dyn Error + 'static)) -> Refusal {
    let chain = || std::iter::successors(Some(error), |&error| error.source());
    if let Some(refusal) = chain().find_map(|error| error.downcast_ref::<Refusal>()) {
        return refusal.clone();
    }
    let cause = chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let kind = chain().find_map(|error| error.downcast_ref::<UpstreamError>()).map(UpstreamError::kind);
    match kind {
        Some(kind) => Refusal::new(kind.status(), kind.code(), kind.detail()),
        None => Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the request failed inside the gateway",
        ),
    }
    .because(cause)
}

/// The error type of a service whose layers can fail, such as [`timeout`](https://docs.rs/gateway-layers).
///
/// Where the error type can carry a failure, it does; where it is [`Infallible`], as in axum, the failure is
/// answered on the spot, with the same answer that [`rescue`](crate::rescue) would give at the edge.
#[diagnostic::on_unimplemented(
    message = "a layer that can fail needs an error type that can carry an `UpstreamError`, and `{Self}` cannot",
    note = "use `UpstreamError`, `gateway_core::BoxError` or `std::convert::Infallible` as the service's error type, for example with `tower::ServiceExt::map_err(Into::into)`"
)]
pub trait Failure: Sized {
    /// The outcome of a call that failed like this.
    ///
    /// # Errors
    /// The failure itself, where `Self` can carry it.
    fn outcome<B: AnswerBody>(failure: UpstreamError, asked: &Asked) -> Result<Response<B>, Self>;

    /// The error itself, for layers that judge by what is in its chain of causes.
    fn as_error(&self) -> &(dyn Error + 'static);

    /// The failure that this error carries, if it carries one.
    fn failure(&self) -> Option<&UpstreamError> {
        std::iter::successors(Some(self.as_error()), |&error| error.source())
            .find_map(|error| error.downcast_ref())
    }
}

impl Failure for UpstreamError {
    fn outcome<B: AnswerBody>(failure: UpstreamError, _: &Asked) -> Result<Response<B>, Self> {
        Err(failure)
    }

    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl Failure for BoxError {
    fn outcome<B: AnswerBody>(failure: UpstreamError, _: &Asked) -> Result<Response<B>, Self> {
        Err(failure.into())
    }

    fn as_error(&self) -> &(dyn Error + 'static) {
        &**self
    }
}

impl Failure for Infallible {
    fn outcome<B: AnswerBody>(failure: UpstreamError, asked: &Asked) -> Result<Response<B>, Self> {
        Ok(refusal_for(&failure).into_response(asked))
    }

    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_found_wherever_it_is_carried() {
        let reset = || UpstreamError::new(ErrorKind::Reset).unsent();
        assert!(reset().failure().is_some_and(UpstreamError::is_unsent));
        let boxed = BoxError::from(UpstreamError::because(ErrorKind::Protocol, reset()));
        assert_eq!(boxed.failure().map(UpstreamError::kind), Some(ErrorKind::Protocol), "the outermost one");
        assert!(BoxError::from("a stranger").failure().is_none());
        assert!(ErrorKind::ALL.iter().all(|&kind| ErrorKind::of_code(kind.code()) == Some(kind)));
    }

    #[test]
    fn finds_the_refusal_in_a_chain_of_causes_and_tells_the_log_all_of_it() {
        let too_large = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "over 10 bytes");
        let broken = UpstreamError::because(ErrorKind::RequestBody, too_large);
        assert_eq!(refusal_for(&broken).code(), "body_too_large");

        let refused = std::io::Error::other("connection refused");
        let refusal = refusal_for(&UpstreamError::because(ErrorKind::Connect, refused));
        assert_eq!((refusal.status().as_u16(), refusal.code()), (502, "upstream_connect"));
        assert_eq!(refusal.cause(), Some("the upstream could not be reached: connection refused"));

        assert_eq!(refusal_for(&std::fmt::Error).code(), "internal_error");
    }
}
