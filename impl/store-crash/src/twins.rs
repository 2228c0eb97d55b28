//! The twins of the contents: stores with one wrong decision, which must be caught.

use std::fmt;

use steadfast_store::ContentDecisions;

/// A store whose decisions differ from the right ones.
pub struct Twin {
    /// Its name in reports.
    pub name: &'static str,
    /// The difference, in one clause.
    pub about: &'static str,
    /// Its decisions.
    pub decisions: &'static dyn ContentDecisions,
}

impl fmt::Debug for Twin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Twin { name, about, .. } = self;
        f.debug_struct("Twin").field("name", name).field("about", about).finish_non_exhaustive()
    }
}

macro_rules! twins {
    ($($type:ident $name:literal $about:literal { $decision:ident $value:literal })*) => {
        $(
            struct $type;
            impl ContentDecisions for $type {
                fn $decision(&self) -> bool { $value }
            }
        )*

        /// All twins.
        #[must_use]
        pub fn twins() -> Vec<Twin> {
            vec![$(Twin { name: $name, about: $about, decisions: &$type }),*]
        }
    };
}

twins! {
    NotSynced "content-not-synced"
    "a content gets its name before its bytes are synced"
    { syncs_content false }
    NoDirectorySync "no-directory-sync"
    "a content counts as stored although its name is not durable"
    { syncs_directory false }
    CountsEarly "counts-before-directory-sync"
    "a content counts as there although the sync of its name has failed"
    { counts_before_directory_sync true }
    NamesTrusted "no-directory-sync-on-opening"
    "names that a dead process has left are relied on, durable or not"
    { syncs_directory_when_opening false }
    DraftsStay "temporary-files-stay"
    "an opening leaves the temporary files of a dead process"
    { removes_temporary_files false }
    AnyContent "content-taken-by-name"
    "a file without a manifest is believed to be the content that it is named after"
    { believes_content_without_manifest true }
    AnyManifest "manifest-taken-by-name"
    "a manifest is believed to be that of the content that it is named after"
    { verifies_manifest false }
    Unverified "reads-unverified"
    "readers get bytes that were not compared with the manifest"
    { verifies_reads false }
    AnyName "writer-takes-any-name"
    "bytes get the name that was asked for, whatever their root"
    { verifies_name false }
    OldCopyStays "old-copy-stays"
    "a content that is written again keeps the old copy, which may be bad"
    { replaces_old_copy false }
    MovedStay "moved-bytes-stay"
    "a file that begins as a copy keeps bytes that the new content has elsewhere"
    { keeps_moved_bytes true }
    BlindScrub "scrub-is-blind"
    "a scrub does not compare the bytes"
    { scrub_verifies false }
    HarshScrub "scrub-condemns-all"
    "a scrub condemns good copies"
    { scrub_condemns_good_copies true }
}
