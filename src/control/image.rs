//! What an uploaded file is: found out without trusting it.
//!
//! The format is read from the file's own bytes here, against a closed list, and then said to `qemu-img`, so that it never
//! guesses. What refers to other files (backing files, external data, extents) is refused before any tool opens it, and
//! again by what `qemu-img info` tells: an image must not be a way to read this machine's files. `qemu-img` runs with
//! limits on memory and time.

use super::error::{About, Error, explain};
use crate::domain::fault::Fault;
use crate::jobs::Failure;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// The disk's bytes, as they are.
    Raw,
    /// QEMU, version 2 and 3.
    Qcow2,
    /// QEMU, enhanced.
    Qed,
    /// VMware, in one file.
    Vmdk,
    /// VirtualBox.
    Vdi,
    /// Microsoft Virtual PC (VHD).
    Vpc,
    /// Microsoft Hyper-V (VHDX).
    Vhdx,
    /// Parallels.
    Parallels,
}

impl Format {
    /// QEMU's name of it.
    pub const fn driver(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Qed => "qed",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vpc => "vpc",
            Self::Vhdx => "vhdx",
            Self::Parallels => "parallels",
        }
    }

    /// Whether `qemu-img check` can look for damage in it.
    pub const fn can_be_checked(self) -> bool {
        !matches!(self, Self::Raw | Self::Vpc)
    }
}

/// What was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Image {
    pub format: Format,
    /// Size of the disk in it, in bytes.
    pub virtual_size: u64,
    /// Bytes that the disk takes at the least.
    pub at_least: u64,
}

const PROGRAM: &str = "qemu-img";
/// Looking at an image takes milliseconds; one that takes longer is made to.
const INFO_TIME: Duration = Duration::from_secs(20);
/// Address space of a `qemu-img`, in bytes.
const MEMORY: u64 = 2 << 30;
const SECTOR: u64 = 512;

/// Whether the tool that reads images is installed.
pub(super) fn importer_is_there() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file())
}

/// `qemu-img` with its words in English, nothing to read, and its output caught.
pub(super) fn importer() -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts it with its limits.
pub(super) fn start(mut command: Command) -> Result<Child, Failure> {
    let child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Failure::Final(Fault::ImporterMissing),
        _ => explain(
            "start qemu-img",
            Error::Io {
                operation: "start",
                path: PROGRAM.into(),
                source,
            },
            About::default(),
        ),
    })?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It has read nothing of the image yet that could make it grow: it is still being loaded.
    let limit = Rlimit {
        current: Some(MEMORY),
        maximum: Some(MEMORY),
    };
    if let Err(error) = prlimit(pid, Resource::As, limit) {
        tracing::warn!(%error, "qemu-img runs without a limit on its memory");
    }
    Ok(child)
}

/// How a `qemu-img` ended.
pub(super) struct Ended {
    /// Its exit status; none when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs it to its end. None: it took longer than `time` and was ended.
pub(super) fn run(command: Command, time: Duration) -> Result<Option<Ended>, Failure> {
    let mut child = start(command)?;
    let (stdout, stderr) = (gather(child.stdout.take()), gather(child.stderr.take()));
    let end = Instant::now() + time;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
        }
    };
    let text = |thread: std::thread::JoinHandle<String>| thread.join().unwrap_or_default();
    let (stdout, stderr) = (text(stdout), text(stderr));
    Ok(status.map(|status| Ended {
        code: status.code(),
        stdout,
        stderr,
    }))
}

