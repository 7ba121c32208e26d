use std::collections::BTreeMap;

use super::{cover::Cover, field::Step};

/// What to do with the fields of a document: many [`Field`]s matched at once, one step for each level.
///
/// Each field is a row of bits, one bit for each of its names and one for its end. The state of a level is the set of
/// bits that may go on from there, so a step costs a few words of shifting however many fields there are
/// (Baeza-Yates and Gonnet, "A new approach to text searching", 1992).
#[derive(Debug)]
pub(crate) struct Plan {
    /// How many words of 64 bits a state has.
    pub(super) words: usize,
    start: Vec<u64>,
    /// The names in all fields, sorted, and for each the bits that it moves.
    names: Vec<Box<[u8]>>,
    moved: Vec<u64>,
    /// The bits that every name moves.
    any: Vec<u64>,
    /// The bits that stay, however many levels deeper.
    deep: Vec<u64>,
    /// The bits from which a field can still be reached.
    alive: Vec<u64>,
    /// Those of fields that are allowed.
    allowing: Vec<u64>,
    effects: BTreeMap<usize, Effect>,
    ends: Vec<u64>,
    covers: Vec<Cover>,
    targets: Vec<Box<[u8]>>,
    /// The longest name of a field.
    pub(super) longest: usize,
    /// Whether only what is allowed may stay.
    pub(super) is_closed: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    Allow,
    Drop,
    Cover(usize),
    Rename(usize),
    /// It has the name that another member beside it will have.
    Target(usize),
}

/// What a member's name says about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) is_dropped: bool,
    pub(super) is_allowed: bool,
    pub(super) cover: Option<usize>,
    pub(super) rename: Option<usize>,
    /// The name that only one member of the object may have, because another is renamed to it.
    pub(super) target: Option<usize>,
    /// Whether something inside of it may be meant by a field.
    pub(super) is_live: bool,
    /// Whether something inside of it may be allowed.
    pub(super) leads_to_allowed: bool,
}

impl Plan {
    pub(super) fn of(rows: &[(Vec<Step>, Effect)], covers: Vec<Cover>, targets: Vec<Box<[u8]>>) -> Self {
        let bits: usize = rows.iter().map(|(steps, _)| steps.len() + 1).sum();
        let words = bits.div_ceil(64);
        let names: Vec<Box<[u8]>> = {
            let names = rows.iter().flat_map(|(steps, _)| steps).filter_map(|step| match step {
                Step::Name(name) => Some(name.as_bytes().into()),
                _ => None,
            });
            let sorted: std::collections::BTreeSet<Box<[u8]>> = names.collect();
            sorted.into_iter().collect()
        };
        let none = || vec![0_u64; words];
        let mut plan = Self {
            words,
            start: none(),
            moved: vec![0; words * names.len()],
            longest: names.iter().map(|name| name.len()).max().unwrap_or(0),
            names,
            any: none(),
            deep: none(),
            alive: none(),
            allowing: none(),
            effects: BTreeMap::new(),
            ends: none(),
            covers,
            targets,
            is_closed: rows.iter().any(|(_, effect)| matches!(effect, Effect::Allow)),
        };
        let mut bit = 0;
        for (steps, effect) in rows {
            set(&mut plan.start, bit);
            for step in steps {
                set(&mut plan.alive, bit);
                if matches!(effect, Effect::Allow) {
                    set(&mut plan.allowing, bit);
                }
                match step {
                    Step::Name(name) => {
                        let found = plan.names.binary_search_by(|known| (**known).cmp(name.as_bytes()));
                        let at = found.unwrap_or(0) * words;
                        set(&mut plan.moved[at..at + words], bit);
                    }
                    Step::Any => set(&mut plan.any, bit),
                    Step::Deep => set(&mut plan.deep, bit),
                }
                bit += 1;
            }
            set(&mut plan.ends, bit);
            plan.effects.insert(bit, *effect);
            bit += 1;
        }
        let mut start = std::mem::take(&mut plan.start);
        plan.reach(&mut start);
        plan.start = start;
        plan
    }

    /// The state of the document itself.
    pub(super) fn start(&self) -> &[u64] {
        &self.start
    }

    /// One step: from the state of an object to that of its member of this name, or of a name that is longer than
    /// any in a field. The new state replaces `to`.
    pub(super) fn step(&self, from: &[u64], name: Option<&[u8]>, to: &mut Vec<u64>) -> Found {
        let known = name.filter(|name| name.len() <= self.longest);
        let known = known.and_then(|name| self.names.binary_search_by(|known| (**known).cmp(name)).ok());
        let moved = known.map(|at| &self.moved[at * self.words..(at + 1) * self.words]);
        to.clear();
        let mut carry = 0;
        for word in 0..self.words {
            let moving = from[word] & (self.any[word] | moved.map_or(0, |moved| moved[word]));
            to.push((moving << 1) | carry | (from[word] & self.deep[word]));
            carry = moving >> 63;
        }
        self.reach(to);
        self.found(to)
    }

