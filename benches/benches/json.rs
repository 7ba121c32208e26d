//! How many bytes of JSON a second pass the rewriter, beside the usual way: parse, edit, serialise.
//!
//! ```sh
//! cargo bench -p gateway-benches --bench json
//! ```
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot be set up ends")]

use std::{
    convert::Infallible,
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gateway_layers::{
    core::{Body, BoxError},
    json_body::{self, JsonBodyLayer},
    mask::{self, MaskLayer},
};
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use tower::{Layer, Service};

fn rewriting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("JSON of 1 MiB");
    group.measurement_time(Duration::from_secs(3)).sample_size(30);
    let users = users();
    let document = format!("[{}]", users.join(","));
    let lines = users.join("\n");
    group.throughput(Throughput::Bytes(document.len() as u64));

    let nothing = MaskLayer::new(mask::Rules::new().replace("nobody.has.this", "***")).unwrap();
    group.bench_function("mask, no field is met", |bencher| bencher.iter(|| through(&nothing, &document)));
    let secrets = mask::Rules::new().replace("**.password", "***").keep_last("card.number", "***", 4);
    let secrets = MaskLayer::new(secrets).unwrap();
    group
        .bench_function("mask, two fields of eight", |bencher| bencher.iter(|| through(&secrets, &document)));
    group.bench_function("the same, of lines", |bencher| bencher.iter(|| through(&secrets, &lines)));
    let edits = json_body::Rules::new().drop("password").rename("card.number", "no");
    let edits = JsonBodyLayer::new(edits).unwrap();
    group.bench_function("json_body, drop and rename", |bencher| bencher.iter(|| through(&edits, &document)));
    let allow = JsonBodyLayer::new(json_body::Rules::new().allow("id").allow("card.kind")).unwrap();
    group.bench_function("json_body, allow two", |bencher| bencher.iter(|| through(&allow, &document)));
    group.bench_function("serde_json, parse, replace two, serialise", |bencher| {
        bencher.iter(|| {
            let mut value: serde_json::Value = serde_json::from_slice(document.as_bytes()).unwrap();
            for user in value.as_array_mut().unwrap() {
                user["password"] = "***".into();
                user["card"]["number"] = "***1234".into();
            }
            black_box(serde_json::to_vec(&value).unwrap());
        });
    });
    group.bench_function("serde_json, parse alone", |bencher| {
        bencher.iter(|| black_box(serde_json::from_slice::<serde_json::Value>(document.as_bytes()).unwrap()));
    });
    group.finish();
}

/// A document through a layer, in pieces as they come from a socket.
fn through<L>(layer: &L, text: &str)
where
    L: Layer<Leaf>,
    L::Service: Service<Request<Body>, Response = Response<gateway_layers::json::JsonBody<Body>>>,
{
    let mut service = layer.layer(Leaf(Bytes::copy_from_slice(text.as_bytes())));
    let mut cx = Context::from_waker(Waker::noop());
    let answer = match pin!(service.call(Request::new(Body::empty()))).poll(&mut cx) {
        Poll::Ready(Ok(answer)) => answer,
        _ => panic!("the leaf answers at once"),
    };
    let mut body = pin!(answer.into_body());
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        black_box(frame.unwrap());
    }
}

/// Answers with these bytes.
#[derive(Clone)]
struct Leaf(Bytes);

impl Service<Request<Body>> for Leaf {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let answer = Response::builder().header("content-type", "application/json");
        std::future::ready(Ok(answer.body(Body::new(Pieces(self.0.clone()))).unwrap()))
    }
}

struct Pieces(Bytes);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.0.len().min(16 * 1024);
        Poll::Ready(Some(Ok(Frame::data(self.0.split_to(piece)))))
    }
}

fn users() -> Vec<String> {
    let user = |id: usize| {
        format!(
            r#"{{"id":{id},"name":"Ada Lovelace","email":"ada{id}@example.com","password":"correct horse battery","card":{{"kind":"visa","number":"4111 1111 1111 1234"}},"about":"She wrote notes on an engine that was never built, and the notes outlived it.","tags":["first","of","many"],"score":12.75,"active":true}}"#
        )
    };
    let length = user(0).len();
    (0..(1 << 20) / length).map(user).collect()
}

criterion_group!(benches, rewriting);
criterion_main!(benches);
