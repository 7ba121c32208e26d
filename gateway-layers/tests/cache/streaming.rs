//! Bodies on their way.
