use std::{collections::HashMap, ops::Range, time::SystemTime};

use http::{HeaderName, request::Parts};

use super::{candidate::Candidate, condition::Condition, fields, methods::Serves};

/// The candidates for one host pattern and one path pattern: a range of all candidates, in their precedence.
#[derive(Debug)]
pub(super) struct Place {
    range: Range<u32>,
    /// Only where many candidates differ in the value of one field.
    index: Option<Box<Index>>,
}

/// Candidates by the exact value that they want of one field, so that a thousand tenants are found like one.
#[derive(Debug)]
struct Index {
    field: Field,
    by_value: HashMap<Box<[u8]>, Box<[u32]>>,
    /// Those that want none.
    others: Box<[u32]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Field {
    Header(HeaderName),
    Query(Box<str>),
    Cookie(Box<str>),
}

impl Place {
    /// A place of these candidates, which are in their precedence.
    pub(super) fn new(range: Range<u32>, all: &[Candidate]) -> Self {
        let index = (range.len() > FEW).then(|| Index::of(range.clone(), all)).flatten().map(Box::new);
        Self { range, index }
    }

    /// The candidate that serves a request. For `HEAD` those that name it go before those that name `GET`, and both
    /// before those for every method.
    pub(super) fn serving(&self, all: &[Candidate], head: &Parts, now: SystemTime) -> Option<u32> {
        let mut as_get = None;
        for id in self.possible(head) {
            let candidate = &all[id as usize];
            match candidate.methods.serves(&head.method) {
                Serves::Not => {}
                Serves::AsGet if as_get.is_some() => {}
                Serves::Any if as_get.is_some() => break,
                Serves::AsGet => as_get = candidate.failing(head, now).is_none().then_some(id),
                Serves::Named | Serves::Any if candidate.failing(head, now).is_none() => return Some(id),
                Serves::Named | Serves::Any => {}
            }
        }
        as_get
    }

    /// All of them.
    pub(super) fn ids(&self) -> Range<u32> {
        self.range.clone()
    }

    /// Those that the index does not rule out, in their precedence.
    fn possible(&self, head: &Parts) -> Possible<'_> {
        match &self.index {
            None => Possible { all: self.range.clone(), one: &[], other: &[] },
            Some(index) => Possible { all: 0..0, one: index.wanting(head), other: &index.others },
        }
    }
}

/// A range, or two lists that are merged.
struct Possible<'a> {
    all: Range<u32>,
    one: &'a [u32],
    other: &'a [u32],
}

impl Iterator for Possible<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let list = match (self.one.first(), self.other.first()) {
            (None, None) => return self.all.next(),
            (Some(one), Some(other)) if one < other => &mut self.one,
            (Some(_), None) => &mut self.one,
            _ => &mut self.other,
        };
        let (first, rest) = list.split_first()?;
        *list = rest;
        Some(*first)
    }
}

impl Index {
    /// An index by the field that the most candidates want an exact value of, if that is worth it.
    fn of(range: Range<u32>, all: &[Candidate]) -> Option<Self> {
        let wants = |id: u32| all[id as usize].conditions.iter().filter_map(exact);
        let mut counts = HashMap::new();
        for (field, _) in range.clone().flat_map(wants) {
            *counts.entry(field).or_insert(0_usize) += 1;
        }
        // The name decides between equal ones, so that the same rules make the same table.
        let most = counts.into_iter().max_by_key(|(field, count)| (*count, format!("{field:?}")));
        let field = most.filter(|&(_, count)| count > FEW)?.0;
        let mut by_value: HashMap<Box<[u8]>, Vec<u32>> = HashMap::new();
        let mut others = Vec::new();
        for id in range {
            match wants(id).find(|(found, _)| *found == field) {
                Some((_, value)) => by_value.entry(value.into()).or_default().push(id),
                None => others.push(id),
            }
        }
        let by_value = by_value.into_iter().map(|(value, ids)| (value, ids.into())).collect();
        Some(Self { field, by_value, others: others.into() })
    }

    /// The candidates that want the value that the request has.
    fn wanting(&self, head: &Parts) -> &[u32] {
        let list = match &self.field {
            Field::Header(name) => {
                head.headers.get(name).and_then(|value| self.by_value.get(value.as_bytes()))
            }
            Field::Cookie(name) => {
                fields::cookie(&head.headers, name).and_then(|value| self.by_value.get(value))
            }
            Field::Query(name) => {
                let value = head.uri.query().and_then(|query| fields::parameter(query, name));
                value.and_then(|value| self.by_value.get(&*value))
            }
        };
        list.map_or(&[], |list| list)
    }
}

/// The field and the value, if a condition wants an exact one.
fn exact(condition: &Condition) -> Option<(Field, &[u8])> {
    let value = condition.as_exact()?;
    let field = match condition {
        Condition::Header(name, _) => Field::Header(name.clone()),
        Condition::Query(name, _) => Field::Query(name.clone()),
        Condition::Cookie(name, _) => Field::Cookie(name.clone()),
        _ => return None,
    };
    Some((field, value))
}

/// So many candidates are asked one by one.
const FEW: usize = 8;
