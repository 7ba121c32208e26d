use gateway_core::{Clock, Explanation, Facts, explain::Explain};
use http::{Request, request::Parts};

use crate::config::{self, Context, Declared, Source};

fn load(routes: &str) -> Result<Declared, String> {
    config::load(Source { name: "g", text: routes }, |_| None, &Context::default())
        .map_err(|problems| problems.to_string())
}

fn head(method: &str, host: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).uri(target).header("host", host);
    let request = headers.iter().fold(request, |request, &(name, value)| request.header(name, value));
    request.body(()).unwrap().into_parts().0
}

const NO_RULE: &str = "refuse: 404: nothing is served at this host and path";

/// What routing says last about a request.
fn told(declared: &Declared, head: &Parts) -> String {
    let mut say: Vec<Explanation> = Vec::new();
    declared.service().explain(head, &mut say);
    let last = say.iter().rfind(|said| said.layer == "routing").map(ToString::to_string);
    last.unwrap().trim_start_matches("routing: ").to_owned()
}

#[test]
fn every_part_of_a_rule_can_be_declared() {
    let declared = load(
        r#"
routing: {misdirected: true, method_not_allowed: true}
routes:
  - {name: short, path: "/items/{id}", host: [a.test, "*.b.test"], methods: [GET], upstream: http://10.0.0.1}
  - {name: numbers, regex: "/n/[0-9]+", host: a.test, upstream: http://10.0.0.1}
  - name: long
    match:
      - path: /long
        host: a.test
        methods: [GET]
        head_follows_get: false
        headers: {x-env: beta, x-id: {regex: "[0-9]+"}, x-any: {present: true}}
        query: {version: "2"}
        cookies: {cohort: {regex: "b|c"}}
        from: [10.0.0.0/8, "2001:db8::/32"]
        media_type: application/*
        after: 2001-01-01T00:00:00Z
        before: 2100-01-01T00:00:00+01:00
      - {prefix: /other, host: a.test}
      - {headers: {x-all: "1"}, host: c.test}
    upstream: http://10.0.0.1
"#,
    )
    .unwrap();
    let fields = [
        ("x-env", "beta"),
        ("x-id", "17"),
        ("x-any", ""),
        ("cookie", "cohort=c"),
        ("content-type", "application/json"),
    ];
    let from_inside = |mut head: Parts| {
        Facts::of(&mut head.extensions, &Clock::default()).set_client_addr([10, 1, 2, 3].into());
        head
    };
    let long = "pass: the rule is long (/long | /other/* | /*)";
    let all = from_inside(head("GET", "a.test", "/long?version=2", &fields));
    assert_eq!(told(&declared, &all), long);
    for without in 0..fields.len() {
        let mut fewer = fields.to_vec();
        fewer.remove(without);
        let head = from_inside(head("GET", "a.test", "/long?version=2", &fewer));
        assert_eq!(told(&declared, &head), NO_RULE, "{:?}", fields[without]);
    }
    for (head, expected) in [
        (head("GET", "a.test", "/other/x", &[]), long),
        (head("GET", "c.test", "/any", &[("x-all", "1")]), long),
        (head("GET", "x.b.test", "/items/7", &[]), "pass: the rule is short (/items/{id})"),
        (head("PUT", "a.test", "/items/7", &[]), "refuse: 405: allowed is GET, HEAD"),
        (head("GET", "a.test", "/n/17", &[]), "pass: the rule is numbers (~/n/[0-9]+)"),
        (head("GET", "a.test", "/n/x", &[]), NO_RULE),
        (head("GET", "d.test", "/any", &[]), "refuse: 421: no rule is for this host"),
        (head("HEAD", "a.test", "/long?version=2", &fields), NO_RULE),
    ] {
        assert_eq!(told(&declared, &head), expected, "{head:?}");
    }
}

#[test]
fn every_mistake_is_told_where_it_is() {
    for (route, expected) in [
        ("name: a", "[0]: `path` or `prefix` or `regex` or `match` is missing"),
        ("path: /a\n    prefix: /b", "[0].prefix: a route has a `path` or a `prefix`, not both"),
        ("prefix: /a\n    regex: /b", "[0].regex: a route has a `prefix` or a `regex`, not both"),
        ("path: /a\n    match: [{prefix: /b}]", "[0].path: it stands in each item of `match`, not beside it"),
        ("match: []", "[0].match: it has no item that can be used"),
        ("regex: /a(", "[0].regex: regular expression `/a(`: unclosed group"),
        ("match: [{header: {x: a}}]", "[0].match[0]: unknown key `header` (did you mean `headers`?)"),
        (
            "match: [{headers: {x y: a}}]",
            "[0].match[0].headers.x y: `x y`: expected a header name such as x-request-id",
        ),
        (
            "match: [{headers: {x: {present: false}}}]",
            "[0].match[0].headers.x.present: a rule cannot ask that a field is absent",
        ),
        ("match: [{query: {x: {}}}]", "[0].match[0].query.x: `regex` or `present` is missing"),
        (
            "match: [{query: {x: {regex: '['}}}]",
            "[0].match: query x: regular expression `[`: unclosed character class",
        ),
        (
            "match: [{from: 10.0.0.0/40}]",
            "[0].match[0].from: expected a network such as 10.0.0.0/8 or 2001:db8::/32, or a list of them, \
             found `10.0.0.0/40`",
        ),
        (
            "match: [{after: 2024-01-01}]",
            "[0].match[0].after: expected a moment such as 2026-12-01T08:00:00Z, found `2024-01-01` \
             (did you mean `2024-01-01T00:00:00Z`?)",
        ),
        (
            "match: [{media_type: json}]",
            "[0].match: media type `json`: expected one such as application/json or image/*",
        ),
    ] {
        let told = load(&format!("routes:\n  - {route}\n    upstream: http://a\n")).unwrap_err();
        let told = told.replace("http://a\n", "");
        assert!(told.lines().any(|line| line.ends_with(expected)), "{route}: {told}");
    }
}

#[test]
fn two_routes_in_conflict_are_told_with_a_request() {
    let told = load(
        "
routes:
  - {name: any, match: [{prefix: /a, headers: {x: {present: true}}}], upstream: http://a}
  - {name: one, match: [{prefix: /a, headers: {x: '1'}}], upstream: http://a}
  - {name: again, prefix: /b, upstream: http://a}
  - {name: twin, prefix: /b/, upstream: http://a}
",
    )
    .unwrap_err();
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(
        told,
        [
            "g:4:24: routes[1].match: it never serves: the rule `any` goes first for all that it matches; \
             it serves `GET /a with x: 1`",
            "g:6:26: routes[3].prefix: it can never be told apart from the rule `again`; both match `GET /b`",
        ]
    );
}
