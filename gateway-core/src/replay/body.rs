use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::{
    Body, BoxError,
    budget::{Full, Lease},
};

/// The hand that gives a body to one try after the other.
///
/// Making one costs an allocation, none if the body is empty. The first piece is kept without copying it (it shares the
/// buffer that it was read into), later ones are copied together, so that many small pieces fill no more memory than
/// their bytes.
pub struct Replay(Option<Arc<Mutex<Tee>>>);

/// Why a body cannot be given to another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It is longer than what may be kept.
    TooLarge,
    /// It was read, and nothing was to be kept of it.
    Unkept,
    /// There was no memory to keep it: see [`budget`](crate::budget).
    NoMemory,
    /// It broke off.
    Broken,
}

impl Replay {
    /// Keeps up to `limit` bytes of `body` for another try, and gives it to the first one. A limit of 0 keeps nothing:
    /// the body can be given again as long as nobody has read of it. The memory comes out of `lease`, which is asked
    /// for only if something is to be kept.
    ///
    /// A body that is already given out by another `Replay` is kept once, for both.
    #[must_use]
    pub fn of(body: Body, limit: usize, lease: impl FnOnce() -> Lease) -> (Self, Body) {
        if body.is_end_stream() {
            return (Self(None), Body::empty());
        }
        let keep = match limit {
            0 => Err(Lost::Unkept),
            limit if body.size_hint().lower() > limit as u64 => Err(Lost::TooLarge),
            limit => Ok((limit, lease())),
        };
        let source = match body.into_replayed() {
            Ok(replayed) if replayed.is_at_its_start() => {
                replayed.share(keep);
                return (Self(Some(Arc::clone(&replayed.shared))), replayed.into());
            }
            Ok(replayed) => replayed.into(),
            Err(body) => body,
        };
        let tee =
            Tee { source, is_over: false, keep, tape: Ok(Tape::default()), turn: 0, hands: 1, waiting: None };
        let shared = Arc::new(Mutex::new(tee));
        let first = ReplayBody { shared: Arc::clone(&shared), turn: 0 };
        (Self(Some(shared)), first.into())
    }

    /// The body for another try, from its start. Whoever read it before gets no more of it.
    ///
    /// # Errors
    /// When it is lost.
    pub fn body(&self) -> Result<Body, Lost> {
        let Some(shared) = &self.0 else { return Ok(Body::empty()) };
        let mut tee = lock(shared);
        tee.tape.as_mut().map_err(|lost| *lost)?.rewind();
        tee.turn += 1;
        let (turn, before) = (tee.turn, tee.waiting.take());
        drop(tee);
        // It finds out that it gets no more.
        before.into_iter().for_each(Waker::wake);
        Ok(ReplayBody { shared: Arc::clone(shared), turn }.into())
    }

    /// Why the body cannot be given to another try, if it cannot.
    #[must_use]
    pub fn lost(&self) -> Option<Lost> {
        lock(self.0.as_ref()?).tape.as_ref().err().copied()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            let mut tee = lock(shared);
            tee.hands -= 1;
            tee.forget_what_nobody_wants();
        }
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

impl Lost {
    /// For logs and explanations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "its body is longer than what is kept",
            Self::Unkept => "its body was read and not kept",
            Self::NoMemory => "there was no memory to keep its body",
            Self::Broken => "its body broke off",
        }
    }
}

/// One try's reading of a body that can be given again; made by [`Replay`].
pub(crate) struct ReplayBody {
    shared: Arc<Mutex<Tee>>,
    turn: u32,
}

/// The body and what was kept of it.
struct Tee {
    source: Body,
    is_over: bool,
    /// How many bytes may be kept, and out of which memory; or why none.
    keep: Result<(usize, Lease), Lost>,
    tape: Result<Tape, Lost>,
    /// The number of the reading that may go on.
    turn: u32,
    /// How many [`Replay`]s may still ask for another reading.
    hands: usize,
    /// Whoever waits for the next piece.
    waiting: Option<Waker>,
}

/// What was read so far, and how much of it the present try was given.
#[derive(Default)]
struct Tape {
    pieces: VecDeque<Bytes>,
    given: usize,
    /// Later pieces, copied together; they become one piece when another try begins.
    tail: BytesMut,
    bytes: usize,
    trailers: Option<HeaderMap>,
    gave_trailers: bool,
}

