use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower::{buffer::Buffer, limit::ConcurrencyLimit};
use tower_service::Service;

use crate::{Body, BoxError};

/// The strictest inner service: its clone forgets that it was made ready, and calling it unready panics.
#[derive(Debug)]
pub struct Probe {
    behaviour: Behaviour,
    is_ready: bool,
    live: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

/// What a [`Probe`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers at once with the request's own body.
    Echo,
    /// Never answers.
    Silent,
    /// Fails with an error.
    Fail,
    /// Is never ready.
    Unready,
}

impl Probe {
    /// A probe that behaves like this.
    #[must_use]
    pub fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, is_ready: false, live: Arc::default(), calls: Arc::default() }
    }

    /// Calls that were made and whose futures are not dropped yet, over all clones.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst)
    }

    /// Calls that were made, over all clones.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        let (live, calls) = (Arc::clone(&self.live), Arc::clone(&self.calls));
        Self { behaviour: self.behaviour, is_ready: false, live, calls }
    }
}

impl Service<Request<Body>> for Probe {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.behaviour == Behaviour::Unready {
            return Poll::Pending;
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.is_ready),
            "a layer must call the instance of its service that was made ready, not a fresh clone"
        );
        self.calls.fetch_add(1, Ordering::SeqCst);
        let live = Live::new(&self.live);
        let behaviour = self.behaviour;
        Box::pin(async move {
            let _live = live;
            match behaviour {
                Behaviour::Echo => Ok(Response::new(request.into_body())),
                Behaviour::Fail => Err("the probe fails".into()),
                Behaviour::Silent | Behaviour::Unready => std::future::pending().await,
            }
        })
    }
}

struct Live(Arc<AtomicUsize>);

impl Live {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A [`Probe`], bare or behind a service that reserves something in `poll_ready`; it takes any body.
#[derive(Clone)]
pub enum Inner {
    /// The probe itself.
    Bare(Probe),
    /// One request at a time: a permit is reserved in `poll_ready`.
    Limited(ConcurrencyLimit<Probe>),
    /// Behind a queue and a task of its own.
    Buffered(Buffer<Request<Body>, <Probe as Service<Request<Body>>>::Future>),
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bare(_) => "Bare",
            Self::Limited(_) => "Limited",
            Self::Buffered(_) => "Buffered",
        })
    }
}

impl<B> Service<Request<B>> for Inner
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Bare(probe) => probe.poll_ready(cx),
            Self::Limited(limited) => limited.poll_ready(cx),
            Self::Buffered(buffered) => buffered.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(Body::new);
        match self {
            Self::Bare(probe) => probe.call(request),
            Self::Limited(limited) => Box::pin(limited.call(request)),
            Self::Buffered(buffered) => Box::pin(buffered.call(request)),
        }
    }
}
