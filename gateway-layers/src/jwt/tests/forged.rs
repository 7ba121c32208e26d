//! Tokens that must not pass, each made of a good one, each with its name.

use std::time::Duration;

use gateway_core::facts::Principal;
use serde_json::{Value, json};

use super::{ISSUER, NOW, SECRET, Signer, claims, claims_with, encode, keys, signers};
use crate::jwt::{
    Algorithm, VerifyingKey,
    claims::{Checks, Names},
    flaw::{Class, Flaw},
    key_set::KeySet,
    pem,
    verified::Verified,
};

fn checks() -> Checks {
    Checks {
        issuer: Some(ISSUER.to_owned()),
        audiences: vec!["orders".to_owned(), "billing".to_owned()],
        any_audience: false,
        leeway: Duration::from_secs(30),
        max_lifetime: None,
        required: Vec::new(),
        names: Names::default(),
    }
}

/// All keys at once, so that every confusion of keys could happen.
fn all_keys() -> KeySet {
    KeySet::new(signers().iter().map(Signer::key).collect())
}

fn verify_with(checks: &Checks, token: &str) -> Result<Principal, Flaw> {
    let now = Duration::from_secs(NOW);
    Verified::new(token, None, &all_keys(), checks, &[], now).map(|verified| verified.principal)
}

fn verify(token: &str) -> Result<Principal, Flaw> {
    verify_with(&checks(), token)
}

#[test]
fn good_tokens_of_every_algorithm_pass() {
    let mut all: Vec<Signer> = Algorithm::ALL.map(|algorithm| Signer::new("k", algorithm)).to_vec();
    all.extend(signers());
    for signer in all {
        let keys = KeySet::new(vec![signer.key()]);
        let token = signer.token(&claims());
        let verified = Verified::new(&token, None, &keys, &checks(), &[], Duration::from_secs(NOW));
        assert_eq!(verified.unwrap().principal.id(), "ada", "{}", signer.algorithm);
    }
    for (name, claim, value) in [
        ("one of two audiences", "aud", json!(["other", "orders"])),
        ("the other audience", "aud", json!("billing")),
        ("a fraction of a second", "exp", json!(NOW as f64 + 0.5)),
        ("just expired, within the leeway", "exp", json!(NOW - 29)),
        ("soon valid, within the leeway", "nbf", json!(NOW + 30)),
        ("no nbf", "nbf", Value::Null),
        ("no iat", "iat", Value::Null),
        ("the year 9999", "exp", json!(253_402_300_799_u64)),
    ] {
        assert!(verify(&signers()[0].token(&claims_with(claim, value))).is_ok(), "{name}");
    }
    let mut anonymous = signers()[2].header();
    anonymous.as_object_mut().unwrap().remove("kid");
    assert!(verify(&signers()[2].sign(&anonymous.to_string(), &claims().to_string())).is_ok(), "no kid");
}

#[test]
fn no_changed_token_passes() {
    let mut count = 0;
    let mut refuse = |name: &str, token: &str| {
        count += 1;
        verify(token).expect_err(name).class
    };
    for signer in signers() {
        for (name, token) in forms(&signer.token(&claims())) {
            let class = refuse(&format!("{}: {name}", signer.algorithm), &token);
            assert!(matches!(class, Class::Malformed | Class::Forged), "{name}: {class:?}");
        }
        for (name, header) in headers(&signer) {
            let token = signer.sign(&header, &claims().to_string());
            let class = refuse(&format!("{}: {name}", signer.algorithm), &token);
            assert!(matches!(class, Class::Malformed | Class::Unknown), "{name}: {class:?}");
        }
    }
    let rsa = &signers()[0];
    for (name, payload) in payloads() {
        let class = refuse(name, &rsa.sign(&rsa.header().to_string(), &payload));
        assert!(
            !matches!(class, Class::Forged | Class::Unknown),
            "{name}: its signature is good, but {class:?}"
        );
    }
    for (name, token) in confusions() {
        let class = refuse(name, &token);
        assert!(matches!(class, Class::Forged | Class::Unknown), "{name}: {class:?}");
    }
    assert!(count >= 250, "{count} tokens");
}

