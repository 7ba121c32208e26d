//! Public keys in PEM: just enough DER (X.690) to read the few forms there are, and to refuse the rest.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::key::{KeyError, Material};

/// The public key in this text.
pub(super) fn public_key(text: &str) -> Result<Material, KeyError> {
    let (label, der) = unwrap(text)?;
    match label {
        "PUBLIC KEY" => info(&der).ok_or_else(|| KeyError::new("it is no public key of a known kind")),
        "RSA PUBLIC KEY" => rsa(&der).ok_or_else(|| KeyError::new("it is no RSA public key")),
        "CERTIFICATE" => Err(KeyError::new(
            "it is a certificate; take the key out of it with `openssl x509 -pubkey -noout`",
        )),
        label if label.ends_with("PRIVATE KEY") => Err(KeyError::new(
            "it is a private key, which does not belong here; make the public one of it with `openssl pkey -pubout`",
        )),
        _ => Err(KeyError::new("it is no `PUBLIC KEY`")),
    }
}

/// The label and the bytes of the one block in this text.
pub(super) fn unwrap(text: &str) -> Result<(&str, Vec<u8>), KeyError> {
    let inner = text.trim().strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----"));
    let block = inner.and_then(|(label, rest)| {
        let body = rest.strip_suffix("-----")?.strip_suffix(label)?.strip_suffix("-----END ")?;
        let digits: String = body.split_ascii_whitespace().collect();
        Some((label, BASE64_STANDARD.decode(digits).ok()?))
    });
    block
        .ok_or_else(|| KeyError::new("it is no PEM: -----BEGIN PUBLIC KEY----- ... -----END PUBLIC KEY-----"))
}

/// `SubjectPublicKeyInfo`: an algorithm, with the curve if it has some, and the key in a bit string.
fn info(der: &[u8]) -> Option<Material> {
    let (fields, []) = take(SEQUENCE, der)? else { return None };
    let (algorithm, fields) = take(SEQUENCE, fields)?;
    let (bits, []) = take(BIT_STRING, fields)? else { return None };
    let key = bits.strip_prefix(&[0])?;
    let (kind, parameters) = take(OBJECT_ID, algorithm)?;
    match (kind, parameters) {
        (RSA, [5, 0] | []) => rsa(key),
        (EC, curve) => match take(OBJECT_ID, curve)? {
            (P256, []) => Some(Material::P256(key.to_vec())),
            (P384, []) => Some(Material::P384(key.to_vec())),
            _ => None,
        },
        (ED25519, []) => Some(Material::Ed25519(key.to_vec())),
        _ => None,
    }
}

/// `RSAPublicKey`: two numbers (RFC 8017, A.1.1).
fn rsa(der: &[u8]) -> Option<Material> {
    let (numbers, []) = take(SEQUENCE, der)? else { return None };
    let (modulus, rest) = take(INTEGER, numbers)?;
    let (exponent, []) = take(INTEGER, rest)? else { return None };
    let is_negative = |number: &[u8]| number.first().is_none_or(|first| first & 0x80 != 0);
    if is_negative(modulus) || is_negative(exponent) {
        return None;
    }
    Some(Material::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
}

/// The value with this tag at the start of `der`, and what follows it.
fn take(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [found, first, rest @ ..] = der else { return None };
    let (length, rest) = match *first {
        short @ ..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
            // The shortest form is the only one.
            (Some(length).filter(|_| digits[0] != 0 && length > 0x7f)?, rest)
        }
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length)).flatten()
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
