use std::fmt;

use http::Method;

/// The methods of a rule; none named: every method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Methods {
    named: Vec<Method>,
    /// `HEAD` only where it is named.
    head_apart: bool,
}

/// How methods serve one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serves {
    /// It is named.
    Named,
    /// It is `HEAD`, and `GET` is named.
    AsGet,
    /// None is named.
    Any,
    Not,
}

impl Serves {
    /// Which goes first, if it serves at all.
    pub(super) fn order(self) -> Option<u8> {
        match self {
            Self::Named => Some(0),
            Self::AsGet => Some(1),
            Self::Any => Some(2),
            Self::Not => None,
        }
    }
}

impl Methods {
    pub(super) fn add(&mut self, method: Method) {
        if !self.named.contains(&method) {
            self.named.push(method);
        }
    }

    pub(super) fn keep_head_apart(&mut self) {
        self.head_apart = true;
    }

    pub(super) fn serves(&self, method: &Method) -> Serves {
        if self.named.is_empty() {
            Serves::Any
        } else if self.named.contains(method) {
            Serves::Named
        } else if method == Method::HEAD && self.head_follows() {
            Serves::AsGet
        } else {
            Serves::Not
        }
    }

    pub(super) fn is_any(&self) -> bool {
        self.named.is_empty()
    }

    pub(super) fn named(&self) -> &[Method] {
        &self.named
    }

    /// Whether `HEAD` is served because `GET` is.
    pub(super) fn head_follows(&self) -> bool {
        !self.head_apart && self.named.contains(&Method::GET)
    }

    /// All that are served, for `Allow`.
    pub(super) fn allowed(&self) -> impl Iterator<Item = Method> {
        self.named.iter().cloned().chain(self.head_follows().then_some(Method::HEAD))
    }
}

/// `GET, POST `, or nothing for every method.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.named.iter().enumerate() {
            let after = if index + 1 < self.named.len() { "," } else { "" };
            write!(f, "{method}{after} ")?;
        }
        Ok(())
    }
}
