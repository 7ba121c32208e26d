mod hostile;
mod mistakes;

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use gateway_core::Mode;
use http::{HeaderName, HeaderValue, Method, Uri};

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
fn a_document_is_read_by_the_types_that_are_wanted() {
    let text = "\
listen: 127.0.0.1:80
version: 1.10        # a text, because a text is wanted
token: no
tls: true
ratio: 1
body: 10KiB
headers:
  set: {x-a: 1, X-B: 'c d'}
upstreams:
  one: {url: http://10.0.0.1}
routes:
  - {name: a, timeout: '250ms', methods: PURGE, rate_limit: &limit {requests: 5, by: route}}
  - {name: b, timeout: {total: 1h}, methods: [GET, PUT], rate_limit: *limit}
";
    let gateway = read_gateway(text).unwrap();
    assert_eq!(gateway.listen.unwrap().port(), 80);
    assert_eq!(gateway.version.unwrap(), "1.10");
    assert_eq!(gateway.token.unwrap().expose(), "no");
    assert_eq!((gateway.tls, gateway.ratio), (Some(true), Some(1.0)));
    assert_eq!(gateway.body.unwrap().bytes(), 10_240);
    assert_eq!(gateway.set[1], (HeaderName::from_static("x-b"), HeaderValue::from_static("c d")));
    assert_eq!(gateway.upstreams, [("one".to_owned(), vec![Uri::from_static("http://10.0.0.1")])]);
    let [a, b] = &gateway.routes[..] else { unreachable!("two routes") };
    assert_eq!((a.timeout, b.timeout), (Some(Duration::from_millis(250)), Some(Duration::from_secs(3600))));
    assert_eq!((a.methods[0].as_str(), b.methods.len()), ("PURGE", 2));
    let (a, b) = (a.limit.as_ref().unwrap(), b.limit.as_ref().unwrap());
    assert_eq!(
        (a.by.as_slice(), a.per, a.mode),
        (&["route".to_owned()][..], Duration::from_secs(60), Mode::Enforce)
    );
    assert_eq!(
        (a.place.as_str(), b.place.as_str()),
        ("a", "b"),
        "what the alias repeats stands at its own place"
    );
}

#[test]
fn json_is_read_too() {
    let text = r#"{"routes": [{"name": "a", "rate_limit": {"requests": 10, "per": "1m", "mode": "off"}}]}"#;
    let gateway = read_gateway(text).unwrap();
    assert_eq!(gateway.routes[0].limit.as_ref().unwrap().mode, Mode::Off);
}

#[test]
fn variables_are_filled_in_after_the_parsing_and_then_read_as_plain_text() {
    for (written, value) in [
        ("a${HOST}b${SIXTY}", "a10.0.0.7b60"),
        ("${MISSING:http://a:80/?b=c}", "http://a:80/?b=c"),
        ("${HOST:default}", "10.0.0.7"),
        ("${EMPTY:default}", ""),
        ("${MISSING:}", ""),
        ("'${NULL}'", "null"),
        ("${NULL}", "null"),
        ("$${HOST} $$${HOST} $ $5 {id}", "${HOST} $${HOST} $ $5 {id}"),
        ("\"$\\u007bHOST}\"", "10.0.0.7"),
        ("${INJECTION}", "x\nroutes: [{name: evil}]"),
    ] {
        let gateway = read_gateway(&format!("version: {written}")).unwrap();
        assert_eq!(gateway.version.unwrap(), value, "{written}");
        assert_eq!(gateway.routes, []);
    }
    assert_eq!(read_gateway("workers: '${SIXTY}'").unwrap().workers, Some(60));
    assert_eq!(read_gateway("workers: ${SIXTY}0").unwrap().workers, Some(600));
}

#[test]
fn nothing_from_the_environment_and_nothing_secret_is_repeated() {
    let text = "\
workers: ${PASSWORD}
tls: x${PASSWORD}
token: [a]
upstreams: {a: {url: '${PASSWORD}'}, b: {url: 'http//user:hunter2@host'}}
headers: {set: {authorization: \"hunter2\\0\", '${PASSWORD}': a}}
routes: [{name: '${PASSWORD}', timeout: '${PASSWORD}', methods: ['${PASSWORD}']}]
";
    let told = problems(text);
    assert_eq!(told.lines().count(), 9, "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    let secret = read_gateway("token: ${PASSWORD}").unwrap().token.unwrap();
    assert_eq!(format!("{secret:?}"), "Secret(..)");
}

#[test]
fn what_a_concern_says_about_a_value_does_not_repeat_the_environment_either() {
    let text = "name: ${PASSWORD}\nlist: [a, '${PASSWORD}']\nitems: ['${PASSWORD}']";
    let told = read(Source { name: "a", text }, env, &Context::default(), |section| {
        let name = section.required::<String>("name")?;
        let made: Result<(), _> = Err(format!("no host is called `{name}`"));
        section.checked("name", made);
        let list = section.required::<Vec<String>>("list")?;
        section.fail("list", format!("{list:?} is too long"));
        section.list("items", |item| {
            item.fail(format!("{:?} again", item.value::<String>()?));
            Some(())
        });
        Some(())
    });
    assert_eq!(
        told.unwrap_err().to_string(),
        "a:1:7: name: no host is called `${PASSWORD}`\n\
         a:2:7: list: [\"a\", \"${PASSWORD}\"] is too long\n\
         a:3:9: items[0]: \"${PASSWORD}\" again"
    );
}

#[test]
fn a_reading_function_that_gives_no_reason_is_no_success() {
    let told = read(Source { name: "a", text: "{}" }, env, &Context::default(), |_| None::<()>);
    assert_eq!(told.unwrap_err().to_string(), "a:1:1: the document was refused without a reason");
}

#[test]
fn a_demanded_section_and_a_failed_key_that_are_not_there_are_told_at_the_section() {
    let told = read(Source { name: "a", text: "b: {c: {}}" }, env, &Context::default(), |section| {
        section.section("b", |inner| {
            inner.demand("routes");
            inner.demand_one_of(&["path", "prefix"]);
            inner.demand_one_of(&["c", "e"]);
            inner.fail("c", "is empty");
            inner.fail("d", "is needed with c");
            Some(inner.entries("c", |name, _| Some(name.to_owned())))
        })
    });
    assert_eq!(
        told.unwrap_err().to_string(),
        "a:1:1: b.d: is needed with c\na:1:1: b: `routes` is missing\n\
         a:1:1: b: `path` or `prefix` is missing\na:1:8: b.c: is empty"
    );
}

/// What is told about a document, one line for each problem.
pub(super) fn problems_of(text: &str) -> Vec<String> {
    let loaded = load(Source { name: "g", text }, |_| None, &Context::default());
    let problems = loaded.err().map(|problems| problems.to_string()).unwrap_or_default();
    problems.lines().map(str::to_owned).collect()
}
