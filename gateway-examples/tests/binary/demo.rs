use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::common::{Gateway, command, raw, status, temporary_file};

/// What the demo prints, up to its last line.
fn printed(demo: &mut Gateway) -> String {
    let mut printed = demo.announced.clone();
    let mut out = demo.output();
    while !printed.contains("follows.") {
        assert!(std::io::BufRead::read_line(&mut out, &mut printed).unwrap() > 0, "{printed}");
    }
    // Whatever comes now is the access log; a full pipe would stop the gateway.
    thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    printed
}

/// A line to try: the request that it sends, and the status that it promises.
struct Line {
    request: String,
    status: u16,
}

/// The lines of what the demo printed, as a shell would read them.
fn lines(printed: &str, address: &str) -> Vec<Line> {
    let token = printed.split("TOKEN=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let commands = printed.lines().filter_map(|line| line.trim().strip_prefix("curl -i "));
    let parse = |command: &str| {
        let (command, promise) = command.split_once(" # ").unwrap();
        let (options, path) = command.trim().rsplit_once(&format!("http://{address}")).unwrap();
        let (mut method, mut headers, mut rest) = ("GET", String::new(), options.trim());
        while let Some((option, after)) = rest.split_once(' ').or((!rest.is_empty()).then_some((rest, ""))) {
            rest = match option {
                "-N" | "--path-as-is" => after,
                "-X" => {
                    let (word, after) = after.split_once(' ').unwrap_or((after, ""));
                    method = word;
                    after
                }
                "-H" => {
                    let quote = &after[..1];
                    let (header, after) = after[1..].split_once(quote).unwrap();
                    headers += &format!("{}\r\n", header.replace("$TOKEN", token));
                    after.trim_start()
                }
                option => unreachable!("{option} in {command}"),
            };
        }
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}connection: close\r\n\r\n");
        Line { request, status: promise.split(' ').next().unwrap().parse().unwrap() }
    };
    commands.map(parse).collect()
}

#[test]
fn every_line_that_the_demo_prints_ends_in_the_status_that_it_promises() {
    let mut demo = Gateway::start(command());
    let printed = printed(&mut demo);
    let lines = lines(&printed, demo.address());
    assert!(lines.len() >= 25, "{printed}");
    for Line { request, status: promised } in lines {
        let answer = raw(demo.address(), &request);
        assert_eq!(status(&answer), promised, "{request}{answer}");
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
    assert!(printed.matches("curl -i ").count() >= 25);
}

#[test]
fn the_demo_shows_what_it_promises() {
    let mut demo = Gateway::start(command());
    let printed = printed(&mut demo);
    let address = demo.address().to_owned();
    // Each line once, in order, with what its answer must say beside its status.
    let shown = [
        ("DELETE /orders ", "allow: GET, HEAD, POST"),
        ("GET /slow?ms=3000 ", "\"code\":\"upstream_timeout\""),
        ("GET /events ", "data: event 5 of 5"),
        ("GET /echo/a/../b?x=1 ", "\"target\":\"/echo/b?x=1\""),
        ("GET /users/7 ", "www-authenticate: Bearer"),
        ("GET /users/7 ", "error=\"invalid_token\""),
        ("GET /users/7 ", "\"number\":\"***1234\""),
        ("GET /staff ", "\"code\":\"forbidden\""),
        ("GET /partner/echo ", "\"code\":\"api_key_invalid\""),
        ("GET /partner/echo ", "\"x-partner\":[\"mill-and-sons\"]"),
        ("GET /orders ", "\"of\":\"ada\""),
        ("GET /orders ", "\"burst\";r=1"),
        ("GET /orders ", "\"burst\";r=0"),
        ("GET /orders ", "retry-after: "),
        ("GET /products ", "\"asked\":1"),
        ("GET /products ", "\"asked\":1"),
        ("GET /products ", "\"asked\":2"),
        ("GET /prices ", "\"asked\":2"),
        ("GET /advice ", "x-fallback: "),
        ("GET /advice-log ", ""),
        ("GET /advice-log ", ""),
        ("GET /advice-log ", "\"code\":\"circuit_open\""),
        ("GET /page/7 ", "\"name\":\"User 7\""),
        (
            "GET /metrics ",
            "gateway_decisions_total{layer=\"rate_limit\",place=\"orders\",verdict=\"refuse\"} 1",
        ),
    ];
    let mut shown = shown.into_iter().peekable();
    for Line { request, .. } in lines(&printed, &address) {
        let answer = raw(&address, &request);
        if let Some((_, says)) = shown.next_if(|(line, _)| request.starts_with(line)) {
            assert!(answer.contains(says), "{says} in the answer to {request}{answer}");
        }
        let secrets = ["never-leave-the-house", "Hills Ltd", "4929000000", "rack-7", "partner-demo-key"];
        assert!(secrets.iter().all(|secret| !answer.contains(secret)), "{request}{answer}");
    }
    assert_eq!(shown.next(), None, "every line was seen");
}
