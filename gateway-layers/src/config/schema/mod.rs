//! [`schema`]: the JSON Schema of the document, for editors and for programs that write documents.
//!
//! It is not written anywhere: the functions that read a document are run over one that is not there, and what they ask
//! for is noted. So it cannot say anything else than the reading does.

mod json;
mod shape;

use serde_json::Value as Json;

use super::{Context, Section, document, section::Reader};

pub(super) use shape::{Shape, SketchRef};

/// The JSON Schema (draft 7, which editors of YAML understand) of the document that [`load`](super::load) reads.
///
/// A value that is a number or a word may also be a text with a variable in it, such as `${PORT}`. What only the
/// reading can judge, such as whether two routes are the same, is not in it.
#[must_use]
pub fn schema() -> Json {
    let context = Context::default();
    json::document(&of(&context, document::document))
}

/// What a reading function asks for.
fn of<T>(context: &Context, reading: impl Fn(&mut Section<'_>) -> Option<T>) -> Shape {
    // Some keys are asked for only where another one is there, and some only where it is not.
    let with = sketch(context, true, &reading);
    let without = sketch(context, false, &reading);
    with.or(without)
}

fn sketch<T>(context: &Context, present: bool, reading: impl Fn(&mut Section<'_>) -> Option<T>) -> Shape {
    let sketch = SketchRef::new(present);
    let reader = Reader::new(context, super::Problems::of("schema"));
    reader.sketch(&sketch, reading);
    sketch.shape()
}

#[cfg(test)]
mod conforms;
#[cfg(test)]
mod tests;
