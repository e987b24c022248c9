//! QEMU's stream, taken apart: where in it the pages of the guest's memory are, and what is left without them.
//!
//! What QEMU writes (its `docs/devel/migration.rst`, `migration/savevm.c`, `migration/ram.c`), of numbers with the most
//! significant byte first, as far as it is understood here:
//! ```text
//! stream   "QEVM" version:4 = 3, [configuration], the section that begins "ram", its other sections, devices
//! configuration  07 length:4 machine type
//! section  01 number:4 length:1 name instance:4 version:4 = 4, blocks, foot     it begins
//!          02 number:4, pages, foot                                             it goes on
//!          03 number:4, pages, foot                                             it ends
//! foot     7e number:4
//! blocks   (bytes of all of them | 4):8, for each: length:1 name bytes:8; 10:8
//! pages    any number of pages, 10:8
//! page     (offset in its block | flags):8, without flag 20 of another block than the one before it: length:1 name;
//!          with flag 02: 00, for a page of zeros; with flag 08: the 4096 bytes
//! devices  04, and all that comes after
//! ```
//! Without the pages of one block it is a stream that QEMU takes just the same: of a page that it is not told of it keeps
//! what stands there.
//!
//! # What holds
//! - Whatever the bytes are: no panic, and memory in use for what is left ([`MOST_REST`]), for one page of each piece and
//!   for [`MOST_AGAIN`] others. What is not understood is refused; nothing is skipped.
//! - A page that comes again is told of after all that came before.

use std::mem;

/// Of a guest's page, always on x86.
pub(super) const PAGE: usize = 4096;
/// More is no machine's devices.
const MOST_REST: usize = 64 << 20;
/// Pages that were written again while the memory was saved. A background save has none.
const MOST_AGAIN: usize = 4096;
/// The longest that is looked at as one: a page with the name of its block.
const MOST_ITEM: usize = 8 + 1 + 255 + PAGE;
/// A machine has some ten.
const MOST_BLOCKS: usize = 1024;

const MAGIC: u32 = 0x5145_564d;
const VERSION: u32 = 3;
const CONFIGURATION: u8 = 7;
const START: u8 = 1;
const PART: u8 = 2;
const END: u8 = 3;
const FULL: u8 = 4;
const FOOTER: u8 = 0x7e;
const RAM: &[u8] = b"ram";
const RAM_VERSION: u32 = 4;

const ZERO: u64 = 0x02;
const SIZE: u64 = 0x04;
const WHOLE: u64 = 0x08;
const OVER: u64 = 0x10;
const SAME: u64 = 0x20;
const FLAGS: u64 = PAGE as u64 - 1;

/// Why a stream is not taken apart, in words for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unknown(pub &'static str);

/// A page whose bytes stand in the piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Page {
    /// Where its bytes begin in the piece.
    pub at: usize,
    /// Where it belongs, from the block's beginning.
    pub offset: u64,
}

/// What is left of a stream.
#[derive(Debug)]
pub(super) struct Left {
    /// The stream without the pages.
    pub rest: Vec<u8>,
    /// Pages that are to be put in their places after all others, in this order: which did not stand in one piece, or came
    /// again.
    pub late: Vec<(u64, Vec<u8>)>,
}

/// A block of memory, as the stream names it.
#[derive(Debug)]
struct Block {
    name: Vec<u8>,
    length: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Head,
    Configuration,
    Start,
    Sum,
    /// So many bytes of memory are not named yet.
    Block(u64),
    Over,
    Section,
    Page,
    Foot,
    Devices,
}

/// Something whole, at the beginning of what was looked at.
struct Item {
    length: usize,
    page: Found,
}

enum Found {
    /// Nothing of the block's.
    Other,
    /// A page of the block; its bytes are the last of the item.
    Page(u64),
    Zeros(u64),
}

/// Takes a stream apart that is given piece by piece.
#[derive(Debug)]
pub(super) struct Parting {
    wanted: Block,
    next: Next,
    /// The number of the section "ram".
    section: u32,
    blocks: Vec<Block>,
    /// The block of the page before, by its place in the list.
    current: Option<usize>,
    /// What is not whole yet.
    carry: Vec<u8>,
    /// A bit for each page of the block.
    seen: Vec<u64>,
    again: usize,
    left: Left,
}

/// Reads numbers and names; none of it where there are too few bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(length.into())
    }
}

impl Parting {
    /// For the pages of the block of this name, which must have so many bytes.
    pub fn new(block: &str, length: u64) -> Self {
        let pages = usize::try_from(length.div_ceil(PAGE as u64)).unwrap_or(0);
        Self {
            wanted: Block {
                name: block.as_bytes().to_vec(),
                length,
            },
            next: Next::Head,
            section: 0,
            blocks: Vec::new(),
            current: None,
            carry: Vec::new(),
            seen: vec![0; pages.div_ceil(64)],
            again: 0,
            left: Left {
                rest: Vec::new(),
                late: Vec::new(),
            },
        }
    }

