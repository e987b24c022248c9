//! Runs inside the guest of a measurement, in the guest agent's place, and tells on the serial line what no host can see:
//! for how long a write, or the processor itself, was held up.
//!
//! `probe hold FILE WRITERS` writes 4 KiB after 4 KiB over the file, past the page cache, from so many threads, and tells
//! every 250 ms the longest time one write took and how many there were:
//! `held write=<longest, in microseconds> ran=<longest gap of a processor, in microseconds> writes=<how many>`.
//!
//! `probe dirty PERCENT` fills so much of the memory with bytes that do not compress, tells `dirty filled=<MiB>`, and
//! rewrites it all the time, page by page in no order, telling each 10 ms how often: `d=<count>`. The guest's own clock
//! stands while QEMU has stopped it, so only one outside can measure that.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Past the page cache (O_DIRECT on x86-64).
const DIRECT: i32 = 0o40_000;
const PAGE: usize = 4096;
/// The file is this long, in pages; each writer has a part of its own.
const PAGES: u64 = 1024;
const TELL: Duration = Duration::from_millis(250);

#[repr(align(4096))]
struct Page([u8; PAGE]);

fn say(line: &str) {
    let _ = io::stdout().write_all(format!("{line}\n").as_bytes());
}

fn hold(path: &str, writers: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).open(path)?;
    // Present on the disk first: what is measured are writes, not a file system that grows a file.
    file.write_all_at(&vec![1; PAGE * PAGES as usize], 0)?;
    file.sync_all()?;
    let file = Arc::new(
        OpenOptions::new()
            .write(true)
            .custom_flags(DIRECT)
            .open(path)?,
    );
    let (held, ran, writes) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
    );
    for writer in 0..writers {
        let (file, held, writes) = (Arc::clone(&file), Arc::clone(&held), Arc::clone(&writes));
        thread::spawn(move || {
            let mut page = Box::new(Page([2; PAGE]));
            let own = PAGES / writers;
            for turn in 0_u64.. {
                page.0[0] = turn as u8;
                let begun = Instant::now();
                let place = (writer * own + turn % own) * PAGE as u64;
                if let Err(error) = file.write_all_at(&page.0, place) {
                    say(&format!("held error={error}"));
                    return;
                }
                held.fetch_max(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
                writes.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    // A processor that stands still shows as a gap between two looks at the clock.
    let seen = Arc::clone(&ran);
    thread::spawn(move || {
        let mut last = Instant::now();
        loop {
            thread::sleep(Duration::from_millis(1));
            let now = Instant::now();
            seen.fetch_max(
                now.duration_since(last).as_micros() as u64,
                Ordering::Relaxed,
            );
            last = now;
        }
    });
    loop {
        thread::sleep(TELL);
        say(&format!(
            "held write={} ran={} writes={}",
            held.swap(0, Ordering::Relaxed),
            ran.swap(0, Ordering::Relaxed),
            writes.swap(0, Ordering::Relaxed)
        ));
    }
}

fn dirty(percent: u64) -> io::Result<()> {
    let info = std::fs::read_to_string("/proc/meminfo")?;
    let total = info
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .trim()
                .strip_suffix(" kB")?
                .parse::<u64>()
                .ok()
        })
        .unwrap_or(0);
    let words = (total * 1024 * percent / 100 / 8) as usize;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut memory: Vec<u64> = (0..words).map(|_| next()).collect();
    say(&format!("dirty filled={}", words * 8 >> 20));
    // 2,000 pages a second, as a busy program would have it.
    let mut next_turn = Instant::now();
    for turn in 0_u64.. {
        for _ in 0..20 {
            let word = next();
            let page = (word as usize % words) & !511;
            memory[page] = word;
        }
        say(&format!("d={turn}"));
        next_turn = (next_turn + Duration::from_millis(10)).max(Instant::now());
        thread::sleep(next_turn.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments[..] {
        ["hold", path, writers] => hold(path, writers.parse().unwrap_or(1)),
        ["dirty", percent] => dirty(percent.parse().unwrap_or(0)),
        _ => Err(io::Error::other("nothing that can be measured")),
    };
    if let Err(error) = ended {
        say(&format!("probe: {error}"));
    }
}
