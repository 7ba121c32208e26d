//! A plain reading of the contract, by looking at every rule, with nothing of the table in it.

use std::{cmp::Reverse, collections::BTreeSet};

use gateway_core::{Clock, Facts};
use http::{HeaderName, Method, Request, request::Parts};

use crate::routing::{Rule, Text};

/// A rule as the tests make them.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug)]
pub(super) struct Alternative {
    pub(super) hosts: Vec<&'static str>,
    pub(super) path: PathSpec,
    pub(super) methods: Vec<&'static str>,
    pub(super) head_apart: bool,
    /// Names with the exact value, or any.
    pub(super) headers: Vec<(&'static str, Option<&'static str>)>,
    pub(super) query: Vec<(&'static str, Option<&'static str>)>,
    pub(super) cookies: Vec<(&'static str, Option<&'static str>)>,
    /// The first numbers of the client's address.
    pub(super) from: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) enum PathSpec {
    Path(String),
    Prefix(String),
    #[cfg(feature = "regex")]
    Regex(&'static str),
}

/// A request as the tests make them.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) method: &'static str,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) query: Vec<(&'static str, &'static str)>,
    pub(super) cookies: Vec<(&'static str, &'static str)>,
    pub(super) client: &'static str,
}

/// What a plain reading finds: the number of the rule, or which methods are allowed, or neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Rule(usize),
    Methods(String),
    Nothing,
    UnknownHost,
}

pub(super) fn answer(rules: &[Spec], ask: &Ask) -> Answer {
    let mut best = None;
    let mut methods = BTreeSet::new();
    let (mut is_served, mut knows_host) = (false, false);
    for (index, rule) in rules.iter().enumerate() {
        for (at, one) in rule.alternatives.iter().enumerate() {
            let by_host = host(one, &ask.host);
            knows_host |= by_host.is_some();
            let (Some(by_host), Some(by_path)) = (by_host, path(&one.path, &ask.path)) else { continue };
            let by_method = method(one, ask.method);
            if one.from.is_none_or(|from| ask.client.starts_with(from)) {
                is_served |= by_method.is_some();
                methods.extend(one.methods.iter().copied());
                if one.methods.contains(&"GET") && !one.head_apart {
                    methods.insert("HEAD");
                }
            }
            let Some(by_method) = by_method.filter(|_| meets(one, ask)) else { continue };
            let counts = [
                Reverse(one.headers.len()),
                Reverse(one.query.len()),
                Reverse(one.cookies.len()),
                Reverse(usize::from(one.from.is_some())),
            ];
            let rank = (by_host, by_path, by_method, counts, index, at);
            if best.as_ref().is_none_or(|best| rank < *best) {
                best = Some(rank);
            }
        }
    }
    match best {
        Some((.., index, _)) => Answer::Rule(index),
        None if !is_served && !methods.is_empty() => {
            Answer::Methods(format!("{:?}", Vec::from_iter(methods)).replace('"', ""))
        }
        None if !knows_host => Answer::UnknownHost,
        None => Answer::Nothing,
    }
}

/// Whether a rule is for a request, whoever else is.
pub(super) fn is_for(rule: &Spec, ask: &Ask) -> bool {
    matches!(answer(std::slice::from_ref(rule), ask), Answer::Rule(_))
}

/// Smaller is better.
fn host(one: &Alternative, host: &str) -> Option<usize> {
    let rank = |pattern: &&str| match pattern.strip_prefix('*') {
        None => (*pattern == host).then_some(0),
        Some(suffix) => host.ends_with(suffix).then(|| 1_000 - suffix.len()),
    };
    if one.hosts.is_empty() { Some(1_000) } else { one.hosts.iter().filter_map(rank).min() }
}

/// Segment by segment, then whether it is a prefix.
fn path(spec: &PathSpec, path: &str) -> Option<(Vec<u8>, u8)> {
    let segments: Vec<&str> = path[1..].split('/').collect();
    let (is_prefix, pattern) = match spec {
        PathSpec::Path(pattern) => (false, pattern),
        PathSpec::Prefix(prefix) => (true, prefix),
        #[cfg(feature = "regex")]
        PathSpec::Regex(regex) => {
            let (_, fixed, is_match) = REGEXES.iter().find(|(text, ..)| text == regex)?;
            let rank = (0..segments.len()).map(|at| u8::from(at >= *fixed)).collect();
            return is_match(path).then_some((rank, 0));
        }
    };
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
    let beyond = if is_rest { 3 } else { 4 };
    let by_segment = (0..segments.len())
        .map(|at| wanted.get(at).map_or(beyond, |wanted| if wanted.starts_with('{') { 2 } else { 0 }))
        .collect();
    (fits && is_long_enough).then_some((by_segment, is_prefix.into()))
}

