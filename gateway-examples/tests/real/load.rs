use crate::{
    common::Gateway,
    parties::{Party, client, folder_with, free_port},
};

#[test]
fn a_load_of_five_seconds_has_no_failed_request() {
    let folder = folder_with("page.txt", 1024);
    let nginx = Party::nginx(&folder, free_port());
    let document = "
listen: 127.0.0.1:0
request_id: {}
client_addr: {}
metrics: {path: /metrics}
limits: {}
routes:
  - name: all
    prefix: /
    rate_limit: {requests: 1000000, per: 1s}
    timeout: 5s
    upstream: ${UPSTREAM}
";
    let gateway = Gateway::with_document(document, &[("UPSTREAM", &nginx.url())]);
    let report = client("wrk", &["-t1", "-c32", "-d5s", "--latency", &format!("{}/page.txt", gateway.url)]);
    println!("{report}");
    assert!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{report}");
    let requests = report.lines().find(|line| line.contains(" requests in ")).unwrap();
    let requests: u64 = requests.split_whitespace().next().unwrap().parse().unwrap();
    assert!(requests > 1000, "{report}");
}
