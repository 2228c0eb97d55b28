//! What changed between two versions of a content, found at memory speed and sent small.

mod error;

pub use error::PatchError;
