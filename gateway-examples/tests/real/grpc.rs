//! gRPC with the `grpcio` package at both ends, over HTTP/2 without TLS in front of the gateway and behind it.

use crate::{
    common::Gateway,
    parties::{Party, script},
};

const DOCUMENT: &str = "
listen: 127.0.0.1:0
request_id: {}
client_addr: {}
metrics: {path: /metrics}
limits: {}
routes:
  - name: limited
    path: /test.Echo/Limited
    rate_limit: {requests: 1, per: 1h}
    upstream: &grpc {endpoints: ['${UPSTREAM}'], protocol: http2}
  - name: closed
    path: /test.Echo/Closed
    api_key:
      header: x-api-key
      keys: [{id: somebody, sha256: ff56acf1875900a613d4db1cb71d3d72f3e4812725a14240a4a1652f1e9668ac}]
    upstream: *grpc
  - name: gone
    path: /test.Echo/Gone
    upstream: {endpoints: ['http://127.0.0.1:1'], protocol: http2}
  - name: late
    path: /test.Echo/Late
    timeout: 300ms
    upstream: *grpc
  - name: echo
    prefix: /test.Echo
    upstream: *grpc
";

/// Runs these checks of the client against the server, through the gateway.
fn check(names: &[&str]) {
    let server = Party::script("python/grpc_server.py");
    let gateway = Gateway::with_document(DOCUMENT, &[("UPSTREAM", &server.url())]);
    for name in names {
        script("python/grpc_client.py", &[gateway.address(), name]);
    }
}

#[test]
fn every_kind_of_call_passes_with_its_metadata_codes_and_messages() {
    check(&["calls", "conversation", "failures"]);
}

#[test]
fn messages_of_4_mib_pass_in_both_directions() {
    check(&["large"]);
}

#[test]
fn a_deadline_and_a_cancel_reach_the_server() {
    check(&["endings"]);
}

#[test]
fn ten_thousand_calls_have_no_error() {
    check(&["many"]);
}

#[test]
fn a_stream_whose_server_dies_is_not_taken_for_a_whole_one() {
    check(&["death"]);
}

#[test]
fn what_the_gateway_says_itself_is_grpc_too() {
    check(&["refusals"]);
}
