//! An open layer's presence log, as it is written: made anew, appended to, marked, poisoned. Its format is in
//! [`crate::engine::record`].

use crate::engine::block::BLOCK_SIZE;
use crate::engine::blockset::runs;
use crate::engine::error::{Error, Result};
use crate::engine::format::TEMPORARY;
use crate::engine::maps::{Maps, Presence};
use crate::engine::record::{
    Entry, FIRST, Found, LogHeader, POISON, Parsed, SLOT, encode_header, encode_slot, offset_of,
    parse, read_slot, read_whole, replay,
};
use crate::engine::storage::{File, Storage};
use std::ops::Range;
use std::sync::Arc;

/// Slots that only marks may take: with them a flush needs no room on a full disk.
const FOR_MARKS: u32 = 8;
/// How far the log is written ahead, in slots (64 KiB): large enough that growing is rare, small enough for a
/// thousand idle volumes.
const AHEAD: u32 = 2048;

/// An open log that is appended to. Its owner locks it: appends are in order, so that a record is never in the file
/// while one before it is not.
pub(crate) struct Log {
    name: String,
    header: LogHeader,
    file: Arc<dyn File>,
    /// The next slot to write.
    next: u32,
    /// Slots that the file is long enough for.
    room: u32,
    /// One past the last record (marks are none).
    records: u32,
    /// The furthest end of a mark whose own sync has returned.
    durable: u32,
    /// Slots known to be on stable storage.
    synced: u32,
    /// A short append could not be cut back: nothing more is appended.
    broken: bool,
}

impl Log {
    /// Writes a new log with these blocks, a mark over them, and room ahead, under a temporary name, and syncs it.
    /// [`Log::publish`] gives it its name.
    pub(crate) fn write_new(
        storage: &dyn Storage,
        mut header: LogHeader,
        maps: &Maps,
    ) -> Result<Self> {
        let name = header.layer.log();
        let temporary = format!("{name}{}", TEMPORARY);
        let mut entries = Vec::new();
        for (presence, bitmap) in [(Presence::Data, &maps.data), (Presence::Zero, &maps.zero)] {
            for run in runs(bitmap) {
                entries.push(Entry::Record {
                    presence,
                    first: run.start,
                    count: run.end.saturating_sub(run.start),
                });
            }
        }
        let too_long = || Error::damaged(name.as_str(), 0, "the log would be too long");
        let records = u32::try_from(entries.len()).map_err(|_| too_long())?;
        if records > 0 {
            entries.push(Entry::Mark(records));
        }
        let next = u32::try_from(entries.len()).map_err(|_| too_long())?;
        header.initial = next;
        let room = next.checked_add(AHEAD).ok_or_else(too_long)?;
        let mut bytes = encode_header(&header);
        bytes.resize(usize::try_from(FIRST).unwrap_or(usize::MAX), 0);
        for (number, entry) in (0..).zip(&entries) {
            bytes.extend_from_slice(&encode_slot(*entry, number, header.layer, 0));
        }
        bytes.resize(usize::try_from(offset_of(room)).unwrap_or(usize::MAX), 0);
        let made = (|| {
            let file = storage.create(&temporary)?;
            file.write_at(&bytes, 0)?;
            file.sync_data()?;
            Ok(file)
        })();
        let file = made.map_err(|source| {
            // Best effort: a leftover is removed when the pool is opened.
            let _ = storage.unlink(&temporary);
            Error::io("write", &temporary, source)
        })?;
        Ok(Self {
            name,
            header,
            file,
            next,
            room,
            records,
            durable: records,
            synced: next,
            broken: false,
        })
    }

    /// Gives a log from [`Log::write_new`] its name. The caller syncs the folder.
    pub(crate) fn publish(&self, storage: &dyn Storage) -> Result<()> {
        let temporary = format!("{}{}", self.name, TEMPORARY);
        storage
            .rename(&temporary, &self.name)
            .map_err(|source| Error::io("rename", &temporary, source))
    }

    pub(crate) fn header(&self) -> &LogHeader {
        &self.header
    }

    /// One past the last record: what a mark that is written now may name.
    pub(crate) fn end(&self) -> u32 {
        self.records
    }

    /// The furthest end of a mark whose own sync has returned.
    pub(crate) fn durable(&self) -> u32 {
        self.durable
    }

