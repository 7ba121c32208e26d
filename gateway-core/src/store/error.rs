use std::{error::Error, fmt, sync::Arc};

/// Why a store gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// It failed a moment ago and is left alone; it was not asked.
    Resting,
    /// It did not answer in time.
    TimedOut,
    /// It could not be reached, or answered with an error; the text is for the log.
    Failed(Arc<str>),
}

impl StoreError {
    /// The word in metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::TimedOut => "timed_out",
            Self::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resting => f.write_str("the store failed a moment ago and is left alone"),
            Self::TimedOut => f.write_str("the store did not answer in time"),
            Self::Failed(text) => write!(f, "the store failed: {text}"),
        }
    }
}

impl Error for StoreError {}