    /// Goes on with the next piece. `pages` gets those of the block whose bytes stand in it, each at most once in all.
    pub fn go_on(&mut self, piece: &[u8], pages: &mut Vec<Page>) -> Result<(), Unknown> {
        let mut at = 0;
        if !self.carry.is_empty() {
            let had = self.carry.len();
            let more = piece.len().min(MOST_ITEM - had.min(MOST_ITEM));
            let mut carry = mem::take(&mut self.carry);
            carry.extend_from_slice(piece.get(..more).unwrap_or_default());
            let Some(item) = self.look(&carry)? else {
                if more < piece.len() {
                    return Err(Unknown("something longer than anything"));
                }
                self.carry = carry;
                return Ok(());
            };
            // It was not whole before.
            at = item.length.saturating_sub(had);
            self.keep(&item, carry.get(..item.length).unwrap_or_default(), None)?;
        }
        loop {
            let bytes = piece.get(at..).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            let Some(item) = self.look(bytes)? else {
                if bytes.len() >= MOST_ITEM {
                    return Err(Unknown("something longer than anything"));
                }
                self.carry.extend_from_slice(bytes);
                return Ok(());
            };
            let end = at + item.length;
            let known = piece.get(at..end).unwrap_or_default();
            if let Some(page) = self.keep(&item, known, Some(end))? {
                pages.push(page);
            }
            at = end;
        }
    }

    /// Nothing more comes.
    pub fn finish(self) -> Result<Left, Unknown> {
        if self.next != Next::Devices || !self.carry.is_empty() {
            return Err(Unknown("it ends before the devices"));
        }
        Ok(self.left)
    }

    /// Does what an item asks for. Told of is a page that can be taken from where it stands: `end` is where the item ends
    /// in its piece.
    fn keep(
        &mut self,
        item: &Item,
        bytes: &[u8],
        end: Option<usize>,
    ) -> Result<Option<Page>, Unknown> {
        match item.page {
            Found::Other => {
                if self.left.rest.len() + bytes.len() > MOST_REST {
                    return Err(Unknown("more beside the memory than there can be"));
                }
                self.left.rest.extend_from_slice(bytes);
            }
            Found::Page(offset) => {
                let first = self.mark(offset)?;
                let from = bytes.len().saturating_sub(PAGE);
                match end {
                    Some(end) if first => {
                        let at = end - PAGE;
                        return Ok(Some(Page { at, offset }));
                    }
                    _ => {
                        let page = bytes.get(from..).unwrap_or_default().to_vec();
                        self.left.late.push((offset, page));
                    }
                }
            }
            // The memory of a new process.
            Found::Zeros(offset) => {
                if !self.mark(offset)? {
                    self.left.late.push((offset, vec![0; PAGE]));
                }
            }
        }
        Ok(None)
    }

    /// Whether it is the first time that this page comes.
    fn mark(&mut self, offset: u64) -> Result<bool, Unknown> {
        let page = usize::try_from(offset / PAGE as u64).unwrap_or(usize::MAX);
        let bit = 1_u64 << (page % 64);
        let word = self
            .seen
            .get_mut(page / 64)
            .ok_or(Unknown("a page beyond its block"))?;
        let first = *word & bit == 0;
        *word |= bit;
        if !first {
            self.again += 1;
            if self.again > MOST_AGAIN {
                return Err(Unknown("pages that come again and again"));
            }
        }
        Ok(first)
    }

    /// The item at the beginning of these bytes; none where it does not end in them.
    fn look(&mut self, bytes: &[u8]) -> Result<Option<Item>, Unknown> {
        let mut reader = Reader { bytes, at: 0 };
        let found = match self.next {
            Next::Devices => {
                reader.at = bytes.len();
                Some(Found::Other)
            }
            Next::Page => self.page(&mut reader)?,
            _ => self.frame(&mut reader)?.map(|()| Found::Other),
        };
        Ok(found.map(|page| Item {
            length: reader.at,
            page,
        }))
    }

