use std::borrow::Cow;

use gateway_core::Key;
use http::HeaderName;

use super::{
    suggest,
    value::{Value, Wrong},
};

/// One part of a key; a concern that takes several reads a list and joins them.
impl Value for Key {
    fn wanted() -> Cow<'static, str> {
        "client_addr, principal, tenant, claim:NAME, route, everyone, header:NAME, cookie:NAME or query:NAME"
            .into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if let Some(name) = text.strip_prefix("claim:").filter(|name| !name.is_empty()) {
            return Ok(Self::claim(name));
        }
        let named = |kind: &str| text.strip_prefix(kind).filter(|name| !name.is_empty());
        if let Some(name) = named("cookie:") {
            return Ok(Self::cookie(name));
        }
        if let Some(name) = named("query:") {
            return Ok(Self::query(name));
        }
        match (text, text.strip_prefix("header:")) {
            ("client_addr", _) => Ok(Self::client_addr()),
            ("principal", _) => Ok(Self::principal()),
            ("tenant", _) => Ok(Self::tenant()),
            ("route", _) => Ok(Self::route()),
            ("everyone", _) => Ok(Self::everyone()),
            (_, Some(name)) => HeaderName::try_from(name).map(Self::header).map_err(Wrong::because),
            _ => {
                let nearest =
                    suggest::nearest(text, ["client_addr", "principal", "tenant", "route", "everyone"]);
                Err(Wrong::meant(nearest.map(str::to_owned)))
            }
        }
    }
}
