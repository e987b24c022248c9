//! What the server says, read by the browser: JSON as `serde_json` writes it, read with as little code as will do.
//!
//! `serde_json` reads straight into each type, which compiles its whole reader once a type; here a text becomes a tree
//! first, by one piece of code, and types are filled from the tree. A fault in it is told without its place: it can only
//! mean an answer that was cut off. What may never be true: a text that ends the program. There are no fractions in what
//! the server says, and none are read.

use leptos::server::codee::{Decoder, Encoder};
use leptos::server_fn::{ContentType, Decodes, Encodes, Format, FormatType};
use serde::Serialize;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Visitor};
use std::fmt;
use std::slice::Iter;
use std::vec::IntoIter;

/// The text is not JSON, or not of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the JSON that was expected")
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Reads one value.
///
/// # Errors
/// [`Unreadable`]
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    T::deserialize(tree(text)?)
}

/// JSON by `serde_json` on the server and by [`read`] in the browser.
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl<T: Serialize> Encoder<T> for Json {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> Result<String, Self::Error> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for Json {
    type Error = Unreadable;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, Unreadable> {
        read(text)
    }
}

impl ContentType for Json {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for Json {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for Json {
    type Error = serde_json::Error;

    fn encode(value: &T) -> Result<bytes::Bytes, Self::Error> {
        serde_json::to_vec(value).map(Into::into)
    }
}

impl<T: DeserializeOwned> Decodes<T> for Json {
    type Error = Unreadable;

    fn decode(text: bytes::Bytes) -> Result<T, Unreadable> {
        read(std::str::from_utf8(&text).map_err(|_| Unreadable)?)
    }
}

/// A value of any type.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Null,
    Bool(bool),
    Natural(u64),
    Negative(i64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// No value of ours is deeper than a few levels.
const DEEPEST: u32 = 64;

fn tree(text: &str) -> Result<Node, Unreadable> {
    let mut reader = Reader {
        rest: text.as_bytes(),
        depth: 0,
    };
    let node = reader.node().ok_or(Unreadable)?;
    if reader.next_sign().is_some() {
        return Err(Unreadable);
    }
    Ok(node)
}

struct Reader<'text> {
    rest: &'text [u8],
    depth: u32,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The next byte that is not blank, which stays.
    fn next_sign(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    /// Takes that byte, if it is the next one that is not blank.
    fn take(&mut self, sign: u8) -> bool {
        let is = self.next_sign() == Some(sign);
        if is {
            self.byte();
        }
        is
    }

    fn word(&mut self, word: &str, node: Node) -> Option<Node> {
        self.rest = self.rest.strip_prefix(word.as_bytes())?;
        Some(node)
    }

    fn node(&mut self) -> Option<Node> {
        match self.next_sign()? {
            b'"' => self.text().map(Node::Text),
            b'{' => self
                .inside(b'}', |reader, all: &mut Vec<(String, Node)>| {
                    let key = reader.take_text()?;
                    if !reader.take(b':') {
                        return None;
                    }
                    all.push((key, reader.node()?));
                    Some(())
                })
                .map(Node::Map),
            b'[' => self
                .inside(b']', |reader, all: &mut Vec<Node>| {
                    all.push(reader.node()?);
                    Some(())
                })
                .map(Node::List),
            b't' => self.word("true", Node::Bool(true)),
            b'f' => self.word("false", Node::Bool(false)),
            b'n' => self.word("null", Node::Null),
            _ => self.number(),
        }
    }

    /// What stands between two brackets, each part read by `part`.
    fn inside<T>(
        &mut self,
        end: u8,
        part: fn(&mut Self, &mut Vec<T>) -> Option<()>,
    ) -> Option<Vec<T>> {
        self.byte();
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut all = Vec::new();
        if !self.take(end) {
            loop {
                part(self, &mut all)?;
                if self.take(end) {
                    break;
                }
                if !self.take(b',') {
                    return None;
                }
            }
        }
        self.depth -= 1;
        Some(all)
    }

    fn number(&mut self) -> Option<Node> {
        let is_part =
            |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let long = self.rest.iter().take_while(|byte| is_part(byte)).count();
        let (digits, rest) = self.rest.split_at_checked(long)?;
        self.rest = rest;
        let digits = std::str::from_utf8(digits).ok()?;
        if digits.starts_with('-') {
            digits.parse().ok().map(Node::Negative)
        } else {
            digits.parse().ok().map(Node::Natural)
        }
    }

    fn take_text(&mut self) -> Option<String> {
        (self.next_sign() == Some(b'"')).then(|| self.text())?
    }

    fn text(&mut self) -> Option<String> {
        self.byte();
        let mut text = Vec::new();
        loop {
            match self.byte()? {
                b'"' => return String::from_utf8(text).ok(),
                b'\\' => {
                    let letter = match self.byte()? {
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        b'u' => self.unicode()?,
                        sign @ (b'"' | b'\\' | b'/') => sign.into(),
                        _ => return None,
                    };
                    text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..0x20 => return None,
                byte => text.push(byte),
            }
        }
    }

    /// What stands after `\u`: one unit of UTF-16, or two with `\u` between them.
    fn unicode(&mut self) -> Option<char> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        self.rest = self.rest.strip_prefix(b"\\u")?;
        let second = self
            .unit()?
            .checked_sub(0xdc00)
            .filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)
    }

    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit * 16 + char::from(self.byte()?).to_digit(16)?;
        }
        Some(unit)
    }
}

impl Node {
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Natural(number) => visitor.visit_u64(number),
            Self::Negative(number) => visitor.visit_i64(number),
            _ => Err(Unreadable),
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Text(text) => visitor.visit_string(text),
            _ => Err(Unreadable),
        }
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::List(list) => visitor.visit_seq(Parts(list.into_iter())),
            _ => Err(Unreadable),
        }
    }

    fn map<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Map(map) => visitor.visit_map(Pairs(map.into_iter(), Self::Null)),
            _ => Err(Unreadable),
        }
    }

    /// A type whose fields are known is given them in their order: the code that `serde` derives for that is a third of
    /// what it derives to look each name up.
    fn fields<'de, V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        match self {
            Self::Map(map) => visitor.visit_seq(Fields(names.iter(), map)),
            _ => Err(Unreadable),
        }
    }

    /// The name of a variant and what it holds. A variant is a word, a map of one name (as `serde` writes it), or a map
    /// whose `code` is the name (as [`crate::domain::fault::Fault`] is written).
    fn variant(self) -> Result<(Self, Self), Unreadable> {
        match self {
            Self::Text(_) => Ok((self, Self::Null)),
            Self::Map(mut map) => {
                let code = map.iter().position(|(key, _)| key == "code");
                if let Some(code) = code {
                    let (_, name) = map.swap_remove(code);
                    return Ok((name, Self::Map(map)));
                }
                let (name, inside) = map.pop().ok_or(Unreadable)?;
                Ok((Self::Text(name), inside))
            }
            _ => Err(Unreadable),
        }
    }
}

