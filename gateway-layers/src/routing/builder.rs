use std::{collections::HashMap, sync::Arc};

use gateway_core::facts::Route;

use super::{
    Rule, RuleError, Table, Witness,
    candidate::{Candidate, Rank},
    conflict::{Conflicts, Covered, Piece},
    error::{Conflict, Part},
    hosts::{Host, Hosts},
    pattern::Segments,
    place::Place,
    rule::{Match, Path},
    tree::Tree,
};

/// A table in the making.
#[derive(Debug)]
pub(crate) struct TableBuilder<T> {
    entries: Vec<(Route, T)>,
    texts: Vec<Box<str>>,
    /// The entry that has a name.
    names: HashMap<String, usize>,
    hosts: Hosts<Tree>,
    /// The candidates at each place, in the order of the list.
    places: Vec<Vec<u32>>,
    candidates: Vec<Candidate>,
    conflicts: Conflicts,
    reads_time: bool,
}

/// An alternative whose parts are all right.
struct Checked {
    hosts: Vec<Host>,
    path: Segments,
}

impl<T> Default for TableBuilder<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            texts: Vec::new(),
            names: HashMap::new(),
            hosts: Hosts::default(),
            places: Vec::new(),
            candidates: Vec::new(),
            conflicts: Conflicts::default(),
            reads_time: false,
        }
    }
}

impl<T> TableBuilder<T> {
    /// Adds a rule, and says what is wrong with it. A table with a wrong rule must not serve.
    pub(crate) fn add(&mut self, rule: &Rule, value: T) -> Vec<RuleError> {
        let (index, route) = (self.entries.len(), rule.route());
        let name = route.name().to_owned();
        let mut errors = Vec::new();
        let mut error = |part, message, conflict: Option<Conflict>| {
            let conflict = conflict.map(Box::new);
            errors.push(RuleError { index, rule: name.clone(), part, message, conflict });
        };
        let checked: Vec<_> = rule.alternatives.iter().map(|one| check(one, &mut error)).collect();
        let mut twin = None;
        if let Some(checked) = checked.into_iter().collect::<Option<Vec<_>>>() {
            let mut is_open = false;
            let mut covered = Vec::new();
            for (one, checked) in rule.alternatives.iter().zip(checked) {
                for host in checked.hosts {
                    let (found, is_all) = self.put(index, one, &host, &checked.path);
                    is_open |= !is_all;
                    covered.extend(found.into_iter().map(|found| (found, host.clone(), one)));
                }
            }
            let same = covered.iter().find(|(found, ..)| found.is_same && found.piece != Piece::Head);
            if let Some((found, host, one)) = same {
                let conflict = self.conflict(found, host, one);
                twin = Some(self.candidates[found.by as usize].entry as usize);
                let of = match &found.piece {
                    Piece::Method(method) => format!("for {method} "),
                    Piece::Any | Piece::Head => String::new(),
                };
                let shown = shown(&conflict, "both match");
                let message =
                    format!("{of}it can never be told apart from the rule `{}`{shown}", conflict.other);
                error(Part::Path, message, Some(conflict));
            } else if let Some((found, host, one)) = covered.first().filter(|_| !is_open) {
                let conflict = self.conflict(found, host, one);
                let shown = shown(&conflict, "it serves");
                let message = format!(
                    "it never serves: the rule `{}` goes first for all that it matches{shown}",
                    conflict.other
                );
                error(Part::Path, message, Some(conflict));
            }
        }
        let first = *self.names.entry(route.name().to_owned()).or_insert(index);
        // A rule that is there twice is one mistake, not two.
        if first != index && Some(first) != twin {
            error(Part::Name, format!("the rule `{}` has the same name", self.texts[first]), None);
        }
        self.entries.push((route, value));
        self.texts.push(rule.to_string().into());
        errors
    }

    /// The table. What was said about its rules must be nothing.
    pub(crate) fn build(self) -> Table<T> {
        let Self { entries, texts, mut hosts, places, candidates, reads_time, .. } = self;
        let mut candidates: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
        let rank = |candidates: &[Option<Candidate>], id: u32| {
            candidates[id as usize].as_ref().map(|candidate| candidate.rank)
        };
        let mut sorted = Vec::with_capacity(candidates.len());
        let mut ranges = Vec::with_capacity(places.len());
        for mut ids in places {
            ids.sort_by_key(|&id| (rank(&candidates, id), id));
            let start = number(sorted.len());
            sorted.extend(ids.into_iter().filter_map(|id| candidates[id as usize].take()));
            ranges.push(start..number(sorted.len()));
        }
        let places = ranges.into_iter().map(|range| Place::new(range, &sorted)).collect();
        hosts.each(|tree| {
            tree.entries.dedup();
            tree.entries.shrink_to_fit();
        });
        Table::of(entries, texts, hosts, places, sorted, reads_time)
    }

