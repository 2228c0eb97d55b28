//! The part of this process in a search that several share.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::net::TcpListener;
use std::time::Duration;

use steadfast_cluster::ClusterComponents;
use steadfast_search::{Report, Search};
use steadfast_search_timely::{Join, join};

use crate::job::Share;

/// The other processes must come within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Searches together with the others. The error is the reason why this process cannot.
pub(super) fn search(
    search: &Search<'_, ClusterComponents>,
    share: &Share,
    listener: Option<TcpListener>,
    until: &str,
) -> Result<Report<ClusterComponents>, String> {
    let addresses = share.addresses.as_deref().unwrap_or_default();
    let own = addresses.get(share.index).ok_or("it does not know its own address")?;
    let listener = match listener {
        Some(listener) => listener,
        None => TcpListener::bind(own).map_err(|it| format!("cannot listen at {own}: {it}"))?,
    };
    let build = build().map_err(|it| format!("cannot read the program itself: {it}"))?;
    let mut identity = search.identity(&build).to_vec();
    // The build first: another one may describe the same search differently.
    identity.swap(0, 1);
    identity.push(("end", until.to_owned()));
    let index = share.index;
    let joined = join(Join { listener, addresses, index, identity: &identity, patience: PATIENCE });
    let mut peers = joined.map_err(|it| it.to_string())?;
    Ok(search.breadth_first_shared(&mut peers))
}

/// Identifies the program by its bytes: hashes of states are the same only in the same program.
fn build() -> io::Result<String> {
    let mut file = File::open(std::env::current_exe()?)?;
    let (mut hasher, mut bytes) = (DefaultHasher::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut bytes)? {
            0 => break,
            read => hasher.write(&bytes[..read]),
        }
    }
    Ok(format!("{} {:016x}", env!("CARGO_PKG_VERSION"), hasher.finish()))
}
