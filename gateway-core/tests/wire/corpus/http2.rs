//! Requests of HTTP/2 that no library would send.

use super::PARALLEL;
use crate::{
    gateway::Gateway,
    h2::{Http2, Outcome, get, with},
    upstream::Recorder,
};

struct Case {
    name: String,
    fields: Vec<(String, Vec<u8>)>,
    /// Frames of data, and trailers behind them.
    data: Vec<Vec<u8>>,
    trailers: Option<Vec<(String, Vec<u8>)>>,
    /// Whether it may reach the upstream.
    may: bool,
}

fn owned(fields: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect()
}

fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add =
        |name: String, fields: &[(&str, &[u8])], data: &[&[u8]], trailers: Option<&[(&str, &[u8])]>, may| {
            let data = data.iter().map(|data| data.to_vec()).collect();
            cases.push(Case { name, fields: owned(fields), data, trailers: trailers.map(owned), may });
        };
    for (name, value) in [
        ("connection", "close"),
        ("connection", "host"),
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("keep-alive", "x"),
        ("proxy-connection", "x"),
        ("upgrade", "websocket"),
        ("te", "chunked"),
        ("te", "trailers;q=1"),
        ("host", "b"),
        ("host", ""),
        ("host", "a:1"),
        ("host", "a, b"),
        ("expect", "x"),
        ("content-length", "1"),
        ("content-length", "-1"),
        ("content-length", "0x0"),
        ("content-length", "1, 1"),
        ("X-UPPER", "x"),
        ("x y", "x"),
        ("x:y", "x"),
        ("", "x"),
        ("x\r\ny", "x"),
        ("x\0", "x"),
        ("x", "a\r\nb: c"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        (":late", "x"),
        (":path", "/smuggled"),
        (":authority", "b"),
        (":status", "200"),
        (":protocol", "websocket"),
    ] {
        add(format!("{name:?}: {value:?}"), &get("{p}", &[(name, value.as_bytes())]), &[], None, false);
    }
    for (name, value) in [
        ("host", "a"),
        ("te", "trailers"),
        ("x_odd", "y"),
        ("content_length", "5"),
        ("x-empty", ""),
        ("cookie", "a=b"),
        ("proxy-authorization", "x"),
        ("http2-settings", "AAAA"),
        ("content-length", "0"),
        ("x", "\u{e9}"),
        ("x", " y "),
        ("trailer", "host"),
    ] {
        add(format!("{name:?}: {value:?} passes"), &get("{p}", &[(name, value.as_bytes())]), &[], None, true);
    }
    for path in [
        "{p}/../../..",
        "{p}%2f",
        "{p}%5c",
        "{p}%00",
        "{p}%zz",
        "{p}\\",
        "{p}/..;/",
        "{p} x",
        "{p}\r\nx: y",
        "{p}\0",
        "c{p}",
        "*",
        "http://b{p}",
        "?{p}",
        "{p} HTTP/1.1\r\nhost: b\r\n\r\nGET /smuggled",
    ] {
        add(format!("path {path:?}"), &get(path, &[]), &[], None, false);
    }
    for path in ["{p}/./x", "{p}//x", "/x/..{p}", "{p}?%zz", "{p}?a=/../"] {
        add(format!("odd path {path:?}"), &get(path, &[]), &[], None, true);
    }
    for method in ["CONNECT", "TRACE", "G T", "GET\r\n", "G\0T", "", "GET {p} HTTP/1.1\r\nx: y"] {
        add(format!("method {method:?}"), &with(method, "{p}", &[]), &[], None, false);
    }
    for authority in [
        "b/c",
        "u@b",
        "b c",
        "b:x",
        "b:99999",
        "[::1",
        "b\r\nx: y",
        "b,c",
        "b\0",
        "b?c",
        "b#c",
        "b\u{e9}",
        "*",
    ] {
        let fields: [(&str, &[u8]); 4] = [
            (":method", b"GET"),
            (":scheme", b"http"),
            (":authority", authority.as_bytes()),
            (":path", b"{p}"),
        ];
        add(format!("authority {authority:?}"), &fields, &[], None, false);
    }
    for scheme in ["ftp", "", "http\r\nx", "ht tp", "javascript"] {
        let fields: [(&str, &[u8]); 4] =
            [(":method", b"GET"), (":scheme", scheme.as_bytes()), (":authority", b"a"), (":path", b"{p}")];
        add(format!("scheme {scheme:?}"), &fields, &[], None, false);
    }
    for (length, data) in [("5", "1234"), ("3", "1234"), ("0", "1"), ("4294967300", "1234"), ("1", "")] {
        let fields = with("POST", "{p}", &[("content-length", length.as_bytes())]);
        add(format!("length {length} for {data:?}"), &fields, &[data.as_bytes()], None, false);
    }
    let smuggled: &[u8] = b"0\r\n\r\nGET {p}/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    add("data that look like chunks".into(), &with("POST", "{p}", &[]), &[smuggled, b"x"], None, true);
    let sized = with("POST", "{p}", &[("content-length", b"4")]);
    add("data in pieces".into(), &sized, &[b"1", b"23", b"", b"4"], None, true);
    for (name, value) in [
        (":path", "/b"),
        (":status", "200"),
        ("X-A", "b"),
        ("connection", "close"),
        ("x", "a\r\nb"),
        ("te", "x"),
    ] {
        let trailers: [(&str, &[u8]); 1] = [(name, value.as_bytes())];
        add(format!("trailer {name}"), &with("POST", "{p}", &[]), &[b"x"], Some(&trailers), false);
    }
    for name in ["host", "content-length", "authorization", "x-forwarded-for", "via", "x-user"] {
        let trailers: [(&str, &[u8]); 1] = [(name, b"evil")];
        let fields = with("POST", "{p}", &[("trailer", name.as_bytes())]);
        add(format!("trailer {name} goes"), &fields, &[b"x"], Some(&trailers), true);
    }
    cases
}

