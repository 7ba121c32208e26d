use std::{fmt, time::Duration};

/// A steady rate and how much of it may come at once.
///
/// ```
/// use gateway_layers::rate_limit::Quota;
///
/// let steady = Quota::per_second(10);           // 10 at once, then one every 100 ms
/// let smooth = Quota::per_minute(600).burst(1); // one every 100 ms, never two at once
/// assert_eq!(steady.burst_size(), 10);
/// assert_eq!(smooth.burst_size(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    requests: u32,
    period: Duration,
    burst: u32,
}

impl Quota {
    /// So many requests a second.
    #[must_use]
    pub const fn per_second(requests: u32) -> Self {
        Self::per(requests, Duration::from_secs(1))
    }

    /// So many requests a minute.
    #[must_use]
    pub const fn per_minute(requests: u32) -> Self {
        Self::per(requests, Duration::from_secs(60))
    }

    /// So many requests an hour.
    #[must_use]
    pub const fn per_hour(requests: u32) -> Self {
        Self::per(requests, Duration::from_secs(3600))
    }

    /// So many requests in this period. The burst is the same number: a caller that was quiet for a whole
    /// period may spend it at once. A quota of 0 refuses everything.
    #[must_use]
    pub const fn per(requests: u32, period: Duration) -> Self {
        Self { requests, period, burst: requests }
    }

    /// How many requests may come at once; at least 1.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = if burst == 0 { 1 } else { burst };
        self
    }

    /// How many requests may come at once.
    #[must_use]
    pub const fn burst_size(self) -> u32 {
        if self.requests == 0 { 0 } else { self.burst }
    }

    /// How many requests pass in one period.
    #[must_use]
    pub const fn requests(self) -> u32 {
        self.requests
    }

    /// The period.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {:?}, {} at once", self.requests, self.period, self.burst_size())
    }
}
