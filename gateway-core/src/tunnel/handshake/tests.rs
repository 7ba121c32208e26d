use http::{Request, Version};
use proptest::prelude::*;

use super::*;
use crate::tunnel::Extended;

const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
const ACCEPT: (&str, &str) = ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
const VERSION: (&str, &str) = ("sec-websocket-version", "13");
const CONNECTION: (&str, &str) = ("connection", "keep-alive, Upgrade");
const WEBSOCKET: (&str, &str) = ("upgrade", "WebSocket");

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers
            .append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn head(method: &str, lines: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).version(Version::HTTP_11).body(()).unwrap();
    let mut head = request.into_parts().0;
    head.headers = headers(lines);
    head
}

fn begin(head: &Parts, upgrades: &Upgrades, has_body: bool) -> Result<Option<Handshake>, Refusal> {
    let Some(wanted) = Wanted::of(head) else { return Ok(None) };
    Handshake::of(head, &wanted, has_body, upgrades, &Random::seeded(1))
}

fn websocket() -> Upgrades {
    Upgrades::new(["websocket"]).origins(["https://shop.example"])
}

#[test]
fn a_websocket_is_allowed_and_checked() {
    let usual = [CONNECTION, WEBSOCKET, VERSION, KEY];
    let with = |more: &[(&'static str, &'static str)]| [&usual[..], more].concat();
    let without = |name: &str| usual.into_iter().filter(|line| line.0 != name).collect::<Vec<_>>();
    let passes = Ok(Some("websocket"));
    for (method, lines, has_body, expected) in [
        ("GET", usual.to_vec(), false, passes),
        ("GET", with(&[("origin", "https://SHOP.example")]), false, passes),
        ("GET", with(&[("origin", "https://evil.example")]), false, Err((403, "origin_not_allowed"))),
        (
            "GET",
            with(&[("origin", "https://shop.example.evil.example")]),
            false,
            Err((403, "origin_not_allowed")),
        ),
        ("GET", with(&[("origin", "null")]), false, Err((403, "origin_not_allowed"))),
        (
            "GET",
            with(&[("origin", "https://shop.example"), ("origin", "https://evil.example")]),
            false,
            Err((403, "origin_not_allowed")),
        ),
        ("POST", usual.to_vec(), false, Err((400, "bad_upgrade"))),
        ("GET", usual.to_vec(), true, Err((400, "bad_upgrade"))),
        ("GET", without("sec-websocket-key"), false, Err((400, "bad_upgrade"))),
        ("GET", with(&[KEY]), false, Err((400, "bad_upgrade"))),
        ("GET", without("sec-websocket-version"), false, Err((426, "websocket_version"))),
        ("GET", with(&[("sec-websocket-version", "8")]), false, Err((426, "websocket_version"))),
        ("GET", without("connection"), false, Ok(None)),
        ("GET", without("upgrade"), false, Ok(None)),
        ("GET", with(&[("upgrade", "h2c")]), false, passes),
    ] {
        let begun = begin(&head(method, &lines), &websocket(), has_body);
        let begun = begun.map(|begun| begun.map(|begun| begun.protocol.to_str().unwrap().to_owned()));
        let begun = begun.map_err(|refusal| (refusal.status().as_u16(), refusal.code()));
        assert_eq!(begun, expected.map(|name| name.map(str::to_owned)), "{method} {lines:?} {has_body}");
    }
}

#[test]
fn an_extended_connect_is_answered_or_refused_but_never_ignored() {
    let mut head = head("GET", &[VERSION]);
    head.version = Version::HTTP_2;
    head.extensions.insert(Extended("websocket".into()));
    let begun = begin(&head, &websocket(), false).unwrap().unwrap();
    let mut sent = headers(&[VERSION]);
    begun.write(&mut sent);
    assert!(is_key(sent["sec-websocket-key"].as_bytes()), "the upstream needs one");
    assert_eq!(
        (sent["connection"].as_bytes(), sent["upgrade"].as_bytes()),
        (&b"Upgrade"[..], &b"websocket"[..])
    );

    let mut answer = headers(&[ACCEPT, ("x-a", "1")]);
    begun.answer(&mut answer);
    assert_eq!(answer, headers(&[("x-a", "1")]));

    let refusal = begin(&head, &Upgrades::default(), false).unwrap_err();
    assert_eq!((refusal.status().as_u16(), refusal.code()), (501, "upgrade_not_allowed"));
}

