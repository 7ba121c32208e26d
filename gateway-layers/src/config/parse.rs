use std::{collections::HashMap, sync::Arc};

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, options};

use super::{
    node::{Budget, Content, Entry, NODE_WEIGHT, Node, Scalar, Style},
    problem::{Place, Problem, Problems, excerpt},
    section::join,
    syntax,
};

/// The tree of a document. Without it, the last problem says why.
pub(super) fn parse(text: &str, budget: &mut Budget, problems: &mut Problems) -> Option<Node> {
    let start = Place { line: 1, column: 1 };
    if text.len() > MAX_BYTES {
        let message = format!("the document has {} bytes; at most {MAX_BYTES} are read", text.len());
        problems.push(Problem::new(start, "", message));
        return None;
    }
    let options = options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut tree = Tree { budget, problems, open: Vec::new(), anchors: HashMap::new(), root: None };
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => tree.take(event, span),
            Err(error) => Err(tree.fatal(place(error.marker()), syntax::explain(&error, text))),
        };
        if let Err(fatal) = step {
            problems.push(fatal);
            return None;
        }
    }
    let root = tree.root;
    if root.is_none() {
        problems.push(Problem::new(start, "", "the document is empty"));
    }
    root
}

/// The tree while it grows.
struct Tree<'a> {
    budget: &'a mut Budget,
    problems: &'a mut Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
}

/// A list or map whose end has not come.
struct Open {
    place: Place,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// The lines of the keys so far.
        seen: HashMap<Arc<str>, u32>,
        key: Key,
    },
}

enum Key {
    Awaited,
    Is(Arc<str>, Node),
    /// A problem was reported; the value is skipped.
    Broken,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let here = place(&span.start);
        if let Some(tag) = span.tag_start() {
            self.problem(place(&tag), "tags such as `!name` are not read; leave it out");
        }
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(self.fatal(here, "a second document begins here; only one is read"))
            }
            Event::Scalar(text, style, anchor, _) => {
                self.spend(NODE_WEIGHT + text.len(), here)?;
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                let scalar = Scalar { text: text.into(), style, written: None };
                self.add(Node::new(here, Content::Scalar(scalar)), anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(here, anchor, Inside::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let inside = Inside::Map { entries: Vec::new(), seen: HashMap::new(), key: Key::Awaited };
                self.begin(here, anchor, inside)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { place, anchor, inside }) = self.open.pop() else { return Ok(()) };
                let content = match inside {
                    Inside::List(items) => Content::List(items),
                    Inside::Map { entries, .. } => Content::Map(entries),
                };
                self.add(Node::new(place, content), anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, here),
            Event::UnresolvedAlias(name) => {
                self.problem(
                    here,
                    format!("no anchor `&{0}` stands before the alias `*{0}`", excerpt(&name)),
                );
                self.add(Node::new(here, Content::Broken), 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, place: Place, anchor: usize, inside: Inside) -> Result<(), Problem> {
        self.spend(NODE_WEIGHT, place)?;
        self.open.push(Open { place, anchor, inside });
        match self.open.len() > MAX_DEPTH {
            true => Err(self.fatal(place, too_deep())),
            false => Ok(()),
        }
    }

    fn alias(&mut self, anchor: usize, here: Place) -> Result<(), Problem> {
        let Some(named) = self.anchors.get(&anchor) else {
            self.problem(here, "an alias cannot stand inside of what it repeats");
            return self.add(Node::new(here, Content::Broken), 0);
        };
        if self.open.len() + named.height() > MAX_DEPTH {
            return Err(self.fatal(here, too_deep()));
        }
        if !self.budget.spend(named.weight()) {
            return Err(self.fatal(here, too_large()));
        }
        let copy = Node::new(here, named.content.clone());
        self.add(copy, 0)
    }

    /// Puts a whole node where it belongs: into the list or map that is open, as a key or as a value.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        if anchor != 0 {
            self.spend(node.weight(), node.place)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(Open { inside, .. }) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match inside {
            Inside::List(items) => items.push(node),
            Inside::Map { entries, key, .. } => match std::mem::replace(key, Key::Awaited) {
                Key::Awaited => self.key(node),
                Key::Is(name, key) => entries.push(Entry { name, key, value: node }),
                Key::Broken => {}
            },
        }
        Ok(())
    }

    fn key(&mut self, node: Node) {
        let here = node.place;
        let Content::Scalar(scalar) = &node.content else {
            self.problem(here, "a key must be a plain word");
            return self.await_value_of(Key::Broken);
        };
        let name = Arc::clone(&scalar.text);
        let Some(Open { inside: Inside::Map { seen, .. }, .. }) = self.open.last_mut() else { return };
        let shown = excerpt(&name);
        match seen.get(&name).copied() {
            Some(line) => {
                self.problem(here, format!("the key `{shown}` is here twice, first in line {line}"));
                self.await_value_of(Key::Broken);
            }
            None if &*name == "<<" => {
                self.problem(here, "merging maps with `<<` is not YAML 1.2; repeat the keys");
                self.await_value_of(Key::Broken);
            }
            None => {
                seen.insert(Arc::clone(&name), here.line);
                self.await_value_of(Key::Is(name, node));
            }
        }
    }

    fn await_value_of(&mut self, new: Key) {
        if let Some(Open { inside: Inside::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = new;
        }
    }

    fn spend(&mut self, bytes: usize, here: Place) -> Result<(), Problem> {
        match self.budget.spend(bytes) {
            true => Ok(()),
            false => Err(self.fatal(here, too_large())),
        }
    }

    fn problem(&mut self, here: Place, message: impl Into<String>) {
        let problem = self.fatal(here, message);
        self.problems.push(problem);
    }

    fn fatal(&self, here: Place, message: impl Into<String>) -> Problem {
        Problem::new(here, self.path(), message)
    }

    /// The way to what comes next.
    fn path(&self) -> String {
        self.open.iter().fold(String::new(), |path, open| match &open.inside {
            Inside::List(items) => format!("{path}[{}]", items.len()),
            Inside::Map { key: Key::Is(name, _), .. } => join(&path, &excerpt(name)),
            Inside::Map { .. } => path,
        })
    }
}

fn place(marker: &Marker) -> Place {
    let number = |from: usize| u32::try_from(from).unwrap_or(u32::MAX);
    Place { line: number(marker.line()).max(1), column: number(marker.col()).saturating_add(1) }
}

fn too_large() -> &'static str {
    "the document is too large, with all that its aliases repeat"
}

pub(super) fn too_deep() -> String {
    format!("lists and maps nest deeper than {MAX_DEPTH} levels")
}

/// 1 MiB: a hundred times the longest document that people write.
const MAX_BYTES: usize = 1 << 20;

/// Far deeper than any section goes; it bounds the stack of everything that walks the tree.
const MAX_DEPTH: usize = 32;
