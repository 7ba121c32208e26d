//! The part of the document under `client_addr`.

use std::borrow::Cow;

use super::{ClientAddrLayer, ForwardedHeader, Network};
use crate::config::{Section, Value, Words, Wrong};

/// ```yaml
/// client_addr:
///   trusted_proxies: [10.0.0.0/8, "2001:db8::/32"]   # default: nobody
///   header: x-forwarded-for                          # x-forwarded-for | forwarded
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<ClientAddrLayer> {
    let trusted = section.or("trusted_proxies", Vec::<Network>::new());
    let header = section.or("header", ForwardedHeader::default());
    Some(ClientAddrLayer::new(trusted).header(header))
}

impl Words for ForwardedHeader {
    const WORDS: &'static [(&'static str, Self)] =
        &[("x-forwarded-for", Self::XForwardedFor), ("forwarded", Self::Forwarded)];
}

impl Value for Network {
    fn wanted() -> Cow<'static, str> {
        "a network such as 10.0.0.0/8 or 2001:db8::/32".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| Wrong::default())
    }
}
