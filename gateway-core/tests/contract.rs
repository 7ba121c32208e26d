//! The contract suite itself: it passes right layers and catches each broken one by the sentence of its rule.
#![cfg(feature = "testing")]

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use gateway_core::{
    Body, BoxError, RescueLayer,
    canonical::CanonicalLayer,
    testing::{Inner, contract},
};
use http::{Request, Response};
use tower::{Layer, Service, ServiceExt, layer::util::Identity};

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

#[derive(Clone, Copy)]
enum Flaw {
    CallsAClone,
    IsAlwaysReady,
    Buffers,
    Spawns,
    Hangs,
}

#[derive(Clone)]
struct Flawed(Flaw);

#[derive(Clone)]
struct FlawedService {
    flaw: Flaw,
    inner: Inner,
}

impl Layer<Inner> for Flawed {
    type Service = FlawedService;

    fn layer(&self, inner: Inner) -> FlawedService {
        FlawedService { flaw: self.0, inner }
    }
}

impl Service<Request<Body>> for FlawedService {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.flaw {
            Flaw::IsAlwaysReady => Poll::Ready(Ok(())),
            _ => <Inner as Service<Request<Body>>>::poll_ready(&mut self.inner, cx),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        match self.flaw {
            Flaw::CallsAClone => self.inner.clone().call(request),
            Flaw::IsAlwaysReady => {
                let inner = self.inner.clone();
                Box::pin(async move { inner.oneshot(request).await })
            }
            Flaw::Buffers => {
                let future = self.inner.call(request);
                Box::pin(async move {
                    let (head, body) = future.await?.into_parts();
                    let whole = Body::collect_limited(body, 1 << 20).await?;
                    Ok(Response::from_parts(head, Body::from(whole)))
                })
            }
            Flaw::Spawns => {
                let spawned = tokio::spawn(self.inner.call(request));
                Box::pin(async move { spawned.await? })
            }
            Flaw::Hangs => {
                let future = self.inner.call(request);
                Box::pin(async move {
                    match future.await {
                        Ok(response) => Ok(response),
                        Err(_) => std::future::pending().await,
                    }
                })
            }
        }
    }
}

#[tokio::test]
async fn right_layers_pass() {
    contract::check(Identity::new()).await;
    contract::check(CanonicalLayer::default()).await;
    contract::check(CanonicalLayer::deferred()).await;
    contract::check(RescueLayer::default()).await;
    contract::check(gateway_core::body::BoxedBodyLayer).await;
}

#[tokio::test(start_paused = true)]
async fn every_flaw_is_caught_by_the_sentence_of_its_rule() {
    for (flaw, sentence) in [
        (Flaw::CallsAClone, "must call the instance of its service that was made ready"),
        (Flaw::IsAlwaysReady, "over a service that is not ready must not be ready"),
        (Flaw::Buffers, "a layer streams"),
        (Flaw::Spawns, "must drop the call inside"),
        (Flaw::Hangs, "a failure inside must come out, not hang"),
    ] {
        let caught = tokio::spawn(contract::check(Flawed(flaw))).await.unwrap_err();
        let panic = caught.into_panic();
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned())).unwrap();
        assert!(said.contains(sentence), "expected: {sentence}\nsaid: {said}");
    }
}
