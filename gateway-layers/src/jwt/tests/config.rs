//! Who is calling, declared in a document: what is refused there, and what a gateway made of it does.

use gateway_core::{
    Body, Clock, Refusal,
    testing::{ScriptedUpstream, Step},
};
use http::{HeaderMap, Request};
use serde_json::json;
use tower::ServiceExt;

use super::{Signer, claims, claims_with, key_sets, keys, wall};
use crate::{
    config::{self, Context, Declared, Source},
    jwt::Algorithm,
};

/// A text that no message may repeat.
const SECRET: &str = "hunter2-hunter2";

fn load(text: &str) -> Result<Declared, String> {
    let (clock, hands) = Clock::manual();
    hands.set_wall(wall());
    let context = Context { clock, ..Context::default() };
    let environment = |name: &str| match name {
        "PEM" => Some(keys::RSA_PUBLIC.to_owned()),
        "PRIVATE" => Some(keys::RSA.to_owned()),
        "JWK" => Some(key_sets::rsa_jwk().to_string()),
        "SECRET" => Some(SECRET.to_owned()),
        _ => None,
    };
    config::load(Source { name: "test", text }, environment, &context)
        .map_err(|problems| problems.to_string())
}

fn route(concerns: &str) -> Result<Declared, String> {
    load(&format!("routes:\n  - prefix: /\n    upstream: http://127.0.0.1:1\n{concerns}"))
}

#[test]
fn what_would_not_be_safe_is_a_mistake() {
    let jwt = |rest: &str| format!("    jwt: {{issuer: i, {rest}}}\n");
    let with_key = |key: &str| jwt(&format!("audience: a, keys: [{{{key}}}]"));
    let pem = "algorithm: RS256, pem: '${PEM}'";
    let file = std::env::temp_dir().join(format!("gateway-key-{}.pem", std::process::id()));
    std::fs::write(&file, keys::RSA_PUBLIC).unwrap();
    let digest = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
    for (concerns, expected) in [
        (with_key(pem), ""),
        (with_key("algorithm: RS256, jwk: '${JWK}'"), ""),
        (jwt("audience: a, jwks: 'http://127.0.0.1:1/keys', algorithms: [RS256, EdDSA]"), ""),
        (jwt("any_audience: true, jwks: 'http://127.0.0.1:1/keys', algorithms: RS256"), ""),
        (format!("    jwt: {{any_issuer: true, audience: a, keys: [{{{pem}}}]}}\n"), ""),
        (format!("    jwt: {{audience: a, keys: [{{{pem}}}]}}\n"), "`issuer` is missing"),
        (jwt(&format!("any_issuer: true, audience: a, keys: [{{{pem}}}]")), "it has no meaning"),
        (with_key(&format!("algorithm: RS256, pem: '{}'", file.display())), ""),
        (with_key("algorithm: RS256, pem: '${SECRET}'"), "nor a file that can be read: No such file"),
        (jwt("audience: a"), "`jwks` or `keys` is missing"),
        (jwt("audience: a, keys: []"), "name at least one key"),
        (jwt(&format!("keys: [{{{pem}}}]")), "`audience` is missing"),
        (jwt(&format!("audience: [], keys: [{{{pem}}}]")), "name at least one"),
        (jwt("audience: a, jwks: 'http://127.0.0.1:1/keys'"), "`algorithms` is missing"),
        (jwt("audience: a, jwks: 'http://127.0.0.1:1/keys', algorithms: []"), "name at least one"),
        (jwt("audience: a, jwks: 'http://127.0.0.1:1/keys', algorithms: [none]"), "expected RS256"),
        (jwt("audience: a, jwks: 'http://127.0.0.1:1/keys', algorithms: [HS256]"), "never comes from a URL"),
        (
            jwt("audience: a, jwks: 'ftp://127.0.0.1/keys', algorithms: [RS256]"),
            "expected http(s)://HOST[:PORT][/PATH]",
        ),
        (jwt("audience: a, jwks: 'http://u:p@127.0.0.1/keys', algorithms: [RS256]"), "a password in it"),
        (jwt(&format!("audience: a, algorithms: [RS256], keys: [{{{pem}}}]")), "names its own algorithm"),
        (jwt(&format!("audience: a, from: 'query:token', keys: [{{{pem}}}]")), "queries end up in logs"),
        (jwt(&format!("audience: a, leeway: 1h, keys: [{{{pem}}}]")), "more than 5m"),
        (
            jwt(&format!("audience: a, headers: {{Authorization: sub}}, keys: [{{{pem}}}]")),
            "cannot be set to a claim",
        ),
        (with_key("algorithm: ES256, pem: '${PEM}'"), "it is an RSA key: no configured algorithm"),
        (with_key("algorithm: RS256, pem: '${PRIVATE}'"), "it is a private key"),
        (with_key("algorithm: HS256, secret: '${SECRET}'"), "at least 32 bytes"),
        (with_key("algorithm: HS256"), "`pem` or `jwk` or `secret` is missing"),
        (with_key("algorithm: RS256, pem: '${PEM}', secret: '${SECRET}'"), "name one of"),
        ("    authorize: {scopes: [a]}\n".to_owned(), "nobody says who the caller is"),
        (
            "    rate_limit: {requests: 1, by: [client_addr, tenant]}\n".to_owned(),
            "nobody says who the caller is",
        ),
        ("    bulkhead: {concurrent: 1, by: [principal]}\n".to_owned(), "nobody says who the caller is"),
        (with_key(pem) + "    rate_limit: {requests: 1, by: [principal, tenant]}\n", ""),
        (with_key(pem) + "    authorize: {scopes: []}\n", "name at least one, or leave the key out"),
        (with_key(pem) + "    authorize: {deny: [suspended]}\n", ""),
        (format!("    api_key: {{keys: [{{id: a, sha256: {digest}}}]}}\n"), ""),
        (format!("    api_key: {{keys: [{{id: a, sha256: {SECRET}}}]}}\n"), "sha256sum"),
        (
            format!("    api_key: {{keys: [{{id: a, sha256: {digest}}}, {{id: b, sha256: {digest}}}]}}\n"),
            "twice",
        ),
        (format!("    api_key: {{keys: [{{id: a, sha256: {digest}, expires: soon}}]}}\n"), "a date such as"),
        ("    api_key: {}\n".to_owned(), "`keys` is missing"),
        (
            with_key(pem) + &format!("    api_key: {{keys: [{{id: a, sha256: {digest}}}]}}\n"),
            "one route for each",
        ),
    ] {
        let said = route(&concerns).err().unwrap_or_default();
        assert!(!said.contains(SECRET) && !said.contains("MII"), "{said}");
        match expected {
            "" => assert_eq!(said, "", "{concerns}"),
            expected => assert!(said.contains(expected), "{concerns}: {said}"),
        }
    }
    std::fs::remove_file(file).unwrap();
}

