use std::{fmt, path::PathBuf};

/// One mistake in a document: where it is, what is wrong and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The way through the document, such as `routes[2].rate_limit.per`; empty for the whole document.
    pub path: String,
    /// What is wrong. It never holds a value from the environment or of a type that may be secret.
    pub message: String,
    /// What could be written instead.
    pub suggestion: Option<String>,
}

impl Problem {
    pub(super) fn new(place: Place, path: impl Into<String>, message: impl Into<String>) -> Self {
        let Place { line, column } = place;
        let message = message.into().replace(char::is_control, " ");
        Self { line, column, path: path.into(), message, suggestion: None }
    }

    pub(super) fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " (did you mean `{suggestion}`?)"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a document, in the order of its lines.
///
/// It is shown with one line for each problem: `gateway.yaml:12:7: routes[2].rate_limit.per: expected ...`.
/// At most [`Problems::MAX`] are kept; the rest is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    source: String,
    list: Vec<Problem>,
    more: usize,
    /// What the document names, as far as it was read.
    files: Vec<PathBuf>,
}

impl Problems {
    /// How many problems are kept: more than anybody reads, and little memory for a hostile document.
    pub const MAX: usize = 100;

    pub(super) fn of(source: impl Into<String>) -> Self {
        Self { source: source.into(), list: Vec::new(), more: 0, files: Vec::new() }
    }

    /// The problems that were kept.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// The files that the document names, as far as it was read.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    pub(super) fn with_files(mut self, files: Vec<PathBuf>) -> Self {
        self.files = files;
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether more problems are only counted, so that their suggestions need not be sought.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= Self::MAX
    }

    pub(super) fn push(&mut self, problem: Problem) {
        match self.is_full() {
            true => self.more += 1,
            false => self.list.push(problem),
        }
    }

    pub(super) fn sorted(mut self) -> Self {
        self.list.sort_by_key(|problem| (problem.line, problem.column));
        // Two concerns may read one key.
        self.list.dedup();
        self
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}:{problem}", self.source)?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n{}: and {more} more", self.source),
        }
    }
}

impl std::error::Error for Problems {}

/// A place in the text, both numbers from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Place {
    /// The first letter.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// A text of the document as it may stand in a message: on one line and not long.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push_str("...");
    }
    // `escape_debug` escapes quotes too, which need no escape between backticks.
    shown.replace("\\\"", "\"").replace("\\'", "'")
}

const MAX_SHOWN: usize = 60;
