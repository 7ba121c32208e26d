//! Key sets: which keys are taken, and which are not.

use base64::{Engine, prelude::BASE64_STANDARD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{encode, keys};
use crate::jwt::{Algorithm, KeyError, VerifyingKey, algorithm::Algorithms, key_set::KeySet, pem};

/// The numbers of the RSA private key in `text` (RFC 8017, A.1.2): version, modulus, exponent, ...
fn rsa_numbers(text: &str) -> (Vec<u8>, Vec<u8>) {
    let (_, der) = pem::unwrap(text).unwrap();
    let mut rest = &der[4..];
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        let (length, start) = match rest[1] {
            0x82 => (usize::from(rest[2]) << 8 | usize::from(rest[3]), 4),
            0x81 => (usize::from(rest[2]), 3),
            short => (usize::from(short), 2),
        };
        numbers.push(rest[start..start + length].to_vec());
        rest = &rest[start + length..];
    }
    let exponent = numbers.pop().unwrap();
    let modulus = numbers.pop().unwrap();
    (modulus[modulus.iter().take_while(|&&byte| byte == 0).count()..].to_vec(), exponent)
}

fn jwk_of(private: &str, kid: &str) -> Value {
    let (modulus, exponent) = rsa_numbers(private);
    json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": encode(modulus), "e": encode(exponent)})
}

pub(super) fn rsa_jwk() -> Value {
    jwk_of(keys::RSA, "rs")
}

pub(super) fn other_rsa_jwk() -> Value {
    jwk_of(keys::OTHER_RSA, "other")
}

/// The public half of a key of 1024 bits.
pub(super) fn short_rsa_pem() -> String {
    let (modulus, exponent) = rsa_numbers(keys::SHORT_RSA);
    let der = [&[0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0][..], &modulus, &[0x02, 0x03], &exponent].concat();
    format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n", BASE64_STANDARD.encode(der))
}

/// The point of a public key in PEM.
fn point(public: &str, length: usize) -> Vec<u8> {
    let (_, der) = pem::unwrap(public).unwrap();
    der[der.len() - length..].to_vec()
}

fn ec_jwk() -> Value {
    let point = point(keys::P256_PUBLIC, 64);
    json!({"kty": "EC", "crv": "P-256", "kid": "es", "x": encode(&point[..32]), "y": encode(&point[32..])})
}

fn ed_jwk() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(point(keys::ED25519_PUBLIC, 32))})
}

fn parse(text: &str, algorithms: &[Algorithm]) -> (Result<usize, KeyError>, Vec<String>) {
    let configured: Algorithms = algorithms.iter().copied().collect();
    let mut skipped = Vec::new();
    let set = KeySet::parse(text.as_bytes(), configured, |_, error| skipped.push(error.to_string()));
    (set.map(|set| set.len()), skipped)
}

const ALL: &[Algorithm] = &[
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    // Asked for by mistake: no key of a set may serve it.
    Algorithm::Hs256,
];

#[test]
fn keys_that_can_be_used_are_taken() {
    let set = json!({"keys": [rsa_jwk(), ec_jwk(), ed_jwk()], "more": 1}).to_string();
    assert_eq!(parse(&set, ALL), (Ok(3), Vec::new()));
    let (taken, skipped) = parse(&set, &[Algorithm::Es256]);
    assert_eq!((taken, skipped.len()), (Ok(1), 2), "only what is configured");
    let many: Vec<Value> = (0..100).map(|_| ec_jwk()).collect();
    assert_eq!(parse(&json!({"keys": many}).to_string(), ALL).0, Ok(64));
}

