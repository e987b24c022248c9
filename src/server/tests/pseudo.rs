//! Every page and dialog in a language that is no one's: what shows a plain letter is not in the messages.

use super::*;
use crate::domain::locale::Locale;
use crate::i18n::places;
use leptos_axum::generate_route_list;

/// What is the same in every language: our own name, languages' own names, and the names that the house gave.
const NAMES: &[&str] = &[
    "Reprise",
    "Français",
    "English",
    "Somebody",
    "owner@us",
    "editor@us",
    "viewer@us",
];

/// What a reader sees or hears of a page: its text, and the attributes that are said. Names in `<bdi>` are left out.
fn said(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((text, tag)) = rest.split_once('<') {
        found.push(text.to_owned());
        let (inside, after) = tag.split_once('>').unwrap_or((tag, ""));
        let name = inside.split_whitespace().next().unwrap_or_default();
        for attribute in ["aria-label", "title", "placeholder", "data-label", "alt"] {
            let value = inside.split_once(&format!(" {attribute}=\""));
            let value = value.and_then(|(_, value)| value.split_once('"'));
            found.extend(value.map(|(value, _)| value.to_owned()));
        }
        // What is no one's text: programs, commands, and what people have named.
        rest = match name {
            "script" | "style" | "bdi" | "code" => {
                let end = format!("</{name}>");
                after.find(&end).map_or(after, |at| &after[at..])
            }
            _ => after,
        };
    }
    found
}

/// The parts of a text that have plain words, once names are taken out.
fn plain(text: &str, names: &[String]) -> bool {
    let mut text = text.to_owned();
    for name in names {
        text = text.replace(name.as_str(), "");
    }
    for entity in ["&quot;", "&amp;", "&lt;", "&gt;", "&#x27;", "&nbsp;"] {
        text = text.replace(entity, " ");
    }
    let mut words = text.split(|letter: char| !letter.is_ascii_alphabetic());
    words.any(|word| word.len() > 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_text_of_every_page_is_in_the_messages() {
    let house = house();
    let owner = house.sign_in("owner@us").await;
    let volume = house.volume(&owner, "№1").await;
    let snapshot = house.snapshot(&owner, "№2").await;
    let (_, session) = house.call(&owner, "/api/session/get", "").await;
    let zones = session["zones"].as_array().expect("zones").clone();
    let named = zones
        .iter()
        .map(|zone| &zone["name"])
        .chain([&session["region"]]);
    let mut names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    names.extend(named.map(|name| name.as_str().expect("a name").to_owned()));
    names.push("of-".to_owned()); // the volume that the house makes for a snapshot

    // Places have names of their own.
    let (_, profile) = house.call(&owner, "/api/session/profile", "").await;
    let zones = profile["zones"].as_array().expect("time zones").iter();
    let zones: Vec<String> = zones
        .filter_map(|zone| Some(zone.as_str()?.to_owned()))
        .collect();
    let parts = places::parts(Locale::Qps, &zones, "");
    let places: BTreeSet<String> = parts
        .into_iter()
        .flat_map(|part| part.places)
        .map(|(_, place)| place.replace('&', "&amp;"))
        .collect();

    let mut paths = Vec::new();
    for route in generate_route_list(crate::web::App) {
        let id = match route.path() {
            path if path.starts_with("/snapshots") => snapshot.as_str(),
            path if path.starts_with("/volumes") => volume.as_str(),
            _ => NONE,
        };
        let part = |part: &str| match part.strip_prefix([':', '{', '*']) {
            Some(_) => id.to_owned(),
            None => part.to_owned(),
        };
        paths.push(
            route
                .path()
                .split('/')
                .map(part)
                .collect::<Vec<_>>()
                .join("/"),
        );
    }
    assert!(paths.len() > 10, "{paths:?}");
    for dialog in [
        "create-volume",
        "import-volume",
        "create-instance",
        "import-template",
    ] {
        paths.push(format!("/volumes?dialog={dialog}"));
    }
    for dialog in ["take-snapshot", "delete-volume"] {
        paths.push(format!("/volumes?dialog={dialog}&volume={volume}"));
    }
    for dialog in ["restore", "delete-snapshot", "create-template", "verify"] {
        paths.push(format!("/snapshots?dialog={dialog}&snapshot={snapshot}"));
    }
    for dialog in ["start", "delete-instance", "attach", "create-point"] {
        paths.push(format!("/instances?dialog={dialog}&instance={NONE}"));
    }
    paths.push("/nowhere".to_owned());

    let mut missing = Vec::new();
    let mut texts = 0;
    for path in paths {
        let session = owner.0.clone().expect("a session");
        let request = Request::get(&path)
            .header(header::HOST, "reprise.test")
            .header(header::COOKIE, format!("{session}; reprise_language=qps"));
        let answer = house
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        assert!(
            !answer.status().is_server_error(),
            "{path}: {}",
            answer.status()
        );
        let body = to_bytes(answer.into_body(), 4 << 20).await.expect("a body");
        let page = String::from_utf8(body.to_vec()).expect("UTF-8");
        for text in said(&page) {
            texts += usize::from(text.contains('⟦'));
            let place = path == "/profile" && places.contains(&text);
            if plain(&text, &names) && !place {
                missing.push(format!("{path}: {}", text.trim()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(texts > 500, "only {texts} texts of the language were seen");
}
