//! What a request's head becomes before it is forwarded.

use http::{HeaderValue, Method, StatusCode, header, request::Parts};

use crate::{
    Facts, Refusal,
    forwarding::{self, Pseudonym},
};

/// What is the same for every endpoint: the headers of a forwarded HTTP/1.1 request.
pub(super) fn prepare(head: &mut Parts, facts: Option<&Facts>, pseudonym: &Pseudonym) -> Result<(), Refusal> {
    check_method(&head.method)?;
    name_one_host(head)?;
    forwarding::spend_max_forwards(head)?;
    forwarding::remove_hop_by_hop(&mut head.headers);
    forwarding::remove_from_trailer_list(&mut head.headers);
    // The server answers `Expect` itself, when the body is first read.
    head.headers.remove(header::EXPECT);
    forwarding::join_cookies(&mut head.headers);
    forwarding::append_via(&mut head.headers, head.version, pseudonym)?;
    forwarding::write_forwarded(head, facts);
    if let Some(id) = facts.and_then(Facts::request_id) {
        head.headers.insert(forwarding::X_REQUEST_ID, id.as_header().clone());
    }
    Ok(())
}

/// `CONNECT` asks for a tunnel, and there is none here (RFC 9110 section 9.3.6).
fn check_method(method: &Method) -> Result<(), Refusal> {
    if method != Method::CONNECT {
        return Ok(());
    }
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "connect", "this gateway opens no tunnels");
    Err(refusal.header(header::ALLOW, HeaderValue::from_static("")))
}

/// Leaves one `Host`. A request that came over HTTP/2 may name it in its target alone.
fn name_one_host(head: &mut Parts) -> Result<(), Refusal> {
    let hosts = head.headers.get_all(header::HOST).iter().count();
    if hosts > 1 {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_host", "a request names one host"));
    }
    if hosts == 0
        && let Some(authority) = head.uri.authority()
        && let Some(host) = authority.as_str().rsplit('@').next()
        && let Ok(host) = HeaderValue::try_from(host)
    {
        head.headers.insert(header::HOST, host);
    }
    Ok(())
}
