use std::time::Duration;

/// How long a tick of an algorithm's clock is: a nanosecond in this process, longer where a store's numbers end
/// earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    pub(super) nanos: u64,
}

impl Ticks {
    /// A tick is a nanosecond.
    pub const NANOS: Self = Self { nanos: 1 };

    /// A tick is so many nanoseconds, at least one.
    #[must_use]
    pub const fn of_nanos(nanos: u64) -> Self {
        Self { nanos: if nanos == 0 { 1 } else { nanos } }
    }

    /// So many ticks are in this span, rounded down.
    #[must_use]
    pub const fn of(self, span: Duration) -> u64 {
        let nanos = match span.as_secs().checked_mul(1_000_000_000) {
            Some(nanos) => nanos.saturating_add(span.subsec_nanos() as u64),
            None => u64::MAX,
        };
        nanos / self.nanos
    }

    /// The span of so many ticks.
    #[must_use]
    pub const fn span(self, ticks: u64) -> Duration {
        Duration::from_nanos(ticks.saturating_mul(self.nanos))
    }
}
