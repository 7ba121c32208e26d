//! What is measured, and what all cases share.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use tower::Service;

use crate::{ours, theirs};

/// One thing that is measured.
pub struct Case {
    pub name: &'static str,
    /// The case that is taken away.
    pub leaf: Option<&'static str>,
    pub make: fn() -> Box<dyn FnMut()>,
}

/// Ours first, theirs behind.
pub fn all() -> Vec<Case> {
    ours::cases().into_iter().chain(theirs::cases()).collect()
}

/// The same for a service that learns from its first answer once that is read to its end, as a cache does.
pub fn calling_again<S, R, B>(mut service: S, make: impl Fn() -> R + 'static) -> Box<dyn FnMut()>
where
    S: Service<R, Response = http::Response<B>> + 'static,
    S::Error: std::fmt::Debug,
    B: http_body_util::BodyExt,
{
    let mut first = pin!(async {
        std::future::poll_fn(|cx| service.poll_ready(cx)).await.expect("a service that is ready");
        let answer = service.call(make()).await.expect("an answer");
        assert!(answer.into_body().collect().await.is_ok(), "a whole body");
        (service, make)
    });
    let (service, make) = finish(first.as_mut());
    calling(service, make)
}

/// Calls a service with a request from `make`, again and again, and drops its answers.
pub fn calling<S, R, A>(mut service: S, make: impl Fn() -> R + 'static) -> Box<dyn FnMut()>
where
    S: Service<R, Response = A> + 'static,
    S::Error: std::fmt::Debug,
{
    Box::new(move || {
        let mut cx = Context::from_waker(Waker::noop());
        while service.poll_ready(&mut cx).is_pending() {}
        let mut answer = pin!(service.call(make()));
        drop(finish(answer.as_mut()).expect("the layer passes the request on"));
    })
}

/// What does not answer at once is asked again; the work is the same.
fn finish<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}
