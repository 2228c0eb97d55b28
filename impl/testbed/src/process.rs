//! The process of a node.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// How long a node may take to end after SIGTERM: it finishes the writes of its disk first.
const ENDING_MAX: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// The process of a node. It ends when this is dropped, and when the process that owns it ends.
#[derive(Debug)]
pub(crate) struct Process {
    /// Holds the other end of its standard input, whose end the node takes for the end of its owner.
    child: Child,
}

impl Process {
    /// Starts a node, behind the words of a command that runs the rest in other surroundings, such as `ip netns exec`. Its
    /// messages are appended to `log`.
    pub(crate) fn start(
        program: &Path,
        prefix: &[OsString],
        environment: &[(OsString, OsString)],
        options: &[OsString],
        node: &Path,
        log: &Path,
    ) -> io::Result<Process> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut words = prefix.iter().map(OsString::as_os_str).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or(program.as_os_str()));
        let child = command
            .args(words)
            .args(["serve", "--until-input-ends"])
            .args(options)
            .arg(node)
            .env_remove("RUST_LOG")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            // Ctrl-C on a terminal reaches the owner alone. A group of its own is also what lets the system end a stopped
            // node: it sends SIGHUP and SIGCONT to a group with stopped processes whose last relative outside has ended.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Process { child })
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill(self.id(), signal)?)
    }

    /// Stops it with SIGSTOP, and returns once all of its threads stand still: the system ends only stopped processes of an
    /// orphaned group, and one that is about to stop is not among them.
    pub(crate) fn stop(&self) -> io::Result<()> {
        self.signal(Signal::SIGSTOP)?;
        // An end is noticed as well, and left for `has_ended`.
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(self.id()), flags)?;
        Ok(())
    }

    pub(crate) fn id(&self) -> Pid {
        // Process ids of Linux are below 2^22.
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub(crate) fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Ends it with SIGTERM. Returns `None`, and leaves it, if it does not end.
    pub(crate) fn terminate(&mut self) -> io::Result<Option<ExitStatus>> {
        self.signal(Signal::SIGTERM)?;
        let begun = Instant::now();
        while begun.elapsed() < ENDING_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            sleep(PAUSE);
        }
        Ok(None)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
