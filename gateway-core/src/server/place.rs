//! How many connections are open at once, whichever listener and thread they came in by.

use std::sync::{Arc, atomic::Ordering};

use super::connection::Shared;
use crate::meter::Holding;

/// The place of one connection among those that may be open; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    _counted: Holding,
}

impl Place {
    /// Takes a place, if one is free.
    pub(super) fn take(shared: &Arc<Shared>) -> Option<Self> {
        if shared.open.fetch_add(1, Ordering::Relaxed) >= shared.settings.max_connections {
            shared.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self { shared: Arc::clone(shared), _counted: shared.counts.open.hold() })
    }

    /// Holds it while this is under way.
    pub(super) async fn held(self, serving: impl Future<Output = ()>) {
        serving.await;
        drop(self);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }
}
