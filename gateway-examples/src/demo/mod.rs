//! The embedded demo: a small shop on ports of its own, a token to enter it with, and lines to try.

mod services;
mod words;

use std::{collections::HashMap, error::Error};

use services::Identity;
pub(crate) use words::print;

/// The demo's document; it is also a file to start from.
pub(crate) const DOCUMENT: &str = include_str!("../../gateway.yaml");

/// The shop, running.
pub(crate) struct Shop {
    /// The variables under which the document finds its services.
    pub(crate) variables: HashMap<String, String>,
    /// Lets its holder in, for an hour.
    pub(crate) token: String,
}

/// Starts the services.
pub(crate) async fn start() -> Result<Shop, Box<dyn Error + Send + Sync>> {
    let identity = Identity::new()?;
    let mut variables = HashMap::new();
    for (variable, answer) in services::all(&identity) {
        let address = services::start(answer).await?;
        variables.insert(variable.to_owned(), format!("http://{address}"));
    }
    Ok(Shop { variables, token: identity.token()? })
}
