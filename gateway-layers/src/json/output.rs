use bytes::{Bytes, BytesMut};

/// What comes out for one piece of a document. As long as everything passes, it is the piece itself and nothing is
/// copied.
pub(super) struct Output<'a> {
    pub(super) piece: &'a [u8],
    /// Up to here everything was passed or left out.
    pub(super) from: usize,
    /// The beginning of the piece that passes unchanged; what follows it is in `rest`.
    head: usize,
    rest: Option<BytesMut>,
    /// The last comma that is held back.
    comma: Option<usize>,
    /// Where the last name begins, if it does in this piece.
    pub(super) name: Option<usize>,
}

impl<'a> Output<'a> {
    pub(super) fn new(piece: &'a [u8]) -> Self {
        Self { piece, from: 0, head: 0, rest: None, comma: None, name: None }
    }

    /// Passes the piece up to here.
    pub(super) fn pass(&mut self, to: usize) {
        if self.rest.is_none() && self.from == self.head {
            self.head = to;
        } else if self.from < to {
            let part = &self.piece[self.from..to];
            self.rest().extend_from_slice(part);
        }
        self.from = to;
    }

    /// Leaves the piece out up to here.
    pub(super) fn skip(&mut self, to: usize) {
        self.from = to;
    }

    /// Holds back what begins with this comma.
    pub(super) fn hold_comma(&mut self, at: usize) {
        self.pass(at);
        self.comma = Some(at);
        self.from = at + 1;
    }

    /// Puts a comma in front of what passes next: the one that was held back just before it, or a new one.
    pub(super) fn put_comma(&mut self) {
        match self.comma {
            Some(comma) if comma + 1 == self.from => self.from = comma,
            _ => self.put(b","),
        }
    }

    /// Adds bytes that are not in the piece.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.rest().extend_from_slice(bytes);
        }
    }

    /// What came out, of the piece that this was made of.
    pub(super) fn finish(self, piece: &Bytes) -> Bytes {
        match self.rest {
            Some(rest) => rest.freeze(),
            None => piece.slice(..self.head),
        }
    }

    fn rest(&mut self) -> &mut BytesMut {
        let (piece, head) = (self.piece, self.head);
        self.rest.get_or_insert_with(|| {
            let mut rest = BytesMut::with_capacity(piece.len() + 64);
            rest.extend_from_slice(&piece[..head]);
            rest
        })
    }
}

/// What waits for a decision since an earlier piece: the space in front of a member, and as much of its name as came.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) gap: Vec<u8>,
    pub(super) name: Vec<u8>,
}

impl Held {
    pub(super) fn clear(&mut self) {
        self.gap.clear();
        self.name.clear();
    }

    /// Keeps more of both. Space past the bound means nothing and is left out.
    pub(super) fn keep(&mut self, gap: &[u8], name: &[u8]) {
        let room = MAX_GAP - self.gap.len();
        self.gap.extend_from_slice(&gap[..gap.len().min(room)]);
        self.name.extend_from_slice(name);
    }
}

/// More than the indentation of the deepest level by two.
const MAX_GAP: usize = 512;
