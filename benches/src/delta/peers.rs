//! The tools that are measured.

mod commands;
mod fast_rsync;
mod fastcdc;
mod memcmp;
mod memcpy;
mod qbsdiff;
pub(super) mod steadfast;

use std::fs;

use super::meter;
use super::pair::{Measured, Pair, PairFiles};
use super::peer_error::PeerError;
use super::row::{Row, Setting};

/// A tool that makes a new version from an old one and the bytes that were sent.
pub(super) struct Peer {
    /// Its name in tables and JSON.
    pub name: &'static str,
    /// The program that must be installed, unless it runs in this process.
    pub program: Option<&'static str>,
    /// Where it can be measured.
    pub settings: &'static [Setting],
    /// Whether it takes minutes on large inputs and is measured on the real pairs only.
    pub is_slow: bool,
    /// The inputs that it can be measured on; all of them if empty.
    pub(super) only: &'static [&'static str],
    run: Run,
}

const LOCAL: &[Setting] = &[Setting::Local];
const REMOTE: &[Setting] = &[Setting::Cached, Setting::Cold];
const COLD: &[Setting] = &[Setting::Cold];

/// All peers.
pub(super) const PEERS: [Peer; 26] = [
    in_process("steadfast", LOCAL, steadfast::local),
    in_process("steadfast", REMOTE, steadfast::remote),
    in_process("steadfast fast", LOCAL, steadfast::local_fast),
    in_process("steadfast small", LOCAL, steadfast::local_small),
    in_process("steadfast encode only", LOCAL, steadfast::encode_only),
    in_process("steadfast small encode only", LOCAL, steadfast::encode_only_small),
    from_files("steadfast streamed", steadfast::streamed),
    from_files("steadfast in place", steadfast::in_place).only(&["A", "B", "K"]),
    from_files("steadfast in place whole", steadfast::in_place_whole).only(&["A", "B", "K"]),
    in_process("steadfast manifest", LOCAL, steadfast::manifest),
    in_process("steadfast manifest carried", LOCAL, steadfast::manifest_carried),
    in_process("memcmp", LOCAL, memcmp::run),
    in_process("memcpy", LOCAL, memcpy::run),
    in_process("fast_rsync", &Setting::ALL, fast_rsync::run),
    in_process("fast_rsync signed before", LOCAL, fast_rsync::signed),
    in_process("fastcdc+blake3", REMOTE, fastcdc::run),
    in_process("qbsdiff", LOCAL, qbsdiff::run).slow(),
    command("xdelta3 -1", "xdelta3", LOCAL, |pair, _| commands::xdelta3(pair, "-1")),
    command("xdelta3 -3", "xdelta3", LOCAL, |pair, _| commands::xdelta3(pair, "-3")),
    command("xdelta3 -9", "xdelta3", LOCAL, |pair, _| commands::xdelta3(pair, "-9")).slow(),
    command("zstd -1 --patch-from", "zstd", LOCAL, |pair, _| commands::zstd(pair, "-1")),
    command("zstd -3 --patch-from", "zstd", LOCAL, |pair, _| commands::zstd(pair, "-3")),
    command("zstd -19 --patch-from", "zstd", LOCAL, |pair, _| commands::zstd(pair, "-19")).slow(),
    command("rdiff", "rdiff", REMOTE, commands::rdiff),
    command("rsync", "rsync", COLD, |pair, _| commands::rsync(pair, "--no-compress")),
    command("rsync -z", "rsync", COLD, |pair, _| commands::rsync(pair, "--compress")),
];

/// How a peer is run. Commands get no versions in memory: they are started from this process and
/// its memory would be taken for theirs.
#[derive(Clone, Copy)]
enum Run {
    InProcess(fn(&Pair, Setting) -> Result<Measured, PeerError>),
    /// In this process, from files.
    Files(fn(&PairFiles, Setting) -> Result<Measured, PeerError>),
    Command(fn(&PairFiles, Setting) -> Result<Measured, PeerError>),
}

const fn in_process(
    name: &'static str,
    settings: &'static [Setting],
    run: fn(&Pair, Setting) -> Result<Measured, PeerError>,
) -> Peer {
    Peer { name, program: None, settings, is_slow: false, only: &[], run: Run::InProcess(run) }
}

const fn from_files(
    name: &'static str,
    run: fn(&PairFiles, Setting) -> Result<Measured, PeerError>,
) -> Peer {
    let run = Run::Files(run);
    Peer { name, program: None, settings: LOCAL, is_slow: false, only: &[], run }
}

const fn command(
    name: &'static str,
    program: &'static str,
    settings: &'static [Setting],
    run: fn(&PairFiles, Setting) -> Result<Measured, PeerError>,
) -> Peer {
    Peer {
        name,
        program: Some(program),
        settings,
        is_slow: false,
        only: &[],
        run: Run::Command(run),
    }
}

impl Peer {
    const fn only(self, only: &'static [&'static str]) -> Peer {
        Peer { only, ..self }
    }

    const fn slow(self) -> Peer {
        Peer { is_slow: true, ..self }
    }

    /// Whether the program that it needs is there.
    pub(super) fn is_installed(&self) -> bool {
        self.program.is_none_or(|program| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
        })
    }

    /// Measures it on an input. Expects a process of its own, that has not taken much memory yet.
    pub(super) fn measure(&self, files: &PairFiles, setting: Setting) -> Result<Row, PeerError> {
        let (measured, peak) = match self.run {
            Run::InProcess(run) => {
                let pair = Pair { old: fs::read(&files.old)?, new: fs::read(&files.new)? };
                let before = meter::peak_of_self()?;
                let measured = run(&pair, setting)?;
                (measured, meter::peak_of_self()?.saturating_sub(before))
            }
            Run::Files(run) => (run(files, setting)?, meter::peak_of_self()?),
            Run::Command(run) => (run(files, setting)?, meter::peak_of_commands()?),
        };
        Ok(Row {
            input: files.name.clone(),
            setting,
            peer: self.name.to_owned(),
            encode_mb_s: measured.encode.map(|spent| spent.mb_s(files.length_new)),
            apply_mb_s: measured.apply.map(|spent| spent.mb_s(files.length_new)),
            bytes_up: measured.bytes_up,
            bytes_down: measured.bytes_down,
            peak_rss_bytes: peak,
        })
    }
}
