use std::{sync::Arc, time::SystemTime};

use gateway_core::{canonical::host, facts::Route};
use http::{Method, request::Parts};

use super::{
    Rule, RuleError, TableBuilder,
    candidate::{Candidate, Failing},
    hosts::Hosts,
    methods::Serves,
    place::Place,
    tree::Tree,
};

/// Compiled rules with a value each. Immutable, so that it can be swapped while requests are in flight.
#[derive(Debug)]
pub struct Table<T> {
    entries: Vec<(Route, T)>,
    /// The rules in words, for messages and explanations.
    texts: Vec<Box<str>>,
    hosts: Hosts<Tree>,
    places: Vec<Place>,
    /// Those of one place side by side, in their precedence.
    candidates: Vec<Candidate>,
    reads_time: bool,
}

/// What a table says to a request.
#[derive(Debug)]
pub enum Found<'a, T> {
    /// This rule serves it.
    Rule(Hit<'a, T>),
    /// There are rules for this host and path, and none of them serves the method; these are the methods that they
    /// serve, in the order of the alphabet.
    MethodNotAllowed(Vec<Method>),
    /// No rule is for this request.
    Nothing,
    /// No rule is for this host.
    UnknownHost,
}

/// The rule that serves a request.
#[derive(Debug)]
pub struct Hit<'a, T> {
    /// Its name and its pattern.
    pub route: &'a Route,
    /// What it leads to.
    pub value: &'a T,
    /// The pattern of the path that matched, if parts of it have names; for
    /// [`PathParams::new`](gateway_core::facts::PathParams::new).
    pub params: Option<&'a Arc<str>>,
}

/// How a rule compares with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Serves,
    /// It would serve, but another one is more specific.
    LessSpecific,
    /// It is for the host and the path, and for this reason it does not serve.
    Fails(String),
    OtherPath,
    OtherHost,
}

/// A table without rules.
impl<T> Default for Table<T> {
    fn default() -> Self {
        TableBuilder::default().build()
    }
}

impl<T> Table<T> {
    /// Compiles rules.
    ///
    /// # Errors
    /// Every rule that cannot be used: a pattern or a value that is not valid or can never match, a name that is
    /// taken, a rule that can never be told apart from another or that never serves because another goes first.
    pub fn new(rules: impl IntoIterator<Item = (Rule, T)>) -> Result<Self, Vec<RuleError>> {
        let mut table = TableBuilder::default();
        let errors: Vec<_> = rules.into_iter().flat_map(|(rule, value)| table.add(&rule, value)).collect();
        if errors.is_empty() { Ok(table.build()) } else { Err(errors) }
    }

    pub(super) fn of(
        entries: Vec<(Route, T)>,
        texts: Vec<Box<str>>,
        hosts: Hosts<Tree>,
        places: Vec<Place>,
        candidates: Vec<Candidate>,
        reads_time: bool,
    ) -> Self {
        Self { entries, texts, hosts, places, candidates, reads_time }
    }

