use std::fmt;

/// Everything that is wrong with a gateway, one line for each mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(pub(super) Vec<String>);

impl BuildError {
    /// The mistakes, each with the route it is about.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for BuildError {}
