//! The paths of one host pattern, as a tree of segments.

use std::collections::HashMap;

use super::pattern::{Segment, Segments, Tail};

/// Places by their paths. Looking one up walks the segments of the path, so it costs the same however many rules
/// there are, and allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Node,
    /// The rules in it, for explanations.
    pub(super) entries: Vec<u32>,
}

#[derive(Debug, Default)]
struct Node {
    literals: Literals,
    parameter: Option<Box<Self>>,
    /// The path ends here.
    exact: Slot,
    /// Regular expressions for paths that go on from here.
    regex: Slot,
    /// At least one more segment: `{*rest}`.
    rest: Slot,
    /// This path and everything below it.
    prefix: Slot,
}

/// The number of a place, or none.
#[derive(Clone, Copy, Debug)]
struct Slot(u32);

impl Default for Slot {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Tree {
    /// The place for a path; where there is none, it gets the number that `make` returns.
    pub(super) fn place(&mut self, path: &Segments, make: impl FnOnce() -> u32) -> u32 {
        let mut node = &mut self.root;
        for segment in &path.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.at(text),
                Segment::Parameter => node.parameter.get_or_insert_default(),
            };
        }
        let slot = match path.tail {
            Tail::End => &mut node.exact,
            Tail::Regex => &mut node.regex,
            Tail::Rest => &mut node.rest,
            Tail::Prefix => &mut node.prefix,
        };
        if slot.0 == u32::MAX {
            slot.0 = make();
        }
        slot.0
    }

    /// Shows the places that match a path to `visit`, the most specific first, until it returns something: at every
    /// segment a literal goes before a regular expression that may match from here on, that before a parameter, and
    /// all of them before what ends earlier.
    pub(super) fn visit<T>(&self, path: &str, visit: &mut impl FnMut(u32) -> Option<T>) -> Option<T> {
        self.root.walk(Some(path.strip_prefix('/')?), visit)
    }
}

impl Node {
    fn walk<T>(&self, rest: Option<&str>, visit: &mut impl FnMut(u32) -> Option<T>) -> Option<T> {
        let Some(rest) = rest else {
            return self.exact.show(visit).or_else(|| self.prefix.show(visit));
        };
        let (segment, further) = match rest.split_once('/') {
            Some((segment, further)) => (segment, Some(further)),
            None => (rest, None),
        };
        let literal = self.literals.get(segment).and_then(|node| node.walk(further, visit));
        literal
            .or_else(|| self.regex.show(visit))
            .or_else(|| {
                let parameter = self.parameter.as_ref().filter(|_| !segment.is_empty())?;
                parameter.walk(further, visit)
            })
            .or_else(|| if segment.is_empty() { None } else { self.rest.show(visit) })
            .or_else(|| self.prefix.show(visit))
    }
}

impl Slot {
    fn show<T>(self, visit: &mut impl FnMut(u32) -> Option<T>) -> Option<T> {
        if self.0 == u32::MAX { None } else { visit(self.0) }
    }
}

/// Nodes by a segment: a short list, which takes less room and less time, or a map.
#[derive(Debug)]
enum Literals {
    Few(Vec<(Box<str>, Node)>),
    Many(HashMap<Box<str>, Node>),
}

impl Default for Literals {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Literals {
    fn get(&self, segment: &str) -> Option<&Node> {
        match self {
            Self::Few(nodes) => nodes.iter().find(|(text, _)| **text == *segment).map(|(_, node)| node),
            Self::Many(nodes) => nodes.get(segment),
        }
    }

    /// The node for a segment, made if it is not there.
    fn at(&mut self, segment: &str) -> &mut Node {
        if let Self::Few(nodes) = self
            && nodes.len() >= FEW
            && !nodes.iter().any(|(text, _)| **text == *segment)
        {
            let nodes = std::mem::take(nodes);
            *self = Self::Many(nodes.into_iter().collect());
        }
        match self {
            Self::Many(nodes) => nodes.entry(segment.into()).or_default(),
            Self::Few(nodes) => {
                let at = nodes.iter().position(|(text, _)| **text == *segment).unwrap_or_else(|| {
                    nodes.push((segment.into(), Node::default()));
                    nodes.len() - 1
                });
                &mut nodes[at].1
            }
        }
    }
}

/// The longest short list.
const FEW: usize = 4;
