//! The process ends after each step that was written down, and after each step's effect; the next process finishes or
//! undoes what was begun, and finds nothing stuck, nothing unknown and nothing lost.
//!
//! The process that dies is this test program again, told by variables to run [`child`] alone.

use super::super::{ImportRequest, TemplateImport, image, tasks};
use super::house::{House, noise, tuning};
use crate::catalog::Catalog;
use crate::catalog::jobs::{Ending, ask_to_stop};
use crate::catalog::snapshots::Held;
use crate::domain::fault::Fault;
use crate::domain::id::VolumeId;
use crate::domain::job::{JobKind, JobState};
use crate::domain::snapshot::SnapshotState;
use crate::domain::template::TemplateState;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::engine::Pool;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
pub(super) const DATA: &str = "REPRISE_TEST_DATA";
pub(super) const ACT: &str = "REPRISE_TEST_ACT";

pub(super) fn word(kind: JobKind) -> String {
    let word = serde_json::to_value(kind).expect("a word");
    word.as_str().expect("a word").to_owned()
}

/// The kinds that these tests ask for; those of instances and points stand beside them.
const KINDS: [JobKind; 10] = [
    JobKind::CreateVolume,
    JobKind::ImportVolume,
    JobKind::DeleteVolume,
    JobKind::TakeSnapshot,
    JobKind::DeleteSnapshot,
    JobKind::RestoreVolume,
    JobKind::FillVolume,
    JobKind::CreateTemplate,
    JobKind::ImportTemplate,
    JobKind::DeleteTemplate,
];

/// Whether the act begins with an uploaded image.
const fn imports(kind: JobKind) -> bool {
    matches!(kind, JobKind::ImportVolume | JobKind::ImportTemplate)
}

/// What is in the image: a machine could start from it.
fn in_image() -> Vec<u8> {
    let mut bytes = noise(7, 2 * MIB);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes
}

/// What is there before the act.
fn prepare(data: &Path, kind: JobKind) {
    let house = House::open(data);
    if kind == JobKind::CreateVolume || imports(kind) {
        return;
    }
    let of_template = matches!(kind, JobKind::CreateTemplate | JobKind::DeleteTemplate);
    let volume = if of_template {
        house.root_volume("source", VolumeKind::Root, &in_image())
    } else {
        house.new_volume("source")
    };
    house.write(volume, 3 * MIB as u64, &noise(1, MIB));
    if kind == JobKind::DeleteVolume || kind == JobKind::TakeSnapshot {
        // A base: it makes the save an incremental one, and goes with the volume.
        house.new_snapshot(volume, "base");
        house.write(volume, 9 * MIB as u64, &noise(2, MIB));
    } else {
        let snapshot = house.new_snapshot(volume, "subject");
        if kind == JobKind::DeleteTemplate {
            let made = house
                .control
                .create_template(&house.owner, snapshot, "made", "");
            house.succeeded(made.expect("begun").job);
        }
    }
}

/// The act, asked for by a member.
fn act(house: &House, kind: JobKind, data: &Path) {
    let (control, owner, zone) = (&house.control, &house.owner, house.zones[1]);
    let source = || house.volume("source").id;
    let subject = || {
        house
            .snapshots()
            .into_iter()
            .find(|row| row.name == "subject")
            .expect("the snapshot")
            .id
    };
    let begun = match kind {
        JobKind::CreateVolume => control.create_volume(owner, "made", zone, 1),
        JobKind::DeleteVolume => control.delete_volume(owner, source()),
        JobKind::TakeSnapshot => control.take_snapshot(owner, source(), "subject"),
        JobKind::DeleteSnapshot => control.delete_snapshot(owner, subject()),
        JobKind::RestoreVolume | JobKind::FillVolume => {
            control.create_volume_from_snapshot(owner, subject(), zone, "made")
        }
        JobKind::CreateTemplate => control.create_template(owner, subject(), "made", ""),
        JobKind::DeleteTemplate => control.delete_template(owner, house.template().id),
        JobKind::ImportVolume | JobKind::ImportTemplate => {
            let file = data.join("uploads").join("sent.part");
            std::fs::copy(data.join("image.qcow2"), &file).expect("uploaded");
            let (name, file_name) = ("made".to_owned(), String::new());
            if kind == JobKind::ImportVolume {
                let request = ImportRequest {
                    name,
                    zone,
                    kind: VolumeKind::Root,
                    file,
                    file_name,
                };
                control.import_volume(owner, request)
            } else {
                let request = TemplateImport {
                    name,
                    description: String::new(),
                    file,
                    file_name,
                };
                control.import_template(owner, request)
            }
        }
        other => unreachable!("{other:?} is not one of KINDS"),
    };
    let job = begun.expect("begun").job;
    house.ended(job);
    // And what it asked for itself.
    settle(house);
}

