//! Answers one behind the other, so that several leave in one system call.

/// Answers on their way, in one piece of memory that is used again and again.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    used: usize,
}

impl Outbox {
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub const fn len(&self) -> usize {
        self.used
    }

    pub const fn clear(&mut self) {
        self.used = 0;
    }

    /// Takes back what came after `mark`, a former [`Outbox::len`].
    pub fn rewind(&mut self, mark: usize) {
        self.used = self.used.min(mark);
    }

    /// Gives the memory back.
    pub fn shrink(&mut self) {
        *self = Self::default();
    }

    /// The next `length` bytes, to be filled. They hold whatever stood there before: nothing is zeroed twice.
    pub fn room(&mut self, length: usize) -> &mut [u8] {
        let end = self.used + length;
        if self.bytes.len() < end {
            self.bytes.resize(end.next_power_of_two(), 0);
        }
        let room = self.bytes.get_mut(self.used..end).unwrap_or_default();
        self.used = end;
        room
    }

    pub fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }
}