    /// Puts an alternative at its place for one host. Returns what earlier rules cover of it, and whether that is all.
    fn put(&mut self, entry: usize, one: &Match, host: &Host, path: &Segments) -> (Vec<Covered>, bool) {
        let (regex, params) = match &one.path {
            Path::Regex(regex) => (Some(Box::new(regex.clone())), None),
            Path::Pattern(pattern) if path.has_parameters() => (None, Some(Arc::from(pattern.as_str()))),
            Path::Pattern(_) | Path::Prefix(_) => (None, None),
        };
        let candidate = Candidate {
            entry: number(entry),
            rank: Rank::of(&one.methods, &one.conditions),
            methods: one.methods.clone(),
            conditions: one.conditions.as_slice().into(),
            regex,
            params,
        };
        let tree = self.hosts.at(host.clone());
        tree.entries.push(candidate.entry);
        let places = &mut self.places;
        let place = tree.place(path, || {
            places.push(Vec::new());
            number(places.len() - 1)
        });
        self.reads_time |= candidate.conditions.iter().any(|condition| condition.reads_time());
        let id = number(self.candidates.len());
        let found = self.conflicts.check(place, id, &candidate, &self.candidates);
        self.places[place as usize].push(id);
        self.candidates.push(candidate);
        found
    }

    /// The rule that goes first, and a request that shows it.
    fn conflict(&self, found: &Covered, host: &Host, one: &Match) -> Conflict {
        let by = self.candidates[found.by as usize].entry;
        let other = self.entries[by as usize].0.name().to_owned();
        let paths = match (&one.path, Segments::of(&one.path)) {
            (Path::Regex(regex), _) => {
                regex.example().and_then(|path| String::from_utf8(path).ok()).into_iter().collect()
            }
            (_, Ok(segments)) => segments.examples(),
            (_, Err(_)) => Vec::new(),
        };
        let witness = paths.iter().find_map(|path| {
            let witness = Witness::of(found.piece.method(), host.example(), path, &one.conditions)?;
            (self.serving(&witness) == Some(by)).then_some(witness)
        });
        Conflict { other, witness }
    }

    /// The entry that serves a request so far.
    fn serving(&self, witness: &Witness) -> Option<u32> {
        let (head, now) = (witness.head(), witness.time());
        let best = |place: u32| {
            let ids = self.places[place as usize].iter();
            let serving = ids.filter_map(|&id| {
                let candidate = &self.candidates[id as usize];
                let serves = candidate.methods.serves(&head.method).order()?;
                candidate.failing(&head, now).is_none().then_some((serves, candidate.rank, id))
            });
            serving.min().map(|(.., id)| self.candidates[id as usize].entry)
        };
        let host = gateway_core::canonical::host(&head.headers);
        self.hosts.taking(host).find_map(|tree| tree.visit(head.uri.path(), &mut |place| best(place)))
    }
}

/// Reads the parts of an alternative, and says what is wrong with them.
fn check(one: &Match, error: &mut impl FnMut(Part, String, Option<Conflict>)) -> Option<Checked> {
    let mut is_right = true;
    let mut wrong = |part, message| {
        is_right = false;
        error(part, message, None);
    };
    let mut hosts = Vec::new();
    for host in &one.hosts {
        match Host::parse(host) {
            Ok(host) if hosts.contains(&host) => {}
            Ok(host) => hosts.push(host),
            Err(message) => wrong(Part::Host, message),
        }
    }
    if one.hosts.is_empty() {
        hosts.push(Host::Any);
    }
    let path = Segments::of(&one.path).map_err(|message| wrong(Part::Path, message)).ok();
    one.errors.iter().for_each(|message| wrong(Part::Condition, message.clone()));
    let mut subjects = Vec::new();
    for condition in &one.conditions {
        condition.error().into_iter().for_each(|message| wrong(Part::Condition, message));
        let subject = condition.subject();
        if subjects.contains(&subject) {
            wrong(Part::Condition, format!("{subject}: it is asked about twice"));
        }
        subjects.push(subject);
    }
    if subjects.len() > Rule::MAX_CONDITIONS {
        wrong(Part::Condition, format!("more than {} conditions", Rule::MAX_CONDITIONS));
    }
    path.filter(|_| is_right).map(|path| Checked { hosts, path })
}

fn shown(conflict: &Conflict, what: &str) -> String {
    conflict.witness.as_ref().map(|witness| format!("; {what} `{witness}`")).unwrap_or_default()
}

/// Tables do not grow to four thousand million rules.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("a table has fewer than 2^32 candidates")
}
