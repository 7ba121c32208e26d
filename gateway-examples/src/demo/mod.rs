//! The embedded demo: a few small services on ports of their own, and lines to try.

mod services;
mod words;

use std::{collections::HashMap, io, net::SocketAddr};

pub(crate) use words::print;

/// The demo's document; it is also a file to start from.
pub(crate) const DOCUMENT: &str = include_str!("../../gateway.yaml");

/// Starts the services and returns the variables under which the document finds them.
pub(crate) async fn start_services() -> io::Result<HashMap<String, String>> {
    let mut variables = HashMap::new();
    for (variable, start) in services::ALL {
        let address: SocketAddr = start().await?;
        variables.insert((*variable).to_owned(), format!("http://{address}"));
    }
    Ok(variables)
}
