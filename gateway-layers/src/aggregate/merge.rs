//! The whole, made of what the branches gave.

use serde_json::{Map, Value};

use gateway_core::budget::Lease;

use super::{
    checked::{Checked, Step},
    field::Field,
    freshness::Freshness,
    outcome::{Failed, Kind, Rule, Ruling},
};

/// What a branch gives to the whole.
#[derive(Debug)]
pub(super) struct Part {
    value: Value,
    freshness: Freshness,
    /// The values that other branches need of the answer as it came, in the order of [`Step::needed`].
    needed: Vec<Option<String>>,
    /// The memory that the value takes.
    lease: Option<Lease>,
}

impl Part {
    /// The part that an answer makes, in its shape. Where that is not in it the branch failed after all.
    pub(super) fn new(
        step: &Step,
        answer: Value,
        freshness: Freshness,
        lease: Option<Lease>,
    ) -> Result<Self, Failed> {
        let not_expected = |why: &str| Failed::new(Kind::NotExpected, why);
        let needed = step.needed.iter().map(|field| text(field, &answer)).collect();
        let value = step.shape.apply(answer).ok_or_else(|| not_expected("the part to pick is not in it"))?;
        if step.group.is_none() && !value.is_object() {
            return Err(not_expected("without a group it has to be an object"));
        }
        Ok(Self { value, freshness, needed, lease })
    }

    /// The part itself, how fresh it is, and the memory that it takes.
    pub(super) fn into_parts(self) -> (Value, Freshness, Option<Lease>) {
        (self.value, self.freshness, self.lease)
    }
}

/// The value of a field for the target of another branch, once its branch ended.
pub(super) fn needed(step: &Step, end: &Result<Part, Failed>, field: &Field) -> Option<String> {
    match (end, &step.rule) {
        (Ok(part), _) => {
            let number = step.needed.iter().position(|needed| needed == field)?;
            part.needed.get(number)?.clone()
        }
        (Err(_), Rule::Fallback(value)) => text(field, value),
        (Err(_), _) => None,
    }
}

/// A text, number or truth value as a text.
fn text(field: &Field, value: &Value) -> Option<String> {
    match field.find(value)? {
        Value::String(text) => Some(text.clone()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An answer made of several.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) value: Value,
    /// Whether every branch gave its part.
    pub(super) is_complete: bool,
    pub(super) freshness: Freshness,
    /// Top-level names that two branches wanted, with the branch that did not get it.
    pub(super) conflicts: Vec<(usize, String)>,
    /// The memory that the value takes.
    pub(super) _leases: Vec<Lease>,
}

/// Makes the whole of how each branch ended, or tells which required branch decides that there is none.
///
/// Groups come first, so that no answer can take the name of one; then the answers without a group, in the order in
/// which they were declared. A name that is taken stays with whoever has it.
pub(super) fn merge(plan: &Checked, ends: Vec<Result<Part, Failed>>) -> Result<Whole, (usize, Failed)> {
    let mut whole = Map::new();
    let mut notes = Vec::new();
    let mut freshness = Freshness::FOREVER;
    let (mut ungrouped, mut leases) = (Vec::new(), Vec::new());
    for (index, (step, end)) in plan.steps.iter().zip(ends).enumerate() {
        let part = match end {
            Ok(part) => {
                let (value, of_part, lease) = part.into_parts();
                freshness = freshness.and(of_part);
                leases.extend(lease);
                value
            }
            Err(failed) => {
                let ruling = step.rule.ruling(&failed);
                if let Ruling::Refuse(_) = ruling {
                    return Err((index, failed));
                }
                notes.push(failed.note(&step.name, ruling == Ruling::Instead));
                match &step.rule {
                    Rule::Fallback(value) => value.clone(),
                    _ => Value::Null,
                }
            }
        };
        match (&step.group, part) {
            (Some(group), part) => drop(whole.insert(group.clone(), part)),
            (None, Value::Object(part)) => ungrouped.push((index, part)),
            (None, _) => {}
        }
    }
    let mut conflicts = Vec::new();
    for (index, part) in ungrouped {
        for (key, value) in part {
            if whole.contains_key(&key) || plan.errors.as_ref() == Some(&key) {
                conflicts.push((index, key));
            } else {
                whole.insert(key, value);
            }
        }
    }
    let is_complete = notes.is_empty();
    if !is_complete {
        freshness = Freshness::NONE;
        if let Some(member) = &plan.errors {
            whole.insert(member.clone(), notes.into());
        }
    }
    if plan.is_private {
        freshness = freshness.private();
    }
    Ok(Whole { value: Value::Object(whole), is_complete, freshness, conflicts, _leases: leases })
}
