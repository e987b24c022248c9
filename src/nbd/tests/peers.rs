//! The programs that will use the server, as they are installed. One that is not is said so, loudly.

use super::{Stage, device::FileDevice};
use crate::nbd::{Export, MetaContext, MetaContexts, Status};
use std::{
    fs,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

const SIZE: u64 = 64 << 20;

/// Whether a peer can be run; says so if not. `package` is where Debian has it.
fn present(test: &str, peer: &str, package: &str) -> bool {
    let found = Command::new(peer)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED {test}: {peer} is not installed (Debian package {package})");
    }
    found
}

/// Runs a peer, which must succeed; gives what it printed.
fn run(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned();
    assert!(
        status.success(),
        "{command:?}: {status}\n{text}\n{}",
        String::from_utf8_lossy(&stderr)
    );
    text
}

/// A sparse pattern: three runs of data that begin and end off block boundaries.
fn pattern() -> Vec<(u64, Vec<u8>)> {
    let noise = |seed: u32, length: u32| {
        (0..length).map(move |i| ((i ^ seed).wrapping_mul(2_654_435_761) >> 23) as u8 | 1)
    };
    vec![
        (0, noise(1, 5000).collect()),
        ((20 << 20) + 123, noise(2, 3_000_000).collect()),
        (SIZE - 70_000, noise(3, 70_000).collect()),
    ]
}

fn write_pattern(path: &Path) {
    let file = fs::File::create(path).unwrap();
    file.set_len(SIZE).unwrap();
    for (offset, data) in pattern() {
        file.write_all_at(&data, offset).unwrap();
    }
}

struct Changed;

impl MetaContexts for Changed {
    fn list(&self) -> Vec<String> {
        vec!["reprise:changed-since/one".to_owned()]
    }

    fn open(&self, name: &str) -> Option<Arc<dyn MetaContext>> {
        (name == "reprise:changed-since/one").then(|| Arc::new(Self) as _)
    }
}

impl MetaContext for Changed {
    /// The second mebibyte has changed.
    fn status(
        &self,
        offset: u64,
        length: u64,
    ) -> Result<Vec<Status>, crate::engine::block::DeviceError> {
        let bounds = [1 << 20, 2 << 20, u64::MAX];
        let next = bounds.into_iter().find(|bound| *bound > offset).unwrap();
        let flags = u32::from((1 << 20..2 << 20).contains(&offset));
        Ok(vec![Status {
            length: length.min(next - offset),
            flags,
        }])
    }
}

