use std::sync::Arc;

use super::pool::Pool;
use crate::upstream::{Endpoint, EndpointGuard};

/// An endpoint and its connections.
pub(super) struct Line {
    pub(super) endpoint: Endpoint,
    pub(super) pool: Arc<Pool>,
    pub(super) guard: Option<Arc<dyn EndpointGuard>>,
}
