//! The paths of one host, as a tree of segments.

use std::collections::HashMap;

use http::Method;

use super::pattern::{Segment, Segments, Tail};

/// Rules by their paths. Looking one up walks the segments of the path, so it costs the same however many rules
/// there are, and allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Tree {
    literals: HashMap<Box<str>, Self>,
    parameter: Option<Box<Self>>,
    /// Rules whose path ends here.
    exact: Vec<Candidate>,
    /// Rules for at least one more segment: `{*rest}`.
    rest: Vec<Candidate>,
    /// Rules for this path and everything below it.
    prefix: Vec<Candidate>,
}

/// One rule at its place in the tree.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) entry: usize,
    /// Empty: every method.
    pub(super) methods: Vec<Method>,
}

/// The rule that another one can never be told apart from, for this method or for all.
#[derive(Debug)]
pub(super) struct Twin {
    pub(super) entry: usize,
    pub(super) method: Option<Method>,
}

impl Tree {
    /// Adds a rule; or says which rule it can never be told apart from.
    pub(super) fn add(&mut self, path: &Segments, candidate: Candidate) -> Result<(), Twin> {
        let mut node = self;
        for segment in &path.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.as_str().into()).or_default(),
                Segment::Parameter => node.parameter.get_or_insert_default(),
            };
        }
        let place = match path.tail {
            Tail::End => &mut node.exact,
            Tail::Rest => &mut node.rest,
            Tail::Prefix => &mut node.prefix,
        };
        let twin = place.iter().find_map(|other| other.twin_of(&candidate));
        place.push(candidate);
        twin.map_or(Ok(()), Err)
    }

    /// Shows the rules that match a path to `visit`, the most specific first, until it returns something: at every
    /// segment a literal goes before a parameter, and both before what ends earlier.
    pub(super) fn visit<'a, T>(
        &'a self,
        path: &str,
        visit: &mut impl FnMut(&'a [Candidate]) -> Option<T>,
    ) -> Option<T> {
        let segments = path.strip_prefix('/')?;
        self.walk(Some(segments), visit)
    }

    fn walk<'a, T>(
        &'a self,
        rest: Option<&str>,
        visit: &mut impl FnMut(&'a [Candidate]) -> Option<T>,
    ) -> Option<T> {
        let Some(rest) = rest else {
            return show(&self.exact, visit).or_else(|| show(&self.prefix, visit));
        };
        let (segment, further) = match rest.split_once('/') {
            Some((segment, further)) => (segment, Some(further)),
            None => (rest, None),
        };
        let literal = self.literals.get(segment).and_then(|node| node.walk(further, visit));
        literal
            .or_else(|| {
                let parameter = self.parameter.as_ref().filter(|_| !segment.is_empty())?;
                parameter.walk(further, visit)
            })
            .or_else(|| if rest.is_empty() { None } else { show(&self.rest, visit) })
            .or_else(|| show(&self.prefix, visit))
    }
}

fn show<'a, T>(
    candidates: &'a [Candidate],
    visit: &mut impl FnMut(&'a [Candidate]) -> Option<T>,
) -> Option<T> {
    if candidates.is_empty() { None } else { visit(candidates) }
}

impl Candidate {
    /// How well it serves a method: named, `HEAD` by `GET`, any method; or not at all.
    pub(super) fn rank(&self, method: &Method) -> Option<u8> {
        match method {
            method if self.methods.contains(method) => Some(0),
            &Method::HEAD if self.methods.contains(&Method::GET) => Some(1),
            _ if self.methods.is_empty() => Some(2),
            _ => None,
        }
    }

    fn twin_of(&self, other: &Self) -> Option<Twin> {
        let entry = self.entry;
        match (self.methods.is_empty(), other.methods.is_empty()) {
            (true, true) => Some(Twin { entry, method: None }),
            _ => {
                let shared = self.methods.iter().find(|method| other.methods.contains(method))?;
                Some(Twin { entry, method: Some(shared.clone()) })
            }
        }
    }
}
