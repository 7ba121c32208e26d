//! Rules that can never be told apart, and rules that never serve.
//!
//! A rule is shadowed by an earlier one only where both stand at the same place (the same host and path pattern): one
//! that goes first elsewhere is for fewer hosts or paths. And at one place only where both ask about the same
//! things: whoever asks about more goes first. So a new alternative is compared with those of the same subjects that
//! were there before, and of these, if they want exact values, only with those of the same values.

use std::collections::HashMap;

use http::Method;

use super::{candidate::Candidate, condition::Condition, methods::Methods};

/// Where to look for earlier alternatives, by what they ask about.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    /// Those that want exact values of everything.
    exact: HashMap<(Subjects, String), Vec<u32>>,
    /// The others.
    loose: HashMap<Subjects, Vec<u32>>,
}

/// The place, whether methods are named, and what else is asked about.
type Subjects = (u32, bool, String);

/// What an alternative serves: each part may be covered by another rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Any,
    Method(Method),
    /// `HEAD`, because `GET` is named.
    Head,
}

/// A piece and the earlier alternative that goes first for all of it.
#[derive(Debug)]
pub(super) struct Covered {
    pub(super) piece: Piece,
    pub(super) by: u32,
    /// Whether both match exactly the same.
    pub(super) is_same: bool,
}

impl Conflicts {
    /// Which pieces of a new alternative earlier ones cover, and whether nothing is left of it.
    pub(super) fn check(
        &mut self,
        place: u32,
        id: u32,
        new: &Candidate,
        all: &[Candidate],
    ) -> (Vec<Covered>, bool) {
        let subjects = (place, !new.methods.is_any(), subjects(new));
        let mut earlier: Vec<u32> = self.loose.get(&subjects).cloned().unwrap_or_default();
        match values(new) {
            Some(values) => {
                let same = self.exact.entry((subjects, values)).or_default();
                earlier.extend(&*same);
                same.push(id);
            }
            None => self.loose.entry(subjects).or_default().push(id),
        }
        let is_covering = |by: u32| {
            let by = &all[by as usize];
            by.entry != new.entry && new.implies(by)
        };
        earlier.retain(|&by| is_covering(by));
        earlier.sort_unstable();
        let mut is_open = false;
        let mut covered = Vec::new();
        for piece in pieces(&new.methods) {
            match earlier.iter().find(|&&by| covers(&all[by as usize].methods, &piece)) {
                None => is_open = true,
                Some(&by) => {
                    let is_same = all[by as usize].implies(new);
                    covered.push(Covered { piece, by, is_same });
                }
            }
        }
        (covered, !is_open)
    }
}

impl Piece {
    /// A method that is part of it.
    pub(super) fn method(&self) -> Method {
        match self {
            Self::Any => Method::GET,
            Self::Method(method) => method.clone(),
            Self::Head => Method::HEAD,
        }
    }
}

fn pieces(methods: &Methods) -> Vec<Piece> {
    if methods.is_any() {
        return vec![Piece::Any];
    }
    let named = methods.named();
    let head = methods.head_follows() && !named.contains(&Method::HEAD);
    named.iter().cloned().map(Piece::Method).chain(head.then_some(Piece::Head)).collect()
}

/// Whether methods that go first leave nothing of a piece.
fn covers(methods: &Methods, piece: &Piece) -> bool {
    match piece {
        Piece::Any => methods.is_any(),
        Piece::Method(method) => methods.named().contains(method),
        Piece::Head => methods.named().contains(&Method::HEAD) || methods.head_follows(),
    }
}

/// What an alternative asks about, in one order. Most ask about nothing.
fn subjects(candidate: &Candidate) -> String {
    let subject = |condition: &Condition| match condition {
        Condition::Own(name, test) => format!("{name} {:p}", std::sync::Arc::as_ptr(test)),
        condition => condition.subject(),
    };
    let mut subjects: Vec<String> = candidate.conditions.iter().map(subject).collect();
    subjects.extend(candidate.regex.as_ref().map(|regex| regex.as_str().to_owned()));
    subjects.sort_unstable();
    subjects.join("\n")
}

/// The values that it wants, in the same order, if it wants exact ones of everything.
fn values(candidate: &Candidate) -> Option<String> {
    let value = |condition: &Condition| {
        let value = condition.as_exact()?;
        Some(format!("{}={}", condition.subject(), value.escape_ascii()))
    };
    let mut values = candidate.conditions.iter().map(value).collect::<Option<Vec<String>>>()?;
    values.sort_unstable();
    Some(values.join("\n"))
}
