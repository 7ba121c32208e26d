//! [`KeySet`]: the keys of one issuer, and which of them a token asks for.

use serde_json::Value;

use super::{
    VerifyingKey,
    algorithm::Algorithms,
    flaw::{Class, Flaw},
    json,
    key::KeyError,
    token::Token,
};

/// The most keys of a set that are looked at.
const MAX_KEYS: usize = 64;

/// The most keys that are tried for one token: checking costs time, and a set without ids would have all of it tried.
const MAX_TRIES: usize = 8;

/// Keys that check the tokens of one issuer.
#[derive(Clone, Debug)]
pub(super) struct KeySet(Vec<VerifyingKey>);

impl KeySet {
    pub(super) fn new(keys: Vec<VerifyingKey>) -> Self {
        Self(keys)
    }

    /// The keys of a JWK set (RFC 7517, 5) that can be used with the configured algorithms; those that cannot are
    /// skipped, as the RFC says, with a word to `skipped`.
    ///
    /// # Errors
    /// When it is no such set, or has no key that can be used.
    pub(super) fn parse(
        document: &[u8],
        configured: Algorithms,
        mut skipped: impl FnMut(usize, KeyError),
    ) -> Result<Self, KeyError> {
        let document = json::object(document).map_err(KeyError::new)?;
        let Some(Value::Array(list)) = document.get("keys") else {
            return Err(KeyError::new("it has no list `keys`"));
        };
        let mut keys = Vec::new();
        for (index, item) in list.iter().take(MAX_KEYS).enumerate() {
            let key = match item {
                Value::Object(jwk) => VerifyingKey::of_jwk(jwk, configured),
                _ => Err(KeyError::new("it is no JSON object")),
            };
            match key {
                Ok(key) => keys.push(key),
                Err(error) => skipped(index, error),
            }
        }
        if keys.is_empty() {
            return Err(KeyError::new("it has no key that can be used"));
        }
        Ok(Self(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of these keys signed this token: those with the token's `kid`, or, if there is none, those without
    /// any; for a token without one, all of them.
    pub(super) fn check(&self, token: &Token<'_>) -> Result<(), Flaw> {
        let fitting = || self.0.iter().filter(|key| key.fits(token.algorithm));
        let is_named = |key: &&VerifyingKey| key.kid.is_some() && key.kid == token.kid;
        let has_name = fitting().any(|key| is_named(&key));
        let candidates = fitting().filter(|key| match (&token.kid, has_name) {
            (None, _) => true,
            (Some(_), true) => is_named(key),
            (Some(_), false) => key.kid.is_none(),
        });
        let mut tried = 0;
        for key in candidates.take(MAX_TRIES) {
            if key.has_signed(token.algorithm, token.message.as_bytes(), &token.signature) {
                return Ok(());
            }
            tried += 1;
        }
        Err(match tried {
            0 => Flaw::new(Class::Unknown, "no key of the issuer has this `kid` and algorithm"),
            _ => Flaw::new(Class::Forged, "the signature is not that of the key"),
        })
    }
}
