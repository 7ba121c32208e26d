//! The data-plane cases of the Gateway API's own conformance tests that are about matching, precedence and hosts,
//! re-expressed as rules, requests and the backends that must get them. Each table carries the name of its test in
//! `kubernetes-sigs/gateway-api`, `conformance/tests`.
//!
//! The Gateway API answers 404 where we say 405 unless told not to, and serves `HEAD` only where it is named; so these
//! rules are made with `without_head`, and 405 counts as no backend.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::SystemTime;

use gateway_layers::routing::{Found, Listeners, Rule, Table, hosts_behind};
use http::{HeaderName, Method, Request};

/// A backend, and which requests it gets.
type Rules = Vec<(&'static str, Rule)>;

/// `METHOD host target name:value`, and the backend, or nothing.
type Case = (&'static str, Option<&'static str>);

fn check(test: &str, rules: Rules, cases: &[Case]) {
    let table = table(rules);
    for (request, expected) in cases {
        assert_eq!(backend(&table, request), *expected, "{test}: {request}");
    }
}

fn table(rules: Rules) -> Table<&'static str> {
    let named = rules
        .into_iter()
        .enumerate()
        .map(|(number, (backend, rule))| (rule.name(format!("{backend} {number}")).without_head(), backend));
    Table::new(named).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn backend(table: &Table<&'static str>, request: &str) -> Option<&'static str> {
    let mut words = request.split(' ');
    let mut word = || words.next().unwrap();
    let mut request = Request::builder().method(word());
    let host = word();
    request = request.header("host", host).uri(word());
    for header in words {
        let (name, value) = header.split_once(':').unwrap();
        request = request.header(name, value);
    }
    let (mut head, ()) = request.body(()).unwrap().into_parts();
    gateway_layers::core::canonical::canonicalize(&mut head).unwrap();
    match table.find(&head, SystemTime::UNIX_EPOCH) {
        Found::Rule(hit) => Some(hit.value),
        Found::MethodNotAllowed(_) | Found::Nothing | Found::UnknownHost => None,
    }
}

fn header(rule: Rule, name: &'static str, value: &str) -> Rule {
    rule.header(HeaderName::from_static(name), value)
}

/// Where a match names no path, it is for every path.
fn any() -> Rule {
    Rule::prefix("/")
}

const V1: &str = "infra-backend-v1";
const V2: &str = "infra-backend-v2";
const V3: &str = "infra-backend-v3";

#[test]
fn exact_path_matching() {
    let rules = vec![(V1, Rule::path("/one")), (V2, Rule::path("/two"))];
    check(
        "HTTPExactPathMatching",
        rules,
        &[
            ("GET h /one", Some(V1)),
            ("GET h /two", Some(V2)),
            ("GET h /", None),
            ("GET h /one/example", None),
            ("GET h /two/", None),
            ("GET h /Two", None),
        ],
    );
}

#[test]
fn matching() {
    let rules = vec![
        (V1, any().or(header(any(), "version", "one"))),
        (V2, Rule::prefix("/v2").or(header(any(), "version", "two"))),
    ];
    check(
        "HTTPRouteMatching",
        rules,
        &[
            ("GET h /", Some(V1)),
            ("GET h /example", Some(V1)),
            ("GET h / version:one", Some(V1)),
            ("GET h /v2", Some(V2)),
            ("GET h /v2/example", Some(V2)),
            ("GET h / version:two", Some(V2)),
            // A prefix ends at a segment.
            ("GET h /v2example", Some(V1)),
            // A longer prefix goes before headers.
            ("GET h /v2 version:one", Some(V2)),
        ],
    );
}

#[test]
fn matching_across_routes() {
    let rules = vec![
        (V1, any().or(header(any(), "version", "one")).host("example.com").host("example.net")),
        (V2, Rule::prefix("/v2").or(header(any(), "version", "two")).host("example.com")),
    ];
    check(
        "HTTPRouteMatchingAcrossRoutes",
        rules,
        &[
            ("GET example.com /", Some(V1)),
            ("GET example.com /example", Some(V1)),
            ("GET example.net /example", Some(V1)),
            ("GET example.com /example version:one", Some(V1)),
            ("GET example.com /v2", Some(V2)),
            ("GET example.net /v2", Some(V1)),
            ("GET example.com /v2/example", Some(V2)),
            ("GET example.com / version:two", Some(V2)),
        ],
    );
}

#[test]
fn header_matching() {
    let rules = vec![
        (V1, header(any(), "version", "one")),
        (V2, header(any(), "version", "two")),
        (V1, header(header(any(), "version", "two"), "color", "orange")),
        (V1, header(any(), "color", "blue").or(header(any(), "color", "green"))),
        (V2, header(any(), "color", "red").or(header(any(), "color", "yellow"))),
    ];
    check(
        "HTTPRouteHeaderMatching",
        rules,
        &[
            ("GET h / Version:one", Some(V1)),
            ("GET h / Version:two", Some(V2)),
            ("GET h / Version:two Color:orange", Some(V1)),
            // Both have one header: the first in the list.
            ("GET h / Version:two Color:blue", Some(V2)),
            ("GET h / Color:orange", None),
            ("GET h / Some-Other-Header:one", None),
            ("GET h / Color:blue", Some(V1)),
            ("GET h / Color:green", Some(V1)),
            ("GET h / Color:red", Some(V2)),
            ("GET h / Color:yellow", Some(V2)),
            ("GET h / Color:purple", None),
        ],
    );
}

#[test]
fn path_match_order() {
    let rules = vec![
        (V1, Rule::path("/match")),
        (V2, Rule::path("/match/exact")),
        (V3, Rule::path("/match/exact/one")),
        (V3, Rule::prefix("/match/")),
        (V1, Rule::prefix("/match/prefix/")),
        (V2, Rule::prefix("/match/prefix/one")),
    ];
    check(
        "HTTPRoutePathMatchOrder",
        rules,
        &[
            ("GET h /match/exact/one", Some(V3)),
            ("GET h /match/exact", Some(V2)),
            ("GET h /match", Some(V1)),
            ("GET h /match/prefix/one/any", Some(V2)),
            ("GET h /match/prefix/any", Some(V1)),
            ("GET h /match/any", Some(V3)),
        ],
    );
}

#[test]
fn method_matching() {
    let rules = vec![
        (V1, any().method(Method::POST)),
        (V2, any().method(Method::GET)),
        (V1, Rule::prefix("/path1").method(Method::GET)),
        (V2, header(any(), "version", "one").method(Method::PUT)),
        (V3, header(Rule::prefix("/path2"), "version", "two").method(Method::POST)),
        (
            V1,
            Rule::prefix("/path3").method(Method::PATCH).or(header(
                Rule::prefix("/path4"),
                "version",
                "three",
            )
            .method(Method::DELETE)),
        ),
        (V1, Rule::prefix("/path5")),
        (V2, any().method(Method::PATCH)),
        (V3, header(any(), "version", "four")),
    ];
    check(
        "HTTPRouteMethodMatching",
        rules,
        &[
            ("POST h /", Some(V1)),
            ("GET h /", Some(V2)),
            ("HEAD h /", None),
            ("GET h /path1", Some(V1)),
            ("PUT h / version:one", Some(V2)),
            ("POST h /path2 version:two", Some(V3)),
            ("PATCH h /path3", Some(V1)),
            ("DELETE h /path4 version:three", Some(V1)),
            ("PUT h /", None),
            ("DELETE h /path4", None),
            ("PATCH h /path5", Some(V1)),
            // A method goes before headers.
            ("PATCH h / version:four", Some(V2)),
        ],
    );
}

#[test]
fn query_param_matching() {
    let rules = vec![
        (V1, any().query("animal", "whale")),
        (V2, any().query("animal", "dolphin")),
        (V3, any().query("animal", "dolphin").query("color", "blue")),
        (V3, any().query("ANIMAL", "Whale")),
        (V1, Rule::prefix("/path1").query("animal", "whale")),
        (V2, header(any(), "version", "one").query("animal", "whale")),
        (V3, header(Rule::prefix("/path2"), "version", "two").query("animal", "whale")),
        (
            V1,
            Rule::prefix("/path3").query("animal", "shark").or(header(
                Rule::prefix("/path4"),
                "version",
                "three",
            )
            .query("animal", "kraken")),
        ),
        (V1, Rule::prefix("/path5")),
        (V2, any().query("animal", "hydra")),
        (V3, header(any(), "version", "four")),
    ];
    check(
        "HTTPRouteQueryParamMatching",
        rules,
        &[
            ("GET h /?animal=whale", Some(V1)),
            ("GET h /?animal=dolphin", Some(V2)),
            ("GET h /?animal=dolphin&color=blue", Some(V3)),
            ("GET h /?ANIMAL=Whale", Some(V3)),
            ("GET h /?animal=whale&otherparam=irrelevant", Some(V1)),
            ("GET h /?animal=dolphin&color=yellow", Some(V2)),
            ("GET h /?color=blue", None),
            ("GET h /?animal=dog", None),
            ("GET h /?animal=whaledolphin", None),
            ("GET h /", None),
            ("GET h /path1?animal=whale", Some(V1)),
            ("GET h /?animal=whale version:one", Some(V2)),
            ("GET h /path2?animal=whale version:two", Some(V3)),
            ("GET h /path3?animal=shark", Some(V1)),
            ("GET h /path4?animal=kraken version:three", Some(V1)),
            ("GET h /?animal=shark", None),
            ("GET h /path4?animal=kraken", None),
            ("GET h /path5?animal=hydra", Some(V1)),
            // Headers go before query parameters.
            ("GET h /?animal=hydra version:four", Some(V3)),
            // The first of two values of one name counts.
            ("GET h /?animal=whale&animal=dolphin", Some(V1)),
        ],
    );
}

/// Listeners by their hosts, and the routes behind each with hosts of their own; a request goes to one listener, and
/// to no other.
type Behind = Vec<(Option<&'static str>, Vec<(&'static str, Rule, Vec<&'static str>)>)>;

fn check_listeners(test: &str, listeners: Behind, cases: &[Case]) {
    let tables = listeners.into_iter().map(|(listener, routes)| {
        let mut rules = Vec::new();
        for (backend, rule, hosts) in routes {
            let behind = hosts_behind(listener, &hosts).unwrap();
            if !behind.is_empty() || (listener.is_none() && hosts.is_empty()) {
                rules.push((backend, behind.into_iter().fold(rule, Rule::host)));
            }
        }
        (listener, table(rules))
    });
    let listeners = Listeners::new(tables).unwrap();
    for (request, expected) in cases {
        let host = request.split(' ').nth(1).and_then(|host| host.split(':').next());
        let found = listeners.taking(host).and_then(|table| backend(table, request));
        assert_eq!(found, *expected, "{test}: {request}");
    }
}

#[test]
fn hostname_intersection() {
    let routes = || {
        vec![
            (
                V1,
                Rule::prefix("/s1"),
                vec!["non.matching.com", "*.nonmatchingwildcard.io", "very.specific.com"],
            ),
            (
                V2,
                Rule::prefix("/s2"),
                vec![
                    "non.matching.com",
                    "wildcard.io",
                    "foo.wildcard.io",
                    "bar.wildcard.io",
                    "foo.bar.wildcard.io",
                ],
            ),
            (V3, Rule::prefix("/s3"), vec!["non.matching.com", "*.specific.com"]),
            (V1, Rule::prefix("/s4"), vec!["*.anotherwildcard.io"]),
            (V2, Rule::prefix("/s5"), vec!["specific.but.wrong.com", "wildcard.io"]),
        ]
    };
    let listeners = vec![
        (Some("very.specific.com"), routes()),
        (Some("*.wildcard.io"), routes()),
        (Some("*.anotherwildcard.io"), routes()),
    ];
    check_listeners(
        "HTTPRouteHostnameIntersection",
        listeners,
        &[
            ("GET very.specific.com /s1", Some(V1)),
            ("GET very.specific.com:1234 /s1", Some(V1)),
            ("GET non.matching.com /s1", None),
            ("GET foo.nonmatchingwildcard.io /s1", None),
            ("GET foo.wildcard.io /s1", None),
            ("GET very.specific.com /non-matching-prefix", None),
            ("GET foo.wildcard.io /s2", Some(V2)),
            ("GET bar.wildcard.io /s2", Some(V2)),
            ("GET foo.bar.wildcard.io /s2", Some(V2)),
            ("GET non.matching.com /s2", None),
            ("GET wildcard.io /s2", None),
            ("GET very.specific.com /s2", None),
            ("GET foo.wildcard.io /non-matching-prefix", None),
            ("GET very.specific.com /s3", Some(V3)),
            ("GET non.matching.com /s3", None),
            ("GET foo.specific.com /s3", None),
            ("GET foo.wildcard.io /s3", None),
            ("GET foo.anotherwildcard.io /s4", Some(V1)),
            ("GET bar.anotherwildcard.io /s4", Some(V1)),
            ("GET foo.bar.anotherwildcard.io /s4", Some(V1)),
            ("GET anotherwildcard.io /s4", None),
            ("GET foo.wildcard.io /s4", None),
            ("GET very.specific.com /s4", None),
            ("GET specific.but.wrong.com /s5", None),
            ("GET wildcard.io /s5", None),
        ],
    );
    let all = vec![(None, vec![(V2, any(), vec!["first.com", "*.first.com", "second.com", "*.second.com"])])];
    check_listeners(
        "HTTPRouteHostnameIntersection, a listener without a host",
        all,
        &[
            ("GET first.com /", Some(V2)),
            ("GET sub.first.com /", Some(V2)),
            ("GET second.com /", Some(V2)),
            ("GET sub.second.com /", Some(V2)),
            ("GET third.com /", None),
            ("GET sub.third.com /", None),
        ],
    );
}

#[test]
fn listener_hostname_matching() {
    let listeners = vec![
        (Some("bar.com"), vec![(V1, any(), vec![])]),
        (Some("foo.bar.com"), vec![(V2, any(), vec![])]),
        (Some("*.bar.com"), vec![(V3, any(), vec![])]),
        (Some("*.foo.com"), vec![(V3, any(), vec![])]),
    ];
    check_listeners(
        "HTTPRouteListenerHostnameMatching",
        listeners,
        &[
            ("GET bar.com /", Some(V1)),
            ("GET foo.bar.com /", Some(V2)),
            ("GET baz.bar.com /", Some(V3)),
            ("GET boo.bar.com /", Some(V3)),
            ("GET multiple.prefixes.bar.com /", Some(V3)),
            ("GET multiple.prefixes.foo.com /", Some(V3)),
            ("GET foo.com /", None),
            ("GET no.matching.host /", None),
        ],
    );
}

#[test]
fn http_listener_isolation() {
    let cases: &[Case] = &[
        ("GET bar.com /empty-hostname", Some(V1)),
        ("GET bar.com /wildcard-example-com", None),
        ("GET bar.com /wildcard-foo-example-com", None),
        ("GET bar.com /abc-foo-example-com", None),
        ("GET bar.example.com /empty-hostname", None),
        ("GET bar.example.com /wildcard-example-com", Some(V1)),
        ("GET bar.example.com /wildcard-foo-example-com", None),
        ("GET bar.example.com /abc-foo-example-com", None),
        ("GET bar.foo.example.com /empty-hostname", None),
        ("GET bar.foo.example.com /wildcard-example-com", None),
        ("GET bar.foo.example.com /wildcard-foo-example-com", Some(V1)),
        ("GET bar.foo.example.com /abc-foo-example-com", None),
        ("GET abc.foo.example.com /empty-hostname", None),
        ("GET abc.foo.example.com /wildcard-example-com", None),
        ("GET abc.foo.example.com /wildcard-foo-example-com", None),
        ("GET abc.foo.example.com /abc-foo-example-com", Some(V1)),
    ];
    // In the second form of the test the routes name hosts of their own, all of them.
    let own = ["bar.com", "*.example.com", "*.foo.example.com", "abc.foo.example.com"];
    for hosts in [&[][..], &own] {
        let route = |path: &str| vec![(V1, Rule::prefix(path), hosts.to_vec())];
        let listeners = vec![
            (None, route("/empty-hostname")),
            (Some("*.example.com"), route("/wildcard-example-com")),
            (Some("*.foo.example.com"), route("/wildcard-foo-example-com")),
            (Some("abc.foo.example.com"), route("/abc-foo-example-com")),
        ];
        check_listeners("GatewayHTTPListenerIsolation", listeners, cases);
    }
}
