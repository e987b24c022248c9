//! The rooms and the arrows between them, read from the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What lies at the top, and nothing else.
const TOP: &[&str] = &[
    "Cargo.toml",
    "src",
    "style",
    "public",
    "locales",
    "end2end",
    "README.md",
    "Cargo.lock",
    "i18n.toml",
    "LICENSE",
    "dev",
    "docs",
    ".ci",
    ".cargo",
    ".gitignore",
];

/// Each room and what it may import. `control` in `api` and `server` in `main` are the two doors.
const MATRIX: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("view", &["domain"]),
    ("i18n", &["domain"]),
    ("engine", &["domain"]),
    ("nbd", &["engine", "domain"]),
    ("archive", &["engine", "domain"]),
    ("hypervisor", &["domain"]),
    ("catalog", &["domain"]),
    ("jobs", &["catalog", "domain"]),
    (
        "control",
        &[
            "engine",
            "nbd",
            "archive",
            "hypervisor",
            "catalog",
            "jobs",
            "view",
            "domain",
        ],
    ),
    ("api", &["control", "view", "domain"]),
    ("web", &["api", "view", "i18n", "domain"]),
    (
        "server",
        &[
            "api",
            "archive",
            "catalog",
            "control",
            "domain",
            "engine",
            "hypervisor",
            "i18n",
            "jobs",
            "nbd",
            "view",
            "web",
        ],
    ),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The rooms named by `crate::room` in a source, comments left out.
fn imports(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest = &code[at + "crate::".len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let inner = group.split('}').next().unwrap_or_default();
                rooms.extend(inner.split(',').map(|name| word(name.trim())));
            } else {
                rooms.insert(word(rest));
            }
        }
    }
    rooms.remove("");
    rooms
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn every_import_follows_the_matrix() {
    let allowed: BTreeMap<_, _> = MATRIX.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (room, may) in &allowed {
        let mut files = Vec::new();
        sources(&root().join("src").join(room), &mut files);
        for file in files {
            seen += 1;
            for import in imports(&fs::read_to_string(&file).expect("a source")) {
                let is_room = allowed.contains_key(import.as_str());
                if is_room && import != *room && !may.contains(&import.as_str()) {
                    wrong.push(format!("{} imports {import}", file.display()));
                }
            }
        }
    }
    assert!(seen > 40, "the sources were not found");
    assert_eq!(
        wrong,
        Vec::<String>::new(),
        "imports against the matrix of docs/ARCHITECTURE.md"
    );
}

#[test]
fn there_are_no_other_rooms() {
    let rooms: BTreeSet<_> = fs::read_dir(root().join("src"))
        .expect("src")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let expected: BTreeSet<_> = MATRIX
        .iter()
        .map(|(room, _)| (*room).to_owned())
        .chain(["build.rs", "lib.rs", "main.rs", "tests"].map(String::from))
        .collect();
    assert_eq!(rooms, expected);
}

#[test]
fn the_top_level_is_closed() {
    // What git tracks or would track; build output and the like are ignored by name.
    let listed = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git");
    let listed = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let top: BTreeSet<_> = listed
        .lines()
        .filter_map(|path| path.split('/').next())
        .collect();
    assert!(top.contains("Cargo.toml"), "git listed nothing");
    let other: Vec<_> = top.iter().filter(|name| !TOP.contains(name)).collect();
    assert!(
        other.is_empty(),
        "not in the closed list of the top level: {other:?}"
    );
}

#[test]
fn the_reader_of_imports_sees_what_it_should() {
    let text = "use crate::engine::Pool;\nuse crate::{view::X, domain::id::Y};\n// use crate::web::Z;\nlet a = crate::control::f();";
    assert_eq!(
        imports(text).into_iter().collect::<Vec<_>>(),
        ["control", "domain", "engine", "view"]
    );
}

/// Why: `web::ask::once_there`. A page whose halves disagree stays dead in the browser, and rarely enough for no other test to see it.
#[test]
fn what_is_drawn_from_an_answer_waits_for_it_on_the_server() {
    let mut files = Vec::new();
    sources(&root().join("src/web"), &mut files);
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        for part in text.split("<Transition fallback").skip(1) {
            let children = part.split("</Transition>").next().unwrap_or_default();
            // It reads its answer as it is drawn, and by no memo.
            let by_itself = file.ends_with("pages/serial.rs");
            assert!(children.contains("once_there(") || by_itself, "{file:?}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen} places found");
}
