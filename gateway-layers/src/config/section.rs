use std::{
    cell::{Cell, RefCell},
    fmt,
    path::{Path, PathBuf},
};

use super::{
    Context,
    item::Item,
    node::{Content, Entry, Node, SKETCH},
    problem::{Place, Problem, Problems, excerpt},
    schema::SketchRef,
    suggest,
    value::Value,
};
use gateway_core::{Key, forwarding::OwnedHeaders, key_hash::Polynomial};
use http::HeaderName;

/// One map of the document, read key by key.
///
/// No call stops at a mistake: it gathers the problem, returns `None` or the default, and the reading goes on,
/// so that all problems are told at once. Keys that nobody asked for are problems too. Therefore a reading
/// function asks for every key first, whatever the values are, and builds afterwards:
///
/// ```ignore
/// pub(crate) fn read(section: &mut Section<'_>) -> Option<RateLimitLayer> {
///     let requests = section.required::<NonZeroU32>("requests");
///     let per = section.or("per", Duration::from_secs(60));
///     let burst = section.optional::<NonZeroU32>("burst");
///     let mode = section.or("mode", Mode::Enforce);
///     if per.is_zero() {
///         section.fail("per", "a quota needs a period");
///     }
///     Some(RateLimitLayer::new(...))
/// }
/// ```
///
/// The answer of a function that gathered a problem is never used.
pub(crate) struct Section<'a> {
    reader: &'a Reader<'a>,
    entries: &'a [Entry],
    /// Where keys are missing.
    at: Place,
    path: String,
    place: String,
    asked: Vec<&'static str>,
    missing: Vec<Missing>,
    /// Where it is noted what is asked for, if there is no document.
    pub(super) sketch: Option<SketchRef>,
}

impl<'a> Section<'a> {
    /// The value of a key that must be there.
    pub(crate) fn required<T: Value>(&mut self, name: &'static str) -> Option<T> {
        if let Some(sketch) = &self.sketch {
            sketch.demand(&[name]);
        }
        match self.item(name) {
            Some(item) => item.value(),
            None => {
                self.missing
                    .push(Missing { names: vec![name], wanted: format!("; expected {}", T::wanted()) });
                None
            }
        }
    }

    /// The value of a key that may be left out.
    pub(crate) fn optional<T: Value>(&mut self, name: &'static str) -> Option<T> {
        self.item(name)?.value()
    }

    /// The value of a key, or this default.
    pub(crate) fn or<T: Value>(&mut self, name: &'static str, default: T) -> T {
        self.optional(name).unwrap_or(default)
    }