/// Opens the region of a variable and does the act of another, if nothing is under way; dies on the way.
#[test]
#[ignore = "run by the tests of this file, in a process of its own"]
fn child() {
    let (Some(data), Ok(wanted)) = (std::env::var_os(DATA), std::env::var(ACT)) else {
        return;
    };
    let data = Path::new(&data);
    let house = House::open(data);
    let Some(kind) = KINDS.into_iter().find(|kind| word(*kind) == wanted) else {
        // Only what is under way already.
        settle(&house);
        return;
    };
    act(&house, kind, data);
}

/// A process that must die at this place.
fn dies(data: &Path, what: &str, place: &str) {
    dies_in(module_path!(), data, what, place);
}

/// As [`dies`], with the `child` of another module.
pub(super) fn dies_in(module: &str, data: &Path, what: &str, place: &str) {
    let program = std::env::current_exe().expect("this program");
    let module = module.split_once("::").map_or("", |(_, module)| module);
    let output = Command::new(program)
        .args([
            "--exact",
            &format!("{module}::child"),
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DATA, data)
        .env(ACT, what)
        .env("REPRISE_STOP_AFTER", place)
        .stdin(Stdio::null())
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&format!("stopped after {place}")),
        "it did not die at {place}: {said}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// Waits until nothing is under way.
pub(super) fn settle(house: &House) {
    let end = Instant::now() + Duration::from_secs(120);
    while let Some(job) = house
        .control
        .catalog()
        .live_jobs()
        .expect("an answer")
        .first()
    {
        assert!(Instant::now() < end, "stuck: {job:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Holds in the object store.
pub(super) fn holds(data: &Path) -> usize {
    let organizations = std::fs::read_dir(data.join("archive/objects")).expect("an archive");
    organizations
        .flatten()
        .filter_map(|organization| std::fs::read_dir(organization.path().join("holds")).ok())
        .map(Iterator::count)
        .sum()
}

/// Nothing stuck, nothing unknown, nothing left over.
fn assert_whole(house: &House, data: &Path) {
    for volume in house.volumes() {
        assert!(
            !volume.state.is_passing()
                && volume.job.as_ref().is_none_or(|job| !job.state.is_live()),
            "{volume:?}"
        );
        assert!(
            volume.state != VolumeState::Ready || volume.fault.is_none(),
            "{volume:?}"
        );
    }
    for snapshot in house.snapshots() {
        assert!(!snapshot.state.is_passing(), "{snapshot:?}");
    }
    for template in house.templates() {
        let passing = matches!(
            template.state,
            TemplateState::Creating | TemplateState::Deleting
        );
        assert!(!passing && template.job.is_none(), "{template:?}");
    }
    let catalog = house.control.catalog();
    for zone in &house.control.core.zones.0 {
        let pool = zone.pool("").expect("a pool");
        let known = catalog.volumes_of_zone(zone.id).expect("an answer");
        let known: BTreeSet<VolumeId> = known
            .into_iter()
            .filter(|volume| volume.state == VolumeState::Ready)
            .map(|volume| volume.id)
            .collect();
        assert_eq!(
            pool.volumes().into_iter().collect::<BTreeSet<_>>(),
            known,
            "a pool has what the catalog has"
        );
        let snapshots = catalog.snapshots_of_zone(zone.id).expect("an answer");
        let origins = catalog.origins_of_zone(zone.id).expect("an answer");
        let bases = origins
            .iter()
            .filter(|origin| known.contains(&origin.volume))
            .map(|origin| origin.base);
        let known: BTreeSet<_> = snapshots
            .iter()
            .filter(|snapshot| snapshot.held != Held::Gone)
            .map(|snapshot| snapshot.checkpoint)
            .chain(bases)
            .collect();
        assert_eq!(
            pool.checkpoints()
                .iter()
                .map(|found| found.id)
                .collect::<BTreeSet<_>>(),
            known
        );
        let findings = pool.check().expect("checked");
        assert!(
            !findings.iter().any(|finding| finding.damage),
            "{findings:?}"
        );
    }
    let archive = house.control.core.archive.get().expect("the archive");
    assert_eq!(archive.check(true).expect("checked"), []);
    let saved = archive.list(house.organization()).expect("a list");
    let usable = house
        .snapshots()
        .into_iter()
        .filter(|row| row.state.is_usable())
        .count();
    let ready = house
        .templates()
        .into_iter()
        .filter(|row| row.state == TemplateState::Ready)
        .count();
    assert_eq!(
        saved.len(),
        usable + ready,
        "the archive has what the catalog has"
    );
    house.control.core.release_holds().expect("asked");
    let sources = house.control.core.zones.0.iter().map(|zone| {
        let pool = zone.pool("").expect("a pool");
        pool.sources().len()
    });
    assert_eq!(
        holds(data),
        sources.sum::<usize>(),
        "what fills is held, and nothing else"
    );
    assert_eq!(
        std::fs::read_dir(data.join("uploads"))
            .expect("a folder")
            .count(),
        0,
        "an upload is left"
    );
    assert!(house.control.quarantine().expect("an answer").is_empty());
}

/// The act was done, bit for bit.
fn assert_done(house: &House, kind: JobKind) {
    match kind {
        JobKind::CreateVolume => {
            assert_eq!(house.read(house.volume("made").id, 0, 4096), vec![0; 4096])
        }
        JobKind::ImportVolume => {
            assert_eq!(house.read(house.volume("made").id, 0, 2 * MIB), in_image())
        }
        JobKind::CreateTemplate | JobKind::ImportTemplate => {
            let row = house.template();
            assert_eq!((row.state, row.fault), (TemplateState::Ready, None));
            let mut head = vec![0; 4 * MIB];
            let archive = house.control.core.archive.get().expect("the archive");
            archive
                .read_head(house.organization(), house.content(row.id), &mut head)
                .expect("read");
            assert!(head[..2 * MIB] == in_image());
            if kind == JobKind::CreateTemplate {
                assert!(head[3 * MIB..] == noise(1, MIB));
                assert_eq!(house.snapshots().len(), 1, "its snapshot stays");
            }
        }
        JobKind::DeleteTemplate => {
            assert!(house.templates().is_empty());
            assert_eq!(house.snapshots().len(), 1, "its snapshot stays");
        }
        JobKind::DeleteVolume => {
            assert!(house.volumes().is_empty());
            assert_eq!(house.snapshots().len(), 1, "its snapshot stays");
        }
        JobKind::TakeSnapshot => {
            let row = house
                .snapshots()
                .into_iter()
                .find(|row| row.name == "subject")
                .expect("the snapshot");
            assert_eq!(row.state, SnapshotState::Saved);
            let again = house.control.create_volume_from_snapshot(
                &house.owner,
                row.id,
                house.zones[1],
                "again",
            );
            house.succeeded(again.expect("begun").job);
            // It can be used already; the rest of it comes by work of its own.
            settle(house);
            let volume = house.volume("again").id;
            assert_eq!(house.read(volume, 3 * MIB as u64, MIB), noise(1, MIB));
            assert_eq!(house.read(volume, 9 * MIB as u64, MIB), noise(2, MIB));
        }
        JobKind::DeleteSnapshot => assert!(house.snapshots().is_empty()),
        JobKind::RestoreVolume | JobKind::FillVolume => {
            let volume = house.volume("made").id;
            assert_eq!(house.read(volume, 3 * MIB as u64, MIB), noise(1, MIB));
            assert!(house.pool_of(volume).sources().is_empty(), "all has come");
        }
        other => unreachable!("{other:?} is not one of KINDS"),
    }
}

/// The act left nothing behind but a row that says so.
fn assert_undone(house: &House, kind: JobKind, fault: bool) {
    if kind == JobKind::TakeSnapshot {
        let row = house
            .snapshots()
            .into_iter()
            .find(|row| row.name == "subject")
            .expect("the snapshot");
        assert_eq!(row.state, SnapshotState::Failed);
        assert!(row.fault.is_some());
    } else if matches!(kind, JobKind::CreateTemplate | JobKind::ImportTemplate) {
        let row = house.template();
        assert_eq!(row.state, TemplateState::Failed);
        assert!(row.fault.is_some());
    } else if kind == JobKind::FillVolume {
        // It goes on fetching what is read.
        let volume = house.volume("made");
        assert_eq!((volume.state, volume.fault), (VolumeState::Ready, None));
        assert_eq!(house.read(volume.id, 3 * MIB as u64, MIB), noise(1, MIB));
    } else {
        let volume = house.volume("made");
        assert_eq!(volume.state, VolumeState::Failed);
        assert!(volume.fault.is_some());
        assert_eq!(fault, volume.fault != Some(Fault::Interrupted));
    }
    if house.volumes().iter().any(|volume| volume.name == "source") {
        assert_eq!(
            house.read(house.volume("source").id, 3 * MIB as u64, MIB),
            noise(1, MIB)
        );
    }
}

/// A prepared region; none where the tool that it needs is missing.
fn region(kind: JobKind) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    if imports(kind) {
        if !image::importer_is_there() {
            eprintln!(
                "SKIPPED: qemu-img is not installed, imports that are cut short are not tested"
            );
            return None;
        }
        let raw = folder.path().join("image.raw");
        std::fs::write(&raw, in_image()).expect("a file");
        let convert = [
            "convert",
            "-f",
            "raw",
            "-O",
            "qcow2",
            "image.raw",
            "image.qcow2",
        ];
        let made = Command::new("qemu-img")
            .args(convert)
            .current_dir(folder.path())
            .status()
            .expect("qemu-img runs");
        assert!(made.success());
    }
    prepare(folder.path(), kind);
    Some(folder)
}

/// As a member would, while no server runs.
pub(super) fn interrupt(data: &Path) {
    let catalog = Catalog::open(&data.join("catalog.db")).expect("the catalog");
    let jobs = catalog.live_jobs().expect("an answer");
    assert_eq!(jobs.len(), 1);
    assert!(
        catalog
            .write(|tx| ask_to_stop(tx, jobs[0].id, 0))
            .expect("asked")
    );
}

pub(super) fn places(kind: JobKind, steps: &[&str]) -> Vec<String> {
    let word = word(kind);
    steps
        .iter()
        .flat_map(|step| [format!("{word}:{step}"), format!("{word}:{step}:done")])
        .collect()
}

/// What is held when the process has died there, of work that makes and fills a volume: from before anything needs it
/// until nothing does.
pub(super) fn held_at(place: &str) -> Option<usize> {
    match place {
        "restore-volume:hold" | "create-instance:hold-root" | "fill-volume:fetch:done" => Some(0),
        _ if ["restore-volume:", "create-instance:", "fill-volume:"]
            .iter()
            .any(|kind| place.starts_with(kind)) =>
        {
            Some(1)
        }
        _ => None,
    }
}

fn stops_everywhere(kind: JobKind) {
    let mut tried = 0;
    for place in places(kind, tasks::steps(kind)) {
        let Some(folder) = region(kind) else { return };
        dies(folder.path(), &word(kind), &place);
        if let Some(held) = held_at(&place) {
            assert_eq!(holds(folder.path()), held, "{place}");
        }
        let house = House::open(folder.path());
        settle(&house);
        assert_whole(&house, folder.path());
        assert_done(&house, kind);
        // And once more: a start that finds nothing to do changes nothing.
        drop(house);
        assert_whole(&House::open(folder.path()), folder.path());
        tried += 1;
    }
    assert!(tried >= 2);
}

fn interrupted_everywhere(kind: JobKind) {
    assert!(kind.interruptible());
    for place in places(kind, tasks::steps(kind)) {
        let Some(folder) = region(kind) else { return };
        dies(folder.path(), &word(kind), &place);
        interrupt(folder.path());
        let house = House::open(folder.path());
        settle(&house);
        assert_whole(&house, folder.path());
        assert_undone(&house, kind, false);
        let rows = house
            .control
            .list_activity(&house.owner, 1)
            .expect("the log")
            .rows;
        // What the program began itself is among the tasks only.
        let tasks = house
            .control
            .current_jobs(&house.owner, "")
            .expect("a list");
        assert!(
            rows.iter()
                .filter_map(|row| row.job.as_ref())
                .chain(&tasks)
                .any(|job| job.state == JobState::Interrupted)
        );
    }
}

fn stops_while_undoing(kind: JobKind) {
    let last = *tasks::steps(kind).last().expect("a step");
    for place in places(kind, tasks::undo_steps(kind, Ending::Interrupted)) {
        let Some(folder) = region(kind) else { return };
        dies(
            folder.path(),
            &word(kind),
            &format!("{}:{last}", word(kind)),
        );
        interrupt(folder.path());
        dies(folder.path(), "", &place);
        let house = House::open(folder.path());
        settle(&house);
        assert_whole(&house, folder.path());
        assert_undone(&house, kind, false);
    }
}

#[test]
fn i16_create_volume_is_stopped_after_every_step() {
    stops_everywhere(JobKind::CreateVolume);
}

#[test]
fn i16_import_volume_is_stopped_after_every_step() {
    stops_everywhere(JobKind::ImportVolume);
}

#[test]
fn i16_delete_volume_is_stopped_after_every_step() {
    stops_everywhere(JobKind::DeleteVolume);
}

#[test]
fn i16_take_snapshot_is_stopped_after_every_step() {
    stops_everywhere(JobKind::TakeSnapshot);
}

#[test]
fn i16_delete_snapshot_is_stopped_after_every_step() {
    stops_everywhere(JobKind::DeleteSnapshot);
}

#[test]
fn i16_restore_volume_is_stopped_after_every_step() {
    stops_everywhere(JobKind::RestoreVolume);
}

#[test]
fn i16_fill_volume_is_stopped_after_every_step() {
    stops_everywhere(JobKind::FillVolume);
}

#[test]
fn i16_create_template_is_stopped_after_every_step() {
    stops_everywhere(JobKind::CreateTemplate);
}

#[test]
fn i16_import_template_is_stopped_after_every_step() {
    stops_everywhere(JobKind::ImportTemplate);
}

#[test]
fn i16_delete_template_is_stopped_after_every_step() {
    stops_everywhere(JobKind::DeleteTemplate);
}

#[test]
fn i16_work_is_interrupted_at_every_step() {
    for kind in KINDS.into_iter().filter(|kind| kind.interruptible()) {
        interrupted_everywhere(kind);
    }
}

#[test]
fn i16_undoing_is_stopped_after_every_step() {
    for kind in KINDS.into_iter().filter(|kind| kind.interruptible()) {
        stops_while_undoing(kind);
    }
}

#[test]
fn i16_undoing_a_volume_that_could_not_be_made_is_stopped_after_every_step() {
    let kind = JobKind::CreateVolume;
    for place in places(kind, tasks::undo_steps(kind, Ending::Failed)) {
        let folder = region(kind).expect("a region");
        dies(folder.path(), &word(kind), "create-volume:make-volume");
        // The pool has a volume of that id and of another size: it cannot be made, now or ever.
        let catalog = Catalog::open(&folder.path().join("catalog.db")).expect("the catalog");
        let id: VolumeId = catalog.live_jobs().expect("an answer")[0]
            .subject
            .parse()
            .expect("an id");
        let zone = catalog
            .volume(id)
            .expect("an answer")
            .expect("the volume")
            .zone;
        drop(catalog);
        let pool = folder
            .path()
            .join("zones")
            .join(zone.to_string())
            .join("pool");
        Pool::open(&pool, tuning().pool)
            .expect("the pool")
            .create_volume(id, 1 << 20)
            .expect("made");
        dies(folder.path(), "", &place);
        let house = House::open(folder.path());
        settle(&house);
        assert_whole(&house, folder.path());
        assert_undone(&house, kind, true);
    }
}
