//! What changed between two versions of a content, found at memory speed and sent small.

mod bytes;
mod error;
pub mod manifest;

pub use error::PatchError;