#[test]
fn keys_that_cannot_be_trusted_are_skipped() {
    let with = |mut jwk: Value, name: &str, value: Value| {
        jwk[name] = value;
        jwk
    };
    let rsa = |name, value| with(rsa_jwk(), name, value);
    let ec = |name, value| with(ec_jwk(), name, value);
    let ed = |name, value| with(ed_jwk(), name, value);
    let (modulus, _) = rsa_numbers(keys::RSA);
    let (short, exponent) = rsa_numbers(keys::SHORT_RSA);
    let even = [&modulus[..255], &[modulus[255] ^ 1]].concat();
    let secret = encode([7; 64]);
    let cases = [
        ("a shared secret", json!({"kty": "oct", "kid": "rs", "alg": "HS256", "k": secret})),
        ("a shared secret without alg", json!({"kty": "oct", "k": secret})),
        ("a shared secret as an RSA key", rsa("k", json!(secret))),
        ("a private RSA key", rsa("d", json!("AA"))),
        ("a prime", rsa("p", json!("AA"))),
        ("a private EC key", ec("d", json!("AA"))),
        ("for encryption", rsa("use", json!("enc"))),
        ("for something else", rsa("use", json!("SIG"))),
        ("use a list", rsa("use", json!(["sig"]))),
        ("for signing", rsa("key_ops", json!(["sign"]))),
        ("for nothing", rsa("key_ops", json!([]))),
        ("key_ops a text", rsa("key_ops", json!("verify"))),
        ("for another algorithm", rsa("alg", json!("RS512"))),
        ("for HS256", rsa("alg", json!("HS256"))),
        ("for none", rsa("alg", json!("none"))),
        ("for another kind", rsa("alg", json!("ES256"))),
        ("alg a number", rsa("alg", json!(1))),
        ("kid a number", rsa("kid", json!(1))),
        ("kid empty", rsa("kid", json!(""))),
        ("short", rsa("n", json!(encode(&short)))),
        ("short, filled up with zeros", rsa("n", json!(encode([&[0; 200][..], &short].concat())))),
        ("huge", rsa("n", json!(encode([&modulus[..], &modulus, &modulus].concat())))),
        ("an even modulus", rsa("n", json!(encode(even)))),
        ("no modulus", rsa("n", json!(""))),
        ("a modulus with padding", rsa("n", json!(format!("{}=", encode(&modulus))))),
        ("a modulus that is a number", rsa("n", json!(7))),
        ("exponent 1", rsa("e", json!("AQ"))),
        ("exponent 2", rsa("e", json!("Ag"))),
        ("exponent 0", rsa("e", json!("AA"))),
        ("a huge exponent", rsa("e", json!(encode([1; 9])))),
        ("no exponent", json!({"kty": "RSA", "n": encode(&modulus)})),
        ("no kty", json!({"n": encode(&modulus), "e": encode(&exponent)})),
        ("kty in small letters", rsa("kty", json!("rsa"))),
        ("kty unknown", rsa("kty", json!("AKP"))),
        ("another curve", ec("crv", json!("P-521"))),
        ("the curve of Bitcoin", ec("crv", json!("secp256k1"))),
        ("the name of a longer curve", ec("crv", json!("P-384"))),
        ("no curve", ec("crv", Value::Null)),
        ("a short coordinate", ec("x", json!(encode([1; 31])))),
        ("a long coordinate", ec("y", json!(encode([1; 33])))),
        ("no coordinate", ec("y", Value::Null)),
        ("Ed448", ed("crv", json!("Ed448"))),
        ("for key exchange", ed("crv", json!("X25519"))),
        ("a short Ed25519 key", ed("x", json!(encode([1; 31])))),
        ("a text", json!("key")),
        ("nothing", Value::Null),
    ];
    for (name, jwk) in &cases {
        let (taken, skipped) = parse(&json!({"keys": [ec_jwk(), jwk]}).to_string(), ALL);
        assert_eq!((taken, skipped.len()), (Ok(1), 1), "{name}");
        assert!(!skipped[0].contains(&secret), "{name}");
        assert!(parse(&json!({"keys": [jwk]}).to_string(), ALL).0.is_err(), "{name}, alone");
    }
    assert!(cases.len() >= 45);
}

#[test]
fn what_is_no_key_set_is_refused_as_a_whole() {
    let twice = format!("{{\"keys\":[],{}", &json!({"keys": [rsa_jwk()]}).to_string()[1..]);
    let inside = json!({"keys": [rsa_jwk()]}).to_string().replace("\"kty\"", "\"kid\":\"x\",\"kty\"");
    for text in ["", "{}", "[]", "null", "<html>", r#"{"keys":{}}"#, r#"{"keys":[]}"#, &twice, &inside] {
        assert!(parse(text, ALL).0.is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_key_panics(
        which in 0_usize..4,
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..6),
        text in "\\PC{0,80}",
    ) {
        let good = [keys::RSA_PUBLIC, keys::RSA_PKCS1, keys::P256_PUBLIC, keys::ED25519_PUBLIC][which];
        let (label, mut der) = pem::unwrap(good).unwrap();
        let at = at.index(der.len());
        der.splice(at..(at + bytes.len()).min(der.len()), bytes);
        let changed = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", BASE64_STANDARD.encode(der));
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let _ = VerifyingKey::pem(algorithm, &changed);
            let _ = VerifyingKey::pem(algorithm, &text);
            let _ = VerifyingKey::jwk(algorithm, &text);
        }
        let _ = parse(&text, ALL);
        let _ = parse(&json!({"keys": [{"kty": text, "n": text, "e": text, "x": text, "y": text}]}).to_string(), ALL);
    }
}
