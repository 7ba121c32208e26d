use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::{
    fate::{Fate, Mode},
    output::{Held, Output},
    plan::Plan,
    scan::Number,
    text::{Text, Wants},
};

/// Rewrites a JSON document while it passes, piece by piece, in constant memory.
///
/// It reads JSON strictly (RFC 8259) and keeps what it does not change byte for byte. Whoever reads more leniently
/// than the standard would see another document, so everything that is not JSON ends the rewriting with [`Broken`].
pub(crate) struct Rewriter {
    pub(super) plan: Arc<Plan>,
    form: Form,
    pub(super) place: Place,
    pub(super) mode: Mode,
    pub(super) stack: Vec<Frame>,
    /// The states of the plan for the frames that are watched, one after the other.
    pub(super) states: Vec<u64>,
    /// The state for the value that comes next, and what becomes of it.
    pub(super) state: Vec<u64>,
    pub(super) fate: Fate,
    pub(super) is_live: bool,
    /// The height of the stack at which the value stands that is left out, and whether it is covered.
    pub(super) muted_at: usize,
    pub(super) is_covered: bool,
    pub(super) held: Held,
    /// Whether there is space since the last value or colon.
    pub(super) is_spaced: bool,
    pub(super) text: Text,
    /// How many bytes came before this piece.
    before: u64,
    /// How many bytes of a byte order mark came.
    mark: u8,
}

/// What a body was said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// JSON: one document, or several behind each other, as servers send them that stream.
    Json,
    /// Nothing. If it begins neither like an object nor like an array, it has no fields and passes.
    Unknown,
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Value,
    FirstElement,
    FirstName,
    Name,
    Colon,
    AfterValue,
    /// The document is over.
    End,
    InName,
    InString,
    InNumber(Number),
    /// The rest of `true`, `false` or `null`.
    InWord(&'static [u8]),
    /// No JSON, and none was promised.
    Foreign,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) is_object: bool,
    /// Whether the names or elements in it are decided about.
    pub(super) is_watched: bool,
    pub(super) is_allowed: bool,
    /// Whether anything was written in it, so that a comma is due.
    pub(super) has_written: bool,
    /// The new names that are taken.
    pub(super) targets: u64,
}

/// Why a body is not the JSON that it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(super) at: u64,
    why: &'static str,
}

impl Rewriter {
    /// The most levels of objects and arrays.
    pub(crate) const MAX_DEPTH: usize = 128;

    pub(crate) fn new(plan: Arc<Plan>, form: Form) -> Self {
        let mut rewriter = Self {
            form,
            place: Place::Value,
            mode: Mode::Pass,
            stack: Vec::new(),
            states: Vec::new(),
            state: Vec::with_capacity(plan.words),
            fate: Fate::Pass,
            is_live: true,
            muted_at: 0,
            is_covered: false,
            held: Held::default(),
            is_spaced: false,
            text: Text::default(),
            before: 0,
            mark: 0,
            plan,
        };
        rewriter.begin_document();
        rewriter
    }

