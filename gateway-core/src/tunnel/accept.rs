//! The proof that a server understood a WebSocket handshake (RFC 6455 section 4.2.2).

use http::HeaderValue;

use super::sha1::sha1;
use crate::random::Random;

/// What answers this key.
pub(super) fn accept(key: &[u8]) -> String {
    base64(&sha1(&[key, GUID].concat()))
}

/// Whether these are 16 bytes in base64.
pub(super) fn is_key(key: &[u8]) -> bool {
    let Some((last, digits)) = key.strip_suffix(b"==").and_then(<[u8]>::split_last) else { return false };
    // The last digit has two bits of the sixteenth byte, and four that are zero.
    digits.len() == 21 && digits.iter().all(|digit| ALPHABET.contains(digit)) && b"AQgw".contains(last)
}

/// A key of our own, for a client that came over HTTP/2 and needs none. It proves freshness to nobody but us, so it
/// need not be a secret.
pub(super) fn new_key(random: &Random) -> HeaderValue {
    let bits = u128::from(random.next()) << 64 | u128::from(random.next());
    HeaderValue::try_from(base64(&bits.to_be_bytes())).expect("base64 is always a valid header value")
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit <= three.len() { char::from(ALPHABET[index]) } else { '=' });
        }
    }
    text
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use ::base64::{Engine, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        let ours = new_key(&Random::seeded(7));
        assert!(is_key(ours.as_bytes()));
        for wrong in [
            "",
            "==",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZTE3",
            "????",
        ] {
            assert!(!is_key(wrong.as_bytes()), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn base64_is_what_another_implementation_says(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(base64(&bytes), STANDARD.encode(&bytes));
        }

        #[test]
        fn a_key_is_one_to_another_implementation(
            bytes in prop::collection::vec(any::<u8>(), 13..19),
            last in "[A-Za-z0-9+/=]{3}",
        ) {
            let whole = STANDARD.encode(&bytes);
            let odd = format!("{}{last}", &whole[..whole.len().min(21)]);
            for key in [whole, odd] {
                let decoded = STANDARD.decode(&key).is_ok_and(|bytes| bytes.len() == 16);
                prop_assert_eq!(is_key(key.as_bytes()), decoded, "{}", key);
            }
        }
    }
}
