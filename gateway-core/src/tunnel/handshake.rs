//! [`Handshake`]: the rule of a switch, for the request and for its answer.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header,
    header::{
        SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
    request::Parts,
};

use super::{
    Upgrades, Wanted,
    accept::{accept, is_key, new_key},
    wanted::lists,
};
use crate::{Refusal, random::Random};

/// A request that may be switched to one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    protocol: HeaderValue,
    is_extended: bool,
    websocket: Option<WebSocket>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct WebSocket {
    key: HeaderValue,
    /// The subprotocols that the client offers.
    offered: Vec<HeaderValue>,
}

/// What an answer to a handshake is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The upstream switched.
    Switched,
    /// It did not; the answer is one like any other.
    Ordinary,
    /// It switched to something else, or did not understand.
    Wrong(&'static str),
}

impl Handshake {
    /// The handshake that this head begins, if its upstream allows it: the first protocol of the client's that is
    /// allowed. `None` for a request like any other, and for one whose wish is ignored.
    ///
    /// # Errors
    /// 501 `upgrade_not_allowed` for an extended `CONNECT`, which cannot be ignored. Of a handshake that is allowed:
    /// 400 `bad_upgrade`; 426 `websocket_version`; 403 `origin_not_allowed`.
    pub(crate) fn of(
        head: &Parts,
        wanted: &Wanted,
        has_body: bool,
        upgrades: &Upgrades,
        random: &Random,
    ) -> Result<Option<Self>, Refusal> {
        let allowed = |offer: &str| upgrades.protocols.iter().find(|name| name.eq_ignore_ascii_case(offer));
        let Some(protocol) = wanted.protocols().find_map(allowed) else {
            return if wanted.is_extended() { Err(not_allowed()) } else { Ok(None) };
        };
        if has_body {
            return Err(bad("a request that switches protocols has no body"));
        }
        let websocket = match protocol.eq_ignore_ascii_case("websocket") {
            true => Some(WebSocket::of(head, wanted, upgrades, random)?),
            false => None,
        };
        let protocol = HeaderValue::try_from(protocol).map_err(|_| not_allowed())?;
        Ok(Some(Self { protocol, is_extended: wanted.is_extended(), websocket }))
    }

    /// Writes into a head that is forwarded what belongs to this hop.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, self.protocol.clone());
        if let Some(websocket) = &self.websocket {
            headers.insert(SEC_WEBSOCKET_KEY, websocket.key.clone());
        }
    }

    /// What this answer means.
    pub(crate) fn judge(&self, status: StatusCode, headers: &HeaderMap) -> Answer {
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Answer::Ordinary;
        }
        let only = |name| one(headers, name).map(HeaderValue::as_bytes).map(<[u8]>::trim_ascii);
        let names_it = |name: &[u8]| name.eq_ignore_ascii_case(self.protocol.as_bytes());
        if !only(&UPGRADE).is_some_and(names_it) || !lists(headers, &header::CONNECTION, "upgrade") {
            return Answer::Wrong("the upstream switched to another protocol");
        }
        let Some(websocket) = &self.websocket else { return Answer::Switched };
        if only(&SEC_WEBSOCKET_ACCEPT) != Some(accept(websocket.key.as_bytes()).as_bytes()) {
            return Answer::Wrong("the upstream did not answer the key of the handshake");
        }
        match only(&SEC_WEBSOCKET_PROTOCOL) {
            None if headers.contains_key(SEC_WEBSOCKET_PROTOCOL) => Answer::Wrong("two subprotocols"),
            Some(chosen) if !websocket.offers(chosen) => {
                Answer::Wrong("the upstream chose a subprotocol that nobody offered")
            }
            _ => Answer::Switched,
        }
    }

    /// Turns the fields of an upstream's `101` into those that the client gets; those of the hop are gone already.
    pub(crate) fn answer(&self, headers: &mut HeaderMap) {
        // There is no content, whatever these say (RFC 9110 section 8.6).
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRAILER);
        if self.is_extended {
            headers.remove(SEC_WEBSOCKET_ACCEPT);
        } else {
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, self.protocol.clone());
        }
    }

    pub(super) fn is_websocket(&self) -> bool {
        self.websocket.is_some()
    }

    pub(super) fn protocol(&self) -> &HeaderValue {
        &self.protocol
    }
}

impl WebSocket {
    fn of(head: &Parts, wanted: &Wanted, upgrades: &Upgrades, random: &Random) -> Result<Self, Refusal> {
        if head.method != Method::GET {
            return Err(bad("a WebSocket begins with GET"));
        }
        let headers = &head.headers;
        if one(headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(Refusal::new(
                StatusCode::UPGRADE_REQUIRED,
                "websocket_version",
                "expected version 13",
            )
            .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
            .header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
            .header(UPGRADE, HeaderValue::from_static("websocket")));
        }
        check_origin(headers, &upgrades.origins)?;
        let key = match one(headers, &SEC_WEBSOCKET_KEY) {
            _ if wanted.is_extended() => new_key(random),
            Some(key) if is_key(key.as_bytes()) => key.clone(),
            _ => return Err(bad("Sec-WebSocket-Key is 16 bytes in base64")),
        };
        let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().cloned().collect();
        Ok(Self { key, offered })
    }

    fn offers(&self, chosen: &[u8]) -> bool {
        let mut offers = self.offered.iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
        offers.any(|offer| offer.trim_ascii() == chosen)
    }
}

fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Refusal> {
    if allowed.is_empty() {
        return Ok(());
    }
    let is_allowed = |origin: &HeaderValue| {
        allowed.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes()))
    };
    if headers.get_all(header::ORIGIN).iter().all(is_allowed) {
        return Ok(());
    }
    let detail = "pages of this origin may not open a WebSocket here";
    Err(Refusal::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail))
}

/// The value of a field that stands there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn bad(detail: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "bad_upgrade", detail)
}

fn not_allowed() -> Refusal {
    let detail = "this resource does not switch to that protocol";
    Refusal::new(StatusCode::NOT_IMPLEMENTED, "upgrade_not_allowed", detail)
}

#[cfg(test)]
mod tests;
