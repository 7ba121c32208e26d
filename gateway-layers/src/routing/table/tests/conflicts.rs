//! What is said about rules that get in each other's way, and whether it is true.

use proptest::prelude::*;

use super::{
    super::Table,
    naive::{self, Alternative, Answer, Ask, PathSpec, Spec},
    property::{any_ask, any_spec},
    *,
};

fn messages(rules: Vec<Rule>) -> Vec<String> {
    let errors = Table::new(rules.into_iter().map(|rule| (rule, ()))).err().unwrap_or_default();
    errors.iter().map(|error| format!("{}: {}", error.index(), error.message())).collect()
}

#[test]
fn a_rule_that_never_serves_is_told_with_a_request_that_shows_it() {
    let x = HeaderName::from_static("x-env");
    let network = |text: &str| [text.parse().unwrap()];
    let rules = vec![
        Rule::path("/a").name("methods").method(Method::GET).method(Method::PUT),
        Rule::prefix("/b").name("present").header(x.clone(), Text::present()).host("*.shop.test"),
        Rule::prefix("/b").name("exact").header(x.clone(), "beta").host("*.shop.test"),
        Rule::prefix("/b").name("another host").header(x, "beta").host("shop.test"),
        Rule::path("/c/{id}").name("wide").from(network("10.0.0.0/8")),
        Rule::path("/c/{name}").name("narrow").from(network("10.1.0.0/16")),
        Rule::path("/d").name("any q").query("q", Text::present()),
        Rule::path("/d").name("two").query("q", "a b").or(Rule::path("/d").query("q", "c")),
        Rule::path("/d").name("two, one open").query("q", "a b").or(Rule::path("/d").query("p", "c")),
        Rule::path("/e").name("images").media_type("image/*"),
        Rule::path("/e").name("png").media_type("image/png"),
    ];
    assert_eq!(
        messages(rules),
        [
            "2: it never serves: the rule `present` goes first for all that it matches; it serves \
             `GET any.shop.test/b with x-env: beta`",
            "5: it never serves: the rule `wide` goes first for all that it matches; it serves \
             `GET /c/any with from 10.1.0.0`",
            "7: it never serves: the rule `any q` goes first for all that it matches; it serves `GET /d?q=a%20b`",
            "10: it never serves: the rule `images` goes first for all that it matches; it serves \
             `GET /e with content-type: image/png`",
        ]
    );
}

#[test]
fn an_own_test_is_only_the_same_if_it_is_the_same() {
    let beta = Rule::path("/a").when("beta", |_| true);
    let told = messages(vec![
        beta.clone().name("one"),
        beta.name("two"),
        Rule::path("/a").when("beta", |_| true).name("three"),
    ]);
    assert_eq!(told, ["1: it can never be told apart from the rule `one`"], "and nobody thinks of a request");
}

#[cfg(feature = "regex")]
#[test]
fn regular_expressions_are_compared_by_their_texts() {
    let told = messages(vec![
        Rule::regex("/a/[0-9]+").name("one"),
        Rule::regex("/a/[0-9]+").name("two"),
        Rule::regex("/a/[0-9][0-9]*").name("three"),
        Rule::path("/b").query("q", Text::regex("[0-9]+")).name("number"),
        Rule::path("/b").query("q", "17").name("exact"),
        Rule::path("/b").query("q", "x").name("other"),
    ]);
    assert_eq!(
        told,
        [
            "1: it can never be told apart from the rule `one`; both match `GET /a/0`",
            "4: it never serves: the rule `number` goes first for all that it matches; it serves `GET /b?q=17`",
        ]
    );
}

/// Ten thousand rules at one place are compared by their values, not with each other.
#[test]
fn many_rules_are_checked_quickly() {
    let x = HeaderName::from_static("x");
    let rule = |n: u32| Rule::prefix("/").name(n.to_string()).header(x.clone(), n.to_string());
    let again = rule(77).name("again");
    let told = messages((0..10_000).map(rule).chain([again]).collect());
    assert_eq!(told, ["10000: it can never be told apart from the rule `77`; both match `GET / with x: 77`"]);
}

/// Requests that only this rule can be meant by, as far as one can say without the others.
fn own_requests(spec: &Spec) -> Vec<Ask> {
    spec.alternatives.iter().flat_map(requests_of).collect()
}

