//! The reader beside `serde_json`, and the forms of answers.

use super::{Node, Unreadable, read, tree};
use crate::domain::fault::{Fault, Noun};
use crate::domain::size::Bytes;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `serde_json` would have made of it.
fn of(node: Node) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => value.into(),
        Node::Natural(number) => number.into(),
        Node::Negative(number) => number.into(),
        Node::Text(text) => text.into(),
        Node::List(list) => list.into_iter().map(of).collect(),
        Node::Map(map) => map.into_iter().map(|(key, node)| (key, of(node))).collect(),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\"\\\\/\u{0}-\u{1f}é\u{2028}😀]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn it_reads_what_serde_json_writes(value in values()) {
        prop_assert_eq!(of(tree(&value.to_string()).expect("JSON")), value.clone());
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        prop_assert_eq!(of(tree(&pretty).expect("JSON")), value);
    }

    /// What is cut off or garbled is refused where `serde_json` refuses it, and never ends the program.
    #[test]
    fn it_refuses_what_serde_json_refuses(text in "[\\[\\]{}:,\"\\\\ut0-9dD8c\\- enlrasf]{0,24}") {
        let other = serde_json::from_str::<Value>(&text);
        match tree(&text) {
            // A number with zeros before it reads as the number; nobody writes one.
            Ok(node) => if let Ok(other) = other { prop_assert_eq!(of(node), other) },
            Err(Unreadable) => if let Ok(other) = other {
                let fraction = other.to_string().contains(['.', 'e']);
                prop_assert!(fraction, "refused {}", text);
            },
        }
    }

    #[test]
    fn a_text_that_is_cut_off_is_refused(value in values(), keep in 0.0..1.0_f64) {
        let text = Value::from(vec![value]).to_string();
        let mut keep = (text.len() as f64 * keep) as usize;
        while !text.is_char_boundary(keep) { keep -= 1; }
        prop_assert_eq!(tree(&text[..keep]), Err(Unreadable));
    }
}

#[test]
fn escapes_of_every_kind() {
    let text: Result<String, _> = read(r#" "\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t" "#);
    assert_eq!(text.as_deref(), Ok("é😀\"\\/\u{8}\u{c}\n\r\t"));
    for bad in [
        r#""\ud83d""#,
        r#""\ud83dx""#,
        r#""\ude00""#,
        r#""\ud83d\u0041""#,
        r#""\x""#,
        r#""\u12""#,
    ] {
        assert_eq!(read::<String>(bad), Err(Unreadable), "{bad}");
    }
}

#[test]
fn a_nest_without_end_is_refused() {
    assert_eq!(tree(&"[".repeat(100_000)), Err(Unreadable));
    assert_eq!(
        tree(&format!("{}{}", "[".repeat(80), "]".repeat(80))),
        Err(Unreadable)
    );
}

/// A fault as the browser knows it: serde's own form of an enumeration, read from the form with a `code`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum There {
    NotAllowed,
    NotFound { what: Noun },
    ImageTooLarge { needed: Bytes, free: Bytes },
    SeveralRefused { refused: u32, reason: Box<There> },
}

#[test]
fn a_fault_is_read_from_its_code() {
    for (fault, there) in [
        (Fault::NotAllowed, There::NotAllowed),
        (
            Fault::NotFound { what: Noun::Zone },
            There::NotFound { what: Noun::Zone },
        ),
        (
            Fault::ImageTooLarge {
                needed: Bytes(u64::MAX),
                free: Bytes(0),
            },
            There::ImageTooLarge {
                needed: Bytes(u64::MAX),
                free: Bytes(0),
            },
        ),
        (
            Fault::SeveralRefused {
                started: 1,
                refused: 2,
                name: "a".to_owned(),
                reason: Box::new(Fault::NotFound { what: Noun::Zone }),
            },
            There::SeveralRefused {
                refused: 2,
                reason: Box::new(There::NotFound { what: Noun::Zone }),
            },
        ),
    ] {
        let written = serde_json::to_string(&fault).expect("JSON");
        assert!(written.contains(r#""code":""#), "{written}");
        assert_eq!(read(&written), Ok(there), "{written}");
        assert_eq!(read(&written), Ok(fault), "{written}");
    }
    assert_eq!(read::<There>(r#"{"code":"unheard-of"}"#), Err(Unreadable));
    assert_eq!(read::<There>(r#"{"code":"not-found"}"#), Err(Unreadable));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    name: String,
    number: u32,
    below: i64,
    maybe: Option<Box<Row>>,
    pair: (bool, Vec<Bytes>),
    result: Result<Option<()>, There>,
}

#[test]
fn types_are_filled_as_serde_json_fills_them() {
    let inner = Row {
        name: "«\u{a0}é\u{a0}»\n".to_owned(),
        number: u32::MAX,
        below: i64::MIN,
        maybe: None,
        pair: (true, vec![Bytes(1), Bytes(1 << 53)]),
        result: Ok(None),
    };
    let row = Row {
        name: String::new(),
        number: 0,
        below: 1,
        maybe: Some(Box::new(inner)),
        pair: (false, Vec::new()),
        result: Err(There::NotFound { what: Noun::Job }),
    };
    let text = serde_json::to_string(&row).expect("JSON");
    assert_eq!(read(&text), Ok(row));
    let more = text.replacen('{', r#"{"new":[{"of":"tomorrow"}],"#, 1);
    assert!(
        read::<Row>(&more).is_ok(),
        "a name of a later version is passed over"
    );
    assert_eq!(read::<Row>(r#"{"name":"a"}"#), Err(Unreadable));
    assert_eq!(read::<u8>("256"), Err(Unreadable));
    assert_eq!(read::<u32>("-1"), Err(Unreadable));
    assert_eq!(read::<u32>("1.5"), Err(Unreadable));
}

/// What has a usual value may be left out, wherever it stands; what has none may not.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sparse {
    name: String,
    #[serde(default)]
    lane: u32,
    #[serde(default)]
    passing: Vec<u32>,
    last: u32,
}

#[test]
fn a_field_with_a_default_may_be_missing() {
    let sparse = |text: &str| read::<Sparse>(text);
    let whole = Sparse {
        name: "a".to_owned(),
        lane: 0,
        passing: Vec::new(),
        last: 7,
    };
    assert_eq!(sparse(r#"{"last":7,"name":"a"}"#), Ok(whole));
    let all = sparse(r#"{"passing":[1],"name":"b","last":7,"lane":2}"#).expect("all of it");
    assert_eq!((all.lane, all.passing), (2, vec![1]));
    assert_eq!(sparse(r#"{"name":"a","lane":1}"#), Err(Unreadable));
    assert_eq!(sparse(r#"{"lane":1,"last":7}"#), Err(Unreadable));
    assert_eq!(sparse(r#"["a",1,[],7]"#), Err(Unreadable));
}
