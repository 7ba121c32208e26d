//! Over real sockets.

use std::time::Duration;

use gateway_core::{
    Body, BoxError, RescueLayer,
    budget::Buffers,
    client::Forward,
    testing::{MemoryServer, ScriptedUpstream, Step},
    upstream::Upstream,
};
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Layer, ServiceExt};

use crate::aggregate::{AggregateLayer, Branch, Plan};

fn forward(upstream: &ScriptedUpstream) -> Forward {
    Upstream::new([upstream.url()]).build().unwrap()
}

async fn scripted(steps: Vec<Step>) -> ScriptedUpstream {
    ScriptedUpstream::start([steps]).await.unwrap()
}

async fn ask(plan: Plan) -> (u16, Value) {
    let layer = AggregateLayer::new(plan).unwrap();
    let service = layer.layer(Upstream::nowhere());
    let answer = service.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&whole(answer).await.unwrap()).unwrap())
}

async fn whole(answer: Response<Body>) -> Result<bytes::Bytes, BoxError> {
    Ok(Body::collect_limited(answer.into_body(), 1 << 20).await?)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{\"a\":1}";

#[tokio::test]
async fn what_upstreams_do_comes_out_as_the_table_says() {
    let large: &str = Box::leak(
        format!("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{}", "1".repeat(5000)).into_boxed_str(),
    );
    let chunked: &str = Box::leak(
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1388\r\n{}\r\n0\r\n\r\n",
            "1".repeat(5000)
        )
        .into_boxed_str(),
    );
    for (steps, code, status) in [
        (vec![Step::Send(OK)], "", 200),
        (vec![Step::Send("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")], "branch_status", 404),
        (vec![Step::Send("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")], "branch_status", 502),
        (vec![Step::Send("HTTP/1.1 204 No Content\r\n\r\n")], "branch_not_json", 502),
        (vec![Step::Stall], "branch_timeout", 504),
        (
            vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\""), Step::Stall],
            "branch_timeout",
            504,
        ),
        (vec![Step::Reset], "branch_unreachable", 502),
        (
            vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\""), Step::Reset],
            "branch_unreachable",
            502,
        ),
        (vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{a:1")], "branch_not_json", 502),
        (
            vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n{}")],
            "branch_not_json",
            502,
        ),
        (
            vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}")],
            "branch_not_json",
            502,
        ),
        (vec![Step::Send(large)], "branch_too_large", 502),
        (vec![Step::Send(chunked)], "branch_too_large", 502),
    ] {
        // Only those that stall are waited for in vain; a busy machine may take its time for the others.
        let patience =
            if code == "branch_timeout" { Duration::from_millis(50) } else { Duration::from_secs(30) };
        let broken = scripted(steps.clone()).await;
        let fine = scripted(vec![Step::Send(OK)]).await;
        let branch = Branch::new("part", "/part")
            .service(forward(&broken))
            .group("part")
            .max_body(1000)
            .timeout(patience);
        let other = Branch::new("other", "/other").service(forward(&fine)).group("other");
        let plan = |branch: Branch| Plan::everywhere().branch(branch).branch(other.clone());

        let (found, value) = ask(plan(branch.clone())).await;
        assert_eq!((found, value["code"].as_str().unwrap_or("")), (status, code), "{steps:?}");
        let (found, value) = ask(plan(branch.clone().optional())).await;
        let is_there = code.is_empty();
        assert_eq!((found, value["part"].is_object()), (200, is_there), "{steps:?}");
        assert_eq!(value["_errors"][0]["code"].as_str().unwrap_or(""), code, "{steps:?}");
        let (found, value) = ask(plan(branch.fallback(json!("instead")))).await;
        assert_eq!(
            (found, value["part"] == "instead", &value["other"]["a"]),
            (200, !is_there, &json!(1)),
            "{steps:?}"
        );
    }
}

#[tokio::test]
async fn when_a_required_branch_fails_the_other_connections_are_closed() {
    let (silent, slow, broken) = (
        scripted(vec![Step::Stall]).await,
        scripted(vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"), Step::Stall]).await,
        scripted(vec![
            Step::Wait(Duration::from_millis(100)),
            Step::Send("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"),
        ])
        .await,
    );
    let never = scripted(vec![Step::Send(OK)]).await;
    let plan = Plan::everywhere()
        .branch(Branch::new("silent", "/").service(forward(&silent)))
        .branch(Branch::new("slow", "/").service(forward(&slow)).optional())
        .branch(Branch::new("broken", "/").service(forward(&broken)))
        .branch(Branch::new("never", "/?a={silent.a}").service(forward(&never)));
    let (status, problem) = ask(plan).await;
    assert_eq!(
        (status, problem["detail"].as_str().unwrap()),
        (404, "the part `broken` was answered with 404")
    );
    let closed = async {
        while silent.hung_up() + slow.hung_up() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), closed).await.expect("both connections are closed");
    assert_eq!(never.connections(), 0, "what waited for a branch was never asked");
}

#[tokio::test]
async fn a_hundred_clients_over_http_leave_no_memory_behind() {
    let upstream = scripted(vec![Step::Send(OK)]).await;
    let buffers = Buffers::default();
    let plan = Plan::at("/p/{id}")
        .branch(Branch::new("one", "/one/{id}").group("one"))
        .branch(Branch::new("two", "/two/{one.a}?id={id}").group("two"));
    let layer = AggregateLayer::new(plan).unwrap().buffers(buffers.clone());
    let service = RescueLayer::default().layer(layer.layer(forward(&upstream)));
    let server = MemoryServer::new(service);
    let mut clients = tokio::task::JoinSet::new();
    for id in 0..100 {
        let mut connection = server.raw();
        clients.spawn(async move {
            let head = format!("GET /p/{id} HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n");
            connection.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await.unwrap();
            answer
        });
    }
    while let Some(answer) = clients.join_next().await {
        let answer = answer.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("x-aggregate: complete\r\n"),
            "{answer}"
        );
        assert!(
            answer.contains("content-length: 29\r\n")
                && answer.ends_with("{\"one\":{\"a\":1},\"two\":{\"a\":1}}"),
            "{answer}"
        );
    }
    assert_eq!(buffers.used(), 0);
    let heads = upstream.heads();
    assert_eq!(heads.len(), 200);
    assert!(heads.iter().any(|head| head.starts_with("GET /two/1?id=42 HTTP/1.1\r\n")));
    assert!(
        heads
            .iter()
            .all(|head| head.contains("host: shop.example") && head.contains("accept: application/json"))
    );
}