    /// The rule for a canonical head at this wall time. Allocates only to say which methods are allowed, and for a
    /// regular expression on a query value with escapes.
    #[must_use]
    pub fn find(&self, head: &Parts, now: SystemTime) -> Found<'_, T> {
        let host = host(&head.headers);
        let mut is_known = false;
        let mut serving = |place: u32| {
            is_known = true;
            self.places[place as usize].serving(&self.candidates, head, now)
        };
        let path = head.uri.path();
        match self.hosts.taking(host).find_map(|tree| tree.visit(path, &mut serving)) {
            Some(id) => {
                let candidate = &self.candidates[id as usize];
                let (route, value) = &self.entries[candidate.entry as usize];
                Found::Rule(Hit { route, value, params: candidate.params.as_ref() })
            }
            None if is_known => self.refused(host, head, now),
            None if self.hosts.is_unknown(host) => Found::UnknownHost,
            None => Found::Nothing,
        }
    }

    /// Whether a rule looks at the time; where none does, [`find`](Self::find) does not care about it.
    #[must_use]
    pub fn reads_time(&self) -> bool {
        self.reads_time
    }

    /// All routes, in the order in which they were given.
    pub fn routes(&self) -> impl Iterator<Item = (&Route, &T)> {
        self.entries.iter().map(|(route, value)| (route, value))
    }

    /// Every rule in words, and how it compares with a request: first those for its host and path, in the order in
    /// which they are asked, then the others. For explanations: by the functions that serve, and with a look at every
    /// rule.
    pub(super) fn compared(&self, head: &Parts, now: SystemTime) -> Vec<(&str, Compared)> {
        let host = host(&head.headers);
        let mut compared: Vec<Option<(usize, Compared)>> = vec![None; self.entries.len()];
        for &entry in self.hosts.taking(host).flat_map(|tree| &tree.entries) {
            compared[entry as usize] = Some((usize::MAX, Compared::OtherPath));
        }
        let (mut is_served, mut order) = (false, 0);
        self.visit_all(host, head.uri.path(), |place| {
            let serving = place.serving(&self.candidates, head, now).filter(|_| !is_served);
            is_served |= serving.is_some();
            for id in serving.into_iter().chain(place.ids().filter(|&id| Some(id) != serving)) {
                let candidate = &self.candidates[id as usize];
                let told = match why_not(candidate, head, now) {
                    None if Some(id) == serving => Compared::Serves,
                    None => Compared::LessSpecific,
                    Some(why) => Compared::Fails(why),
                };
                // A rule with several alternatives is as good as its best one.
                let known = &mut compared[candidate.entry as usize];
                if known.as_ref().is_none_or(|(_, known)| known.is_worse_than(&told)) {
                    *known = Some((order, told));
                    order += 1;
                }
            }
        });
        let told = compared.into_iter().map(|told| told.unwrap_or((usize::MAX, Compared::OtherHost)));
        let mut told: Vec<_> = self.texts.iter().map(|text| &**text).zip(told).collect();
        told.sort_by_key(|(_, (order, compared))| (*order, *compared == Compared::OtherHost));
        told.into_iter().map(|(text, (_, compared))| (text, compared)).collect()
    }

    /// What to say where no candidate at this host and path serves: about the method, if it is only that. A rule that is
    /// not there for whoever asks says nothing about its methods.
    fn refused(&self, host: Option<&str>, head: &Parts, now: SystemTime) -> Found<'_, T> {
        let mut methods = Vec::new();
        let mut is_served = false;
        self.visit_all(host, head.uri.path(), |place| {
            for id in place.ids() {
                let candidate = &self.candidates[id as usize];
                if candidate.is_visible(head, now) {
                    is_served |= candidate.methods.serves(&head.method) != Serves::Not;
                    methods.extend(candidate.methods.allowed());
                }
            }
        });
        if is_served || methods.is_empty() {
            return Found::Nothing;
        }
        methods.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        methods.dedup();
        Found::MethodNotAllowed(methods)
    }

    /// Shows the places that match a host and path, the most specific first.
    fn visit_all(&self, host: Option<&str>, path: &str, mut visit: impl FnMut(&Place)) {
        let mut on = |place: u32| -> Option<()> {
            visit(&self.places[place as usize]);
            None
        };
        for tree in self.hosts.taking(host) {
            tree.visit(path, &mut on);
        }
    }
}

impl Compared {
    fn is_worse_than(&self, other: &Self) -> bool {
        let value = |compared: &Self| match compared {
            Self::Serves => 4,
            Self::LessSpecific => 3,
            Self::Fails(_) => 2,
            Self::OtherPath => 1,
            Self::OtherHost => 0,
        };
        value(self) < value(other)
    }
}

/// The first thing about a request that a candidate at its host and path does not serve, in words.
fn why_not(candidate: &Candidate, head: &Parts, now: SystemTime) -> Option<String> {
    if let Some(Failing::Path(regex)) = candidate.failing(head, now) {
        return Some(format!("the path is not {}", regex.as_str()));
    }
    if candidate.methods.serves(&head.method) == Serves::Not {
        return Some(format!("not for {}", head.method));
    }
    match candidate.failing(head, now)? {
        Failing::Path(_) => None,
        Failing::Condition(condition) => Some(format!("{condition} does not hold")),
    }
}

#[cfg(test)]
mod tests;
