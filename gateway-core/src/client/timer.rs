use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use crate::{Clock, clock::Sleep};

/// A timer that is made when something first has to wait, and then only moved. It goes from request to request with
/// its connection: to move a tokio timer to a later time takes no lock, to make and unmake one for every request
/// takes two.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<(Pin<Box<Sleep>>, Instant)>);

impl Timer {
    /// Ready when it is `until`.
    pub(super) fn poll(&mut self, until: Instant, clock: &Clock, cx: &mut Context<'_>) -> Poll<()> {
        let (sleep, set) = self.0.get_or_insert_with(|| (Box::pin(clock.sleep_until(until)), until));
        if *set != until {
            sleep.as_mut().reset(until);
            *set = until;
        }
        sleep.as_mut().poll(cx)
    }
}
