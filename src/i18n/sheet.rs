//! The messages of a language, written for the browser (`super::plain` has the form and reads it).

use super::loader::{language, source};
use super::plain::{ARGUMENT, CHOICE, END, KEY, OTHERWISE, TEXT};
use crate::domain::locale::Locale;
use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, VariantKey,
};
use fluent_syntax::unicode::unescape_unicode_to_string;
use intl_pluralrules::{PluralCategory, PluralRuleType, PluralRules};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// What a page's browser fetches before the page comes to life.
#[derive(Debug)]
pub struct Sheet {
    /// Its name, which changes whenever the text does.
    pub name: String,
    /// Its text.
    pub text: String,
}

static SHEETS: LazyLock<HashMap<Locale, Sheet>> = LazyLock::new(|| {
    let all = Locale::ALL.iter().copied();
    #[cfg(test)]
    let all = all.chain([Locale::Qps]);
    all.map(|locale| (locale, write(locale))).collect()
});

/// The sheet of a language.
#[must_use]
pub fn sheet(locale: Locale) -> &'static Sheet {
    &SHEETS[&locale]
}

fn write(locale: Locale) -> Sheet {
    let text = plurals(locale.code()) + &text(&source(locale));
    let digest = blake3::hash(text.as_bytes()).to_hex();
    Sheet {
        name: format!("{}.{}.txt", locale.code(), &digest[..16]),
        text,
    }
}

/// The plural of every whole number, a letter each, under an id that no message has. The rules of no language look further
/// than at the last two digits of a number of three or more, but for round millions.
pub(super) fn plurals(code: &str) -> String {
    let rules = PluralRules::create(language(code), PluralRuleType::CARDINAL);
    let letter = |number: usize| match rules.as_ref().map(|rules| rules.select(number)) {
        Ok(Ok(PluralCategory::ZERO)) => 'z',
        Ok(Ok(PluralCategory::ONE)) => 'o',
        Ok(Ok(PluralCategory::TWO)) => 't',
        Ok(Ok(PluralCategory::FEW)) => 'f',
        Ok(Ok(PluralCategory::MANY)) => 'm',
        _ => 'x',
    };
    let letters: String = (0..200).map(letter).collect();
    format!("{TEXT}{}{END}", letters.trim_end_matches('x'))
}

/// The sheet's text for the source of a language's messages.
fn text(source: &str) -> String {
    // A file with faults gives its good messages too. That it has none is tested, and that all of it can be written.
    let resource = match fluent_syntax::parser::parse(source) {
        Ok(resource) | Err((resource, _)) => resource,
    };
    let mut messages = BTreeMap::new();
    for entry in &resource.body {
        if let Entry::Message(message) = entry
            && let Some(value) = &message.value
        {
            let mut written = String::new();
            pattern(value, &mut written);
            messages.insert(message.id.name, written);
        }
    }
    let mut text = String::with_capacity(source.len());
    for (id, pattern) in messages {
        text.extend([id, &TEXT.to_string(), &pattern, &END.to_string()]);
    }
    text
}

fn pattern(pattern: &Pattern<&str>, written: &mut String) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } => words(value, written),
            PatternElement::Placeable { expression } => match expression {
                Expression::Inline(inline) => self::inline(inline, written),
                Expression::Select { selector, variants } => {
                    written.push(CHOICE);
                    if let InlineExpression::VariableReference { id } = selector {
                        written.push_str(id.name);
                    } else {
                        debug_assert!(false, "not an argument: {selector:?}");
                    }
                    for variant in variants {
                        written.push(if variant.default { OTHERWISE } else { KEY });
                        match &variant.key {
                            VariantKey::Identifier { name } => written.push_str(name),
                            VariantKey::NumberLiteral { value } => {
                                written.extend(["#", value]);
                            }
                        }
                        written.push(TEXT);
                        self::pattern(&variant.value, written);
                    }
                    written.push(END);
                }
            },
        }
    }
}

fn inline(inline: &InlineExpression<&str>, written: &mut String) {
    match inline {
        InlineExpression::VariableReference { id } => {
            written.extend([&ARGUMENT.to_string(), id.name, &END.to_string()]);
        }
        InlineExpression::StringLiteral { value } => {
            words(&unescape_unicode_to_string(value), written);
        }
        InlineExpression::NumberLiteral { value } => words(value, written),
        InlineExpression::Placeable { expression } => match expression.as_ref() {
            Expression::Inline(inside) => self::inline(inside, written),
            Expression::Select { .. } => debug_assert!(false, "a choice in braces: {inline:?}"),
        },
        // Messages in messages, functions, terms: a test keeps them out of the files.
        other => debug_assert!(false, "cannot be written for the browser: {other:?}"),
    }
}

/// Text of a translator, which has no control characters but line ends.
fn words(text: &str, written: &mut String) {
    written.extend(
        text.chars()
            .filter(|letter| !matches!(letter, TEXT..=OTHERWISE)),
    );
}
