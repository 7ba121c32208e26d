//! Tokens that are known and tokens that are not, beside what their signature alone costs.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up ends")]

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gateway_benches::{Leaf, call, request};
use gateway_layers::jwt::{Algorithm, JwtLayer, VerifyingKey};
use http::HeaderValue;
use tower::Layer;

fn tokens(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tokens");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300)).sample_size(30);
    // Other features may bring the other back end, too; then none is the default.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let secret = b"an example secret of 32 bytes...";
    let (hs, rs) = (jsonwebtoken::Algorithm::HS256, jsonwebtoken::Algorithm::RS256);
    for (name, token, key, bare, algorithm) in [
        (
            "HS256",
            HS256,
            VerifyingKey::secret(Algorithm::Hs256, secret),
            jsonwebtoken::DecodingKey::from_secret(secret),
            hs,
        ),
        (
            "RS256",
            RS256,
            VerifyingKey::pem(Algorithm::Rs256, RSA),
            jsonwebtoken::DecodingKey::from_rsa_pem(RSA.as_bytes()).unwrap(),
            rs,
        ),
    ] {
        let make = || {
            let mut request = request();
            let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
            request.headers_mut().insert("authorization", value);
            request
        };
        let layer = JwtLayer::new("https://login.example.com", ["orders"], [key.unwrap()]);
        for (what, layer) in [("known", layer.clone()), ("unknown", layer.cache(0))] {
            let mut service = layer.layer(Leaf);
            group.bench_function(format!("jwt, {name}, {what}"), |bencher| {
                bencher.iter_batched(
                    make,
                    |request| call(black_box(&mut service), request),
                    BatchSize::SmallInput,
                );
            });
        }
        let mut validation = jsonwebtoken::Validation::new(algorithm);
        validation.set_audience(&["orders"]);
        validation.set_issuer(&["https://login.example.com"]);
        group.bench_function(format!("jsonwebtoken, {name}"), |bencher| {
            bencher.iter(|| {
                jsonwebtoken::decode::<serde_json::Value>(black_box(token), &bare, &validation).unwrap()
            });
        });
    }
    group.finish();
}

/// Both are good until the year 9999.
const HS256: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWRhIiwiZXhwIjoyNTM0MDIzMDA3OTksInNjb3BlIjoib3JkZXJzOnJlYWQiLCJyb2xlcyI6WyJjbGVyayJdfQ.0GwhSMvwL9V1XSgtnJ8KYAan8u0xyumA9M_LlZyR4s4";
const RS256: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWRhIiwiZXhwIjoyNTM0MDIzMDA3OTksInNjb3BlIjoib3JkZXJzOnJlYWQiLCJyb2xlcyI6WyJjbGVyayJdfQ.ZqQ4j0lqf345qa3HOOd8ixM8_xY3wWCmfQUF3_2IjpBMftey3OzbsSO6zgNuUUCeNB4PDnKdHkl_mPhlCCR2o-9xqO21yKEqhAPlBSxAqEvhT5zdPLmubTVf7TXQo_UutEX-QlRZpMC6OjvljipzQhlzAbpfs3mYDQLWghi7tPPknI4z3z4iafI1Fj_1qC8mGCi7dgUjKcbBQOoPkI-eL2dpZYYprisOODWNcBl97bj_gAVZeOHUtyzht31BAClRhxNHacnDYK4a8iB5hoZQJAQLyD4tXVs3R5R9fSh3O9Ng7gkpo7ZQA4ChowejGZebPy8U8kh1eNCYjEEql2N3FQ";
const RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAumA60S2Ge16g8q7ekE4N
tvBeaxymelGNLdsGQnO7Tx3wGmoLPwXWU9IJ1RMO3o7MLs22LCYks01bmdYRlUSN
zW6zJWcTmUPpvX4BfY6qQHn4UykPm3I7J4M+UqjIfB84K4a73FEx7rV8tvNB9+5G
fCqXQgYxNHKI4Fnt4IGQFZ+dHhI878gf6VAlrmsUf3AjtCE/48GFsQnhE6Fx9aXg
vrzpYxXeElGlM2DDEvg9J0aDAf1yjmfGE04dwe+6xmReRZ/lv2TwaXS5QWMaMsV1
SlspUkczSZAPY0n6rBnv8v0H8fJlpHKh6/tpFJV41fbC4uilA7P9n3uuJcp7ez9w
2wIDAQAB
-----END PUBLIC KEY-----
";

criterion_group!(benches, tokens);
criterion_main!(benches);
