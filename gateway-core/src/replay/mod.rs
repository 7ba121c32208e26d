//! What another try needs of a request: a [`Head`] that is made again, and a body that is read again by [`Replay`].
//!
//! While the first try reads the body it streams through, and what passes is kept, up to a limit. Another try is
//! given what was read and then the rest of the same stream. A body that nobody has read yet is whole, and can be
//! given to another try without keeping anything.
//!
//! | the body | kept | another try |
//! | --- | --- | --- |
//! | is empty | nothing, and nothing is allocated | always |
//! | was not read yet | nothing | always |
//! | is surely longer than the limit | nothing | until it is read |
//! | grows beyond the limit, or beyond the memory there is | what was kept is let go; it streams on | no more |
//!
//! Only one try reads at a time: giving the body to the next one takes it away from the one before, even if a
//! connection still holds on to it. Once the [`Replay`] is dropped nothing more is kept.

mod body;
mod head;

pub(crate) use body::ReplayBody;
pub use body::{Lost, Replay};
pub use head::Head;