fn method(one: &Alternative, method: &str) -> Option<u8> {
    match one.methods.as_slice() {
        [] => Some(2),
        methods if methods.contains(&method) => Some(0),
        methods if method == "HEAD" && methods.contains(&"GET") && !one.head_apart => Some(1),
        _ => None,
    }
}

fn meets(one: &Alternative, ask: &Ask) -> bool {
    let has = |wanted: &[(&str, Option<&str>)], found: &[(&'static str, &'static str)]| {
        wanted.iter().all(|(name, value)| {
            let first = found.iter().find(|(found, _)| found == name).map(|(_, value)| *value);
            first.is_some_and(|first| value.is_none_or(|value| value == first))
        })
    };
    has(&one.headers, &ask.headers)
        && has(&one.query, &ask.query)
        && has(&one.cookies, &ask.cookies)
        && one.from.is_none_or(|from| ask.client.starts_with(from))
}

impl Spec {
    /// It, as the table takes it, with its number as its name.
    pub(super) fn rule(&self, number: usize) -> Rule {
        let rules = self.alternatives.iter().map(Alternative::rule);
        rules.reduce(Rule::or).unwrap().name(number.to_string())
    }
}

impl Alternative {
    fn rule(&self) -> Rule {
        let rule = match &self.path {
            PathSpec::Path(pattern) => Rule::path(pattern),
            PathSpec::Prefix(prefix) => Rule::prefix(prefix),
            #[cfg(feature = "regex")]
            PathSpec::Regex(regex) => Rule::regex(regex),
        };
        let text = |value: Option<&str>| value.map_or(Text::present(), Text::exact);
        let mut rule = self.hosts.iter().fold(rule, |rule, host| rule.host(*host));
        for method in &self.methods {
            rule = rule.method(Method::from_bytes(method.as_bytes()).unwrap());
        }
        for &(name, value) in &self.headers {
            rule = rule.header(HeaderName::from_static(name), text(value));
        }
        for &(name, value) in &self.query {
            rule = rule.query(name, text(value));
        }
        for &(name, value) in &self.cookies {
            rule = rule.cookie(name, text(value));
        }
        if let Some(from) = self.from {
            let numbers = from.split('.').filter(|number| !number.is_empty()).count();
            let network = format!("{from}{}/{}", &"0.0.0.0"[..7 - 2 * numbers], 8 * numbers);
            rule = rule.from([network.parse().unwrap()]);
        }
        if self.head_apart { rule.without_head() } else { rule }
    }
}

impl Ask {
    pub(super) fn head(&self) -> Parts {
        let pairs = |pairs: &[(&str, &str)], between| {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(between)
        };
        let mut target = self.path.clone();
        if !self.query.is_empty() {
            target = format!("{target}?{}", pairs(&self.query, "&"));
        }
        let mut request = Request::builder().method(self.method).uri(target).header("host", &self.host);
        for &(name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            request = request.header("cookie", pairs(&self.cookies, "; "));
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let facts = Facts::of(&mut head.extensions, &Clock::default());
        facts.set_client_addr(self.client.parse().unwrap());
        head
    }
}

/// Regular expressions, how many segments they begin with, and what they match, written out.
#[cfg(feature = "regex")]
#[expect(clippy::type_complexity, reason = "one table")]
pub(super) const REGEXES: &[(&str, usize, fn(&str) -> bool)] = &[
    ("/a/[bc]+", 1, |path| {
        path.strip_prefix("/a/")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| matches!(byte, b'b' | b'c')))
    }),
    ("/a/.*", 1, |path| path.starts_with("/a/")),
    ("/a/b", 1, |path| path == "/a/b"),
    ("(?:/[abc])+", 0, |path| path[1..].split('/').all(|segment| matches!(segment, "a" | "b" | "c"))),
];
