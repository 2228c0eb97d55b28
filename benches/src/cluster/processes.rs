//! Processor time and memory of the processes of a cluster, as Linux counts them.

use std::fs;
use std::path::Path;

use nix::unistd::{Pid, SysconfVar, sysconf};

use super::Result;

/// The CPU seconds that these processes have used.
pub(crate) fn cpu_s(processes: &[Pid]) -> Result<f64> {
    let per_s = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100) as f64;
    let mut ticks = 0;
    for process in processes {
        let path = format!("/proc/{process}/stat");
        let text = fs::read_to_string(&path)?;
        // The name may hold anything, so fields are counted from its end. utime and stime follow eleven others.
        let behind = text.rsplit_once(')').map(|it| it.1).unwrap_or_default();
        let times = behind.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        ticks += times.sum::<std::result::Result<u64, _>>()?;
    }
    Ok(ticks as f64 / per_s)
}

/// The memory of a process in bytes: now, and the most since its start or since [`forget_peak`].
pub(crate) fn memory_bytes(process: Pid) -> Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| {
        let text = status.lines().find_map(|it| it.strip_prefix(name));
        let kib = text.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.map(|it| it << 10).ok_or_else(|| format!("process {process} has no {name}"))
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// Lets the peak of a process begin at its memory of now.
pub(crate) fn forget_peak(process: Pid) -> Result<()> {
    Ok(fs::write(format!("/proc/{process}/clear_refs"), "5")?)
}

/// The bytes that the files below a directory take on the disk.
pub(crate) fn disk_bytes(directory: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A file may go away while it is looked at.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += match metadata.is_dir() {
            true => disk_bytes(&entry.path())?,
            false => metadata.blocks() * 512,
        };
    }
    Ok(bytes)
}
