use super::*;
use crate::routing::rule::Path;
use proptest::prelude::*;

fn table(rules: Vec<Rule>) -> Table<()> {
    Table::new(rules.into_iter().map(|rule| (rule, ()))).unwrap()
}

fn find(table: &Table<()>, host: &str, path: &str, method: &Method) -> String {
    match table.find(Some(host), path, method) {
        Found::Rule(route, ()) => route.name().to_owned(),
        Found::MethodNotAllowed(methods) => format!("{methods:?}"),
        Found::Nothing => "nothing".to_owned(),
    }
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
            "rule `two`: it can never be told apart from the rule `one`",
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
            "rule `POST /a`: for POST it can never be told apart from the rule `POST /a`",
            "rule `POST, PUT /a`: for POST it can never be told apart from the rule `POST /a`",
            "rule `PUT /a`: for PUT it can never be told apart from the rule `POST, PUT /a`",
            "rule `/b/*`: the rule `/b/*` has the same name",
        ]
    );
}

#[test]
fn finding_a_rule_allocates_nothing() {
    let table = table(vec![
        Rule::path("/a").host("*.test").method(Method::GET),
        Rule::path("/a/{id}/{*rest}").host("a.b.test").method(Method::GET),
        Rule::prefix("/a").name("all"),
    ]);
    for (path, method, expected) in
        [("/a", Method::PUT, "all"), ("/a/7/x", Method::PUT, "all"), ("/x", Method::GET, "nothing")]
    {
        let found = allocation_counter::measure(|| drop(table.find(Some("a.b.test"), path, &method)));
        assert_eq!(found.count_total, 0, "{method} {path}");
        assert_eq!(find(&table, "a.b.test", path, &method), expected);
    }
}

/// How well a rule serves a request by a plain reading of the precedence; smaller is better.
fn rank(rule: &Rule, host: &str, path: &str) -> Option<(usize, Vec<u8>, u8)> {
    let by_host = match rule.host.as_deref() {
        None => 1_000,
        Some(exact) if exact == host => 0,
        // A wildcard with its dot, so that `*.a` is not for the host `a`.
        Some(wildcard) => {
            let suffix = wildcard.strip_prefix('*').filter(|suffix| host.ends_with(suffix))?;
            1_000 - suffix.len()
        }
    };
    let (is_prefix, pattern) = match &rule.path {
        Path::Pattern(pattern) => (false, pattern),
        Path::Prefix(prefix) => (true, prefix),
    };
    let segments: Vec<&str> = path[1..].split('/').collect();
    let mut wanted: Vec<&str> = match pattern.as_str() {
        "/" if is_prefix => Vec::new(),
        pattern => pattern[1..].split('/').collect(),
    };
    let is_rest = wanted.pop_if(|last| *last == "{*rest}").is_some();
    let fits = wanted
        .iter()
        .zip(&segments)
        .all(|(wanted, found)| wanted == found || (wanted.starts_with('{') && !found.is_empty()));
    let further = segments.len().checked_sub(wanted.len())?;
    let is_long_enough = match (is_prefix, is_rest) {
        (true, _) => true,
        (_, true) => further > 0 && !segments[wanted.len()].is_empty(),
        _ => further == 0,
    };
    let beyond = if is_rest { 2 } else { 3 };
    let by_segment = (0..segments.len())
        .map(|at| wanted.get(at).map_or(beyond, |wanted| wanted.starts_with('{').into()))
        .collect();
    (fits && is_long_enough).then_some((by_host, by_segment, is_prefix.into()))
}

fn rank_of_method(rule: &Rule, method: &Method) -> Option<u8> {
    match rule.methods.as_slice() {
        [] => Some(2),
        methods if methods.contains(method) => Some(0),
        methods if method == Method::HEAD && methods.contains(&Method::GET) => Some(1),
        _ => None,
    }
}

/// What a plain reading finds, by looking at every rule.
fn naive(rules: &[Rule], host: &str, path: &str, method: &Method) -> String {
    let at_path = || rules.iter().filter_map(|rule| Some((rank(rule, host, path)?, rule)));
    let serving = at_path().filter_map(|(rank, rule)| Some(((rank, rank_of_method(rule, method)?), rule)));
    if let Some((_, rule)) = serving.min_by_key(|(rank, _)| rank.clone()) {
        return rule.to_string();
    }
    let methods = at_path().flat_map(|(_, rule)| rule.methods.iter());
    let with_head = methods.flat_map(|method| match *method {
        Method::GET => vec!["GET", "HEAD"],
        _ => vec![method.as_str()],
    });
    let allowed: std::collections::BTreeSet<&str> = with_head.collect();
    match allowed.is_empty() {
        true => "nothing".to_owned(),
        false => format!("{:?}", Vec::from_iter(allowed)).replace('"', ""),
    }
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let path = prop_oneof![
        "(/(a|b|\\{x\\})){1,3}/?".prop_map(Rule::path),
        "(/(a|b|\\{x\\})){0,2}/\\{\\*rest\\}".prop_map(Rule::path),
        "(/(a|b)){1,2}|/".prop_map(Rule::prefix),
    ];
    let host = prop::sample::select(vec![None, Some("h"), Some("*.h"), Some("*.g.h"), Some("a.g.h")]);
    let methods = prop::sample::subsequence(vec![Method::GET, Method::HEAD, Method::PUT], 0..=2);
    (path, host, methods).prop_map(|(rule, host, methods)| {
        let rule = host.into_iter().fold(rule, Rule::host);
        methods.into_iter().fold(rule, Rule::method)
    })
}

/// The same rules without those that the table refuses beside the others.
fn without_twins(mut rules: Vec<Rule>) -> Vec<Rule> {
    if let Err(errors) = Table::new(rules.iter().cloned().map(|rule| (rule, ()))) {
        let refused: Vec<usize> = errors.iter().map(RuleError::index).collect();
        let mut index = 0..;
        rules.retain(|_| index.next().is_some_and(|index| !refused.contains(&index)));
    }
    rules
}

proptest! {
    #[test]
    fn finds_what_a_plain_reading_finds(
        rules in prop::collection::vec(any_rule(), 0..12).prop_map(without_twins),
        host in prop::sample::select(vec!["h", "a.h", "b.g.h", "a.g.h", "g.h", "other"]),
        paths in prop::collection::vec("(/[abc]){1,4}/?|/", 1..20),
        method in prop::sample::select(vec![Method::GET, Method::HEAD, Method::PUT, Method::POST]),
    ) {
        let table = table(rules.clone());
        for path in paths {
            let found = find(&table, host, &path, &method);
            prop_assert_eq!(&found, &naive(&rules, host, &path, &method), "{} {}{}", method, host, path);
            let compared = table.compared(Some(host), &path, &method);
            prop_assert_eq!(compared.len(), rules.len());
            if let Some((rule, _)) = compared.iter().find(|(_, compared)| *compared == Compared::Serves) {
                prop_assert_eq!(&found, rule, "what is explained is what is found");
            }
        }
    }
}
