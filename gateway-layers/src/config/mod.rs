//! Reading a YAML document.

mod interpolate;
mod item;
mod node;
mod parse;
mod problem;
mod section;
mod suggest;
mod value;
#[cfg(test)]
mod tests;

use std::{cell::RefCell, sync::Arc};

use gateway_core::{Clock, identity::Shelf, meter::Meter};

pub(crate) use item::Item;
pub use problem::{Problem, Problems};
pub(crate) use section::Section;
pub(crate) use value::{ByteSize, Secret, Value, Words, Wrong};

use node::Budget;
use section::Reader;

/// A document to be read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What messages call it, such as `gateway.yaml`.
    pub name: &'a str,
    /// The YAML text.
    pub text: &'a str,
}

/// What layers share with each other and with the graph before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// Counts for all layers.
    pub(crate) meter: Meter,
    /// Keeps the state of layers across graphs.
    pub(crate) shelf: Arc<Shelf>,
    /// Tells the time.
    pub(crate) clock: Clock,
}

/// Reads a document with one function, or tells every problem in it.
pub(crate) fn read<T>(
    source: Source<'_>,
    env: impl Fn(&str) -> Option<String>,
    context: &Context,
    reading: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<T, Problems> {
    let mut problems = Problems::of(source.name);
    let mut budget = Budget::new();
    let Some(mut root) = parse::parse(source.text, &mut budget, &mut problems) else {
        return Err(problems.sorted());
    };
    interpolate::interpolate(&mut root, &mut String::new(), &env, &mut budget, &mut problems);
    let reader = Reader { context, problems: RefCell::new(problems) };
    let made = reader.read(&root, reading);
    let mut problems = reader.problems.into_inner();
    if let (Some(made), true) = (made, problems.is_empty()) {
        return Ok(made);
    }
    if problems.is_empty() {
        problems.push(Problem::new(root.place, "", "the document was refused without a reason"));
    }
    Err(problems.sorted())
}
