//! What is measured, and what all cases share.

use std::{
    pin::pin,
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
        // What does not answer at once is asked again; the work is the same.
        let answer = loop {
            if let Poll::Ready(answer) = answer.as_mut().poll(&mut cx) {
                break answer;
            }
        };
        drop(answer.expect("the layer passes the request on"));
    })
}