macro_rules! read_as {
    ($how:ident: $($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            self.$how(visitor)
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Node {
    type Error = Unreadable;

    read_as! { number:
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }
    read_as! { text:
        deserialize_char deserialize_str deserialize_string deserialize_identifier
        deserialize_bytes deserialize_byte_buf
    }
    read_as! { list: deserialize_seq }
    read_as! { map: deserialize_map }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Natural(_) | Self::Negative(_) => self.number(visitor),
            Self::Text(_) => self.text(visitor),
            Self::List(_) => self.list(visitor),
            Self::Map(_) => self.map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Bool(value) => visitor.visit_bool(value),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Null => visitor.visit_unit(),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.list(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.fields(names, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let (name, inside) = self.variant()?;
        visitor.visit_enum(Variant(name, inside))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }
}

/// The parts of a list.
struct Parts(IntoIter<Node>);

impl<'de> de::SeqAccess<'de> for Parts {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        match self.0.next() {
            Some(node) => seed.deserialize(node).map(Some),
            None => Ok(None),
        }
    }
}

/// The values of a map in the order of these names. One that is not there counts as none, as past the end of a list: then a
/// field with a default has it, and any other is refused.
struct Fields(Iter<'static, &'static str>, Vec<(String, Node)>);

impl Fields {
    /// Takes the next one; apart from the types that are read, so that this is compiled once.
    #[inline(never)]
    fn take(&mut self) -> Option<Node> {
        let name = self.0.next()?;
        let at = self.1.iter().position(|(key, _)| key == name)?;
        Some(self.1.swap_remove(at).1)
    }
}

impl<'de> de::SeqAccess<'de> for Fields {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        match self.take() {
            Some(node) => seed.deserialize(node).map(Some),
            None => Ok(None),
        }
    }
}

/// The pairs of a map, and the value whose key was taken last.
struct Pairs(IntoIter<(String, Node)>, Node);

impl<'de> de::MapAccess<'de> for Pairs {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unreadable> {
        let Some((key, value)) = self.0.next() else {
            return Ok(None);
        };
        self.1 = value;
        seed.deserialize(Node::Text(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Unreadable> {
        seed.deserialize(std::mem::replace(&mut self.1, Node::Null))
    }
}

/// The name of a variant and what it holds.
struct Variant(Node, Node);

impl<'de> de::EnumAccess<'de> for Variant {
    type Error = Unreadable;
    type Variant = Inside;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Inside), Unreadable> {
        Ok((seed.deserialize(self.0)?, Inside(self.1)))
    }
}

/// What a variant holds.
struct Inside(Node);

impl<'de> de::VariantAccess<'de> for Inside {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, Unreadable> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unreadable> {
        self.0.list(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.0.fields(names, visitor)
    }
}

#[cfg(test)]
mod tests;
