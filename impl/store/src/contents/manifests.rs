//! Files as whole: reading them, writing them, and making their manifests.

use std::io;

use steadfast_delta::manifest::{Depth, Manifest, ManifestBuilder};
use steadfast_wal::disk::{Access, Call, Disk, DiskFile, read_full};

use super::{ContentError, names};

/// How much is read at once.
const PIECE_BYTES: usize = 1 << 20;
/// The longest manifest that is read: that of a content of 2^45 bytes.
const MANIFEST_BYTES_MAX: u64 = 1 << 36;

/// Writes all bytes.
pub(super) fn write_full(file: &impl DiskFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The bytes of a manifest's file. `None` if they cannot be a manifest's.
pub(super) fn read_manifest<D: Disk>(
    disk: &D,
    name: &str,
) -> Result<Option<Manifest>, ContentError> {
    let file = match disk.open(name, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(ContentError::disk(Call::Open, name))?,
    };
    let length = file.length().map_err(ContentError::disk(Call::Read, name))?;
    let Some(length) = usize::try_from(length).ok().filter(|it| *it as u64 <= MANIFEST_BYTES_MAX)
    else {
        return Ok(None);
    };
    let mut bytes = vec![0; length];
    let read = read_full(&file, &mut bytes, 0).map_err(ContentError::disk(Call::Read, name))?;
    Ok(Manifest::from_bytes(&bytes[..read]).ok())
}

/// The manifest of the bytes in a file, which are all read.
pub(super) fn make_manifest(file: &impl DiskFile, name: &str) -> Result<Manifest, ContentError> {
    let mut builder = ManifestBuilder::new(Depth::Chunks);
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        let count =
            read_full(file, &mut piece, offset).map_err(ContentError::disk(Call::Read, name))?;
        if count == 0 {
            return Ok(builder.finish());
        }
        builder.update(&piece[..count]);
        offset += count as u64;
    }
}

/// Writes a manifest to a new file of this name. It is not synced: if a crash takes it, the next reader of
/// the content makes it again.
pub(super) fn write_manifest<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    draft: &str,
) -> Result<(), ContentError> {
    let file =
        disk.create(draft, Access::Write).map_err(ContentError::disk(Call::Create, draft))?;
    let bytes = manifest.to_bytes();
    write_full(&file, &bytes, 0).map_err(ContentError::disk(Call::Write, draft))
}

/// Gives a file its final name.
pub(super) fn rename<D: Disk>(disk: &D, from: &str, to: &str) -> Result<(), ContentError> {
    disk.rename(from, to).map_err(ContentError::disk(Call::Rename, from))
}

/// Removes the remains of a file that was not finished. The next opening removes those that stay.
pub(super) fn discard<D: Disk>(disk: &D, draft: u64) {
    let _ = disk.remove(&names::draft(draft));
}
