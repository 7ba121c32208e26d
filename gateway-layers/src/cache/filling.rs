//! [`Filling`]: an answer whose body is on its way into the store, and to everybody who reads it meanwhile.
//!
//! Nobody owns the fetch: whoever reads next asks the upstream for more, so a slow reader holds up nobody and one that
//! leaves takes nothing along. When all have left, the fetch is cancelled.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use gateway_core::{Body, BoxError, budget::Lease};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{
    entry::{About, Entry},
    flight::Leader,
    key::Identity,
    wakers::Wakers,
};

/// One answer on its way.
pub(super) struct Filling {
    pub(super) about: About,
    pub(super) identity: Identity,
    /// How long the body is, if that is known.
    length: Option<u64>,
    state: Mutex<State>,
    wakers: Arc<Wakers>,
}

/// Where a whole answer goes; whether it is kept there.
type Keep = Box<dyn FnOnce(Arc<Entry>) + Send>;

struct State {
    source: Body,
    stage: Stage,
    chunks: Vec<Bytes>,
    /// How many chunks were let go before the first of these.
    gone: usize,
    size: u64,
    trailers: Option<HeaderMap>,
    readers: usize,
    waiters: usize,
    /// While the answer may become a stored one.
    hope: Option<Hope>,
    /// The memory of the chunks.
    lease: Lease,
}

/// What is done with a whole answer.
struct Hope {
    keep: Keep,
    most: u64,
    leader: Option<Leader>,
}

#[derive(Clone)]
enum Stage {
    Open,
    /// All of it came; with what was stored.
    Complete(Option<Arc<Entry>>),
    Broken(Arc<BoxError>),
    /// Nobody reads it any more.
    Abandoned,
}

/// What one who came later gets of an answer on its way.
pub(super) enum Join {
    /// It is whole already.
    Stored(Arc<Entry>),
    /// It is read as it comes.
    Read(Reader),
    /// Only its end tells whether it is for others.
    Wait(Waiter),
    /// Nothing.
    Alone,
}

impl Filling {
    /// The body `source`, of a length that is no more than `most` and that the lease holds, or of an unknown one. Once all of it came, `keep`
    /// stores it; then, or when it turns out that it cannot be stored, `leader`'s flight is over.
    pub(super) fn new(
        about: About,
        identity: Identity,
        source: Body,
        (length, most, lease): (Option<u64>, u64, Lease),
        leader: Option<Leader>,
        keep: Keep,
    ) -> Arc<Self> {
        let hope = Some(Hope { keep, most, leader: None });
        let state = State {
            source,
            stage: Stage::Open,
            chunks: Vec::new(),
            gone: 0,
            size: 0,
            trailers: None,
            readers: 0,
            waiters: 0,
            hope,
            lease,
        };
        let filling =
            Arc::new(Self { about, identity, length, state: Mutex::new(state), wakers: Arc::default() });
        if let Some(hope) = &mut filling.state().hope {
            hope.leader = leader;
            // From here on others may read.
            hope.leader.iter().for_each(|leader| leader.share(&filling));
        }
        filling
    }

    /// The body for the one who fetched.
    pub(super) fn reader(self: &Arc<Self>) -> Reader {
        self.add_reader(&mut self.state())
    }

    /// What one who followed gets. A body of unknown length may turn out to be too long to be kept, and then nobody
    /// who came later could have its beginning; so those wait for its end.
    pub(super) fn join(self: &Arc<Self>) -> Join {
        let mut state = self.state();
        match &state.stage {
            Stage::Complete(Some(entry)) => return Join::Stored(Arc::clone(entry)),
            Stage::Complete(None) | Stage::Broken(_) | Stage::Abandoned => return Join::Alone,
            Stage::Open if state.hope.is_none() => return Join::Alone,
            Stage::Open => {}
        }
        if self.length.is_some() {
            return Join::Read(self.add_reader(&mut state));
        }
        state.waiters += 1;
        Join::Wait(Waiter { filling: Arc::clone(self), place: self.wakers.place() })
    }

    fn add_reader(self: &Arc<Self>, state: &mut State) -> Reader {
        state.readers += 1;
        Reader { filling: Arc::clone(self), place: self.wakers.place(), next: 0, read: 0, is_done: false }
    }

