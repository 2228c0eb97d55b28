//! The decisions of a directory of contents.

use std::fmt;

/// Every choice of [`Contents`](crate::Contents) on which a promise depends. The methods are the right
/// choices; a twin overrides one of them, and the enumeration of crash states must catch it.
pub trait ContentDecisions: Send + Sync + 'static {
    /// Whether a content's file is synced before it gets its name.
    fn syncs_content(&self) -> bool {
        true
    }

    /// Whether the directory is synced before a content counts as stored.
    fn syncs_directory(&self) -> bool {
        true
    }

    /// Whether a content counts as there as soon as it has its name.
    fn counts_before_directory_sync(&self) -> bool {
        false
    }

    /// Whether an opening syncs the directory, so that the names it has seen are durable.
    fn syncs_directory_when_opening(&self) -> bool {
        true
    }

    /// Whether an opening removes temporary files.
    fn removes_temporary_files(&self) -> bool {
        true
    }

    /// Whether a content without a manifest counts as there although its bytes differ from its name.
    fn believes_content_without_manifest(&self) -> bool {
        false
    }

    /// Whether a manifest is believed only if its root is the name of the content.
    fn verifies_manifest(&self) -> bool {
        true
    }

    /// Whether the bytes are compared with their manifest before a reader hands them out.
    fn verifies_reads(&self) -> bool {
        true
    }

    /// Whether a writer compares the root of its bytes with the name that was asked for.
    fn verifies_name(&self) -> bool {
        true
    }

    /// Whether a copy that is there is replaced when the content is written again: it may be bad.
    fn replaces_old_copy(&self) -> bool {
        true
    }

    /// Whether a write to a reflink is skipped although the bytes have another offset in the old file.
    fn keeps_moved_bytes(&self) -> bool {
        false
    }

    /// Whether a scrub compares the bytes with their manifest.
    fn scrub_verifies(&self) -> bool {
        true
    }

    /// Whether a scrub condemns a copy whose bytes are those of its manifest.
    fn scrub_condemns_good_copies(&self) -> bool {
        false
    }
}

impl fmt::Debug for dyn ContentDecisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("decisions of contents")
    }
}

/// The right decisions.
#[derive(Clone, Copy, Debug)]
pub struct DefaultContentDecisions;

impl ContentDecisions for DefaultContentDecisions {}
