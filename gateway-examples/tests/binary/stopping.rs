use std::{
    io::{BufRead, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use crate::common::{Gateway, command, get, raw, status};

#[test]
fn sigterm_in_mid_download_loses_nothing_and_ends_with_0() {
    let mut demo = Gateway::start(command());
    let mut download = TcpStream::connect(demo.address()).unwrap();
    download.write_all(b"GET /events HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut start = [0; 400];
    let _ = download.read(&mut start).unwrap();

    demo.signal("TERM");
    thread::sleep(Duration::from_millis(200));
    assert!(TcpStream::connect(demo.address()).is_err(), "nothing new is accepted");

    let mut rest = Vec::new();
    download.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("event 5 of 5"), "{rest}");
    assert!(rest.ends_with("0\r\n\r\n"), "the transfer ended cleanly: {rest}");
    assert_eq!(demo.wait(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn an_idle_gateway_stops_at_once_and_says_so_in_its_log() {
    let mut demo = Gateway::start(command());
    assert_eq!(status(&get(demo.address(), "/products")), 200);
    let stop = Instant::now();
    demo.signal("INT");
    assert_eq!(demo.wait(Duration::from_secs(5)).code(), Some(0));
    assert!(stop.elapsed() < Duration::from_secs(3));
    let mut line = String::new();
    let mut out = demo.output();
    while !line.contains("\"path\":\"/products\"") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "the last access log line was lost");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut demo = Gateway::start(command());
    let mut open = TcpStream::connect(demo.address()).unwrap();
    open.write_all(b"GET /slow?ms=900 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(100));
    demo.signal("TERM");
    thread::sleep(Duration::from_millis(100));
    demo.signal("TERM");
    assert_eq!(demo.wait(Duration::from_secs(2)).code(), Some(130));
}

#[test]
fn an_upstream_that_cannot_be_reached_is_a_502_and_the_log_says_why() {
    let document = "listen: 127.0.0.1:0\naccess_log: {to: stdout}\nroutes:\n  - {name: gone, prefix: /, upstream: 'http://127.0.0.1:1'}\n";
    let mut gateway = Gateway::with_document(document, &[]);
    let answer = get(gateway.address(), "/");
    assert_eq!(status(&answer), 502);
    assert!(answer.contains("\"code\":\"upstream_connect\""), "{answer}");
    assert!(!answer.contains("127.0.0.1:1\""), "the client does not learn where the upstream is: {answer}");
    let mut line = String::new();
    gateway.output().read_line(&mut line).unwrap();
    assert!(line.contains("refused"), "{line}");
    assert_eq!(status(&raw(gateway.address(), "GET / HTTP/1.1\r\n\r\n")), 400);
}
