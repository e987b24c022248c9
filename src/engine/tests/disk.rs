//! What the simulated machine's files consist of: content in the page cache and on the disk, and what a power loss makes
//! of it.

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const PAGE: u64 = 4096;
const SECTOR: usize = 512;

/// A small generator of numbers, the same on every machine for the same seed.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone, Default, PartialEq)]
pub(crate) struct Content {
    pub(crate) len: u64,
    pub(crate) pages: BTreeMap<u64, Arc<[u8; PAGE as usize]>>,
}

impl Content {
    pub(crate) fn write(&mut self, data: &[u8], offset: u64) {
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let within = (at % PAGE) as usize;
            let (part, others) = rest.split_at(rest.len().min(PAGE as usize - within));
            let page = self
                .pages
                .entry(at / PAGE)
                .or_insert_with(|| Arc::new([0; PAGE as usize]));
            Arc::make_mut(page)[within..within + part.len()].copy_from_slice(part);
            at += part.len() as u64;
            rest = others;
        }
        self.len = self.len.max(at);
    }

    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let count = self.len.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let mut done = 0;
        while done < count {
            let at = offset + done as u64;
            let within = (at % PAGE) as usize;
            let n = (count - done).min(PAGE as usize - within);
            match self.pages.get(&(at / PAGE)) {
                Some(page) => buffer[done..done + n].copy_from_slice(&page[within..within + n]),
                None => buffer[done..done + n].fill(0),
            }
            done += n;
        }
        count
    }

    pub(crate) fn set_len(&mut self, len: u64) {
        self.len = len;
        self.pages.split_off(&len.div_ceil(PAGE));
        if !len.is_multiple_of(PAGE)
            && let Some(page) = self.pages.get_mut(&(len / PAGE))
        {
            Arc::make_mut(page)[(len % PAGE) as usize..].fill(0);
        }
    }

    pub(crate) fn punch(&mut self, offset: u64, len: u64) {
        assert!(
            offset.is_multiple_of(PAGE) && len.is_multiple_of(PAGE),
            "the engine punches whole blocks"
        );
        for page in offset / PAGE..(offset + len) / PAGE {
            self.pages.remove(&page);
        }
    }
}

/// A change that is not synced yet.
#[derive(Clone)]
pub(crate) enum Op {
    Write(Vec<u8>, u64),
    SetLen(u64),
    Punch(u64, u64),
}

#[derive(Clone, Default)]
pub(crate) struct Inode {
    pub(crate) live: Content,
    pub(crate) durable: Content,
    pub(crate) pending: Vec<Op>,
}

impl Inode {
    /// The disk after a power loss that kept about so many percent of what was not synced.
    pub(crate) fn lose(&self, keep: u64, random: &mut Random) -> Content {
        let mut disk = self.durable.clone();
        for op in &self.pending {
            match op {
                Op::Write(data, offset) => {
                    let mut at = *offset;
                    let mut rest = &data[..];
                    while !rest.is_empty() {
                        let n = rest.len().min(SECTOR - (at as usize % SECTOR));
                        if random.chance(keep) {
                            disk.write(&rest[..n], at);
                        }
                        at += n as u64;
                        rest = &rest[n..];
                    }
                }
                Op::SetLen(len) if random.chance(keep) => disk.set_len(*len),
                Op::Punch(offset, len) => {
                    for page in 0..len / PAGE {
                        if random.chance(keep) {
                            disk.punch(offset + page * PAGE, PAGE);
                        }
                    }
                }
                Op::SetLen(_) => {}
            }
        }
        disk
    }
}
