//! The names of contents.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The id of a file's content: the root hash of its chunk manifest. In formats for people, such as JSON, it
/// is 64 hexadecimal digits; reading also accepts the list of its 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub [u8; 32]);

impl Serialize for ContentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(&Hexadecimal(&self.0)),
            false => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ContentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_any(ReadableId),
            false => <[u8; 32]>::deserialize(deserializer).map(ContentId),
        }
    }
}

struct Hexadecimal<'a>(&'a [u8]);

impl fmt::Display for Hexadecimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads the id of a content from a format for people.
struct ReadableId;

impl<'de> Visitor<'de> for ReadableId {
    type Value = ContentId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a content, as 64 hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ContentId, E> {
        let digits = text.as_bytes();
        let wrong = || E::invalid_value(de::Unexpected::Str(text), &self);
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong());
        }
        let mut id = [0; 32];
        for (byte, at) in id.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(ContentId(id))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, bytes: A) -> Result<ContentId, A::Error> {
        <[u8; 32]>::deserialize(SeqAccessDeserializer::new(bytes)).map(ContentId)
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hexadecimal(&self.0[..4]).fmt(f)
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_hexadecimal_digits_and_other_formats_have_bytes() {
        let id = ContentId(std::array::from_fn(|at| u8::try_from(at * 8).expect("a byte")));
        let json = serde_json::to_string(&id).expect("text");
        assert!(json.starts_with("\"0008101820") && json.len() == 66, "{json}");
        assert_eq!(serde_json::from_str::<ContentId>(&json).expect("an id"), id);
        // So earlier versions wrote it.
        let list = serde_json::to_string(&id.0).expect("text");
        assert_eq!(serde_json::from_str::<ContentId>(&list).expect("an id"), id);
        let digits = json.trim_matches('"');
        for wrong in ["\"\"", &json.replace('0', "g"), &format!("\"{digits}0\""), "[1,2]", "7"] {
            assert!(serde_json::from_str::<ContentId>(wrong).is_err(), "{wrong}");
        }
    }
}