/// What the tool writes, up to a bound, read on a thread so that it never waits for us.
fn gather(from: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.by_ref().take(1 << 20).read_to_end(&mut bytes);
            let _ = io::copy(&mut from, &mut io::sink());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Finds out what the file is.
///
/// # Errors
/// [`Fault::NotADiskImage`], [`Fault::ImageNotSelfContained`], [`Fault::ImporterMissing`], as final failures.
pub(super) fn inspect(path: &Path, file_name: &str) -> Result<Image, Failure> {
    let unreadable = |source| {
        explain(
            "read an upload",
            Error::Io {
                operation: "read",
                path: path.to_owned(),
                source,
            },
            About::default(),
        )
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let head = read_at(&mut file, 0, 1 << 17).map_err(unreadable)?;
    let tail = read_at(&mut file, length.saturating_sub(SECTOR), 512).map_err(unreadable)?;
    drop(file);
    let format = format_of(&head, &tail).map_err(Failure::Final)?;
    if format == Format::Raw {
        if !is_a_disk(&head, length, file_name) {
            return Err(Failure::Final(Fault::NotADiskImage));
        }
        return Ok(Image {
            format,
            virtual_size: length,
            at_least: 0,
        });
    }
    let mut command = importer();
    command
        .args(["info", "--output=json", "-f", format.driver()])
        .arg(path);
    let ended = run(command, INFO_TIME)?.ok_or(Failure::Final(Fault::NotADiskImage))?;
    if ended.code != Some(0) {
        tracing::info!(
            said = ended.stderr.trim(),
            "an upload is not an image that qemu-img reads"
        );
        return Err(Failure::Final(Fault::NotADiskImage));
    }
    let info: serde_json::Value =
        serde_json::from_str(&ended.stdout).map_err(|_| Failure::Final(Fault::NotADiskImage))?;
    judge(&info, format, length).map_err(Failure::Final)
}

fn read_at(file: &mut std::fs::File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What `qemu-img info` tells of it.
fn judge(info: &serde_json::Value, format: Format, length: u64) -> Result<Image, Fault> {
    if info["format"].as_str() != Some(format.driver()) {
        return Err(Fault::NotADiskImage);
    }
    let details = &info["format-specific"]["data"];
    let elsewhere = ["backing-filename", "full-backing-filename"]
        .iter()
        .any(|key| !info[key].is_null());
    // VMware names the files that hold its extents: of one that is whole there is one, itself.
    let extents = details["extents"].as_array().map_or(0, Vec::len);
    if elsewhere || !details["data-file"].is_null() || extents > 1 {
        return Err(Fault::ImageNotSelfContained);
    }
    if info["encrypted"].as_bool() == Some(true) || !details["encrypt"].is_null() {
        return Err(Fault::NotADiskImage);
    }
    let virtual_size = info["virtual-size"]
        .as_u64()
        .filter(|size| *size > 0)
        .ok_or(Fault::NotADiskImage)?;
    // Formats other than raw leave out zeros, and some compress: what is in the file must fit, and mostly grows.
    Ok(Image {
        format,
        virtual_size,
        at_least: length.min(virtual_size),
    })
}

fn big_endian(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 8)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes)
}

fn has(bytes: &[u8], at: usize, magic: &[u8]) -> bool {
    bytes.get(at..at + magic.len()) == Some(magic)
}

/// The format, by the marks that its own specification gives it; raw when it has none of them.
fn format_of(head: &[u8], tail: &[u8]) -> Result<Format, Fault> {
    if has(head, 0, b"QFI\xfb") {
        // QEMU's docs/interop/qcow2.txt: version, backing file at 8, encryption at 32, incompatible features at 72.
        let version = head
            .get(4..8)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_be_bytes);
        if !(2..=3).contains(&version) {
            return Err(Fault::NotADiskImage);
        }
        let external_data = version == 3 && big_endian(head, 72) & 0b100 != 0;
        if big_endian(head, 8) != 0 || external_data {
            return Err(Fault::ImageNotSelfContained);
        }
        if head.get(32..36) != Some(&[0; 4]) {
            return Err(Fault::NotADiskImage);
        }
        return Ok(Format::Qcow2);
    }
    if has(head, 0, b"QED\0") {
        // docs/interop/qed_spec.txt: features at 16, of which bit 0 says that there is a backing file.
        let features = head
            .get(16..24)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_le_bytes);
        return if features & 1 == 0 {
            Ok(Format::Qed)
        } else {
            Err(Fault::ImageNotSelfContained)
        };
    }
    if has(head, 0, b"KDMV") {
        // VMware's "Virtual Disk Format": a capacity of zero means that a descriptor names other files.
        let capacity = head
            .get(12..20)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_le_bytes);
        let descriptor = descriptor_of(head);
        let parent =
            find(descriptor, b"parentFileNameHint") || !find(descriptor, b"parentCID=ffffffff");
        if capacity == 0 || (!descriptor.is_empty() && parent) {
            return Err(Fault::ImageNotSelfContained);
        }
        return Ok(Format::Vmdk);
    }
    if has(head, 0, b"# Disk DescriptorFile") || has(head, 0, b"COWD") {
        return Err(Fault::ImageNotSelfContained);
    }
    if has(head, 0x40, &[0x7f, 0x10, 0xda, 0xbe]) {
        // VirtualBox: the image's type stands at 0x4c; 4 is a difference to another image.
        return if head.get(0x4c) == Some(&4) {
            Err(Fault::ImageNotSelfContained)
        } else {
            Ok(Format::Vdi)
        };
    }
    if has(head, 0, b"vhdxfile") {
        return Ok(Format::Vhdx);
    }
    if has(head, 0, b"conectix") || has(tail, 0, b"conectix") {
        // Microsoft's VHD specification: the disk's type stands at 60 of the footer; 4 is a difference.
        let footer = if has(tail, 0, b"conectix") {
            tail
        } else {
            head
        };
        return if footer.get(63) == Some(&4) {
            Err(Fault::ImageNotSelfContained)
        } else {
            Ok(Format::Vpc)
        };
    }
    if has(head, 0, b"WithoutFreeSpace") || has(head, 0, b"WithouFreSpacExt") {
        return Ok(Format::Parallels);
    }
    Ok(Format::Raw)
}

