//! The recovery kit through the console: who gets it, what it opens, and who is reminded of it.

use super::super::bucket;
use super::super::config::Place;
use super::super::keys;
use super::{House, ORIGIN, Visitor, house};
use crate::archive::Kit;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use std::path::Path;

const WORDS: &str = "cheval agrafe pile correcte";

pub(super) async fn post(
    house: &House,
    visitor: &Visitor,
    path: &str,
    form: &str,
) -> Response<Body> {
    let mut request = Request::post(path)
        .header(header::ORIGIN, ORIGIN)
        .header(header::HOST, "reprise.test")
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Visitor(Some(cookie)) = visitor {
        request = request.header(header::COOKIE, cookie);
    }
    let request = request.body(Body::from(form.to_owned()));
    house.send(request.expect("a request")).await
}

pub(super) async fn text(answer: Response<Body>) -> String {
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn form(passphrase: &str, again: &str) -> String {
    let plus = |text: &str| text.replace(' ', "+");
    format!("passphrase={}&again={}", plus(passphrase), plus(again))
}

/// Whether a page of this visitor's reminds of the kit.
async fn is_reminded(house: &House, visitor: &Visitor, later: bool) -> bool {
    let mut cookie = visitor.0.clone().expect("a session");
    if later {
        cookie.push_str("; reprise_kit_later=1");
    }
    let request = Request::get("/volumes")
        .header(header::HOST, "reprise.test")
        .header(header::ACCEPT, "text/html")
        .header(header::COOKIE, cookie);
    let answer = house
        .send(request.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    text(answer).await.contains("action=\"/kit/later\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i15_the_kit_is_for_owners_and_of_their_organization_alone() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let them = house.sign_in("owner@them").await;
    house.snapshot(&owner, "ours").await;
    house.snapshot(&them, "theirs").await;
    let words = form(WORDS, WORDS);
    for (visitor, status) in [
        (house.sign_in("editor@us").await, StatusCode::FORBIDDEN),
        (house.sign_in("viewer@us").await, StatusCode::FORBIDDEN),
        // To the door, and back.
        (house.sign_in("new@fresh").await, StatusCode::SEE_OTHER),
        (Visitor(None), StatusCode::SEE_OTHER),
    ] {
        let answer = post(&house, &visitor, "/kit", &words).await;
        assert_eq!(answer.status(), status);
        let to = answer.headers().get(header::LOCATION);
        assert!(to.is_none_or(|to| to == "/sign-in?next=/kit"), "{to:?}");
        assert!(!text(answer).await.contains("# Reprise"));
    }
    let answer = post(&house, &owner, "/kit", &words).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(
        answer.headers()[header::CONTENT_TYPE],
        "text/plain; charset=utf-8"
    );
    let disposition = answer.headers()[header::CONTENT_DISPOSITION]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(
        disposition.starts_with("attachment; filename=\"reprise-trousse-us-2"),
        "{disposition}"
    );
    let ours = Kit::open(&text(answer).await, WORDS).expect("a kit");
    let theirs = text(post(&house, &them, "/kit", &words).await).await;
    let theirs = Kit::open(&theirs, WORDS).expect("a kit");
    let names = |kit: &Kit| {
        let all = kit.organizations().iter().map(|one| one.name.clone());
        all.collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&ours), names(&theirs)),
        (vec!["Us".to_owned()], vec!["Them".to_owned()])
    );
    assert_ne!(ours.organizations()[0].id, theirs.organizations()[0].id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_is_reminded_until_the_kit_is_saved() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let editor = house.sign_in("editor@us").await;
    assert!(
        !is_reminded(&house, &owner, false).await,
        "there is nothing to lose yet"
    );
    house.snapshot(&owner, "ours").await;
    assert!(is_reminded(&house, &owner, false).await);
    assert!(!is_reminded(&house, &editor, false).await);
    // Put off, until one signs in again; back to the page one came from, and to no other site's.
    let answer = post(&house, &owner, "/kit/later", "back=/volumes?page=1").await;
    assert_eq!(answer.headers()[header::LOCATION], "/volumes?page=1");
    let cookie = answer.headers()[header::SET_COOKIE].to_str().expect("text");
    assert!(
        cookie.starts_with("reprise_kit_later=1;") && !cookie.contains("Max-Age"),
        "{cookie}"
    );
    let answer = post(&house, &owner, "/kit/later", "back=//evil.example").await;
    assert_eq!(answer.headers()[header::LOCATION], "/");
    assert!(!is_reminded(&house, &owner, true).await);

    // What is refused is told, without the passphrase, and counts for nothing.
    for (form, code) in [
        (form("trop court", "trop court"), "passphrase-too-short"),
        (form(WORDS, "cheval agrafe"), "passphrases-differ"),
        (String::new(), "passphrase-too-short"),
        (form(&"x".repeat(2000), &"x".repeat(2000)), "bad-request"),
    ] {
        let answer = post(&house, &owner, "/kit", &form).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let to = answer.headers()[header::LOCATION].to_str().expect("text");
        assert!(to.starts_with("/kit?fault=") && to.contains(code), "{to}");
        assert!(!to.contains("agrafe") && !to.contains("trop"), "{to}");
    }
    assert!(is_reminded(&house, &owner, false).await);
    let (_, state) = house.call(&owner, "/api/session/kit", "").await;
    assert_eq!(
        (state["due"].as_bool(), &state["saved"]),
        (Some(true), &serde_json::Value::Null)
    );

    let answer = post(&house, &owner, "/kit", &form(WORDS, WORDS)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!is_reminded(&house, &owner, false).await);
    let (_, state) = house.call(&owner, "/api/session/kit", "").await;
    assert_eq!(state["due"], false);
    assert_eq!(state["saved"][1], "Somebody");
    let (_, log) = house.call(&owner, "/api/activity/list", "page=1").await;
    assert_eq!(log["rows"][0]["act"], "save-kit");
    assert!(!log.to_string().contains("agrafe"), "{log}");
}

/// From the console to a machine that has nothing but the object store: the kit is downloaded, and there it opens the
/// snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i11_what_the_downloaded_kit_opens_is_the_organizations_snapshots() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let them = house.sign_in("owner@them").await;
    let volume = house.volume(&owner, "disk").await;
    for door in house.control.zone_doors() {
        if let Ok(export) = door.exports.open(&volume) {
            export
                .device
                .write_at(4096, &[7; 4096], false)
                .expect("written");
            export.device.flush().expect("flushed");
        }
    }
    let (status, answer) = house
        .call(
            &owner,
            "/api/volumes/take-snapshot",
            &format!("volume={volume}&name=ours"),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let ours = house
        .settled(
            &owner,
            "/api/snapshots/list",
            "ours",
            &["saved", "verified"],
        )
        .await;
    let theirs = house.snapshot(&them, "theirs").await;
    let kit = text(post(&house, &owner, "/kit", &form(WORDS, WORDS)).await).await;

    let elsewhere = tempfile::tempdir().expect("a folder");
    let there = elsewhere.path();
    std::fs::write(there.join("kit.txt"), kit).expect("the kit");
    std::fs::write(there.join("words"), WORDS).expect("the passphrase");
    copy(
        &house._folder.path().join("archive/objects"),
        &there.join("store/objects"),
    );
    drop(house);
    let mut flags = Place {
        data: Some(there.join("data")),
        ..Place::default()
    };
    flags.archive.store = Some(there.join("store").display().to_string());
    let to = there.join("restored.raw");
    let restore = |snapshot: &str| bucket::Act::Restore {
        snapshot: snapshot.parse().expect("an id"),
        to: to.clone(),
        flags: flags.clone(),
    };
    tokio::task::block_in_place(|| {
        assert!(
            restore(&ours).run().is_err(),
            "without the kit nobody reads it"
        );
        keys::Act::Import {
            file: there.join("kit.txt"),
            passphrase_file: Some(there.join("words")),
            flags: flags.clone(),
        }
        .run()
        .expect("imported");
        assert!(
            restore(&theirs).run().is_err(),
            "the kit is of one organization"
        );
        assert!(restore(&ours).run().expect("restored"));
    });
    let restored = std::fs::read(&to).expect("the image");
    assert_eq!(restored.len(), 1 << 30);
    assert!(restored[..4096].iter().all(|byte| *byte == 0));
    assert!(restored[4096..8192].iter().all(|byte| *byte == 7));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("copied");
        }
    }
}