/// The status, the code and the challenge of the answer.
async fn ask(declared: &Declared, method: &str, path: &str, headers: &HeaderMap) -> (u16, String, String) {
    let mut request =
        Request::builder().method(method).uri(path).header("host", "a.test").body(Body::empty()).unwrap();
    request.headers_mut().extend(headers.clone());
    let answer = declared.service().oneshot(request).await.unwrap();
    let code = answer.extensions().get().map_or("", Refusal::code).to_owned();
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), code, challenge.unwrap_or_default())
}

#[tokio::test]
async fn a_declared_gateway_tells_the_upstream_who_calls_and_nobody_else_can() {
    let upstream = ScriptedUpstream::start([vec![Step::Send("HTTP/1.1 204 No\r\n\r\n")]]).await.unwrap();
    let set = json!({"keys": [key_sets::rsa_jwk()]}).to_string();
    let set = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{set}", set.len());
    let source = ScriptedUpstream::start([vec![Step::Send(Box::leak(set.into_boxed_str()))]]).await.unwrap();
    let (upstream_url, source_url) = (upstream.url(), source.url());
    let declared = load(&format!(
        "
routes:
  - {{name: pub, prefix: /pub, upstream: '{upstream_url}'}}
  - name: read
    prefix: /jwt
    methods: [GET]
    jwt: &login
      issuer: https://login.example.com
      audience: [orders]
      algorithms: [RS256]
      jwks: {source_url}/keys
      headers: {{x-user: sub, x-roles: realm_access.roles}}
    authorize: {{scopes: [orders:read]}}
    upstream: {upstream_url}
  - name: write
    prefix: /jwt
    methods: [POST]
    jwt: *login
    authorize: {{scopes: [orders:admin]}}
    upstream: {upstream_url}
"
    ))
    .unwrap();
    let spoofed = |token: Option<&str>| {
        let mut headers = HeaderMap::new();
        for name in ["x-user", "x_user", "x-roles", "X_Roles"] {
            headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), "root".parse().unwrap());
        }
        if let Some(token) = token {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
            headers.insert("connection", "x-user".parse().unwrap());
        }
        headers
    };
    let seen = || {
        let head = upstream.heads().pop().unwrap();
        let tells = |line: &&str| {
            ["x-user", "x_user", "x-roles", "x_roles", "authorization"]
                .iter()
                .any(|name| line.starts_with(name))
        };
        let mut lines: Vec<String> = head.lines().filter(tells).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let signer = Signer::new("rs", Algorithm::Rs256);
    let good = signer.token(&claims());

    assert_eq!(ask(&declared, "GET", "/pub/a", &spoofed(None)).await.0, 204);
    assert!(seen().is_empty(), "{:?}", seen());
    assert_eq!(ask(&declared, "GET", "/jwt/a", &spoofed(Some(&good))).await.0, 204);
    assert_eq!(seen(), ["x-roles: clerk", "x-user: ada"]);
    let (status, code, challenge) = ask(&declared, "POST", "/jwt/a", &spoofed(Some(&good))).await;
    assert_eq!((status, code.as_str()), (403, "insufficient_scope"));
    assert!(challenge.ends_with("error=\"insufficient_scope\", scope=\"orders:admin\""), "{challenge}");
    assert_eq!(ask(&declared, "GET", "/jwt/a", &spoofed(None)).await.1, "token_missing");
    let other = signer.token(&claims_with("aud", json!("other")));
    assert_eq!(ask(&declared, "GET", "/jwt/a", &spoofed(Some(&other))).await.1, "token_invalid");
    assert_eq!(upstream.heads().len(), 2, "what is refused never gets there");
    assert_eq!(source.heads().len(), 1, "routes with one issuer share its keys");
}
