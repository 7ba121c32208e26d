//! [`Token`]: a JWS in its compact form (RFC 7515, 7.1), read strictly and believed in nothing.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Algorithm, flaw::Flaw, json};

/// The most bytes of a token that are looked at: what fits into the head of a request that usual servers take.
pub(super) const MAX_BYTES: usize = 8 << 10;

/// The longest key id.
const MAX_KID: usize = 256;

/// A token whose form is right and whose signature nobody has checked.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// What is signed.
    pub(super) message: &'a str,
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

impl<'a> Token<'a> {
    /// Reads a token. With `kind`, its header must say that it is of this `typ`; without, it must not be of one that
    /// is known to be something else (RFC 8725, 3.11).
    pub(super) fn parse(text: &'a str, kind: Option<&str>) -> Result<Self, Flaw> {
        if text.len() > MAX_BYTES {
            return Err(Flaw::malformed(format!("it is longer than {MAX_BYTES} bytes")));
        }
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Flaw::malformed("it has fewer than three parts"));
        };
        match parts.count() {
            0 => {}
            2 => return Err(Flaw::malformed("it is encrypted")),
            _ => return Err(Flaw::malformed("it has more than three parts")),
        }
        let message = &text[..header.len() + 1 + payload.len()];
        let header = object("the header", header)?;
        let (algorithm, kid) = read_header(&header, kind)?;
        let signature = decode("the signature", signature)?;
        if signature.is_empty() {
            return Err(Flaw::malformed("it has no signature"));
        }
        Ok(Self { algorithm, kid, message, signature, payload })
    }

    /// Its claims. They are not read before the signature is checked: a forged token shall not reach more code than
    /// it must.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, Flaw> {
        object("the payload", self.payload)
    }
}

fn read_header(header: &Map<String, Value>, kind: Option<&str>) -> Result<(Algorithm, Option<String>), Flaw> {
    for name in ["crit", "b64", "zip", "enc", "epk"] {
        if header.contains_key(name) {
            return Err(Flaw::malformed(format!("its header has `{name}`, which is not understood here")));
        }
    }
    let algorithm = match header.get("alg") {
        Some(Value::String(name)) => Algorithm::named(name),
        _ => return Err(Flaw::malformed("its header names no algorithm")),
    };
    let Some(algorithm) = algorithm else {
        return Err(Flaw::malformed("its algorithm is not known here"));
    };
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if (1..=MAX_KID).contains(&kid.len()) => Some(kid.clone()),
        Some(_) => return Err(Flaw::malformed("its `kid` is no text of a sane length")),
    };
    check_type(header.get("typ"), kind)?;
    match header.get("cty") {
        None => Ok((algorithm, kid)),
        Some(_) => Err(Flaw::malformed("it says that it holds something else than claims")),
    }
}

/// `typ` is compared without regard to case, and `application/` may be left out (RFC 7515, 4.1.9).
fn check_type(found: Option<&Value>, wanted: Option<&str>) -> Result<(), Flaw> {
    let found = match found {
        None => None,
        Some(Value::String(found)) => Some(bare(found)),
        Some(_) => return Err(Flaw::malformed("its `typ` is no text")),
    };
    let fits = match (found, wanted) {
        (Some(found), Some(wanted)) => found.eq_ignore_ascii_case(bare(wanted)),
        (None, Some(_)) => false,
        (None, None) => true,
        (Some(found), None) => ["jwt", "at+jwt"].iter().any(|usual| found.eq_ignore_ascii_case(usual)),
    };
    if fits { Ok(()) } else { Err(Flaw::malformed("its `typ` is not that of an access token")) }
}

fn bare(kind: &str) -> &str {
    let prefix = "application/";
    match kind.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &kind[prefix.len()..],
        _ => kind,
    }
}

fn object(part: &str, text: &str) -> Result<Map<String, Value>, Flaw> {
    json::object(&decode(part, text)?).map_err(|why| Flaw::malformed(format!("{part}: {why}")))
}

/// The one canonical spelling: no padding, no white space, no bits left over (RFC 4648, 3.5).
fn decode(part: &str, text: &str) -> Result<Vec<u8>, Flaw> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text);
    decoded.map_err(|_| Flaw::malformed(format!("{part}: it is not canonical base64url")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(header: &str) -> String {
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(header), part("{}"), part("signature"))
    }

    #[test]
    fn the_kind_of_a_token_is_checked() {
        for (header, kind, fits) in [
            (r#"{"alg":"RS256"}"#, None, true),
            (r#"{"alg":"RS256","typ":"JWT"}"#, None, true),
            (r#"{"alg":"RS256","typ":"jwt"}"#, None, true),
            (r#"{"alg":"RS256","typ":"at+jwt"}"#, None, true),
            (r#"{"alg":"RS256","typ":"Application/at+JWT"}"#, None, true),
            (r#"{"alg":"RS256","typ":"logout+jwt"}"#, None, false),
            (r#"{"alg":"RS256","typ":"dpop+jwt"}"#, None, false),
            (r#"{"alg":"RS256","typ":7}"#, None, false),
            (r#"{"alg":"RS256","typ":"application/at+jwt"}"#, Some("at+jwt"), true),
            (r#"{"alg":"RS256","typ":"JWT"}"#, Some("at+jwt"), false),
            (r#"{"alg":"RS256"}"#, Some("at+jwt"), false),
        ] {
            assert_eq!(Token::parse(&token(header), kind).is_ok(), fits, "{header} as {kind:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_client_sends_panics(text in "\\PC{0,200}", header in "[ -~]{0,80}") {
            let _ = Token::parse(&text, None);
            if let Ok(token) = Token::parse(&token(&header), None) {
                let _ = token.claims();
            }
        }

        #[test]
        fn bytes_have_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>(), other in "[A-Za-z0-9_+/= -]") {
            let text = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
            let decoded = decode("it", &text).ok();
            prop_assert_eq!(decoded.as_ref(), Some(&bytes));
            let at = at.index(text.len() + 1);
            let mut changed = text.clone();
            changed.insert_str(at, &other);
            prop_assert_ne!(decode("it", &changed).ok(), Some(bytes.clone()));
            if at < text.len() {
                let mut changed = text.clone();
                changed.replace_range(at..at + 1, &other);
                prop_assert!(changed == text || decode("it", &changed).ok() != Some(bytes));
            }
        }
    }
}
