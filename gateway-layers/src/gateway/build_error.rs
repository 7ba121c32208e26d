use std::fmt;

use gateway_core::upstream::UpstreamConfigError;

use crate::routing::RuleError;

/// Everything that is wrong with a gateway, one line for each mistake, in the order of the routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(pub(super) Vec<Problem>);

impl BuildError {
    /// The mistakes.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

impl std::error::Error for BuildError {}

/// One mistake in one route of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The route's rule cannot be used.
    Rule(RuleError),
    /// The route's upstream cannot be used.
    Upstream {
        /// The name of the route.
        route: String,
        /// What is wrong with it.
        error: UpstreamConfigError,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(error) => write!(f, "route `{}`: {}", error.rule(), error.message()),
            Self::Upstream { route, error } => write!(f, "route `{route}`: upstream: {error}"),
        }
    }
}

impl std::error::Error for Problem {}
