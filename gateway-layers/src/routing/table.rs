use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use gateway_core::facts::Route;
use http::Method;

use super::{
    Rule,
    pattern::{self, Host},
    tree::{Candidate, Tree, Twin},
};

/// Compiled rules with a value each. Immutable, so that it can be swapped while requests are in flight.
#[derive(Debug)]
pub struct Table<T> {
    entries: Vec<(Route, T)>,
    /// The rules in words, for messages and explanations.
    texts: Vec<String>,
    /// The entry that has a name.
    names: HashMap<String, usize>,
    exact: HashMap<String, Tree>,
    below: HashMap<String, Tree>,
    any: Tree,
}

/// What a table says to a request.
#[derive(Debug)]
pub enum Found<'a, T> {
    /// This rule serves it.
    Rule(&'a Route, &'a T),
    /// There are rules for this host and path, for these methods.
    MethodNotAllowed(Vec<Method>),
    /// No rule is for this host and path.
    Nothing,
}

/// How a rule compares with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Serves,
    /// It would serve, but another one is more specific.
    LessSpecific,
    /// It is for the host and the path, and not for the method.
    OtherMethod,
    /// It is for another host or path.
    Elsewhere,
}

impl<T> Table<T> {
    /// Compiles rules.
    ///
    /// # Errors
    /// Every rule that cannot be used: a pattern that is not valid or can never match, a name that is taken, a
    /// rule that can never be told apart from another.
    pub fn new(rules: impl IntoIterator<Item = (Rule, T)>) -> Result<Self, Vec<RuleError>> {
        let mut table = Self::empty();
        let errors: Vec<_> = rules.into_iter().flat_map(|(rule, value)| table.add(&rule, value)).collect();
        if errors.is_empty() { Ok(table) } else { Err(errors) }
    }

    /// A table without rules.
    pub(crate) fn empty() -> Self {
        Self {
            entries: Vec::new(),
            texts: Vec::new(),
            names: HashMap::new(),
            exact: HashMap::new(),
            below: HashMap::new(),
            any: Tree::default(),
        }
    }

    /// Adds a rule, and says what is wrong with it. A table with a wrong rule must not serve.
    pub(crate) fn add(&mut self, rule: &Rule, value: T) -> Vec<RuleError> {
        let (index, route) = (self.entries.len(), rule.route());
        let mut errors = Vec::new();
        let mut error = |part, message| {
            errors.push(RuleError { index, rule: route.name().to_owned(), part, message });
        };
        let mut twin = None;
        match (pattern::host(rule.host.as_deref()), pattern::segments(&rule.path)) {
            (Ok(host), Ok(path)) => {
                let candidate = Candidate { entry: index, methods: rule.methods.clone() };
                if let Err(Twin { entry, method }) = self.tree(host).add(&path, candidate) {
                    let of = method.map(|method| format!("for {method} ")).unwrap_or_default();
                    let name = self.entries[entry].0.name();
                    error(Part::Path, format!("{of}it can never be told apart from the rule `{name}`"));
                    twin = Some(entry);
                }
            }
            (host, path) => {
                host.err().into_iter().for_each(|message| error(Part::Host, message));
                path.err().into_iter().for_each(|message| error(Part::Path, message));
            }
        }
        let first = *self.names.entry(route.name().to_owned()).or_insert(index);
        // A rule that is there twice is one mistake, not two.
        if first != index && Some(first) != twin {
            error(Part::Name, format!("the rule `{}` has the same name", self.texts[first]));
        }
        self.entries.push((route, value));
        self.texts.push(rule.to_string());
        errors
    }