/// A server of two files, "full" with the pattern and "empty"; both can be looked at from outside.
fn stage() -> (Stage, PathBuf, PathBuf) {
    let files = tempfile::tempdir().unwrap();
    let (full, empty) = (files.path().join("full"), files.path().join("empty"));
    write_pattern(&full);
    let devices = [
        ("full", FileDevice::create(&full, SIZE)),
        ("empty", FileDevice::create(&empty, SIZE)),
    ];
    let devices = devices.map(|(name, device)| (name, Arc::new(device)));
    let stage = Stage::with(&["full", "empty"], move |name| {
        // Kept here so that the folder lives as long as the server.
        let _files = &files;
        let (_, device) = devices.iter().find(|(known, _)| *known == name)?;
        let contexts: Option<Arc<dyn MetaContexts>> = Some(Arc::new(Changed));
        let description = Some("a disk of the tests".to_owned());
        Some(Export {
            multi_conn: true,
            description,
            contexts,
            ..Export::new(Arc::clone(device) as _)
        })
    });
    (stage, full, empty)
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// Same content, and as sparse: not one block more than a copy by the file system's own means.
fn assert_same(left: &Path, right: &Path) {
    assert!(
        fs::read(left).unwrap() == fs::read(right).unwrap(),
        "{} and {} differ",
        left.display(),
        right.display()
    );
}

/// Bytes that a file takes on disk.
fn taken(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn nbdinfo_describes_lists_and_maps() {
    if !present("nbdinfo", "nbdinfo", "libnbd-bin") {
        return;
    }
    let (stage, ..) = stage();
    let info = json(&run(Command::new("nbdinfo")
        .arg("--json")
        .arg(stage.uri("full"))));
    let export = &info["exports"][0];
    assert_eq!(info["protocol"], "newstyle-fixed");
    assert_eq!(info["structured"], true);
    assert_eq!(export["export-size"], SIZE);
    assert_eq!(export["description"], "a disk of the tests");
    assert_eq!(export["block_size_minimum"], 1);
    assert_eq!(export["block_size_preferred"], 4096);
    assert_eq!(export["block_size_maximum"], 32 << 20);
    for able in [
        "can_cache",
        "can_df",
        "can_fast_zero",
        "can_flush",
        "can_fua",
        "can_multi_conn",
        "can_trim",
        "can_zero",
    ] {
        assert_eq!(export[able], true, "{able}");
    }
    assert_eq!(export["is_read_only"], false);
    assert_eq!(
        export["contexts"],
        serde_json::json!(["base:allocation", "reprise:changed-since/one"])
    );

    let list = json(&run(Command::new("nbdinfo")
        .args(["--list", "--json"])
        .arg(stage.uri(""))));
    let names: Vec<_> = list["exports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|export| &export["export-name"])
        .collect();
    assert_eq!(names, ["full", "empty"]);

    let map = json(&run(Command::new("nbdinfo")
        .args(["--map", "--json"])
        .arg(stage.uri("full"))));
    let runs = map.as_array().unwrap();
    let covered: u64 = runs.iter().map(|run| run["length"].as_u64().unwrap()).sum();
    assert_eq!(covered, SIZE);
    // Whatever the file system's block: 10 MiB is in a hole, 21 MiB is in data.
    let at = |place: u64| {
        let holds = |run: &&serde_json::Value| {
            let start = run["offset"].as_u64().unwrap();
            (start..start + run["length"].as_u64().unwrap()).contains(&place)
        };
        runs.iter().find(holds).unwrap()["type"].as_u64().unwrap()
    };
    assert_eq!((at(10 << 20), at(21 << 20)), (3, 0));

    let changed = Command::new("nbdinfo")
        .arg("--map=reprise:changed-since/one")
        .arg("--json")
        .arg(stage.uri("full"))
        .output();
    let changed = json(&String::from_utf8(changed.unwrap().stdout).unwrap());
    let runs: Vec<_> = changed
        .as_array()
        .unwrap()
        .iter()
        .map(|run| (&run["length"], &run["type"]))
        .collect();
    let mib = 1_u64 << 20;
    let expected = [(mib, 0), (mib, 1), (SIZE - 2 * mib, 0)]
        .map(|(length, kind)| (length.into(), kind.into()));
    assert_eq!(
        runs,
        expected
            .iter()
            .map(|(length, kind)| (length, kind))
            .collect::<Vec<_>>()
    );
}

#[test]
fn nbdcopy_brings_a_disk_out_and_in_and_keeps_it_sparse() {
    if !present("nbdcopy", "nbdcopy", "libnbd-bin") {
        return;
    }
    let (stage, full, empty) = stage();
    let out = stage.folder.path().join("out");
    run(Command::new("nbdcopy").arg(stage.uri("full")).arg(&out));
    assert_same(&full, &out);
    assert!(taken(&out) < 4 << 20, "{} bytes", taken(&out));
    run(Command::new("nbdcopy")
        .args(["--flush", "--destination-is-zero"])
        .arg(&out)
        .arg(stage.uri("empty")));
    assert_same(&full, &empty);
    assert!(taken(&empty) < 4 << 20, "{} bytes", taken(&empty));
    // Over something that was there, between two exports of one server, in requests as large as they may be.
    let file = fs::File::options().write(true).open(&empty).unwrap();
    file.write_all_at(&[9; 100_000], 30 << 20).unwrap();
    run(Command::new("nbdcopy")
        .arg("--request-size=33554432")
        .arg(stage.uri("full"))
        .arg(stage.uri("empty")));
    assert_same(&full, &empty);
}

#[test]
fn qemu_img_converts_maps_and_compares() {
    if !present("qemu-img", "qemu-img", "qemu-utils") {
        return;
    }
    let (stage, full, empty) = stage();
    let qemu = |arguments: &[&str]| run(Command::new("qemu-img").args(arguments));
    let (uri, target) = (stage.uri("full"), stage.uri("empty"));
    let info = json(&qemu(&["info", "--output=json", &uri]));
    assert_eq!(info["virtual-size"], SIZE);
    assert_eq!(info["format"], "raw");

    for format in ["raw", "qcow2"] {
        let image = stage.folder.path().join(format);
        let image = image.to_str().unwrap();
        qemu(&["convert", "-f", "raw", "-O", format, &uri, image]);
        assert!(qemu(&["compare", "-f", format, "-F", "raw", image, &uri]).contains("identical"));
        // Back in, over what is there.
        qemu(&["convert", "-n", "-f", format, "-O", "raw", image, &target]);
        assert_same(&full, &empty);
        assert!(taken(&empty) < 4 << 20, "{} bytes", taken(&empty));
        let differ = fs::File::options().write(true).open(&empty).unwrap();
        differ.write_all_at(&[9], 30 << 20).unwrap();
        let compared = Command::new("qemu-img")
            .args(["compare", "-f", "raw", "-F", "raw", &uri, &target])
            .output();
        assert_eq!(
            compared.unwrap().status.code(),
            Some(1),
            "a difference is found"
        );
    }
    let map = json(&qemu(&["map", "--output=json", "-f", "raw", &uri]));
    let data: u64 = map
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["data"] == true)
        .map(|run| run["length"].as_u64().unwrap())
        .sum();
    let written: u64 = pattern().iter().map(|(_, bytes)| bytes.len() as u64).sum();
    assert!((written..4 << 20).contains(&data), "{data}");
}

#[test]
fn fio_writes_and_verifies() {
    let test = "fio";
    if !present(test, "fio", "fio") {
        return;
    }
    let engines = run(Command::new("fio").arg("--enghelp"));
    if !engines.lines().any(|line| line.trim() == "nbd") {
        eprintln!("SKIPPED {test}: this fio has no nbd engine");
        return;
    }
    let (stage, ..) = stage();
    for (mode, size, depth) in [
        ("randwrite", "bsrange=512-64k", "32"),
        ("randrw", "bs=4k", "16"),
        ("write", "bs=2m", "4"),
    ] {
        let output = run(Command::new("fio")
            .current_dir(stage.folder.path())
            .args([
                "--name=verify",
                "--ioengine=nbd",
                "--verify=crc32c",
                "--do_verify=1",
                "--size=64m",
                "--randrepeat=1",
            ])
            .args([
                "--verify_fatal=1",
                "--verify_state_save=0",
                &format!("--rw={mode}"),
                &format!("--{size}"),
            ])
            .arg(format!("--iodepth={depth}"))
            .arg(format!("--uri={}", stage.uri("empty"))));
        assert!(output.contains("err= 0"), "{output}");
    }
}
