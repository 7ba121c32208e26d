//! The part of the document under `request_id`.

use http::HeaderName;

use super::{Accept, RequestIdLayer};
use crate::config::{Section, Words};

/// ```yaml
/// request_id:
///   header: x-request-id
///   accept: never          # never | trusted_peers | always
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<RequestIdLayer> {
    let header = section.or("header", HeaderName::from_static("x-request-id"));
    let accept = section.or("accept", Accept::Never);
    Some(RequestIdLayer::default().header(header).accept(accept))
}

impl Words for Accept {
    const WORDS: &'static [(&'static str, Self)] =
        &[("never", Self::Never), ("trusted_peers", Self::TrustedPeers), ("always", Self::Always)];
}
