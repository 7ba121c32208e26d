//! What becomes of members and values, once it is known what they are called.

use super::{
    output::Output,
    rewriter::{Place, Rewriter},
    text::Wants,
};

/// What becomes of the bytes that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    /// They wait for a decision in the piece, and in `held` once the piece ends.
    Hold,
    /// A member's name is in `held`, and its value decides; what is between is left out.
    Undecided,
    /// They are left out.
    Mute,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pass,
    /// It is not allowed, but something inside of it may be.
    Descend,
    Cover(usize),
}

impl Rewriter {
    /// A member's name is known, or known to be longer than any that a field can have.
    pub(super) fn decide(&mut self, out: &mut Output<'_>, at: usize) {
        let Some(frame) = self.stack.last().copied() else { return };
        let name = self.text.name();
        let state = &self.states[self.states.len() - self.plan.words..];
        let found = self.plan.step(state, name, &mut self.state);
        let taken = found.rename.or(found.target).map_or(0, |target| 1 << target);
        let is_allowed = frame.is_allowed || found.is_allowed;
        // Its value decides, and so long must the name be held: one that is too long for it is not allowed.
        let may_descend = found.leads_to_allowed && name.is_some();
        if found.is_dropped || frame.targets & taken != 0 || !(is_allowed || may_descend) {
            return self.mute(out, at);
        }
        if let Some(frame) = self.stack.last_mut() {
            frame.targets |= taken;
        }
        self.is_live = found.is_live;
        if is_allowed {
            self.fate = found.cover.map_or(Fate::Pass, Fate::Cover);
            self.release(out, at, found.rename);
            return;
        }
        self.fate = Fate::Descend;
        self.hold(out, at);
        if let Some(target) = found.rename {
            self.held.name.clear();
            self.held.name.extend_from_slice(self.plan.target(target));
        }
        out.skip(at);
        self.mode = Mode::Undecided;
    }

    /// A value begins, and what becomes of it is known now: it passes, or is left out from here. Says what of its text is
    /// of interest.
    pub(super) fn meet(&mut self, out: &mut Output<'_>, byte: u8, at: usize) -> Wants {
        let is_container = matches!(byte, b'{' | b'[');
        match self.fate {
            _ if self.mode == Mode::Mute => {}
            Fate::Pass => {}
            Fate::Descend if is_container => match self.mode {
                Mode::Hold | Mode::Undecided => self.release(out, at, None),
                _ => self.written(),
            },
            Fate::Descend => {
                if self.mode == Mode::Pass {
                    out.pass(at);
                }
                if self.stack.is_empty() {
                    out.put(b"null");
                }
                self.mute(out, at);
            }
            Fate::Cover(cover) => {
                out.pass(at);
                let cover = self.plan.cover(cover);
                out.put(b"\"");
                out.put(cover.escaped.as_bytes());
                let has_tail = cover.shown > 0 && matches!(byte, b'"' | b'-' | b'0'..=b'9');
                let wants = if has_tail { Wants::Tail } else { Wants::Nothing };
                self.text.tail.begin(cover.shown);
                self.mute(out, at);
                self.is_covered = true;
                return wants;
            }
        }
        Wants::Nothing
    }

    pub(super) fn comma(&mut self, out: &mut Output<'_>, at: usize) {
        self.place = if self.is_in_object() { Place::Name } else { Place::Value };
        let Some(frame) = self.stack.last().copied().filter(|frame| frame.is_watched) else { return };
        if !frame.is_object {
            self.element();
        }
        if frame.is_object || !frame.is_allowed {
            out.hold_comma(at);
            self.mode = Mode::Hold;
        }
    }

    /// The next value is an element of an array, and what holds for the array holds for it.
    pub(super) fn element(&mut self) {
        let Some(frame) = self.stack.last() else { return };
        self.fate = if frame.is_allowed { Fate::Pass } else { Fate::Descend };
        self.is_live = true;
        self.state.clear();
        self.state.extend_from_slice(&self.states[self.states.len() - self.plan.words..]);
    }

    /// Keeps what waits for a decision until the next piece.
    pub(super) fn hold(&mut self, out: &Output<'_>, to: usize) {
        let name = self.name_from(out, to);
        self.held.keep(&out.piece[out.from..name], &out.piece[name..to]);
    }

    /// What was held passes, under another name if it has one.
    pub(super) fn release(&mut self, out: &mut Output<'_>, at: usize, rename: Option<usize>) {
        let has_written = self.stack.last().is_some_and(|frame| frame.has_written);
        if has_written {
            out.put_comma();
        }
        let name = self.name_from(out, at);
        out.put(&self.held.gap);
        match rename {
            Some(target) => {
                out.pass(name);
                out.put(self.plan.target(target));
                out.skip(at);
            }
            None => out.put(&self.held.name),
        }
        if self.mode == Mode::Undecided {
            out.put(if self.is_spaced { b": " } else { b":" });
            out.skip(at);
        }
        self.held.clear();
        self.written();
        self.mode = Mode::Pass;
    }

    /// Leaves out what was held, and everything until the end of the value.
    fn mute(&mut self, out: &mut Output<'_>, at: usize) {
        self.held.clear();
        out.skip(at);
        self.muted_at = self.stack.len();
        self.mode = Mode::Mute;
    }

    /// What is left out ends in front of here.
    pub(super) fn unmute(&mut self, out: &mut Output<'_>, at: usize) {
        if std::mem::take(&mut self.is_covered) {
            out.put(self.text.take_tail().as_bytes());
            out.put(b"\"");
        }
        out.skip(at);
        self.mode = Mode::Pass;
    }

    /// Where the name begins in what is held of this piece.
    fn name_from(&self, out: &Output<'_>, to: usize) -> usize {
        match self.place {
            Place::InName => out.name.unwrap_or(out.from),
            _ => to,
        }
    }

    fn written(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.has_written = true;
        }
    }
}
