//! [`Way`]: the bytes of a tunnel in one direction.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;

/// One direction of a tunnel. It holds bytes only while they are not taken, [`CHUNK`] of them at most.
#[derive(Debug)]
pub(super) struct Way {
    /// Read, but not yet taken.
    rest: Vec<u8>,
    taken: usize,
    needs_flush: bool,
    state: State,
    /// Followed in a WebSocket.
    frames: Option<Frames>,
    /// To be said between two frames; then nothing more.
    good_bye: Option<Vec<u8>>,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Good-bye was said. What comes is only looked at, for the other side's good-bye.
    Parting,
    /// Nothing more comes; what was said has to arrive.
    Ending,
    Over,
}

impl Way {
    pub(super) fn new(is_websocket: bool) -> Self {
        Self {
            rest: Vec::new(),
            taken: 0,
            needs_flush: false,
            state: State::Open,
            frames: is_websocket.then(Frames::default),
            good_bye: None,
            bytes: 0,
        }
    }

    /// How many bytes came, those of a good-bye of ours not among them.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Says this where the present frame ends, and nothing after it. Nobody who closes by himself is interrupted.
    pub(super) fn say_good_bye(&mut self, good_bye: &[u8]) {
        if self.state == State::Open && self.frames.as_ref().is_some_and(|frames| !frames.is_closed()) {
            self.good_bye = Some(good_bye.to_vec());
        }
    }

    /// Moves what can be moved. Ready once all has been moved and `to` has been told so.
    pub(super) fn poll<R, W>(
        &mut self,
        mut from: Pin<&mut R>,
        mut to: Pin<&mut W>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead,
        W: AsyncWrite,
    {
        for _ in 0..ROUNDS {
            ready!(self.poll_rest(to.as_mut(), cx))?;
            self.part_if_between();
            if !self.rest.is_empty() {
                continue;
            }
            match self.state {
                State::Open | State::Parting => {}
                State::Ending => {
                    ready!(to.as_mut().poll_shutdown(cx))?;
                    self.state = State::Over;
                }
                State::Over => return Poll::Ready(Ok(())),
            }
            if self.state == State::Over {
                continue;
            }
            if self.poll_chunk(from.as_mut(), to.as_mut(), cx)?.is_pending() {
                if self.needs_flush {
                    ready!(to.as_mut().poll_flush(cx))?;
                    self.needs_flush = false;
                }
                return Poll::Pending;
            }
        }
        // Others want to be served, too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once and passes it on at once, as much as is taken.
    fn poll_chunk<R, W>(
        &mut self,
        from: Pin<&mut R>,
        to: Pin<&mut W>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead,
        W: AsyncWrite,
    {
        let mut chunk = [MaybeUninit::uninit(); CHUNK];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(from.poll_read(cx, &mut chunk))?;
        let chunk = chunk.filled();
        self.bytes += chunk.len() as u64;
        if chunk.is_empty() {
            self.state = State::Ending;
            return Poll::Ready(Ok(()));
        }
        let wanted = self.follow(chunk);
        if wanted.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.needs_flush = true;
        let written = match to.poll_write(cx, wanted)? {
            Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(written) => written,
            Poll::Pending => 0,
        };
        self.rest.extend_from_slice(&wanted[written..]);
        Poll::Ready(Ok(()))
    }

    /// What of these bytes is passed on.
    fn follow<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let Some(frames) = &mut self.frames else { return chunk };
        if self.state == State::Parting {
            frames.follow(chunk, false);
            if frames.is_closed() {
                self.state = State::Ending;
            }
            return &[];
        }
        let wanted = frames.follow(chunk, self.good_bye.is_some());
        let (last, beyond) = chunk.split_at(wanted);
        if beyond.is_empty() {
            return chunk;
        }
        if frames.is_closed() {
            // The other side was faster.
            frames.follow(beyond, false);
            self.good_bye = None;
            return chunk;
        }
        self.part(last);
        // Perhaps its own good-bye is there already.
        self.follow(beyond)
    }

    fn part_if_between(&mut self) {
        let Some(frames) = &self.frames else { return };
        if frames.is_closed() {
            self.good_bye = None;
        } else if self.good_bye.is_some() && frames.is_between() {
            self.part(&[]);
        }
    }

    /// Says good-bye after these last bytes.
    fn part(&mut self, last: &[u8]) {
        self.rest.extend_from_slice(last);
        self.rest.extend_from_slice(&self.good_bye.take().unwrap_or_default());
        self.state = State::Parting;
    }

    fn poll_rest<W: AsyncWrite>(
        &mut self,
        mut to: Pin<&mut W>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.taken < self.rest.len() {
            match ready!(to.as_mut().poll_write(cx, &self.rest[self.taken..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.taken += written,
            }
            self.needs_flush = true;
        }
        // An idle tunnel holds no buffer.
        self.rest = Vec::new();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }
}

/// Bytes that are moved at once. They are on the stack, so more would cost nothing but the time to fill them, and a
/// peer that takes nothing holds this much memory.
const CHUNK: usize = 8 * 1024;

/// Chunks before somebody else gets a turn.
const ROUNDS: usize = 16;
