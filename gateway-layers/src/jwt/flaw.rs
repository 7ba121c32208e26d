use std::{borrow::Cow, fmt};

/// Why a token does not pass: a class, and the reason for the log. It never holds a part of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) class: Class,
    why: Cow<'static, str>,
}

/// What the client may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It is no token that could pass here, whatever the keys are.
    Malformed,
    /// There is no key for it. A newer key set may have one.
    Unknown,
    /// The key that it names did not sign it. A newer key set may have another key of that name.
    Forged,
    /// It was good.
    Expired,
    /// It is signed, but not for this use.
    Unfit,
}

impl Flaw {
    pub(super) fn malformed(why: impl Into<Cow<'static, str>>) -> Self {
        Self { class: Class::Malformed, why: why.into() }
    }

    pub(super) fn unfit(why: impl Into<Cow<'static, str>>) -> Self {
        Self { class: Class::Unfit, why: why.into() }
    }

    pub(super) const fn new(class: Class, why: &'static str) -> Self {
        Self { class, why: Cow::Borrowed(why) }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
