//! A client of a Steadfast cluster: files with their versions and conflicts, changes as they happen, and the state
//! of the nodes.
//!
//! A [`Client`] authenticates itself and the nodes with the certificates in the directory that `steadfast init` made
//! for clients. It finds the leader, follows it when it changes, and repeats a request that a node could not
//! answer. Every write carries an idempotency key, so that a repetition does not write twice.
//!
//! ```no_run
//! use steadfast_client::{Client, Condition, Error, Upload};
//!
//! # async fn run() -> Result<(), Error> {
//! let client = Client::open("cluster/client".as_ref())?;
//! let first = client.put("notes/today.txt", Upload::bytes("remember the milk")).await?;
//!
//! // Only if nobody else has written meanwhile.
//! let next = client
//!     .put("notes/today.txt", Upload::file("today.txt"))
//!     .when(Condition::IsOneOf(vec![first.version]))
//!     .await;
//! if let Err(Error::Refused(refusal)) = &next {
//!     println!("{}: {}", refusal.code, refusal.message);
//! }
//!
//! let mut content = client.get("notes/today.txt").await?;
//! println!("version {} has {} bytes", content.version(), content.length());
//! while let Some(piece) = content.next().await? {
//!     println!("{} bytes", piece.len());
//! }
//!
//! let mut files = client.list("notes/");
//! while let Some(file) = files.next().await? {
//!     println!("{} {}", file.version, file.path);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! If the cluster has an older version of a large file, a put sends only the changes.
//!
//! What a node answers is bounded before it is kept in memory, contents are never kept whole, and a content that
//! is saved as a file appears when it is complete.

#![warn(missing_debug_implementations)]

mod answer;
mod call;
mod changes;
mod client;
mod connector;
mod delta;
mod download;
mod error;
mod listing;
mod path;
mod records;
mod retry;
mod status;
mod upload;
mod version;
mod write;

pub use changes::{Change, Changes, Event};
pub use client::{Client, Options};
pub use download::{Download, Get};
pub use error::{Code, Error, Refusal};
pub use listing::{Conflicts, List};
pub use path::{PATH_BYTES_MAX, check_path};
pub use records::{Conflict, File, Head, Metadata, PathVersion, Versions, Written};
pub use status::{Contents, Finding, LogState, Peer, Queues, SettingsText, Status, Verification};
pub use steadfast_protocol::ContentId;
pub use upload::Upload;
pub use version::{Position, Version};
pub use write::{Condition, Write};