/// Other spellings and other parts, with the signature of the good token.
fn forms(good: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { unreachable!("three parts") };
    let other = encode(claims_with("sub", json!("eve")).to_string());
    let mut flipped = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, signature).unwrap();
    flipped[0] ^= 1;
    let mut short = flipped.clone();
    short.pop();
    let long = [&flipped[..], &[0]].concat();
    vec![
        ("nothing", String::new()),
        ("two dots", "..".to_owned()),
        ("no signature", format!("{header}.{payload}.")),
        ("two parts", format!("{header}.{payload}")),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{header}..{payload}.{signature}.{signature}")),
        ("a dot at the end", format!("{good}.")),
        ("a dot at the start", format!(".{good}")),
        ("no payload", format!("{header}..{signature}")),
        ("no header", format!(".{payload}.{signature}")),
        ("header and payload swapped", format!("{payload}.{header}.{signature}")),
        ("another payload", format!("{header}.{other}.{signature}")),
        ("a flipped bit in the signature", format!("{header}.{payload}.{}", encode(&flipped))),
        ("a signature one byte short", format!("{header}.{payload}.{}", encode(&short))),
        ("a signature one byte long", format!("{header}.{payload}.{}", encode(&long))),
        ("a signature of zeros", format!("{header}.{payload}.{}", encode(vec![0; flipped.len()]))),
        ("one byte of signature", format!("{header}.{payload}.AA")),
        ("padding", format!("{good}=")),
        ("padding in the header", format!("{header}=.{payload}.{signature}")),
        ("a space at the end", format!("{good} ")),
        ("a space at the start", format!(" {good}")),
        ("a line break in it", format!("{header}.{payload}\n.{signature}")),
        ("the other alphabet", format!("{header}.{payload}.+{}", &signature[1..])),
        ("bits left over", format!("{header}.{payload}.{}", with_other_bits(signature))),
        ("more than fits", format!("{header}.{}.{signature}", "A".repeat(9_000))),
    ]
}

/// The same bytes with other unused bits in the last digit, where there are some.
fn with_other_bits(text: &str) -> String {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = text.split_at(text.len() - 1);
    let value = DIGITS.find(last).unwrap();
    format!("{rest}{}", &DIGITS[value ^ 1..=value ^ 1])
}

/// Signed headers that must not be understood.
fn headers(signer: &Signer) -> Vec<(&'static str, String)> {
    let with = |name: &str, value: Value| {
        let mut header = signer.header();
        header[name] = value;
        header.to_string()
    };
    let algorithm = signer.algorithm.as_str();
    vec![
        ("alg none", with("alg", json!("none"))),
        ("alg None", with("alg", json!("None"))),
        ("alg NONE", with("alg", json!("NONE"))),
        ("alg nOnE", with("alg", json!("nOnE"))),
        ("alg empty", with("alg", json!(""))),
        ("alg a number", with("alg", json!(1))),
        ("alg a list", with("alg", json!([algorithm]))),
        ("alg null", with("alg", Value::Null)),
        ("alg in small letters", with("alg", json!(algorithm.to_lowercase() + " "))),
        ("alg unknown", with("alg", json!("ES512"))),
        ("no alg", json!({"kid": signer.kid}).to_string()),
        ("alg twice", format!("{{\"alg\":\"none\",\"alg\":\"{algorithm}\",\"kid\":\"{}\"}}", signer.kid)),
        ("crit", with("crit", json!(["exp"]))),
        ("crit empty", with("crit", json!([]))),
        ("b64 false", with("b64", json!(false))),
        ("b64 true", with("b64", json!(true))),
        ("zip", with("zip", json!("DEF"))),
        ("enc", with("enc", json!("A256GCM"))),
        ("a token inside", with("cty", json!("JWT"))),
        ("typ of something else", with("typ", json!("secevent+jwt"))),
        ("kid of nobody", with("kid", json!("nobody"))),
        ("kid a path", with("kid", json!("../../../dev/null"))),
        ("kid a query", with("kid", json!("rs' OR '1'='1"))),
        ("kid a command", with("kid", json!("rs|/bin/true"))),
        ("kid with a NUL", with("kid", json!("rs\0"))),
        ("kid in capitals", with("kid", json!(signer.kid.to_uppercase()))),
        ("kid empty", with("kid", json!(""))),
        ("kid a number", with("kid", json!(1))),
        ("kid null", with("kid", Value::Null)),
        ("kid long", with("kid", json!("k".repeat(257)))),
        ("kid twice", format!("{{\"alg\":\"{algorithm}\",\"kid\":\"x\",\"kid\":\"{}\"}}", signer.kid)),
        ("kid of another key", with("kid", json!(if signer.kid == "rs" { "es" } else { "rs" }))),
        ("a list", "[]".to_owned()),
        ("no JSON", "{".to_owned()),
        ("JSON and more", format!("{}{{}}", signer.header())),
        ("a byte order mark", format!("\u{feff}{}", signer.header())),
    ]
}

