//! What a page of a list costs, and what it shows.

use super::house::House;
use crate::catalog::ASKED;
use crate::catalog::jobs::{NewJob, insert_job};
use crate::catalog::snapshots::{Held, Snapshot, insert_snapshot};
use crate::catalog::volumes::{Volume, insert_volume};
use crate::domain::id::{CheckpointId, JobId, SnapshotId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::view::PAGE_ROWS;

/// What `list` asks of SQLite.
pub(super) fn asked<T>(list: impl FnOnce() -> T) -> u64 {
    let before = ASKED.with(std::cell::Cell::get);
    list();
    ASKED.with(std::cell::Cell::get) - before
}

fn fill(house: &House, from: u32, to: u32) {
    let now = house.control.now_ms();
    for number in from..to {
        let volume = Volume {
            id: VolumeId::new(),
            organization: house.organization(),
            zone: house.zones[0],
            name: format!("volume {number}"),
            kind: VolumeKind::Data,
            size: Bytes(1 << 30),
            state: VolumeState::Failed,
            fault: None,
            created: now + i64::from(number),
            instance: None,
            slot: None,
        };
        let snapshot = Snapshot {
            id: SnapshotId::new(),
            organization: volume.organization,
            zone: Some(volume.zone),
            place: None,
            volume: volume.id,
            volume_name: volume.name.clone(),
            kind: volume.kind,
            size: volume.size,
            name: format!("copie {number}"),
            state: SnapshotState::Failed,
            fault: None,
            checkpoint: CheckpointId::new(),
            held: Held::NotYet,
            taken: now + i64::from(number),
            verified: None,
            data: None,
            base: None,
        };
        let job = NewJob {
            id: JobId::new(),
            organization: volume.organization,
            kind: JobKind::DeleteVolume,
            // Of a kind that nobody takes up while the runner stands still.
            subject: volume.id.to_string(),
            subject_name: &volume.name,
            source: None,
            args: "{}".to_owned(),
            total: None,
            asked_by: None,
        };
        let written = house.control.catalog().write(|tx| {
            insert_volume(tx, &volume)?;
            insert_snapshot(tx, &snapshot)?;
            insert_job(tx, &job, now)
        });
        written
            .map_err(|error: crate::catalog::Error| error)
            .expect("written");
    }
}

#[test]
fn a_page_asks_the_catalog_the_same_whatever_the_number_of_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    let (control, owner) = (&house.control, &house.owner);
    // The workers would take the jobs up; the lists do not need them.
    control.stop();
    let costs = || {
        [
            asked(|| control.list_volumes(owner, 1).expect("a page")),
            asked(|| control.list_snapshots(owner, 1).expect("a page")),
            asked(|| control.list_activity(owner, 1).expect("a page")),
            asked(|| control.current_jobs(owner).expect("a list")),
            asked(|| control.session(owner).expect("a session")),
        ]
    };
    fill(&house, 0, 1);
    costs();
    let few = costs();
    fill(&house, 1, 120);
    assert_eq!(costs(), few, "volumes, snapshots, activity, tasks, session");
    assert!(few.iter().all(|asked| *asked <= 6), "{few:?}");

    let page = control.list_volumes(owner, 2).expect("a page");
    assert_eq!(
        (page.rows.len(), page.total, page.page, page.pages),
        (PAGE_ROWS as usize, 120, 2, 3)
    );
    assert_eq!(page.rows[0].name, "volume 69", "newest first");
    assert_eq!(
        control
            .list_snapshots(owner, 99)
            .expect("a page")
            .rows
            .last()
            .map(|row| row.name.clone())
            .as_deref(),
        Some("copie 0")
    );
    assert_eq!(control.current_jobs(owner).expect("a list").len(), 100);
}