async fn send(gateway: &Gateway, index: usize, case: &Case) -> Outcome {
    let own = format!("/c{index}");
    let mut client = Http2::connect(gateway.address).await;
    let placed: Vec<(String, Vec<u8>)> = case
        .fields
        .iter()
        .map(|(name, value)| (name.clone(), super::replace(value, b"{p}", own.as_bytes())))
        .collect();
    let fields: Vec<(&str, &[u8])> =
        placed.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    client.headers(1, &fields, case.data.is_empty() && case.trailers.is_none()).await;
    for (number, data) in case.data.iter().enumerate() {
        client.data(1, data, number + 1 == case.data.len() && case.trailers.is_none()).await;
    }
    if let Some(trailers) = &case.trailers {
        let trailers: Vec<(&str, &[u8])> =
            trailers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        client.headers(1, &trailers, true).await;
    }
    client.outcome(1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_http2_becomes_two_or_a_malformed_one() {
    let upstream = Recorder::start().await;
    let gateway = std::sync::Arc::new(Gateway::before(&upstream).await);
    let mut failures = Vec::new();
    let mut running = tokio::task::JoinSet::new();
    let mut allowed = Vec::new();
    for (index, case) in all().into_iter().enumerate() {
        allowed.push((case.name.clone(), case.may));
        let gateway = std::sync::Arc::clone(&gateway);
        running.spawn(async move {
            let outcome = send(&gateway, index, &case).await;
            let is_served = matches!(outcome, Outcome::Answer(200, _, true));
            let after = crate::h2::request(gateway.address, &get("/after", &[]), None).await;
            let after_is_served = after == Outcome::Answer(200, b"ok".to_vec(), true);
            let is_answered = match case.may {
                true => is_served,
                false => !matches!(outcome, Outcome::Answer(..=399, _, true)),
            };
            (!is_answered || !after_is_served)
                .then(|| format!("{index} {}: {outcome:?}, then {after:?}", case.name))
        });
        if running.len() >= PARALLEL {
            failures.extend(running.join_next().await.unwrap().unwrap());
        }
    }
    failures.extend(running.join_all().await.into_iter().flatten());
    let seen = upstream.requests();
    for (index, (name, may)) in allowed.iter().enumerate() {
        let own = format!("/c{index}");
        let of_case = seen.iter().filter(|request| {
            let rest = request.target.strip_prefix(&own);
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        });
        if of_case.count() != usize::from(*may) {
            failures.push(format!("{index} {name}: it arrived, or did not, unlike {may}"));
        }
    }
    for request in &seen {
        let spoiled = request.target.contains("smuggled")
            || request.fields.iter().chain(&request.trailers).any(|(_, value)| value.as_slice() == b"evil")
            || request.value("host").as_deref() != Some("a");
        if spoiled {
            failures.push(format!("the upstream saw {request:?}"));
        }
    }
    assert!(failures.is_empty(), "{} failures of {}\n{}", failures.len(), allowed.len(), failures.join("\n"));
}
