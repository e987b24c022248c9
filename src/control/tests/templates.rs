//! Templates: of a snapshot, of an image, and what becomes of both.

use super::super::image;
use super::super::instances::act::Wanted;
use super::super::tasks::Tasks;
use super::super::work::Asked;
use super::super::{TemplateImport, volumes};
use super::house::{House, caller, noise};
use crate::catalog::templates::{insert_template, move_template};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{JobId, SnapshotId, TemplateId, VolumeId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::size::{Bytes, GIB};
use crate::domain::template::TemplateState;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::jobs::{Watch, Work};
use crate::view::TemplateRow;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Nobody looks.
struct Alone;

impl Watch for Alone {
    fn total(&mut self, _: u64) {}

    fn done(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// The first MiB of a disk that a BIOS starts from, or of one that has the mark alone.
fn head(boots: bool) -> Vec<u8> {
    let mut bytes = noise(7, 1 << 20);
    if !boots {
        bytes[..512].fill(0);
    }
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes
}

impl House {
    pub(super) fn root_volume(&self, name: &str, kind: VolumeKind, head: &[u8]) -> VolumeId {
        let actor = self.owner.actor.as_ref().expect("a member");
        let zone = self.control.core.zones.get(self.zones[0]).expect("a zone");
        let state = VolumeState::Creating;
        let volume = self
            .control
            .new_volume(actor, zone, name, kind, Bytes(GIB), state);
        let asked = Asked::new(JobKind::CreateVolume, &volume.id, name);
        let started = self
            .control
            .begin(&self.owner, actor, &asked, |tx| {
                volumes::write_new(tx, &volume)
            })
            .expect("begun");
        self.succeeded(started.job);
        self.write(volume.id, 0, head);
        volume.id
    }

    pub(super) fn templates(&self) -> Vec<TemplateRow> {
        let page = self.control.list_templates(&self.owner, 1);
        page.expect("a list").rows
    }

    pub(super) fn template(&self) -> TemplateRow {
        let rows = self.templates();
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.into_iter().next().expect("a template")
    }

    /// All that a volume has which an instance gets from the template of this name.
    pub(super) fn disk_of(&self, template: &str) -> Vec<u8> {
        let rows = self.templates().into_iter();
        let row = rows.into_iter().find(|row| row.name == template);
        let row = row.expect("the template");
        assert_eq!(row.state, TemplateState::Ready);
        let name = format!("from {template}");
        let wanted = Wanted {
            name: &name,
            template: row.id,
            zone: self.zones[1],
            offering: 0,
            start: false,
            root: Some((&name, row.size)),
        };
        let started = self.control.make_instance(&self.owner, &wanted);
        self.succeeded(started.expect("begun").job);
        let length = usize::try_from(row.size.0).expect("a length");
        self.read(self.volume(&name).id, 0, length)
    }

    pub(super) fn content(&self, template: TemplateId) -> SnapshotId {
        let found = self.control.catalog().template(template);
        found.expect("an answer").expect("the template").content
    }

    /// What the archive has of the template.
    fn stored(&self, content: SnapshotId) -> bool {
        let archive = self.control.core.archive.get().expect("an archive");
        let found = archive.manifest(self.organization(), content);
        found.expect("an answer").is_some()
    }

    /// How many volumes the pools have, whoever knows them.
    fn in_pools(&self) -> usize {
        let zones = self.control.core.zones.0.iter();
        zones
            .map(|zone| zone.pool("").expect("a pool").volumes().len())
            .sum()
    }

    fn uploads(&self) -> usize {
        let uploads = std::fs::read_dir(self.control.core.folders.uploads());
        uploads.expect("a folder").count()
    }

    fn import(&self, name: &str, make: impl FnOnce(&Path)) -> Result<JobId, Fault> {
        let control = &self.control;
        let slot = control
            .template_upload_check(&self.owner, name, "", None)
            .expect("a place");
        make(&slot.path);
        let request = TemplateImport {
            name: name.to_owned(),
            description: "Compte à voix haute".to_owned(),
            file: slot.path,
            file_name: "compteur.qcow2".to_owned(),
        };
        control
            .import_template(&self.owner, request)
            .map(|started| started.job)
    }
}

/// Writes a qcow2 image whose disk begins so.
fn qcow2(path: &Path, head: &[u8]) {
    let raw = path.with_extension("raw");
    std::fs::write(&raw, head).expect("written");
    let file = std::fs::OpenOptions::new().write(true).open(&raw);
    file.and_then(|file| file.set_len(64 << 20)).expect("grown");
    let made = Command::new("qemu-img")
        .args(["convert", "-f", "raw", "-O", "qcow2"])
        .args([&raw, path])
        .status();
    assert!(made.expect("qemu-img runs").success());
    std::fs::remove_file(raw).expect("removed");
}

fn no_importer() -> bool {
    let none = !image::importer_is_there();
    if none {
        eprintln!("SKIPPED: qemu-img is not installed, importing a template is not tested");
    }
    none
}

#[test]
fn a_template_outlives_its_snapshot_and_fills_a_larger_volume() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let head = head(true);
    let root = house.root_volume("r", VolumeKind::Root, &head);
    let snapshot = house.new_snapshot(root, "avant");
    let started = control
        .create_template(owner, snapshot, " Modèle  un ", "  deux\r\nlignes\t ")
        .expect("begun");
    assert_eq!(started.kind, JobKind::CreateTemplate);
    house.succeeded(started.job);
    let row = house.template();
    assert_eq!(
        (
            row.name.as_str(),
            row.description.as_str(),
            row.origin.as_str()
        ),
        ("Modèle un", "deux\nlignes", "avant")
    );
    assert_eq!((row.state, row.size), (TemplateState::Ready, Bytes(GIB)));
    assert_eq!(row.data, Some(Bytes(1 << 20)));
    // It shares everything with the snapshot: alone, either frees next to nothing.
    let alone = control.template_deletion(owner, row.id).expect("a plan");
    assert!(alone.frees.0 < 1 << 20, "{alone:?}");
    let started = control.delete_snapshot(owner, snapshot).expect("begun");
    house.succeeded(started.job);
    let alone = control.template_deletion(owner, row.id).expect("a plan");
    assert!(alone.frees.0 >= 1 << 20, "{alone:?}");

    let wanted = Wanted {
        name: "node",
        template: row.id,
        zone: house.zones[1],
        offering: 0,
        start: false,
        root: Some(("grand", Bytes(2 * GIB))),
    };
    let content = house.content(row.id);
    let started = control.make_instance(owner, &wanted).expect("begun");
    house.succeeded(started.job);
    let target = house.volume("grand").id;
    assert!(house.read(target, 0, 1 << 20) == head);
    assert!(house.read(target, GIB - 4096, 8192) == [0; 8192]);
    house.write(target, GIB + 4096, &noise(3, 4096));

    let started = control.delete_template(owner, row.id).expect("begun");
    house.succeeded(started.job);
    assert!(house.templates().is_empty() && !house.stored(content));
}

#[test]
fn what_cannot_be_started_from_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    let mut gpt = head(false);
    gpt[446 + 4] = 0xee;
    let refused = |kind, head: &[u8], name: &str| {
        let volume = house.root_volume(name, kind, head);
        let snapshot = house.new_snapshot(volume, name);
        control
            .create_template(owner, snapshot, "m", "")
            .expect_err("refused")
    };
    let name = |name: &str| name.to_owned();
    assert_eq!(
        refused(VolumeKind::Root, &head(false), "vide"),
        Fault::NotBootable { name: name("vide") }
    );
    assert_eq!(
        refused(VolumeKind::Root, &gpt, "uefi"),
        Fault::NeedsUefi { name: name("uefi") }
    );
    assert_eq!(
        refused(VolumeKind::Data, &head(true), "donnees"),
        Fault::NotARootVolume {
            name: name("donnees")
        }
    );
    let root = house.root_volume("r", VolumeKind::Root, &head(true));
    let snapshot = house.new_snapshot(root, "r");
    let create = |name: &str, text: &str| control.create_template(owner, snapshot, name, text);
    assert_eq!(create(" ", ""), Err(Fault::NameEmpty));
    assert_eq!(
        create("m", &"é".repeat(501)),
        Err(Fault::TextTooLong { max: 500 })
    );
    assert!(house.templates().is_empty(), "nothing is left of a refusal");
    house.succeeded(create("m", &"é".repeat(500)).expect("begun").job);
    assert_eq!(create("M", ""), Err(Fault::NameTaken { name: name("M") }));

    let stranger = caller(control, "owner@them");
    let viewer = caller(control, "viewer@us");
    let template = house.template().id;
    let gone = |what| Fault::NotFound { what };
    assert_eq!(
        control.create_template(&stranger, snapshot, "", ""),
        Err(gone(Noun::Snapshot))
    );
    assert_eq!(
        control.delete_template(&stranger, template),
        Err(gone(Noun::Template))
    );
    assert_eq!(
        control.template_deletion(&stranger, template),
        Err(gone(Noun::Template))
    );
    assert_eq!(control.list_templates(&stranger, 1).expect("none").total, 0);
    assert_eq!(
        control.delete_template(&viewer, template),
        Err(Fault::NotAllowed)
    );
}

#[test]
fn an_image_becomes_a_template_and_leaves_nothing_in_a_pool() {
    if no_importer() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let head = head(true);
    let job = house
        .import("Compteur", |path| qcow2(path, &head))
        .expect("begun");
    house.succeeded(job);
    let row = house.template();
    assert_eq!(
        (row.state, row.size),
        (TemplateState::Ready, Bytes(64 << 20))
    );
    assert_eq!(
        (row.data, row.origin.as_str()),
        (Some(Bytes(1 << 20)), "compteur.qcow2")
    );
    assert_eq!((house.in_pools(), house.uploads()), (0, 0));
    assert!(house.volumes().is_empty() && house.snapshots().is_empty());
    let mut read = vec![0; 1 << 20];
    let archive = house.control.core.archive.get().expect("an archive");
    archive
        .read_head(house.organization(), house.content(row.id), &mut read)
        .expect("read");
    assert!(read == head);
}

#[test]
fn an_image_that_cannot_be_started_leaves_its_reason_alone() {
    if no_importer() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let job = house
        .import("Vide", |path| qcow2(path, &head(false)))
        .expect("begun");
    let reason = Fault::NotBootable {
        name: "compteur.qcow2".to_owned(),
    };
    assert_eq!(house.failed(job), reason);
    let row = house.template();
    assert_eq!(
        (row.state, row.fault),
        (TemplateState::Failed, Some(reason))
    );
    assert_eq!((house.in_pools(), house.uploads()), (0, 0));
    assert!(!house.stored(house.content(row.id)));
    let started = house
        .control
        .delete_template(&house.owner, row.id)
        .expect("begun");
    house.succeeded(started.job);
    assert!(house.templates().is_empty());
    // What is no image at all is refused before there is a template.
    let refused = house.import("Rien", |path| {
        std::fs::write(path, "rien du tout").expect("written")
    });
    assert_eq!(refused, Err(Fault::NotADiskImage));
    assert!(house.templates().is_empty());
}

#[test]
fn i16_an_import_that_was_cut_off_goes_on_and_its_work_volume_is_not_set_apart() {
    if no_importer() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let head = head(true);
    let job = {
        let house = House::open(folder.path());
        // The first steps are done here, by hand, as if the process had ended then.
        house.control.stop();
        let id = house
            .import("Compteur", |path| qcow2(path, &head))
            .expect("asked");
        let job = house.control.catalog().job(id);
        let job = job.expect("an answer").expect("the job");
        let work = Tasks::new(Arc::clone(&house.control.core));
        for step in ["check-image", "make-work", "convert"] {
            work.step(&job, step, &mut Alone).expect(step);
        }
        assert_eq!(house.in_pools(), 1);
        id
    };
    let house = House::open(folder.path());
    assert_eq!(house.control.quarantine().expect("an answer"), []);
    house.succeeded(job);
    let row = house.template();
    assert_eq!(row.state, TemplateState::Ready);
    assert_eq!((house.in_pools(), house.uploads()), (0, 0));
}

#[test]
fn i16_an_import_that_is_undone_takes_everything_with_it() {
    if no_importer() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    house.control.stop();
    let id = house
        .import("Compteur", |path| qcow2(path, &head(true)))
        .expect("asked");
    let job = house.control.catalog().job(id);
    let job = job.expect("an answer").expect("the job");
    let work = Tasks::new(Arc::clone(&house.control.core));
    let content = house.content(job.subject.parse().expect("an id"));
    for step in ["make-work", "convert", "check-disk", "store", "store"] {
        work.step(&job, step, &mut Alone).expect(step);
    }
    assert!(house.stored(content));
    // Twice: a crash between is a step done again.
    for step in ["drop-content", "drop-work", "drop-upload"] {
        work.step(&job, step, &mut Alone).expect(step);
        work.step(&job, step, &mut Alone).expect(step);
    }
    assert!(!house.stored(content));
    assert_eq!((house.in_pools(), house.uploads()), (0, 0));
    assert_eq!(job.state, JobState::Queued);
}

#[test]
fn all_that_are_ready_can_be_chosen_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let actor = house.owner.actor.as_ref().expect("a member");
    let catalog = house.control.catalog();
    // More than a page has, of which every seventh is not made yet.
    let written = catalog.write(|tx| {
        for number in (0..70).map(|at| at * 37 % 70) {
            let (name, origin) = (format!("template {number:02}"), String::new());
            let new = house
                .control
                .new_template(actor, &name, String::new(), Bytes(GIB), origin);
            insert_template(tx, &new)?;
            if number % 7 > 0 {
                let (from, to) = (TemplateState::Creating, TemplateState::Ready);
                move_template(tx, new.id, from, to, None)?;
            }
        }
        Ok::<_, crate::catalog::Error>(())
    });
    written.expect("written");
    let ready = house
        .control
        .ready_templates(&house.owner)
        .expect("the templates");
    let names: Vec<_> = ready.into_iter().map(|row| row.name).collect();
    let expected = (0..70).filter(|number| number % 7 > 0);
    let expected: Vec<_> = expected
        .map(|number| format!("template {number:02}"))
        .collect();
    assert_eq!(names, expected);
    let stranger = caller(&house.control, "owner@them");
    assert_eq!(house.control.ready_templates(&stranger), Ok(Vec::new()));
}
