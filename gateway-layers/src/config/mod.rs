//! Reading a YAML document, so that every mistake in it is told at once, with its place and what was meant.
//!
//! ```text
//! gateway.yaml:12:7: routes[2].rate_limit.per: expected a duration such as 250ms or 5s, found `60` (did you mean `60s`?)
//! gateway.yaml:14:5: routes[2]: unknown key `upstrem` (did you mean `upstream`?)
//! ```
//!
//! **Values** are read by the type that is wanted, not by how they look: `version: 1.10` is the text `1.10`, and
//! `country: no` is the text `no`. Numbers and `true` or `false` stand without quotes; durations (`250ms`, `5s`,
//! `1m`, `1h`, `1d`) and sizes (`512B`, `10KiB`, `2MiB`, `1GiB`) have a unit. Where a list of texts is wanted, one
//! text may stand alone: `methods: GET`. A key without a value is a mistake and no default: a map of nothing but
//! defaults is written `{}`.
//!
//! **Variables**: any value, or a part of it, may be `${NAME}`, or `${NAME:default}` for when the environment
//! has no `NAME` (a variable that is set and empty is there). `$${` stands for `${`. They are filled in after the
//! parsing, scalar by scalar, so a variable cannot add a key or an item; the result is read as if it stood there
//! without quotes, so `"${PORT}"` is a number where one is wanted. Inside of `[ ]` and `{ }` a value with a
//! variable needs quotes. Messages name the variable and never show its value.
//!
//! **YAML** is version 1.2, and so JSON is read too. A document is refused if a key is in it twice, if it has tags,
//! directives, keys that are no words, `<<` or a second document. Anchors and aliases may save writing.
//!
//! **Bounds**: 1 MiB of text; 32 levels of lists and maps; 16 MiB for the tree with what aliases and variables add
//! to it (64 bytes for each value, and its text); [`Problems::MAX`] problems.
//!
//! A concern reads its part from a `Section` in its own `config.rs`.
//!
//! ```
//! use gateway_layers::config::{self, Context, Source};
//!
//! let text = "listen: 127.0.0.1:0\nroutes:\n  - {prefix: /, upstream: '${UPSTREAM}'}\n";
//! let source = Source { name: "gateway.yaml", text };
//! let environment = |name: &str| (name == "UPSTREAM").then(|| "http://127.0.0.1:9000".to_owned());
//! let declared = config::load(source, environment, &Context::default()).unwrap();
//! assert_eq!(declared.routes(), ["/*  ->  http://127.0.0.1:9000"]);
//!
//! let source = Source { name: "gateway.yaml", text: "routes:\n  - {prefx: /, upstream: 9}" };
//! let problems = config::load(source, |_| None, &Context::default()).unwrap_err();
//! assert!(problems.to_string().starts_with("gateway.yaml:2:6: routes[0]: unknown key `prefx` (did you mean `prefix`?)"));
//! ```

mod balance;
mod declared;
mod document;
mod files;
mod health;
mod interpolate;
mod item;
mod key;
mod listen;
mod live;
mod node;
mod parse;
mod problem;
mod reload;
mod schema;
mod section;
mod stack;
mod suggest;
mod syntax;
#[cfg(test)]
mod tests;
pub(crate) mod upstream;
mod value;
mod watch;

use std::{path::PathBuf, sync::Arc};

use gateway_core::{Clock, budget::Buffers, identity::Shelf, meter::Meter};

pub use declared::{Declared, DeclaredGateway};
pub use document::load;
pub(crate) use item::Item;
pub use listen::{Listen, Workers};
pub use live::Live;
pub use problem::{Problem, Problems};
pub use reload::{Reloaded, Reloader, Status};
pub use schema::schema;
pub(crate) use section::Section;
pub(crate) use value::{ByteSize, Secret, Value, Words, Wrong};
pub use watch::{Seen, Watch};

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
#[derive(Clone, Debug)]
pub struct Context {
    /// Counts for all layers.
    pub meter: Meter,
    /// Keeps the state of layers across graphs.
    pub shelf: Arc<Shelf>,
    /// Tells the time.
    pub clock: Clock,
    /// The memory for buffered bodies.
    pub buffers: Buffers,
    /// The folder from which the files that a document names are seen; empty: the one the program runs in.
    pub folder: PathBuf,
}

impl Default for Context {
    fn default() -> Self {
        let meter = Meter::default();
        let buffers = Buffers::default().meter(&meter);
        Self { meter, shelf: Arc::default(), clock: Clock::default(), buffers, folder: PathBuf::new() }
    }
}

/// Reads a document with one function, or tells every problem in it. Variables come from `env`.
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
    let reader = Reader::new(context, problems);
    let made = reader.read(&root, reading);
    let files = reader.files.into_inner();
    let mut problems = reader.problems.into_inner();
    if let (Some(made), true) = (made, problems.is_empty()) {
        return Ok(made);
    }
    if problems.is_empty() {
        problems.push(Problem::new(root.place, "", "the document was refused without a reason"));
    }
    Err(problems.sorted().with_files(files))
}
