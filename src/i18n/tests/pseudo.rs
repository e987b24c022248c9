//! A language of the tests' own: the English messages in other letters, longer by two fifths, in brackets. A page in it
//! shows no plain letter but those of names, unless a text is not in the messages.

use super::super::loader::{Messages, loader};
use crate::domain::locale::Locale;
use crate::i18n::plain::{CHOICE, END, KEY, OTHERWISE, Sheet, TEXT, Value};
use crate::i18n::sheet;
use fluent_syntax::ast::{Entry, Expression, Pattern, PatternElement};
use i18n_embed::I18nAssets;
use std::borrow::Cow;

const PLAIN: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const OTHER: &str = "áƀçðéƒĝĥíĵķļɱñóþɋŕšţúṽŵẋýžÁɃÇÐÉƑĜĤÍĴĶĻṀÑÓÞɊŔŠŢÚṼŴẊÝŽ";

/// The folder of the language, for Fluent; it is read by the rules of English, so it stands in its place.
pub struct Folder;

impl I18nAssets for Folder {
    fn get_files(&self, path: &str) -> Vec<Cow<'_, [u8]>> {
        let own = path == "en/reprise.ftl";
        Vec::from_iter(own.then(|| Cow::Owned(messages().into_bytes())))
    }

    fn filenames_iter(&self) -> Box<dyn Iterator<Item = String> + '_> {
        Box::new(["en/reprise.ftl".to_owned()].into_iter())
    }
}

/// The language's messages.
pub fn messages() -> String {
    let file = Messages::get("en/reprise.ftl").expect("the English messages");
    let source = String::from_utf8(file.data.into_owned()).expect("UTF-8");
    let mut resource = fluent_syntax::parser::parse(source).expect("Fluent without errors");
    for entry in &mut resource.body {
        if let Entry::Message(message) = entry
            && let Some(value) = &mut message.value
        {
            rewrite(value, true);
        }
    }
    fluent_syntax::serializer::serialize(&resource)
}

fn rewrite(pattern: &mut Pattern<String>, whole: bool) {
    let mut letters = 0;
    for element in &mut pattern.elements {
        match element {
            PatternElement::TextElement { value } => {
                letters += value.chars().filter(char::is_ascii_alphabetic).count();
                *value = value.chars().map(other).collect();
            }
            PatternElement::Placeable {
                expression: Expression::Select { variants, .. },
            } => {
                for variant in variants {
                    rewrite(&mut variant.value, false);
                }
            }
            PatternElement::Placeable { .. } => {}
        }
    }
    let text = |value: String| PatternElement::TextElement { value };
    if letters > 0 {
        pattern
            .elements
            .push(text("~".repeat(letters.div_ceil(5) * 2)));
    }
    if whole && letters > 0 {
        pattern.elements.insert(0, text("⟦".to_owned()));
        pattern.elements.push(text("⟧".to_owned()));
    }
}

fn other(letter: char) -> char {
    PLAIN
        .find(letter)
        .and_then(|at| OTHER.chars().nth(at))
        .unwrap_or(letter)
}

#[test]
fn another_language_is_said_like_any_other() {
    let locale = Locale::Qps;
    assert_eq!(Locale::from_tag("qps"), Some(locale));
    let volumes = t!(locale, "nav-volumes");
    assert_eq!(volumes, "⟦Ṽóļúɱéš~~~~⟧");
    let plain = Sheet::read(&sheet(locale).text);
    assert_eq!(plain.say("nav-volumes", &[]), volumes);
    let english = loader(Locale::En).get("fault-sign-in-needed");
    let longer = loader(locale).get("fault-sign-in-needed");
    assert!(
        longer.chars().count() * 10 >= english.chars().count() * 13,
        "{longer}"
    );
}

/// What the browser says in a language whose plurals are neither those of French nor of English is what Fluent says.
#[test]
fn plurals_of_other_languages_are_known() {
    for (code, numbers) in [
        (
            "pl",
            [
                (1, "one"),
                (2, "few"),
                (5, "many"),
                (22, "few"),
                (112, "many"),
                (1002, "few"),
            ],
        ),
        (
            "ar",
            [
                (0, "zero"),
                (1, "one"),
                (2, "two"),
                (7, "few"),
                (42, "many"),
                (100, "other"),
            ],
        ),
    ] {
        let table = super::super::sheet::plurals(code);
        let choice: String = ["zero", "one", "two", "few", "many"]
            .iter()
            .map(|key| format!("{KEY}{key}{TEXT}{key}"))
            .collect();
        let text = format!("{table}m{TEXT}{CHOICE}n{choice}{OTHERWISE}x{TEXT}other{END}{END}");
        let plain = Sheet::read(&text);
        for (number, category) in numbers {
            let said = plain.say("m", &[("n", Value::Number(number))]);
            assert_eq!(said, category, "{number} in {code}");
        }
    }
}
