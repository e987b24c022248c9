//! The two languages have the same messages, the code uses all of them and no other, and French is set as French is.

use crate::domain::fault::{Fault, Noun};
use crate::domain::locale::Locale;
use crate::domain::size::Bytes;
use crate::i18n::{fault, loader};
use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, VariantKey,
};
use i18n_embed::fluent::FluentLanguageLoader;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// A message: its arguments, what its selections choose from, and every way its text can read. In a text, an argument
/// stands as U+FFFC.
#[derive(Default)]
pub(super) struct Message {
    pub(super) arguments: BTreeSet<String>,
    pub(super) variants: BTreeMap<String, BTreeSet<String>>,
    texts: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn messages(locale: Locale) -> BTreeMap<String, Message> {
    let path = root()
        .join("locales")
        .join(locale.code())
        .join("reprise.ftl");
    let source = std::fs::read_to_string(path).expect("the messages");
    let resource = fluent_syntax::parser::parse(source.as_str()).expect("Fluent without errors");
    let mut found = BTreeMap::new();
    for entry in &resource.body {
        match entry {
            Entry::Message(message) => {
                let mut read = Message::default();
                assert!(
                    message.attributes.is_empty(),
                    "{}: attributes fall back to English",
                    message.id.name
                );
                let value = message.value.as_ref().expect("a value");
                read.texts = texts(value, &mut read.arguments, &mut read.variants);
                let before = found.insert(message.id.name.to_owned(), read);
                assert!(before.is_none(), "{} stands twice", message.id.name);
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
            Entry::Term(_) | Entry::Junk { .. } => panic!("{entry:?}"),
        }
    }
    found
}

/// Every way a pattern can read.
fn texts(
    pattern: &Pattern<&str>,
    arguments: &mut BTreeSet<String>,
    variants: &mut BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut all = vec![String::new()];
    for element in &pattern.elements {
        let ways = match element {
            PatternElement::TextElement { value } => vec![(*value).to_owned()],
            PatternElement::Placeable {
                expression: Expression::Inline(inline),
            } => vec![inline_text(inline, arguments)],
            PatternElement::Placeable {
                expression:
                    Expression::Select {
                        selector,
                        variants: choices,
                    },
            } => {
                let InlineExpression::VariableReference { id } = selector else {
                    panic!("{selector:?}")
                };
                arguments.insert(id.name.to_owned());
                let keys = variants.entry(id.name.to_owned()).or_default();
                for choice in choices {
                    keys.insert(match &choice.key {
                        VariantKey::Identifier { name } => (*name).to_owned(),
                        VariantKey::NumberLiteral { value } => (*value).to_owned(),
                    });
                }
                choices
                    .iter()
                    .flat_map(|choice| texts(&choice.value, arguments, variants))
                    .collect()
            }
        };
        all = all
            .iter()
            .flat_map(|before| ways.iter().map(move |way| format!("{before}{way}")))
            .collect();
    }
    all
}

fn inline_text(inline: &InlineExpression<&str>, arguments: &mut BTreeSet<String>) -> String {
    match inline {
        InlineExpression::VariableReference { id } => {
            arguments.insert(id.name.to_owned());
            "\u{fffc}".to_owned()
        }
        InlineExpression::StringLiteral { value } => (*value).to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_languages_say_the_same_things() {
    let (fr, en) = (messages(Locale::Fr), messages(Locale::En));
    assert!(fr.len() > 200, "the messages were not found");
    assert_eq!(fr.keys().collect::<Vec<_>>(), en.keys().collect::<Vec<_>>());
    for (id, french) in &fr {
        assert_eq!(french.arguments, en[id].arguments, "arguments of {id}");
        assert_eq!(french.variants, en[id].variants, "variants of {id}");
    }
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(std::fs::read_to_string(path).expect("a source"));
        }
    }
}

/// The ids that `t!` is given, anywhere in the sources.
fn used_ids() -> BTreeSet<String> {
    let source = Path::new(file!())
        .ancestors()
        .find(|path| path.ends_with("src"))
        .expect("src");
    let folder = if source.is_absolute() {
        source.to_path_buf()
    } else {
        root().join(source)
    };
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let mut ids = BTreeSet::new();
    for file in files {
        let code: String = file
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        for (at, call) in code.match_indices("t!(") {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            if let Some(id) = code[at + call.len()..].split('"').nth(1) {
                ids.insert(id.to_owned());
            }
        }
    }
    ids
}

#[test]
fn every_message_is_used_and_every_used_one_exists() {
    let ids = messages(Locale::Fr).into_keys().collect::<BTreeSet<_>>();
    let used = used_ids();
    assert!(used.len() > 200, "the uses were not found");
    assert_eq!(
        ids.difference(&used).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "not used"
    );
    // This file's own calls of `t!` are in text only.
    let unknown = used
        .difference(&ids)
        .filter(|id| id.contains('-'))
        .collect::<Vec<_>>();
    assert_eq!(unknown, Vec::<&String>::new(), "used but not there");
}

/// What is wrong with the typography of a French text.
fn faults_of_type(text: &str) -> Vec<String> {
    const UNITS: [&str; 13] = [
        "octet", "octets", "Kio", "Mio", "Gio", "Tio", "Pio", "%", "s", "min", "h", "Go", "Mo",
    ];
    let mut wrong = Vec::new();
    let letters: Vec<char> = text.chars().collect();
    let before = |at: usize| at.checked_sub(1).map_or(' ', |at| letters[at]);
    for (at, letter) in letters.iter().enumerate() {
        let ok = match letter {
            '\'' | '"' | '…' => false,
            ':' | '»' => before(at) == '\u{a0}',
            ';' | '!' | '?' => before(at) == '\u{202f}',
            '«' => letters.get(at + 1) == Some(&'\u{a0}'),
            '%' => before(at) == '\u{a0}',
            '.' => before(at) != '.',
            _ => true,
        };
        if !ok {
            wrong.push(format!("{letter:?} in {text:?}"));
        }
    }
    // A plain space between a number and its unit: the unit could begin the next line.
    let words: Vec<&str> = text.split(' ').collect();
    for pair in words.windows(2) {
        let number = pair[0]
            .chars()
            .next_back()
            .is_some_and(|c| c == '\u{fffc}' || c.is_ascii_digit());
        let unit = pair[1].trim_end_matches(['.', ',', ')']);
        // After an argument a word can also be a word; these units are never one.
        if number && UNITS.contains(&unit) && !(unit == "Gio" && pair[0].ends_with(')')) {
            wrong.push(format!("plain space before {unit:?} in {text:?}"));
        }
    }
    wrong
}

#[test]
fn french_is_set_as_french_is() {
    let wrong: Vec<_> = messages(Locale::Fr)
        .values()
        .flat_map(|message| &message.texts)
        .flat_map(|text| faults_of_type(text))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
    for bad in [
        "l'eau",
        "eau: oui",
        "eau : oui",
        "quoi ?",
        "«eau»",
        "\u{fffc} Gio",
        "5 %",
        "attendez...",
    ] {
        assert!(!faults_of_type(bad).is_empty(), "{bad:?} passes");
    }
}

#[test]
fn english_has_no_typewriter_marks() {
    for message in messages(Locale::En).values() {
        for text in &message.texts {
            assert!(
                !text.contains(['\'', '"', '…']) && !text.contains("..."),
                "{text:?}"
            );
        }
    }
}

#[test]
fn words_keep_to_the_glossary() {
    for (id, message) in messages(Locale::Fr) {
        for text in message
            .texts
            .iter()
            .filter(|_| !["help-words", "search-names"].contains(&id.as_str()))
        {
            let lower = text.to_lowercase();
            for (at, word) in lower.match_indices("instantané") {
                let before = lower[..at].trim_end();
                assert!(
                    before.ends_with("copie") || before.ends_with("copies"),
                    "bare {word} in {id}: {text}"
                );
            }
            for (at, _) in text.match_indices("reprise") {
                let before = text[..at].to_lowercase();
                assert!(
                    before.ends_with("point de ") || before.ends_with("points de "),
                    "{id}: {text}"
                );
            }
            for word in lower.split(|c: char| !c.is_alphanumeric()) {
                assert!(
                    ![
                        "snapshot", "cliché", "tu", "ton", "ta", "tes", "toi", "login", "email"
                    ]
                    .contains(&word),
                    "{id}: {text}"
                );
            }
        }
    }
}

#[test]
fn every_message_reads_whole_in_its_own_language() {
    for locale in Locale::ALL.iter().copied() {
        let loader: &FluentLanguageLoader = loader(locale);
        for (id, message) in messages(locale) {
            let arguments: HashMap<&str, String> = message
                .arguments
                .iter()
                .map(|name| (name.as_str(), "7".to_owned()))
                .collect();
            let text = loader.get_args(&id, arguments);
            assert!(!text.is_empty(), "{id}");
            assert!(
                !text.contains("No localization")
                    && !text.contains("{$")
                    && !text.contains(['\u{2068}', '\u{2069}']),
                "{text}"
            );
            let own = message
                .texts
                .iter()
                .any(|way| way.replace('\u{fffc}', "7") == text);
            assert!(own, "{id} in {locale:?} reads {text:?}: another language's");
        }
    }
}

/// One of each variant; a variant that is not named here does not compile.
macro_rules! one_of_each {
    ($enumeration:ident: $($variant:ident $({ $($field:ident: $value:expr),+ })?,)+) => {{
        let _ = |one: &$enumeration| match one {
            $($enumeration::$variant { .. } => (),)+
        };
        vec![$($enumeration::$variant $({ $($field: $value.into()),+ })?),+]
    }};
}

#[test]
fn every_fault_says_what_happened_and_what_to_do() {
    let nouns = one_of_each![Noun:
        Volume,
        Snapshot,
        Zone,
        Job,
        Page,
        Instance,
        Point,
        Template,
        Member,
        Invitation,
    ];
    let mut faults = one_of_each![Fault:
        SignInNeeded,
        WrongCredentials,
        TooManyAttempts { seconds: 90_u32 },
        PasswordChangeNeeded,
        PasswordTooShort { min: 12_u32 },
        PasswordsDiffer,
        WrongPassword,
        AddressUnreadable,
        AddressNotFree,
        InvitationNotUsable,
        LastOwner,
        OwnRole,
        TimeZoneUnknown,
        NotConfirmed,
        PassphraseTooShort { min: 12_u32 },
        PassphrasesDiffer,
        NotAllowed,
        NotFound { what: Noun::Volume },
        ForeignOrigin,
        BadRequest,
        NameEmpty,
        NameTooLong { max: 100_u32 },
        NameUnreadable,
        NameTaken { name: "ROOT-465" },
        SizeOutOfRange { min_gib: 1_u64, max_gib: 8192_u64 },
        InUse { name: "ROOT-465" },
        SnapshotNotUsable { name: "ROOT-465" },
        PoolFull { zone: "québec-1", free: Bytes(1 << 30) },
        UploadCutOff,
        UploadMissing,
        NotADiskImage,
        ImageNotSelfContained,
        ImageTooLarge { needed: Bytes(2 << 30), free: Bytes(1 << 30) },
        ImporterMissing,
        ObjectStoreUnavailable,
        ObjectStoreOther,
        ObjectStoreFull,
        ObjectStoreKeyMissing,
        ObjectStoreKeyWrong,
        ServerFull,
        SnapshotDamaged { object: "packs/ab" },
        VolumeDamaged { name: "ROOT-465" },
        HypervisorMissing,
        StartFailed { name: "warrenton" },
        InstanceDied { name: "warrenton" },
        DiskStopped { name: "warrenton" },
        StopIgnored { name: "warrenton", seconds: 60_u32 },
        MustBeStopped { name: "warrenton" },
        MustBeRunning { name: "warrenton" },
        Attached { name: "ROOT-465", instance: "warrenton" },
        NotAttachable { name: "ROOT-465" },
        NoOffering,
        NotBootable { name: "ROOT-465" },
        NeedsUefi { name: "ROOT-465" },
        NotARootVolume { name: "ROOT-465" },
        DiskElsewhere { volume: "ROOT-465", instance: "warrenton" },
        NoMemoryToKeep { name: "warrenton" },
        MemoryElsewhere { then: "QEMU 7.2", now: "QEMU 10.0" },
        MemoryDamaged { name: "avant" },
        MemoryNotSaved { name: "warrenton" },
        ClockNotSet,
        NoSafetyPoint,
        PlanOutdated,
        SeveralRefused { started: 3_u32, refused: 2_u32, name: "ROOT-465", reason: Fault::NotAllowed },
        TextTooLong { max: 1000_u32 },
        NotUndoable,
        NotInterruptible,
        NotRetryable,
        Interrupted,
        Unreachable,
        Internal { reference: "7f3a" },
    ];
    // That of a volume stands among them already.
    let others = nouns.into_iter().filter(|what| *what != Noun::Volume);
    faults.extend(others.map(|what| Fault::NotFound { what }));
    let mut seen = BTreeSet::new();
    for fault in &faults {
        let (fr, en) = (
            fault::sentence(Locale::Fr, fault),
            fault::sentence(Locale::En, fault),
        );
        assert_ne!(fr, en);
        assert!(fr.ends_with('.') && en.ends_with('.'), "{fr} {en}");
        assert_eq!(faults_of_type(&fr), Vec::<String>::new());
        // What was refused is named.
        if format!("{fault:?}").contains("ROOT-465") {
            assert!(fr.contains("«\u{a0}ROOT-465\u{a0}»"), "{fr}");
            assert!(en.contains("“ROOT-465”"), "{en}");
        }
        assert!(seen.insert(fr), "{fault:?} reads like another");
    }
}

#[test]
fn every_fact_and_trouble_of_the_zones_page_has_words_of_its_own() {
    let code = include_str!("../../control/operating.rs");
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    // The text that follows each of these, however it is broken into lines; of some, the text after that one.
    let after = |calls: &[&str], which: usize| -> BTreeSet<String> {
        let found = calls.iter().flat_map(|call| code.split(call).skip(1));
        let texts = found.filter(|rest| {
            let mut parts = rest.split('"').step_by(2).take(which.div_ceil(2));
            parts.next().is_some_and(|before| before.trim().is_empty())
                && parts.all(|between| between.trim() == ",")
        });
        let texts = texts.filter_map(|rest| rest.split('"').nth(which));
        let texts = texts.filter(|text| !text.is_empty());
        texts.map(str::to_owned).collect()
    };
    let troubles = include_str!("../../control/operating/troubles.rs");
    let troubles = troubles.split('"').skip(1).step_by(2);
    let troubles = troubles.filter(|text| !text.is_empty() && !text.contains(' '));
    let messages = messages(Locale::Fr);
    for (id, argument, least, wanted) in [
        (
            "zones-fact",
            "fact",
            40,
            after(&["fact(", "count(", "when(", "word("], 1),
        ),
        (
            "zones-trouble",
            "what",
            15,
            troubles.map(str::to_owned).collect(),
        ),
        ("zones-card", "what", 4, after(&["card("], 1)),
        ("zones-word", "word", 10, after(&["=> ", "{ "], 1)),
        ("zones-word", "word", 5, after(&["word("], 3)),
    ] {
        assert!(
            wanted.len() >= least,
            "{id}: not found in the sources: {wanted:?}"
        );
        let missing: Vec<_> = wanted
            .difference(&messages[id].variants[argument])
            .collect();
        assert!(missing.is_empty(), "{id}: {missing:?}");
    }
}
