use std::collections::BTreeMap;

use super::{
    cover::Cover,
    field::{Field, FieldError, Step},
};

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
enum Effect {
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

/// Rules as they are gathered; errors are told at the end, all of them by field.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlanBuilder {
    rules: Vec<(String, Wanted)>,
}

#[derive(Clone, Debug)]
enum Wanted {
    Allow,
    Drop,
    Cover(Cover),
    Rename(String),
}

impl Wanted {
    const fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Drop => "drop",
            Self::Cover(_) => "mask",
            Self::Rename(_) => "rename",
        }
    }

    /// A field may be allowed and have another name; everything else twice is a mistake.
    fn contradicts(&self, other: &str) -> bool {
        !matches!((self.word(), other), ("allow", "rename") | ("rename", "allow"))
    }
}

impl PlanBuilder {
    pub(crate) fn allow(&mut self, field: impl Into<String>) {
        self.rules.push((field.into(), Wanted::Allow));
    }

    pub(crate) fn drop_field(&mut self, field: impl Into<String>) {
        self.rules.push((field.into(), Wanted::Drop));
    }

    pub(crate) fn cover(&mut self, field: impl Into<String>, cover: Cover) {
        self.rules.push((field.into(), Wanted::Cover(cover)));
    }

    pub(crate) fn rename(&mut self, field: impl Into<String>, to: impl Into<String>) {
        self.rules.push((field.into(), Wanted::Rename(to.into())));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules in words.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |(field, wanted): &(String, Wanted)| match wanted {
            Wanted::Rename(to) => format!("rename {field} to {to}"),
            wanted => format!("{} {field}", wanted.word()),
        };
        self.rules.iter().map(word).collect()
    }

    /// Every rule that cannot be kept: its field is none, has another rule already, or has a new name that is none.
    pub(crate) fn errors(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut seen: Vec<(&str, &str)> = Vec::new();
        let renames = self.rules.iter().filter(|(_, wanted)| matches!(wanted, Wanted::Rename(_))).count();
        for (text, wanted) in &self.rules {
            let reason = match (text.parse::<Field>(), wanted) {
                (Err(error), _) => error.reason,
                (Ok(field), Wanted::Rename(_)) if !field.ends_in_a_name() => {
                    "`*` cannot be renamed: several members would have one name".to_owned()
                }
                (_, Wanted::Rename(to)) if to.is_empty() || to.len() > Field::MAX_NAME => {
                    format!("the new name `{to}` must have 1 to {} bytes", Field::MAX_NAME)
                }
                (_, Wanted::Rename(_)) if renames > MAX_RENAMES => {
                    format!("more than {MAX_RENAMES} fields are renamed")
                }
                (_, Wanted::Cover(cover)) if cover.error().is_some() => {
                    cover.error().unwrap_or_default().to_owned()
                }
                _ if self.rules.len() > MAX_RULES => format!("there are more than {MAX_RULES} rules"),
                _ => match seen.iter().find(|(field, other)| *field == text && wanted.contradicts(other)) {
                    Some((_, other)) => format!("it has two rules, {other} and {}", wanted.word()),
                    None => {
                        seen.push((text, wanted.word()));
                        continue;
                    }
                },
            };
            errors.push(FieldError { field: text.clone(), reason });
        }
        errors
    }

    /// The plan of these rules.
    pub(crate) fn build(self) -> Result<Plan, FieldError> {
        if let Some(error) = self.errors().into_iter().next() {
            return Err(error);
        }
        let mut rows: Vec<(Vec<Step>, Effect)> = Vec::new();
        let (mut covers, mut targets) = (Vec::new(), Vec::<Box<[u8]>>::new());
        for (text, wanted) in self.rules {
            let field: Field = text.parse()?;
            let effect = match wanted {
                Wanted::Allow => Effect::Allow,
                Wanted::Drop => Effect::Drop,
                Wanted::Cover(cover) => {
                    covers.push(cover);
                    Effect::Cover(covers.len() - 1)
                }
                Wanted::Rename(to) => {
                    let quoted = serde_json::Value::from(to.as_str()).to_string().into_bytes();
                    let known = targets.iter().position(|target| **target == *quoted);
                    let target = known.unwrap_or(targets.len());
                    if known.is_none() {
                        targets.push(quoted.into());
                    }
                    rows.push((field.sibling(&to), Effect::Target(target)));
                    Effect::Rename(target)
                }
            };
            rows.push((field.steps().to_vec(), effect));
        }
        Ok(Plan::of(&rows, covers, targets))
    }
}

impl Plan {
    fn of(rows: &[(Vec<Step>, Effect)], covers: Vec<Cover>, targets: Vec<Box<[u8]>>) -> Self {
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

/// Each may need 33 bits in every state.
const MAX_RULES: usize = 1_000;

/// One bit each in every object.
const MAX_RENAMES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn rules_that_cannot_be_kept_are_told_by_field() {
        let mut builder = PlanBuilder::default();
        builder.drop_field("a");
        builder.rename("a", "b");
        builder.rename("a.*", "b");
        builder.rename("c", "");
        builder.allow("a..b");
        let told: Vec<String> = builder.errors().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "field `a`: it has two rules, drop and rename",
                "field `a.*`: `*` cannot be renamed: several members would have one name",
                "field `c`: the new name `` must have 1 to 255 bytes",
                "field `a..b`: a name is missing",
            ]
        );
    }
}