/// Signed claims that must not be believed.
fn payloads() -> Vec<(&'static str, String)> {
    let with = |name, value| claims_with(name, value).to_string();
    let twice = |name: &str, value: Value| {
        let text = claims().to_string();
        format!("{{\"{name}\":{value},{}", &text[1..])
    };
    vec![
        ("no iss", with("iss", Value::Null)),
        ("iss of somebody else", with("iss", json!("https://evil.example.com"))),
        ("iss with a slash more", with("iss", json!(format!("{ISSUER}/")))),
        ("iss in capitals", with("iss", json!(ISSUER.to_uppercase()))),
        ("iss a list", with("iss", json!([ISSUER]))),
        ("iss a number", with("iss", json!(1))),
        ("iss twice", twice("iss", json!("https://evil.example.com"))),
        ("no aud", with("aud", Value::Null)),
        ("aud of somebody else", with("aud", json!("other"))),
        ("aud empty", with("aud", json!(""))),
        ("aud a list of nothing", with("aud", json!([]))),
        ("aud a list of others", with("aud", json!(["other"]))),
        ("aud a list with a number", with("aud", json!(["orders", 1]))),
        ("aud a map", with("aud", json!({"orders": true}))),
        ("aud a number", with("aud", json!(1))),
        ("aud true", with("aud", json!(true))),
        ("aud a part of ours", with("aud", json!("order"))),
        ("aud twice", twice("aud", json!("other"))),
        ("no exp", with("exp", Value::Null)),
        ("exp past", with("exp", json!(NOW - 30))),
        ("exp long past", with("exp", json!(0))),
        ("exp negative", with("exp", json!(-1))),
        ("exp a text", with("exp", json!((NOW + 600).to_string()))),
        ("exp a list", with("exp", json!([NOW + 600]))),
        ("exp true", with("exp", json!(true))),
        ("exp a date", with("exp", json!("2099-01-01T00:00:00Z"))),
        ("exp in the year 10000", with("exp", json!(253_402_300_800_u64))),
        ("exp the largest number", with("exp", json!(u64::MAX))),
        ("exp a huge number", with("exp", json!(1e300))),
        ("exp twice", twice("exp", json!(NOW - 600))),
        ("exp twice in another spelling", twice("\\u0065xp", json!(NOW - 600))),
        ("exp null", claims_with("exp", json!("NULL")).to_string().replace("\"NULL\"", "null")),
        ("exp infinite", claims_with("exp", json!("BIG")).to_string().replace("\"BIG\"", "1e999")),
        ("nbf future", with("nbf", json!(NOW + 31))),
        ("nbf a text", with("nbf", json!("0"))),
        ("nbf negative", with("nbf", json!(-5))),
        ("nbf a huge number", with("nbf", json!(u64::MAX))),
        ("iat a text", with("iat", json!("yesterday"))),
        ("iat negative", with("iat", json!(-5))),
        ("no sub", with("sub", Value::Null)),
        ("sub empty", with("sub", json!(""))),
        ("sub a number", with("sub", json!(7))),
        ("sub a list", with("sub", json!(["ada"]))),
        ("sub twice", twice("sub", json!("eve"))),
        ("scope a number", with("scope", json!(1))),
        ("scope a list with a number", with("scope", json!(["a", 1]))),
        ("scope a map", with("scope", json!({"orders:read": true}))),
        ("scope twice", twice("scope", json!("admin"))),
        (
            "a name twice inside",
            claims_with("x", json!("X")).to_string().replace("\"X\"", "{\"a\":1,\"a\":2}"),
        ),
        ("a list", json!([claims()]).to_string()),
        ("a text", json!(claims().to_string()).to_string()),
        ("a number", "7".to_owned()),
        ("nothing", String::new()),
        ("null", "null".to_owned()),
        ("JSON and more", format!("{} x", claims())),
    ]
}

