//! Why a patch is refused.

use std::path::Path;

use steadfast_delta::PatchError;

use crate::failure::{Failure, with_causes};
use crate::names::shown;

/// Why a patch cannot be applied to a file.
pub(crate) fn refused(old: &Path, patch: &Path, error: &PatchError) -> Failure {
    let what = format!("cannot apply {} to {}", shown(patch), shown(old));
    match error {
        PatchError::Io(error) => Failure::io(what, error),
        PatchError::TooLarge { .. } => Failure::usage(with_causes(what, error))
            .help("if you trust the patch, say --limit BYTES"),
        PatchError::NotInPlace | PatchError::NotSummed => {
            Failure::usage(with_causes(what, error)).help("say -o NEW to make a new file")
        }
        PatchError::OtherOld | PatchError::OtherOldLength { .. } => {
            Failure::broken(with_causes(what, error))
                .help("take the version that the patch was made from")
        }
        PatchError::NotAPatch => Failure::broken(with_causes(what, error))
            .help("OLD comes first, and then PATCH, which `steadfast delta diff` made"),
        PatchError::OtherVersion { .. } | PatchError::UnknownFlags { .. } => {
            Failure::broken(with_causes(what, error)).help("take a newer program")
        }
        _ => Failure::broken(with_causes(what, error)).help("fetch the patch again"),
    }
}

/// Whether a patch was refused because of the old content.
pub(crate) fn is_other_old(error: &PatchError) -> bool {
    matches!(error, PatchError::OtherOld | PatchError::OtherOldLength { .. })
}
