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
            "rule `one`: another rule has the same name",
            "rule `*b`: host `*`: expected a name such as api.example.com or *.example.com",
            "rule `*b`: path `b`: a path starts with `/`",
        ]
    );
    assert_eq!(errors[2].index(), 3);
}

/// The rule that a plain reading of the precedence finds, by looking at every rule.
fn naive(rules: &[Rule], path: &str, method: &Method) -> Option<usize> {
    let segments: Vec<&str> = path[1..].split('/').collect();
    let rank = |rule: &Rule| {
        let (is_prefix, pattern) = match &rule.path {
            Path::Pattern(pattern) => (false, pattern),
            Path::Prefix(prefix) => (true, prefix),
        };
        let wanted: Vec<&str> = match pattern.as_str() {
            "/" if is_prefix => Vec::new(),
            pattern => pattern[1..].split('/').collect(),
        };
        let fits = wanted
            .iter()
            .zip(&segments)
            .all(|(wanted, found)| wanted == found || (wanted.starts_with('{') && !found.is_empty()));
        let long_enough =
            if is_prefix { wanted.len() <= segments.len() } else { wanted.len() == segments.len() };
        if !fits || !long_enough {
            return None;
        }
        let by_method = match rule.methods.as_slice() {
            [] => 2,
            methods if methods.contains(method) => 0,
            methods if method == Method::HEAD && methods.contains(&Method::GET) => 1,
            _ => return None,
        };
        let by_segment: Vec<u8> = (0..segments.len())
            .map(|at| wanted.get(at).map_or(2, |wanted| wanted.starts_with('{').into()))
            .collect();
        Some((by_segment, is_prefix, by_method))
    };
    let ranked = rules.iter().enumerate().filter_map(|(index, rule)| Some((rank(rule)?, index)));
    ranked.min().map(|(_, index)| index)
}

proptest! {
    /// With rules for any method, so that the most specific path of the table and of the plain reading agree.
    #[test]
    fn finds_what_a_plain_reading_finds(
        patterns in prop::collection::btree_set("(/(a|b|\\{x\\})){1,3}", 1..8),
        prefixes in prop::collection::btree_set("(/(a|b)){1,2}", 0..4),
        paths in prop::collection::vec("(/[abc]){1,4}", 1..20),
    ) {
        // `{x}` twice in one pattern is one text for the plain reading.
        let rules: Vec<Rule> = patterns.into_iter().map(Rule::path).chain(prefixes.into_iter().map(Rule::prefix)).collect();
        let table = Table::new(rules.iter().cloned().enumerate().map(|(index, rule)| (rule, index))).unwrap();
        for path in paths {
            let found = match table.find(None, &path, &Method::GET) {
                Found::Rule(_, &index) => Some(index),
                _ => None,
            };
            prop_assert_eq!(found, naive(&rules, &path, &Method::GET), "{}", path);
        }
    }
}