impl Tee {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Ok(tape) = &mut self.tape
            && let Some(frame) = tape.replay()
        {
            self.forget_what_nobody_wants();
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.source).poll_frame(cx) else {
            if self.hands > 0 && !self.waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                self.waiting = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        match &frame {
            Some(Ok(frame)) => self.keep(frame),
            Some(Err(_)) => self.lose(Lost::Broken),
            None => self.is_over = true,
        }
        Poll::Ready(frame)
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        if self.hands == 0 {
            return;
        }
        let (Ok(tape), size) = (&mut self.tape, size(frame)) else { return };
        if size == 0 {
            return;
        }
        let lost = match &mut self.keep {
            Err(lost) => *lost,
            Ok((limit, _)) if size > *limit - tape.bytes => Lost::TooLarge,
            Ok((_, lease)) => match lease.grow(size) {
                Ok(()) => return tape.record(frame, size),
                Err(Full) => Lost::NoMemory,
            },
        };
        self.lose(lost);
    }

    fn lose(&mut self, lost: Lost) {
        self.tape = Err(lost);
        self.keep = Err(lost);
    }

    /// Frees the tape when no other try can come; not before the present one was given all of it.
    fn forget_what_nobody_wants(&mut self) {
        if self.hands == 0 && self.tape.as_ref().is_ok_and(|tape| tape.is_given()) {
            self.lose(Lost::Unkept);
        }
    }
}

impl Tape {
    fn rewind(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        self.given = 0;
        self.gave_trailers = false;
    }

    fn replay(&mut self) -> Option<Frame<Bytes>> {
        if let Some(piece) = self.pieces.get(self.given) {
            self.given += 1;
            return Some(Frame::data(piece.clone()));
        }
        if self.gave_trailers {
            return None;
        }
        self.gave_trailers = self.trailers.is_some();
        self.trailers.clone().map(Frame::trailers)
    }

    fn record(&mut self, frame: &Frame<Bytes>, size: usize) {
        self.bytes += size;
        if let Some(data) = frame.data_ref() {
            if self.pieces.is_empty() {
                self.pieces.push_back(data.clone());
                self.given = 1;
            } else {
                self.tail.extend_from_slice(data);
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
            self.gave_trailers = true;
        }
    }

    fn is_given(&self) -> bool {
        self.given == self.pieces.len() && (self.trailers.is_none() || self.gave_trailers)
    }

    /// The bytes that the present try is still to be given.
    fn left(&self) -> u64 {
        self.pieces.iter().skip(self.given).map(|piece| piece.len() as u64).sum()
    }
}

impl ReplayBody {
    /// The shared body, if this reading may still go on.
    fn tee(&self) -> Option<MutexGuard<'_, Tee>> {
        Some(lock(&self.shared)).filter(|tee| tee.turn == self.turn)
    }

    /// Whether another [`Replay`] may hold the same body: not when some of it is gone already.
    fn is_at_its_start(&self) -> bool {
        let tee = self.tee();
        tee.is_some_and(|tee| tee.tape.as_ref().is_ok_and(|tape| tape.given == 0 && !tape.gave_trailers))
    }

    /// One more [`Replay`] holds the body; the more generous of their wishes counts.
    fn share(&self, wish: Result<(usize, Lease), Lost>) {
        let mut tee = lock(&self.shared);
        tee.hands += 1;
        match (&mut tee.keep, wish) {
            (Ok((limit, _)), Ok((wish, _))) => *limit = wish.max(*limit),
            (keep @ Err(_), wish) => *keep = wish,
            (Ok(_), Err(_)) => {}
        }
    }

    pub(crate) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.tee() {
            Some(mut tee) => tee.poll_frame(cx),
            None => Poll::Ready(Some(Err(TakenAway.into()))),
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.tee().is_some_and(|tee| {
            let is_given = tee.tape.as_ref().map_or(true, Tape::is_given);
            is_given && (tee.is_over || tee.source.is_end_stream())
        })
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let Some(tee) = self.tee() else { return SizeHint::default() };
        let left = tee.tape.as_ref().map_or(0, Tape::left);
        let rest = if tee.is_over { SizeHint::with_exact(0) } else { tee.source.size_hint() };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(left));
        // A body that has trailers must not be sent by its length alone, which would lose them.
        let has_trailers = tee.tape.as_ref().is_ok_and(|tape| tape.trailers.is_some());
        if let (Some(upper), false) = (rest.upper(), has_trailers) {
            hint.set_upper(upper.saturating_add(left));
        }
        hint
    }
}

/// What an earlier try finds when another one has the body.
#[derive(Debug)]
struct TakenAway;

impl fmt::Display for TakenAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another try reads this body")
    }
}

impl Error for TakenAway {}

fn size(frame: &Frame<Bytes>) -> usize {
    let trailers = |trailers: &HeaderMap| {
        trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
    };
    frame.data_ref().map_or(0, Bytes::len) + frame.trailers_ref().map_or(0, trailers)
}

fn lock(shared: &Mutex<Tee>) -> MutexGuard<'_, Tee> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
