//! The records that nodes answer with.

use serde::{Deserialize, Serialize};
use steadfast_protocol::ContentId;

use crate::Version;

/// A write that took place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The path.
    pub path: String,
    /// The new version.
    pub version: Version,
    /// Its content; `None` of a deletion.
    #[serde(default)]
    pub content: Option<ContentId>,
    /// The length of the content in bytes.
    #[serde(default)]
    pub length: Option<u64>,
    /// Whether there was no file before.
    #[serde(default)]
    pub created: bool,
}

/// The headers of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// The path.
    pub path: String,
    /// The version that it shows.
    pub version: Version,
    /// The name of its content.
    pub content: ContentId,
    /// The length of its content in bytes.
    pub length: u64,
    /// How many other versions are in conflict with it.
    pub conflicts: u64,
    /// Whether the node did not ask the cluster, so that a newer version may exist.
    pub stale: bool,
}

/// A file in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The path.
    pub path: String,
    /// The version that it shows.
    pub version: Version,
    /// The length of its content in bytes; `None` while the node does not know it.
    pub length: Option<u64>,
    /// The name of its content.
    pub content: ContentId,
    /// How many other versions are in conflict with it.
    pub conflicts: u64,
}

/// A version that no other version replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version.
    pub version: Version,
    /// Whether it is the one that the file shows.
    pub visible: bool,
    /// Whether it is a deletion.
    pub deleted: bool,
    /// The length of its content in bytes.
    pub length: Option<u64>,
    /// Its content.
    pub content: Option<ContentId>,
    /// The stamp by which the visible version is chosen.
    pub stamp: String,
    /// The versions that it replaced.
    pub replaces: Vec<Version>,
    /// The request that wrote it.
    pub request: String,
}

/// The heads of a file, the visible one first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The path.
    pub path: String,
    /// The heads.
    pub versions: Vec<Head>,
}

/// A file with several heads.
pub type Conflict = Versions;

/// A path with a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathVersion {
    /// The path.
    pub path: String,
    /// The version.
    pub version: Version,
}