    /// Takes the next piece of the body and gives what is certain by now. After an error nothing may follow.
    pub(crate) fn push(&mut self, piece: &Bytes) -> Result<Bytes, Broken> {
        let mut out = Output::new(piece);
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            let step = match self.place {
                Place::InName => self.name(&mut out, at),
                Place::InString => self.string(&mut out, at),
                Place::InNumber(number) => self.number(&mut out, at, number),
                Place::InWord(rest) => self.word(&mut out, at, rest),
                Place::Foreign => Ok(piece.len()),
                _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => {
                    self.is_spaced = true;
                    Ok(at + 1)
                }
                _ => self.punctuation(&mut out, byte, at),
            };
            at = step.map_err(|(at, why)| Broken { at: self.before + at as u64, why })?;
        }
        match self.mode {
            Mode::Pass => out.pass(piece.len()),
            Mode::Hold => self.hold(&out, piece.len()),
            Mode::Undecided | Mode::Mute => {}
        }
        self.before += piece.len() as u64;
        Ok(out.finish(piece))
    }

    /// Says whether the body may end here. It may have been empty.
    pub(crate) fn finish(&self) -> Result<(), Broken> {
        let is_whole = match self.place {
            Place::End | Place::Foreign => true,
            Place::Value => self.stack.is_empty() && matches!(self.mark, 0 | 3),
            Place::InNumber(number) => self.stack.is_empty() && number.may_end(),
            _ => false,
        };
        if is_whole { Ok(()) } else { Err(Broken { at: self.before, why: "it ends in the middle" }) }
    }

    /// Whatever is not inside of a name, a text, a number or a word.
    fn punctuation(&mut self, out: &mut Output<'_>, byte: u8, at: usize) -> Step {
        match (self.place, byte) {
            (Place::Value | Place::End, _) if self.stack.is_empty() => return self.top(out, byte, at),
            (Place::FirstElement, b']') | (Place::FirstName, b'}') => {
                if self.mode == Mode::Hold {
                    self.release(out, at, None);
                }
                self.close(out, at + 1);
            }
            (Place::Value | Place::FirstElement, _) => return self.value(out, byte, at),
            (Place::FirstName | Place::Name, b'"') => {
                let is_held = self.mode == Mode::Hold;
                self.text.begin(if is_held { Wants::Name } else { Wants::Nothing });
                self.place = Place::InName;
                out.name = Some(at);
            }
            (Place::Colon, b':') => {
                self.is_spaced = false;
                self.place = Place::Value;
            }
            (Place::AfterValue, b',') => self.comma(out, at),
            (Place::AfterValue, b']' | b'}') if self.is_in_object() == (byte == b'}') => {
                self.close(out, at + 1);
            }
            _ => return Err((at, "there is a character that JSON does not have there")),
        }
        Ok(at + 1)
    }

    /// Between documents, and in front of the first.
    fn top(&mut self, out: &mut Output<'_>, byte: u8, at: usize) -> Step {
        // A byte order mark is no JSON, but readers may skip it (RFC 8259, 8.1), and so do we.
        let position = self.before + at as u64;
        if position == u64::from(self.mark) && MARK.get(usize::from(self.mark)) == Some(&byte) {
            self.mark += 1;
            return Ok(at + 1);
        }
        if self.place == Place::End {
            if !self.is_spaced && !matches!(byte, b'{' | b'[' | RECORD_SEPARATOR) {
                return Err((at, "something follows the document"));
            }
            self.begin_document();
        } else if self.form == Form::Unknown && !matches!(byte, b'{' | b'[') {
            self.place = Place::Foreign;
            return Ok(at);
        } else if matches!(self.mark, 1 | 2) {
            return Err((at, "it begins with half a byte order mark"));
        }
        if byte == RECORD_SEPARATOR {
            self.is_spaced = true;
            return Ok(at + 1);
        }
        self.value(out, byte, at)
    }

    fn begin_document(&mut self) {
        self.state.clear();
        self.state.extend_from_slice(self.plan.start());
        self.fate = if self.plan.is_closed { Fate::Descend } else { Fate::Pass };
        self.is_live = true;
        self.place = Place::Value;
    }

    /// The first byte of a value.
    fn value(&mut self, out: &mut Output<'_>, byte: u8, at: usize) -> Step {
        let wants = self.meet(out, byte, at);
        self.text.begin(wants);
        self.place = match byte {
            b'{' | b'[' => return self.open(out, byte, at),
            b'"' => Place::InString,
            b't' => Place::InWord(b"rue"),
            b'f' => Place::InWord(b"alse"),
            b'n' => Place::InWord(b"ull"),
            _ => {
                let number = Number::beginning(byte);
                let number = number.ok_or((at, "there is a character that JSON does not have there"))?;
                self.text.take(&[byte]);
                Place::InNumber(number)
            }
        };
        Ok(at + 1)
    }

    fn open(&mut self, out: &mut Output<'_>, byte: u8, at: usize) -> Step {
        if self.stack.len() == Self::MAX_DEPTH {
            return Err((at, "it is nested more than 128 levels deep"));
        }
        let is_object = byte == b'{';
        let is_watched = self.mode != Mode::Mute && self.is_live;
        let is_allowed = self.fate != Fate::Descend;
        if is_watched {
            self.states.extend_from_slice(&self.state);
        }
        self.stack.push(Frame { is_object, is_watched, is_allowed, has_written: false, targets: 0 });
        self.place = if is_object { Place::FirstName } else { Place::FirstElement };
        if is_watched && is_object {
            out.pass(at + 1);
            self.mode = Mode::Hold;
        } else if is_watched {
            self.element();
        }
        Ok(at + 1)
    }

    fn close(&mut self, out: &mut Output<'_>, at: usize) {
        if self.stack.pop().is_some_and(|frame| frame.is_watched) {
            self.states.truncate(self.states.len() - self.plan.words);
        }
        self.end_value(out, at);
    }

    fn name(&mut self, out: &mut Output<'_>, at: usize) -> Step {
        let (at, is_over) = self.text.read(out.piece, at)?;
        if self.mode == Mode::Hold && (is_over || self.text.is_long()) {
            self.decide(out, at);
        }
        if is_over {
            self.place = Place::Colon;
        }
        Ok(at)
    }

    fn string(&mut self, out: &mut Output<'_>, at: usize) -> Step {
        let (at, is_over) = self.text.read(out.piece, at)?;
        if is_over {
            self.end_value(out, at);
        }
        Ok(at)
    }

    fn number(&mut self, out: &mut Output<'_>, at: usize, mut number: Number) -> Step {
        let mut end = at;
        while let Some(next) = out.piece.get(end).and_then(|&byte| number.next(byte)) {
            number = next;
            end += 1;
        }
        self.text.take(&out.piece[at..end]);
        self.place = Place::InNumber(number);
        if end < out.piece.len() {
            if !number.may_end() {
                return Err((end, "there is half a number"));
            }
            self.end_value(out, end);
        }
        Ok(end)
    }

    fn word(&mut self, out: &mut Output<'_>, at: usize, rest: &'static [u8]) -> Step {
        let here = rest.len().min(out.piece.len() - at);
        let differs = rest.iter().zip(&out.piece[at..at + here]).position(|(wanted, found)| wanted != found);
        if let Some(differs) = differs {
            return Err((at + differs, "there is a word that is not true, false or null"));
        }
        self.place = Place::InWord(&rest[here..]);
        if here == rest.len() {
            self.end_value(out, at + here);
        }
        Ok(at + here)
    }

    /// A value ends in front of here.
    fn end_value(&mut self, out: &mut Output<'_>, at: usize) {
        if self.mode == Mode::Mute && self.muted_at == self.stack.len() {
            self.unmute(out, at);
        }
        self.is_spaced = false;
        self.place = if self.stack.is_empty() { Place::End } else { Place::AfterValue };
    }

    pub(super) fn is_in_object(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.is_object)
    }
}

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewriter")
            .field("form", &self.form)
            .field("before", &self.before)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.why, self.at)
    }
}

impl std::error::Error for Broken {}

/// Where to read on, or where it is broken and why.
type Step = Result<usize, (usize, &'static str)>;

const MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// In front of each document of `application/json-seq` (RFC 7464, 2.2).
const RECORD_SEPARATOR: u8 = 0x1E;
