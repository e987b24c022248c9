//! What the real routes answer: to bad input, as pages, to plain forms.

use super::super::config::{Flags, Settings};
use super::{ORIGIN, TABLE, house};
use crate::control::Control;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_never_a_500() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let wrong = [
        "",
        "page=-1",
        "page=99999999999",
        "page=abc",
        "volume=..",
        "volume=%00",
        "snapshot=",
        "job=x&job=y",
        "%%%",
        "name=&zone=&size_gib=",
        "name=a&zone=00000000-0000-0000-0000-000000000000&size_gib=1",
        "name=a&zone=x&size_gib=18446744073709551615",
    ];
    for (path, _) in TABLE {
        for arguments in wrong {
            let (status, body) = house.call(&owner, path, arguments).await;
            assert!(
                !status.is_server_error(),
                "{path}?{arguments}: {status} {body}"
            );
        }
    }
    for path in [
        "/volumes?page=abc",
        "/volumes?dialog=%00&volume=x",
        "/nothing-here",
        "/api/nothing",
        "/%ff",
        "/snapshots?page=-1",
        "/..%2f..%2fetc/passwd",
    ] {
        let request = Request::get(path)
            .header(header::HOST, "reprise.test")
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, owner.0.clone().expect("a session"));
        let answer = house
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        assert!(
            !answer.status().is_server_error(),
            "{path}: {}",
            answer.status()
        );
    }
}

#[test]
fn a_region_keeps_its_name_and_zones_where_the_settings_name_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = |flags| {
        let settings = Settings::load(flags).expect("the defaults");
        let control =
            Control::open(super::super::region(&settings, folder.path())).expect("a region");
        control.stop();
        let zones: Vec<_> = control
            .zone_doors()
            .into_iter()
            .map(|door| (door.id, door.name))
            .collect();
        assert_eq!(zones.len(), 2);
        zones
    };
    let first = names(Flags {
        demo: true,
        ..Flags::default()
    });
    assert_eq!(names(Flags::default()), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_has_its_policy_and_its_language() {
    let house = house();
    for (language, tag, word) in [
        ("fr", "fr-CA", "Se connecter"),
        ("en-GB", "en-CA", "Sign in"),
    ] {
        let request = Request::get("/sign-in")
            .header(header::HOST, "reprise.test")
            .header(header::ACCEPT_LANGUAGE, language);
        let answer = house
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_LANGUAGE], tag);
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .expect("text")
            .to_owned();
        assert!(
            policy.contains("'nonce-") && !policy.contains("unsafe-inline"),
            "{policy}"
        );
        let page = String::from_utf8(
            to_bytes(answer.into_body(), 1 << 20)
                .await
                .expect("a body")
                .to_vec(),
        )
        .expect("UTF-8");
        assert!(
            page.contains(word) && page.contains(&format!("lang=\"{tag}\"")),
            "{page}"
        );
        assert!(
            !page.contains("style=\""),
            "an inline style would be refused by the policy"
        );
        assert!(!page.contains("No localization for id") && !page.contains('\u{2068}'));
    }
}

/// The colours are in the first byte: no script changes them after the page was painted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_theme_that_was_chosen_is_written_into_the_page() {
    let house = house();
    let choose = async |theme: &str| {
        let form = format!("theme={theme}&back=/volumes?page=2");
        let request = Request::post("/theme")
            .header(header::HOST, "reprise.test")
            .header(header::ORIGIN, ORIGIN)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = house
            .send(request.body(Body::from(form)).expect("a request"))
            .await;
        assert_eq!(answer.headers()[header::LOCATION], "/volumes?page=2");
        let cookie = answer.headers().get(header::SET_COOKIE)?;
        let cookie = cookie.to_str().expect("text");
        Some(cookie.split(';').next().expect("a pair").to_owned())
    };
    let page = async |cookie: &str| {
        let request = Request::get("/sign-in")
            .header(header::HOST, "reprise.test")
            .header(header::COOKIE, cookie);
        let answer = house
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        let page = String::from_utf8(body.to_vec()).expect("UTF-8");
        page.split_once("</head>").expect("a head").0.to_owned()
    };
    for theme in ["light", "dark"] {
        let head = page(&choose(theme).await.expect("a cookie")).await;
        assert!(head.contains(&format!("data-theme=\"{theme}\"")), "{head}");
        assert!(
            head.contains(&format!("name=\"color-scheme\" content=\"{theme}\"")),
            "{head}"
        );
        assert_eq!(head.matches("\"theme-color\"").count(), 1, "{head}");
    }
    for cookie in [
        choose("system").await.expect("a cookie"),
        "reprise_theme=pink".to_owned(),
    ] {
        let head = page(&cookie).await;
        assert!(!head.contains("data-theme"), "{head}");
        assert_eq!(head.matches("prefers-color-scheme").count(), 2, "{head}");
    }
    assert_eq!(choose("pink").await, None, "what is no theme is not kept");
}