    /// A list whose items are read one by one; empty if the key is left out. One scalar without a list around
    /// it counts as a list of one.
    pub(crate) fn list<T>(&mut self, name: &'static str, read: impl FnMut(&Item<'a>) -> Option<T>) -> Vec<T> {
        let item = self.item(name);
        let items = item.map(|item| item.items()).unwrap_or_default();
        items.iter().filter_map(read).collect()
    }

    /// A map of its own.
    pub(crate) fn section<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> Option<T>,
    ) -> Option<T> {
        self.item(name)?.section(read)
    }

    /// Either a value, as the short form, or a map: `timeout: 5s` or `timeout: {request: 5s}`.
    pub(crate) fn either<V: Value, T>(
        &mut self,
        name: &'static str,
        short: impl FnOnce(V) -> Option<T>,
        read: impl FnOnce(&mut Section<'_>) -> Option<T>,
    ) -> Option<T> {
        self.item(name)?.either(short, read)
    }

    /// A list of maps; empty if the key is left out.
    pub(crate) fn sections<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        let item = self.item(name);
        let items = item.map(|item| item.maps()).unwrap_or_default();
        items.iter().filter_map(|item| item.section(&mut read)).collect()
    }

    /// A map whose keys are names that the document chooses and whose values are maps.
    #[cfg_attr(not(test), expect(dead_code, reason = "no concern has named parts yet"))]
    pub(crate) fn named<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&str, &mut Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        self.entries(name, |key, item| item.section(|inner| read(key, inner)))
    }

    /// A map whose keys are names that the document chooses and whose values are anything.
    pub(crate) fn entries<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&str, &Item<'a>) -> Option<T>,
    ) -> Vec<T> {
        let item = self.item(name);
        let entries = item.map(|item| item.entries()).unwrap_or_default();
        entries.iter().filter_map(|(key, item)| read(key, item)).collect()
    }

    /// A map whose keys and values are of these types, such as header names and values.
    pub(crate) fn pairs<K: Value, V: Value>(&mut self, name: &'static str) -> Vec<(K, V)> {
        let item = self.item(name);
        let pairs = item.map(|item| item.pairs()).unwrap_or_default();
        pairs.iter().filter_map(|(key, value)| key.value().zip(value.value())).collect()
    }

    /// Says that a key must be there which is read by [`section`](Self::section), [`list`](Self::list) and the
    /// like; [`required`](Self::required) says it by itself.
    pub(crate) fn demand(&mut self, name: &'static str) {
        self.demand_one_of(&[name]);
    }

    /// Whether the document has this key.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.sketch.as_ref().map_or_else(|| self.entry(name).is_some(), SketchRef::has_keys)
    }

    /// Says that at least one of these keys must be there.
    pub(crate) fn demand_one_of(&mut self, names: &[&'static str]) {
        if let Some(sketch) = &self.sketch {
            sketch.demand(names);
        }
        // Every name is looked up, so that it counts as asked for.
        if names.iter().filter(|&&name| self.item(name).is_some()).count() == 0 {
            self.missing.push(Missing { names: names.to_vec(), wanted: String::new() });
        }
    }

    /// A problem with the value of this key, in words that do not repeat a secret.
    pub(crate) fn fail(&mut self, name: &'static str, message: impl Into<String>) {
        let (path, message) = (join(&self.path, name), message.into());
        self.reader.problem(match self.entry(name) {
            Some(Entry { value: Node { content: Content::Broken, .. }, .. }) => return,
            Some(Entry { value, .. }) => Problem::new(value.place, path, value.redact(message)),
            None => Problem::new(self.at, path, message),
        });
    }

    /// The value that was made of this key's value, or a problem in the words of the error.
    pub(crate) fn checked<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        made: Result<T, E>,
    ) -> Option<T> {
        made.map_err(|error| self.fail(name, error.to_string())).ok()
    }

    /// What layers share: the meter, the shelf of their state, the clock.
    pub(crate) fn context(&self) -> &'a Context {
        self.reader.context
    }

    /// Says that a layer of this section [owns](gateway_core::phase::Staged::owned_headers) headers.
    pub(crate) fn own(&self, headers: impl IntoIterator<Item = HeaderName>) {
        self.reader.owned.borrow_mut().extend(headers);
    }

    /// The headers that layers own, as far as they are read.
    pub(super) fn owned(&self) -> OwnedHeaders {
        self.reader.owned.borrow().iter().cloned().collect()
    }

    /// Something else that counts as said by the document.
    pub(super) fn note_text(&self, text: &str) {
        self.reader.said.borrow_mut().part(text.as_bytes());
    }

    /// A file that the document names.
    pub(super) fn note_file(&self, path: &Path) {
        let mut files = self.reader.files.borrow_mut();
        if !files.iter().any(|known| known == path) {
            files.push(path.to_owned());
        }
    }

    /// The files that the document names, as far as they are read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.reader.files.borrow().clone()
    }

    /// The hash of what the document says.
    pub(super) fn said(&self) -> u128 {
        self.reader.said.borrow().clone().finish()
    }

    /// Where the layer of this section stands, for labels and identities: `gateway`, or the name of a route.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Says whether the route that is read knows its callers.
    pub(super) fn know_callers(&self, known: bool) {
        self.reader.callers_known.set(known);
    }

    /// A problem with a key that reads who is calling where nobody says it: it would be missing from every request.
    pub(crate) fn check_key(&mut self, name: &'static str, key: &Key) {
        if key.needs_principal() && !self.reader.callers_known.get() {
            self.fail(name, CALLERS_UNKNOWN);
        }
    }

    /// Names the place of this section and of every section in it.
    pub(crate) fn stand_at(&mut self, place: &str) {
        place.clone_into(&mut self.place);
    }

    pub(super) fn new(
        reader: &'a Reader<'a>,
        entries: &'a [Entry],
        at: Place,
        path: &str,
        place: &str,
    ) -> Self {
        let (path, place) = (path.to_owned(), place.to_owned());
        Self { reader, entries, at, path, place, asked: Vec::new(), missing: Vec::new(), sketch: None }
    }

    fn item(&mut self, name: &'static str) -> Option<Item<'a>> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        let sketch = self.sketch.as_ref().map(|sketch| sketch.key(name));
        let (node, at) = match (&sketch, self.entry(name)) {
            (Some(_), _) => (&SKETCH, self.at),
            (None, Some(entry)) => (&entry.value, entry.key.place),
            (None, None) => return None,
        };
        let (path, place) = (join(&self.path, name), self.place.clone());
        Some(Item { reader: self.reader, node, at, path, place, sketch })
    }

    fn entry(&self, name: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| &*entry.name == name)
    }

    /// Reports the keys that nobody asked for and those that are missing.
    pub(super) fn finish(mut self) {
        let unknown = |entry: &&Entry| !self.asked.contains(&&*entry.name);
        for entry in self.entries.iter().filter(unknown) {
            let meant = match self.reader.problems.borrow().is_full() {
                true => None,
                false => suggest::nearest(&entry.name, self.asked.iter().copied()),
            };
            let key = excerpt(&entry.name);
            let message = match meant {
                Some(_) => format!("unknown key `{key}`"),
                None => format!("unknown key `{key}`; {}", known(&self.asked)),
            };
            // One mistake is told once: the key is not missing, it is misspelt.
            self.missing.retain(|missing| !missing.names.iter().any(|&name| Some(name) == meant));
            let problem = Problem::new(entry.key.place, self.path.as_str(), message);
            self.reader.problem(problem.suggest(meant.map(str::to_owned)));
        }
        for Missing { names, wanted } in &self.missing {
            let message = format!("`{}` is missing{wanted}", names.join("` or `"));
            self.reader.problem(Problem::new(self.at, self.path.as_str(), message));
        }
    }
}

