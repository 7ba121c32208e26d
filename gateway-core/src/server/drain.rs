//! The end of a server: it waits for open connections, but not for ever.

use std::time::Duration;

use tokio::task::{JoinError, JoinSet};

use crate::Clock;

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open when the server was told to stop and finished what they did.
    pub finished: usize,
    /// Connections that were cut because the time for draining was over.
    pub cut: usize,
}

impl Drained {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { finished: self.finished + other.finished, cut: self.cut + other.cut }
    }
}

/// Waits for the open connections, and cuts those that take longer than `timeout`.
pub(super) async fn wait(mut connections: JoinSet<()>, timeout: Duration, clock: &Clock) -> Drained {
    let mut finished = 0;
    let all = async {
        while let Some(outcome) = connections.join_next().await {
            told(outcome);
            finished += 1;
        }
    };
    let _ = clock.timeout(clock.now() + timeout, all).await;
    let mut cut = 0;
    connections.abort_all();
    while let Some(outcome) = connections.join_next().await {
        // One that came to its end in the last moment was not cut.
        if matches!(&outcome, Err(error) if error.is_cancelled()) {
            cut += 1;
        } else {
            finished += 1;
        }
    }
    Drained { finished, cut }
}

/// Tells the log of a connection that ended in a panic of the service.
pub(super) fn told(outcome: Result<(), JoinError>) {
    if let Err(error) = outcome
        && error.is_panic()
    {
        tracing::error!(target: "gateway", %error, "a panic ended a connection");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_those_that_end_and_cuts_those_that_do_not() {
        let mut connections = JoinSet::new();
        for seconds in [0, 1, 9, 11, 1_000] {
            connections.spawn(tokio::time::sleep(Duration::from_secs(seconds)));
        }
        let drained = wait(connections, Duration::from_secs(10), &Clock::default()).await;
        assert_eq!(drained, Drained { finished: 3, cut: 2 });
    }

    #[tokio::test]
    async fn has_nothing_to_wait_for_without_connections() {
        let (clock, _) = Clock::manual();
        assert_eq!(wait(JoinSet::new(), Duration::ZERO, &clock).await, Drained::default());
    }
}
