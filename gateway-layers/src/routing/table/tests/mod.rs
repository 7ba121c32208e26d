mod conflicts;
mod naive;
mod property;

use gateway_core::{Clock, Facts};
use http::{HeaderName, Request};

use super::*;
use crate::routing::Text;

fn table(rules: Vec<Rule>) -> Table<()> {
    Table::new(rules.into_iter().map(|rule| (rule, ()))).unwrap()
}

fn head(host: &str, path: &str, method: &Method) -> Parts {
    let request = Request::builder().method(method).uri(path).header("host", host);
    request.body(()).unwrap().into_parts().0
}

fn find(table: &Table<()>, host: &str, path: &str, method: &Method) -> String {
    told(&table.find(&head(host, path, method), SystemTime::UNIX_EPOCH))
}

fn told(found: &Found<'_, ()>) -> String {
    match found {
        Found::Rule(hit) => hit.route.name().to_owned(),
        Found::MethodNotAllowed(methods) => format!("{methods:?}"),
        Found::Nothing => "nothing".to_owned(),
        Found::UnknownHost => "unknown host".to_owned(),
    }
}

fn from(client: &str, mut head: Parts) -> Parts {
    Facts::of(&mut head.extensions, &Clock::default()).set_client_addr(client.parse().unwrap());
    head
}

#[test]
fn the_more_specific_rule_serves() {
    let table = table(vec![
        Rule::prefix("/").name("all"),
        Rule::prefix("/a").name("a"),
        Rule::path("/a/{id}/{*rest}").name("rest"),
        Rule::path("/a").name("exactly a"),
        Rule::path("/a/{id}").name("a with id"),
        Rule::path("/a/new").name("new a"),
        Rule::prefix("/").host("*.example.com").name("below"),
        Rule::prefix("/").host("*.eu.example.com").name("further below"),
        Rule::prefix("/").host("x.eu.example.com").name("exact host"),
    ]);
    for (host, path, name) in [
        ("h", "/", "all"),
        ("h", "/ab", "all"),
        ("h", "/a", "exactly a"),
        ("h", "/a/", "a"),
        ("h", "/a/new", "new a"),
        ("h", "/a/7", "a with id"),
        ("h", "/a/7/x", "rest"),
        ("h", "/a/7/", "a"),
        ("example.com", "/", "all"),
        ("a.example.com", "/", "below"),
        ("a.b.example.com", "/", "below"),
        ("a.eu.example.com", "/a", "further below"),
        ("x.eu.example.com", "/a", "exact host"),
    ] {
        assert_eq!(find(&table, host, path, &Method::GET), name, "{host}{path}");
    }
}

#[test]
fn a_less_specific_rule_serves_the_method_that_a_more_specific_one_does_not() {
    let table = table(vec![
        Rule::path("/x").method(Method::GET).name("get"),
        Rule::path("/x").method(Method::POST).method(Method::PUT).name("write"),
        Rule::path("/x").host("a.test").method(Method::DELETE).name("delete at a"),
        Rule::path("/w/{id}").method(Method::GET).name("get w"),
        Rule::prefix("/w").method(Method::POST).name("post below w"),
        Rule::path("/y").name("any"),
        Rule::path("/y").method(Method::HEAD).name("head"),
    ]);
    for (host, path, method, expected) in [
        ("h", "/x", Method::HEAD, "get"),
        ("h", "/x", Method::PUT, "write"),
        ("a.test", "/x", Method::DELETE, "delete at a"),
        ("a.test", "/x", Method::GET, "get"),
        ("a.test", "/x", Method::PATCH, "[DELETE, GET, HEAD, POST, PUT]"),
        ("h", "/x", Method::DELETE, "[GET, HEAD, POST, PUT]"),
        ("h", "/y", Method::HEAD, "head"),
        ("h", "/y", Method::GET, "any"),
        ("h", "/z", Method::GET, "nothing"),
        ("h", "/w/1", Method::GET, "get w"),
        ("h", "/w/1", Method::POST, "post below w"),
    ] {
        assert_eq!(find(&table, host, path, &method), expected, "{method} {host}{path}");
    }
}

#[test]
fn every_rule_that_cannot_be_used_is_named() {
    let errors = Table::new([
        (Rule::path("/a/{id}").name("one"), ()),
        (Rule::path("/a/{name}").name("two"), ()),
        (Rule::path("/a").name("one"), ()),
        (Rule::path("b").host("*"), ()),
    ])
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "rule `two`: it can never be told apart from the rule `one`; both match `GET /a/any`",
            "rule `one`: the rule `/a/{id}` has the same name",
            "rule `*b`: host `*`: expected a name such as api.example.com or *.example.com",
            "rule `*b`: path `b`: a path starts with `/`",
        ]
    );
    assert_eq!((errors[2].index(), errors[2].rule()), (3, "*b"));
}

