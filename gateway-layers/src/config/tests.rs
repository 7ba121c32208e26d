use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use gateway_core::Mode;
use http::{HeaderName, HeaderValue, Method, Uri};
use proptest::prelude::*;

use super::*;

/// A small gateway, read as concerns read.
#[derive(Debug, Default, PartialEq)]
struct Gateway {
    listen: Option<SocketAddr>,
    version: Option<String>,
    token: Option<Secret>,
    workers: Option<u16>,
    ratio: Option<f64>,
    tls: Option<bool>,
    body: Option<ByteSize>,
    set: Vec<(HeaderName, HeaderValue)>,
    upstreams: Vec<(String, Vec<Uri>)>,
    routes: Vec<Route>,
}

#[derive(Debug, PartialEq)]
struct Route {
    name: String,
    place: String,
    methods: Vec<Method>,
    timeout: Option<Duration>,
    limit: Option<Limit>,
}

#[derive(Debug, PartialEq)]
struct Limit {
    requests: NonZeroU32,
    per: Duration,
    burst: Option<NonZeroU32>,
    by: Vec<String>,
    mode: Mode,
    place: String,
}

fn gateway(section: &mut Section<'_>) -> Option<Gateway> {
    Some(Gateway {
        listen: section.optional("listen"),
        version: section.optional("version"),
        token: section.optional("token"),
        workers: section.optional("workers"),
        ratio: section.optional("ratio"),
        tls: section.optional("tls"),
        body: section.optional("body"),
        set: section.section("headers", |inner| Some(inner.pairs("set"))).unwrap_or_default(),
        upstreams: section.named("upstreams", |name, inner| Some((name.to_owned(), inner.required("url")?))),
        routes: section.sections("routes", route),
    })
}

fn route(section: &mut Section<'_>) -> Option<Route> {
    let name = section.required::<String>("name");
    if let Some(name) = &name {
        section.stand_at(name);
    }
    let methods = section.or("methods", vec![Method::GET]);
    let timeout = section.either("timeout", Some, |inner| inner.required("total"));
    let limit = section.section("rate_limit", limit);
    let place = section.place().to_owned();
    Some(Route { name: name?, place, methods, timeout, limit })
}

fn limit(section: &mut Section<'_>) -> Option<Limit> {
    let requests = section.required("requests");
    let per = section.or("per", Duration::from_secs(60));
    let burst = section.optional("burst");
    let by = section.list("by", |item| {
        item.either(Some, |inner| Some(format!("header {}", inner.required::<HeaderName>("header")?)))
    });
    let mode = section.or("mode", Mode::Enforce);
    if per.is_zero() {
        section.fail("per", "a quota needs a period");
    }
    Some(Limit { requests: requests?, per, burst, by, mode, place: section.place().to_owned() })
}

fn env(name: &str) -> Option<String> {
    let value = match name {
        "HOST" => "10.0.0.7",
        "SIXTY" => "60",
        "EMPTY" => "",
        "NULL" => "null",
        "PASSWORD" => "hunter2",
        "INJECTION" => "x\nroutes: [{name: evil}]",
        "LARGE" => return Some("x".repeat(1 << 20)),
        _ => return None,
    };
    Some(value.to_owned())
}

fn read_gateway(text: &str) -> Result<Gateway, Problems> {
    read(Source { name: "gateway.yaml", text }, env, &Context::default(), gateway)
}

fn problems(text: &str) -> String {
    read_gateway(text).map_err(|problems| problems.to_string()).unwrap_err()
}

#[test]
fn show() {
    for text in DOCS { println!("{}\n=> {}\n", text, match read_gateway(text) { Ok(g) => format!("OK {g:?}"), Err(e) => e.to_string() }); }
}

const DOCS: &[&str] = &[
    "",
    "# only\n",
    "---\n",
    "just text",
    "- a\n- b\n",
    "listen: 8080",
    "listen: ':8080'\nworkers: '4'\nratio: half\ntls: yes\nbody: 1048576\nversion: 1.10",
    "listn: 127.0.0.1:80\nfoo: 1\n",
    "routes:\n  - name: a\n    rate_limit:\n      reqests: 5\n      per: 60\n      mode: enforced\n      by: [x, {header: x y}, [z]]\n",
    "routes:\n  - rate_limit: {per: 0s, burst: 0, requests: -1}\n",
    "routes:\n  - name: a\n    name: b\n",
    "routes: {name: a}",
    "routes: nothing",
    "routes:",
    "routes:\n  - text\n",
    "upstreams: {a: {url: localhost:80}, b: {urls: x}, c: http://x, d: {url: 'http://u:hunter2@'}}",
    "headers: {set: {'x y': 1, x-a: \"a\\nb\", x-b: [c]}}",
    "version: [1, 2]\ntoken: {a: b}\n",
    "version:\nworkers: ~\n",
    "version: !str 5",
    "a: &a [*a]\nversion: *b\n",
    "version: ${NOPE}\nlisten: ${HOST}\nworkers: ${LOW\ntls: ${9A}\nratio: ${A:-5}\ntoken: ${A:${B}}\n",
    "workers: ${PASSWORD}\nlisten: ${HOST:1}:http\nversion: ${INJECTION}\n",
    "workers: ${SIXTY}\nbody: ${SIXTY}KiB\nversion: $${SIXTY} $ ${EMPTY}${NULL}${MISSING:x:y}\n",
    "routes: [{name: ${HOST}}]",
    "routes: [{name: '${HOST}'}]",
    "routes: [{name: a}",
    "version: 'a",
    "\tversion: a",
    "version: a: b",
    "version: a\n  b: c\n",
    "version: @a",
    "version: a\n---\nversion: b\n",
    "%YAML 1.2\n---\nversion: a",
    "version: a\nworkers\n",
    "<<: {version: a}\n? [a]\n: b\n${X}: 1",
    "{\"listen\": \"127.0.0.1:80\", \"routes\": [{\"name\": \"a\", \"timeout\": \"5s\", \"rate_limit\": {\"requests\": 10}}]}",
    "routes:\n- {name: a, timeout: 5, methods: get}\n- {name: b, timeout: 1m30s, methods: [GET, 'a b', []]}\n- {name: c, timeout: {total: 1.5s}}\n- {name: d, timeout: 99999999d}\n- {name: d, timeout: [1s]}\n- {name: e, timeout: 5 min}",
];
