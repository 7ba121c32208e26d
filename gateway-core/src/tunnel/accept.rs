//! The proof that a server understood a WebSocket handshake (RFC 6455 section 4.2.2).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;

use crate::random::Random;

/// What answers this key.
pub(super) fn accept(key: &[u8]) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key);
    hash.update(GUID);
    STANDARD.encode(hash.digest().bytes())
}

/// Whether these are 16 bytes in base64.
pub(super) fn is_key(key: &[u8]) -> bool {
    key.len() == 24 && STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

/// A key of our own, for a client that came over HTTP/2 and needs none. It proves freshness to nobody but us, so it
/// need not be a secret.
pub(super) fn new_key(random: &Random) -> HeaderValue {
    let bits = u128::from(random.next()) << 64 | u128::from(random.next());
    let key = STANDARD.encode(bits.to_be_bytes());
    HeaderValue::try_from(key).expect("base64 is always a valid header value")
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        let ours = new_key(&Random::seeded(7));
        assert!(is_key(ours.as_bytes()));
        for wrong in
            ["", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZTE3", "????"]
        {
            assert!(!is_key(wrong.as_bytes()), "{wrong}");
        }
    }
}
