//! The namespaces of a run: this program again, in network, mount and process namespaces of its own. Whatever happens to the run, the
//! system removes its processes, mounts and devices when its first process ends.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use steadfast_output::is_interrupted;

const UNSHARE: [&str; 7] = [
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    // Also without root, where the system lets users be root in a namespace.
    "--map-root-user",
];

/// How often the outer process looks whether it is interrupted.
const INTERVAL: Duration = Duration::from_millis(100);

/// A run in namespaces.
pub(crate) struct Namespace;

impl Namespace {
    /// Whether the system lets this process have them, with the tools that a run needs.
    pub(crate) fn is_available() -> bool {
        succeeds(unshare().args(["ip", "link", "add", "chamber", "type", "bridge"]))
            && succeeds(unshare().args(["mount", "-t", "tmpfs", "none", "/run"]))
            && succeeds(Command::new("tc").arg("-V"))
    }

    /// Runs this program again, with the same arguments, in namespaces. An interruption reaches it as the end of its standard
    /// input, as does the end of this process.
    pub(crate) fn enter() -> io::Result<ExitCode> {
        let mut inner = unshare()
            .arg(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .arg("--inside")
            // Ctrl-C on a terminal reaches this process alone.
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()?;
        let mut input = inner.stdin.take();
        loop {
            if is_interrupted() {
                drop(input.take());
            }
            if let Some(status) = inner.try_wait()? {
                let code = status.code().and_then(|it| u8::try_from(it).ok());
                let code =
                    code.ok_or_else(|| io::Error::other(format!("the run died ({status})")))?;
                return Ok(ExitCode::from(code));
            }
            thread::sleep(INTERVAL);
        }
    }
}

/// Interrupts this process, the inner one, at the end of its standard input.
pub(crate) fn end_with_parent() -> io::Result<()> {
    let wait = || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // The handler of interruptions is installed. A second signal would end this process before it can report.
        if !is_interrupted() {
            let _ = raise(Signal::SIGTERM);
        }
    };
    thread::Builder::new().spawn(wait).map(drop)
}

/// Whether syncs can be made to fail.
pub(crate) fn has_strace() -> bool {
    succeeds(Command::new("strace").args([
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "inject=fsync:error=EIO",
        "true",
    ]))
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(UNSHARE);
    command
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|it| it.success())
}
