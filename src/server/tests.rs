//! The real routes, called as each role, as a stranger and signed out; what they answer otherwise is in `answers`.

mod answers;
mod csv;
mod kit;
mod live;
mod people;
mod pseudo;
mod signals;
mod words;

use super::config::{Flags, Settings};
use super::pages::router;
use super::state::AppState;
use crate::control::Control;
use crate::control::people::NewMember;
use crate::domain::role::Role;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

const ORIGIN: &str = "http://reprise.test";

struct House {
    router: Router,
    control: Control,
    _doors: super::doors::Doors,
    _folder: tempfile::TempDir,
}

/// Someone at the door: the session cookie, if any.
#[derive(Clone)]
struct Visitor(Option<String>);

fn house() -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings::load(Flags::default()).expect("the defaults");
    let control = Control::open(super::region(&settings, folder.path())).expect("a control plane");
    let member = |email, role| NewMember {
        email,
        name: "Somebody",
        role,
        password: "correct horse",
        one_time: false,
    };
    let us = control
        .create_organization("Us", "America/Montreal", member("owner@us", Role::Owner))
        .expect("us");
    control
        .create_member(us, member("editor@us", Role::Editor))
        .expect("an editor");
    control
        .create_member(us, member("viewer@us", Role::Viewer))
        .expect("a viewer");
    control
        .create_organization("Them", "Europe/Paris", member("owner@them", Role::Owner))
        .expect("them");
    let fresh = NewMember {
        one_time: true,
        ..member("new@fresh", Role::Owner)
    };
    control
        .create_organization("Fresh", "Europe/Paris", fresh)
        .expect("an organization at its first start");
    let leptos = leptos::config::LeptosOptions::builder()
        .output_name("reprise")
        .build();
    let state = AppState {
        control: control.clone(),
        settings: Arc::new(settings),
        leptos,
        stopping: Default::default(),
        kept: Arc::default(),
    };
    House {
        router: router(&state),
        _doors: super::doors::open(&control, folder.path()),
        control,
        _folder: folder,
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.control.stop();
    }
}

