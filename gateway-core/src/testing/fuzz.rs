//! Targets for a fuzzer, as plain functions: any bytes go in, and a broken promise is a panic.
//!
//! They need no nightly compiler: the tests replay a folder of inputs, and made-up ones, on stable. A fuzzer of your
//! own calls them from its entry point.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_layer::Layer;

use super::{
    MemoryServer,
    strict::{self, Wrong},
};
use crate::{Body, Clock, Facts, canonical, canonical::CanonicalLayer, forwarding};

/// All targets by name.
pub const TARGETS: [(&str, fn(&[u8])); 4] =
    [("path", path), ("headers", headers), ("request", request), ("chunks", chunks)];

/// A path's canonical form is its own canonical form, and hides nothing.
///
/// # Panics
/// When it does not.
pub fn path(bytes: &[u8]) {
    let Ok(path) = str::from_utf8(bytes) else { return };
    let Ok(found) = canonical::canonical_path(path) else { return };
    let once = found.as_deref().unwrap_or(path);
    assert_eq!(canonical::canonical_path(once), Ok(None), "{path:?} becomes {once:?}");
    assert!(once.is_empty() || once.starts_with('/') && !once.contains("//"), "{path:?} becomes {once:?}");
    assert!(!once.split('/').any(|segment| matches!(segment, "." | "..")), "{path:?} becomes {once:?}");
    assert!(once.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?} becomes {once:?}");
}

/// No field of one hop survives, and no `Connection` takes away what the gateway says. Lines are `name: value`.
///
/// # Panics
/// When one does.
pub fn headers(bytes: &[u8]) {
    let mut fields = HeaderMap::new();
    for line in bytes.split(|&byte| byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            fields.append(name, value);
        }
    }
    let mut request = Request::new(());
    *request.headers_mut() = fields;
    let (mut head, ()) = request.into_parts();
    let facts = Facts::of(&mut head.extensions, &Clock::default()).clone();
    facts.set_peer(([192, 0, 2, 7], 1).into());
    forwarding::remove_hop_by_hop(&mut head.headers);
    forwarding::write_forwarded(&mut head, Some(&facts));
    for gone in ["connection", "keep-alive", "te", "transfer-encoding", "upgrade", "proxy-connection"] {
        assert!(!head.headers.contains_key(gone), "{gone} survives");
    }
    assert_eq!(head.headers["x-forwarded-for"], "192.0.2.7");
    assert_eq!(head.headers["x-forwarded-proto"], "http");
    let odd = head.headers.keys().filter(|name| forwarding::is_forwarded_name(name));
    assert!(odd.count() <= 3, "only what we said is said");
}

/// Whatever comes over a connection of HTTP/1.1: a service behind the canonical layer sees no more requests than a
/// strict reader finds, with the same methods and bodies, and each in canonical form.
///
/// # Panics
/// When it sees another.
pub fn request(bytes: &[u8]) {
    let (whole, wrong) = strict::requests(bytes);
    let seen = seen(bytes);
    if matches!(wrong, Some(Wrong::Malformed(_))) {
        // It may still have one meaning for who reads a bare LF as a line end. The form was checked.
        return;
    }
    // Refused ones are missing in between.
    let mut whole = whole.iter();
    for (method, body) in seen {
        let found = whole.any(|strict| strict.method == method && strict.body == body);
        assert!(found, "{method} with {body:?} was made up");
    }
}

/// Whatever comes as a chunked body arrives as a strict reader takes it, or not at all.
///
/// # Panics
/// When it arrives otherwise.
pub fn chunks(bytes: &[u8]) {
    let mut sent = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    sent.extend_from_slice(bytes);
    let seen = seen(&sent);
    match strict::request(&sent) {
        Ok((strict, _)) => assert_eq!(seen.first(), Some(&(strict.method, strict.body))),
        Err(Wrong::Unfinished) => assert!(seen.is_empty(), "half a body was taken for a whole one"),
        // Extensions, for instance, are allowed, and what is behind them is hyper's to judge.
        Err(Wrong::Malformed(_)) => {}
    }
}

/// The methods and bodies of all whole requests that arrive behind the canonical layer.
fn seen(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let keep = tower::util::service_fn(move |request: Request<Incoming>| {
        let kept = Arc::clone(&kept);
        async move {
            let (head, body) = request.into_parts();
            let path = head.uri.path();
            assert_eq!(canonical::canonical_path(path), Ok(None), "{path} is not canonical");
            assert!(head.uri.authority().is_none() && head.headers.get_all(header::HOST).iter().count() <= 1);
            assert!(!head.headers.contains_key(header::TRANSFER_ENCODING));
            if let Ok(body) = Body::collect_limited(body, 1 << 20).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push((head.method.to_string(), body.to_vec()));
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    let server = MemoryServer::new(CanonicalLayer::default().layer(keep));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without I/O can be made").block_on(async {
        let mut client = server.raw();
        let mut answer = [0; 4096];
        // Its end is not told: that would break off what is still being answered. Paused time ends the wait at once.
        let exchange = async {
            let (mut read, mut write) = tokio::io::split(&mut client);
            let sending = async {
                drop(write.write_all(bytes).await);
                std::future::pending::<()>().await;
            };
            let reading = async { while let Ok(1..) = read.read(&mut answer).await {} };
            tokio::select! {
                () = reading => {}
                () = sending => {}
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(5), exchange).await);
    });
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    seen
}
