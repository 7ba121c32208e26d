//! [`Mode`]: one vocabulary for every layer that decides.

use std::{fmt, str::FromStr};

/// Whether a layer's "no" is carried out.
///
/// In the declarative form: `mode: enforce | audit | off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A refusal is answered to the client. The default.
    #[default]
    Enforce,
    /// The layer decides, counts and logs as if it enforced, and lets every request pass.
    Audit,
    /// The layer does nothing.
    Off,
}

impl Mode {
    /// Every mode, in the order in which documents list them.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Audit, Self::Off];

    /// The word of the declarative form, also used in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == word)
            .ok_or_else(|| format!("expected enforce, audit or off, found `{word}`"))
    }
}
