//! An import that is told to stop while `qemu-img` writes.

use super::super::{ImportRequest, image, tasks};
use super::house::{House, noise};
use crate::domain::volume::VolumeKind;
use crate::jobs::{Failure, Watch, Work};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Says "stop" at the first question.
struct Stop;

impl Watch for Stop {
    fn total(&mut self, _: u64) {}

    fn done(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

#[test]
fn an_import_that_is_stopped_ends_its_tool_and_gives_the_volume_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    if !image::importer_is_there() {
        eprintln!("SKIPPED: qemu-img is not installed, stopping an import is not tested");
        return;
    }
    // The steps are done here, by hand.
    house.control.stop();
    let (control, owner, zone) = (&house.control, &house.owner, house.zones[0]);
    let slot = control
        .upload_check(owner, "v", zone, VolumeKind::Data, None)
        .expect("a place");
    std::fs::write(&slot.path, noise(1, 32 << 20)).expect("uploaded");
    let (name, file) = ("v".to_owned(), slot.path);
    let request = ImportRequest {
        name,
        zone,
        kind: VolumeKind::Data,
        file,
        file_name: "v.raw".to_owned(),
    };
    let started = control.import_volume(owner, request).expect("asked");
    let job = control
        .catalog()
        .job(started.job)
        .expect("an answer")
        .expect("the job");
    let work = tasks::Tasks::new(Arc::clone(&control.core));
    work.step(&job, "make-volume", &mut Stop).expect("made");
    assert_eq!(work.step(&job, "convert", &mut Stop), Err(Failure::Stopped));
    // Nobody holds the volume any more, and nothing listens for more of the image.
    work.step(&job, "drop-volume", &mut Stop)
        .expect("the volume is free");
    let sockets = std::fs::read_dir(folder.path().join("run")).expect("a folder");
    assert_eq!(sockets.count(), 0);
}
