//! The guest's memory, where it stands in QEMU's process, to be filled from here before the guest runs.
//!
//! QEMU reads a stream in one thread, page by page. Its process is a child of ours, so the kernel lets us write into its
//! memory (`process_vm_writev(2)`), by as many threads as there are processors. Its memory stays what it is: private, with
//! large pages where the host has them, which memory that two processes share would not be.
//!
//! # What holds
//! - Nothing is written but into one private mapping of the process that was started here, of the size of the guest's
//!   memory. The process is not waited for meanwhile, so that nobody else can have its number.
//! - Where the kernel does not allow it, or QEMU or its process look otherwise than thought, there is no window. The
//!   memory is then streamed.

use super::{
    Error, Machine,
    memory::{Page, Place},
    process::Pinned,
};
use nix::{
    sys::uio::{RemoteIoVec, process_vm_writev},
    unistd::Pid,
};
use serde_json::json;
use std::{fs, io::IoSlice, ops::Range};

const PAGE: usize = 4096;
/// As many pieces as the kernel takes at once (`UIO_MAXIOV`).
const MOST_PIECES: usize = 1024;

/// A machine's memory, as QEMU has it.
pub(super) struct Window<'a> {
    process: Pinned<'a>,
    /// QEMU's name for it, as in a stream.
    pub block: String,
    at: usize,
    length: usize,
}

fn none(why: impl Into<String>) -> Error {
    Error::NotRestored { why: why.into() }
}

impl Machine {
    /// The guest's memory, of which it must have so many bytes.
    ///
    /// # Errors
    /// [`Error::NotRestored`] with the reason why it cannot be written from here; as any command to QEMU.
    pub(super) fn window<'a>(
        &self,
        process: Option<Pinned<'a>>,
        length: u64,
    ) -> Result<Window<'a>, Error> {
        let process = process.ok_or_else(|| none("it is no process of ours"))?;
        let ask = json!({ "command-line": "gpa2hva 0" });
        let answer = self.execute("human-monitor-command", Some(ask))?;
        let (block, at) = answer
            .as_str()
            .and_then(address)
            .ok_or_else(|| none("QEMU does not say where the memory is"))?;
        let length = usize::try_from(length).map_err(|_| none("too large"))?;
        let end = at.checked_add(length).ok_or_else(|| none("too large"))?;
        let path = format!("/proc/{}/maps", process.pid().as_raw_nonzero());
        let maps = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        if !is_private(&maps, &(at..end)) {
            return Err(none("the memory is not where QEMU says it is"));
        }
        Ok(Window {
            process,
            block,
            at,
            length,
        })
    }
}

impl Window<'_> {
    /// One call of the kernel: pages that stand one after the other in the guest's memory are one piece of it.
    fn write(&self, from: &[IoSlice<'_>], to: &[RemoteIoVec]) -> Result<(), Error> {
        let pid = Pid::from_raw(self.process.pid().as_raw_nonzero().get());
        let written = process_vm_writev(pid, from, to).map_err(|error| none(format!("{error}")))?;
        if written == from.len() * PAGE {
            Ok(())
        } else {
            Err(none("not all of a piece of memory was written"))
        }
    }
}

impl Place for Window<'_> {
    fn put(&self, piece: &[u8], pages: &[Page]) -> Result<(), Error> {
        let beyond = || none("a page beyond the memory");
        for pages in pages.chunks(MOST_PIECES) {
            let mut from = Vec::with_capacity(pages.len());
            let mut to: Vec<RemoteIoVec> = Vec::with_capacity(pages.len());
            for page in pages {
                let bytes = piece.get(page.at..page.at + PAGE).ok_or_else(beyond)?;
                let offset = usize::try_from(page.offset).map_err(|_| beyond())?;
                if offset.checked_add(PAGE).is_none_or(|end| end > self.length) {
                    return Err(beyond());
                }
                let base = self.at + offset;
                from.push(IoSlice::new(bytes));
                match to.last_mut() {
                    Some(last) if last.base + last.len == base => last.len += PAGE,
                    _ => to.push(RemoteIoVec { base, len: PAGE }),
                }
            }
            if !from.is_empty() {
                self.write(&from, &to)?;
            }
        }
        Ok(())
    }
}

/// `Host virtual address for 0x0 (pc.ram) is 0x7f565fe00000`.
pub(super) fn address(text: &str) -> Option<(String, usize)> {
    let (_, rest) = text.lines().next()?.split_once(" (")?;
    let (block, rest) = rest.split_once(") is 0x")?;
    let at = usize::from_str_radix(rest.trim(), 16).ok()?;
    (at % PAGE == 0 && at > 0 && !block.is_empty()).then(|| (block.to_owned(), at))
}

/// Whether all of these addresses are memory of the process's own that it may write, with no file behind it: lines such as
/// `7f565fe00000-7f569fe00000 rw-p 00000000 00:00 0` (`proc_pid_maps(5)`).
pub(super) fn is_private(maps: &str, wanted: &Range<usize>) -> bool {
    let mut next = wanted.start;
    for line in maps.lines() {
        let Some((from, to, fields)) = mapping(line) else {
            return false;
        };
        if to <= next {
            continue;
        }
        if from > next || !fields {
            return false;
        }
        next = to;
        if next >= wanted.end {
            return true;
        }
    }
    false
}

/// Where a mapping begins and ends, and whether it is private and without a file.
fn mapping(line: &str) -> Option<(usize, usize, bool)> {
    let mut fields = line.split_ascii_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let private = fields.next()?.starts_with("rw-p");
    let inode = fields.nth(2)?;
    let own = inode == "0" && fields.next().is_none();
    Some((number(from)?, number(to)?, private && own))
}
