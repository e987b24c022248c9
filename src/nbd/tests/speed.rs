//! Beside `nbdkit file` and `qemu-nbd`, over one plain file: what the protocol costs. Prints, and asserts no figure.
//!
//! `cargo test --release --features ssr -- --ignored --nocapture beside_other_servers`; the file lies in `$REPRISE_BENCH_DIR` or
//! the system's temporary folder (a tmpfs measures the server and not the disk).

use super::{Stage, device::FileDevice};
use crate::nbd::Export;
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

const SIZE: u64 = 1 << 30;
const ROUNDS: usize = 5;

struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &str, arguments: &[&str], socket: &Path) -> Option<Peer> {
    let child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = child else {
        eprintln!("SKIPPED {program}: not installed");
        return None;
    };
    let peer = Peer(child);
    for _ in 0..100 {
        if socket.exists() {
            return Some(peer);
        }
        thread::sleep(Duration::from_millis(50));
    }
    eprintln!("SKIPPED {program}: it does not listen");
    None
}

/// Operations a second, by fio.
fn fio(socket: &Path, (mode, size, depth): (&str, &str, &str)) -> Option<f64> {
    let output = Command::new("fio")
        .args([
            "--name=x",
            "--ioengine=nbd",
            "--time_based",
            "--runtime=2",
            "--output-format=terse",
            "--terse-version=3",
        ])
        .args([
            format!("--rw={mode}"),
            format!("--bs={size}"),
            format!("--iodepth={depth}"),
        ])
        .arg(format!("--uri=nbd+unix:///?socket={}", socket.display()))
        .current_dir(std::env::temp_dir())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("3;"))?;
    // Terse version 3: field 8 is read IOPS, field 49 write IOPS.
    let field = if mode.contains("write") { 48 } else { 7 };
    line.split(';').nth(field)?.parse().ok()
}

#[test]
#[ignore = "a measurement: two minutes, and a quiet machine"]
fn beside_other_servers() {
    let base = std::env::var_os("REPRISE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(base).unwrap();
    let image = folder.path().join("image");
    let mut file = fs::File::create(&image).unwrap();
    let mebibyte: Vec<u8> = (0..1_u32 << 20)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for _ in 0..SIZE >> 20 {
        file.write_all(&mebibyte).unwrap();
    }
    let mut device = FileDevice::create(&image, SIZE);
    device.opaque = true;
    let device = Arc::new(device);
    let stage = Stage::with(&[""], move |_| Some(Export::new(Arc::clone(&device) as _)));
    let (nbdkit, qemu) = (folder.path().join("nbdkit"), folder.path().join("qemu"));
    let name = image.to_str().unwrap();
    let _nbdkit = start(
        "nbdkit",
        &["-f", "-U", nbdkit.to_str().unwrap(), "file", name],
        &nbdkit,
    );
    let options = [
        "-t",
        "-f",
        "raw",
        "--cache=writeback",
        "-k",
        qemu.to_str().unwrap(),
        name,
    ];
    let _qemu = start("qemu-nbd", &options, &qemu);
    let servers = [
        ("nbdkit file", &nbdkit),
        ("reprise", &stage.socket),
        ("qemu-nbd raw", &qemu),
    ];

    println!(
        "{:<22}{:>14}{:>14}{:>14}",
        "ops/s (ratio)", servers[0].0, servers[1].0, servers[2].0
    );
    for case in [
        ("randread", "4k", "32"),
        ("randwrite", "4k", "32"),
        ("read", "1m", "8"),
        ("write", "1m", "8"),
        ("randread", "4k", "1"),
    ] {
        // Alternating, so that a noisy minute falls on all alike.
        let mut runs = vec![Vec::new(); servers.len()];
        for _ in 0..ROUNDS {
            for (server, runs) in servers.iter().zip(&mut runs) {
                runs.extend(server.1.exists().then(|| fio(server.1, case)).flatten());
            }
        }
        let median = |runs: &mut Vec<f64>| {
            runs.sort_by(f64::total_cmp);
            runs.get(runs.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let medians: Vec<f64> = runs.iter_mut().map(median).collect();
        let cells: Vec<String> = medians
            .iter()
            .map(|m| format!("{m:>7.0} ({:.2})", m / medians[0]))
            .collect();
        println!(
            "{:<22}{:>14}{:>14}{:>14}",
            format!("{} {} depth {}", case.0, case.1, case.2),
            cells[0],
            cells[1],
            cells[2]
        );
    }
}