/// Tokens by keys that are not the issuer's, or not for what they were used for.
fn confusions() -> Vec<(&'static str, String)> {
    let secret = |bytes: &[u8]| Signer {
        kid: "rs",
        algorithm: Algorithm::Hs256,
        key: jsonwebtoken::EncodingKey::from_secret(bytes),
    };
    let (_, der) = pem::unwrap(keys::RSA_PUBLIC).unwrap();
    let (_, pkcs1) = pem::unwrap(keys::RSA_PKCS1).unwrap();
    let jwk = super::key_sets::rsa_jwk().to_string();
    let other = Signer::of("rs", Algorithm::Rs256, keys::OTHER_RSA);
    let with_header = |name: &str, value: Value| {
        let mut header = other.header();
        header[name] = value;
        other.sign(&header.to_string(), &claims().to_string())
    };
    let as_kid = |kid, signer: &Signer| Signer { kid, ..signer.clone() }.token(&claims());
    let all = signers();
    let relabelled = |signer: &Signer, algorithm: &str| {
        let header = json!({"alg": algorithm, "kid": signer.kid}).to_string();
        signer.sign(&header, &claims().to_string())
    };
    let mut nobody = other.header();
    nobody.as_object_mut().unwrap().remove("kid");
    vec![
        ("HS256 with the public key as PEM", secret(keys::RSA_PUBLIC.as_bytes()).token(&claims())),
        ("HS256 with the PEM, trimmed", secret(keys::RSA_PUBLIC.trim().as_bytes()).token(&claims())),
        ("HS256 with the public key as DER", secret(&der).token(&claims())),
        ("HS256 with the public key as PKCS#1", secret(&pkcs1).token(&claims())),
        ("HS256 with the public key as a JWK", secret(jwk.as_bytes()).token(&claims())),
        ("HS256 with nothing", secret(b"").token(&claims())),
        ("HS256 with the secret, as the RSA key", secret(SECRET).token(&claims())),
        ("HS512 with the secret of HS256", {
            let signer = Signer::new("hs", Algorithm::Hs512);
            signer.token(&claims())
        }),
        ("another RSA key", other.token(&claims())),
        ("another RSA key, without its name", other.sign(&nobody.to_string(), &claims().to_string())),
        ("another RSA key, sent along", with_header("jwk", super::key_sets::other_rsa_jwk())),
        ("another RSA key, to be fetched", with_header("jku", json!("https://evil.example.com/keys"))),
        (
            "another RSA key, in a certificate to be fetched",
            with_header("x5u", json!("https://evil.example.com/cert")),
        ),
        ("another RSA key, in a certificate", with_header("x5c", json!(["MIIB"]))),
        ("the RSA key under the name of another", as_kid("es", &all[0])),
        ("the EC key under the name of another", as_kid("rs", &all[2])),
        ("the Ed25519 key under the name of another", as_kid("hs", &all[4])),
        ("PS256 by the key for RS256", {
            let signer = Signer { algorithm: Algorithm::Ps256, ..all[0].clone() };
            signer.token(&claims())
        }),
        ("RS512 by the key for RS256", {
            let signer = Signer { algorithm: Algorithm::Rs512, ..all[0].clone() };
            signer.token(&claims())
        }),
        ("RS256 called PS256", relabelled(&all[0], "PS256")),
        ("RS256 called RS384", relabelled(&all[0], "RS384")),
        ("RS256 called HS256", relabelled(&all[0], "HS256")),
        ("RS256 called EdDSA", relabelled(&all[0], "EdDSA")),
        ("ES256 called ES384", relabelled(&all[2], "ES384")),
        ("ES256 called RS256", relabelled(&all[2], "RS256")),
        ("EdDSA called ES256", relabelled(&all[4], "ES256")),
        ("HS256 called RS256", relabelled(&all[5], "RS256")),
        ("ES256 in DER", {
            let token = all[2].token(&claims());
            let (message, signature) = token.rsplit_once('.').unwrap();
            let raw = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, signature).unwrap();
            let mut der = vec![0x30, 0x46, 0x02, 0x21, 0];
            der.extend(&raw[..32]);
            der.extend([0x02, 0x21, 0]);
            der.extend(&raw[32..]);
            format!("{message}.{}", encode(der))
        }),
    ]
}