    /// The rule for a canonical host (lower case, without port), path and method. Allocates only to say which
    /// methods are allowed.
    #[must_use]
    pub fn find(&self, host: Option<&str>, path: &str, method: &Method) -> Found<'_, T> {
        let mut is_known = false;
        let mut serve = |candidates: &[Candidate]| {
            is_known = true;
            best(candidates, method)
        };
        if let Some(entry) = self.trees(host).find_map(|tree| tree.visit(path, &mut serve)) {
            let (route, value) = &self.entries[entry];
            return Found::Rule(route, value);
        }
        if is_known { Found::MethodNotAllowed(self.allowed(host, path)) } else { Found::Nothing }
    }

    /// Every rule in words, and how it compares with a request: first those for its host and path, in the order in
    /// which they are asked, then the others. For explanations.
    pub(super) fn compared(&self, host: Option<&str>, path: &str, method: &Method) -> Vec<(&str, Compared)> {
        let mut asked = Vec::new();
        let mut is_served = false;
        self.visit_all(host, path, |candidates| {
            let mut ranked: Vec<_> =
                candidates.iter().map(|candidate| (candidate.rank(method), candidate.entry)).collect();
            ranked.sort_by_key(|&(rank, entry)| (rank.is_none(), rank, entry));
            asked.extend(ranked.into_iter().map(|(rank, entry)| match rank {
                None => (entry, Compared::OtherMethod),
                Some(_) if std::mem::replace(&mut is_served, true) => (entry, Compared::LessSpecific),
                Some(_) => (entry, Compared::Serves),
            }));
        });
        let known: HashSet<usize> = asked.iter().map(|(entry, _)| *entry).collect();
        let others = (0..self.texts.len()).filter(|entry| !known.contains(entry));
        asked.extend(others.map(|entry| (entry, Compared::Elsewhere)));
        asked.into_iter().map(|(entry, compared)| (self.texts[entry].as_str(), compared)).collect()
    }

    /// All routes, in the order in which they were given.
    pub fn routes(&self) -> impl Iterator<Item = (&Route, &T)> {
        self.entries.iter().map(|(route, value)| (route, value))
    }

    /// The methods of all rules for this host and path, in the order of the alphabet.
    fn allowed(&self, host: Option<&str>, path: &str) -> Vec<Method> {
        let mut methods = Vec::new();
        self.visit_all(host, path, |candidates| {
            methods.extend(candidates.iter().flat_map(|candidate| candidate.methods.iter().cloned()));
        });
        if methods.contains(&Method::GET) {
            methods.push(Method::HEAD);
        }
        methods.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        methods.dedup();
        methods
    }

    /// Shows the rules that match a host and path to `visit`, the most specific first.
    fn visit_all(&self, host: Option<&str>, path: &str, mut visit: impl FnMut(&[Candidate])) {
        let mut on = |candidates: &[Candidate]| -> Option<()> {
            visit(candidates);
            None
        };
        for tree in self.trees(host) {
            tree.visit(path, &mut on);
        }
    }

    /// The trees for a host, the most specific first.
    fn trees<'a>(&'a self, host: Option<&'a str>) -> impl Iterator<Item = &'a Tree> {
        let exact = host.filter(|_| !self.exact.is_empty()).and_then(|host| self.exact.get(host));
        let parents = host.filter(|_| !self.below.is_empty()).into_iter().flat_map(parents);
        let below = parents.filter_map(|parent| self.below.get(parent));
        exact.into_iter().chain(below).chain([&self.any])
    }

    fn tree(&mut self, host: Host) -> &mut Tree {
        match host {
            Host::Any => &mut self.any,
            Host::Exact(name) => self.exact.entry(name).or_default(),
            Host::Below(name) => self.below.entry(name).or_default(),
        }
    }
}

/// `b.c` and `c` for `a.b.c`.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.').map(move |(dot, _)| &host[dot + 1..])
}

/// Of rules for the same host and path, the one that serves a method.
fn best(candidates: &[Candidate], method: &Method) -> Option<usize> {
    let ranked = candidates.iter().filter_map(|candidate| Some((candidate.rank(method)?, candidate.entry)));
    ranked.min().map(|(_, entry)| entry)
}

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    index: usize,
    rule: String,
    part: Part,
    message: String,
}

/// The part of a rule that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Name,
    Host,
    Path,
}

impl RuleError {
    /// Which rule, counted from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The rule's name.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    #[cfg(feature = "config")]
    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// What is wrong with it, without its name.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}`: {}", self.rule, self.message)
    }
}

impl std::error::Error for RuleError {}

#[cfg(test)]
mod tests;
