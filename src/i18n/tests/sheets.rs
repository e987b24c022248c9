//! What the browser reads from a sheet is what the server says with Fluent, to the letter.

use super::messages::messages;
use crate::domain::locale::Locale;
use crate::i18n::plain::{ARGUMENT, CHOICE, END, KEY, OTHERWISE, Sheet, TEXT, Value};
use crate::i18n::{loader, sheet};
use proptest::prelude::*;
use std::collections::HashMap;

/// Everything an argument with these variants could be: each of them, none of them, and numbers of every plural.
fn candidates<'a>(variants: impl Iterator<Item = &'a String>) -> Vec<Value<'a>> {
    let numbers = [
        0_u64,
        1,
        2,
        3,
        4,
        7,
        10,
        11,
        12,
        21,
        99,
        101,
        1_000,
        1_000_000,
        u64::from(u32::MAX),
    ];
    let words = variants.map(Value::from);
    let all = words.chain(numbers.into_iter().map(Value::from));
    all.chain([Value::from("ROOT-465"), Value::from("")])
        .collect()
}

fn by_fluent(locale: Locale, id: &str, arguments: &[(&str, Value<'_>)]) -> String {
    let mut given = HashMap::new();
    for (name, value) in arguments {
        let value = match value {
            Value::Number(number) => (*number).into(),
            Value::Text(text) => text.to_string().into(),
        };
        given.insert(*name, value);
    }
    loader(locale).get_args_concrete(id, given)
}

#[test]
fn the_browser_says_every_message_as_the_server_does() {
    let mut said = 0;
    for locale in Locale::ALL.iter().copied() {
        let plain = Sheet::read(&sheet(locale).text);
        for (id, message) in messages(locale) {
            let mut calls: Vec<Vec<(&str, Value<'_>)>> = vec![Vec::new()];
            for name in &message.arguments {
                let values = match message.variants.get(name) {
                    Some(variants) => candidates(variants.iter()),
                    None => vec![Value::from("« 7 »")],
                };
                calls = calls
                    .iter()
                    .flat_map(|before| {
                        values.iter().map(move |value| {
                            let mut call = before.clone();
                            call.push((name, value.clone()));
                            call
                        })
                    })
                    .collect();
            }
            for call in calls {
                let expected = by_fluent(locale, &id, &call);
                assert_eq!(
                    plain.say(&id, &call),
                    expected,
                    "{id} of {call:?} in {locale:?}"
                );
                said += 1;
            }
        }
    }
    assert!(said > 1000, "only {said} texts were compared");
}

#[test]
fn a_number_is_said_as_it_is() {
    let text = format!("m{TEXT}{ARGUMENT}n{END} of {ARGUMENT}n{END}{END}");
    let plain = Sheet::read(&text);
    assert_eq!(
        plain.say("m", &[("n", Value::from(1_000_u64))]),
        "1000 of 1000"
    );
}

#[test]
fn choices_stand_in_choices() {
    let inner = |what: &str| {
        format!(
            "{CHOICE}b{KEY}#0{TEXT}{what} none{KEY}one{TEXT}{what} one{OTHERWISE}other{TEXT}{what} {ARGUMENT}b{END}{END}!"
        )
    };
    let text = format!(
        "{TEXT}{{plurals}}{END}m{TEXT}<{CHOICE}a{KEY}x{TEXT}{}{OTHERWISE}y{TEXT}{}{END}>{END}",
        inner("X"),
        inner("Y")
    );
    for (plurals, a, b, said) in [
        ("oo", "x", 0, "<X none!>"),
        ("oo", "x", 1, "<X one!>"),
        ("xo", "z", 2, "<Y 2!>"),
        ("xo", "y", 1, "<Y one!>"),
    ] {
        let text = text.replace("{plurals}", plurals);
        let plain = Sheet::read(&text);
        assert_eq!(
            plain.say("m", &[("a", a.into()), ("b", Value::from(b as u64))]),
            said
        );
    }
}

#[test]
fn what_is_not_in_the_sheet_reads_as_its_id() {
    let plain = Sheet::read(&sheet(Locale::En).text);
    assert_eq!(plain.say("no-such-message", &[]), "no-such-message");
    assert_eq!(Sheet::read("").say("a", &[]), "a");
}

#[test]
fn a_sheet_s_name_follows_its_text() {
    let (fr, en) = (sheet(Locale::Fr), sheet(Locale::En));
    assert_ne!(fr.name, en.name);
    assert!(
        fr.name.starts_with("fr.") && fr.name.ends_with(".txt"),
        "{}",
        fr.name
    );
    let digest = blake3::hash(fr.text.as_bytes()).to_hex();
    assert!(fr.name.contains(&digest[..16]));
}

proptest! {
    /// Whatever a sheet holds, reading it ends, and nothing panics.
    #[test]
    fn a_broken_sheet_ends_nothing(text in "[\u{1}-\u{6}ab#0é]{0,60}") {
        let plain = Sheet::read(&text);
        for id in ["", "a", "b", "ab"] {
            let _ = plain.say(id, &[("a", Value::from("b")), ("b", Value::from(0_u64))]);
        }
    }
}
