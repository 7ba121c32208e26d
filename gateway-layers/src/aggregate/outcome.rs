//! The algebra of outcomes: what becomes of the whole when a branch fails. The documents of the module have the
//! table.

use gateway_core::Refusal;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use super::template::Unfilled;

/// What a branch is to the whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Rule {
    /// Without it there is no whole.
    #[default]
    Required,
    /// The whole is good without it.
    Optional,
    /// This stands in for it.
    Fallback(Value),
}

impl Rule {
    /// What becomes of the whole when a branch under this rule fails.
    pub(super) fn ruling(&self, failed: &Failed) -> Ruling {
        match self {
            Self::Required => Ruling::Refuse(failed.status()),
            Self::Optional => Ruling::Without,
            Self::Fallback(_) => Ruling::Instead,
        }
    }
}

/// What becomes of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It is refused with this status.
    Refuse(StatusCode),
    /// It is answered without the part.
    Without,
    /// It is answered with the fallback.
    Instead,
}

/// How a branch failed.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    kind: Kind,
    /// For the log alone.
    cause: String,
    /// Headers that belong to the status.
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It answered with a status that is no success.
    Status(StatusCode),
    Timeout,
    /// It could not be reached, broke off, or was no HTTP.
    Unreachable,
    /// No endpoint of it is available.
    Unavailable,
    /// No JSON, or in a content coding.
    NotJson,
    /// JSON without what its shape wants.
    NotExpected,
    TooLarge,
    NoMemory,
    /// A value for its target is not there, or is none that a target can have.
    Value {
        of_client: bool,
    },
}

impl Failed {
    pub(super) fn new(kind: Kind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), headers: Vec::new() }
    }

    /// By an answer that is no success.
    pub(super) fn by_answer(status: StatusCode, headers: &HeaderMap) -> Self {
        let mut failed = Self::new(Kind::Status(status), format!("it answered {status}"));
        for name in [RETRY_AFTER, WWW_AUTHENTICATE] {
            for value in headers.get_all(&name) {
                failed.headers.push((name.clone(), value.clone()));
            }
        }
        failed
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The status of the whole, if it cannot do without the branch. A branch speaks for the client's request where its
    /// status does: who asks, what is asked for, how often. What else it refuses, the gateway asked wrongly.
    fn status(&self) -> StatusCode {
        match self.kind {
            Kind::Status(StatusCode::UNAUTHORIZED) if self.has_challenge() => StatusCode::UNAUTHORIZED,
            Kind::Status(
                status @ (StatusCode::FORBIDDEN
                | StatusCode::NOT_FOUND
                | StatusCode::GONE
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT),
            ) => status,
            Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Kind::Unavailable | Kind::NoMemory => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Value { of_client: true } => StatusCode::BAD_REQUEST,
            Kind::Status(_)
            | Kind::Unreachable
            | Kind::NotJson
            | Kind::NotExpected
            | Kind::TooLarge
            | Kind::Value { of_client: false } => StatusCode::BAD_GATEWAY,
        }
    }

    fn has_challenge(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == WWW_AUTHENTICATE)
    }

    /// The answer of a whole that cannot do without this branch.
    pub(super) fn refusal(&self, branch: &str) -> Refusal {
        let detail = format!("the part `{branch}` {}", self.kind.detail());
        let mut refusal = Refusal::new(self.status(), self.kind.code(), detail);
        let passes = matches!(self.kind, Kind::Status(status) if status == self.status());
        for (name, value) in self.headers.iter().filter(|_| passes) {
            // A challenge belongs to 401 alone (RFC 9110, 11.6.1).
            if *name != WWW_AUTHENTICATE || self.status() == StatusCode::UNAUTHORIZED {
                refusal = refusal.header(name.clone(), value.clone());
            }
        }
        refusal.because(format!("branch `{branch}`: {}", self.cause))
    }

    /// The note in an answer that does without this branch.
    pub(super) fn note(&self, branch: &str, is_instead: bool) -> Value {
        let mut note = json!({"branch": branch, "code": self.kind.code()});
        if let Kind::Status(status) = self.kind {
            note["status"] = status.as_u16().into();
        }
        if is_instead {
            note["fallback"] = true.into();
        }
        note
    }

    /// For the log.
    pub(super) fn cause(&self) -> &str {
        &self.cause
    }
}

impl From<Unfilled> for Failed {
    fn from(Unfilled { why, of_client }: Unfilled) -> Self {
        Self::new(Kind::Value { of_client }, why)
    }
}

impl Kind {
    /// One of each, for counters.
    pub(super) const ALL: [Self; 9] = [
        Self::Status(StatusCode::BAD_GATEWAY),
        Self::Timeout,
        Self::Unreachable,
        Self::Unavailable,
        Self::NotJson,
        Self::NotExpected,
        Self::TooLarge,
        Self::NoMemory,
        Self::Value { of_client: false },
    ];

    /// The place of this kind in [`ALL`](Self::ALL).
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Status(_) => 0,
            Self::Timeout => 1,
            Self::Unreachable => 2,
            Self::Unavailable => 3,
            Self::NotJson => 4,
            Self::NotExpected => 5,
            Self::TooLarge => 6,
            Self::NoMemory => 7,
            Self::Value { .. } => 8,
        }
    }

    /// The stable code in answers and metrics.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Status(_) => "branch_status",
            Self::Timeout => "branch_timeout",
            Self::Unreachable => "branch_unreachable",
            Self::Unavailable => "branch_unavailable",
            Self::NotJson => "branch_not_json",
            Self::NotExpected => "branch_not_expected",
            Self::TooLarge => "branch_too_large",
            Self::NoMemory => "branch_no_memory",
            Self::Value { .. } => "branch_value",
        }
    }

    fn detail(self) -> String {
        match self {
            Self::Status(status) => return format!("was answered with {}", status.as_u16()),
            Self::Timeout => "was not there in time",
            Self::Unreachable => "could not be had",
            Self::Unavailable => "is not available now",
            Self::NotJson => "is not JSON",
            Self::NotExpected => "is not what it should be",
            Self::TooLarge => "is too large",
            Self::NoMemory => "found no memory",
            Self::Value { of_client: true } => "lacks a value that the request should give",
            Self::Value { of_client: false } => "lacks a value of another part",
        }
        .to_owned()
    }
}
