//! Searching across everything.

use super::disks::roll_back;
use super::house::{House, settings, tuning};
use super::lists::{asked, failed, many};
use crate::catalog::snapshots::insert_snapshot;
use crate::catalog::volumes::{Volume, insert_volume};
use crate::control::Tuning;
use crate::domain::name::folded;
use crate::domain::search::{Kind, Target, Word, words};
use crate::view::search::Found;

/// What was typed, each word with the kinds that it is a name of.
fn typed(text: &str, names: &[(&str, Kind)]) -> Vec<Word> {
    let word = |text: String| Word {
        names: names
            .iter()
            .filter(|(name, _)| *name == text)
            .map(|(_, kind)| *kind)
            .collect(),
        text,
    };
    words(text).into_iter().map(word).collect()
}

fn found(house: &House, text: &str, names: &[(&str, Kind)]) -> Vec<Found> {
    let words = typed(text, names);
    house
        .control
        .search(&house.owner, &words)
        .expect("an answer")
}

/// The kinds found, with how many, and the names of the first.
fn told(found: &[Found]) -> Vec<(Kind, u32, Vec<&str>)> {
    let all = found.iter();
    all.map(|found| {
        let names = found.hits.iter().map(|hit| hit.name.as_str());
        (found.kind, found.total, names.collect())
    })
    .collect()
}

#[test]
fn among_ten_thousand_the_exact_name_comes_first_then_what_begins_with_it_then_the_newest() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::open(folder.path());
    house.control.stop();
    let few = asked(|| found(&house, "node1", &[]));
    let mut volumes = many(&house, 10_000);
    // The newest of all only has it in its middle.
    let (mut middle, _) = failed(&house, 0, i64::MAX / 2);
    middle.name = "a node1".to_owned();
    let written = house
        .control
        .catalog()
        .write(|tx| insert_volume(tx, &middle));
    written
        .map_err(|error: crate::catalog::Error| error)
        .expect("written");
    volumes.push(middle);
    volumes.sort_by_key(|volume| std::cmp::Reverse((volume.created, volume.id)));
    assert_eq!(asked(|| found(&house, "node1", &[])), few);
    for query in [
        "node1",
        "NODE",
        "erable 1",
        "œuvre",
        "日本",
        "9",
        "mysql- 12",
        "zzz",
    ] {
        let words = words(query);
        let has = |volume: &&Volume| {
            let name = folded(&volume.name);
            words.iter().all(|word| name.contains(word.as_str()))
        };
        let mut expected: Vec<&Volume> = volumes.iter().filter(has).collect();
        let all = words.join(" ");
        expected.sort_by_key(|volume| {
            let name = folded(&volume.name);
            (name != all, !name.starts_with(&all))
        });
        let answer = found(&house, query, &[]);
        let answer = answer.iter().find(|found| found.kind == Kind::Volume);
        let ids: Vec<_> = answer
            .iter()
            .flat_map(|found| &found.hits)
            .map(|hit| hit.target)
            .collect();
        let total = answer.map_or(0, |found| found.total);
        assert_eq!(total as usize, expected.len(), "{query}");
        let expected: Vec<_> = expected
            .iter()
            .take(8)
            .map(|volume| Target::Volume(volume.id, volume.state))
            .collect();
        assert_eq!(ids, expected, "{query}");
    }
    // Its beginning finds an object, too; a few letters of it do not.
    let id = volumes[17].id.to_string();
    assert_eq!(told(&found(&house, &id, &[]))[0].1, 1);
    let beginning = found(&house, &id[..30].to_uppercase(), &[]);
    let hits = &beginning[0].hits;
    assert!(
        hits.iter()
            .any(|hit| hit.target == Target::Volume(volumes[17].id, volumes[17].state))
    );
    assert_eq!(told(&found(&house, &id[9..], &[])), []);
}

#[test]
fn the_name_of_a_kind_narrows_and_every_kind_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let tuning = Tuning {
        hypervisor: false,
        ..tuning()
    };
    let house = House::open_with(settings(folder.path()), tuning);
    let control = &house.control;
    let template = house.guest_template("gabarit été", false);
    let instance = house.new_instance("été-01", template);
    let point = control.create_point(&house.owner, instance, "avant", "ménage d’été", false);
    house.succeeded(point.expect("begun").job);
    let (volume, mut snapshot) = failed(&house, 7, control.now_ms());
    snapshot.name = "copie d'été".to_owned();
    let written = control.catalog().write(|tx| {
        insert_volume(tx, &volume)?;
        insert_snapshot(tx, &snapshot)
    });
    written
        .map_err(|error: crate::catalog::Error| error)
        .expect("written");

    let kinds = |found: &[Found]| found.iter().map(|found| found.kind).collect::<Vec<_>>();
    let all = found(&house, "ete", &[]);
    assert_eq!(kinds(&all), Kind::ALL, "{all:?}");
    // A safety point takes its name from where it leads to, and is not found by it.
    let point = control
        .list_points(&house.owner, instance)
        .expect("points")
        .points[0]
        .id;
    roll_back(&house, point, true);
    assert_eq!(
        control
            .list_points(&house.owner, instance)
            .expect("points")
            .points
            .len(),
        2
    );
    // By what its maker wrote about it, and by the instance that it is of.
    assert_eq!(
        told(&found(&house, "menage", &[])),
        [(Kind::Point, 1, vec!["avant"])]
    );
    let below = found(&house, "avant", &[]);
    assert_eq!(told(&below), [(Kind::Point, 1, vec!["avant"])]);
    assert!(matches!(below[0].hits[0].target, Target::Point(of, ..) if of == instance));
    assert_eq!(
        (below[0].hits[0].of.as_str(), below[0].hits[0].zone.as_str()),
        ("été-01", "Lévis")
    );
    // The name of a kind: all of that kind, and what else has the word.
    let copies = [("copie", Kind::Snapshot)];
    // The template was made from one, too.
    let all = found(&house, "copie", &copies);
    assert_eq!(
        told(&all),
        [(Kind::Snapshot, 2, vec!["copie d'été", "of gabarit été"])]
    );
    assert_eq!(
        told(&found(&house, "copie 7", &copies)),
        [(Kind::Snapshot, 1, vec!["copie d'été"])]
    );
    let volumes = found(&house, "volume", &[("volume", Kind::Volume)]);
    assert_eq!(volumes[0].kind, Kind::Volume);
    assert!(volumes[0].total >= 2, "its root volume, too: {volumes:?}");
    assert!(
        volumes.iter().any(|found| found.kind == Kind::Snapshot),
        "of “volume 7”"
    );
    // Nothing for nothing, and text of a user's stays text.
    assert_eq!(found(&house, " ", &[]), []);
    for odd in [
        "'",
        "%",
        "_",
        "\"",
        "\\",
        "' OR 1=1 --",
        "\u{0}",
        "\u{202e}",
        "😀",
    ] {
        let odd = found(&house, odd, &[]);
        let apostrophe = odd.iter().all(|found| {
            found
                .hits
                .iter()
                .all(|hit| hit.name.contains('\'') || found.kind == Kind::Point)
        });
        assert!(odd.is_empty() || apostrophe, "{odd:?}");
    }
    assert_eq!(
        found(&house, &"a ".repeat(2_000), &[]).len(),
        found(&house, "a", &[]).len()
    );
}
