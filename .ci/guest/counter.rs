//! What the sample guest does all day: it counts, on its disks and in its memory, and says both on its serial line, so that
//! one who goes back to a recovery point sees what came back with it and what did not.
//!
//! A tick: the new count is written over the old one on each disk, in the order of the arguments, and each disk is flushed
//! before the next one is written. At any instant the second disk therefore holds the first one's count or the one
//! before; two disks that were not taken at the same instant show, and are said to be apart.
//!
//! A record is one line of 24 bytes in its file's first sector: 20 digits, three spaces, a line feed. A disk writes a
//! sector whole or not at all, so that a power cut leaves the old count or the new one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(100);
const RECORD: usize = 24;

struct Disk {
    file: File,
    path: PathBuf,
    count: u64,
}

impl Disk {
    /// Opens the record of a disk; a file that is empty or new begins at `first`.
    fn open(path: PathBuf, first: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let mut disk = Disk {
            file,
            path,
            count: first,
        };
        if disk.file.metadata()?.len() == 0 {
            disk.write(first)?;
            // The directory entry, too, has to be there after a power cut.
            if let Some(folder) = disk.path.parent() {
                File::open(folder)?.sync_all()?;
            }
            return Ok(disk);
        }
        let mut record = [0; RECORD];
        disk.file.read_exact_at(&mut record, 0)?;
        let text = String::from_utf8_lossy(&record);
        disk.count = text.trim_end().parse().map_err(|_| {
            io::Error::other(format!("{} holds no count: {text:?}", disk.path.display()))
        })?;
        Ok(disk)
    }

    fn write(&mut self, count: u64) -> io::Result<()> {
        let record = format!("{count:020}   \n");
        self.file.write_all_at(record.as_bytes(), 0)?;
        self.file.sync_all()?;
        self.count = count;
        Ok(())
    }
}

/// One line, in one write: the kernel may print between lines, not within one.
fn say(line: &str) {
    let _ = io::stdout().write_all(format!("{line}\n").as_bytes());
}

fn counts(disks: &[Disk]) -> String {
    let mut text = String::new();
    for (index, disk) in disks.iter().enumerate() {
        let number = if index == 0 {
            String::new()
        } else {
            (index + 1).to_string()
        };
        text.push_str(&format!("disk{number}={} ", disk.count));
    }
    text.trim_end().to_owned()
}

fn main() {
    let mut disks: Vec<Disk> = Vec::new();
    for path in std::env::args_os().skip(1).map(PathBuf::from) {
        let first = disks.first().map_or(0, |disk| disk.count);
        match Disk::open(path.clone(), first) {
            Ok(disk) => disks.push(disk),
            Err(error) => say(&format!("counter: {}: {error}", path.display())),
        }
    }
    let Some(first) = disks.first().map(|disk| disk.count) else {
        say("counter: there is no disk to count on");
        std::process::exit(1);
    };
    say(&format!("counter begins at {}", counts(&disks)));
    if disks
        .iter()
        .any(|disk| disk.count != first && disk.count + 1 != first)
    {
        say("counter: the disks are not of the same instant");
    }

    // The disks go on from the first one's count; memory knows of this boot alone.
    let mut count = first;
    let mut memory = 0_u64;
    let mut next = Instant::now();
    loop {
        count += 1;
        memory += 1;
        for disk in &mut disks {
            if let Err(error) = disk.write(count) {
                say(&format!(
                    "counter: writing {}: {error}",
                    disk.path.display()
                ));
            }
        }
        say(&format!("tick {} memory={memory}", counts(&disks)));
        // A guest that stood still goes on from now; it does not make up for lost ticks.
        next = (next + TICK).max(Instant::now());
        sleep(next.saturating_duration_since(Instant::now()));
    }
}
