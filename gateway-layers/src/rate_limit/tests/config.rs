use crate::config::{self, Context, Source};

/// What is said about a document whose only route knows its callers and has this `rate_limit`.
fn problems(rate_limit: &str) -> String {
    let digest = "0".repeat(64);
    let text = format!(
        "listen: 127.0.0.1:0\nroutes:\n  - prefix: /\n    upstream: http://a\n    rate_limit: {rate_limit}\n    \
         api_key: {{keys: [{{id: a, sha256: '{digest}'}}]}}\n"
    );
    let environment = |name: &str| (name == "REDIS_URL").then(|| "http://:hunter2@redis".to_owned());
    match config::load(Source { name: "g", text: &text }, environment, &Context::default()) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn both_forms_are_read() {
    for good in [
        "{requests: 5}",
        "{requests: 5, per: 1h, algorithm: sliding_window, by: [principal, route], fields: draft10}",
        "{requests: 5, by: 'claim:plan', missing: refuse, fields: legacy}",
        "{limits: [{name: a, requests: 1}, {name: b, requests: 9, per: 1d, algorithm: sliding_window, by: tenant}]}",
    ] {
        assert_eq!(problems(good), "", "{good}");
    }
}

#[test]
fn what_is_not_meant_is_told() {
    for (text, told) in [
        ("{}", "`requests` is missing"),
        ("{limits: []}", "name at least one limit"),
        ("{limits: [{requests: 1}]}", "`name` is missing"),
        ("{limits: [{name: a, requests: 1}, {name: a, requests: 2}]}", "two limits are named `a`"),
        ("{limits: [{name: a, requests: 1}], requests: 5}", "unknown key `requests`"),
        ("{limits: [{name: \"\u{e4}\", requests: 1}]}", "letters, digits and signs of ASCII"),
        ("{requests: 5, algorithm: sliding_window, burst: 2}", "a sliding window has no burst"),
        ("{requests: 5, algorithm: leaky}", "expected token_bucket or sliding_window"),
        ("{requests: 5, per: 0s}", "longer than nothing"),
        ("{requests: 5, by: []}", "name at least one key"),
    ] {
        let found = problems(text);
        assert!(found.contains(told), "{text}: {found}");
    }
}

#[cfg(not(feature = "redis"))]
#[test]
fn a_store_needs_its_feature() {
    let found = problems("{requests: 5, store: {redis: 'redis://a', on_error: allow}}");
    assert!(found.contains("built without the feature redis"), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[cfg(feature = "redis")]
#[test]
fn a_store_says_what_happens_without_it_and_shows_no_secret() {
    assert_eq!(problems("{requests: 5, store: {redis: 'redis://127.0.0.1:1', on_error: allow}}"), "");
    for (store, told) in [
        ("{redis: 'redis://a'}", "`on_error` is missing; expected allow, refuse or local"),
        ("{on_error: local}", "`redis` is missing"),
        ("{redis: 'http://:hunter2@a', on_error: local}", "no URL of a Redis server"),
        ("{redis: '${REDIS_URL}', on_error: local}", "no URL of a Redis server"),
        ("{redis: 'redis://a', on_error: local, timeout: 0s}", "between 1ms and 5s"),
        ("{redis: 'redis://a', on_error: local, prefix: '{a}'}", "letters, digits"),
    ] {
        let found = problems(&format!("{{requests: 5, store: {store}}}"));
        assert!(found.contains(told), "{store}: {found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
    let found =
        problems("{requests: 1, per: 3650d, burst: 1000, store: {redis: 'redis://a', on_error: local}}");
    assert!(found.contains("too large or too long"), "{found}");
}
