#[cfg(feature = "config")]
mod config;
mod layer;
mod table;