/// A page that is made twice asks twice, and carries answers that may not be those it shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_asks_each_question_once() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    // Who is signed in, the tasks, and the page's own list; a dialog's plan beside them.
    for (path, answers) in [
        ("/volumes", 3),
        ("/snapshots", 3),
        ("/activity", 3),
        (
            "/volumes?dialog=take-snapshot&volume=00000000-0000-0000-0000-000000000000",
            4,
        ),
    ] {
        let request = Request::get(path)
            .header(header::HOST, "reprise.test")
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, owner.0.clone().expect("a session"));
        let answer = house
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        let page = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        let page = String::from_utf8(page.to_vec()).expect("UTF-8");
        let carried = page.matches("__RESOLVED_RESOURCES[").count();
        assert_eq!(carried, answers, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_one_time_password_opens_only_the_page_that_replaces_it() {
    let house = house();
    let fresh = house.sign_in("new@fresh").await;
    let form = |body: &'static str| {
        Request::post("/password")
            .header(header::ORIGIN, ORIGIN)
            .header(header::HOST, "reprise.test")
            .header(header::COOKIE, fresh.0.clone().expect("a session"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .expect("a request")
    };
    for (body, fault) in [
        ("password=short&again=short", "password-too-short"),
        (
            "password=long+enough+to+do&again=long+enough+to+dp",
            "passwords-differ",
        ),
    ] {
        let answer = house.send(form(body)).await;
        let back = answer.headers()[header::LOCATION].to_str().expect("text");
        assert!(
            back.starts_with("/password?fault=") && back.contains(fault),
            "{back}"
        );
        assert_eq!(
            house.call(&fresh, "/api/session/get", "").await.0,
            StatusCode::UNAUTHORIZED
        );
    }
    let answer = house
        .send(form("password=long+enough+to+do&again=long+enough+to+do"))
        .await;
    assert_eq!(answer.headers()[header::LOCATION], "/");
    assert_eq!(
        house.call(&fresh, "/api/session/get", "").await.0,
        StatusCode::OK
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_form_closes_its_dialog_or_brings_its_refusal_back() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let zone = house.zone(&owner).await;
    let form = |name: &str| {
        Request::post("/api/volumes/create")
            .header(header::ORIGIN, ORIGIN)
            .header(header::HOST, "reprise.test")
            .header(header::COOKIE, owner.0.clone().expect("a session"))
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header(
                header::REFERER,
                format!("{ORIGIN}/volumes?dialog=create-volume&page=2"),
            )
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("name={name}&zone={zone}&size_gib=1")))
            .expect("a request")
    };
    let answer = house.send(form("one")).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(
        answer.headers()[header::LOCATION],
        format!("{ORIGIN}/volumes?page=2&done=create-volume")
    );
    let answer = house.send(form("one")).await;
    assert_eq!(
        answer.status(),
        StatusCode::FOUND,
        "a redirect, whatever the fault"
    );
    let back = answer.headers()[header::LOCATION].to_str().expect("text");
    assert!(
        back.contains("dialog=create-volume") && back.contains("__err="),
        "{back}"
    );

    // What was typed is there again, for who typed it, and stands in no address.
    let answer = house.send(form("one%20%22%3Cb%3E&zone=x")).await;
    let back = answer.headers()[header::LOCATION].to_str().expect("text");
    assert!(back.contains("&kept=") && !back.contains("one"), "{back}");
    let typed = "value=\"one &quot;&lt;b&gt;\"";
    let page = async |visitor: &super::Visitor| {
        let request = Request::get(back.trim_start_matches(ORIGIN))
            .header(header::HOST, "reprise.test")
            .header(header::COOKIE, visitor.0.clone().expect("a session"));
        let answer = house
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        String::from_utf8(body.to_vec()).expect("UTF-8")
    };
    let own = page(&owner).await;
    assert!(own.contains(typed), "{own}");
    let editor = house.sign_in("editor@us").await;
    assert!(!page(&editor).await.contains(typed));
}