#[test]
fn a_longest_lifetime_wants_to_know_when_it_began() {
    let checks = Checks { max_lifetime: Some(Duration::from_secs(660)), ..checks() };
    let token = |name, value| signers()[0].token(&claims_with(name, value));
    assert!(verify_with(&checks, &token("x", json!(1))).is_ok());
    for (name, token) in [
        ("too long", token("exp", json!(NOW + 601))),
        ("no iat", token("iat", Value::Null)),
        ("iat in the future", token("iat", json!(NOW + 31))),
    ] {
        assert!(verify_with(&checks, &token).is_err(), "{name}");
    }
}

#[test]
fn claims_that_must_be_there_are() {
    let checks = Checks { required: vec!["jti".to_owned(), "realm_access.roles".to_owned()], ..checks() };
    let token = |name, value| signers()[0].token(&claims_with(name, value));
    assert!(verify_with(&checks, &token("jti", json!("1"))).is_ok());
    assert!(verify_with(&checks, &token("x", json!("1"))).is_err());
}

#[test]
fn claims_say_who_the_caller_is() {
    let names = Names {
        tenant: Some("org".to_owned()),
        roles: Some("realm_access.roles".to_owned()),
        groups: Some("groups".to_owned()),
        ..Names::default()
    };
    let checks = Checks { names, ..checks() };
    let caller = verify_with(&checks, &signers()[0].token(&claims_with("scp", json!(["extra"])))).unwrap();
    assert_eq!((caller.realm(), caller.id(), caller.tenant()), (ISSUER, "ada", Some("shop")));
    assert_eq!(caller.scopes(), ["orders:read", "orders:write", "extra"]);
    assert_eq!((caller.roles(), caller.groups()), (&["clerk".to_owned()][..], &[][..]));
    assert_eq!(caller.claim("org"), Some(&json!("shop")));
    for value in [json!(1), json!([""]), json!("")] {
        assert!(verify_with(&checks, &signers()[0].token(&claims_with("org", value))).is_err());
    }
}

#[test]
fn the_kinds_of_keys_do_not_mix() {
    for (name, key) in [
        ("an RSA key for ES256", VerifyingKey::pem(Algorithm::Es256, keys::RSA_PUBLIC)),
        ("an RSA key for HS256", VerifyingKey::pem(Algorithm::Hs256, keys::RSA_PUBLIC)),
        ("a P-256 key for ES384", VerifyingKey::pem(Algorithm::Es384, keys::P256_PUBLIC)),
        ("a P-384 key for ES256", VerifyingKey::pem(Algorithm::Es256, keys::P384_PUBLIC)),
        ("an Ed25519 key for ES256", VerifyingKey::pem(Algorithm::Es256, keys::ED25519_PUBLIC)),
        ("a private key", VerifyingKey::pem(Algorithm::Rs256, keys::RSA)),
        ("a private key of another form", VerifyingKey::pem(Algorithm::Es256, keys::P256)),
        ("a secret for RS256", VerifyingKey::secret(Algorithm::Rs256, SECRET)),
        ("a short secret", VerifyingKey::secret(Algorithm::Hs256, &SECRET[..31])),
        ("a short secret for HS384", VerifyingKey::secret(Algorithm::Hs384, &SECRET[..47])),
        ("a short secret for HS512", VerifyingKey::secret(Algorithm::Hs512, &SECRET[..63])),
        ("no PEM", VerifyingKey::pem(Algorithm::Rs256, "ssh-rsa AAAA")),
        ("half a PEM", VerifyingKey::pem(Algorithm::Rs256, &keys::RSA_PUBLIC[..200])),
        ("two PEMs", VerifyingKey::pem(Algorithm::Rs256, &keys::RSA_PUBLIC.repeat(2))),
        ("a short RSA key", VerifyingKey::pem(Algorithm::Rs256, &super::key_sets::short_rsa_pem())),
    ] {
        let error = key.expect_err(name).to_string();
        assert!(!error.contains("MII"), "{name}: {error}");
    }
    assert!(VerifyingKey::pem(Algorithm::Rs256, keys::RSA_PKCS1).is_ok());
}
