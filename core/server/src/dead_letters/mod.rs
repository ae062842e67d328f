//! The dead letters that a topology does not read itself: a rotating file of them, and a journal of those that are done.
//!
//! The file belongs to the sink that writes it. What is replayed or dropped is noted beside it, in `FILE.done`; a letter
//! whose id is there is no longer shown. It goes with its file when that is rotated away.
//!
//! **Invariant:** a letter is done only once its event is delivered again and no crash can undo that, or once it is
//! dropped on request. A crash in between repeats letters; it loses none.

mod backwards;
mod done;
mod letter;
mod pass;
mod replay;
mod restore;
mod snapshot;

pub(crate) use backwards::{Backwards, LetterPlace};
pub(crate) use done::Done;
pub(crate) use letter::LetterId;
pub(crate) use pass::Selection;
pub(crate) use replay::{BrokenOff, Handled, Waiting, drop_letters, replay};
#[cfg(test)]
use snapshot::slot;

use letter::Letter;
use pass::Pass;
use restore::events_of;