    /// Length of what was appended, in bytes.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.next) * SLOT as u64
    }

    pub(crate) fn file(&self) -> Arc<dyn File> {
        Arc::clone(&self.file)
    }

    /// Appends records. All of them are in the file when it returns, or none is.
    pub(crate) fn append(&mut self, runs: &[(Presence, Range<u32>)]) -> Result<()> {
        let entries: Vec<_> = runs
            .iter()
            .map(|(presence, run)| Entry::Record {
                presence: *presence,
                first: run.start,
                count: run.end.saturating_sub(run.start),
            })
            .collect();
        self.write(&entries, FOR_MARKS)?;
        self.records = self.next;
        Ok(())
    }

    /// Appends a mark that names `end`. The caller syncs the file, then calls [`Log::marked`].
    pub(crate) fn mark(&mut self, end: u32) -> Result<u32> {
        self.write(&[Entry::Mark(end)], 0)?;
        Ok(self.next)
    }

    /// The sync of a mark has returned; `through` is what [`Log::mark`] gave.
    pub(crate) fn marked(&mut self, end: u32, through: u32) {
        self.durable = self.durable.max(end);
        self.synced = self.synced.max(through);
    }

    /// The file, and what is needed to read from it the blocks under a mark whose sync has returned. Taken under the
    /// lock; the reading needs none.
    pub(crate) fn durable_part(&self) -> DurablePart {
        let slots = self.durable.max(self.header.initial);
        DurablePart {
            name: self.name.clone(),
            file: self.file(),
            slots,
            durable: self.durable,
        }
    }

    /// Says in the file that a sync failed. In the page cache that outlives the process, which is what counts: a dead
    /// machine leaves only what the marks cover, and that is good.
    pub(crate) fn write_poison(&self) -> std::io::Result<()> {
        self.file.write_at(&[1], POISON)
    }

    /// Carries the records from `from` on into a log that is to take this one's place.
    pub(crate) fn carry(&self, from: u32, into: &mut Self) -> Result<()> {
        let count = self.next.saturating_sub(from) as usize;
        let mut bytes = vec![0; count * SLOT];
        let failed = |source| Error::io("read", &self.name, source);
        self.file
            .read_at(&mut bytes, offset_of(from))
            .map_err(failed)?;
        let blocks = self.header.size / BLOCK_SIZE;
        let mut entries = Vec::with_capacity(count);
        for (number, slot) in (from..).zip(bytes.chunks(SLOT)) {
            match read_slot(slot, number, self.header.layer, blocks) {
                Found::Whole(Entry::Mark(_), _) => {}
                Found::Whole(entry, _) => entries.push(entry),
                _ => {
                    return Err(Error::damaged(
                        self.name.as_str(),
                        offset_of(number),
                        "a record just written is gone",
                    ));
                }
            }
        }
        if !entries.is_empty() {
            into.write(&entries, FOR_MARKS)?;
            into.records = into.next;
        }
        Ok(())
    }

    /// Whether nothing more is appended.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Why a broken log takes nothing more.
    pub(crate) fn refusal(&self) -> Error {
        Error::damaged(
            self.name.as_str(),
            offset_of(self.next),
            "a short append could not be undone",
        )
    }

    fn write(&mut self, entries: &[Entry], spare: u32) -> Result<()> {
        let failed = |source| Error::io("append to", &self.name, source);
        if self.broken {
            return Err(self.refusal());
        }
        let full = || {
            Error::damaged(
                self.name.as_str(),
                offset_of(self.next),
                "the log is too long",
            )
        };
        let count = u32::try_from(entries.len()).map_err(|_| full())?;
        let after = self.next.checked_add(count).ok_or_else(full)?;
        let needed = after.checked_add(spare).ok_or_else(full)?;
        if needed > self.room {
            let room = needed.checked_add(AHEAD).ok_or_else(full)?;
            let zeros = vec![0; (room - self.room) as usize * SLOT];
            self.file
                .write_at(&zeros, offset_of(self.room))
                .map_err(failed)?;
            self.room = room;
        }
        let mut bytes = Vec::with_capacity(entries.len() * SLOT);
        for (number, entry) in (self.next..).zip(entries) {
            bytes.extend_from_slice(&encode_slot(*entry, number, self.header.layer, self.synced));
        }
        if let Err(source) = self.file.write_at(&bytes, offset_of(self.next)) {
            // What follows a torn record would be lost to a reader: back to the last whole one, or nothing more.
            bytes.fill(0);
            if let Err(error) = self.file.write_at(&bytes, offset_of(self.next)) {
                tracing::error!(file = self.name, %error, "a short append to a log could not be undone");
                self.broken = true;
            }
            return Err(Error::io("append to", &self.name, source));
        }
        self.next = after;
        Ok(())
    }

    /// A log that is only read: after poison, what a life before left must not be added to.
    pub(crate) fn frozen(parsed: &Parsed, file: Arc<dyn File>) -> Self {
        let next = u32::try_from(parsed.entries.len()).unwrap_or(u32::MAX);
        Self {
            name: parsed.header.layer.log(),
            header: parsed.header,
            file,
            next,
            room: next,
            records: next,
            // Whether its last mark was ever synced is not known: nothing below may be given up for it.
            durable: 0,
            synced: 0,
            broken: true,
        }
    }
}

/// The part of a log that is on stable storage.
pub(crate) struct DurablePart {
    name: String,
    file: Arc<dyn File>,
    slots: u32,
    durable: u32,
}

impl DurablePart {
    /// The blocks that a dead machine would leave of the layer.
    pub(crate) fn read(&self) -> Result<Maps> {
        let mut bytes = read_whole(&self.name, &*self.file)?;
        // What comes after is being written.
        bytes.truncate(usize::try_from(offset_of(self.slots)).unwrap_or(usize::MAX));
        let parsed = parse(&self.name, &bytes)?;
        Ok(replay(parsed.entries.iter().take(self.durable as usize)))
    }
}
