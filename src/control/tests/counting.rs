//! Guests that count, for tests of memory: what they are, what they print, what they leave on their disks.
//!
//! A guest counts: for each of its disks in turn in memory, then on the disk, and then on its serial line. So at any instant
//! there is one place in that order up to which all has the new count, and after which all has the one before: a memory
//! and disks that are one write apart are found out. What the memory holds is read from QEMU's stream, not asked of the
//! guest, which prints late when it has much to do.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crate::domain::size::Bytes;
use crate::engine::block::BlockDevice;
use std::path::{Path, PathBuf};
use std::process::Command;

/// 16-bit code that the firmware loads to 0x7c00. For ever: adds one to the word at 0x7e00, writes that sector to sector 1
/// of its disk (int 13h; prints `E` where that failed), and prints `t`, the number in four hexadecimal digits and a line
/// feed on the serial port at 0x3f8. It never waits. The firmware shows it no other disk than the one that boots.
const CODE: &[u8] = &[
    0xfa, // cli
    0x31, 0xc0, // xor ax, ax
    0x8e, 0xd8, // mov ds, ax
    0x8e, 0xc0, // mov es, ax
    0x8e, 0xd0, // mov ss, ax
    0xbc, 0x00, 0x7c, // mov sp, 0x7c00
    0xfb, // sti
    0xfc, // cld
    // tick (0x7c0e):
    0xff, 0x06, 0x00, 0x7e, // inc word [0x7e00]
    0xb2, 0x80, // mov dl, 0x80
    0xe8, 0x27, 0x00, // call put
    0xb0, 0x74, // mov al, 't'
    0xe8, 0x32, 0x00, // call putc
    0x8b, 0x1e, 0x00, 0x7e, // mov bx, [0x7e00]
    0xb9, 0x04, 0x00, // mov cx, 4
    // digit (0x7c23):
    0xc1, 0xc3, 0x04, // rol bx, 4
    0x88, 0xd8, // mov al, bl
    0x24, 0x0f, // and al, 15
    0x04, 0x30, // add al, '0'
    0x3c, 0x39, // cmp al, '9'
    0x76, 0x02, // jbe +2
    0x04, 0x07, // add al, 7: 'A' and on
    0xe8, 0x19, 0x00, // call putc
    0xe2, 0xec, // loop digit
    0xb0, 0x0a, // mov al, 10
    0xe8, 0x12, 0x00, // call putc
    0xeb, 0xd0, // jmp tick
    // put (0x7c3e):
    0xbe, 0x5d, 0x7c, // mov si, packet
    0xb8, 0x00, 0x43, // mov ax, 0x4300: extended write
    0xcd, 0x13, // int 13h
    0x73, 0x05, // jnc +5
    0xb0, 0x45, // mov al, 'E'
    0xe8, 0x01, 0x00, // call putc
    0xc3, // ret
    // putc (0x7c4e):
    0x50, // push ax
    0xba, 0xfd, 0x03, // mov dx, 0x3fd
    0xec, // in al, dx
    0xa8, 0x20, // test al, 0x20: may the next byte come
    0x74, 0xfb, // jz -5
    0x58, // pop ax
    0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xee, // out dx, al
    0xc3, // ret
    // packet (0x7c5d): 16 bytes, 1 sector, from 0000:7e00, to sector 1
    0x10, 0x00, 0x01, 0x00, 0x00, 0x7e, 0x00, 0x00, //
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];

/// What counts.
pub enum Guest {
    /// The one above.
    Sector,
    /// The sample guest's image: Linux, ext4, fsync. Also writes all the time, where its boot configuration can be
    /// changed.
    Linux(PathBuf),
}

impl Guest {
    pub fn memory(&self) -> Bytes {
        match self {
            Self::Sector => Bytes(32 << 20),
            Self::Linux(_) => Bytes(256 << 20),
        }
    }

    /// The content of the first disk.
    pub fn image(&self, place: &Path) -> Vec<u8> {
        match self {
            Self::Sector => {
                let mut disk = vec![0; 1 << 20];
                disk[..CODE.len()].copy_from_slice(CODE);
                disk[510..512].copy_from_slice(&[0x55, 0xaa]);
                disk
            }
            Self::Linux(image) => {
                let copy = place.join("guest.img");
                std::fs::copy(image, &copy).unwrap();
                if !load(&copy, place) {
                    eprintln!("mcopy is not installed: the guest only counts");
                }
                let disk = std::fs::read(&copy).unwrap();
                std::fs::remove_file(copy).unwrap();
                disk
            }
        }
    }