    fn page(&mut self, reader: &mut Reader<'_>) -> Result<Option<Found>, Unknown> {
        let Some(head) = reader.u64() else {
            return Ok(None);
        };
        if head == OVER {
            self.next = Next::Foot;
            return Ok(Some(Found::Other));
        }
        let (offset, flags) = (head & !FLAGS, head & FLAGS);
        let current = if flags & SAME == 0 {
            let Some(name) = reader.name() else {
                return Ok(None);
            };
            self.blocks.iter().position(|block| block.name == name)
        } else {
            self.current
        };
        let (place, block) = current
            .and_then(|place| Some((place, self.blocks.get(place)?)))
            .ok_or(Unknown("a page of no block"))?;
        if offset
            .checked_add(PAGE as u64)
            .is_none_or(|end| end > block.length)
        {
            return Err(Unknown("a page beyond its block"));
        }
        let zeros = match flags & !SAME {
            ZERO => match reader.u8() {
                None => return Ok(None),
                Some(0) => true,
                Some(_) => return Err(Unknown("a page of something else than zeros")),
            },
            WHOLE => {
                if reader.take(PAGE).is_none() {
                    return Ok(None);
                }
                false
            }
            _ => return Err(Unknown("a page of an unknown kind")),
        };
        self.current = Some(place);
        Ok(Some(if block.name != self.wanted.name {
            Found::Other
        } else if zeros {
            Found::Zeros(offset)
        } else {
            Found::Page(offset)
        }))
    }

    /// What stands around the pages.
    fn frame(&mut self, reader: &mut Reader<'_>) -> Result<Option<()>, Unknown> {
        Ok(match self.next {
            Next::Head => match (reader.u32(), reader.u32()) {
                (Some(MAGIC), Some(VERSION)) => self.then(Next::Configuration),
                (Some(MAGIC), None) | (None, _) => None,
                _ => return Err(Unknown("no stream of QEMU's, or of another version")),
            },
            Next::Configuration => match reader.bytes.first() {
                None => None,
                Some(&CONFIGURATION) => {
                    reader.at = 1;
                    match reader.u32() {
                        Some(length @ ..=255) => {
                            if reader.take(length as usize).is_none() {
                                return Ok(None);
                            }
                            self.then(Next::Start)
                        }
                        Some(_) => return Err(Unknown("a configuration of an unknown kind")),
                        None => None,
                    }
                }
                Some(_) => self.start(reader)?,
            },
            Next::Start => self.start(reader)?,
            Next::Sum => match reader.u64() {
                None => None,
                Some(sum) if sum & FLAGS == SIZE => self.then(Next::Block(sum & !FLAGS)),
                Some(_) => return Err(Unknown("a memory without its size")),
            },
            Next::Block(left) => self.block(reader, left)?,
            Next::Over => match reader.u64() {
                None => None,
                Some(OVER) => self.then(Next::Foot),
                Some(_) => return Err(Unknown("more in the list of blocks")),
            },
            Next::Section => match reader.u8() {
                None => None,
                Some(PART | END) => match reader.u32() {
                    None => None,
                    Some(number) if number == self.section => self.then(Next::Page),
                    Some(_) => return Err(Unknown("a section that did not begin")),
                },
                Some(FULL) => self.then(Next::Devices),
                Some(_) => return Err(Unknown("a section of an unknown kind")),
            },
            Next::Foot => match (reader.u8(), reader.u32()) {
                (Some(FOOTER), Some(number)) if number == self.section => self.then(Next::Section),
                (Some(FOOTER), None) | (None, _) => None,
                _ => return Err(Unknown("a section without its end")),
            },
            Next::Page | Next::Devices => None,
        })
    }

    fn then(&mut self, next: Next) -> Option<()> {
        self.next = next;
        Some(())
    }

    /// The section that begins is the memory's.
    fn start(&mut self, reader: &mut Reader<'_>) -> Result<Option<()>, Unknown> {
        let mut head = || {
            let kind = reader.u8()?;
            let number = reader.u32()?;
            let name = reader.name()?;
            let instance = reader.u32()?;
            Some((kind, number, name, instance, reader.u32()?))
        };
        match head() {
            None => Ok(None),
            Some((START, number, RAM, 0, RAM_VERSION)) => {
                self.section = number;
                Ok(self.then(Next::Sum))
            }
            Some(_) => Err(Unknown("something else than the memory comes first")),
        }
    }

    fn block(&mut self, reader: &mut Reader<'_>, left: u64) -> Result<Option<()>, Unknown> {
        let (Some(name), Some(length)) = (reader.name(), reader.u64()) else {
            return Ok(None);
        };
        if name == self.wanted.name && length != self.wanted.length {
            return Err(Unknown("the memory has another size"));
        }
        if self.blocks.len() >= MOST_BLOCKS || self.blocks.iter().any(|block| block.name == name) {
            return Err(Unknown("too many blocks"));
        }
        self.blocks.push(Block {
            name: name.to_vec(),
            length,
        });
        let left = left
            .checked_sub(length)
            .ok_or(Unknown("blocks of more than all of them have"))?;
        if left > 0 {
            return Ok(self.then(Next::Block(left)));
        }
        if self
            .blocks
            .iter()
            .all(|block| block.name != self.wanted.name)
        {
            return Err(Unknown("no block is the guest's memory"));
        }
        Ok(self.then(Next::Over))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
