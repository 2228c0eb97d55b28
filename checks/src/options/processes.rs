//! Options that share a search among processes.

use std::path::PathBuf;

use clap::Args;
use steadfast_output::number::whole;

use crate::failure::Failure;
use crate::job::Share;

/// The processes that share a search.
#[derive(Args, Clone, Debug)]
pub(crate) struct Processes {
    /// Share each search among this many processes of this machine. --threads and --memory are those of
    /// each.
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1..=64), conflicts_with = "hosts")]
    pub processes: Option<usize>,
    /// Share the search with the processes that this file names, a HOST:PORT in each line. Start each
    /// with the same options and its own --process. Connections are not authenticated: use a private
    /// network.
    #[arg(long, value_name = "FILE", requires = "process")]
    hosts: Option<PathBuf>,
    /// Which address of --hosts is that of this process, from 0.
    #[arg(long, value_name = "K", requires = "hosts", value_parser = whole::<usize>(0..=255))]
    process: Option<usize>,
}

impl Processes {
    /// Whether a search is to be shared.
    pub(crate) fn are_asked_for(&self) -> bool {
        self.processes.is_some() || self.hosts.is_some()
    }

    /// The part of this process in a search with those of a file.
    #[cfg(feature = "processes")]
    pub(crate) fn share(&self) -> Result<Option<Share>, Failure> {
        let Some((file, index)) = self.hosts.as_ref().zip(self.process) else {
            return Ok(None);
        };
        let named = |it: &dyn std::fmt::Display| format!("{}: {it}", file.display());
        // A file that is too long to be right is not read whole.
        let text = text_of(file)
            .map_err(|it| Failure { message: named(&it), code: steadfast_output::exit_code::IO })?;
        let hosts = steadfast_search_timely::hosts(&text);
        let addresses = hosts.map_err(|it| Failure::usage(named(&it)))?;
        let count = addresses.len();
        if index >= count {
            let says = format!("it names processes 0 to {}, and --process is {index}", count - 1);
            return Err(Failure::usage(named(&says)));
        }
        Ok(Some(Share { index, count, addresses: Some(addresses) }))
    }

    /// This build shares no search.
    #[cfg(not(feature = "processes"))]
    pub(crate) fn share(&self) -> Result<Option<Share>, Failure> {
        match self.are_asked_for() {
            false => Ok(None),
            true => Err(Failure::usage(
                "this program was built without --processes and --hosts: build it with `cargo build \
                 --features processes --bin check`",
            )),
        }
    }
}

/// The text of a file of at most a mebibyte.
#[cfg(feature = "processes")]
fn text_of(file: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(file)?.take(1 << 20).read_to_string(&mut text)?;
    Ok(text)
}
