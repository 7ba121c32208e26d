use gateway_core::{Failure, Refusal, error::ErrorKind};
use http::{HeaderValue, Response, StatusCode};

/// When a fallback steps in: for which statuses, made by whomever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    statuses: Vec<StatusCode>,
}

/// Why a fallback stepped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Something failed behind us.
    Failure(ErrorKind),
    /// A layer inside refused with this code.
    Refusal(&'static str),
    /// The upstream answered with this status.
    Status(StatusCode),
}

/// What is known about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) reason: Reason,
    /// Whether provably nothing was sent.
    pub(super) is_unsent: bool,
}

impl Default for Trigger {
    fn default() -> Self {
        Self::on([StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT])
    }
}

impl Trigger {
    /// For these statuses. Those below 500 are left out: they are not the upstream's fault.
    pub fn on(statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        Self { statuses: statuses.into_iter().filter(|status| status.as_u16() >= 500).collect() }
    }

    /// The statuses.
    #[must_use]
    pub fn statuses(&self) -> &[StatusCode] {
        &self.statuses
    }

    /// What is wrong with this outcome, if it is one to step in for.
    pub(super) fn trouble<B, E: Failure>(&self, outcome: &Result<Response<B>, E>) -> Option<Trouble> {
        match outcome {
            Ok(response) => self.answered(response),
            Err(error) => {
                let failure = error.failure()?;
                let (reason, is_unsent) = (Reason::Failure(failure.kind()), failure.is_unsent());
                self.for_status(failure.kind().status(), Trouble { reason, is_unsent })
            }
        }
    }

    /// What is wrong with this answer, if it is one to step in for.
    pub(super) fn answered<B>(&self, response: &Response<B>) -> Option<Trouble> {
        let Some(refusal) = response.extensions().get::<Refusal>() else {
            let status = response.status();
            return self.for_status(status, Trouble { reason: Reason::Status(status), is_unsent: false });
        };
        let trouble = match ErrorKind::of_code(refusal.code()) {
            // A failure where errors cannot travel, as in axum.
            Some(kind) => Trouble { reason: Reason::Failure(kind), is_unsent: kind.is_unsent() },
            None => {
                Trouble { reason: Reason::Refusal(refusal.code()), is_unsent: refusal.code() == CIRCUIT_OPEN }
            }
        };
        self.for_status(refusal.status(), trouble)
    }

    fn for_status(&self, status: StatusCode, trouble: Trouble) -> Option<Trouble> {
        self.statuses.contains(&status).then_some(trouble)
    }
}

impl Reason {
    /// The word in the answer's header and in metrics.
    #[must_use]
    pub fn word(self) -> HeaderValue {
        match self {
            Self::Failure(kind) => HeaderValue::from_static(kind.code()),
            Self::Refusal(code) => HeaderValue::from_static(code),
            Self::Status(status) => match HeaderValue::try_from(format!("status_{}", status.as_u16())) {
                Ok(word) => word,
                Err(_) => HeaderValue::from_static("status"),
            },
        }
    }
}

/// The code of a circuit breaker's refusal.
pub(super) const CIRCUIT_OPEN: &str = "circuit_open";

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use gateway_core::{Body, BoxError, UpstreamError, refusal::Asked};
    use http::Request;

    use super::*;

    // No property: one list is looked through.

    fn answered(status: u16) -> Result<Response<Body>, BoxError> {
        Ok(Response::builder().status(status).body(Body::empty()).unwrap())
    }

    fn word(outcome: &Result<Response<Body>, BoxError>) -> Option<(String, bool)> {
        let trouble = Trigger::default().trouble(outcome)?;
        Some((trouble.reason.word().to_str().unwrap().to_owned(), trouble.is_unsent))
    }

    #[test]
    fn steps_in_for_what_is_broken_behind_us_and_for_nothing_else() {
        for status in [200, 301, 400, 401, 404, 408, 429, 499, 500, 501, 505] {
            assert_eq!(word(&answered(status)), None, "{status}");
        }
        assert_eq!(word(&answered(503)), Some(("status_503".to_owned(), false)));
        for (kind, expected) in [
            (ErrorKind::Connect, Some(true)),
            (ErrorKind::NoEndpoint, Some(true)),
            (ErrorKind::Timeout, Some(false)),
            (ErrorKind::Reset, Some(false)),
            (ErrorKind::Protocol, Some(false)),
            (ErrorKind::RequestBody, None),
        ] {
            let expected = expected.map(|unsent| (kind.code().to_owned(), unsent));
            assert_eq!(word(&Err(UpstreamError::new(kind).into())), expected);
            let asked = Asked::of(&Request::new(()).into_parts().0);
            let Ok(answer) = <Infallible as Failure>::outcome::<Body>(UpstreamError::new(kind), &asked);
            assert_eq!(word(&Ok(answer)), expected, "answered on the spot");
        }
        assert!(word(&Err(UpstreamError::new(ErrorKind::Reset).unsent().into())).unwrap().1);
        assert_eq!(word(&Err("a stranger".into())), None);
    }

    #[test]
    fn a_refusal_counts_by_its_own_status_even_if_it_speaks_grpc() {
        let mut head = Request::new(()).into_parts().0;
        head.headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        let refused = |status: StatusCode, code| {
            let refusal = Refusal::new(status, code, "no");
            word(&Ok(refusal.into_response::<Body>(&Asked::of(&head))))
        };
        let open = refused(StatusCode::SERVICE_UNAVAILABLE, "circuit_open");
        assert_eq!(open, Some(("circuit_open".to_owned(), true)));
        assert_eq!(refused(StatusCode::TOO_MANY_REQUESTS, "rate_limited"), None);
    }

    #[test]
    fn a_clients_mistake_cannot_be_chosen() {
        let trigger = Trigger::on([StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR]);
        assert_eq!(trigger.statuses(), [StatusCode::INTERNAL_SERVER_ERROR]);
    }
}
