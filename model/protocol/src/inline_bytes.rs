//! Small contents in serialized form: one copy instead of a call per byte, in the same bytes as a sequence has in
//! binary formats. In formats for people they stay a list of numbers.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match serializer.is_human_readable() {
        true => bytes.serialize(serializer),
        false => serializer.serialize_bytes(bytes),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Arc<[u8]>, D::Error> {
    match deserializer.is_human_readable() {
        true => Arc::deserialize(deserializer),
        false => deserializer.deserialize_bytes(Bytes),
    }
}

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Arc<[u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Arc<[u8]>, E> {
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use crate::Content;

    #[test]
    fn the_bytes_of_a_content_are_those_of_a_sequence() {
        for length in [0, 1, 127, 128, 70_000] {
            let bytes: Vec<u8> = (0..length).map(|it| (it % 251) as u8).collect();
            let content = Content::Inline(bytes.as_slice().into());
            let encoded = postcard::to_allocvec(&content).expect("an encoding");
            let as_sequence = postcard::to_allocvec(&(0_u8, &bytes)).expect("an encoding");
            assert_eq!(encoded, as_sequence);
            assert_eq!(postcard::from_bytes::<Content>(&encoded), Ok(content.clone()));
            let text = serde_json::to_string(&content).expect("JSON");
            assert_eq!(
                text,
                format!(r#"{{"Inline":{}}}"#, serde_json::to_string(&bytes).expect("JSON"))
            );
            assert_eq!(serde_json::from_str::<Content>(&text).expect("JSON"), content);
        }
    }
}
