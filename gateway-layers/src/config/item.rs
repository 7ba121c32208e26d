use super::{
    node::{Content, Entry, Node, SKETCH, Scalar, Style},
    problem::{Place, Problem, excerpt},
    schema::SketchRef,
    section::{Reader, Section, join},
    value::Value,
};

/// One value of the document: of a key or in a list.
pub(crate) struct Item<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) node: &'a Node,
    /// Where keys are missing if it is a map.
    pub(super) at: Place,
    pub(super) path: String,
    pub(super) place: String,
    /// Where it is noted what would be read, if there is no document.
    pub(super) sketch: Option<SketchRef>,
}

impl<'a> Item<'a> {
    /// It, as a value of this type.
    pub(crate) fn value<T: Value>(&self) -> Option<T> {
        if let Some(sketch) = &self.sketch {
            sketch.value(T::schema());
            return None;
        }
        T::read(self)
    }

    /// It, as a map.
    pub(crate) fn section<T>(&self, read: impl FnOnce(&mut Section<'_>) -> Option<T>) -> Option<T> {
        if let Some(sketch) = &self.sketch {
            sketch.map();
            let mut section = Section::new(self.reader, &[], self.at, &self.path, &self.place);
            section.sketch = Some(sketch.clone());
            return read(&mut section);
        }
        let Content::Map(entries) = &self.node.content else {
            return self.mismatch("a map");
        };
        let mut section = Section::new(self.reader, entries, self.at, &self.path, &self.place);
        let made = read(&mut section);
        section.finish();
        made
    }

    /// It, as a value or as a map.
    pub(crate) fn either<V: Value, T>(
        &self,
        short: impl FnOnce(V) -> Option<T>,
        read: impl FnOnce(&mut Section<'_>) -> Option<T>,
    ) -> Option<T> {
        match &self.node.content {
            Content::Sketch => {
                let _ = self.value().and_then(short);
                self.section(read)
            }
            Content::Map(_) => self.section(read),
            Content::Scalar(scalar) if scalar.is_null() => {
                self.mismatch(&format!("{}, or a map", V::wanted()))
            }
            _ => self.value().and_then(short),
        }
    }

    /// A problem with it, in words that do not repeat a secret.
    pub(crate) fn fail(&self, message: impl Into<String>) {
        if matches!(self.node.content, Content::Broken) {
            return;
        }
        let message = self.node.redact(message.into());
        self.reader.problem(Problem::new(self.node.place, self.path.as_str(), message));
    }

    /// It as one text, by the rules of `T`.
    pub(super) fn scalar<T: Value>(&self) -> Option<T> {
        let Content::Scalar(scalar) = &self.node.content else {
            return self.mismatch(&T::wanted());
        };
        if scalar.is_null() {
            return self.mismatch(&T::wanted());
        }
        let text = &*scalar.text;
        let (reason, suggestion) = match T::parse(text) {
            Ok(_) if T::BARE && scalar.style == Style::Quoted => {
                (Some("leave out the quotes".to_owned()), Some(text.to_owned()))
            }
            Ok(value) => return Some(value),
            Err(wrong) => (wrong.reason, wrong.suggestion),
        };
        let is_secret = T::is_secret(text);
        let may_show = !is_secret && scalar.written.is_none();
        let found = if is_secret { "a text that is not one".to_owned() } else { found(scalar) };
        let mut message = format!("expected {}, found {found}", T::wanted());
        if let Some(reason) = reason.filter(|_| may_show) {
            message = format!("{message}: {reason}");
        }
        let problem = Problem::new(self.node.place, self.path.as_str(), message);
        self.reader.problem(problem.suggest(suggestion.filter(|_| may_show)));
        None
    }

    /// The items of a list, or itself if it is one scalar.
    pub(super) fn items(&self) -> Vec<Self> {
        if let Some(sketch) = &self.sketch {
            return vec![self.sketched(sketch.items()), self.sketched(sketch.single())];
        }
        match &self.node.content {
            Content::List(items) => self.each(items),
            Content::Scalar(scalar) if !scalar.is_null() => vec![self.at(self.node, self.path.clone())],
            _ => self.mismatch("a list").unwrap_or_default(),
        }
    }

    /// The items of a list that should be maps.
    pub(super) fn maps(&self) -> Vec<Self> {
        if let Some(sketch) = &self.sketch {
            return vec![self.sketched(sketch.items())];
        }
        match &self.node.content {
            Content::List(items) => self.each(items),
            _ => self.mismatch("a list of maps").unwrap_or_default(),
        }
    }

    fn each(&self, items: &'a [Node]) -> Vec<Self> {
        let path = |index| format!("{}[{index}]", self.path);
        items.iter().enumerate().map(|(index, node)| self.at(node, path(index))).collect()
    }

    fn at(&self, node: &'a Node, path: String) -> Self {
        Item { reader: self.reader, node, at: node.place, path, place: self.place.clone(), sketch: None }
    }

    /// Something in it that is only sketched.
    fn sketched(&self, sketch: SketchRef) -> Self {
        Item { sketch: Some(sketch), ..self.at(&SKETCH, String::new()) }
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.content, Content::List(_))
    }

    /// The keys and values of a map whose keys the document chooses.
    pub(super) fn entries(&self) -> Vec<(&'a str, Self)> {
        if let Some(sketch) = &self.sketch {
            return vec![("", self.sketched(sketch.chosen().1))];
        }
        let Content::Map(entries) = &self.node.content else {
            return self.mismatch("a map").unwrap_or_default();
        };
        entries.iter().map(|entry| (&*entry.name, self.inner(entry, &entry.value))).collect()
    }

    /// The same, with each key as a value of its own.
    pub(super) fn pairs(&self) -> Vec<(Self, Self)> {
        if let Some(sketch) = &self.sketch {
            let (name, value) = sketch.chosen();
            return vec![(self.sketched(name), self.sketched(value))];
        }
        let Content::Map(entries) = &self.node.content else {
            return self.mismatch("a map").unwrap_or_default();
        };
        entries.iter().map(|entry| (self.inner(entry, &entry.key), self.inner(entry, &entry.value))).collect()
    }

    fn inner(&self, entry: &Entry, node: &'a Node) -> Self {
        Item {
            reader: self.reader,
            node,
            at: entry.key.place,
            path: join(&self.path, &excerpt(&entry.name)),
            place: self.place.clone(),
            sketch: None,
        }
    }

    fn mismatch<T>(&self, wanted: &str) -> Option<T> {
        let found = match &self.node.content {
            Content::Broken | Content::Sketch => return None,
            Content::Scalar(scalar) if scalar.is_null() => "nothing",
            Content::Scalar(_) => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        };
        // People write `client_addr:` and mean it with all its defaults.
        let meant = (wanted == "a map" && found == "nothing").then(|| "{}".to_owned());
        let message = format!("expected {wanted}, found {found}");
        self.reader.problem(Problem::new(self.node.place, self.path.as_str(), message).suggest(meant));
        None
    }
}

fn found(scalar: &Scalar) -> String {
    match (&scalar.written, scalar.style) {
        (Some(written), _) => format!("the value of `{}`", excerpt(written)),
        (None, _) if scalar.text.is_empty() => "an empty text".to_owned(),
        (None, Style::Quoted) => format!("the quoted text `{}`", excerpt(&scalar.text)),
        (None, _) => format!("`{}`", excerpt(&scalar.text)),
    }
}
