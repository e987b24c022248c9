//! Profile, organization and invitations through their forms: who may send them, from where, and what the answers show.

use super::kit::{post, text};
use super::{House, Visitor, house};
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use serde_json::Value;

const PASSWORD: &str = "cheval+agrafe+pile";

async fn open(house: &House, cookie: &str, path: &str) -> Response<Body> {
    let request = Request::get(path)
        .header(header::HOST, "reprise.test")
        .header(header::ACCEPT, "text/html")
        .header(header::COOKIE, cookie);
    house
        .send(request.body(Body::empty()).expect("a request"))
        .await
}

fn location(answer: &Response<Body>) -> String {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let to = answer.headers()[header::LOCATION].to_str().expect("text");
    to.to_owned()
}

/// The value of a cookie that the answer sets, with its attributes.
fn set(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::SET_COOKIE).iter();
    all.filter_map(|cookie| cookie.to_str().ok())
        .find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))
        .map(str::to_owned)
}

async fn organization(house: &House, visitor: &Visitor) -> Value {
    let (status, body) = house.call(visitor, "/api/session/organization", "").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

fn id_of(organization: &Value, list: &str, email: &str) -> String {
    let rows = organization[list].as_array().expect("a list");
    let row = rows.iter().find(|row| row["email"] == email);
    row.expect("a row")["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

/// Invites, and follows the answer as a browser does; the link's token.
async fn invited(house: &House, owner: &Visitor, email: &str, role: &str) -> String {
    let form = format!("email={email}&role={role}");
    let answer = post(house, owner, "/organization/invite", &form).await;
    assert_eq!(location(&answer), "/organization?done=invited");
    let cookie = set(answer.headers(), "reprise_invitation").expect("the link");
    assert!(
        cookie.contains("Path=/organization;") && cookie.contains("HttpOnly"),
        "{cookie}"
    );
    let value = cookie.split(';').next().expect("a value").to_owned();
    let cookies = format!(
        "{}; reprise_invitation={value}",
        owner.0.as_ref().expect("a session")
    );
    let answer = open(house, &cookies, "/organization?done=invited").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(
        set(answer.headers(), "reprise_invitation").is_some_and(|gone| gone.contains("Max-Age=0")),
        "it is shown once"
    );
    let page = text(answer).await;
    let (_, token) = page
        .split_once("value=\"http://reprise.test/join/")
        .expect("the link");
    token.split('"').next().expect("a token").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i15_forms_about_members_are_for_owners_and_of_their_organization_alone() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let stranger = house.sign_in("owner@them").await;
    let editor = house.sign_in("editor@us").await;
    let viewer = house.sign_in("viewer@us").await;
    invited(&house, &owner, "new@us", "viewer").await;
    let ours = organization(&house, &owner).await;
    let theirs = organization(&house, &stranger).await;
    assert!(!theirs.to_string().contains("@us"), "{theirs}");
    let member = id_of(&ours, "members", "editor@us");
    let invitation = id_of(&ours, "invitations", "new@us");
    let forms = [
        (
            "/organization/invite",
            "email=x@us&role=owner".to_owned(),
            "not-allowed",
        ),
        (
            "/organization/withdraw",
            format!("invitation={invitation}"),
            "not-found",
        ),
        (
            "/organization/role",
            format!("member={member}&role=owner"),
            "not-found",
        ),
        (
            "/organization/remove",
            format!("member={member}&sure=true"),
            "not-found",
        ),
    ];
    for (path, form, as_stranger) in &forms {
        for (who, visitor) in [("viewer", &viewer), ("editor", &editor)] {
            // The editor may leave: that is another form's test.
            if *path == "/organization/remove" && who == "editor" {
                continue;
            }
            let to = location(&post(&house, visitor, path, form).await);
            assert!(
                to.contains("fault=") && to.contains("not-allowed"),
                "{path} as {who}: {to}"
            );
        }
        for visitor in [Visitor(None), house.sign_in("new@fresh").await] {
            let to = location(&post(&house, &visitor, path, form).await);
            assert!(to.starts_with("/sign-in?next="), "{path}: {to}");
        }
        let to = location(&post(&house, &stranger, path, form).await);
        if *path == "/organization/invite" {
            assert_eq!(to, "/organization?done=invited", "into their own");
        } else {
            assert!(to.contains(as_stranger), "{path} as a stranger: {to}");
        }
    }
    assert_eq!(
        organization(&house, &owner).await,
        ours,
        "nothing has changed"
    );

    // Whoever sends them from elsewhere is refused with a good session, too.
    for path in ["/organization/remove", "/profile/sessions", "/join"] {
        let request = Request::post(path)
            .header(header::ORIGIN, "http://evil.example")
            .header(header::HOST, "reprise.test")
            .header(header::COOKIE, owner.0.clone().expect("a session"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("member={member}&sure=true")));
        let answer = house.send(request.expect("a request")).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }

    // What is no id, no role, or was not agreed to, is told so.
    for (path, form, code) in [
        (
            "/organization/invite",
            "email=x@us&role=king",
            "bad-request",
        ),
        (
            "/organization/invite",
            "email=x&role=owner",
            "address-unreadable",
        ),
        (
            "/organization/invite",
            "email=viewer@us&role=owner",
            "address-not-free",
        ),
        (
            "/organization/invite",
            "email=owner@them&role=owner",
            "address-not-free",
        ),
        ("/organization/withdraw", "invitation=../x", "not-found"),
        ("/organization/role", "member=&role=owner", "not-found"),
        ("/organization/remove", "member=x&sure=true", "not-found"),
        ("/organization/remove", "", "not-found"),
    ] {
        let to = location(&post(&house, &owner, path, form).await);
        assert!(
            to.starts_with("/organization?fault=") && to.contains(code),
            "{path} {form}: {to}"
        );
    }
    let form = format!("member={member}");
    let to = location(&post(&house, &owner, "/organization/remove", &form).await);
    assert!(
        to.starts_with(&format!("/organization/members/{member}?fault="))
            && to.contains("not-confirmed"),
        "{to}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i15_the_link_of_an_invitation_is_shown_once_and_lets_one_in_once() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let token = invited(&house, &owner, "new@us", "editor").await;
    let page = text(
        open(
            &house,
            owner.0.as_ref().expect("a session"),
            "/organization",
        )
        .await,
    )
    .await;
    assert!(page.contains("new@us") && !page.contains(&token));

    let path = format!("/join/{token}");
    let answer = open(&house, "", &path).await;
    assert_eq!(answer.headers()[header::REFERRER_POLICY], "strict-origin");
    let page = text(answer).await;
    assert!(
        page.contains("new@us") && page.contains("action=\"/join\""),
        "{page}"
    );
    assert!(!page.contains(&format!("/api/session/{token}")));

    let form = |name: &str, again: &str| {
        format!("token={token}&name={name}&password={PASSWORD}&again={again}")
    };
    // What was typed comes back, but for passwords.
    let to = location(&post(&house, &Visitor(None), "/join", &form("Nora", "x")).await);
    assert!(
        to.starts_with(&format!("{path}?fault=")) && to.contains("passwords-differ"),
        "{to}"
    );
    assert!(to.contains("name=Nora") && !to.contains("agrafe"), "{to}");
    let answer = post(&house, &Visitor(None), "/join", &form("Nora", PASSWORD)).await;
    let session = set(answer.headers(), "reprise_session").expect("a session");
    assert_eq!(location(&answer), "/");
    let value = session.split(';').next().expect("a value");
    let new = Visitor(Some(format!("reprise_session={value}")));
    let (_, who) = house.call(&new, "/api/session/get", "").await;
    assert_eq!(
        (
            who["email"].as_str(),
            who["role"].as_str(),
            who["organization"].as_str()
        ),
        (Some("new@us"), Some("editor"), Some("Us"))
    );

    // Used, withdrawn, replaced, unknown, cut off: one and the same page.
    let replaced = invited(&house, &owner, "again@us", "viewer").await;
    let withdrawn = invited(&house, &owner, "again@us", "viewer").await;
    let ours = organization(&house, &owner).await;
    let id = id_of(&ours, "invitations", "again@us");
    let to = post(
        &house,
        &owner,
        "/organization/withdraw",
        &format!("invitation={id}"),
    )
    .await;
    assert_eq!(location(&to), "/organization?done=withdrawn");
    let unknown = "1".repeat(64);
    let mut pages = Vec::new();
    for link in [token.as_str(), &replaced, &withdrawn, &unknown, "x", "-"] {
        let form = format!("token={link}&name=N&password={PASSWORD}&again={PASSWORD}");
        let answer = post(&house, &Visitor(None), "/join", &form).await;
        assert!(set(answer.headers(), "reprise_session").is_none(), "{link}");
        assert!(
            location(&answer).contains("invitation-not-usable"),
            "{link}"
        );
        let answer = open(&house, "", &format!("/join/{link}")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let page = text(answer).await;
        let main = page.split("<main").nth(1).expect("the page");
        let main = main.split("</main>").next().expect("the page").to_owned();
        assert!(!main.contains("name=\"password\""), "{main}");
        pages.push(main);
    }
    assert!(pages.windows(2).all(|two| two[0] == two[1]), "{pages:?}");
    assert_eq!(
        organization(&house, &owner).await["members"]
            .as_array()
            .map(Vec::len),
        Some(4)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_is_removed_is_signed_out_by_every_door() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let editor = house.sign_in("editor@us").await;
    let request = Request::get("/live")
        .header(header::HOST, "reprise.test")
        .header(header::COOKIE, editor.0.clone().expect("a session"))
        .body(Body::empty());
    let stream = house.send(request.expect("a request")).await;
    assert_eq!(stream.status(), StatusCode::OK);
    let id = id_of(&organization(&house, &owner).await, "members", "editor@us");
    let form = format!("member={id}&sure=true");
    let answer = post(&house, &owner, "/organization/remove", &form).await;
    assert_eq!(location(&answer), "/organization?done=removed");
    for path in ["/api/session/get", "/api/jobs/current"] {
        assert_eq!(
            house.call(&editor, path, "").await.0,
            StatusCode::UNAUTHORIZED
        );
    }
    // The open page is told that everything changed, so that it asks; then its stream ends by itself.
    let told = tokio::time::timeout(std::time::Duration::from_secs(20), text(stream)).await;
    let told = told.expect("the stream has ended");
    assert!(told.matches("\"volumes\"").count() >= 2, "{told}");

    // Leaving is for whoever wants to, and leads out.
    let viewer = house.sign_in("viewer@us").await;
    let id = id_of(&organization(&house, &viewer).await, "members", "viewer@us");
    let form = format!("member={id}&sure=true");
    let answer = post(&house, &viewer, "/organization/remove", &form).await;
    assert!(
        set(answer.headers(), "reprise_session").is_some_and(|gone| gone.contains("Max-Age=0"))
    );
    assert_eq!(location(&answer), "/sign-in?done=left");
    let id = id_of(&organization(&house, &owner).await, "members", "owner@us");
    let form = format!("member={id}&sure=true");
    let to = location(&post(&house, &owner, "/organization/remove", &form).await);
    assert!(to.contains("last-owner"), "{to}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_chose_follows_to_every_browser() {
    let house = house();
    let viewer = house.sign_in("viewer@us").await;
    let form = "name=Viola+V.&locale=en&theme=dark&time_zone=Asia/Kathmandu";
    for visitor in [Visitor(None), house.sign_in("new@fresh").await] {
        for path in ["/profile", "/profile/password", "/profile/sessions"] {
            let to = location(&post(&house, &visitor, path, form).await);
            assert_eq!(to, "/sign-in?next=%2Fprofile", "{path}");
        }
    }
    // What is refused comes back as it was typed.
    let to = location(&post(&house, &viewer, "/profile", &form.replace("Viola+V.", "")).await);
    assert!(
        to.starts_with("/profile?fault=")
            && to.contains("name-empty")
            && to.contains("form=profile")
            && to.contains("locale=en&theme=dark&time_zone=Asia%2FKathmandu"),
        "{to}"
    );
    let to = location(&post(&house, &viewer, "/profile", &form.replace("Asia", "Moon")).await);
    assert!(
        to.contains("time-zone-unknown") && to.contains("name=Viola%20V."),
        "{to}"
    );
    let answer = post(&house, &viewer, "/profile", form).await;
    assert_eq!(location(&answer), "/profile?done=profile");
    let chosen = |headers: &HeaderMap| {
        ["reprise_language", "reprise_theme"].map(|name| {
            set(headers, name).map(|cookie| cookie.split(';').next().unwrap_or_default().to_owned())
        })
    };
    let some = |code: &str| Some(code.to_owned());
    assert_eq!(chosen(answer.headers()), [some("en"), some("dark")]);
    // Another browser, at sign-in.
    let sign_in = "email=viewer@us&password=correct+horse&next=/";
    let answer = post(&house, &Visitor(None), "/sign-in", sign_in).await;
    assert_eq!(chosen(answer.headers()), [some("en"), some("dark")]);
    // The switch of language counts as a choice, of whoever is signed in.
    let answer = post(&house, &viewer, "/language", "locale=fr&back=/").await;
    assert_eq!(chosen(answer.headers())[0], some("fr"));
    let answer = post(&house, &Visitor(None), "/language", "locale=en&back=/").await;
    assert_eq!(chosen(answer.headers())[0], some("en"));
    let answer = post(&house, &Visitor(None), "/sign-in", sign_in).await;
    assert_eq!(chosen(answer.headers()), [some("fr"), some("dark")]);
    // None again: this browser forgets, and the next sign-in leaves things as they are.
    let none = "name=Viola&locale=&theme=&time_zone=";
    let answer = post(&house, &viewer, "/profile", none).await;
    assert_eq!(chosen(answer.headers()), [some(""), some("")]);
    let answer = post(&house, &Visitor(None), "/sign-in", sign_in).await;
    assert_eq!(chosen(answer.headers()), [None, None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_changed_by_a_form_that_keeps_no_secret() {
    let house = house();
    let viewer = house.sign_in("viewer@us").await;
    let form =
        |current: &str, again: &str| format!("current={current}&password={PASSWORD}&again={again}");
    for (current, again, code) in [
        ("wrong+secret", PASSWORD, "wrong-password"),
        ("correct+horse", "other+secret", "passwords-differ"),
    ] {
        let answer = post(&house, &viewer, "/profile/password", &form(current, again)).await;
        let to = location(&answer);
        assert!(to.contains(code) && to.contains("form=password"), "{to}");
        assert!(!to.contains("secret") && !to.contains("agrafe"), "{to}");
    }
    // The door of the one-time password leads to the one where the present one is asked for.
    let answer = post(
        &house,
        &viewer,
        "/password",
        &format!("password={PASSWORD}&again={PASSWORD}"),
    )
    .await;
    assert_eq!(location(&answer), "/profile");
    let other = house.sign_in("viewer@us").await;
    let answer = post(
        &house,
        &viewer,
        "/profile/password",
        &form("correct+horse", PASSWORD),
    )
    .await;
    assert_eq!(location(&answer), "/profile?done=password");
    let status = async |visitor: &Visitor| house.call(visitor, "/api/session/get", "").await.0;
    assert_eq!(status(&viewer).await, StatusCode::OK);
    assert_eq!(status(&other).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_about_people_show_whoever_may_not_why() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let viewer = house.sign_in("viewer@us").await;
    let id = id_of(&organization(&house, &owner).await, "members", "editor@us");
    let (page, member) = (
        "/organization".to_owned(),
        format!("/organization/members/{id}"),
    );
    for path in [&page, &member] {
        for (visitor, may) in [(&owner, true), (&viewer, false)] {
            let cookie = visitor.0.clone().expect("a session");
            let answer = open(&house, &cookie, path).await;
            assert_eq!(answer.status(), StatusCode::OK);
            let page = text(answer).await;
            assert!(page.contains("editor@us"), "{path}");
            assert_eq!(page.contains("<fieldset disabled"), !may, "{path}");
            assert_eq!(page.contains("Votre rôle ne permet pas"), !may, "{path}");
        }
    }
    let stranger = house.sign_in("owner@them").await;
    let cookie = stranger.0.clone().expect("a session");
    let none = text(open(&house, &cookie, &member).await).await;
    assert!(none.contains("Ce membre n’existe pas") && !none.contains("editor@us"));
    let profile = text(open(&house, &cookie, "/profile").await).await;
    assert!(
        profile
            .contains("<optgroup label=\"Amérique\"><option value=\"America/Adak\">Adak</option>")
    );
    assert!(profile.contains("(Paris)"));
}
