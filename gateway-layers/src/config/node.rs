use std::sync::Arc;

use gateway_core::key_hash::Polynomial;

use super::problem::{Place, excerpt};

/// A value of the document and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar(Scalar),
    List(Vec<Node>),
    /// The entries in their order, without duplicates.
    Map(Vec<Entry>),
    /// A problem was reported here already.
    Broken,
    /// Nothing: what would be read is only noted.
    Sketch,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    /// The name as a value, for maps whose keys have a type.
    pub(super) key: Node,
    pub(super) value: Node,
}

#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: Arc<str>,
    pub(super) style: Style,
    /// What stands in the document if a part of `text` came from the environment, which is never shown.
    pub(super) written: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// Quoted, or a block of text.
    Quoted,
    /// With `${NAME}` in it: read as if the result stood there plain.
    Interpolated,
}

impl Scalar {
    /// Whether it stands for nothing, as in `key:` and `key: null`.
    pub(super) fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }
}

impl Node {
    pub(super) fn new(place: Place, content: Content) -> Self {
        Self { place, content }
    }

    /// How many levels of lists and maps it holds.
    pub(super) fn height(&self) -> usize {
        match &self.content {
            Content::Scalar(_) | Content::Broken | Content::Sketch => 0,
            Content::List(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            Content::Map(entries) => 1 + entries.iter().map(|entry| entry.value.height()).max().unwrap_or(0),
        }
    }

    /// The message without the values that the environment gave to this node: `${NAME}` stands in their place.
    /// Values of less than four letters stay; they are no secrets, and replacing them would garble the message.
    pub(super) fn redact(&self, message: String) -> String {
        match &self.content {
            Content::Broken | Content::Sketch => message,
            Content::Scalar(Scalar { text, written: Some(written), .. }) if text.len() >= 4 => {
                message.replace(&**text, &excerpt(written))
            }
            Content::Scalar(_) => message,
            Content::List(items) => items.iter().fold(message, |message, item| item.redact(message)),
            Content::Map(entries) => {
                entries.iter().fold(message, |message, entry| entry.value.redact(message))
            }
        }
    }

    /// Adds what it says, and not where it stands.
    pub(super) fn hash(&self, hash: &mut Polynomial) {
        match &self.content {
            Content::Scalar(scalar) => {
                hash.part(if scalar.style == Style::Quoted { b"quoted" } else { b"plain" });
                hash.part(scalar.text.as_bytes());
            }
            Content::Broken | Content::Sketch => hash.part(b"nothing"),
            Content::List(items) => {
                hash.part(b"list");
                hash.part(&items.len().to_le_bytes());
                items.iter().for_each(|item| item.hash(hash));
            }
            Content::Map(entries) => {
                hash.part(b"map");
                hash.part(&entries.len().to_le_bytes());
                for entry in entries {
                    entry.key.hash(hash);
                    entry.value.hash(hash);
                }
            }
        }
    }

    /// What it takes of the [`Budget`], with everything in it.
    pub(super) fn weight(&self) -> usize {
        NODE_WEIGHT
            + match &self.content {
                Content::Scalar(scalar) => scalar.text.len(),
                Content::Broken | Content::Sketch => 0,
                Content::List(items) => items.iter().map(Self::weight).sum(),
                Content::Map(entries) => {
                    entries.iter().map(|entry| entry.key.weight() + entry.value.weight()).sum()
                }
            }
    }
}

/// What stands everywhere in a document that is only sketched.
pub(super) static SKETCH: Node = Node { place: Place::START, content: Content::Sketch };

/// How much a document may grow: by nodes, by aliases and by variables.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new() -> Self {
        Self(MAX_WEIGHT)
    }

    /// Takes so many bytes; false if they are not left.
    #[must_use]
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// About what a node takes of the memory beside its text.
pub(super) const NODE_WEIGHT: usize = 64;

/// Sixteen times the longest text: more than a document needs that does not multiply itself.
const MAX_WEIGHT: usize = 16 << 20;