#[test]
fn a_rule_that_is_there_twice_is_one_mistake() {
    let write = || Rule::path("/a").method(Method::POST);
    let errors = Table::new([
        (write(), ()),
        (write(), ()),
        (write().method(Method::PUT), ()),
        (Rule::path("/a").method(Method::PUT), ()),
        (Rule::prefix("/b"), ()),
        (Rule::path("/b/*"), ()),
    ])
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "rule `POST /a`: for POST it can never be told apart from the rule `POST /a`; both match `POST /a`",
            "rule `POST, PUT /a`: for POST it can never be told apart from the rule `POST /a`; both match `POST /a`",
            "rule `PUT /a`: for PUT it can never be told apart from the rule `POST, PUT /a`; both match `PUT /a`",
            "rule `/b/*`: the rule `/b/*` has the same name",
        ]
    );
}

#[test]
fn finding_a_rule_allocates_nothing() {
    let env = HeaderName::from_static("x-env");
    let mut rules = vec![
        Rule::path("/a").host("*.test").method(Method::GET),
        Rule::path("/a/{id}/{*rest}").host("a.b.test").method(Method::GET),
        Rule::prefix("/a").name("all"),
        Rule::path("/a/x").name("by all").header(env.clone(), "beta").query("v", "2 0").cookie("c", "1"),
        Rule::path("/a/x").name("from").from(["10.0.0.0/8".parse().unwrap()]),
        #[cfg(feature = "regex")]
        Rule::regex("/a/[xyz]+/[0-9]+").name("regex"),
    ];
    let tenant = |number: u32| {
        Rule::path("/t").name(format!("tenant {number}")).header(env.clone(), number.to_string())
    };
    rules.extend((0..100).map(tenant));
    let table = table(rules);
    let with = |path: &str, fields: &[(&'static str, &str)]| {
        let mut head = head("a.b.test", path, &Method::PUT);
        fields.iter().for_each(|&(name, value)| {
            head.headers.insert(name, value.parse().unwrap());
        });
        head
    };
    for (head, expected) in [
        (with("/a", &[]), "all"),
        (with("/a/7/x", &[]), "all"),
        (with("/x", &[]), "nothing"),
        (with("/t", &[("x-env", "77")]), "tenant 77"),
        (with("/a/x?v=2+0", &[("x-env", "beta"), ("cookie", "a=b; c=1")]), "by all"),
        (from("10.1.2.3", with("/a/x", &[])), "from"),
        #[cfg(feature = "regex")]
        (with("/a/zz/42", &[]), "regex"),
    ] {
        // A regular expression makes its cache when it is asked first.
        assert_eq!(told(&table.find(&head, SystemTime::UNIX_EPOCH)), expected);
        let found = allocation_counter::measure(|| drop(table.find(&head, SystemTime::UNIX_EPOCH)));
        assert_eq!(found.count_total, 0, "{expected}");
    }
}

#[test]
fn who_asks_about_more_goes_first_and_equal_ones_go_in_their_order() {
    let x = |value: &str| Rule::prefix("/").header(HeaderName::from_static("x"), value);
    let network = || ["10.0.0.0/8".parse().unwrap()];
    let table = table(vec![
        Rule::prefix("/").name("any"),
        Rule::prefix("/").from(network()).name("other"),
        Rule::prefix("/").cookie("c", "1").name("cookie"),
        Rule::prefix("/").query("q", "1").name("query"),
        x("1").name("header"),
        Rule::prefix("/").header(HeaderName::from_static("y"), Text::present()).name("second header"),
        x("2").query("q", "1").name("header and query"),
        Rule::prefix("/").method(Method::PUT).name("method"),
    ]);
    let mut request = from("10.0.0.1", head("h", "/?q=1", &Method::PUT));
    let insert = |head: &mut Parts, name, value: &str| {
        head.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    };
    insert(&mut request, "x", "2");
    insert(&mut request, "y", "1");
    insert(&mut request, "cookie", "c=1");
    let mut find = |change: &dyn Fn(&mut Parts)| {
        change(&mut request);
        told(&table.find(&request, SystemTime::UNIX_EPOCH))
    };
    assert_eq!(find(&|_| ()), "method");
    assert_eq!(find(&|head| head.method = Method::GET), "header and query");
    assert_eq!(find(&|head| insert(head, "x", "1")), "header");
    assert_eq!(find(&|head| drop(head.headers.remove("x"))), "second header");
    assert_eq!(find(&|head| drop(head.headers.remove("y"))), "query");
    assert_eq!(find(&|head| head.uri = "/?Q=1".parse().unwrap()), "cookie");
    assert_eq!(find(&|head| drop(head.headers.remove("cookie"))), "other");
    assert_eq!(find(&|head| *head = from("11.0.0.1", head.clone())), "other", "a fact is written once");
    assert_eq!(find(&|head| head.extensions.clear()), "any");
}

#[test]
fn methods_are_told_only_by_rules_that_are_there_for_whoever_asks() {
    let table = table(vec![
        Rule::path("/a").method(Method::GET),
        Rule::path("/a").method(Method::POST).header(HeaderName::from_static("x"), "1"),
        Rule::path("/a").method(Method::DELETE).from(["10.0.0.0/8".parse().unwrap()]),
        Rule::path("/b").header(HeaderName::from_static("x"), "1"),
        Rule::path("/c").method(Method::GET).without_head().host("c.test"),
    ]);
    let put = |path| head("h", path, &Method::PUT);
    let find = |head: &Parts| told(&table.find(head, SystemTime::UNIX_EPOCH));
    assert_eq!(find(&put("/a")), "[GET, HEAD, POST]");
    assert_eq!(find(&from("10.0.0.1", put("/a"))), "[DELETE, GET, HEAD, POST]");
    assert_eq!(find(&put("/b")), "nothing", "the method is not the reason");
    assert_eq!(find(&head("h", "/a", &Method::POST)), "nothing", "the method is not the reason");
    assert_eq!(find(&head("c.test", "/c", &Method::HEAD)), "[GET]");
}

#[test]
fn a_host_that_no_rule_is_for_is_told_apart() {
    let with_hosts = table(vec![Rule::path("/a").host("a.test").host("*.b.test")]);
    assert_eq!(find(&with_hosts, "a.test", "/b", &Method::GET), "nothing");
    assert_eq!(find(&with_hosts, "x.b.test", "/a", &Method::GET), "a.test,*.b.test/a");
    assert_eq!(find(&with_hosts, "c.test", "/a", &Method::GET), "unknown host");
    assert_eq!(find(&with_hosts, "b.test", "/a", &Method::GET), "unknown host");
    let any = table(vec![Rule::path("/a")]);
    assert_eq!(find(&any, "c.test", "/b", &Method::GET), "nothing");
}

#[test]
fn a_window_is_asked_about_the_time_it_is_given() {
    let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let table = table(vec![
        Rule::prefix("/").name("always"),
        Rule::prefix("/").after(at(10)).before(at(20)).name("window"),
    ]);
    assert!(table.reads_time());
    for (now, expected) in [(9, "always"), (10, "window"), (19, "window"), (20, "always")] {
        assert_eq!(told(&table.find(&head("h", "/", &Method::GET), at(now))), expected, "{now}");
    }
}

#[test]
fn an_own_test_sees_the_head() {
    let long = |head: &Parts| head.uri.path().len() > 5;
    let table =
        table(vec![Rule::prefix("/").name("short"), Rule::prefix("/").when("long path", long).name("long")]);
    assert_eq!(find(&table, "h", "/abcdef", &Method::GET), "long");
    assert_eq!(find(&table, "h", "/abc", &Method::GET), "short");
}

#[test]
fn what_is_wrong_with_a_condition_is_told() {
    let x = HeaderName::from_static("x");
    let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let rules = [
        Rule::path("/a").header(x.clone(), "1").header(x, "2"),
        Rule::path("/b").media_type("json"),
        Rule::path("/c").after(at(2)).before(at(1)),
        Rule::path("/d").from([]),
        #[cfg(feature = "regex")]
        Rule::path("/e").query("q", Text::regex("(")),
        #[cfg(feature = "regex")]
        Rule::regex("/f["),
    ];
    let errors = Table::new(rules.map(|rule| (rule, ()))).unwrap_err();
    let texts: Vec<&str> = errors.iter().map(RuleError::message).collect();
    let expected = [
        "header x: it is asked about twice",
        "media type `json`: expected one such as application/json or image/*",
        "time: it ends before it begins",
        "from: no network is named",
        #[cfg(feature = "regex")]
        "query q: regular expression `(`: unclosed group",
        #[cfg(feature = "regex")]
        "regular expression `/f[`: unclosed character class",
    ];
    assert_eq!(texts, expected);
}
