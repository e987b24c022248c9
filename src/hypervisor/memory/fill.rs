//! A memory whose pages are put in their places by all processors, while what else is in the stream is kept for QEMU.

use super::{
    Error, Image,
    order::Buffers,
    stream::{Left, Page, Parting, Unknown},
};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Where pages are put.
pub(in super::super) trait Place: Sync {
    /// Puts pages in their places, whose bytes stand in the piece. Called by several threads at once, for a page once.
    fn put(&self, piece: &[u8], pages: &[Page]) -> Result<(), Error>;
}

/// Whose turn it is to take a frame apart: it goes in their order.
struct Turns {
    parting: Parting,
    next: u32,
    /// The first frame that came to nothing: those before it have their turns, those behind it never will.
    failed: Option<u32>,
}

struct Shared {
    turns: Mutex<Turns>,
    changed: Condvar,
}

impl Shared {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a frame apart when all before it have been.
    fn part(&self, number: u32, plain: &[u8]) -> Result<Vec<Page>, Error> {
        let mut turns = self
            .changed
            .wait_while(self.turns(), |turns| {
                turns.next != number && turns.failed.is_none_or(|failed| failed > number)
            })
            .unwrap_or_else(PoisonError::into_inner);
        if turns.next != number {
            return Err(refused("an earlier frame was not taken apart"));
        }
        let mut pages = Vec::with_capacity(plain.len() / super::stream::PAGE);
        let parted = turns.parting.go_on(plain, &mut pages);
        parted.map_err(|Unknown(why)| refused(why))?;
        turns.next = number.saturating_add(1);
        drop(turns);
        self.changed.notify_all();
        Ok(pages)
    }
}

/// Sends those home that wait for a frame that came to nothing.
struct Turn<'a> {
    shared: &'a Shared,
    number: u32,
    done: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut turns = self.shared.turns();
            let first = turns.failed.unwrap_or(self.number).min(self.number);
            turns.failed = Some(first);
            drop(turns);
            self.shared.changed.notify_all();
        }
    }
}

fn refused(why: &str) -> Error {
    Error::NotRestored {
        why: why.to_owned(),
    }
}

impl Image {
    /// Hands the pages of the block of this name and size to `place`, proved, in any order, and gives what is left of the
    /// stream. What `place` has not been told of is zeros.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Damaged`]; what `place` says; [`Error::NotRestored`] where the stream cannot be taken apart:
    /// it may be whole all the same. Pages may have been put then.
    pub(in super::super) fn fill(
        &self,
        block: &str,
        length: u64,
        place: &dyn Place,
    ) -> Result<Vec<u8>, Error> {
        let shared = Shared {
            turns: Mutex::new(Turns {
                parting: Parting::new(block, length),
                next: 0,
                failed: None,
            }),
            changed: Condvar::new(),
        };
        self.frames(
            |frame, buffers: &mut Buffers| {
                let mut turn = Turn {
                    shared: &shared,
                    number: frame.number,
                    done: false,
                };
                self.unpack_frame(&frame, buffers)?;
                let pages = shared.part(frame.number, &buffers.plain)?;
                turn.done = true;
                place.put(&buffers.plain, &pages)
            },
            &mut |_| Ok(()),
        )?;
        let turns = shared
            .turns
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let Left { rest, late } = turns
            .parting
            .finish()
            .map_err(|Unknown(why)| refused(why))?;
        for (offset, bytes) in late {
            place.put(&bytes, &[Page { at: 0, offset }])?;
        }
        Ok(rest)
    }
}
