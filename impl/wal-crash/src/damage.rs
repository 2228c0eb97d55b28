//! Damage to a disk that no crash explains.

use steadfast_simulated_disk::DiskModel;
use steadfast_wal::format::names::RESERVE;

/// A disk on which one thing went wrong.
pub(crate) struct Damaged {
    pub(crate) what: String,
    pub(crate) model: DiskModel,
    /// Whether the log must report it even if the last batch was hit. It cannot know of a last batch
    /// that looks as if it had never been written.
    pub(crate) must_say_so: bool,
}

/// A bit flipped in each byte; each sector zeroed, and replaced by the one before it; each file
/// lost, except for the newest two segments, whose loss nothing proves.
pub(crate) fn damages(model: &DiskModel, sector_bytes: usize) -> Vec<Damaged> {
    let mut damages = Vec::new();
    // The bytes of the reserve mean nothing.
    for (name, bytes) in model.files().filter(|it| it.0 != RESERVE) {
        for place in 0..bytes.len() {
            let what = format!("a flipped bit in {name}, byte {place}");
            let model = with(model, name, |it| it[place] ^= 1 << (place % 8));
            damages.push(Damaged { what, model, must_say_so: true });
        }
        for place in (0..bytes.len()).step_by(sector_bytes) {
            let end = (place + sector_bytes).min(bytes.len());
            let what = format!("zeros in {name}, byte {place}");
            let zeroed = with(model, name, |it| it[place..end].fill(0));
            damages.push(Damaged { what, model: zeroed, must_say_so: false });
            let what = format!("the sector before in {name}, byte {place}");
            let from = place.saturating_sub(sector_bytes);
            let stale = with(model, name, |it| it.copy_within(from..from + end - place, place));
            damages.push(Damaged { what, model: stale, must_say_so: false });
        }
    }
    let names: Vec<&str> = model.files().map(|it| it.0).filter(|it| *it != RESERVE).collect();
    let newest = names.len().saturating_sub(2);
    for name in names[..newest].iter().filter(|it| **it != "LOCK") {
        let mut lost = model.clone();
        lost.take(name);
        damages.push(Damaged { what: format!("{name} lost"), model: lost, must_say_so: false });
    }
    damages
}

fn with(model: &DiskModel, name: &str, change: impl FnOnce(&mut [u8])) -> DiskModel {
    let mut model = model.clone();
    let mut bytes = model.file(name).unwrap_or_default().to_vec();
    change(&mut bytes);
    model.put(name, bytes);
    model
}