/// The text inside a VMware image that describes it, as far as it was read: offset and size in sectors at 28 and 36.
fn descriptor_of(head: &[u8]) -> &[u8] {
    let number = |at: usize| {
        let bytes = head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        usize::try_from(bytes.map_or(0, u64::from_le_bytes)).unwrap_or(0)
    };
    let (from, length) = (
        number(28).saturating_mul(512),
        number(36).saturating_mul(512),
    );
    let rest = head.get(from..).unwrap_or_default();
    if from == 0 {
        &[]
    } else {
        rest.get(..length).unwrap_or(rest)
    }
}

fn find(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len())
        .any(|window| window.eq_ignore_ascii_case(wanted))
}

/// Whether bytes without a format's mark are a disk: whole sectors, and either something on them that only disks have,
/// or a file name that says so and nothing on them that says otherwise.
fn is_a_disk(head: &[u8], length: u64, file_name: &str) -> bool {
    if length == 0 || !length.is_multiple_of(SECTOR) {
        return false;
    }
    let marks: [(usize, &[u8]); 12] = [
        (510, b"\x55\xaa"),            // a boot sector, a partition table
        (512, b"EFI PART"),            // GPT
        (0x438, b"\x53\xef"),          // ext2, ext3, ext4
        (0, b"XFSB"),                  // XFS
        (0x10040, b"_BHRfS_M"),        // btrfs
        (0x8001, b"CD001"),            // ISO 9660
        (0, b"LUKS\xba\xbe"),          // LUKS
        (512, b"LABELONE"),            // LVM
        (0xff6, b"SWAPSPACE2"),        // Linux swap
        (0, b"hsqs"),                  // SquashFS
        (0x1000, b"\xfc\x4e\x2b\xa9"), // Linux software RAID 1.2
        (3, b"NTFS    "),              // NTFS
    ];
    if marks.iter().any(|(at, mark)| has(head, *at, mark)) {
        return true;
    }
    // Long enough that noise, or an encrypted disk, is not taken for one of them.
    let others: [&[u8]; 12] = [
        b"\x1f\x8b\x08",
        b"BZh",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"PK\x03\x04",
        b"7z\xbc\xaf",
        b"%PDF",
        b"\x7fELF",
        b"\x89PNG",
        b"\xff\xd8\xff",
        b"GIF8",
        b"Rar!",
    ];
    let extension = file_name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    let says_so = extension.is_some_and(|extension| {
        matches!(extension.as_str(), "raw" | "img" | "dd" | "bin" | "iso")
    });
    let text = head
        .iter()
        .take(4096)
        .all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..));
    says_so && !text && !is_a_program(head) && !others.iter().any(|mark| head.starts_with(mark))
}

/// A program for Windows: its first two bytes alone could be anybody's (Microsoft's PE format, the offset at 0x3c).
fn is_a_program(head: &[u8]) -> bool {
    let offset = head.get(0x3c..0x40).and_then(|bytes| bytes.try_into().ok());
    let offset = offset.map_or(0, u32::from_le_bytes) as usize;
    head.starts_with(b"MZ") && has(head, offset, b"PE\0\0")
}

#[cfg(test)]
#[path = "tests/image.rs"]
mod tests;
