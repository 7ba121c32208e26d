use std::sync::Arc;

use super::pool::Pool;
use crate::upstream::{Endpoint, EndpointGuard, Settings};

/// An endpoint and its connections.
pub(super) struct Line {
    pub(super) endpoint: Endpoint,
    pub(super) pool: Arc<Pool>,
    pub(super) guard: Option<Arc<dyn EndpointGuard>>,
}

impl Line {
    pub(super) fn new(
        endpoint: Endpoint,
        guard: Option<Arc<dyn EndpointGuard>>,
        settings: &Settings,
    ) -> Self {
        Self { endpoint, pool: Arc::new(Pool::new(settings.max_idle, settings.idle_timeout)), guard }
    }
}
