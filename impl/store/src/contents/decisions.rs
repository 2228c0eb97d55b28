//! The decisions of a directory of contents.

/// Every choice of [`Contents`](crate::Contents) on which a promise depends. The methods are the right
/// choices; a twin overrides one of them, and the enumeration of crash states must catch it.
pub trait ContentDecisions: Send + Sync + 'static {
    /// Whether a content's file is synced before it gets its name.
    fn syncs_content(&self) -> bool {
        true
    }

    /// Whether a content's name is given only when its file is complete; otherwise it is written in place.
    fn writes_under_temporary_name(&self) -> bool {
        true
    }

    /// Whether the directory is synced before a content counts as stored.
    fn syncs_directory(&self) -> bool {
        true
    }

    /// Whether an opening removes temporary files.
    fn removes_temporary_files(&self) -> bool {
        true
    }

    /// Whether an opening syncs the directory, so that names that it has seen are durable.
    fn syncs_directory_when_opening(&self) -> bool {
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

    /// Whether a content that lacks its manifest is read and compared with its name by an opening.
    fn verifies_without_manifest(&self) -> bool {
        true
    }

    /// Whether a bad copy is replaced by a good one that was written.
    fn replaces_bad_copy(&self) -> bool {
        true
    }

    /// Whether a bad copy stays until a good one replaces it; otherwise a new copy begins with removing it.
    fn keeps_copy_until_replaced(&self) -> bool {
        true
    }

    /// Whether a scrub condemns only the copies whose bytes differ from their manifest.
    fn scrub_spares_good_copies(&self) -> bool {
        true
    }
}

/// The right decisions.
#[derive(Clone, Copy, Debug)]
pub struct DefaultContentDecisions;

impl ContentDecisions for DefaultContentDecisions {}
