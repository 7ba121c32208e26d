//! [`Challenges`]: how a request without a good token is answered (RFC 6750, 3).

use std::time::Duration;

use gateway_core::Refusal;
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE};

use super::flaw::{Class, Flaw};

/// The values of `WWW-Authenticate`, made once.
#[derive(Debug)]
pub(super) struct Challenges {
    missing: HeaderValue,
    several: HeaderValue,
    invalid: HeaderValue,
    expired: HeaderValue,
}

const INVALID: &str = "the token is not valid here";
const EXPIRED: &str = "the token has expired";
const SEVERAL: &str = "the request carries more than one token";

impl Challenges {
    pub(super) fn new(realm: &str) -> Self {
        let is_plain = |letter: &char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
        let realm: String = realm.chars().filter(is_plain).collect();
        let challenge = |rest: String| {
            let text = format!("Bearer realm=\"{realm}\"{rest}");
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
        };
        let error = |code, text| challenge(format!(", error=\"{code}\", error_description=\"{text}\""));
        Self {
            // A request that tries nothing is told nothing about errors.
            missing: challenge(String::new()),
            several: error("invalid_request", SEVERAL),
            invalid: error("invalid_token", INVALID),
            expired: error("invalid_token", EXPIRED),
        }
    }

    pub(super) fn missing(&self) -> Refusal {
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "token_missing", "this needs a bearer token");
        refusal.header(WWW_AUTHENTICATE, self.missing.clone())
    }

    pub(super) fn several(&self) -> Refusal {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", SEVERAL);
        refusal.header(WWW_AUTHENTICATE, self.several.clone())
    }

    /// The client learns no more than that its token is not good, and whether it was: then it should get another.
    pub(super) fn invalid(&self, flaw: &Flaw) -> Refusal {
        let (text, challenge) = match flaw.class {
            Class::Expired => (EXPIRED, &self.expired),
            _ => (INVALID, &self.invalid),
        };
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "token_invalid", text);
        refusal.header(WWW_AUTHENTICATE, challenge.clone()).because(flaw.to_string())
    }
}

/// We cannot know whether the token is good. That is no fault of the client, which should keep it and come again.
pub(super) fn unavailable(after: Duration) -> Refusal {
    let text = "tokens cannot be checked at the moment";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", text)
        .retry_after(after.max(Duration::from_secs(1)))
        .because("the keys of the issuer cannot be fetched")
}
