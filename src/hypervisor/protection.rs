//! The write protection that a save lays on the memory of a running guest, and how it is lifted from outside.
//!
//! QEMU lays it by userfaultfd(2), saves each page before it is changed, and takes it off when all is saved. When a save
//! fails after the guest went on, it does not (7.2): the guest's next write to a page that was not saved yet waits in the
//! kernel, for ever. Where it is QEMU's main thread that writes there, QEMU answers nothing any more. None of QEMU's own
//! protocols helps then. But the handle that it keeps open can be copied (pidfd_getfd(2)), and who has it may take the
//! protection off and wake those who wait: the guest goes on as if nothing had been.
//!
//! # What may never be true
//! That it is lifted while a save goes on whose memory is to be kept: that memory would not be of one instant. To see to
//! this is the caller's.
//!
//! # Where it cannot be done
//! The kernel asks for the right to trace the process: a server that is root has it, and one of the same user where no
//! security module stands in the way. Elsewhere the guest must be ended by force.

use super::process::Process;
use rustix::{
    fd::AsFd,
    io::Errno,
    ioctl::{self, Opcode, Updater, opcode},
};
use std::{collections::HashSet, ffi::OsString, fs, io, path::PathBuf};

/// What a copy of the handle is to the kernel.
const KIND: &str = "anon_inode:[userfaultfd]";
/// Among an area's flags: writing to it is watched.
const WATCHED: &str = "uw";

/// Addresses in the other process: `uffdio_range` of the kernel's `linux/userfaultfd.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: u64,
    length: u64,
}

const UNREGISTER: Opcode = opcode::read::<Range>(0xaa, 1);
const WAKE: Opcode = opcode::read::<Range>(0xaa, 2);

/// Takes the protection off, if there is any; whether there was.
///
/// # Errors
/// Of the kernel, as when this process has no right to.
pub(super) fn lift(process: &Process) -> io::Result<bool> {
    let pid = process.pid().as_raw_nonzero();
    let handles = handles(pid.get())?;
    if handles.is_empty() {
        return Ok(false);
    }
    let watched = watched(pid.get())?;
    for number in &handles {
        let handle = match process.copy_of(*number) {
            Ok(handle) => handle,
            // It was closed meanwhile, as at the good end of a save.
            Err(Errno::BADF) => continue,
            Err(error) => return Err(error.into()),
        };
        for range in &watched {
            // Refused where the area is watched by another one of the handles.
            let _ = ask::<UNREGISTER>(&handle, *range);
            let _ = ask::<WAKE>(&handle, *range);
        }
    }
    if watched.is_empty() || self::watched(pid.get())?.is_empty() {
        Ok(!watched.is_empty())
    } else {
        Err(io::Error::other("the memory is protected still"))
    }
}

/// Whether this process has the right to.
pub(super) fn can_be_lifted(process: &Process) -> bool {
    // Of any handle: the first one is always there.
    process.copy_of(0).is_ok()
}

/// Whether there may be any: quickly told.
pub(super) fn may_be(pid: u32) -> bool {
    let pid = i32::try_from(pid).unwrap_or(0);
    handles(pid).is_ok_and(|found| !found.is_empty())
}

/// Whether there is any.
#[cfg(test)]
pub(super) fn is_there(pid: u32) -> bool {
    let pid = i32::try_from(pid).unwrap_or(0);
    watched(pid).is_ok_and(|found| !found.is_empty())
}

/// The process's threads that wait for somebody to answer their write.
pub(super) fn waiting(pid: u32) -> HashSet<OsString> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let waits = |place: PathBuf| {
        fs::read_to_string(place.join("wchan")).is_ok_and(|place| place == "handle_userfault")
    };
    tasks
        .into_iter()
        .flatten()
        .flatten()
        .filter(|task| waits(task.path()))
        .map(|task| task.file_name())
        .collect()
}

fn ask<const OPCODE: Opcode>(handle: &impl AsFd, mut range: Range) -> Result<(), Errno> {
    #[expect(
        unsafe_code,
        reason = "no crate in use has a safe form of these two calls"
    )]
    // SAFETY: both opcodes are of userfaultfd(2) and take a `uffdio_range`, which `Range` is and which outlives the call.
    // They act on the memory of the process whose handle this is a copy of: no address of ours is touched.
    unsafe {
        ioctl::ioctl(handle, Updater::<OPCODE, Range>::new(&mut range))
    }
}

/// Numbers of the process's handles of this kind.
fn handles(pid: i32) -> io::Result<Vec<i32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
    let of_kind = entries
        .flatten()
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str() == KIND));
    Ok(of_kind
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect())
}

/// The areas of its memory whose writing is watched.
fn watched(pid: i32) -> io::Result<Vec<Range>> {
    let areas = fs::read(format!("/proc/{pid}/smaps"))?;
    Ok(watched_in(&String::from_utf8_lossy(&areas)))
}

fn watched_in(areas: &str) -> Vec<Range> {
    let mut found = Vec::new();
    let mut current = None;
    for line in areas.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            if flags.split_ascii_whitespace().any(|flag| flag == WATCHED) {
                found.extend(current);
            }
        } else if let Some(range) = area(line) {
            current = Some(range);
        }
    }
    found
}

/// The addresses at the beginning of an area's first line.
fn area(line: &str) -> Option<Range> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let length = u64::from_str_radix(end, 16).ok()?.checked_sub(start)?;
    Some(Range { start, length })
}

#[cfg(test)]
mod tests {
    use super::{Range, watched_in};

    #[test]
    fn areas_are_told_by_their_flags() {
        let areas = "7fab8fe00000-7fab9fe00000 rw-p 00000000 00:00 0\nSize: 262144 kB\nVmFlags: rd wr mr mw me uw sd\n\
                     7fabed6fe000-7fabed6ff000 ---p 00000000 00:00 0 \nVmFlags: mr mw me sd\n\
                     1000-3000 rw-s 00000000 00:01 2 /a-b uw\nRss: 0 kB\nVmFlags: rd uw\n";
        let range = |start, length| Range { start, length };
        assert_eq!(
            watched_in(areas),
            [range(0x7fab_8fe0_0000, 256 << 20), range(0x1000, 0x2000)]
        );
        assert_eq!(watched_in(""), []);
    }
}