fn requests_of(one: &Alternative) -> Vec<Ask> {
    let paths: Vec<String> = match &one.path {
        PathSpec::Path(path) => {
            let path = path.replace("{x}", "q").replace("{y}", "q");
            vec![path.replace("{*rest}", "q"), path.replace("{*rest}", "q/q")]
        }
        PathSpec::Prefix(prefix) => {
            let base = prefix.trim_end_matches('/');
            ["", "/", "/q", "/q/q"]
                .map(|more| format!("{base}{more}"))
                .into_iter()
                .filter(|path| !path.is_empty())
                .collect()
        }
        #[cfg(feature = "regex")]
        PathSpec::Regex(_) => {
            let paths = ["/a", "/b", "/a/b", "/a/bc", "/a/c", "/a/", "/a/q", "/a/q/q", "/b/a/b/a/b"];
            paths.map(str::to_owned).into()
        }
    };
    let hosts: Vec<String> = match one.hosts.as_slice() {
        [] => vec!["q".to_owned()],
        hosts => hosts.iter().map(|host| host.replace('*', "q")).collect(),
    };
    let mut methods = one.methods.clone();
    if methods.is_empty() {
        methods.push("PATCH");
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    let fields = |fields: &[(&'static str, Option<&'static str>)]| {
        fields.iter().map(|(name, value)| (*name, value.unwrap_or("q"))).collect::<Vec<_>>()
    };
    let client = match one.from {
        None => "99.0.0.1",
        Some("10.") => "10.99.0.1",
        Some(_) => "10.1.99.1",
    };
    let mut asks = Vec::new();
    for host in &hosts {
        for path in &paths {
            for &method in &methods {
                let (host, path) = (host.clone(), path.clone());
                let (headers, query, cookies) =
                    (fields(&one.headers), fields(&one.query), fields(&one.cookies));
                asks.push(Ask { host, path, method, headers, query, cookies, client });
            }
        }
    }
    asks
}

/// The request that an error shows, as the plain reading takes it.
fn ask_of(head: &Parts) -> Ask {
    let leak = |text: &str| -> &'static str { text.to_owned().leak() };
    let headers = head.headers.iter().filter(|(name, _)| *name != "cookie" && *name != "host");
    let pairs = |text: &str, between: &str| {
        text.split(between)
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (leak(name), leak(value)))
            .collect::<Vec<_>>()
    };
    let facts = Facts::get(&head.extensions);
    let client = facts.and_then(Facts::client_addr).map(|client| client.to_string());
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Ask {
        host: text("host").to_owned(),
        path: head.uri.path().to_owned(),
        method: leak(head.method.as_str()),
        headers: headers.map(|(name, value)| (leak(name.as_str()), leak(value.to_str().unwrap()))).collect(),
        query: pairs(head.uri.query().unwrap_or_default(), "&"),
        cookies: pairs(text("cookie"), "; "),
        client: leak(client.as_deref().unwrap_or("99.0.0.1")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_said_about_two_rules_is_true(
        specs in prop::collection::vec(any_spec(), 2..10),
        asks in prop::collection::vec(any_ask(), 1_000),
    ) {
        let rules = specs.iter().enumerate().map(|(number, spec)| (spec.rule(number), number));
        let errors = Table::new(rules).err().unwrap_or_default();
        for error in &errors {
            let before = &specs[..=error.index()];
            let other: usize = error.other().unwrap().parse().unwrap();
            if let Some(witness) = error.witness() {
                let ask = ask_of(&witness.head());
                prop_assert!(naive::is_for(&specs[error.index()], &ask), "{}", error);
                prop_assert_eq!(naive::answer(before, &ask), Answer::Rule(other), "{}", error);
            }
            if error.message().starts_with("it never serves") {
                for ask in asks.iter().cloned().chain(own_requests(&specs[error.index()])) {
                    let found = naive::answer(before, &ask);
                    prop_assert_ne!(found, Answer::Rule(error.index()), "{} {:?}", error, ask);
                }
            }
        }
    }

    #[test]
    fn a_rule_that_another_one_leaves_nothing_of_is_always_told(
        first in any_spec(),
        second in any_spec(),
    ) {
        let pair = [first, second];
        let rules = pair.iter().enumerate().map(|(number, spec)| (spec.rule(number), number));
        let is_told = Table::new(rules).is_err();
        let reaches = |number: usize| {
            own_requests(&pair[number]).iter().any(|ask| naive::answer(&pair, ask) == Answer::Rule(number))
        };
        prop_assert!(is_told || reaches(1), "the second rule never serves, and nobody says so");
        prop_assert!(reaches(0), "a rule never takes all of one before it");
    }
}