#[test]
fn only_an_answer_that_fits_switches() {
    let offered = ("sec-websocket-protocol", "chat, superchat");
    let begun = begin(&head("GET", &[CONNECTION, WEBSOCKET, VERSION, KEY, offered]), &websocket(), false);
    let begun = begun.unwrap().unwrap();
    let fits = [("connection", "upgrade"), ("upgrade", "websocket"), ACCEPT];
    let with = |more: &[(&'static str, &'static str)]| [&fits[..], more].concat();
    let replaced = |line: (&'static str, &'static str)| {
        fits.into_iter().map(|fit| if fit.0 == line.0 { line } else { fit }).collect::<Vec<_>>()
    };
    let wrong = false;
    for (lines, switches) in [
        (fits.to_vec(), true),
        (with(&[("sec-websocket-protocol", "superchat")]), true),
        (with(&[("sec-websocket-protocol", "secret")]), wrong),
        (with(&[("sec-websocket-protocol", "chat"), ("sec-websocket-protocol", "superchat")]), wrong),
        (with(&[ACCEPT]), wrong),
        (replaced(("sec-websocket-accept", "dGhlIHNhbXBsZSBub25jZQ==")), wrong),
        (replaced(("upgrade", "h2c")), wrong),
        (replaced(("upgrade", "websocket, h2c")), wrong),
        (replaced(("connection", "close")), wrong),
        (vec![], wrong),
    ] {
        let judged = begun.judge(StatusCode::SWITCHING_PROTOCOLS, &headers(&lines));
        assert_eq!(judged == Answer::Switched, switches, "{lines:?}: {judged:?}");
        assert!(switches || matches!(judged, Answer::Wrong(_)));
        for status in [StatusCode::OK, StatusCode::UPGRADE_REQUIRED, StatusCode::CONTINUE] {
            assert_eq!(begun.judge(status, &headers(&lines)), Answer::Ordinary);
        }
    }
}

#[test]
fn of_another_protocol_only_the_name_counts() {
    let upgrades = Upgrades::new(["acme/2"]);
    let lines = [CONNECTION, ("upgrade", "websocket, Acme/2")];
    let begun = begin(&head("POST", &lines), &upgrades, false).unwrap().unwrap();
    assert!(!begun.is_websocket());
    let fits = headers(&[("connection", "upgrade"), ("upgrade", "ACME/2")]);
    assert_eq!(begun.judge(StatusCode::SWITCHING_PROTOCOLS, &fits), Answer::Switched);
    assert_eq!(begin(&head("GET", &[CONNECTION, WEBSOCKET]), &upgrades, false).unwrap(), None);
}

proptest! {
    #[test]
    fn never_more_than_one_protocol_and_never_one_that_is_not_allowed(
        allowed in prop::collection::vec("[a-d]", 0..3),
        offers in prop::collection::vec("[a-d, ]{0,5}", 0..3),
        connection in prop::collection::vec("(upgrade|close|upgrade,close| )", 0..3),
        method in "(GET|POST|HEAD)",
    ) {
        let mut lines: Vec<(&str, &str)> = offers.iter().map(|offer| ("upgrade", offer.as_str())).collect();
        lines.extend(connection.iter().map(|line| ("connection", line.as_str())));
        let upgrades = Upgrades::new(&allowed);
        if let Some(begun) = begin(&head(&method, &lines), &upgrades, false).unwrap() {
            let mut sent = HeaderMap::new();
            begun.write(&mut sent);
            prop_assert_eq!(sent.get_all("upgrade").iter().count(), 1);
            let protocol = sent["upgrade"].to_str().unwrap();
            prop_assert!(allowed.iter().any(|name| name == protocol));
            prop_assert!(offers.iter().flat_map(|line| line.split(',')).any(|offer| offer.trim() == protocol));
            prop_assert!(connection.iter().any(|line| line.contains("upgrade")));
        }
    }
}
