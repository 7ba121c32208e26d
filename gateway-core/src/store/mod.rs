//! Where layers keep what they would otherwise have to ask for again.

#[cfg(feature = "store_memory")]
pub mod memory;