impl House {
    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("routes never fail")
    }

    async fn sign_in(&self, email: &str) -> Visitor {
        let request = Request::post("/sign-in")
            .header(header::ORIGIN, ORIGIN)
            .header(header::HOST, "reprise.test")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!(
                "email={email}&password=correct+horse&next=/volumes"
            )))
            .expect("a request");
        let answer = self.send(request).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()[header::SET_COOKIE].to_str().expect("text");
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
            "{cookie}"
        );
        Visitor(cookie.split(';').next().map(str::to_owned))
    }

    /// Calls a server function; `arguments` in the encoding of a query.
    async fn call(&self, visitor: &Visitor, path: &str, arguments: &str) -> (StatusCode, Value) {
        let reads = READS.contains(&path);
        let mut request = if reads {
            Request::get(format!("{path}?{arguments}"))
        } else {
            Request::post(path)
        }
        .header(header::ORIGIN, ORIGIN)
        .header(header::HOST, "reprise.test")
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Visitor(Some(cookie)) = visitor {
            request = request.header(header::COOKIE, cookie);
        }
        let body = if reads {
            Body::empty()
        } else {
            Body::from(arguments.to_owned())
        };
        let answer = self.send(request.body(body).expect("a request")).await;
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    /// Waits until a row of the list has this name and is in one of these states; its id.
    async fn settled(&self, visitor: &Visitor, list: &str, name: &str, states: &[&str]) -> String {
        for _ in 0..600 {
            let (_, page) = self.call(visitor, list, "page=1").await;
            let rows = page["rows"].as_array().cloned().unwrap_or_default();
            if let Some(row) = rows.iter().find(|row| row["name"] == name)
                && states.iter().any(|state| row["state"] == *state)
            {
                return row["id"].as_str().expect("an id").to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{name} never became {states:?}");
    }

    async fn zone(&self, visitor: &Visitor) -> String {
        let (_, session) = self.call(visitor, "/api/session/get", "").await;
        session["zones"][0]["id"]
            .as_str()
            .expect("a zone")
            .to_owned()
    }

    async fn volume(&self, owner: &Visitor, name: &str) -> String {
        let zone = self.zone(owner).await;
        let arguments = format!("name={name}&zone={zone}&size_gib=1");
        let (status, answer) = self.call(owner, "/api/volumes/create", &arguments).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        self.settled(owner, "/api/volumes/list", name, &["ready"])
            .await
    }

    async fn snapshot(&self, owner: &Visitor, name: &str) -> String {
        let volume = self.volume(owner, &format!("of-{name}")).await;
        let (status, answer) = self
            .call(
                owner,
                "/api/volumes/take-snapshot",
                &format!("volume={volume}&name={name}"),
            )
            .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        self.settled(owner, "/api/snapshots/list", name, &["saved", "verified"])
            .await
    }
}

/// The server functions that only read.
const READS: &[&str] = &[
    "/api/session/get",
    "/api/session/kit",
    "/api/session/home",
    "/api/session/profile",
    "/api/session/organization",
    "/api/volumes/list",
    "/api/volumes/get",
    "/api/volumes/deletion",
    "/api/volumes/snapshot-plan",
    "/api/snapshots/list",
    "/api/snapshots/get",
    "/api/snapshots/details",
    "/api/snapshots/deletion",
    "/api/jobs/current",
    "/api/activity/list",
    "/api/instances/list",
    "/api/instances/get",
    "/api/instances/deletion",
    "/api/instances/serial",
    "/api/points/list",
    "/api/points/get",
    "/api/points/plan",
    "/api/points/deletion",
    "/api/points/branch",
    "/api/points/compare",
    "/api/points/rollback-plan",
    "/api/templates/list",
    "/api/templates/ready",
    "/api/templates/deletion",
    "/api/zones/get",
    "/api/several/plan",
];

/// What a function is called with.
#[derive(Clone, Copy, PartialEq)]
enum On {
    /// Nothing of anybody's.
    Nothing,
    /// Nothing; for Owners alone.
    Owner,
    /// Nothing; for operators alone: the first Owner is one.
    Operator,
    /// A page number.
    Page,
    /// One of our volumes.
    Volume,
    /// One of our snapshots.
    Snapshot,
    /// One of our tasks, which has ended.
    Job,
    /// The name and place of a volume to make.
    NewVolume,
    /// One of our snapshots, and the name and place of a volume to make.
    NewVolumeOfSnapshot,
    /// Something that nobody has, which the answer leaves out.
    Own(&'static str),
    /// Something that nobody has: whoever may ask is told so. (With objects that somebody has, these are in the table of
    /// the use cases, `control::tests::access`.)
    None(&'static str),
}

/// Every server function there is; a new one without a row fails the test below.
const TABLE: &[(&str, On)] = &[
    ("/api/session/get", On::Nothing),
    ("/api/session/kit", On::Owner),
    ("/api/session/home", On::Nothing),
    ("/api/session/profile", On::Nothing),
    ("/api/session/organization", On::Nothing),
    ("/api/volumes/list", On::Page),
    ("/api/volumes/get", On::Volume),
    ("/api/volumes/create", On::NewVolume),
    ("/api/volumes/deletion", On::Volume),
    ("/api/volumes/delete", On::Volume),
    ("/api/volumes/snapshot-plan", On::Volume),
    ("/api/volumes/take-snapshot", On::Volume),
    ("/api/snapshots/list", On::Page),
    ("/api/snapshots/get", On::Snapshot),
    ("/api/snapshots/details", On::Snapshot),
    ("/api/snapshots/deletion", On::Snapshot),
    ("/api/snapshots/delete", On::Snapshot),
    ("/api/snapshots/to-volume", On::NewVolumeOfSnapshot),
    ("/api/snapshots/verify", On::Snapshot),
    ("/api/jobs/current", On::Nothing),
    ("/api/jobs/interrupt", On::Job),
    ("/api/jobs/retry", On::Job),
    ("/api/activity/list", On::Page),
    ("/api/instances/list", On::Page),
    ("/api/instances/get", On::None("instance={none}")),
    (
        "/api/instances/create",
        On::None("name=x&template={none}&zone={none}&offering=0"),
    ),
    ("/api/instances/start", On::None("instance={none}")),
    ("/api/instances/stop", On::None("instance={none}")),
    ("/api/instances/reboot", On::None("instance={none}")),
    ("/api/instances/deletion", On::None("instance={none}")),
    ("/api/instances/delete", On::None("instance={none}")),
    (
        "/api/instances/attach",
        On::None("instance={none}&volume={none}"),
    ),
    ("/api/instances/detach", On::None("volume={none}")),
    ("/api/instances/serial", On::None("instance={none}")),
    ("/api/points/list", On::None("instance={none}")),
    ("/api/points/get", On::None("instance={none}&point={none}")),
    ("/api/points/plan", On::None("instance={none}")),
    ("/api/points/create", On::None("instance={none}&name=x")),
    ("/api/points/rename", On::None("point={none}&name=x")),
    ("/api/points/deletion", On::None("point={none}")),
    ("/api/points/delete", On::None("point={none}")),
    ("/api/points/branch", On::None("point={none}")),
    ("/api/points/delete-branch", On::None("point={none}&seal=x")),
    ("/api/points/compare", On::None("instance={none}")),
    (
        "/api/points/create-volume",
        On::None("point={none}&disk={none}&name=x"),
    ),
    (
        "/api/points/create-template",
        On::None("point={none}&name=x"),
    ),
    ("/api/points/rollback-plan", On::None("point={none}")),
    ("/api/points/rollback", On::None("point={none}&seal=x")),
    ("/api/templates/list", On::Page),
    ("/api/templates/ready", On::Nothing),
    ("/api/templates/create", On::None("snapshot={none}&name=x")),
    ("/api/templates/deletion", On::None("template={none}")),
    ("/api/templates/delete", On::None("template={none}")),
    ("/api/zones/get", On::Operator),
    (
        "/api/several/plan",
        On::Own("act=delete-volumes&ids={none}"),
    ),
    (
        "/api/several/do",
        On::None("act=start-instances&ids={none}"),
    ),
];

/// An id that nothing has.
const NONE: &str = "01890000-0000-7000-8000-000000000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i15_every_server_function_as_each_role_as_a_stranger_and_signed_out() {
    let there: BTreeSet<_> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, _)| path.to_owned())
        .collect();
    let listed: BTreeSet<_> = TABLE.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(there, listed, "each server function has a row");

    let house = house();
    let owner = house.sign_in("owner@us").await;
    let editor = house.sign_in("editor@us").await;
    let viewer = house.sign_in("viewer@us").await;
    let stranger = house.sign_in("owner@them").await;
    let fresh = house.sign_in("new@fresh").await;
    let zone = house.zone(&owner).await;
    let mut serial = 0;
    for (path, on) in TABLE.iter().copied() {
        let changes = !READS.contains(&path);
        for (who, visitor) in [("owner", &owner), ("editor", &editor)] {
            serial += 1;
            let (volume, snapshot) = match on {
                On::Volume => (
                    house.volume(&owner, &format!("v{serial}")).await,
                    String::new(),
                ),
                On::Snapshot | On::NewVolumeOfSnapshot => (
                    String::new(),
                    house.snapshot(&owner, &format!("s{serial}")).await,
                ),
                On::Job => {
                    house.volume(&owner, &format!("v{serial}")).await;
                    (String::new(), String::new())
                }
                On::Nothing
                | On::Owner
                | On::Operator
                | On::Page
                | On::NewVolume
                | On::Own(_)
                | On::None(_) => Default::default(),
            };
            let arguments = |serial: usize| match on {
                On::Nothing | On::Owner | On::Operator => String::new(),
                On::Page => "page=1".to_owned(),
                On::Volume => format!("volume={volume}"),
                On::Snapshot => format!("snapshot={snapshot}"),
                On::NewVolume => format!("name=new{serial}&zone={zone}&size_gib=1"),
                On::NewVolumeOfSnapshot => {
                    format!("snapshot={snapshot}&zone={zone}&name=new{serial}")
                }
                On::Job => String::new(),
                On::Own(form) | On::None(form) => form.replace("{none}", NONE),
            };
            let arguments = if on == On::Job {
                let (_, log) = house.call(&owner, "/api/activity/list", "page=1").await;
                let jobs = log["rows"].as_array().expect("rows").iter();
                let id = jobs
                    .filter_map(|row| row["job"]["id"].as_str())
                    .next()
                    .expect("a task")
                    .to_owned();
                format!("job={id}")
            } else {
                arguments(serial)
            };
            // Those who may not come first: had they been let through, the act below would fail.
            for nobody in [
                &Visitor(None),
                &Visitor(Some("reprise_session=00".to_owned())),
                &fresh,
            ] {
                let (status, body) = house.call(nobody, path, &arguments).await;
                assert_eq!(
                    status,
                    StatusCode::UNAUTHORIZED,
                    "{path} signed out: {body}"
                );
            }
            let (status, body) = house.call(&viewer, path, &arguments).await;
            let expected = match on {
                _ if changes => StatusCode::FORBIDDEN,
                On::Owner | On::Operator => StatusCode::FORBIDDEN,
                On::None(_) => StatusCode::NOT_FOUND,
                _ => StatusCode::OK,
            };
            assert_eq!(status, expected, "{path} as a viewer: {body}");
            let (status, body) = house.call(&stranger, path, &arguments).await;
            match on {
                On::Volume | On::Snapshot | On::Job | On::NewVolumeOfSnapshot | On::None(_) => {
                    assert_eq!(
                        status,
                        StatusCode::NOT_FOUND,
                        "{path} as a stranger: {body}"
                    );
                }
                On::Operator => {
                    assert_eq!(
                        status,
                        StatusCode::FORBIDDEN,
                        "{path} as a stranger: {body}"
                    );
                }
                On::Page | On::Nothing | On::Owner | On::Own(_) => {
                    let body = body.to_string();
                    assert!(
                        !body.contains("of-s") && !body.contains("\"v1\""),
                        "{path} shows ours to a stranger: {body}"
                    );
                }
                On::NewVolume => assert_eq!(status, StatusCode::OK, "{path}: their own: {body}"),
            }
            let (status, body) = house.call(visitor, path, &arguments).await;
            let ended_job = on == On::Job && status == StatusCode::CONFLICT;
            let nothing = matches!(on, On::None(_)) && status == StatusCode::NOT_FOUND;
            let restricted = matches!(on, On::Owner | On::Operator);
            let owners = restricted && who == "editor" && status == StatusCode::FORBIDDEN;
            assert!(
                (status == StatusCode::OK && !(restricted && who == "editor"))
                    || ended_job
                    || nothing
                    || owners,
                "{path} as {who}: {status} {body}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i15_a_change_that_says_not_where_it_comes_from_is_refused() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let cookie = owner.0.clone().expect("a session");
    for path in TABLE.iter().map(|(path, _)| *path).chain([
        "/sign-in",
        "/sign-out",
        "/language",
        "/theme",
        "/password",
        "/upload/volume",
        "/upload/template",
        "/kit",
        "/kit/later",
        "/profile",
        "/profile/password",
        "/profile/sessions",
        "/organization/invite",
        "/organization/withdraw",
        "/organization/role",
        "/organization/remove",
        "/join",
    ]) {
        for origin in [None, Some("http://evil.example"), Some("null")] {
            let mut request = Request::post(path)
                .header(header::HOST, "reprise.test")
                .header(header::COOKIE, &cookie);
            if let Some(origin) = origin {
                request = request.header(header::ORIGIN, origin);
            }
            let answer = house
                .send(request.body(Body::empty()).expect("a request"))
                .await;
            assert_eq!(
                answer.status(),
                StatusCode::FORBIDDEN,
                "{path} from {origin:?}"
            );
        }
    }
    let (status, _) = house.call(&owner, "/api/session/get", "").await;
    assert_eq!(status, StatusCode::OK, "the forged sign-out did nothing");
}
