use std::{
    thread,
    time::{Duration, Instant},
};

use crate::common::{Gateway, command, get, status};

const DOCUMENT: &str = "
listen: 127.0.0.1:0
access_log: {to: '${LOG}'}
metrics: {path: /metrics}
routes:
  - {name: gone, prefix: /, upstream: 'http://127.0.0.1:1'}
";

#[test]
fn a_full_disk_under_the_access_log_fails_no_request_and_is_counted() {
    let gateway = Gateway::with_document(DOCUMENT, &[("LOG", "/dev/full")]);
    for _ in 0..20 {
        assert_eq!(status(&get(gateway.address(), "/")), 502);
    }
    let start = Instant::now();
    loop {
        let metrics = get(gateway.address(), "/metrics");
        let errors = metrics.lines().find(|line| line.starts_with("gateway_access_log_write_errors_total"));
        if errors.is_some_and(|line| !line.ends_with(" 0")) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{metrics}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_pipe_that_nobody_reads_blocks_no_request_and_no_stop() {
    // The demo logs to its standard output, which is a pipe that this test does not read any further.
    let mut demo = Gateway::start(command());
    let long = format!("/nothing/{}", "x".repeat(1500));
    for _ in 0..200 {
        assert_eq!(status(&get(demo.address(), &long)), 404);
    }
    demo.signal("TERM");
    assert_eq!(demo.wait(Duration::from_secs(8)).code(), Some(0));
}
