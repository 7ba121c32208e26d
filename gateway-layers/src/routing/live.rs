use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::{Stack, Table};

/// The table that a [`RoutingLayer`](super::RoutingLayer) asks, and the handle that replaces it while requests are in
/// flight. Clones share it.
///
/// A request asks the table that is there when it arrives, and goes on with the stack it found there; the old table is
/// dropped when the last one that asks it is done. Asking takes no lock and allocates nothing.
///
/// ```
/// use gateway_layers::routing::{LiveTable, NotFound, RoutingLayer, Rule, Stack, Table};
///
/// let live = LiveTable::default();
/// let layer = RoutingLayer::of(&live);
/// live.replace(Table::new([(Rule::prefix("/a"), Stack::new(NotFound))])?);
/// assert_eq!(live.table().routes().count(), 1);
/// # let _ = layer;
/// # Ok::<(), Vec<gateway_layers::routing::RuleError>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LiveTable(Arc<ArcSwap<Table<Stack>>>);

impl LiveTable {
    /// A handle with this table in it.
    #[must_use]
    pub fn new(table: Table<Stack>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(table)))
    }

    /// From now on requests ask this table.
    pub fn replace(&self, table: Table<Stack>) {
        self.0.store(Arc::new(table));
    }

    /// The table that is asked now.
    #[must_use]
    pub fn table(&self) -> Arc<Table<Stack>> {
        self.0.load_full()
    }

    pub(super) fn ask(&self) -> Guard<Arc<Table<Stack>>> {
        self.0.load()
    }
}

/// A table without rules.
impl Default for LiveTable {
    fn default() -> Self {
        Self::new(Table::default())
    }
}

impl From<Table<Stack>> for LiveTable {
    fn from(table: Table<Stack>) -> Self {
        Self::new(table)
    }
}

impl From<&Self> for LiveTable {
    fn from(live: &Self) -> Self {
        live.clone()
    }
}
