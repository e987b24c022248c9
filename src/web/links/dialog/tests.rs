//! A dialog's address names it and what it is about, and nothing else of the page goes with it.

use super::super::instance_volumes;
use super::super::tests::query;
use super::*;

#[test]
fn an_address_names_one_dialog_and_one_object_above_any_page() {
    let volume = VolumeId::from_bytes([7; 16]);
    let snapshot = SnapshotId::from_bytes([9; 16]);
    let template = TemplateId::from_bytes([3; 16]);
    let instance = InstanceId::from_bytes([4; 16]);
    let point = PointId::from_bytes([5; 16]);
    for dialog in [
        Dialog::TakeSnapshot(volume),
        Dialog::CreateVolume,
        Dialog::Import,
        Dialog::DeleteVolume(volume),
        Dialog::Restore(snapshot),
        Dialog::DeleteSnapshot(snapshot),
        Dialog::CreateTemplate(snapshot),
        Dialog::VerifySnapshot(snapshot),
        Dialog::ImportTemplate,
        Dialog::DeleteTemplate(template),
        Dialog::CreateInstance,
        Dialog::Start(instance),
        Dialog::Stop(instance),
        Dialog::ForceStop(instance),
        Dialog::Reboot(instance),
        Dialog::DeleteInstance(instance),
        Dialog::Attach(instance),
        Dialog::Detach(instance, volume),
        Dialog::CreatePoint(instance),
        Dialog::RenamePoint(instance, point),
        Dialog::DeletePoint(instance, point),
        Dialog::DeleteBranch(instance, point),
        Dialog::VolumeFromPoint(instance, point),
        Dialog::TemplateFromPoint(instance, point),
        Dialog::Rollback(instance, point),
        Dialog::Undo(instance, point),
    ] {
        for here in ["/volumes", "/volumes?page=3&find=a%20b", "/"] {
            let href = dialog.on(here);
            assert_eq!(Dialog::of(&query(&href)), Some(dialog), "{href}");
            let (path, rest) = href.split_once('?').expect("a query");
            assert_eq!(below(path, rest), here);
        }
    }
    for wrong in [
        "/volumes?dialog=take-snapshot",
        "/volumes?dialog=delete-volume&volume=../x",
        "/volumes?dialog=undo&instance=x",
        "/volumes?dialog=unknown",
        "/volumes",
    ] {
        assert_eq!(Dialog::of(&query(wrong)), None, "{wrong}");
    }
}

#[test]
fn several_objects_have_one_dialog() {
    let ids = [[1; 16], [2; 16]].map(|id| VolumeId::from_bytes(id).to_string());
    for (act, _) in SEVERAL {
        let two = on_several(act, &ids, "/x?page=2");
        assert_eq!(Dialog::of(&query(&two)), Some(Dialog::Several(act)));
        assert_eq!(
            below("/x", two.split_once('?').expect("a query").1),
            "/x?page=2"
        );
    }
    let one = on_several(SeveralAct::DeleteVolumes, &ids[..1], "/volumes");
    let volume = VolumeId::from_bytes([1; 16]);
    assert_eq!(Dialog::of(&query(&one)), Some(Dialog::DeleteVolume(volume)));
}

#[test]
fn a_page_of_what_is_gone_leads_to_its_list() {
    let id = VolumeId::from_bytes([7; 16]);
    let delete = Dialog::DeleteVolume(id);
    assert_eq!(delete.after(&volume(id)), VOLUMES);
    assert_eq!(delete.after("/volumes?page=2"), "/volumes?page=2");
    assert_eq!(Dialog::TakeSnapshot(id).after(&volume(id)), volume(id));
    let other = volume(VolumeId::from_bytes([8; 16]));
    assert_eq!(delete.after(&other), other);
    let (machine, point) = (
        InstanceId::from_bytes([4; 16]),
        PointId::from_bytes([5; 16]),
    );
    assert_eq!(
        Dialog::DeleteInstance(machine).after(&instance_volumes(machine)),
        INSTANCES
    );
    assert_eq!(
        Dialog::DeletePoint(machine, point).after(&points(machine, Some(point))),
        points(machine, None)
    );
}

#[test]
fn a_plain_form_closes_its_dialog_and_says_what_was_done() {
    let id = VolumeId::from_bytes([7; 16]);
    assert_eq!(
        after_form(&format!(
            "http://h/volumes?page=2&dialog=take-snapshot&volume={id}"
        )),
        Some("http://h/volumes?page=2&done=take-snapshot".to_owned())
    );
    assert_eq!(
        after_form(&format!("/volumes/{id}?dialog=delete-volume&volume={id}")),
        Some("/volumes?done=delete-volume".to_owned())
    );
    assert_eq!(
        after_form(&format!(
            "/volumes?dialog=delete-volume&volume={id}&volume={id}"
        )),
        Some("/volumes?done=several".to_owned())
    );
    let refused = format!("http://h/volumes?dialog=take-snapshot&volume={id}&__path=x&__err=y");
    assert_eq!(after_form(&refused), None);
    assert_eq!(after_form("http://h/volumes?page=2"), None);
    assert_eq!(after_form("http://h/volumes"), None);
}
