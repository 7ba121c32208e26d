//! The concern as a whole; what is pure is tested beside it.

mod composer;
mod declared;
mod outcomes;
mod plans;
mod service;
mod wire;
