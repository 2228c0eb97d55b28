//! Making the new content from the old one and a patch.

pub(crate) mod driver;
pub(crate) mod fresh;
pub(crate) mod stream;

pub use fresh::{Content, apply};
pub use stream::{Applied, NewContent, apply_stream};
