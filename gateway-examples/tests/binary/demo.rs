use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::common::{Gateway, command, get, raw, status, temporary_file};

fn urls(printed: &str) -> Vec<String> {
    let words = printed.split_whitespace().filter(|word| word.starts_with("http://"));
    words.map(str::to_owned).collect()
}

#[test]
fn every_url_that_the_demo_prints_answers_a_plain_get() {
    let mut demo = Gateway::start(command());
    let mut printed = demo.announced.clone();
    let mut out = demo.output();
    while !printed.contains("follows.") {
        assert!(std::io::BufRead::read_line(&mut out, &mut printed).unwrap() > 0, "{printed}");
    }
    let urls = urls(&printed);
    assert!(urls.len() >= 10, "{printed}");
    for url in urls {
        let (address, path) = url["http://".len()..].split_once('/').unwrap_or((&url["http://".len()..], ""));
        let answer = get(address, &format!("/{path}"));
        assert_eq!(status(&answer), 200, "{url}: {answer}");
    }
}

#[test]
fn the_demo_prints_also_when_its_output_is_a_file() {
    let file = temporary_file("out", "");
    let mut child = command().stdout(Stdio::from(fs::File::create(&file).unwrap())).spawn().unwrap();
    let start = Instant::now();
    let printed = loop {
        let printed = fs::read_to_string(&file).unwrap();
        if printed.contains("follows.") {
            break printed;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{printed}");
        thread::sleep(Duration::from_millis(20));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(urls(&printed).len() >= 10);
}

#[test]
fn the_demo_shows_what_it_promises() {
    let demo = Gateway::start(command());
    let get = |path: &str| get(demo.address(), path);

    let user = get("/users/7");
    assert!(user.contains("x-served-by: gateway") && user.contains("x-request-id: "), "{user}");
    assert!(!user.contains("x-internal-node"), "{user}");

    let orders: Vec<u16> = (0..6).map(|_| status(&get("/orders"))).collect();
    assert_eq!(orders, [200, 200, 200, 200, 200, 429]);

    let late = get("/slow?ms=3000");
    assert_eq!(status(&late), 504);
    assert!(late.contains("\"code\":\"upstream_timeout\""), "{late}");

    assert!(get("/events").contains("data: event 5 of 5"));
    let echo = get("/echo/a/../b?x=1");
    assert!(echo.contains("\"target\":\"/echo/b?x=1\""), "{echo}");
    assert_eq!(status(&get("/nothing")), 404);
    let refused = raw(demo.address(), "DELETE /users/7 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert_eq!(status(&refused), 405);
    assert!(refused.contains("allow: GET, HEAD"), "{refused}");

    let metrics = get("/metrics");
    assert!(
        metrics
            .contains("gateway_decisions_total{layer=\"rate_limit\",place=\"orders\",verdict=\"refuse\"} 1"),
        "{metrics}"
    );
}