/// A key that must be there, or one of several, and is not.
struct Missing {
    names: Vec<&'static str>,
    wanted: String,
}

/// What all sections of one reading share.
pub(super) struct Reader<'a> {
    pub(super) context: &'a Context,
    pub(super) problems: RefCell<Problems>,
    pub(super) owned: RefCell<Vec<HeaderName>>,
    /// Whether somebody says who the caller is, on the route that is read.
    pub(super) callers_known: Cell<bool>,
    /// What the document says, variables filled in.
    said: RefCell<Polynomial>,
    /// The files that the document names.
    pub(super) files: RefCell<Vec<PathBuf>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(context: &'a Context, problems: Problems) -> Self {
        let problems = RefCell::new(problems);
        Self {
            context,
            problems,
            owned: RefCell::default(),
            callers_known: Cell::new(true),
            said: RefCell::default(),
            files: RefCell::default(),
        }
    }

    pub(super) fn problem(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Reads a whole document.
    pub(super) fn read<T>(&self, root: &Node, read: impl FnOnce(&mut Section<'_>) -> Option<T>) -> Option<T> {
        root.hash(&mut self.said.borrow_mut());
        self.root(root, None).section(read)
    }

    /// Notes what would be read.
    pub(super) fn sketch<T>(&self, sketch: &SketchRef, read: impl FnOnce(&mut Section<'_>) -> Option<T>) {
        self.root(&SKETCH, Some(sketch.clone())).section(read);
    }

    fn root<'r>(&'r self, node: &'r Node, sketch: Option<SketchRef>) -> Item<'r> {
        let (path, place) = (String::new(), "gateway".to_owned());
        Item { reader: self, node, at: node.place, path, place, sketch }
    }
}

/// The path of a key inside the map at `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

/// What is wrong where something reads who is calling and nobody says it.
pub(super) const CALLERS_UNKNOWN: &str =
    "nobody says who the caller is; it needs `jwt` or `api_key` on the same route";

fn known(asked: &[&str]) -> String {
    match asked {
        [] => "nothing can be set here".to_owned(),
        asked => format!("known here: {}", asked.join(", ")),
    }
}