    pub(super) fn cover(&self, number: usize) -> &Cover {
        &self.covers[number]
    }

    /// The new name, in quotes.
    pub(super) fn target(&self, number: usize) -> &[u8] {
        &self.targets[number]
    }

    /// `**` may stand for no level at all.
    fn reach(&self, state: &mut [u64]) {
        let mut carry = 0;
        for (word, deep) in state.iter_mut().zip(&self.deep) {
            let staying = *word & deep;
            *word |= (staying << 1) | carry;
            carry = staying >> 63;
        }
    }

    pub(super) fn found(&self, state: &[u64]) -> Found {
        let mut found = Found::default();
        for (word, &bits) in state.iter().enumerate() {
            found.is_live |= bits & self.alive[word] != 0;
            found.leads_to_allowed |= bits & self.allowing[word] != 0;
            let mut ends = bits & self.ends[word];
            while ends != 0 {
                match self.effects.get(&(word * 64 + ends.trailing_zeros() as usize)) {
                    None => {}
                    Some(Effect::Allow) => found.is_allowed = true,
                    Some(Effect::Drop) => found.is_dropped = true,
                    Some(&Effect::Rename(target)) => found.rename = found.rename.or(Some(target)),
                    Some(&Effect::Target(target)) => found.target = found.target.or(Some(target)),
                    Some(&Effect::Cover(cover)) => found.cover = Some(self.stricter(found.cover, cover)),
                }
                ends &= ends - 1;
            }
        }
        found
    }

    /// Of two covers the one that shows less.
    fn stricter(&self, before: Option<usize>, cover: usize) -> usize {
        match before {
            Some(before) if self.covers[before].shown <= self.covers[cover].shown => before,
            _ => cover,
        }
    }
}

fn set(bits: &mut [u64], bit: usize) {
    bits[bit / 64] |= 1 << (bit % 64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Field, PlanBuilder};
    use proptest::prelude::*;

    fn plan(fields: &[String]) -> Plan {
        let mut builder = PlanBuilder::default();
        for field in fields {
            builder.drop_field(field);
        }
        builder.build().unwrap()
    }

    /// Whether a path is meant, by trying every length for `**`.
    fn naive(steps: &[Step], path: &[String]) -> bool {
        match (steps, path) {
            ([], []) => true,
            ([Step::Deep, rest @ ..], _) => {
                naive(rest, path) || path.split_first().is_some_and(|(_, deeper)| naive(steps, deeper))
            }
            ([step, rest @ ..], [name, deeper @ ..]) => {
                (*step == Step::Any || *step == Step::Name(name.clone())) && naive(rest, deeper)
            }
            _ => false,
        }
    }

    fn field() -> impl Strategy<Value = String> {
        let step = prop::sample::select(vec!["a", "b", "c", "*", "**"]);
        let last = prop::sample::select(vec!["a", "b", "c", "*"]);
        (prop::collection::vec(step, 0..5), last).prop_map(|(mut steps, last)| {
            steps.push(last);
            steps.join(".")
        })
    }

    proptest! {
        #[test]
        fn finds_what_trying_everything_finds(
            fields in prop::collection::btree_set(field(), 1..40),
            path in prop::collection::vec("[a-d]", 1..7),
        ) {
            let fields: Vec<String> = fields.into_iter().collect();
            let plan = plan(&fields);
            let (mut state, mut next) = (plan.start().to_vec(), Vec::new());
            for depth in 1..=path.len() {
                let found = plan.step(&state, Some(path[depth - 1].as_bytes()), &mut next);
                std::mem::swap(&mut state, &mut next);
                let meant = |text: &String| naive(text.parse::<Field>().unwrap().steps(), &path[..depth]);
                prop_assert_eq!(found.is_dropped, fields.iter().any(meant), "{:?} {:?}", &fields, &path[..depth]);
                let deeper = |text: &String| {
                    let field: Field = text.parse().unwrap();
                    (0..6).any(|more| {
                        (0..4_u32.pow(more)).any(|mut number| {
                            let mut path = path[..depth].to_vec();
                            path.extend((0..more).map(|_| {
                                let name = ["a", "b", "c", "d"][(number % 4) as usize].to_owned();
                                number /= 4;
                                name
                            }));
                            more > 0 && naive(field.steps(), &path)
                        })
                    })
                };
                if fields.len() < 3 && fields.iter().any(deeper) {
                    prop_assert!(found.is_live, "{fields:?} {:?}", &path[..depth]);
                }
            }
        }
    }
}