    /// The counts of the whole lines that were printed.
    pub fn ticks(&self, serial: &[u8]) -> Vec<u64> {
        let text = String::from_utf8_lossy(serial);
        // The last one may be half there.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let tick = |line: &str| match self {
            Self::Sector => {
                let digits = line.strip_prefix('t').filter(|digits| digits.len() == 4)?;
                u64::from_str_radix(digits, 16).ok()
            }
            Self::Linux(_) => {
                let mut words = line.trim_end().strip_prefix("tick ")?.split(' ');
                let disk = words.next()?.strip_prefix("disk=")?.parse().ok()?;
                // A line that another runs into is none.
                words
                    .next_back()?
                    .strip_prefix("memory=")?
                    .parse::<u64>()
                    .ok()?;
                Some(disk)
            }
        };
        whole.split('\n').filter_map(tick).collect()
    }

    /// The count on a disk, and where it stands, so that it is searched for once.
    pub fn count(&self, disk: &dyn BlockDevice, place: &mut Option<u64>) -> u64 {
        let mut sector = [0; 512];
        match self {
            Self::Sector => {
                disk.read_at(512, &mut sector).unwrap();
                u64::from(u16::from_le_bytes([sector[0], sector[1]]))
            }
            Self::Linux(_) => {
                let at = *place.get_or_insert_with(|| find(disk));
                disk.read_at(at, &mut sector).unwrap();
                record(&sector).expect("a record where it stood before")
            }
        }
    }

    /// How many of the disks are counted on.
    pub fn counted(&self) -> usize {
        match self {
            Self::Sector => 1,
            Self::Linux(_) => 2,
        }
    }

    /// The counts in a memory, as QEMU streamed it: one for each disk.
    pub fn remembered(&self, stream: &[u8]) -> Vec<u64> {
        match self {
            // Its sector, in the page in which the code stands too.
            Self::Sector => {
                let code = (0..stream.len())
                    .filter(|at| stream[*at..].starts_with(CODE))
                    .find(|at| page(stream, at - 0xc00) == Some(0x7000))
                    .expect("the guest's code in its memory");
                vec![u64::from(u16::from_le_bytes([
                    stream[code + 0x200],
                    stream[code + 0x201],
                ]))]
            }
            // Each file's page in the cache: the record, and nothing.
            Self::Linux(_) => {
                let mut counts: Vec<u64> = (23..stream.len())
                    .filter(|end| stream[*end] == b'\n')
                    .filter_map(|end| {
                        let (start, page_end) = (end - 23, end - 23 + 4096);
                        let count = record(&stream[start..])?;
                        let rest = stream.get(end + 1..page_end)?;
                        let is_page = rest.iter().all(|byte| *byte == 0);
                        (is_page && page(stream, start).is_some()).then_some(count)
                    })
                    .collect();
                // The first disk is never behind the second.
                counts.sort_unstable();
                counts.reverse();
                assert_eq!(counts.len(), 2, "pages of both files: {counts:?}");
                counts
            }
        }
    }

    /// Whether these counts, in memory and on the disks, are of one instant.
    pub fn is_one_instant(&self, memory: &[u64], disks: &[u64]) -> bool {
        // In the order in which they come to be.
        let order: Vec<u64> = (memory.iter().zip(disks))
            .flat_map(|(memory, disk)| [*memory, *disk])
            .collect();
        let falls: Vec<i64> = order
            .windows(2)
            .map(|pair| self.ahead(pair[0], pair[1]))
            .collect();
        falls.iter().all(|fall| matches!(fall, 0 | 1)) && falls.iter().sum::<i64>() <= 1
    }

    /// How far one count is ahead of another.
    pub fn ahead(&self, one: u64, other: u64) -> i64 {
        match self {
            // Sixteen bits of a counter.
            Self::Sector => i64::from((one as u16).wrapping_sub(other as u16).cast_signed()),
            Self::Linux(_) => one as i64 - other as i64,
        }
    }
}

/// Adds the word that has the sample guest write all the time to its boot configuration, in the FAT partition at 1 MiB.
fn load(image: &Path, place: &Path) -> bool {
    let (config, disk) = (
        place.join("syslinux.cfg"),
        format!("{}@@1M", image.display()),
    );
    let copy = |arguments: &[&str]| {
        let mut command = Command::new("mcopy");
        command.args(["-n", "-o", "-i", &disk]).args(arguments);
        command.status().is_ok_and(|status| status.success())
    };
    let path = config.to_str().unwrap();
    if !copy(&["::syslinux.cfg", path]) {
        return false;
    }
    let text = std::fs::read_to_string(&config).unwrap();
    let loaded = text.replace("mitigations=off", "mitigations=off reprise.load");
    assert_ne!(
        text, loaded,
        "the guest is told to start in another way than was thought"
    );
    std::fs::write(&config, loaded).unwrap();
    copy(&[path, "::syslinux.cfg"])
}

/// The address of the page of the guest's memory whose bytes begin there in QEMU's stream: eight bytes before them have
/// it, with flags in its low bits (QEMU's `migration/ram.c`: a page, 8, of the same block of memory as the one before,
/// 32; where it is of another one, the block's name comes in between, after its length).
fn page(stream: &[u8], at: usize) -> Option<u64> {
    const NAME: &[u8] = b"\x06pc.ram";
    let (at, flags) = match stream.get(..at)?.strip_suffix(NAME) {
        Some(before) => (before.len(), 0x08),
        None => (at, 0x28),
    };
    let head = stream.get(at.checked_sub(8)?..at)?;
    let head = u64::from_be_bytes(head.try_into().ok()?);
    (head & 0xfff == flags).then_some(head & !0xfff)
}

/// The sample guest's record: 20 digits, three spaces, a line feed, at the beginning of a sector.
fn record(sector: &[u8]) -> Option<u64> {
    let (digits, rest) = sector.get(..24)?.split_at(20);
    if rest != b"   \n" || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Where the record with the highest count stands: older ones may be left of a file that was replaced.
fn find(disk: &dyn BlockDevice) -> u64 {
    let mut found = Vec::new();
    let mut at = 0;
    let mut piece = vec![0; 1 << 20];
    while at < disk.size() {
        let length = piece.len().min((disk.size() - at) as usize);
        disk.read_at(at, &mut piece[..length]).unwrap();
        for (number, sector) in piece[..length].chunks(512).enumerate() {
            if let Some(count) = record(sector) {
                found.push((count, at + 512 * number as u64));
            }
        }
        at += length as u64;
    }
    found.into_iter().max().expect("a count on the disk").1
}

/// The sample guest's image, if there is one.
pub fn linux() -> Option<Guest> {
    let image = std::env::var_os("REPRISE_GUEST_IMAGE").map(PathBuf::from);
    if image.is_none() {
        eprintln!("SKIPPED: REPRISE_GUEST_IMAGE names no guest image: no Linux guest was saved");
    }
    image.map(Guest::Linux)
}