    /// Asks the upstream for more, for the one at this place; ready when the state has changed.
    fn pull(&self, state: &mut State, place: u64) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.wakers));
        let mut cx = Context::from_waker(&waker);
        let frame = ready!(Pin::new(&mut state.source).poll_frame(&mut cx));
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    self.add(state, data);
                    self.finish_at_length(state, &mut cx);
                }
                Err(frame) => self.add_trailers(state, frame.into_trailers().ok()),
            },
            Some(Err(error)) => self.fail(state, error),
            None => self.finish(state),
        }
        self.wakers.leave(place);
        self.wakers.wake_all();
        Poll::Ready(())
    }

    fn add(&self, state: &mut State, data: Bytes) {
        state.size += data.len() as u64;
        if self.length.is_some_and(|length| state.size > length) {
            return self.fail(state, "the body is longer than its Content-Length".into());
        }
        let is_too_long = state.hope.as_ref().is_some_and(|hope| state.size > hope.most);
        if is_too_long || (self.is_gathering(state) && state.lease.grow(data.len()).is_err()) {
            // It streams on to its one reader, who has seen all that was gathered.
            self.settle(state, None);
        }
        if state.hope.is_none() && self.length.is_none() {
            state.gone += state.chunks.len();
            state.chunks.clear();
            state.lease.release();
        }
        state.chunks.push(data);
    }

    /// Whether memory is taken as the body comes; that for a body of known length was taken before.
    fn is_gathering(&self, state: &State) -> bool {
        state.hope.is_some() && self.length.is_none()
    }

    /// A server stops reading when it has as many bytes as were promised, so the end has to be seen here.
    fn finish_at_length(&self, state: &mut State, cx: &mut Context<'_>) {
        if !matches!(state.stage, Stage::Open) {
            return;
        }
        if state.source.is_end_stream() {
            return self.finish(state);
        }
        if self.length != Some(state.size) {
            return;
        }
        match Pin::new(&mut state.source).poll_frame(cx) {
            Poll::Pending => {}
            Poll::Ready(None) => self.finish(state),
            Poll::Ready(Some(Err(error))) => self.fail(state, error),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => self.add(state, data),
                Err(frame) => self.add_trailers(state, frame.into_trailers().ok()),
            },
        }
    }

    /// An answer with trailers is for its readers alone: what they say belongs to this one transfer.
    fn add_trailers(&self, state: &mut State, trailers: Option<HeaderMap>) {
        state.trailers = trailers;
        state.stage = Stage::Complete(None);
        self.end(state);
    }

    fn finish(&self, state: &mut State) {
        if self.length.is_some_and(|length| length != state.size) {
            return self.fail(state, "the body is shorter than its Content-Length".into());
        }
        let entry = state.hope.is_some().then(|| {
            let body = one(&state.chunks, state.size);
            Arc::new(Entry { about: self.about.clone().measured(body.len()), body })
        });
        state.stage = Stage::Complete(entry.clone());
        self.settle(state, entry);
        self.end(state);
    }

    fn fail(&self, state: &mut State, error: BoxError) {
        state.stage = Stage::Broken(Arc::new(error));
        self.end(state);
    }

    /// Nothing more comes.
    fn end(&self, state: &mut State) {
        self.settle(state, None);
        state.source = Body::empty();
    }

    /// It is known what becomes of the answer.
    fn settle(&self, state: &mut State, entry: Option<Arc<Entry>>) {
        let Some(Hope { keep, leader, .. }) = state.hope.take() else { return };
        if let Some(entry) = entry {
            keep(entry);
        }
        if let Some(leader) = leader {
            leader.over();
        }
        self.wakers.wake_all();
    }

    /// Somebody left. Without readers a waiter goes on reading, and without waiters nobody does.
    fn left(&self, state: &mut State) {
        if state.readers > 0 || !matches!(state.stage, Stage::Open) {
            return;
        }
        if state.waiters > 0 {
            return self.wakers.wake_all();
        }
        state.stage = Stage::Abandoned;
        self.end(state);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Filling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filling").field("length", &self.length).finish_non_exhaustive()
    }
}

/// All chunks as one, so that what is stored holds no buffer of a connection.
fn one(chunks: &[Bytes], size: u64) -> Bytes {
    let mut all = BytesMut::with_capacity(usize::try_from(size).unwrap_or(0));
    chunks.iter().for_each(|chunk| all.extend_from_slice(chunk));
    all.freeze()
}

/// The body of an answer on its way, from its beginning.
pub(super) struct Reader {
    filling: Arc<Filling>,
    place: u64,
    next: usize,
    read: u64,
    is_done: bool,
}

impl HttpBody for Reader {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let filling = Arc::clone(&self.filling);
        let mut state = filling.state();
        loop {
            let chunk = self.next.checked_sub(state.gone).and_then(|index| state.chunks.get(index));
            if let Some(chunk) = chunk.cloned() {
                self.next += 1;
                self.read += chunk.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            match &state.stage {
                Stage::Open => {}
                Stage::Complete(_) => {
                    self.is_done = true;
                    return Poll::Ready(state.trailers.clone().map(|trailers| Ok(Frame::trailers(trailers))));
                }
                Stage::Broken(error) => {
                    self.is_done = true;
                    return Poll::Ready(Some(Err(Shared(Arc::clone(error)).into())));
                }
                Stage::Abandoned => {
                    self.is_done = true;
                    return Poll::Ready(Some(Err("the body was abandoned".into())));
                }
            }
            filling.wakers.wait(self.place, cx.waker());
            ready!(filling.pull(&mut state, self.place));
        }
    }

    fn is_end_stream(&self) -> bool {
        if self.is_done {
            return true;
        }
        let state = self.filling.state();
        matches!(state.stage, Stage::Complete(_))
            && self.next >= state.gone + state.chunks.len()
            && state.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.filling.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(self.read)),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.filling.wakers.leave(self.place);
        let mut state = self.filling.state();
        state.readers -= 1;
        self.filling.left(&mut state);
    }
}

/// One who waits for the end of an answer of unknown length.
pub(super) struct Waiter {
    filling: Arc<Filling>,
    place: u64,
}

impl Waiter {
    pub(super) fn filling(&self) -> &Arc<Filling> {
        &self.filling
    }

    /// What becomes of it: a stored answer, the rest of the reading if the readers have left, or nothing.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Join> {
        let mut state = self.filling.state();
        Poll::Ready(match &state.stage {
            Stage::Complete(Some(entry)) => Join::Stored(Arc::clone(entry)),
            Stage::Complete(None) | Stage::Broken(_) | Stage::Abandoned => Join::Alone,
            Stage::Open if state.hope.is_none() => Join::Alone,
            Stage::Open if state.readers == 0 => Join::Read(self.filling.add_reader(&mut state)),
            Stage::Open => {
                self.filling.wakers.wait(self.place, cx.waker());
                return Poll::Pending;
            }
        })
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.filling.wakers.leave(self.place);
        let mut state = self.filling.state();
        state.waiters -= 1;
        self.filling.left(&mut state);
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").finish_non_exhaustive()
    }
}

/// One failure, told to each reader.
#[derive(Debug)]
struct Shared(Arc<BoxError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&**self.0)
    }
}
